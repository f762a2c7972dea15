"""The library: model, tokenizer, sampling and chat in one hand.

>>> import yocto
>>> lm = yocto.load("checkpoints/token-1")                            # doctest: +SKIP
>>> for piece in lm.stream("Once", max_new_tokens=50, top_p=0.9):      # doctest: +SKIP
...     print(piece, end="")
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from yocto.chat.session import ChatSession
from yocto.chat.template import stop_strings
from yocto.checkpoint import Checkpoint, find_checkpoint
from yocto.config import SamplingConfig, TrainTokenizerConfig
from yocto.dataset.batches import eval_batches
from yocto.dataset.documents import open_texts
from yocto.errors import TokenizerError
from yocto.model.gpt import GPT
from yocto.sampling.generate import generate
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.char_bpe import CharBPETokenizer
from yocto.tokenizer.normalize import Normalization
from yocto.tokenizer.special import separator_of
from yocto.tokenizer.trainers import make_trainer
from yocto.tokenizer.word import WordTokenizer
from yocto.utils.device import pick_device
from yocto.utils.progress import Progress
from yocto.utils.stop import stop_at


def load(path: str | Path, device: str = "auto") -> LanguageModel:
    """Open a trained model: a run's folder (its best step), a step's folder, or the name of a run
    under checkpoints/. Raises CheckpointError."""
    return LanguageModel.open(find_checkpoint(str(path), Path("checkpoints")), device)


def train_tokenizer(
    paths: str | Path | Sequence[str | Path],
    vocab_size: int = 8000,
    num_merges: int | None = None,
    pattern: str = "gpt2",
    special_tokens: Sequence[str] | None = None,
    progress: Progress | None = None,
    *,
    kind: str = "byte-bpe",
    normalize: Normalization = "none",
    byte_fallback: bool = False,
    min_frequency: int = 1,
    workers: int | None = None,
) -> BPETokenizer | CharBPETokenizer | WordTokenizer:
    """Learn a tokenizer from texts, which are files, folders, globs or URLs: kind "byte-bpe",
    "char-bpe" or "word". The knobs are those of `yocto train-tokenizer`. Raises ConfigError for a
    wrong one."""
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    trainer = make_trainer(
        TrainTokenizerConfig.from_dict({
            "kind": kind, "vocab_size": vocab_size, "num_merges": num_merges, "pattern": pattern,
            "special_token": None if special_tokens is None else list(special_tokens),
            "normalize": normalize, "byte_fallback": byte_fallback, "min_frequency": min_frequency,
            "workers": workers,
        })
    )  # fmt: skip
    separator = separator_of(trainer.special_tokens)
    texts = open_texts(files, separator=separator, cuts=trainer.cuts)
    return trainer.train(texts.parts(), progress, texts.text_size)


class LanguageModel:
    """A trained GPT with its tokenizer.

    documents: how many the model learnt from; with one, it never saw an end token.
    """

    def __init__(self, model: GPT, tokenizer: BaseTokenizer, documents: int = 1) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.documents = documents
        self._special = frozenset(tokenizer.special_tokens.values())

    @classmethod
    def open(cls, path: Path, device: str = "auto") -> LanguageModel:
        """Open a checkpoint's folder. Raises CheckpointError."""
        checkpoint = Checkpoint.open(path)
        tokenizer = checkpoint.load_tokenizer()
        return cls(checkpoint.load_model(pick_device(device)), tokenizer, checkpoint.documents)

    @property
    def block_size(self) -> int:
        """The most tokens that the model sees."""
        return self.model.config.block_size

    @property
    def end_id(self) -> int | None:
        """The id that ends a document, if the model learnt what it means."""
        return self.tokenizer.end_id if self.documents > 1 else None

    def prompt_ids(self, prompt: str) -> list[int]:
        """The ids of a prompt, special tokens taken as text; an empty one starts a text."""
        if prompt:
            return self.tokenizer.encode(prompt, allowed_special="none")
        if self.end_id is not None:
            return [self.end_id]
        try:
            ids = self.tokenizer.encode("\n")
        except TokenizerError:  # a char vocabulary without line breaks
            ids = []
        if not ids or self.tokenizer.unk_id in ids:
            ids = [i for i in range(self.tokenizer.vocab_size) if i not in self._special][:1]
        if not ids:
            raise TokenizerError("the tokenizer has no token that stands for text")
        return ids

    def stream_ids(
        self,
        ids: Sequence[int],
        config: SamplingConfig,
        generator: torch.Generator | None = None,
        stop: Sequence[str] = (),
    ) -> Iterator[str]:
        """Text that continues ids, in pieces that never break a character.

        generator: None makes one from config.seed. stop: more stop strings than config.stop.
        """
        end_id = None if config.ignore_eos else self.tokenizer.end_id
        generator = generator or make_generator(config.seed)
        decoder = self.tokenizer.stream_decoder(after=ids[-1] if ids else None)
        # Of the special tokens a model may choose only the one that ends the text.
        banned = sorted(self._special - {self.tokenizer.end_id})

        def pieces() -> Iterator[str]:
            for token_id in generate(
                self.model, ids, config, end_id=end_id, generator=generator, banned=banned
            ):
                if token_id in self._special:
                    continue
                if piece := decoder.push(token_id):
                    yield piece
            if rest := decoder.finish():
                yield rest

        return stop_at(pieces(), (*config.stop, *stop))

    def stream(self, prompt: str = "", **knobs: Any) -> Iterator[str]:
        """Text that continues the prompt, piece by piece, the prompt itself left out.

        knobs: those of `yocto sample`: max_new_tokens, temperature, top_k, top_p, min_p,
        repetition_penalty, stop, greedy, seed, ignore_eos. Raises ConfigError for a wrong one.
        """
        return self.stream_ids(self.prompt_ids(prompt), SamplingConfig.from_dict(knobs))

    def generate(self, prompt: str = "", **knobs: Any) -> str:
        """Text that continues the prompt, in one piece; knobs as in `stream`."""
        return "".join(self.stream(prompt, **knobs))

    def chat(
        self, system_prompt: str = "", max_ctx_tokens: int | None = None, **knobs: Any
    ) -> Chat:
        """A conversation; knobs as in `stream`.

        max_ctx_tokens: most tokens of it that the model is shown; the default leaves a third of the
        context to the answer.
        """
        return Chat(self, SamplingConfig.from_dict(knobs), system_prompt, max_ctx_tokens)

    @torch.no_grad()
    def loss(self, text: str) -> float:
        """Mean cross-entropy of a text, in nats per token, read from its start in windows of
        block_size."""
        start = self.prompt_ids("")
        ids = self.tokenizer.encode_to_numpy(text)
        if not len(ids):
            raise TokenizerError("an empty text has no loss")
        whole = np.concatenate([np.array(start[-1:], ids.dtype), ids])
        device = next(self.model.parameters()).device
        total, count = 0.0, 0
        for idx, targets in eval_batches(whole, self.block_size, 8):
            logits = self.model(idx.to(device)).float()
            total += F.cross_entropy(
                logits.flatten(0, 1), targets.to(device).flatten(), reduction="sum"
            ).item()
            count += targets.numel()
        return total / count


