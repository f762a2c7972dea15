"""yocto quickstart: the whole way, from the text that ships to a model that speaks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from yocto.api import LanguageModel
from yocto.checkpoint import find_checkpoint
from yocto.commands import encode, prepare_char, train, train_tokenizer
from yocto.config import (
    EncodeConfig,
    PrepareCharConfig,
    QuickstartConfig,
    TrainConfig,
    TrainTokenizerConfig,
)
from yocto.training.runs import next_run_name
from yocto.utils.progress import Progress
from yocto.utils.text import duration


@dataclass(frozen=True)
class Quickstart:
    """What the quickstart made, and what its model says."""

    training: train.Trained
    sample: str

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
            self.sample,
            "",
            f"next: yocto chat{flag}    to talk to it",
            f"      yocto sample{flag}    to let it write more",
            "      yocto train --help    to make a better one",
        ]


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
        return Quickstart(training, "")

    progress.say("3 of 3: what the model writes")
    lm = LanguageModel.open(find_checkpoint(name, Path(config.ckpt_dir)))
    tokens = 1000 if config.mode == "char" else 250
    sample = lm.generate("", max_new_tokens=tokens, seed=1)
    return Quickstart(training, sample.strip())
