"""Who encodes, and which call of theirs is timed.

Each engine is measured by its quickest public call on a text that lies in memory, with ids as numpy
arrays where it gives such. Each is handed the text in the form that it takes fastest (str, bytes,
or parts) before the clock starts. Loading a tokenizer is not timed either.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from yocto.bench.job import Job, Unfit
from yocto.bench.parts import cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from yocto.tokenizer.bpe import BPETokenizer

Pass = Callable[[], Any]
Make = Callable[[], Any]  # an engine's own tokenizer object, loaded anew


class Encoder(ABC):
    """One engine. Making it imports what it needs and brings the text into the form it takes.

    name: the package's name. calls: what is timed on one thread, and on several.
    """

    name: ClassVar[str]
    calls: ClassVar[tuple[str, str]]

    def __init__(self, job: Job) -> None:
        self.job = job
        self.prepare()

    @abstractmethod
    def prepare(self) -> None:
        """Import, and make the input ready."""

    @abstractmethod
    def load(self) -> Pass:
        """A tokenizer loaded anew, as a function that encodes the text once."""

    def ids(self, result: Any) -> NDArray[Any]:
        """What a pass gave, as one array."""
        import numpy as np

        if isinstance(result, list):
            result = np.concatenate([np.asarray(part, dtype=np.uint32) for part in result])
        return np.asarray(result, dtype=np.uint32)

    def identity(self, result: Any) -> tuple[int, str]:
        """How many ids a pass gave, and the SHA-256 of them as uint32."""
        ids = self.ids(result)
        return len(ids), hashlib.sha256(ids.tobytes()).hexdigest()


class Yocto(Encoder):
    """This engine, handed the text as bytes."""

    name = "yocto"
    calls = ("encode_to_numpy(bytes)", "encode_to_numpy(bytes, workers=N)")

    def prepare(self) -> None:
        """Load the kernels, which are the same for all tokenizers."""
        from yocto.bench.kernels import load_kernels

        tokenizer = our_tokenizer(self.job)
        load_kernels(tokenizer.pattern, len(self.job.data), False, tokenizer.vocab_size)

    def load(self) -> Pass:
        """A tokenizer whose cache of words is empty."""
        tokenizer, data = our_tokenizer(self.job), self.job.data
        threads = self.job.threads
        return lambda: tokenizer.encode_to_numpy(data, workers=threads)


class Tiktoken(Encoder):
    """tiktoken takes str. Its encode_to_numpy is half as quick where an Encoding has no special
    token at all, so it is given one. Over several threads it works as its own encode_batch does,
    a pool that encodes parts, but with arrays instead of lists."""

    name = "tiktoken"
    calls = ("encode_to_numpy(str)", "encode_to_numpy of parts in a thread pool")

    def prepare(self) -> None:
        """Make what it takes, and cut the text."""
        self.make: Make = self.maker()
        self.parts = cut(self.job.text, 1 << 16)

    def maker(self) -> Make:
        """Rank every token by its id, which is what tiktoken merges by."""
        import tiktoken

        from yocto.tokenizer.patterns import pattern_regex

        tokenizer = our_tokenizer(self.job)
        made = [tokenizer.vocab[left + right] for left, right in tokenizer.merges]
        first = list(dict.fromkeys(made))
        if first != sorted(first):
            raise Unfit("the tokenizer's ids are not in the order of its merges")
        if tokenizer.normalize != "none":
            raise Unfit(f"it can't normalize to {tokenizer.normalize}, as the tokenizer asks for")
        special = {"<|endoftext|>": max(tokenizer.vocab.values()) + 1}
        pattern = pattern_regex(tokenizer.pattern)
        return lambda: tiktoken.Encoding(
            "bench", pat_str=pattern, mergeable_ranks=tokenizer.vocab, special_tokens=special
        )

    def load(self) -> Pass:
        """A new Encoding; tiktoken caches nothing between calls."""
        import numpy as np

        encoding, text, parts, threads = self.make(), self.job.text, self.parts, self.job.threads

        def encode(part: str) -> Any:
            return encoding.encode_to_numpy(part, disallowed_special=())

        def pooled() -> Any:
            with ThreadPoolExecutor(threads) as pool:
                return np.concatenate(list(pool.map(encode, parts)))

        return pooled if threads > 1 else lambda: encode(text)


class Tokenizers(Encoder):
    """Hugging Face's tokenizers takes str and is quicker on parts than on one long text. It has no
    numpy output; reading the ids out of its Encodings, as lists, is timed."""

    name = "tokenizers"
    calls = ("encode_batch_fast(parts), .ids", "encode_batch_fast(parts), .ids")

    def prepare(self) -> None:
        """Cut the text."""
        import tokenizers

        self.make: Make = lambda: tokenizers.Tokenizer.from_file(self.job.tokenizer)
        self.parts = cut(self.job.text, 1 << 12)

    def load(self) -> Pass:
        """A new Tokenizer. Its threads are counted by RAYON_NUM_THREADS."""
        tokenizer, parts = self.make(), self.parts
        encode = tokenizer.encode_batch_fast
        return lambda: [encoding.ids for encoding in encode(parts, add_special_tokens=False)]


class Gigatoken(Encoder):
    """gigatoken is quicker on bytes than on str. One document goes through encode, which has one
    thread; on several threads encode_batch takes the same document whole and cuts it itself."""

    name = "gigatoken"
    calls = ("encode(bytes)", "encode_batch(BytesSource(bytes), parallel=True)")

    def prepare(self) -> None:
        """Make the source that its threads read from, and spell gpt4's regex as it knows it."""
        import gigatoken

        from yocto.tokenizer.patterns import NAMED_PATTERNS

        content = Path(self.job.tokenizer).read_text(encoding="utf-8")
        # It knows patterns by their very text. That of gpt4 cuts as the one of llama3 does.
        named = {
            name: json.dumps(text, ensure_ascii=False) for name, text in NAMED_PATTERNS.items()
        }
        content = content.replace(named["gpt4"], named["llama3"])
        self.make: Make = lambda: gigatoken.Tokenizer.from_json(content)
        self.source = gigatoken.BytesSource(self.job.data)

    def load(self) -> Pass:
        """A new Tokenizer, whose cache is empty."""
        import numpy as np

        tokenizer, data, source = self.make(), self.job.data, self.source
        if self.job.threads > 1:
            return lambda: np.asarray(tokenizer.encode_batch(source, parallel=True)[0])
        return lambda: tokenizer.encode(data)


class Fastokens(Encoder):
    """fastokens takes str; encode_batch_flat gives all ids as bytes, which numpy reads in place.
    It shares one text out over threads of its own."""

    name = "fastokens"
    calls = ("encode_batch_flat([str])", "encode_batch_flat([str])")

    def prepare(self) -> None:
        """Import it."""
        import fastokens

        self.make: Make = lambda: fastokens.Tokenizer.from_file(self.job.tokenizer)

    def load(self) -> Pass:
        """A new Tokenizer, whose cache is empty."""
        import numpy as np

        tokenizer, texts = self.make(), [self.job.text]
        return lambda: np.frombuffer(tokenizer.encode_batch_flat(texts)[0], dtype=np.uint32)


ENCODERS: dict[str, type[Encoder]] = {
    engine.name: engine for engine in (Yocto, Gigatoken, Fastokens, Tiktoken, Tokenizers)
}


def our_tokenizer(job: Job) -> BPETokenizer:
    """The job's tokenizer, loaded anew."""
    from yocto.tokenizer.bpe import BPETokenizer
    from yocto.tokenizer.store import load_tokenizer

    tokenizer = load_tokenizer(job.tokenizer)
    assert isinstance(tokenizer, BPETokenizer)
    return tokenizer
