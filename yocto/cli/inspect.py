"""What inspect found, laid out for the terminal's width, or as JSON."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from yocto.cli.page import Page, printable
from yocto.cli.render import print_json, write
from yocto.config import IMPORTED
from yocto.utils.text import escaped

if TYPE_CHECKING:
    from yocto.commands.inspect import Inspection, TokenizerFile, Verification
    from yocto.commands.inspect_checkpoint import CheckpointFacts, RunLine
    from yocto.commands.inspect_text import TextFile
    from yocto.commands.inspect_tokens import Split, TokenFiles
    from yocto.tokenizer.facts import TokenRow
    from yocto.training.history import StepFacts

_SPACE = "␣"


def render_inspection(result: Inspection, as_json: bool) -> None:
    """Print what `yocto inspect` found."""
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    page = Page()
    if result.tokenizer:
        _tokenizer(page, result.tokenizer, alone=result.tokens is None)
    if result.tokens:
        _tokens(page, result.tokens)
    if result.checkpoint:
        _checkpoint(page, result.checkpoint)
    if result.runs is not None:
        _runs(page, result.path, result.runs)
    if result.text:
        _text(page, result.path, result.text)
    if result.verification:
        _verification(page, result.verification)
    write("".join(f"{line}\n" for line in page.lines))


# ----------------------------------------------------------------------------------- tokenizers


def _tokenizer(page: Page, found: TokenizerFile, alone: bool) -> None:
    facts = found.facts
    page.title("Tokenizer")
    page.fact("file", found.path)
    page.fact("kind", facts.kind)
    holes = "" if facts.tokens == facts.vocab_size else f", {facts.tokens:,} of them in use"
    merges = "" if facts.merges is None else f", {_count(facts.merges, 'merge')}"
    page.fact("vocabulary", f"{_count(facts.vocab_size, 'id')}{holes}{merges}")
    if facts.pattern is not None:
        page.fact("pattern", printable(facts.pattern))
    if facts.normalize is not None:
        page.fact("normalize", facts.normalize)
    page.fact("special", _special(facts.special_tokens))
    if facts.lengths:
        tokens = sum(facts.lengths.values())
        mean = sum(size * count for size, count in facts.lengths.items()) / tokens
        page.fact("lengths", f"{_range(facts.lengths)}, {mean:.1f} in the mean")
    if found.corpus:
        page.fact("text", _few(found.corpus))
    if found.bytes_per_token is not None:
        page.fact("", f"{found.bytes_per_token:.2f} bytes per token at its beginning")
    page.fact("sha256", found.sha256)
    if facts.identity != found.sha256:
        page.fact("identity", facts.identity)
    if alone and facts.longest:
        page.title("Longest tokens")
        page.table(
            ["bytes", "id", "token"],
            [(str(row.bytes), str(row.id), _shown(row)) for row in facts.longest],
        )
    if alone and facts.lengths:
        page.title("Tokens by length")
        page.table(["bytes", "tokens", ""], _histogram(facts.lengths))


def _range(lengths: dict[int, int]) -> str:
    low, high = min(lengths), max(lengths)
    return _count(high, "byte") if low == high else f"{low:,} to {_count(high, 'byte')}"


def _histogram(lengths: dict[int, int]) -> Iterator[tuple[str, str, str]]:
    """Counts with bars; what is longer than most is told together."""
    last = 16
    shown = {size: count for size, count in lengths.items() if size < last}
    rest = sum(lengths.values()) - sum(shown.values())
    rows = [(str(size), count) for size, count in shown.items()]
    rows += [(f"{last}+", rest)] if rest else []
    most = max(count for _, count in rows)
    for size, count in rows:
        yield size, f"{count:,}", "█" * max(1, round(20 * count / most))


def _special(tokens: dict[str, int]) -> str:
    few = [f"{_visible(escaped(t.encode()))} = {i}" for t, i in list(tokens.items())[:8]]
    more = [f"and {len(tokens) - 8:,} more"] if len(tokens) > 8 else []
    return ", ".join([*few, *more]) or "none"


# ---------------------------------------------------------------------------------- token files

_WHOSE = {
    "same": "the one beside them made them",
    "other": "the one at hand is not theirs, so that ids are shown in place of texts",
    "assumed": "the one at hand fits, and is taken to be theirs",
    "none": "none beside them, so that ids are shown in place of texts; --tokenizer-path names one",
}


def _tokens(page: Page, found: TokenFiles) -> None:
    below = "" if found.vocab_size is None else f" below {found.vocab_size:,}"
    end = "" if found.end_id is None else f", {found.end_id} between documents"
    page.title("Token files")
    page.fact("ids", f"{found.dtype}{below}{end}")
    if found.assumed:
        page.fact("assumed", f"{found.assumed}: there is no meta.json that tells of them")
    for name, split in found.splits.items():
        _split(page, name, split)
    if found.made_by:
        page.fact("made by", f"yocto {found.made_by}")
    if found.sources:
        page.fact("from", _few(found.sources))
    page.fact("tokenizer", _WHOSE[found.tokenizer])
    share = "" if found.used_share is None else f" ({found.used_share:.1%} of the vocabulary)"
    page.fact("in use", f"{_count(found.used, 'id')}{share}")
    texts = found.tokenizer in ("same", "assumed")
    if found.frequent:
        page.title("Most frequent tokens" if texts else "Most frequent ids")
        heads = ["count", "share", "id", "token" if texts else ""]
        page.table(heads, map(_frequent, found.frequent))
    if found.longest:
        page.title("Longest tokens in use")
        rows = ((str(row.bytes), f"{row.count:,}", str(row.id), _shown(row))
                for row in found.longest)  # fmt: skip
        page.table(["bytes", "count", "id", "token"], rows)
    for opening in found.openings:
        what = f"A document at token {opening.at:,}" if opening.at else "Beginning"
        page.title(f"{what} of {opening.split}")
        page.passage(opening.text)


def _split(page: Page, name: str, split: Split) -> None:
    files = split.files[0] if len(split.files) == 1 else _count(len(split.files), "file")
    if len(split.files) > 1:
        files += f", {split.files[0]} to {split.files[-1]}"
    page.fact(name, f"{_count(split.tokens, 'token')} in {files} ({_size(split.size)})")
    if split.bytes is not None:
        rate = "" if not split.bytes_per_token else f", {split.bytes_per_token:.2f} per token"
        page.fact("", f"{_count(split.bytes, 'byte')} of text{rate}")
    if split.documents is not None:
        line = _count(split.documents, "document")
        if split.documents > 1:
            line += f", {split.tokens_per_document:,} tokens in the mean"
            if split.longest_document is not None:
                line += f", {split.longest_document:,} at most"
        page.fact("", line)


def _frequent(row: TokenRow) -> tuple[str, str, str, str]:
    return f"{row.count:,}", f"{row.share:.2%}", str(row.id), _shown(row)


def _shown(row: TokenRow) -> str:
    return "" if row.text is None else _visible(row.text)


def _visible(text: str) -> str:
    return text.replace(" ", _SPACE)


# ---------------------------------------------------------------------------------- checkpoints


def _checkpoint(page: Page, found: CheckpointFacts) -> None:
    model = found.model
    page.title("Checkpoint")
    page.fact("folder", found.path)
    page.fact("run", found.run)
    page.fact("step", _measured(found.step))
    for which, step in (("best", found.best), ("latest", found.latest)):
        if step is not None and step != found.step:
            page.fact(which, _measured(step))
        elif step is not None:
            page.fact(which, "this step")
    page.fact("saved", f"step{'s' if len(found.steps) != 1 else ''} "
              + ", ".join(f"{step:,}" for step in found.steps))  # fmt: skip
    page.title("Model")
    groups = "" if model["n_kv_head"] == model["n_head"] else f" ({model['n_kv_head']} of keys)"
    page.fact("family", model["family"])
    page.fact(
        "shape",
        f"{_count(model['n_layer'], 'layer')}, {_count(model['n_head'], 'head')}{groups}, "
        f"width {model['n_embd']:,}, context {model['block_size']:,}",
    )
    parts = [model["norm"], model["position"], f"{model['mlp']} of {model['n_inner']:,}"]
    flags = {
        "qk_norm": "norms of queries and keys",
        "bias": "biases",
        "tie_weights": "tied weights",
    }
    page.fact("parts", ", ".join([*parts, *(text for name, text in flags.items() if model[name])]))
    page.fact("weights", f"{_count(found.parameters, 'parameter')}")
    ids = f"{found.tokenizer}, {_count(found.tokenizer_vocab_size, 'id')}"
    page.fact("tokenizer", ids)
    if found.training.get("mode") == IMPORTED:
        page.title("Imported")
        page.fact("from", str(found.training.get("source")))
        page.fact("as", str(found.training.get("architecture")))
    else:
        page.fact("learnt from", _count(found.documents, "document"))
        page.title("Training")
        page.fact(
            "settings", ", ".join(f"{name} {value}" for name, value in found.training.items())
        )
    page.title("Files")
    rows = [(_size(size), name) for name, size in found.files.items()]
    page.table(["size", "file"], rows)


def _measured(step: StepFacts) -> str:
    figures = [
        f"{name} {value:.3f}{unit}"
        for name, value, unit in [
            ("train loss", step.train_loss, ""),
            ("val loss", step.val_loss, ""),
            ("", step.bits_per_byte, " bits per byte"),
        ]
        if value is not None
    ]
    return ", ".join([f"{step.step:,}", *map(str.strip, figures)])


def _runs(page: Page, path: str, runs: Sequence[RunLine]) -> None:
    page.title(f"{_count(len(runs), 'run')} in {path}, the newest first")
    for line in runs:
        if line.problem:
            page.fact(line.name, line.problem)
            continue
        best = f"; best {_measured(line.best)}" if line.best else ""
        page.fact(line.name, f"step {line.step:,}, {_count(line.parameters or 0, 'weight')}{best}")
    if runs:
        page.lines += ["", f"next: yocto inspect {shlex.quote(runs[0].path)}"]


# ----------------------------------------------------------------------------------------- texts


def _text(page: Page, path: str, found: TextFile) -> None:
    page.title("Text")
    page.fact("file", path)
    page.fact("bytes", f"{found.size:,}")
    per = f", {found.size / found.characters:.2f} bytes each" if found.characters else ""
    page.fact("characters", f"{found.characters:,}{per}, {found.different:,} different")
    page.fact("lines", f"{found.lines:,}{_line_breaks(found)}")
    page.fact("documents", f"{found.documents:,}")
    if found.frequent:
        page.title("Most frequent characters")
        rows = ((f"{r.count:,}", f"{r.share:.2%}", _visible(r.text)) for r in found.frequent)
        page.table(["count", "share", "character"], rows)
    if found.excerpt:
        page.title("Its beginning")
        page.passage(found.excerpt)


def _line_breaks(found: TextFile) -> str:
    told = [f"{_count(n, 'break')} as {name}"
            for n, name in ((found.crlf, r"\r\n"), (found.cr, r"a lone \r")) if n]  # fmt: skip
    return f" ({', '.join(told)})" if told else ""


# ----------------------------------------------------------------------------------------- common


def _verification(page: Page, found: Verification) -> None:
    if found.verified:
        page.title(f"verified: {_count(len(found.verified), 'file')}")
    if found.unrecorded:
        page.title("no checksum is recorded to compare with")
    for path, digest in found.unrecorded.items():
        page.fact("file", path)
        page.fact("sha256", digest)


def _few(names: Sequence[str]) -> str:
    more = [f"and {len(names) - 3:,} more"] if len(names) > 4 else []
    shown = names if not more else names[:3]
    return ", ".join([*map(printable, shown), *more])


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"


def _size(size: int | None) -> str:
    if size is None:
        return "missing"
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000  # type: ignore[assignment]
    return f"{size:,} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
