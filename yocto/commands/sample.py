"""yocto sample: a checkpoint to text."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yocto.api import Completion, Completions, LanguageModel, make_generator
from yocto.checkpoint import find_checkpoint
from yocto.commands.prompts import Prompt, read_prompts
from yocto.config import SampleConfig
from yocto.sampling.engine import Engine
from yocto.utils.progress import Progress, Task


def run(config: SampleConfig, progress: Progress) -> Samples:
    """Open the checkpoint and the prompts; the texts are made when the result is read."""
    path = find_checkpoint(config.ckpt, Path(config.ckpt_dir))
    # About how many tokens there will be; nobody has counted the lines of a file yet.
    texts = config.num_samples * (1 if config.batch_file is None else config.batch_size)
    lm = LanguageModel.open(
        path, config.device, config.quantize, progress, config.max_new_tokens * texts
    )
    for told in config.without_effect():
        progress.notice(told)
    lm.check_biases(config)
    samples = Samples(str(path), lm, read_prompts(config, lm, progress), config, progress)
    if config.prompt_lookup and samples.total > 1 and config.beam == 1:
        progress.notice("prompt_lookup guesses only where a text is made alone")
    return samples


@dataclass
class Sample:
    """A prompt and what continues it; it grows while it is made.

    seconds: from the start of its batch to its own end; None while it is made. counted: how many
    tokens a progress task knows of.
    """

    prompt: str
    completion: Completion
    seconds: float | None = None
    counted: int = 0

    def to_json(self, logprobs: int | None) -> dict[str, Any]:
        """All there is to know of it, as plain data. logprobs: as in SampleConfig."""
        made = self.completion
        told: dict[str, Any] = {}
        if logprobs is not None:
            told["logprobs"] = made.logprobs
        if logprobs:
            told["top_logprobs"] = [
                [{"id": id_, "logprob": logprob} for id_, logprob in top]
                for top in made.top_logprobs
            ]
        return {
            "prompt": self.prompt, "text": made.text, "prompt_ids": made.prompt_ids,
            "ids": made.ids, **told, "finish_reason": made.finish_reason or "interrupted",
            "seconds": None if self.seconds is None else round(self.seconds, 4),
        }  # fmt: skip


class Samples:
    """Texts that are made while they are read: `pieces` of a single one, or `whole` ones in order.
    There are num_samples of each prompt, made batch_size at once.

    total: how many there will be. logprobs: what is told of each token, as in SampleConfig; to be
    changed before anything is read. begun: those that are whole or in the making.
    """

    def __init__(
        self, checkpoint: str, lm: LanguageModel, prompts: Sequence[Prompt], config: SampleConfig,
        progress: Progress,
    ) -> None:  # fmt: skip
        self.checkpoint, self.config, self.logprobs = checkpoint, config, config.logprobs
        self.total = len(prompts) * config.num_samples
        self.begun: list[Sample] = []
        self._seconds = 0.0  # of making text
        self.prompts = prompts
        self._lm, self._progress = lm, progress
        self._engine = Engine(lm.model)  # one: the next batch may begin as the last one did
        self._batch: Completions | None = None  # in the making

    @property
    def streams(self) -> bool:
        """Whether the text is to be shown while it is made."""
        return self.total == 1 and self.config.stream

    def pieces(self) -> Iterator[str]:
        """The text, piece by piece."""
        return (piece for _, piece in self._steps() if piece)

    def whole(self) -> Iterator[Sample]:
        """Each text when it is whole, in order; meanwhile a progress task counts tokens."""
        steps, handed, tokens = self._steps(), 0, 0
        expected = self.total * self.config.max_new_tokens
        while handed < self.total:
            with self._progress.task("sampling", expected, "token", tokens) as task:
                task.status(f"{handed} of {self.total} texts")
                tokens += self._finish(handed, steps, task)
            # Not inside the task: its bar would stand in the way of what is printed.
            while handed < len(self.begun) and self.begun[handed].seconds is not None:
                yield self.begun[handed]
                handed += 1

    def rest(self, handed: int) -> list[Sample]:
        """What was made besides the first texts, when no more is to be: of texts that have begun
        what they have, with all that was held back."""
        if self._batch is not None:
            self._batch.break_off()
        return [one for one in self.begun[handed:] if one.seconds is not None or one.completion.ids]

    def to_json(self) -> dict[str, Any]:
        """What was made, as plain data."""
        made = self.rest(0)
        tokens = sum(len(sample.completion.ids) for sample in made)
        return {
            "checkpoint": self.checkpoint,
            "samples": [sample.to_json(self.logprobs) for sample in made],
            "tokens": tokens,
            "seconds": round(self._seconds, 4),
            "tokens_per_second": round(tokens / self._seconds, 1) if self._seconds else None,
        }

    def _finish(self, wanted: int, steps: Iterator[tuple[Sample, str]], task: Task) -> int:
        """Go on until a text is whole; returns how many tokens were counted."""
        counted = 0
        for sample, _ in steps:
            is_whole = sample.seconds is not None  # then those that it might have had count, too
            tokens = self.config.max_new_tokens if is_whole else len(sample.completion.ids)
            task.advance(tokens - sample.counted)
            counted += tokens - sample.counted
            sample.counted = tokens
            if self.begun[wanted].seconds is not None:
                break
        return counted

    def _steps(self) -> Iterator[tuple[Sample, str]]:
        """A text that has grown, and by what, until all are whole."""
        config = self.config
        places = itertools.product(self.prompts, range(config.num_samples))
        numbers = itertools.count()
        while prompts := [p for p, _ in itertools.islice(places, config.batch_size)]:
            seeds = [None if config.seed is None else config.seed + next(numbers) for _ in prompts]
            self._batch = self._lm.complete(
                [prompt.ids for prompt in prompts], config, logprobs=self.logprobs,
                engine=self._engine, batch_size=config.batch_size,
                generators=[make_generator(seed and seed % 2**63) for seed in seeds],
            )  # fmt: skip
            texts = self._batch.texts
            batch = [Sample(p.text, text) for p, text in zip(prompts, texts, strict=True)]
            self.begun += batch
            of = {id(sample.completion): sample for sample in batch}
            before, began = self._seconds, time.perf_counter()
            for text, piece in self._batch:
                sample, spent = of[id(text)], time.perf_counter() - began
                self._seconds = before + spent
                if text.finish_reason is not None:
                    sample.seconds = spent
                yield sample, piece
