"""Processes of one attempt find each other, whatever attempts before it have left."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from yocto.errors import RunError
from yocto.training.meeting import meet


class Shelf:
    """A store in this process."""

    def __init__(self) -> None:
        self.lock, self.values = threading.Lock(), {}

    def set(self, key: str, value: str) -> None:
        with self.lock:
            self.values[key] = value.encode()

    def get(self, key: str) -> bytes:
        with self.lock:
            return self.values[key]

    def check(self, keys: list[str]) -> bool:
        with self.lock:
            return all(key in self.values for key in keys)

    def compare_set(self, key: str, expected: str, desired: str) -> bytes:
        raise NotImplementedError


def attempt(store: Shelf, size: int, order: list[int]) -> set[str]:
    with ThreadPoolExecutor(size) as pool:
        found = [pool.submit(meet, store, rank, size, 10.0) for rank in order]
        return {future.result() for future in found}


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
def test_each_attempt_has_a_name_that_all_know_and_none_before_had(order: list[int]) -> None:
    store, names = Shelf(), set()
    for _ in range(5):
        (name,) = attempt(store, 3, order)
        assert name not in names
        names.add(name)


def test_who_comes_before_the_first_process_does_not_take_the_name_of_the_dead() -> None:
    store = Shelf()
    (old,) = attempt(store, 2, [0, 1])
    with ThreadPoolExecutor(2) as pool:
        early = pool.submit(meet, store, 1, 2, 10.0)
        while store.get(f"{old}/hello/1") in store.get(f"{old}/go"):
            pass  # until it has answered to the old name
        first = pool.submit(meet, store, 0, 2, 10.0)
        assert early.result() == first.result() != old


@pytest.mark.parametrize("rank", [0, 1])
def test_who_waits_in_vain_is_told(rank: int) -> None:
    with pytest.raises(RunError, match="not all processes have come"):
        meet(Shelf(), rank, 2, 0.2)
