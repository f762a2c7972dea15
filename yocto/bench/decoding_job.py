"""What a worker that writes texts with a model is asked to do, as one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from yocto.config import GPTConfig


@dataclass(frozen=True)
class DecodingJob:
    """One side, one shape of model.

    task: "decode" writes texts, greedily; "memory" reads as many bytes as the weights have, with no
    engine. settings: a GPTConfig as plain data. batch_size: texts at a time, each with a prompt of
    prompt_tokens and new_tokens more. core: to stay on, or None.
    """

    task: Literal["decode", "memory"]
    engine: str
    threads: int
    core: int | None
    settings: dict[str, Any]
    prompt_tokens: int
    new_tokens: int
    batch_size: int = 1

    def line(self) -> str:
        """The job as a line."""
        return json.dumps(asdict(self))

    @cached_property
    def config(self) -> GPTConfig:
        """The shape of the model."""
        return GPTConfig.from_dict(self.settings)
