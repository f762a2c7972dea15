"""The parts of a report on what was found out: curves, evaluations, samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

from yocto.evaluation.result import Evaluation, TaskScore, TextScore
from yocto.report.blocks import (
    Block,
    Code,
    Fold,
    Picture,
    Pictures,
    Sample,
    Section,
    Table,
    Words,
)
from yocto.report.grid import NONE, Row, best_of, count, fixed, percent
from yocto.report.reproduce import chosen, sample_command
from yocto.report.series import curves_of, thinned
from yocto.report.source import Source
from yocto.training.history import StepFacts, evaluations

_DRAWN = ("loss", "bits-per-byte", "learning-rate", "grad-norm", "tokens-per-second")
_LISTED = 30  # evaluations of a run that are told in numbers


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
    named = len(sources) > 1
    blocks: list[Block] = []
    if texts:
        texts.sort(key=lambda found: found[2].name)
        blocks.append(_text_table(texts, named))
    if tasks:
        blocks.append(
            _task_table(sorted(tasks, key=lambda found: (found[2].name, found[2].file)), named)
        )
        blocks.append(Words("Behind an accuracy stands its 95 % interval."))
    if not blocks:
        run = " ".join(chosen(sources[0]))
        blocks.append(Words(
            f"None has been noted so far. yocto eval {run} measures texts and tasks; the next "
            f"report tells of it."
        ))  # fmt: skip
    return Section("Evaluation", blocks)


def _newest_texts(found: Sequence[Evaluation]) -> list[tuple[Evaluation, TextScore]]:
    """The last score of each text, at each stride."""
    return list({(t.name, t.stride): (e, t) for e in found for t in e.texts}.values())


def _newest_tasks(found: Sequence[Evaluation]) -> list[tuple[Evaluation, TaskScore]]:
    return list({(t.name, t.file): (e, t) for e in found for t in e.tasks}.values())


def _text_table(found: Sequence[tuple[Source, Evaluation, TextScore]], named: bool) -> Table:
    """named: whether the runs are named, as there are several."""
    head = ["text", *(["run"] if named else []), "step", "loss", "perplexity", "bits per byte",
            "bits per character", "tokens", "stride"]  # fmt: skip
    rows = [
        [t.name, *([s.name] if named else []), f"{e.step:,}", fixed(4)(t.loss),
         fixed(2)(t.perplexity),
         *(NONE if v is None else fixed(4)(v) for v in (t.bits_per_byte, t.bits_per_character)),
         count(t.tokens), count(t.stride)]
        for s, e, t in found
    ]  # fmt: skip
    names = [t.name for _, _, t in found]
    best = _best_rows(
        names, [t.bits_per_byte for _, _, t in found], head.index("bits per byte"), min
    )
    return Table(head, rows, frozenset(best))


def _task_table(found: Sequence[tuple[Source, Evaluation, TaskScore]], named: bool) -> Table:
    head = ["task", "file", *(["run"] if named else []), "step", "accuracy", "by the byte",
            "perplexity", "rows", "bad", "trimmed"]  # fmt: skip
    rows = [
        [t.name, t.file, *([s.name] if named else []), f"{e.step:,}",
         _share(t.accuracy, t.interval), _share(t.normalised_accuracy, t.normalised_interval),
         NONE if t.perplexity is None else fixed(2)(t.perplexity),
         count(t.rows), count(t.bad_rows), count(t.trimmed)]
        for s, e, t in found
    ]  # fmt: skip
    names = [f"{t.name}\0{t.file}" for _, _, t in found]
    plain, by_byte = head.index("accuracy"), head.index("by the byte")
    best = _best_rows(names, [t.accuracy for _, _, t in found], plain, max)
    best |= _best_rows(names, [t.normalised_accuracy for _, _, t in found], by_byte, max)
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
            told, group = (source.name, how) if len(sources) > 1 else (how, "")
            place = (orders.setdefault(one.prompt, len(orders)), one.temperature)
            found.append((place, Sample(told, one.prompt, one.text, one.question, group)))
    if not found:
        return None
    found.sort(key=lambda pair: pair[0])
    blocks: list[Block] = [sample for _, sample in found]
    command = next(filter(None, map(sample_command, sources)), None)
    if command is not None:
        blocks += [Words("A seed means the same text. The same once more:"), Code([command])]
    return Section("Samples", blocks)
