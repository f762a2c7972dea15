"""What a report is made of, before it is HTML or Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field

from yocto.report.series import Curves


@dataclass(frozen=True)
class Words:
    """A paragraph. notice: on something that the reader may not expect."""

    text: str
    notice: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of texts below a head. best: (row, column) of the best of several values. code: columns
    of file names, ids and the like."""

    head: list[str]
    rows: list[list[str]]
    best: frozenset[tuple[int, int]] = frozenset()
    code: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Code:
    """Commands, one a line."""

    lines: list[str]


@dataclass(frozen=True)
class Sample:
    """What a model wrote. told: which one, or how it was asked; question: whether the text answers
    the prompt, and does not begin with it. group: what it stands under, beside others."""

    told: str
    prompt: str
    text: str
    question: bool = False
    group: str = ""


@dataclass(frozen=True)
class Picture:
    """Curves of runs over `x`, as series.py has them; colours: the place of each run among all."""

    x: str
    y: str
    curves: list[Curves]
    colours: list[int]


@dataclass(frozen=True)
class Pictures:
    """Curves beside each other, one legend for all: the names of the runs."""

    names: list[str]
    pictures: list[Picture]


@dataclass(frozen=True)
class Fold:
    """What is shown only to who asks for it; opened: or until it is folded."""

    title: str
    blocks: list[Block]
    opened: bool = False


Block = Words | Table | Code | Sample | Pictures | Fold


@dataclass(frozen=True)
class Section:
    """A headline and what stands below it."""

    title: str
    blocks: list[Block]


@dataclass(frozen=True)
class Figure:
    """A key figure: its name, its value, and a few words on it."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Report:
    """All of it. made: when, and by which yocto."""

    title: str
    made: str
    figures: list[Figure]
    sections: list[Section] = field(default_factory=list)
