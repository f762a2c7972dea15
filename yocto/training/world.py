"""The processes that train one model together, seen from one of them.

Each has a rank, from 0 on; the first one leads: it alone writes and prints. They agree about
whatever depends on a clock or on a signal, so that all of them do the same thing at the same step.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from yocto.config import LoopConfig
from yocto.errors import RunError

if TYPE_CHECKING:
    from yocto.training.pulse import Pulse

AnyConfig = TypeVar("AnyConfig", bound=LoopConfig)


@dataclass(frozen=True)
class World:
    """A process among `size`. local_rank: among those of its machine, local_size of them.

    pulse: tells whether the others live; None where there are none.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    pulse: Pulse | None = None

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0

    def noted(self, config: AnyConfig) -> AnyConfig:
        """The settings, with the number of processes that there are."""
        size = self.size if self.size > 1 else None
        return dataclasses.replace(config, nproc=size, given=config.given)

    # ----------------------------------------------------------------------------- what is agreed

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Of each flag, whether any process raises it."""
        if self.size == 1:
            return flags
        raised = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return tuple(map(bool, raised.tolist()))

    def agree(self, value: float | None) -> float | None:
        """The first process's number, or None."""
        if self.size == 1:
            return value
        number = torch.tensor(math.nan if value is None else float(value), dtype=torch.float64)
        dist.broadcast(number, 0)
        return None if number.isnan() else float(number)

    def sum(self, x: Tensor) -> Tensor:
        """The sum over all processes, on the device of x, which it takes the place of."""
        if self.size > 1:
            dist.all_reduce(x)
        return x

    def gather(self, x: Tensor) -> list[Tensor]:
        """The tensors of all processes, of one shape and on the CPU."""
        if self.size == 1:
            return [x]
        found = [torch.empty_like(x) for _ in range(self.size)]
        dist.all_gather(found, x)
        return found

    def check_same(self, what: str, text: str) -> None:
        """Raise a RunError where another process has another text."""
        number = torch.tensor(int(hashlib.sha256(text.encode()).hexdigest()[:15], 16))
        if any(not torch.equal(other, number) for other in self.gather(number)):
            raise RunError(
                f"the processes differ in {what}",
                "Let all machines see the same files, in a folder that they share.",
            )

    # --------------------------------------------------------------------------------- what is told

    def tell(self, word: dict[str, Any] | None) -> None:
        """From the first process to all others: what to do, or that there is nothing to do."""
        if self.pulse is not None:
            self.pulse.store.set("word", json.dumps(word))

    def hear(self) -> dict[str, Any] | None:
        """What the first process tells, once it does; it may have to make token files first."""
        assert self.pulse is not None
        self.pulse.wait_for("word")
        word: dict[str, Any] | None = json.loads(self.pulse.store.get("word"))
        return word


ALONE = World()
