"""yocto quickstart: the whole way, from the text that ships to a model that answers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from yocto.api import LanguageModel
from yocto.checkpoint import find_checkpoint
from yocto.commands import encode, prepare_char, train, train_tokenizer
from yocto.config import (
    DEFAULT_TEXT,
    EncodeConfig,
    PrepareCharConfig,
    QuickstartConfig,
    TrainConfig,
    TrainTokenizerConfig,
)
from yocto.dataset.tokens import load_split, read_meta
from yocto.errors import ChatError, TokenizerError
from yocto.tokenizer.roles import ASSISTANT, USER
from yocto.training.runs import next_run_name
from yocto.utils.progress import Progress
from yocto.utils.text import duration

# Some that data/philosophy.txt has many of the kind of.
QUESTIONS = (
    "Good morning.", "I want to understand courtesy.", "What is bad for courtesy?",
)  # fmt: skip


@dataclass(frozen=True)
class Quickstart:
    """What the quickstart made, and what its model says.

    exchanges: questions with its answers; none where its text holds no conversations. sample: what
    it writes of itself then. chat: whether to talk to it now.
    """

    training: train.Trained
    exchanges: list[tuple[str, str]]
    sample: str
    chat: bool = False
    ckpt_dir: str = "checkpoints"

    @property
    def exit_code(self) -> int:
        """130 when the training was interrupted."""
        return self.training.exit_code

    def summary(self) -> list[str]:
        """The result in words."""
        if self.exit_code:
            return self.training.summary()
        flag = self.training.flag
        return [
            *self.training.summary()[:-1],
            "",
            *(self.sample.splitlines() or self._conversation()),
            "",
            f"next: yocto chat{flag}    to talk to it",
            f"      yocto sample{flag}    to let it write more",
            "      yocto train --help    to make a better one",
        ]

    def _conversation(self) -> list[str]:
        texts = [f"{USER} {question}\n{ASSISTANT} {answer}" for question, answer in self.exchanges]
        return "\n\n".join(texts).split("\n")


def run(config: QuickstartConfig, progress: Progress) -> Quickstart:
    """Make a tokenizer, encode the text, train, and write a sample."""
    folder = f"{config.out_dir}/{config.mode}"  # each mode has a tokenizer of its own
    if config.mode == "char":
        progress.say("1 of 3: the characters of the text")
        shown = prepare_char.run(
            PrepareCharConfig.from_dict({**config.reading(), "out_dir": folder}), progress
        ).summary()[:-1]
    else:
        progress.say("1 of 3: a tokenizer, learnt from the text, and the text in its tokens")
        shown = train_tokenizer.run(
            TrainTokenizerConfig.from_dict({**config.reading(), "out_dir": folder}), progress
        ).summary()[:-1]
        encoding = EncodeConfig(tokenizer_path=f"{folder}/tokenizer.json", out_dir=folder)
        shown += encode.run(encoding, progress).files()
    for line in shown:
        progress.say(line)

    progress.say(f"2 of 3: training for {duration(config.minutes * 60)}")
    name = next_run_name(Path(config.ckpt_dir), "quickstart")
    training = train.run(
        TrainConfig(
            mode=config.mode, data_dir=folder, ckpt_dir=config.ckpt_dir, run_name=name,
            minutes=config.minutes,
        ),
        progress,
    )  # fmt: skip
    assert isinstance(training, train.Trained)
    if training.exit_code:
        return Quickstart(training, [], "")

    lm = LanguageModel.open(find_checkpoint(name, Path(config.ckpt_dir)))
    return _speak(lm, training, config, Path(folder), progress)


def _speak(
    lm: LanguageModel,
    training: train.Trained,
    config: QuickstartConfig,
    data: Path,
    progress: Progress,
) -> Quickstart:
    """Let the model answer, or write where its text holds no conversations."""
    questions = QUESTIONS if config.text_path == (DEFAULT_TEXT,) else asked(lm, data)
    if questions:
        progress.say("3 of 3: what the model answers")
        if exchanges := ask(lm, questions):
            return Quickstart(training, exchanges, "", config.chat, config.ckpt_dir)
    progress.say("3 of 3: what the model writes")
    sample = lm.generate("", max_new_tokens=1000 if config.mode == "char" else 250, seed=1)
    return Quickstart(training, [], sample.strip(), config.chat, config.ckpt_dir)


def ask(lm: LanguageModel, questions: Sequence[str]) -> list[tuple[str, str]]:
    """Each question with the model's answer, as if nothing else had been said; those that got none
    are left out."""
    chat, exchanges = lm.chat(seed=1), []
    for question in questions:
        chat.reset()
        with suppress(ChatError, TokenizerError):  # too long, or signs that it never saw
            answer = "".join(chat.send(question)).strip()
            exchanges += [(question, answer)] if answer else []
    return exchanges


def asked(lm: LanguageModel, data: Path) -> list[str]:
    """Up to three questions that users ask in the text that the model did not learn from: lines of
    `User: …` that follow no answer, so that each can stand alone."""
    text = lm.tokenizer.decode(load_split(data, "val", read_meta(data))[:_READ])
    lines = ["", *text.splitlines()]
    found = [
        match[1]
        for before, line in itertools.pairwise(lines)
        if (match := re.fullmatch(rf"{USER} +(\S.{{0,98}})", line))
        and not before.startswith(ASSISTANT)
    ]
    return found[:: max(1, len(found) // 3)][:3]


_READ = 20_000  # tokens
