"""The parts of a report on what runs came to: key figures, results, speed and memory."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from yocto.report.blocks import Block, Figure, Section, Words
from yocto.report.grid import Row, best_of, count, fixed, grid, percent
from yocto.report.source import Source
from yocto.utils.progress import number
from yocto.utils.text import count_text, duration, size_text

_TILES = 8  # key figures of several runs


def key_figures(sources: Sequence[Source]) -> list[Figure]:
    """What stands at the top: of one run its figures, of several one of each."""
    if len(sources) > 1:
        return _figures_of_all(sources)
    (source,) = sources
    facts = source.facts
    figures = [Figure("status", facts.status, _steps(source))]
    if facts.best is not None and facts.best.val_loss is not None:
        at = f"best step {facts.best.step:,}"
        figures.append(Figure("validation loss", fixed(3)(facts.best.val_loss), at))
        if facts.best.bits_per_byte is not None:
            figures.append(Figure("bits per byte", fixed(3)(facts.best.bits_per_byte), at))
    if source.parameters is not None:
        figures.append(
            Figure("parameters", count_text(source.parameters), f"{source.parameters:,}")
        )
    if facts.tokens:
        seconds = f"in {duration(facts.seconds)}" if facts.seconds else ""
        figures.append(Figure("tokens learnt from", count_text(facts.tokens), seconds))
    if facts.tokens_per_second:
        figures.append(Figure("tokens per second", count(facts.tokens_per_second), "in training"))
    return figures


def _steps(source: Source) -> str:
    told = _progress(source)
    return f"step {told}" if told and not source.history.imported else told


def _progress(source: Source) -> str:
    facts = source.facts
    if source.history.imported:
        return str(source.settings.get("architecture", ""))
    if facts.step is None:
        return ""
    return f"{facts.step:,}" + (f" of {facts.max_iters:,}" if facts.max_iters else "")


def _figures_of_all(sources: Sequence[Source]) -> list[Figure]:
    """One for each of several runs: its bits per byte, or how far it is."""
    bits = _bits(sources)
    best = best_of(bits)
    figures = []
    for i, source in enumerate(sources[:_TILES]):
        if bits.values[i] is None:
            figures.append(Figure(source.name, source.facts.status, _steps(source)))
        else:
            note = "bits per byte" + (", the best" if i in best else "")
            figures.append(Figure(source.name, fixed(3)(bits.values[i]), note))
    return figures


def _loss(sources: Sequence[Source]) -> Row:
    values = [s.facts.best.val_loss if s.facts.best else None for s in sources]
    # Losses of different tokens do not compare.
    same = len({s.tokens.identity if s.tokens else None for s in sources}) == 1
    return Row("best validation loss", values, fixed(4), min if same else None)


def _bits(sources: Sequence[Source]) -> Row:
    values = [s.facts.best.bits_per_byte if s.facts.best else None for s in sources]
    return Row("best bits per byte", values, fixed(4), None if _hiding(sources) else min)


def _hiding(sources: Sequence[Source]) -> list[str]:
    """Runs whose tokens hide text behind <unk>, which makes their bits per byte in training smaller
    than they are; none where all have the same tokens."""
    if len({s.tokens.identity if s.tokens else None for s in sources}) == 1:
        return []
    return [s.name for s in sources if s.tokenizer and s.tokenizer.unk_id is not None]


def results(sources: Sequence[Source]) -> Section:
    """How far the runs are, and what they reached."""
    facts = [source.facts for source in sources]
    blocks: list[Block] = [
        Words(f"{source.name}: {told}", notice=True)
        for source in sources
        for told in dict.fromkeys([*([source.facts.note] if source.facts.note else []),
                                   *source.problems])
    ]  # fmt: skip
    rows = [
        Row("status", [f.status for f in facts]),
        Row("steps", [None if s.history.imported else _progress(s) or None for s in sources]),
        Row("architecture", [_progress(s) if s.history.imported else None for s in sources]),
        Row("parameters", [s.parameters for s in sources], count),
        _loss(sources),
        _bits(sources),
        Row("at step", [f.best.step if f.best else None for f in facts], count),
        Row("last validation loss", [f.last.val_loss if f.last else None for f in facts],
            fixed(4)),
        Row("tokens learnt from", [f.tokens for f in facts], count),
        Row("training time", [f.seconds for f in facts], duration),
        Row("tokens per second", [f.tokens_per_second for f in facts], count, max),
    ]  # fmt: skip
    blocks.append(grid(sources, rows))
    if len(sources) > 1:
        blocks.append(Words(
            "Loss compares only models with the same tokens; bits per byte compare them all, on "
            "the same text."
        ))  # fmt: skip
    if hiding := _hiding(sources):
        blocks.append(Words(
            f"The bits per byte of {', '.join(hiding)} may leave out text that <unk> stands for, "
            f"and don't compare with others; those that yocto eval measures do."
        ))  # fmt: skip
    return Section("Results", blocks)


# -------------------------------------------------------------------------------- speed and memory


def speed(sources: Sequence[Source]) -> Section:
    """How fast the runs were, and what they took."""
    rows = [
        Row("training, tokens per second", [s.facts.tokens_per_second for s in sources], count,
            max),
        Row("training time", [s.facts.seconds for s in sources], duration),
        Row("tokens learnt from", [s.facts.tokens for s in sources], count),
        Row("times the training text", [_epochs(s) for s in sources], fixed(2)),
        Row("utilisation, median", [_median(s, "utilisation") for s in sources], percent, max),
        Row("time in steps, median", [_median(s, "busy") for s in sources], percent),
        Row("memory in training, most", [_most(s, "memory") for s in sources], _size, min),
        Row("weights on disk", [_weights(s) for s in sources], _size, min),
        Row("writing, tokens per second", [_writing_speed(s) for s in sources], count, max),
    ]  # fmt: skip
    blocks: list[Block] = [grid(sources, rows)]
    told = [s.checkpoint.made_with if s.checkpoint else {} for s in sources]
    names = {"yocto": "yocto", "python": "Python", "torch": "torch", "system": "system",
             "device": "device"}  # fmt: skip
    versions = [
        Row(name, [str(one[key]) if one.get(key) else None for one in told])
        for key, name in names.items()
    ]
    if any(told):
        blocks.append(Words("The checkpoints were written with:"))
        blocks.append(grid(sources, versions))
    else:
        blocks.append(Words("The checkpoints do not tell which versions they were made with."))
    return Section("Speed, memory and versions", blocks)


def _size(value: float) -> str:
    return size_text(int(value))


def _epochs(source: Source) -> float | None:
    """How often the training text was read."""
    if source.data is None or not source.facts.tokens:
        return None
    tokens = source.data[1].splits["train"].tokens
    return source.facts.tokens / tokens if tokens else None


def _values(source: Source, key: str) -> list[float]:
    return [v for line in source.history.lines if (v := number(line, key)) is not None]


def _writing_speed(source: Source) -> float | None:
    seconds = sum(one.seconds for one in source.written)
    return sum(one.tokens for one in source.written) / seconds if seconds else None


def _median(source: Source, key: str) -> float | None:
    values = _values(source, key)
    return median(values) if values else None


def _most(source: Source, key: str) -> float | None:
    return max(_values(source, key), default=None)


def _weights(source: Source) -> int | None:
    if source.checkpoint is None:
        return None
    try:
        return (source.checkpoint.path / "model.safetensors").stat().st_size
    except OSError:
        return None
