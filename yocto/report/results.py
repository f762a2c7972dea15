"""The parts of a report on what runs came to: results, curves, evaluations, samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from yocto.evaluation.result import Evaluation, TaskScore, TextScore
from yocto.report.blocks import (
    Block,
    Figure,
    Fold,
    Picture,
    Pictures,
    Sample,
    Section,
    Table,
    Words,
)
from yocto.report.grid import NONE, Row, best_of, count, fixed, grid, percent
from yocto.report.series import curves_of, thinned
from yocto.report.source import Source
from yocto.training.history import StepFacts, evaluations
from yocto.utils.progress import number
from yocto.utils.text import count_text, duration

_DRAWN = ("loss", "bits-per-byte", "learning-rate", "grad-norm", "tokens-per-second")
_LISTED = 30  # evaluations of a run that are told in numbers


def key_figures(sources: Sequence[Source]) -> list[Figure]:
    """What stands at the top: of one run its figures, of several the best of each."""
    if len(sources) > 1:
        return _best_figures(sources)
    (source,) = sources
    facts = source.facts
    figures = [Figure("status", facts.status, _progress(source))]
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


def _progress(source: Source) -> str:
    facts = source.facts
    if source.history.imported:
        return str(source.settings.get("architecture", ""))
    if facts.step is None:
        return ""
    return f"step {facts.step:,}" + (f" of {facts.max_iters:,}" if facts.max_iters else "")


def _best_figures(sources: Sequence[Source]) -> list[Figure]:
    figures = [Figure("runs", str(len(sources)))]
    for row, name in ((_bits(sources), "best bits per byte"), (_loss(sources), "lowest loss")):
        places = best_of(row)
        if places:
            (place, *others) = places
            more = f" and {len(others)} more" if others else ""
            value = row.text(row.values[place])
            figures.append(Figure(name, value, sources[place].name + more))
    return figures


def _loss(sources: Sequence[Source]) -> Row:
    values = [s.facts.best.val_loss if s.facts.best else None for s in sources]
    # Losses of different tokens do not compare.
    same = len({s.tokens.identity if s.tokens else None for s in sources}) == 1
    return Row("best validation loss", values, fixed(4), min if same else None)


def _bits(sources: Sequence[Source]) -> Row:
    values = [s.facts.best.bits_per_byte if s.facts.best else None for s in sources]
    return Row("best bits per byte", values, fixed(4), min)


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
        Row("steps", [_progress(s) or None for s in sources]),
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
    return Section("Results", blocks)


# ------------------------------------------------------------------------------------------ curves


def curves(sources: Sequence[Source]) -> Section:
    """The curves of all runs, each kind in one picture, and the evaluations in numbers."""
    per_step = {source.history.tokens_per_step for source in sources}
    # Where runs see other amounts in a step, steps don't compare.
    x = "tokens" if len(per_step) > 1 and None not in per_step else "steps"
    pictures = []
    for y in _DRAWN:
        found = [(i, curves_of(s.history, s.name, x, y)) for i, s in enumerate(sources)]
        found = [(i, run) for i, run in found if run.training or run.validation]
        if found:
            pictures.append(Picture(x, y, [run for _, run in found], [i for i, _ in found]))
    if not pictures:
        return Section("Curves", [Words(
            "Nothing was measured of the training."
            if all(s.history.imported for s in sources) else "Nothing has been measured so far."
        )])  # fmt: skip
    blocks: list[Block] = [Pictures([source.name for source in sources], pictures)]
    for source in sources:
        told = list(evaluations(source.history.lines))
        if told:
            of = f"Evaluations of {source.name}" if len(sources) > 1 else "Evaluations in numbers"
            blocks.append(Fold(of, [_evaluation_table(told)]))
    return Section("Curves", blocks)


def _evaluation_table(told: Sequence[StepFacts]) -> Table:
    # Evenly chosen, as the points of a curve are.
    shown = [told[round(i)] for i, _ in thinned([(float(i), 0.0) for i in range(len(told))],
                                                _LISTED)]  # fmt: skip
    return Table(
        ["step", "training loss", "validation loss", "bits per byte"],
        [
            [f"{facts.step:,}", *(NONE if v is None else fixed(4)(v) for v in
             (facts.train_loss, facts.val_loss, facts.bits_per_byte))]
            for facts in shown
        ],
    )  # fmt: skip


# -------------------------------------------------------------------------------------- evaluation


def evaluation(sources: Sequence[Source]) -> Section:
    """What `yocto eval` has found of texts and tasks, the newest of each."""
    texts = [(s, e, t) for s in sources for e, t in _newest_texts(s.evaluations)]
    tasks = [(s, e, t) for s in sources for e, t in _newest_tasks(s.evaluations)]
    blocks: list[Block] = []
    if texts:
        blocks.append(_text_table(sorted(texts, key=lambda found: found[2].name)))
    if tasks:
        blocks.append(_task_table(sorted(tasks, key=lambda found: (found[2].name, found[2].file))))
        blocks.append(Words("Behind an accuracy stands its 95 % interval."))
    if not blocks:
        name = sources[0].history.run.name
        blocks.append(Words(
            f"None has been noted so far. yocto eval --ckpt {name} measures texts and tasks; the "
            f"next report tells of it."
        ))  # fmt: skip
    return Section("Evaluation", blocks)


def _newest_texts(found: Sequence[Evaluation]) -> list[tuple[Evaluation, TextScore]]:
    """The last score of each text, at each stride."""
    return list({(t.name, t.stride): (e, t) for e in found for t in e.texts}.values())


def _newest_tasks(found: Sequence[Evaluation]) -> list[tuple[Evaluation, TaskScore]]:
    return list({(t.name, t.file): (e, t) for e in found for t in e.tasks}.values())


def _text_table(found: Sequence[tuple[Source, Evaluation, TextScore]]) -> Table:
    head = ["text", "run", "step", "loss", "perplexity", "bits per byte", "bits per character",
            "tokens", "stride"]  # fmt: skip
    rows = [
        [t.name, s.name, f"{e.step:,}", fixed(4)(t.loss), fixed(2)(t.perplexity),
         *(NONE if v is None else fixed(4)(v) for v in (t.bits_per_byte, t.bits_per_character)),
         count(t.tokens), count(t.stride)]
        for s, e, t in found
    ]  # fmt: skip
    names = [t.name for _, _, t in found]
    best = _best_rows(names, [t.bits_per_byte for _, _, t in found], 5, min)
    return Table(head, rows, frozenset(best))


def _task_table(found: Sequence[tuple[Source, Evaluation, TaskScore]]) -> Table:
    head = ["task", "file", "run", "step", "accuracy", "by the byte", "perplexity", "rows",
            "bad", "trimmed"]  # fmt: skip
    rows = [
        [t.name, t.file, s.name, f"{e.step:,}", _share(t.accuracy, t.interval),
         _share(t.normalised_accuracy, t.normalised_interval),
         NONE if t.perplexity is None else fixed(2)(t.perplexity),
         count(t.rows), count(t.bad_rows), count(t.trimmed)]
        for s, e, t in found
    ]  # fmt: skip
    names = [f"{t.name}\0{t.file}" for _, _, t in found]
    best = _best_rows(names, [t.accuracy for _, _, t in found], 4, max)
    best |= _best_rows(names, [t.normalised_accuracy for _, _, t in found], 5, max)
    return Table(head, rows, frozenset(best))


def _share(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return NONE
    ends = [e for e in interval or () if isinstance(e, int | float) and math.isfinite(e)]
    between = f" ({100 * ends[0]:.1f} to {100 * ends[1]:.1f})" if len(ends) == 2 else ""
    return f"{percent(value)}{between}"


def _best_rows(
    names: Sequence[str], values: Sequence[float | None], column: int, best: object
) -> set[tuple[int, int]]:
    """Of the rows of one name each, the best in a column."""
    marked = set()
    for name in dict.fromkeys(names):
        places = [i for i, other in enumerate(names) if other == name]
        row = Row(name, [values[i] for i in places], best=min if best is min else max)
        marked |= {(places[i], column) for i in best_of(row)}
    return marked


# ----------------------------------------------------------------------------------------- samples


def samples(sources: Sequence[Source]) -> Section | None:
    """What the models write; the same question to all, one after the other."""
    found: list[tuple[tuple[int, float], Sample]] = []
    orders: dict[str, int] = {}
    for source in sources:
        for one in source.written:
            how = "greedy" if one.temperature == 0 else f"temperature {one.temperature:g}"
            told = f"{source.name}, {how}" if len(sources) > 1 else how
            place = (orders.setdefault(one.prompt, len(orders)), one.temperature)
            shown = one.text if one.ended else f"{one.text} …"
            found.append((place, Sample(told, one.prompt, shown, one.question)))
    if not found:
        return None
    found.sort(key=lambda pair: pair[0])
    return Section("Samples", [sample for _, sample in found])


# ---------------------------------------------------------------------------------- speed and memory


def speed(sources: Sequence[Source]) -> Section:
    """How fast the runs were, and what they took."""
    made = [sum(one.tokens for one in source.written) for source in sources]
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
        Row("writing, tokens per second", [
            tokens / s.writing_seconds if tokens and s.writing_seconds else None
            for tokens, s in zip(made, sources, strict=True)
        ], count, max),
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
    from yocto.utils.text import size_text

    return size_text(int(value))


def _epochs(source: Source) -> float | None:
    """How often the training text was read."""
    if source.data is None or not source.facts.tokens:
        return None
    tokens = source.data[1].splits["train"].tokens
    return source.facts.tokens / tokens if tokens else None


def _values(source: Source, key: str) -> list[float]:
    return [v for line in source.history.lines if (v := number(line, key)) is not None]


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
