"""Tokenizers in pictures: how many bytes a token holds, text by text and size by size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from yocto.evaluation.tokenizer_comparison import CorpusFigures, TokenizerComparison
from yocto.evaluation.tokenizer_figures import TokenizerFigures
from yocto.report.canvas import as_file, blank, plain_frame, shortened
from yocto.report.palette import COLOURS, MARKERS, STYLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS = 3  # panels beside each other
_GREY = ("0.1", "0.35", "0.55", "0.7")  # of tokenizers that were there before


def draw_comparison(comparison: TokenizerComparison, kind: str) -> bytes:
    """A picture as the bytes of a file of `kind`, png or svg: a panel for each text. With trained
    sizes: bytes per token over the vocabulary, a line for each text that was learnt from, the thick
    one from the same text, and a mark for each other tokenizer; without: a bar for each tokenizer.
    Raises RunError without matplotlib."""
    corpora = comparison.corpora
    columns = min(_ACROSS, len(corpora))
    rows = -(-len(corpora) // columns)
    if comparison.sizes:
        figure = blank(max(9.0, 4.6 * columns), 4.4 * rows + 0.8)
    else:
        bars = len(corpora[0].tokenizers)
        figure = blank(max(9.0, 4.8 * columns), (1.4 + 0.42 * bars) * rows)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat[len(corpora) :]:
        axes.remove()
    lines: list[tuple[Any, str]] = []
    for number, (axes, corpus) in enumerate(zip(panels.flat, corpora, strict=False)):
        title = axes.set_title(_title(corpus), fontsize=11)
        title.set_parse_math(False)
        if comparison.sizes:
            lines = _draw_sizes(axes, corpus)
        else:
            _draw_bars(axes, corpus.tokenizers, named=number % columns == 0)
    if comparison.sizes:
        _legend(figure, lines)
    return as_file(figure, kind)


def _ending(name: str) -> str:
    """A name that there is room for; of a path the end counts."""
    return name if len(name) <= 28 else f"…{name[-27:]}"


def _title(corpus: CorpusFigures) -> str:
    part = "" if corpus.part == "all" else f", {corpus.part}"
    return f"{shortened(corpus.name)}{part}"


def _draw_bars(axes: Axes, rows: Sequence[TokenizerFigures], named: bool) -> None:
    """One panel. named: the bars have names on the left; panels to the right have the same."""
    places = range(len(rows))
    values = [row.bytes_per_token for row in rows]
    colours = [COLOURS[i % len(COLOURS)] for i in places]
    bars = axes.barh(places, values, color=colours, height=0.65)
    axes.bar_label(bars, [f"{value:.2f}" for value in values], padding=3)
    # A $ in a name is a $.
    axes.set_yticks(places, [_ending(row.name).replace("$", r"\$") for row in rows])
    axes.tick_params(axis="y", length=0, labelleft=named)
    axes.set_ylim(len(rows) - 0.5, -0.5)  # the first one at the top
    axes.set_xlim(0, 1.2 * max(values, default=1.0))
    axes.set_xlabel("bytes per token")
    plain_frame(axes)
    axes.grid(visible=False, axis="y")


def _draw_sizes(axes: Axes, corpus: CorpusFigures) -> list[tuple[Any, str]]:
    """One panel; returns what stands for each line in the legend."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    entries: list[tuple[Any, str]] = []
    domains = dict.fromkeys(row.trained_on for row in corpus.tokenizers if row.trained_on)
    for number, domain in enumerate(domains):
        rows = [row for row in corpus.tokenizers if row.trained_on == domain]
        (line,) = axes.plot(
            [row.vocab_size for row in rows], [row.bytes_per_token for row in rows],
            color=COLOURS[number % len(COLOURS)],
            linestyle=STYLES[number // len(COLOURS) % len(STYLES)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=6, linewidth=2.6 if domain == corpus.name else 1.5,
        )  # fmt: skip
        entries.append((line, f"trained on {shortened(str(domain))}"))
    others = [row for row in corpus.tokenizers if row.trained_on is None]
    for number, row in enumerate(others):
        (mark,) = axes.plot(
            [max(1, row.vocab_size)], [row.bytes_per_token],
            color=_GREY[number % len(_GREY)], marker=MARKERS[-1 - number % len(MARKERS)],
            markersize=8, linestyle="none",
        )  # fmt: skip
        entries.append((mark, _ending(row.name)))
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("tokens in the vocabulary")
    axes.set_ylabel("bytes per token")
    plain_frame(axes)
    return entries


def _legend(figure: Figure, entries: Sequence[tuple[Any, str]]) -> None:
    handles = [handle for handle, _ in entries]
    numbers = [str(i) for i in range(len(entries))]
    # Names are put in afterwards: matplotlib leaves out those that begin with an underscore.
    legend = figure.legend(
        handles, numbers, loc="outside lower center", ncols=min(4, len(entries)), frameon=False
    )
    for handle in legend.legend_handles:
        if handle is not None and hasattr(handle, "set_linewidth"):
            handle.set_linewidth(1.5)
    for text, (_, words) in zip(legend.get_texts(), entries, strict=True):
        text.set_parse_math(False)  # a $ in a name is a $
        text.set_text(words)
