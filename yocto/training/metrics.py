"""What a run measures, one JSON line a time in metrics.jsonl."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yocto.utils.files import making, parse_json, write_text

if TYPE_CHECKING:  # who only reads metrics must not wait for torch
    import torch


def bits_per_byte(loss: float, tokens: int, text_bytes: int) -> float:
    """A loss in nats per token as bits per byte of text: comparable across tokenizers."""
    return loss / math.log(2) * tokens / text_bytes if text_bytes else math.nan


@dataclass
class Mean:
    """A mean that goes on after a resume: the sum is kept where the values are made, so that a GPU
    need not be waited for."""

    total: float | torch.Tensor = 0.0
    count: int = 0

    def add(self, value: torch.Tensor) -> None:
        """One more value."""
        self.total += value if value.device.type != "cpu" else value.item()
        self.count += 1

    def value(self) -> float:
        """The mean; 0 of nothing."""
        self.total = float(self.total)
        return self.total / max(1, self.count)


class MetricsFile:
    """metrics.jsonl of a run; lines are only added, but a resumed run drops those of steps that it
    takes again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **values: Any) -> None:
        """Add one line."""
        with making(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """All lines; one that a kill left unfinished, or that is no measurement, is passed over."""
        lines = []
        if self.path.is_file():
            for line in self.path.read_bytes().splitlines():
                try:
                    values = parse_json(line)
                except ValueError:
                    continue
                if isinstance(values, dict) and type(values.get("step")) is int:
                    lines.append(values)
        return lines

    def evaluated(self, step: int) -> bool:
        """Whether the evaluation of this step is there."""
        return any(m["step"] == step and "val_loss" in m for m in self.read())

    def rewind(self, step: int) -> bool:
        """Keep what a run has measured that stands at `step`, its evaluation not yet made; returns
        whether that evaluation was there, and has to be made again."""
        kept, evaluated = [], self.evaluated(step)
        for m in self.read():
            if m["step"] < step or (m["step"] == step and "val_loss" not in m):
                kept.append(m)
        if self.path.is_file():
            write_text(self.path, "".join(json.dumps(m) + "\n" for m in kept))
        return evaluated
