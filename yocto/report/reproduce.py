"""The commands that lead to a run again: its text to a tokenizer, to token files, to the model."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from yocto.config import (
    CHAT,
    EncodeConfig,
    PrepareCharConfig,
    TrainTokenizerConfig,
    knobs,
)
from yocto.report.settings import WHICH, defaults_of, flag, flags
from yocto.report.source import Source


def commands(source: Source) -> list[str]:
    """What to type, in order, with all that is not left at its default and the seed."""
    if source.history.imported:
        place = str(source.settings.get("source", "FOLDER"))
        return [_line("yocto import", [shlex.quote(place)], _named(source))]
    if source.mode == CHAT:
        return [_trained(source, "yocto finetune", [])]
    places = []
    if source.data is not None:
        places = flag("data_dir", str(source.data[0]))
        if source.corpus is not None and source.corpus[0].resolve() != source.data[0].resolve():
            places += flag("tokenizer_path", str(source.corpus[0]))
    else:
        for knob in ("data_dir", "tokenizer_path"):
            if value := source.settings.get(knob):
                places += flag(knob, value)
    mode = source.mode or "token"
    trained = _trained(source, f"yocto train --mode {shlex.quote(mode)}", places)
    return [*_data_commands(source), trained]


def _trained(source: Source, command: str, places: list[str]) -> str:
    settings, defaults = source.settings, defaults_of(source)
    skip = (*WHICH, "mode", "data_dir", "tokenizer_path", "seed", "max_iters", "preset", "device")
    first = flag("preset", settings["preset"]) if settings.get("preset") else []
    length = flag("max_iters", settings["max_iters"]) if "max_iters" in settings else []
    if settings.get("max_iters") == defaults.get("max_iters") and source.mode != CHAT:
        length = []
    seed = flag("seed", settings["seed"]) if "seed" in settings else []
    rest = flags(settings, defaults, skip)
    return _line(command, places, first, rest, length, seed, _named(source))


def _data_commands(source: Source) -> list[str]:
    """How the tokenizer and the token files were made, as far as that is noted."""
    lines = []
    meta = source.data[1] if source.data else None
    if source.mode == "char":
        return [] if meta is None or source.data is None else [_prepared(source)]
    if source.corpus is not None:
        lines.append(_tokenizer_command(source))
    if source.data is not None and meta is not None and meta.made_by == "encode":
        folder = source.corpus[0] if source.corpus else source.data[0]
        made = meta.settings
        texts = ["from_bin"] if "from_bin" in made else []
        paths = [] if texts else flag("text_path", [near(path) for path in meta.sources])
        known = {f.name: f.default for f in knobs(EncodeConfig)}
        told = {k: v for k, v in made.items() if k in known and k != "document_separator"}
        lines.append(
            _line(
                "yocto encode", flag("tokenizer_path", str(folder)), paths,
                flags(told, known, ()), flag("out_dir", str(source.data[0])),
            )
        )  # fmt: skip
    return lines


def _prepared(source: Source) -> str:
    assert source.data is not None
    folder, meta = source.data
    known = {f.name: f.default for f in knobs(PrepareCharConfig)}
    told = {k: v for k, v in meta.settings.items() if k in known and k != "document_separator"}
    for name in ("lowercase", "normalize"):
        told[name] = getattr(source.tokenizer, name, known[name])
    paths = flag("text_path", [near(path) for path in meta.sources])
    return _line("yocto prepare-char", paths, flags(told, known, ()),
                 flag("out_dir", str(folder)))  # fmt: skip


def _tokenizer_command(source: Source) -> str:
    assert source.corpus is not None
    assert source.tokens is not None
    folder, content = source.corpus
    tokens, known = source.tokens, {f.name: f.default for f in knobs(TrainTokenizerConfig)}
    told: dict[str, Any] = {k: v for k, v in content.items() if k in known}
    told |= {"kind": tokens.kind, "normalize": tokens.normalize or "none"}
    if tokens.kind != "word" and tokens.pattern:
        told["pattern"] = tokens.pattern
    told["byte_fallback"] = bool(getattr(source.tokenizer, "byte_fallback", False))
    usual = ["<|endoftext|>"] if tokens.kind == "byte-bpe" else ["<unk>", "<pad>", "<bos>", "<eos>"]
    special = list(tokens.special_tokens)
    paths = [near(str(path)) for path in content["paths"]]
    return _line(
        "yocto train-tokenizer", flag("text_path", paths), flags(told, known, ("vocab_size",)),
        flag("special_token", special) if special != usual else [],
        flag("vocab_size", tokens.vocab_size), flag("out_dir", str(folder)),
    )  # fmt: skip


def _named(source: Source) -> list[str]:
    """The run's name, and its folder where that is not the usual one."""
    run = source.history.run
    folder = near(str(run.path.absolute().parent))
    place = [] if folder == "checkpoints" else flag("ckpt_dir", folder)
    return [*flag("run_name", run.name), *place]


def chosen(source: Source) -> list[str]:
    """The run as other commands take it: --ckpt, and its folder where that is not the usual one."""
    return ["--ckpt", *_named(source)[1:]]


def sample_command(source: Source) -> str | None:
    """What writes the first of the run's samples that was drawn again; None where none was."""
    found = [one for one in source.written if not one.question]
    if not found:
        return None
    one = max(found, key=lambda one: one.temperature)
    prompt = flag("prompt", one.prompt) if one.prompt else []
    return _line(
        "yocto sample", chosen(source), prompt, flag("temperature", f"{one.temperature:g}"),
        flag("max_new_tokens", one.most), flag("seed", one.seed),
    )  # fmt: skip


def near(path: str) -> str:
    """A path as it is typed here, without the folders that only this machine has."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _line(command: str, *parts: list[str]) -> str:
    return " ".join([command, *(word for part in parts for word in part)])
