"""Processes that torchrun has started find each other, and those of this attempt alone.

torchrun starts all processes again when one has died. Its store lives on, with what the processes
of the attempt before have written, and the numbers of attempts that it tells differ between
machines. So the first process chooses a name that was never used, and goes on with those who have
heard it: each answers with a token of its own, so that no answer of a dead process is taken for one
that came now.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence

from yocto.errors import RunError
from yocto.training.pulse import Store

SOON = 5.0  # seconds in which processes that are started together come
NAME = "name"  # the key of this attempt's name


def meet(
    store: Store, rank: int, size: int, seconds: float, waiting: Callable[[], None] = lambda: None
) -> str:
    """The name of this attempt, once all processes have come. Raises RunError where one does not
    for so long. waiting: called by the first process where it takes a while."""
    token = secrets.token_hex(8)
    late = time.monotonic() + seconds
    if rank == 0:
        name = secrets.token_hex(8)
        store.set(NAME, name)
        others = [_hello(name, other) for other in range(1, size)]
        soon = time.monotonic() + SOON
        _wait_until(lambda: store.check(others) or time.monotonic() > soon, late)
        if not store.check(others):
            waiting()
        _wait_until(lambda: store.check(others), late)
        store.set(_go(name), json.dumps([token, *_read(store, others)]))
        return name
    answered = ""
    while True:
        _wait_until(lambda: store.check([NAME]), late)
        name = store.get(NAME).decode()
        if name != answered:
            store.set(_hello(name, rank), token)
            answered = name
        if store.check([_go(name)]) and json.loads(store.get(_go(name)))[rank] == token:
            return name
        _wait(late)


def _hello(name: str, rank: int) -> str:
    return f"{name}/hello/{rank}"


def _go(name: str) -> str:
    return f"{name}/go"


def _read(store: Store, keys: Sequence[str]) -> list[str]:
    return [store.get(key).decode() for key in keys]


def _wait_until(is_so: Callable[[], bool], late: float) -> None:
    while not is_so():
        _wait(late)


def _wait(late: float) -> None:
    if time.monotonic() > late:
        raise RunError(
            "not all processes have come",
            "Start as many as each was told of, all with the same command.",
        )
    time.sleep(0.05)
