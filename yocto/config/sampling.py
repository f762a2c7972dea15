"""The settings of generation: how the next token is chosen, and what sample and chat take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from yocto.config.knobs import Config, knob, path_knob
from yocto.errors import ConfigError

# What shapes the draw; beam search draws nothing.
_OF_THE_DRAW = ("temperature", "top_k", "top_p", "min_p", "typical_p", "greedy")
_MOST_BIAS = 1000


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(Config):
    """How the next token is chosen.

    presence_penalty and frequency_penalty are OpenAI's: both are taken off the logits of tokens
    that were generated before, the first once, the second for each time; those of the prompt don't
    count. logit_bias: texts like "262=-5", or a table {262: -5}; -inf lets a token never come.
    """

    max_new_tokens: int = knob(256, "Most tokens to generate.", low=0, high=10**9)
    temperature: float = knob(0.7, "Above 1 bolder, below 1 safer; 0 is greedy.", low=0, high=100)
    top_k: int | None = knob(
        None, "Sample only from the K likeliest tokens.", low=1, high=1 << 24, default_text="off"
    )
    top_p: float = knob(
        0.95, "Sample only from the likeliest tokens that make up this share.", low=1e-6, high=1
    )
    min_p: float = knob(
        0.0, "Drop tokens less likely than this share of the likeliest one.", low=0, high=1
    )
    typical_p: float = knob(
        1.0, "Sample only from the least surprising tokens that make up this share; 1 is off.",
        low=1e-6, high=1,
    )  # fmt: skip
    repetition_penalty: float = knob(
        1.0, "Above 1: tokens already seen become less likely.", low=0.01, high=100
    )
    presence_penalty: float = knob(
        0.0, "Taken off the logits of tokens already generated.", low=-2, high=2
    )
    frequency_penalty: float = knob(
        0.0, "Taken off the logits of tokens for each time they were generated.", low=-2, high=2
    )
    logit_bias: tuple[str, ...] = knob(
        (), "ID=BIAS, added to a token's logit (-inf: never); repeat it for several.",
        low=1, high=100,
    )  # fmt: skip
    beam: int = knob(
        1, "Beam search: follow so many texts at once, and take the likeliest; 1 is off.",
        low=1, high=64,
    )  # fmt: skip
    length_penalty: float = knob(
        1.0, "With --beam: above 0 favours long texts, below 0 short ones.", low=-10, high=10
    )
    stop: tuple[str, ...] = knob(
        (), "Stop before this text; repeat it for several.", low=1, high=100_000
    )
    greedy: bool = knob(False, "Always take the likeliest token.")
    ignore_eos: bool = knob(False, "Go on past the end token.")
    prompt_lookup: int = knob(
        0, "Tokens to guess ahead where the text repeats itself: the same text, sooner.",
        low=0, high=64,
    )  # fmt: skip
    seed: int | None = knob(
        None, "Seed of the choice.", low=0, high=2**63 - 1, default_text="another each time"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.biases()  # raises where an entry is none
        if self.beam > 1 and (others := [n for n in _OF_THE_DRAW if n in self.given]):
            raise ConfigError(
                f"beam is {self.beam}, but beam search draws nothing, so {' and '.join(others)} "
                f"can't go with it",
                "Leave out one or the other; --beam 1 is none.",
            )

    def without_effect(self) -> list[str]:
        """Knobs that were given and change nothing, a sentence on each."""
        told = []
        if self.beam == 1 and "length_penalty" in self.given:
            told.append("length_penalty has no effect without --beam")
        if self.beam > 1 and self.prompt_lookup:
            told.append("prompt_lookup has no effect with --beam")
        return told

    @classmethod
    def checked(
        cls, values: Mapping[str, Any], source: str = "", spelt: Callable[[str], str] = str
    ) -> dict[str, Any]:
        """As for all settings; logit_bias may be a table, too."""
        table = values.get("logit_bias")
        if isinstance(table, Mapping) and all(
            # JSON's keys are texts.
            str(id_).isdecimal() and isinstance(bias, int | float)
            for id_, bias in table.items()
        ):
            entries = tuple(f"{id_}={bias}" for id_, bias in table.items())
            values = {**values, "logit_bias": entries}
        return super().checked(values, source, spelt)

    def biases(self) -> dict[int, float]:
        """What logit_bias adds to which id's logit; of two entries for one id the last counts.
        Raises ConfigError, which names the entry."""
        found = {}
        for entry in self.logit_bias:
            id_, _, bias = entry.partition("=")
            try:
                if not (id_.isascii() and id_.isdecimal()):
                    raise ValueError
                value = float(bias)
            except ValueError:
                value = math.nan
            if not (value == -math.inf or abs(value) <= _MOST_BIAS):  # NaN is neither
                raise ConfigError(
                    f"logit_bias {entry!r} is not an id and what is added to its logit",
                    f"Write ID=BIAS, like --logit-bias 262=-5; the bias is -inf or from "
                    f"-{_MOST_BIAS} to {_MOST_BIAS}.",
                )
            found[int(id_)] = value
        return found


@dataclass(frozen=True, kw_only=True)
class GenerateConfig(SamplingConfig):
    """What sample and chat have in common: which model, and how it chooses."""

    ckpt: str | None = path_knob(
        None, "latest, a run's name or a path.", default_text="the best step of the newest run"
    )
    ckpt_dir: str = path_knob("checkpoints", "Folder where runs lie.")
    device: str = path_knob("auto", "auto, cpu, cuda, cuda:N or mps.")
    quantize: Literal["none", "int8"] = knob(
        "none", "Weights of one byte each, with int8: less memory and more tokens a second."
    )


@dataclass(frozen=True, kw_only=True)
class SampleConfig(GenerateConfig):
    """Settings of `yocto sample`."""

    alternatives: ClassVar[tuple[tuple[str, str], ...]] = (("batch_file", "prompt"),)

    prompt: str = knob(
        "", "Text to continue, @FILE, or - for standard input.",
        low=0, high=10_000_000, default_text="none",
    )  # fmt: skip
    batch_file: str | None = path_knob(
        None, "File with a prompt on each line, or - for standard input; empty lines are left out.",
        default_text="none",
    )  # fmt: skip
    num_samples: int = knob(1, "How many texts to write for each prompt.", low=1, high=10**6)
    batch_size: int = knob(16, "Most texts that are made at once.", low=1, high=4096)
    logprobs: int | None = knob(
        None, "With --json: tell each token's logprob, and those of so many likeliest ones.",
        low=0, high=20, default_text="off",
    )  # fmt: skip
    stream: bool = knob(True, "Print a single text while it is made.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.beam > 1 and self.num_samples > 1:
            raise ConfigError(
                f"num_samples is {self.num_samples}, but beam search finds the same text each time",
                "Leave out --num-samples or --beam.",
            )


@dataclass(frozen=True, kw_only=True)
class ChatConfig(GenerateConfig):
    """Settings of `yocto chat`."""

    system_prompt: str = knob(
        "", "Text that stays before the conversation.",
        low=0, high=1_000_000, default_text="none",
    )  # fmt: skip
    max_ctx_tokens: int | None = knob(
        None, "Most tokens of conversation that the model is shown.", low=1, high=1 << 20,
        default_text="what block_size leaves room for",
    )  # fmt: skip
