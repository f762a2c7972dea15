"""What the live view of a training run shows, laid out for a width and a height."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from yocto.cli.sparkline import ASCII, BLOCKS, Curve, sparkline
from yocto.utils.text import count_text, duration, size_text

MOST = 10  # lines at most, and never more than half the terminal
NARROW = 60  # below this width the curves have no best value
SHORT = 72  # and below this one words are shorter
_DIM, _BOLD, _PLAIN = Style(dim=True), Style(bold=True), Style.null()
_TRAIN, _VAL, _BAR = Style(color="cyan"), Style(color="green"), Style(color="magenta")
_NOTE = Style(color="yellow")
Line = list[Segment]


@dataclass
class Shown:
    """A run as it stands: all that the panel shows. None, or an empty text, for what is not known
    yet."""

    name: str
    step: int
    total: int | None
    elapsed: float = 0.0  # seconds of training, those before a resume included
    left: float | None = None  # seconds
    status: str = ""
    train: Curve = field(default_factory=Curve)  # nats per token
    val: Curve = field(default_factory=Curve)
    bits_per_byte: float | None = None
    tokens: float | None = None
    tokens_per_second: float | None = None
    utilisation: float | None = None  # 0..1
    memory: float | None = None  # bytes
    learning_rate: float | None = None
    grad_norm: float | None = None
    sample: str = ""  # one line


def panel(run: Shown, width: int, height: int, ascii_only: bool = False) -> list[Line]:
    """The lines of the panel, none wider than `width` - 1: where there is room for fewer of them,
    those that matter most."""
    width = max(1, width - 1)
    run = _in_ascii(run) if ascii_only else run
    figures = _figures(run, width)
    ranked = [
        (7, _rule(run.name, width, ascii_only)),
        (0, _bar(run, width, ascii_only)),
        (2, _times(run, width)),
        *zip((1, 3), _curves(run, width, ascii_only), strict=True),
        *((4 + 2 * i, line) for i, line in enumerate(figures[:2])),
        *((5 + 3 * i, line) for i, line in enumerate(_sample(run.sample, width, ascii_only))),
    ]
    ranked = [(rank, line) for rank, line in ranked if line]
    kept = sorted(rank for rank, _ in ranked)[: max(1, min(MOST, height // 2))]
    return [_cut(line, width) for rank, line in ranked if rank in kept]


def _cut(line: Line, width: int) -> Line:
    """The line, or as much of it as there is room for."""
    if Segment.get_line_length(line) <= width:
        return line
    return Segment.adjust_line_length(line, width)


def _in_ascii(run: Shown) -> Shown:
    texts = {name: getattr(run, name) for name in ("name", "status", "sample")}
    plain = {name: text.encode("ascii", "replace").decode() for name, text in texts.items()}
    return replace(run, **plain)


def _rule(name: str, width: int, ascii_only: bool) -> Line:
    dash = "-" if ascii_only else "─"
    title = _fitted(name, max(1, width - 6), ascii_only)
    rest = max(0, width - cell_len(title) - 4)
    return [
        Segment(f"{dash}{dash} ", _DIM), Segment(title, _BOLD), Segment(" " + dash * rest, _DIM),
    ]  # fmt: skip


def _bar(run: Shown, width: int, ascii_only: bool) -> Line:
    if run.total is None:
        return [Segment(f"step {run.step:,}", _PLAIN)]
    share = min(1.0, run.step / run.total) if run.total else 1.0
    percent, steps = f"{int(100 * share):3}%", f"step {run.step:,} of {run.total:,}"
    room = width - len(percent) - len(steps) - 3
    if room < 5:  # no bar, and no steps if need be
        both = f"{percent.strip()}  {run.step:,}/{run.total:,}"
        return [Segment(both if len(both) <= width else percent.strip(), _PLAIN)]
    full = int(share * room)
    done, rest = ("#", "-") if ascii_only else ("━", "─")
    return [
        Segment(done * full, _BAR), Segment(rest * (room - full), _DIM),
        Segment(f" {percent}", _BOLD), Segment(f"  {steps}", _PLAIN),
    ]  # fmt: skip


def _times(run: Shown, width: int) -> Line:
    text = f"{duration(run.elapsed)} so far"
    if run.left is not None:
        text += f", {duration(run.left)} left"
    line = [Segment(text, _PLAIN)]
    return [*line, Segment(f"  {run.status}", _NOTE)] if run.status else line


def _curves(run: Shown, width: int, ascii_only: bool) -> list[Line]:
    """The training loss and the validation loss, the same steps below each other."""
    wide = width >= NARROW - 1
    lines: list[Line] = []
    drawn = len(run.train.points)
    for name, curve, style in (("train", run.train, _TRAIN), ("val", run.val, _VAL)):
        if curve.latest is None:
            lines.append([])
            continue
        label, best = f"{name:<7}", ""
        if wide:
            label, best = f"{name + ' loss':<12}", f"  best {curve.lowest:.3f}"
        latest = f"{curve.latest:>8.3f}"
        room = max(0, width - len(label) - len(latest) - len(best))
        points = curve.points
        if 0 < len(points) < drawn:
            points = [points[i * len(points) // drawn] for i in range(drawn)]
        text = sparkline(points, room, ASCII if ascii_only else BLOCKS)
        lines.append([
            Segment(label, _DIM), Segment(f"{text:<{room}}", style),
            Segment(latest, _BOLD), Segment(best, _DIM),
        ])  # fmt: skip
    return lines


def _figures(run: Shown, width: int) -> list[Line]:
    """The figures in as many lines as they take, each one whole."""
    lines: list[Line] = []
    used = 0
    for before, value, after in _worded(run, short=width < SHORT - 1):
        needed = len(before) + len(value) + len(after)
        if lines and used + 2 + needed <= width:
            lines[-1].append(Segment("  ", _PLAIN))
            used += 2
        else:
            lines.append([])
            used = 0
        lines[-1] += [Segment(before, _DIM), Segment(value, _PLAIN), Segment(after, _DIM)]
        used += needed
    return lines


def _worded(run: Shown, short: bool) -> list[tuple[str, str, str]]:
    """Each figure with the words before and after it; those that matter most come first."""
    words: list[tuple[str, str, str]] = []
    if run.tokens_per_second is not None:
        words.append(("", f"{run.tokens_per_second:,.0f}", " tok/s"))
    if run.utilisation is not None:
        words.append(("", f"{run.utilisation:.0%}", " util" if short else " utilisation"))
    if run.memory is not None:
        words.append(("", size_text(round(run.memory)), "" if short else " memory"))
    if run.learning_rate is not None and short:
        words.append(("lr ", f"{run.learning_rate:.1e}", ""))
    elif run.learning_rate is not None:
        words.append(("learning rate ", f"{run.learning_rate:.2e}", ""))
    if run.grad_norm is not None:
        words.append(("grad " if short else "gradient norm ", f"{run.grad_norm:.3g}", ""))
    if run.bits_per_byte is not None:
        words.append(("", f"{run.bits_per_byte:.3f}", " bits/byte"))
    if run.tokens is not None:
        words.append(("", count_text(run.tokens), " tokens"))
    return words


def _sample(text: str, width: int, ascii_only: bool) -> list[Line]:
    """The first two lines of the sample, at most."""
    if not text:
        return []
    mark = "> " if ascii_only else "» "
    room = max(1, width - len(mark))
    first, rest = _split(text, room)
    lines = [[Segment(mark, _DIM), Segment(first, Style(italic=True))]]
    if rest:
        second = _fitted(rest, room, ascii_only)
        lines.append([Segment("  ", _DIM), Segment(second, Style(italic=True))])
    return lines


def _split(text: str, width: int) -> tuple[str, str]:
    """As many words as fit into a line, and the rest."""
    if cell_len(text) <= width:
        return text, ""
    head = set_cell_size(text, width)
    if not text.startswith(head):
        head = head[:-1]  # the space in the place of half a wide character
    rest = text[len(head) :]
    if head.endswith(" ") or rest.startswith(" "):
        return head.rstrip(), rest.lstrip()
    words, gap, _ = head.rpartition(" ")
    return (words, text[len(words) + 1 :]) if gap else (head, rest)  # one long word is cut


def _fitted(text: str, width: int, ascii_only: bool) -> str:
    """The text, or its beginning with dots."""
    if cell_len(text) <= width:
        return text
    dots = "..." if ascii_only else "…"
    return set_cell_size(text, max(0, width - len(dots))).rstrip() + dots[:width]
