"""What a worker is asked to do, as one line of JSON, and what an engine is handed of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol


class Unfit(Exception):
    """Why an engine can't do the job."""


class AnyJob(Protocol):
    """What every kind of job tells the process that starts a worker for it."""

    @property
    def threads(self) -> int:
        """How many the worker may use."""

    def line(self) -> str:
        """The job as a line."""


@dataclass(frozen=True)
class Job:
    """One engine, one thread count, one text.

    tokenizer: its tokenizer.json, which has no special tokens, for tasks "encode" and "file"; a
    .bin file is written beside it.
    vocab_size, pattern (a regex, or a name): what to train, for task "train".
    core: to stay on, or None.
    """

    task: Literal["encode", "file", "train"]
    engine: str
    threads: int
    core: int | None
    text_path: str
    tokenizer: str = ""
    vocab_size: int = 0
    pattern: str = ""

    def line(self) -> str:
        """The job as a line."""
        return json.dumps(asdict(self))

    @cached_property
    def data(self) -> bytes:
        """The text as UTF-8."""
        return Path(self.text_path).read_bytes()

    @cached_property
    def text(self) -> str:
        """The text."""
        return self.data.decode("utf-8")
