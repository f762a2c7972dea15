"""From the coming of all processes to their leaving: where one fails, all end, one tells why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch.distributed as dist

from yocto.errors import RunError, YoctoError
from yocto.training.pulse import Pulse, Store, Watched
from yocto.training.world import World
from yocto.utils.signals import stop_requested

COMING = 300.0  # seconds in which all processes have to come


@contextmanager
def together(
    place: World,
    store: Store,
    own: Store,
    watched: Watched,
    bury: Callable[[], None] = lambda: None,
) -> Iterator[World]:
    """All processes, from their coming to their leaving."""
    pulse = Pulse(store, own, place.rank, place.size, watched, bury)
    try:
        pulse.wait_for_all(COMING)
        yield World(place.rank, place.size, place.local_rank, place.local_size, pulse)
    except BaseException as error:
        raised: BaseException = error
        if isinstance(error, RuntimeError):
            # Of torch.distributed: somebody has gone in the middle of a common sum. torchrun asks
            # all others to end then; what has happened is to be told first.
            with stop_requested() as hurried:
                raised = pulse.told(hurried) or _gone(error)
        if isinstance(raised, YoctoError):
            pulse.fail(f"has failed: {raised.message}", raised.hint)
        else:
            pulse.fail(f"has failed: {type(raised).__name__}: {raised}".rstrip(": "), None)
        if place.rank > 0 and not isinstance(raised, SystemExit):
            raise SystemExit(1) from raised
        if raised is error:
            raise
        raise raised from error
    finally:
        pulse.leave()


def _gone(error: RuntimeError) -> RuntimeError | RunError:
    """An error of torch.distributed, which knows that somebody is gone and not who, in words."""
    if isinstance(error, dist.DistError) or re.search("gloo|nccl", str(error), re.IGNORECASE):
        return RunError(
            "another process is gone, or can't be reached any more",
            "The checkpoints that were written are whole: go on with --resume auto.",
        )
    return error
