"""Which text trains and which validates: decided once, the same every time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from yocto.dataset.documents import BEGIN, Documents, LookedThrough, Piece, Place
from yocto.dataset.text import PART
from yocto.errors import DataError
from yocto.utils.progress import Task

SPLITS = ("train", "val")
_ENDS = 512  # bytes at either end of a document that decide where it goes


def draw(data: bytes) -> float:
    """A number in [0, 1) that only the text decides: a hash of its two ends and its length.

    Of a text longer than 64 KiB the first 64 count, so that it can be judged by its first part.
    """
    head = data[:PART]
    told = head if len(head) <= 2 * _ENDS else head[:_ENDS] + head[-_ENDS:]
    digest = hashlib.sha256(len(head).to_bytes(8, "little") + told).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)


@dataclass(frozen=True)
class SplitPlan:
    """How documents are split.

    One document is cut: its first int(n (1 - val_ratio)) characters train, as in nanoGPT; `cut` is
    where, in bytes. Of several, each goes where a hash of its text says, so that adding files moves
    no document to another split: those whose draw is below `limit` validate.
    """

    limit: float
    cut: int | None = None

    def split_of(self, piece: Piece) -> str:
        """The split of the document that begins with this piece."""
        return piece.split or ("val" if draw(piece.data) < self.limit else "train")

    def is_of_all(self, val_ratio: float) -> bool:
        """Whether all documents had to be known for it, not only the first few."""
        return self.cut is not None or self.limit != val_ratio

    @classmethod
    def of(cls, value: Any) -> Self:
        """The plan that plain values tell of. Raises ValueError or TypeError for others."""
        plan = cls(**value)
        is_cut = plan.cut is None or (type(plan.cut) is int and plan.cut >= 0)
        if type(plan.limit) not in (int, float) or not 0 <= plan.limit <= 1 or not is_cut:
            raise ValueError("a split that can't be")
        return plan


class Part(NamedTuple):
    """What of a piece belongs to one split. starts: a document begins there with it."""

    split: str
    data: bytes
    starts: bool


def parts_of(
    pieces: Iterable[Piece], plan: SplitPlan, split: str = "train", done: int = 0
) -> Iterator[tuple[Piece, list[Part]]]:
    """Pieces, and where they go. split: of the document that goes on with the first one; done: the
    bytes of the only document that lie before it, if it is cut."""
    for piece in pieces:
        if plan.cut is None:
            split = plan.split_of(piece) if piece.starts else split
            yield piece, [Part(split, piece.data, piece.starts)]
            continue
        left = max(0, plan.cut - done)
        parts = [Part("train", piece.data[:left], piece.starts)] if left else []
        if len(piece.data) > left:
            parts.append(Part("val", piece.data[left:], done <= plan.cut))
        done += len(piece.data)
        yield piece, parts


def plan_split(texts: LookedThrough, val_ratio: float, task: Task) -> SplitPlan:
    """Look through documents as far as it takes to know how to split them.

    That is the first few, unless chance leaves a split empty; a single document is read to its end.
    Raises DataError where nothing would be left to train on.
    """
    if val_ratio == 0:
        return SplitPlan(0.0)
    count, low, high = 0, 1.0, 0.0  # of the draws
    only = _Document()  # the first one, in case there is no other
    place, consumed = BEGIN, 0
    for piece in texts.look():
        if piece.split:  # that is decided already
            return SplitPlan(0.0)
        if piece.starts:
            drawn = draw(piece.data)
            count, low, high = count + 1, min(low, drawn), max(high, drawn)
            if count > 1 and low < val_ratio <= high:
                return SplitPlan(val_ratio)
        if count == 1:
            only.add(piece.data, place)
        place = piece.place
        task.advance(texts.consumed - consumed)
        consumed = texts.consumed
    if count == 1:
        return SplitPlan(0.0, only.cut(texts, val_ratio))
    # Chance left a split empty; the nearest document is moved there.
    return SplitPlan(min(max(val_ratio, low + 1e-12), high))


class _Document:
    """How many characters a document has, and where its parts begin."""

    def __init__(self) -> None:
        self.parts: list[tuple[Place, int, int]] = []  # where each begins, its bytes and characters

    def add(self, data: bytes, place: Place) -> None:
        """Take the next part."""
        # All bytes of a character but the first are 0b10xxxxxx: as signed numbers below -64.
        inner = int(np.count_nonzero(np.frombuffer(data, np.int8) < -64))
        self.parts.append((place, len(data), len(data) - inner))

    def cut(self, texts: Documents, val_ratio: float) -> int:
        """Where the document is cut, in bytes."""
        total = sum(characters for _, _, characters in self.parts)
        left = int(total * (1 - val_ratio))
        if not left:
            raise DataError(
                f"the text is too short to train on: {total} character{'s' if total != 1 else ''}",
                "Name a longer text, or several: --text-path FILE",
            )
        before = 0
        for place, size, characters in self.parts:  # noqa: B007 (place is used below)
            if left <= characters:
                break
            before, left = before + size, left - characters
        for piece in texts.pieces(place):
            text = piece.data.decode("utf-8")
            if left <= len(text):
                return before + len(text[:left].encode("utf-8"))
            before, left = before + len(piece.data), left - len(text)
        raise DataError("the text changed while it was read", "Try again.")