class Chat:
    """A conversation with a model: `send` a message, get the answer as it is made."""

    def __init__(
        self,
        lm: LanguageModel,
        config: SamplingConfig,
        system_prompt: str = "",
        max_ctx_tokens: int | None = None,
    ) -> None:
        self.lm = lm
        self.config = config
        limit = max_ctx_tokens or max(1, lm.block_size * 2 // 3)
        self.session = ChatSession(
            lambda text: lm.tokenizer.encode(text, allowed_special="none"),
            min(limit, lm.block_size), system_prompt, lm.block_size,
        )  # fmt: skip
        self._generator = make_generator(config.seed)

    def set(self, **knobs: Any) -> None:
        """Change sampling knobs for the messages to come. Raises ConfigError for a wrong one."""
        checked = SamplingConfig.from_dict(knobs)
        self.config = dataclasses.replace(self.config, **{k: getattr(checked, k) for k in knobs})
        if "seed" in knobs:
            self._generator = make_generator(self.config.seed)

    def send(self, message: str) -> Generator[str, None, None]:
        """The answer, piece by piece; it joins the conversation when it ends or is broken off.

        Raises ChatError at once when the message is longer than the context.
        """
        return self._answer(self.session.ask(message))

    def _answer(self, ids: list[int]) -> Generator[str, None, None]:
        stops = stop_strings(knows_end_token=self.lm.end_id is not None)
        said = ""
        try:
            for piece in self.lm.stream_ids(ids, self.config, self._generator, stops):
                fresh = piece if said else piece.lstrip()
                said += fresh
                if fresh:
                    yield fresh
        finally:
            if said.strip():
                self.session.answer(said.strip())
            else:
                self.session.take_back()


def make_generator(seed: int | None) -> torch.Generator:
    """A random generator for choosing tokens; None seeds it from the system."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator
