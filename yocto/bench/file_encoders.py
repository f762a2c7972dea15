"""Who makes a .bin file of a text file, and how.

Each engine reads the text, cuts it into documents at the separator lines, encodes them and writes
their ids one after the other as uint16 or uint32: what `yocto encode` does, without an end token
and without a validation split. Loading a tokenizer is not timed. The others have no such command,
so they get the short program that their users write: all documents in memory, their quickest batch
call, one write. How the text has to be cut for that call to be quick is found out for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from yocto.bench.encoders import Encoder, Pass, Tiktoken, Tokenizers, our_tokenizer
from yocto.bench.parts import cut
from yocto.bench.peers import IN_MEMORY, OURS

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FileEncoder(Encoder):
    """One engine. A pass leaves a .bin file."""

    # Characters of a part; None: its own way.
    part: ClassVar[int | None] = None

    @property
    def out(self) -> Path:
        """Where the file goes."""
        return Path(self.job.tokenizer).with_name(f"{self.name}-{self.job.threads}.bin")

    def ids(self, result: Any) -> NDArray[Any]:
        """What the file holds."""
        import numpy as np

        return np.fromfile(result, self.dtype).astype(np.uint32)

    def identity(self, result: Any) -> tuple[int, str]:
        """The same, block by block: the memory that is told is that of the work."""
        import numpy as np

        ids = np.memmap(result, self.dtype, mode="r")
        digest = hashlib.sha256()
        for i in range(0, len(ids), 1 << 20):
            digest.update(ids[i : i + (1 << 20)].astype(np.uint32).tobytes())
        return len(ids), digest.hexdigest()

    @property
    def dtype(self) -> str:
        """The type of an id in the file."""
        return "<u2" if our_tokenizer(self.job).vocab_size <= 1 << 16 else "<u4"

    def cut_documents(self) -> list[str]:
        """The documents, cut where they have to be."""
        from yocto.dataset.documents import read_documents

        assert self.part is not None
        documents = read_documents([self.job.text_path])
        return [part for document in documents for part in cut(document, self.part)]

    def write(self, lists: Iterable[list[int]], dtype: str) -> Path:
        """Write the ids of all parts."""
        import numpy as np

        np.concatenate([np.array(ids, dtype) for ids in lists]).tofile(self.out)
        return self.out


class YoctoFile(FileEncoder):
    """What `yocto encode` runs: checksums, meta.json and waiting for the disk are part of it."""

    name = OURS
    calls = ("yocto encode --workers 1", "yocto encode --workers N")

    def prepare(self) -> None:
        """Load the kernels, which are the same for all tokenizers."""
        from yocto.bench.kernels import load_kernels

        tokenizer = our_tokenizer(self.job)
        size = Path(self.job.text_path).stat().st_size
        load_kernels(tokenizer.pattern, size, False, tokenizer.vocab_size)

    def load(self) -> Pass:
        """A tokenizer whose cache of words is empty."""
        from yocto.dataset.documents import open_texts
        from yocto.dataset.encode import Target, TokenMaker, write_dataset
        from yocto.utils.progress import SilentProgress

        tokenizer = our_tokenizer(self.job)
        maker = TokenMaker(
            tokenizer.encode_documents, tokenizer.vocab_size, tokenizer.end_id, tokenizer.sha256
        )
        target = Target(self.out, 0.0, [], "bench", workers=self.job.threads)

        def encode() -> Path:
            texts = open_texts([self.job.text_path], cuts=tokenizer.cuts)
            write_dataset(texts, maker, target, SilentProgress())
            return self.out / "train.bin"

        return encode


class YoctoMemory(FileEncoder):
    """The same text in memory, encoded as a whole: how much reading and writing cost. Its ids are
    other ones where documents meet, and are not checked."""

    name = IN_MEMORY
    calls = ("encode_to_numpy(bytes)", "encode_to_numpy(bytes, workers=N)")

    def prepare(self) -> None:
        """Read the text, and load the kernels."""
        from yocto.bench.kernels import load_kernels

        tokenizer = our_tokenizer(self.job)
        load_kernels(tokenizer.pattern, len(self.job.data), False, tokenizer.vocab_size)

    def load(self) -> Pass:
        """A tokenizer whose cache of words is empty."""
        tokenizer, data, threads = our_tokenizer(self.job), self.job.data, self.job.threads
        return lambda: tokenizer.encode_to_numpy(data, workers=threads)

    def identity(self, result: Any) -> tuple[int, str]:
        """None to compare with."""
        return len(result), ""


class TokenizersFile(FileEncoder, Tokenizers):
    """encode_batch of parts; the quickest size is 4,096 characters."""

    name = "tokenizers"
    calls = ("encode_batch(parts), .ids, tofile", "encode_batch(parts), .ids, tofile")
    part = 1 << 12

    def prepare(self) -> None:
        """Import it."""
        import tokenizers

        self.make = lambda: tokenizers.Tokenizer.from_file(self.job.tokenizer)

    def load(self) -> Pass:
        """A new Tokenizer. Its threads are counted by RAYON_NUM_THREADS."""
        tokenizer, dtype = self.make(), self.dtype

        def encode() -> Path:
            made = tokenizer.encode_batch(self.cut_documents(), add_special_tokens=False)
            return self.write((encoding.ids for encoding in made), dtype)

        return encode


class TiktokenFile(FileEncoder, Tiktoken):
    """encode_ordinary_batch of parts, with its own thread pool."""

    name = "tiktoken"
    calls = (
        "encode_ordinary_batch(parts, num_threads=1), tofile",
        "encode_ordinary_batch(parts, num_threads=N), tofile",
    )
    part = 1 << 16

    def prepare(self) -> None:
        """Import it."""
        self.make = self.maker()

    def load(self) -> Pass:
        """A new Encoding; tiktoken caches nothing between calls."""
        encoding, dtype, threads = self.make(), self.dtype, self.job.threads

        def encode() -> Path:
            made = encoding.encode_ordinary_batch(self.cut_documents(), num_threads=threads)
            return self.write(made, dtype)

        return encode


FILE_ENCODERS: dict[str, type[FileEncoder]] = {
    engine.name: engine for engine in (YoctoFile, YoctoMemory, TiktokenFile, TokenizersFile)
}
