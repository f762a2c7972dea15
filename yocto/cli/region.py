"""Lines that stay at the bottom of a terminal, while what is printed scrolls by above them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.file_proxy import FileProxy
from rich.segment import ControlType, Segment, Segments

Line = Sequence[Segment]


class Region(RenderHook):
    """What rich's Live is, but drawn only when told to, by whoever tells it: a thread that draws
    would take turns with the training's threads on its cores.

    The cursor stays visible, on the line below: a process that is killed leaves a terminal that can
    be used. A terminal that became narrower has wrapped the lines that stand there, and they are
    counted as it wraps them.

    lines: makes the lines for a width and a height in characters; none may be wider.
    """

    def __init__(self, console: Console, lines: Callable[[int, int], Sequence[Line]]) -> None:
        self.console, self.lines = console, lines
        self._drawn: list[int] = []  # the widths of the lines that stand there

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw it, and take it away in the end. Python's warnings come above it too."""
        stderr = sys.stderr
        if self.console.file is stderr:  # not where others look at it, tests say
            sys.stderr = FileProxy(self.console, stderr)
        self.console.push_render_hook(self)
        try:
            self.draw()
            yield
        finally:
            sys.stderr = stderr
            self.console.pop_render_hook()
            with suppress(OSError):
                self.console.control(self._erased(self.console.width))

    def draw(self) -> None:
        """Draw the lines anew. A terminal that is gone is no reason to stop the work."""
        with suppress(OSError):
            self.console.print(Control(), crop=False)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """What is printed, in the place of the lines, and the lines below it."""
        width, height = self.console.size
        erased = self._erased(width)
        lines = self.lines(width, height)
        self._drawn = [Segment.get_line_length(list(line)) for line in lines]
        segments = [s for line in lines for s in (*line, Segment.line())]
        return [erased, *renderables, Segments(segments)]

    def _erased(self, width: int) -> Control:
        """What erases the lines that stand there, with the cursor where the first one began."""
        rows = sum(max(1, -(-drawn // max(1, width))) for drawn in self._drawn)
        up: Any = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * rows
        self._drawn = []
        return Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *up)
