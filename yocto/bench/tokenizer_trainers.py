"""Who learns merges, and which call of theirs is timed: counting and merging, on a text in memory.

All learn byte-level BPE without special tokens, with the same pattern, to the same vocabulary size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from yocto.bench.job import Job, Unfit
from yocto.bench.parts import cut
from yocto.tokenizer.byte_level import from_visible

Merges = list[tuple[bytes, bytes]]


class Trainer(ABC):
    """One engine. Making it imports what it needs and brings the text into the form it takes.

    name: the package's name. call: what is timed.
    """

    name: ClassVar[str]
    call: ClassVar[str]

    def __init__(self, job: Job) -> None:
        self.job = job
        self.prepare()

    @abstractmethod
    def prepare(self) -> None:
        """Import, and make the input ready."""

    @abstractmethod
    def train(self) -> Any:
        """Learn the vocabulary: what is timed."""

    @abstractmethod
    def merges(self, result: Any) -> Merges | None:
        """What was learnt, in order; None where the engine does not tell pairs."""

    def tokens(self, result: Any) -> list[bytes]:
        """The tokens that were made, in order."""
        return list(dict.fromkeys(left + right for left, right in self.merges(result) or []))


class Yocto(Trainer):
    """This engine, handed the text as one str."""

    name = "yocto"
    call = "BPETrainer(workers=N).train([str])"

    def prepare(self) -> None:
        """Load the kernels, and all else that is imported late."""
        from yocto.bench.kernels import load_kernels

        load_kernels(self.job.pattern, len(self.job.data), True, self.job.vocab_size)
        self._train(self.job.text[:20_000])

    def train(self) -> Any:
        """Train on all of it."""
        return self._train(self.job.text)

    def _train(self, text: str) -> Any:
        from yocto.tokenizer.bpe_train import BPETrainer

        job = self.job
        trainer = BPETrainer(
            vocab_size=job.vocab_size,
            pattern=job.pattern,
            special_tokens=[],
            workers=job.threads,
        )
        return trainer.train([text])

    def merges(self, result: Any) -> Merges:
        """The tokenizer's."""
        return list(result.merges)


class Tokenizers(Trainer):
    """Hugging Face's BpeTrainer, quickest on many short texts."""

    name = "tokenizers"
    call = "train_from_iterator(parts, BpeTrainer)"

    def prepare(self) -> None:
        """Cut the text, and set up a tokenizer that splits as ours does."""
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

        from yocto.tokenizer.patterns import pattern_regex

        self.parts = cut(self.job.text, 1 << 12)
        self.tokenizer = Tokenizer(models.BPE())
        if self.job.pattern == "gpt2":
            split: Any = pre_tokenizers.ByteLevel(add_prefix_space=False)
        else:
            expression = Regex(pattern_regex(self.job.pattern))
            split = pre_tokenizers.Sequence([
                pre_tokenizers.Split(expression, behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ])  # fmt: skip
        self.tokenizer.pre_tokenizer = split
        self.trainer = trainers.BpeTrainer(
            vocab_size=self.job.vocab_size,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )

    def train(self) -> Any:
        """Train on the parts."""
        self.tokenizer.train_from_iterator(self.parts, self.trainer, length=len(self.parts))
        return self.tokenizer

    def merges(self, result: Any) -> Merges:
        """Those of its tokenizer.json."""
        import json

        pairs = json.loads(result.to_str())["model"]["merges"]
        split = [pair.split(" ") if isinstance(pair, str) else pair for pair in pairs]
        return [(from_visible(left), from_visible(right)) for left, right in split]


class Rustbpe(Trainer):
    """rustbpe, which breaks ties by its own order of bytes, so its merges may be others."""

    name = "rustbpe"
    call = "train_from_iterator(parts, V, pattern)"

    def prepare(self) -> None:
        """Cut the text: it counts several parts at once."""
        import rustbpe

        from yocto.tokenizer.patterns import pattern_regex

        self.parts = cut(self.job.text, 1 << 18)
        self.pattern = pattern_regex(self.job.pattern)
        self.tokenizer = rustbpe.Tokenizer()

    def train(self) -> Any:
        """Train on the parts."""
        self.tokenizer.train_from_iterator(
            iter(self.parts), self.job.vocab_size, pattern=self.pattern
        )
        return self.tokenizer

    def merges(self, result: Any) -> None:
        """It tells tokens and ranks only."""

    def tokens(self, result: Any) -> list[bytes]:
        """Tokens by rank, without the bytes."""
        ranks = sorted(result.get_mergeable_ranks(), key=lambda pair: pair[1])
        return [bytes(token) for token, rank in ranks if rank >= 256]


class Gigatoken(Trainer):
    """gigatoken's train_bpe, which has one pattern, GPT-2's."""

    name = "gigatoken"
    call = "train_bpe(bytes, V, [])"

    def prepare(self) -> None:
        """Refuse what it can't do."""
        import gigatoken

        if self.job.pattern != "gpt2":
            raise Unfit("its trainer knows the pattern gpt2 only")
        self.learn = gigatoken.train_bpe

    def train(self) -> Any:
        """Train on the text."""
        return self.learn(self.job.data, self.job.vocab_size, [])

    def merges(self, result: Any) -> Merges:
        """The second part of what it gives."""
        return [(bytes(left), bytes(right)) for left, right in result[1]]


TRAINERS: dict[str, type[Trainer]] = {
    engine.name: engine for engine in (Yocto, Rustbpe, Gigatoken, Tokenizers)
}
