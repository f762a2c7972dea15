"""What a model writes, for its report: each prompt at each temperature, always the same draw."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from yocto.config import CHAT
from yocto.errors import YoctoError
from yocto.report.source import Source, Written
from yocto.utils.progress import Progress

if TYPE_CHECKING:
    from yocto.api import LanguageModel

QUESTION = "What is courage?"  # put to fine-tuned models where the user asks nothing


@dataclass(frozen=True)
class Asked:
    """What is asked of every model. prompts: none takes the start of a text, or a question."""

    prompts: Sequence[str]
    temperatures: Sequence[float]
    max_new_tokens: int | None
    seed: int
    device: str


def is_talker(source: Source) -> bool:
    """Whether the model answers: it was fine-tuned, or came with a chat template."""
    if source.mode == CHAT:
        return True
    try:
        return source.checkpoint is not None and source.checkpoint.chat_template() is not None
    except (YoctoError, OSError):
        return False


def prompts_of(source: Source, asked: Asked) -> list[str]:
    """What this model is asked."""
    return list(asked.prompts) or [QUESTION if is_talker(source) else ""]


def length_of(source: Source, asked: Asked) -> int:
    """Most tokens of a text: characters are small."""
    if asked.max_new_tokens is not None:
        return asked.max_new_tokens
    return 300 if source.tokens and source.tokens.kind == "char" else 100


def write(source: Source, asked: Asked, progress: Progress) -> Source:
    """The run with what its model writes, or with why it can't write."""
    if source.checkpoint is None or source.tokenizer is None:
        return source
    written: list[Written] = []
    problems = list(source.problems)
    try:
        for one in _written(source, asked, progress):
            written.append(one)
    except (YoctoError, OSError) as error:
        reason = error.message if isinstance(error, YoctoError) else str(error)
        problems.append(f"it can't write: {reason}")
    return dataclasses.replace(source, written=written, problems=problems)


def _written(source: Source, asked: Asked, progress: Progress) -> Iterator[Written]:
    from yocto.api import LanguageModel  # who wants no samples waits for no torch

    assert source.checkpoint is not None
    prompts, length = prompts_of(source, asked), length_of(source, asked)
    texts = len(prompts) * len(asked.temperatures)
    lm = LanguageModel.open(
        source.checkpoint.path, asked.device, progress=progress, tokens=texts * length
    )
    with progress.task(f"samples of {source.name}", texts, "text") as task:
        for prompt in prompts:
            for temperature in asked.temperatures:
                knobs = {"temperature": temperature, "max_new_tokens": length, "seed": asked.seed}
                if is_talker(source):
                    yield _answer(lm, prompt, knobs)
                else:
                    yield _continued(lm, prompt, knobs)
                task.advance()


def _continued(lm: LanguageModel, prompt: str, knobs: dict[str, Any]) -> Written:
    """What continues a prompt: the very text that `yocto sample` makes of these knobs."""
    from yocto.config import SamplingConfig

    began = time.perf_counter()
    made = lm.complete([lm.prompt_ids(prompt)], SamplingConfig.from_dict(knobs))
    for _ in made:
        pass
    (text,) = made.texts
    ended = text.finish_reason == "stop"
    seconds = time.perf_counter() - began
    return Written(prompt, *_told(knobs), text.text, len(text.ids), seconds, ended)


def _answer(lm: LanguageModel, prompt: str, knobs: dict[str, Any]) -> Written:
    chat = lm.chat(**knobs)
    said = "".join(chat.send(prompt))
    assert chat.last is not None, "send sees to it"
    ended = chat.last.finish_reason == "stop"
    figures = chat.last
    return Written(
        prompt, *_told(knobs), said, figures.tokens, figures.seconds, ended, question=True
    )


def _told(knobs: dict[str, Any]) -> tuple[float, int, int]:
    return knobs["temperature"], knobs["max_new_tokens"], knobs["seed"]
