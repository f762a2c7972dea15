"""A shuffled order of range(n) in which each place is computed, so that no list is kept."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]

ROUNDS = 6  # four make a strong pseudorandom permutation (Luby & Rackoff 1988)


def shuffled(places: Numbers, n: int, seed: int, epoch: int) -> Numbers:
    """What stands at these places (below n) of the order of range(n) that seed and epoch give.

    n: at most 2**62. The order follows from (n, seed, epoch) alone and takes no memory: the method
    is the generalised Feistel network with cycle walking of Black & Rogaway 2002, "Ciphers with
    Arbitrary Finite Domains". Its keys are NumPy's SeedSequence of (seed, epoch).
    """
    keys = np.random.SeedSequence((seed, epoch)).generate_state(ROUNDS, np.uint64).astype(np.uint64)
    rows = math.isqrt(n - 1) + 1  # the smallest square-like grid that holds n
    columns = -(-n // rows)
    found = _permuted(places, rows, columns, keys)
    # The grid has fewer than `rows` cells too many. Who lands there walks on; since walking is a
    # permutation of the cells, it leads back into range(n), and no two to the same number.
    while (outside := found >= n).any():
        found[outside] = _permuted(found[outside], rows, columns, keys)
    return found


def _permuted(cells: Numbers, rows: int, columns: int, keys: Numbers) -> Numbers:
    """A permutation of the cells of a grid: each round shifts every row, or every column, by an
    amount of its own, which can be undone, since what it depends on stays."""
    height, width = np.uint64(rows), np.uint64(columns)
    row, column = np.divmod(cells, width)
    for i, key in enumerate(keys):
        if i % 2 == 0:  # the inner remainder keeps the sum below 2**64
            row = (row + _mixed(column + key) % height) % height
        else:
            column = (column + _mixed(row + key) % width) % width
    return row * width + column


def _mixed(x: Numbers) -> Numbers:
    """Each number with its bits mixed: the finaliser of SplitMix64 (Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
