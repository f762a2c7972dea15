"""The parts of a report on what runs are made of: settings, data, tokenizer, and the way there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yocto.config import CHAT
from yocto.report.blocks import Block, Code, Fold, Section, Table, Words
from yocto.report.grid import NONE, Row, count, fixed, grid
from yocto.report.reproduce import commands, near
from yocto.report.settings import differing, every, left_out, value_text
from yocto.report.source import Source
from yocto.training.comparison import compare
from yocto.utils.text import one_line


def configuration(sources: Sequence[Source]) -> Section:
    """Settings and model: what differs first."""
    if len(sources) == 1:
        return Section("Configuration", _settings(sources[0]))
    folds = [Fold(f"Settings of {source.name}", _settings(source)) for source in sources]
    return Section("Configuration", [_differences(sources), *folds])


def _settings(source: Source) -> list[Block]:
    """The settings of one run, those that are no defaults first."""
    if source.checkpoint is None:
        return [Words("No checkpoint tells the settings.", notice=True)]
    blocks: list[Block] = []
    changed, words = differing(source), left_out(source)
    if changed and not source.history.imported:
        rows = [
            [k, *(value_text(one, words.get(k, "off")) for one in (value, default))]
            for k, value, default in changed
        ]
        table = Table(["setting", "value", "by itself"], rows, code=frozenset({0}))
        blocks.append(Fold("What is not at its default", [table], opened=True))
    settings = [[k, value_text(v, words.get(k, "off"))] for k, v in every(source)]
    shape = [[k, value_text(v)] for k, v in source.checkpoint.model.to_dict().items()]
    for title, rows in (("All settings", settings), ("Model", shape)):
        blocks.append(Fold(title, [Table(["setting", "value"], rows, code=frozenset({0}))]))
    return blocks


def _differences(sources: Sequence[Source]) -> Block:
    found = compare([source.history for source in sources])
    rows = [
        [name, *(NONE if value is None else value_text(value) for value in values)]
        for part in (found.settings, found.model)
        for name, values in part.items()
    ]
    if not rows:
        return Words("All settings are the same.")
    table = Table(["setting", *(source.name for source in sources)], rows, code=frozenset({0}))
    same = f"{found.same:,} others are the same" if found.same else "no other is told"
    return Fold(f"What differs ({same})", [table], opened=True)


# -------------------------------------------------------------------------------------------- data


def data(sources: Sequence[Source]) -> Section:
    """What the runs learnt from, with checksums."""
    metas = [source.data[1] if source.data else None for source in sources]
    rows = [
        Row("text", [", ".join(map(near, m.sources)) if m else _learnt(s) for s, m in
                     zip(sources, metas, strict=True)], one_line),
        Row("token files", [str(s.data[0]) if s.data else None for s in sources], one_line),
        Row("made by", [f"yocto {m.made_by}" if m else None for m in metas], one_line),
    ]  # fmt: skip
    for split, name in (("train", "training"), ("val", "validation")):
        parts = [m.splits[split] if m else None for m in metas]
        rows += [
            Row(f"{name}, tokens", [p.tokens if p else None for p in parts], count),
            Row(f"{name}, bytes of text", [p.bytes if p else None for p in parts], count),
            Row(f"{name}, documents", [p.documents if p else None for p in parts], count),
            Row(f"{name}, bytes per token", [p.bytes_per_token if p else None for p in parts],
                fixed(3)),
        ]  # fmt: skip
    rows.append(Row("documents", [
        s.checkpoint.documents if s.checkpoint and not s.data and not s.history.imported else None
        for s in sources
    ], count))  # fmt: skip
    blocks: list[Block] = [grid(sources, rows)]
    if any(s.checkpoint and not s.data and s.mode not in (CHAT, "imported") for s in sources):
        blocks.append(Words(
            "Token files that are gone, or hold another text by now, can't be told of; their "
            "checksums are those that the run noted."
        ))  # fmt: skip
    sums = grid(sources, _data_checksums(sources), code=True)
    if sums.rows:
        blocks.append(Fold("Checksums of the data (SHA-256)", [sums]))
    return Section("Data", blocks)


def _learnt(source: Source) -> str | None:
    """What a run learnt from that has no token files."""
    settings = source.settings
    if source.history.imported:
        return f"another tool's: imported from {settings.get('source')}"
    told: Any = settings.get("data")
    if source.mode == CHAT and isinstance(told, list):
        return f"conversations of {', '.join(map(str, told))}"
    return None


def _data_checksums(sources: Sequence[Source]) -> list[Row]:
    digests = [
        s.checkpoint.corpus() if s.checkpoint and not s.history.imported else None for s in sources
    ]
    return [
        Row("training split", [d and d[:64] for d in digests]),
        Row("validation split", [(d and d[64:128]) or None for d in digests]),
    ]


# --------------------------------------------------------------------------------------- tokenizer


def tokenizer(sources: Sequence[Source]) -> Section:
    """What the tokenizers are, and their longest tokens."""
    facts = [source.tokens for source in sources]
    per_token = [s.data[1].splits["val"].bytes_per_token or None if s.data else None
                 for s in sources]  # fmt: skip
    rows = [
        Row("kind", [f.kind if f else None for f in facts]),
        Row("vocabulary", [f.vocab_size if f else None for f in facts], count),
        Row("merges", [f.merges if f else None for f in facts], count),
        Row("bytes per token, validation text", per_token, fixed(3), max),
        Row("bytes of a token, mean", [_mean_length(f.lengths) if f else None for f in facts],
            fixed(2)),
        Row("split pattern", [f.pattern if f else None for f in facts], one_line),
        Row("Unicode form", [f.normalize if f and f.normalize != "none" else None for f in facts]),
        Row("special tokens", [_special(f.special_tokens) if f else None for f in facts],
            one_line),
    ]  # fmt: skip
    blocks: list[Block] = [grid(sources, rows)]
    seen: dict[str, str] = {}
    for source in sources:
        if source.tokens is None or source.tokens.identity in seen:
            continue  # the same one is told of once
        seen[source.tokens.identity] = source.name
        of = f" of {source.name}" if len(sources) > 1 else ""
        longest = [
            [f"{row.id:,}", f"“{row.text}”", str(row.bytes)] for row in source.tokens.longest
        ]
        table = Table(["id", "token", "bytes"], longest, code=frozenset({1}))
        blocks.append(Fold(f"The longest tokens{of}", [table]))
    return Section("Tokenizer", blocks)


def _mean_length(lengths: dict[int, int]) -> float | None:
    tokens = sum(lengths.values())
    return sum(size * times for size, times in lengths.items()) / tokens if tokens else None


def _special(tokens: dict[str, int]) -> str:
    names = sorted(tokens, key=lambda token: tokens[token])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more if names else "none"


# ----------------------------------------------------------------------------------- the way again


def reproduction(sources: Sequence[Source]) -> Section:
    """The commands, and the checksums by which one sees that nothing is different."""
    blocks: list[Block] = []
    for source in sources:
        if source.checkpoint is not None:
            if len(sources) > 1:
                blocks.append(Words(f"{source.name}:"))
            blocks.append(Code(commands(source)))
    if not blocks:
        return Section("How to reproduce", [Words("No checkpoint tells how.", notice=True)])
    blocks.append(Words(
        "Each line needs the files that the line before it made. On a CPU, the same versions and "
        "the same number of threads give the same weights."
    ))  # fmt: skip
    sums = grid(sources, [
        *_data_checksums(sources),
        Row("tokenizer", [s.tokens.identity if s.tokens else None for s in sources]),
        Row("weights", [
            s.checkpoint.files.get("model.safetensors") if s.checkpoint else None for s in sources
        ]),
        Row("of step", [s.checkpoint.step if s.checkpoint else None for s in sources], count),
    ], code=True)  # fmt: skip
    blocks.append(Fold("Checksums (SHA-256)", [sums]))
    return Section("How to reproduce", blocks)
