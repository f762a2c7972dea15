"""The usual mistakes, as a table: each ends with status 1 or 2, one clear line, a next step, no
traceback, and nothing changed of what was there."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import SHAPE, Project
from tiny import make_text

SMALL = [
    part
    for name, value in {**SHAPE, "max_iters": 4, "eval_interval": 2}.items()
    for part in ("--" + name.replace("_", "-"), str(value))
]


@pytest.fixture
def home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, char_project: Project, token_project: Project
) -> Path:
    """A folder as a user has it: a text, data of both modes, a run of both modes."""
    for project in (char_project, token_project):
        shutil.copytree(project.data, tmp_path / "data" / project.mode)
        shutil.copytree(project.run, tmp_path / "checkpoints" / project.run.name)
    (tmp_path / "book.txt").write_text(make_text(100), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    """A mistake that trains on would take hours."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(signum: int, frame: object) -> None:
        raise TimeoutError("the command did not end")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(100)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


def snapshot(folder: Path) -> dict[str, str]:
    """All files and what is in them."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def check_complaint(status: int, stdout: str, stderr: str, *parts: str) -> None:
    """One line that says what is wrong, one with the next step, and no more of that kind."""
    assert status in (1, 2), stdout + stderr
    assert "Traceback" not in stdout + stderr
    lines = stderr.splitlines()
    (at,) = [i for i, line in enumerate(lines) if line.startswith("error: ")]
    assert lines[at + 1 :] and len(lines[at + 1 :]) == 1, f"one line with the next step: {stderr}"
    assert len(lines[at + 1]) > 10
    for part in parts:
        assert part in "\n".join(lines[at:]), stderr


@dataclass(frozen=True)
class Mistake:
    """What was done to the folder before, what was typed, and what the answer must hold."""

    typed: str
    parts: tuple[str, ...]
    before: Callable[[Path], object] = lambda home: None
    status: int = 1


def write(name: str, content: str | bytes) -> Callable[[Path], object]:
    """Put a file there."""
    data = content.encode() if isinstance(content, str) else content

    def before(home: Path) -> None:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)

    return before


def change(pattern: str, how: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    """Change each file that matches: a run has several checkpoints."""

    def before(home: Path) -> None:
        files = list(home.glob(pattern))
        assert files
        for file in files:
            file.write_bytes(how(file.read_bytes()))

    return before


def changed_json(pattern: str, **values: object) -> Callable[[Path], object]:
    return change(pattern, lambda data: json.dumps({**json.loads(data), **values}).encode())


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def newer_checkpoint(home: Path) -> None:
    for file in home.glob("checkpoints/token-1/step-*/config.json"):
        content = json.loads(file.read_text())
        file.write_text(json.dumps({**content, "version": 99}))


def deep(key: str) -> str:
    return f'{{"{key}": ' + "[" * 100_000 + "]" * 100_000 + "}"


TOKENIZER, STEP = "data/token/tokenizer.json", "checkpoints/token-1/step-*"
TEXTS = ["prepare-char", "train-tokenizer", "encode"]
MISTAKES = {
    # ------------------------------------------------------------------------------------- texts
    **{
        f"{what} text for {command}": Mistake(
            f"{command} --text-path {file} {'--out-dir data/new' * (command != 'encode')}",
            parts, before,
        )
        for command in TEXTS
        for what, file, parts, before in [
            ("missing", "no.txt", ("there is no text file no.txt", "--text-path"), lambda home: 0),
            ("empty", "e.txt", ("there is no text in e.txt", "--text-path"), write("e.txt", "")),
            ("blank", "e.txt", ("there is no text in e.txt",), write("e.txt", " \n\n")),
            ("binary", "b.bin", ("b.bin is not UTF-8 text but binary",),
             write("b.bin", b"\x89PNG\0\0\x01\xff" * 99)),
            ("UTF-16", "u.txt", ("u.txt is not UTF-8 text but binary (or UTF-16)",),
             write("u.txt", "text".encode("utf-16"))),
            ("Latin-1", "l.txt", ("l.txt is not valid UTF-8: byte 0xe9 at offset 3", "iconv"),
             write("l.txt", "caf\xe9 au lait".encode("latin-1"))),
            ("a folder without", "empty", ("no text in the folder empty", ".txt, .md"),
             lambda home: (home / "empty").mkdir()),
            ("a glob without", "no-*.txt", ("no file matches no-*.txt", "--text-path"),
             lambda home: 0),
            ("a truncated", "t.txt.gz", ("t.txt.gz is cut off",),
             write("t.txt.gz", gzip.compress(b"some text " * 999)[:40])),
            ("a damaged", "d.txt.xz", ("d.txt.xz is damaged",), write("d.txt.xz", b"no archive")),
            ("no JSON as", "j.jsonl", ("line 2 in j.jsonl is not valid JSON",),
             write("j.jsonl", '{"text": "a"}\n{"text": \n')),
            ("another key in", "k.jsonl", ("line 1 in k.jsonl has no 'text'; it has 'body'",
             "--text-key body"), write("k.jsonl", '{"body": "a"}\n')),
            ("another column in", "c.csv", ("c.csv has no column 'text'; it has 'a', 'b'",
             "--text-column a"), write("c.csv", "a,b\n1,2\n")),
        ]
    },
    "a one-character corpus for prepare-char": Mistake(
        "prepare-char --text-path a.txt", ("too short to train on: 1 character", "--text-path"),
        write("a.txt", "a"),
    ),
    "a one-character corpus for quickstart": Mistake(
        "quickstart --text-path a.txt --minutes 0.01", ("too short to train on: 1 character",),
        write("a.txt", "a"),
    ),
    "a validation split shorter than block_size": Mistake(
        "train --mode char --run-name short --block-size 2000",
        ("validation split has", "block_size 2000 takes at least 2001", "--val-ratio"),
    ),
    "a training split shorter than block_size": Mistake(
        "train --mode char --data-dir data/tiny --run-name short --block-size 60 --n-embd 16",
        ("split has 40 tokens, but block_size 60 takes", "Use more text"),
        lambda home: tiny_char_data(home / "data" / "tiny"),
    ),
    # ------------------------------------------------------------------------------------- flags
    "an unknown flag": Mistake(
        "train --n-leyer 4", ("yocto train has no option --n-leyer", "--n-layer"), status=2
    ),
    "an unknown command": Mistake(
        "trian", ("yocto has no command 'trian'", "Did you mean yocto train"), status=2
    ),
    "a word that is no flag": Mistake(
        "sample Hello", ("takes options only, and 'Hello' is none", "--help"), status=2
    ),
    "a flag without its value": Mistake("train --n-layer", ("--n-layer", "argument"), status=2),
    "a choice that is none": Mistake(
        "train --family qwen", ("--family is 'qwen'", "gpt2, llama or qwen3", "'qwen3'"), status=2
    ),
    "a number that is none": Mistake(
        "train --n-layer six",
        ("--n-layer is 'six', but it takes a whole number from 1 to 1000",), status=2,
    ),
    "a number out of range": Mistake(
        "sample --top-p 1.5", ("--top-p is 1.5, but it takes a number from 1e-06 to 1",), status=2
    ),
    "a preset that is none": Mistake(
        "train --preset cpu-tokens", ("there is no preset", "'cpu-token'"), status=2
    ),
    "a device that is none": Mistake(
        "train --device gpu", ("device 'gpu' is unknown", "cuda"), status=2
    ),
    "a device that is not there": Mistake(
        "sample --device cuda:77", ("finds no device 'cuda:77'", "--device auto"), status=2
    ),
    "a width that the heads can't share": Mistake(
        "train --run-name w --n-embd 130", ("130 is not a multiple of n_head 4", "136"), status=2
    ),
    "two lengths at once": Mistake(
        "train --minutes 1 --max-iters 5", ("the same in two ways", "--minutes or"), status=2
    ),
    "a depth and a preset at once": Mistake(
        "train --depth 2 --preset cpu-char", ("the same in two ways", "--depth or"), status=2
    ),
    "a logger that is none": Mistake(
        "train --log tensorbord", ("there is no 'tensorbord'", "tensorboard, wandb"), status=2
    ),
    "a key that is none in a file": Mistake(
        "train --config my.yaml",
        ("my.yaml: unknown setting 'n_layers'", "'n_layer'", "from 1 to 1000"),
        write("my.yaml", "n_layers: 3"), status=2,
    ),
    "a type that is wrong in a file": Mistake(
        "train --config my.toml", ("my.toml: n_layer is 'three'", "from 1 to 1000"),
        write("my.toml", 'n_layer = "three"'), status=2,
    ),
    "a file of settings that is broken": Mistake(
        "train --config my.json", ("my.json can't be read as json",), write("my.json", "{"),
        status=2,
    ),
    "a file of settings that is missing": Mistake(
        "train --config my.yaml", ("can't read my.yaml",), status=2
    ),
    "a file of settings of an unknown kind": Mistake(
        "train --config my.ini", ("my.ini is no .yaml, .toml or .json",), write("my.ini", "a=1"),
        status=2,
    ),
    "a --set without a value": Mistake("train --set n_layer", ("KEY=VALUE",), status=2),
    "a --set of an unknown key": Mistake(
        "train --set n_hed=3", ("--set: unknown setting 'n_hed'", "'n_head'"), status=2
    ),
    "a vocabulary smaller than the bytes": Mistake(
        "train-tokenizer --vocab-size 100", ("100", "at least 257"), status=2
    ),
    "a split pattern that is none": Mistake(
        "train-tokenizer --text-path book.txt --pattern gpt5 --out-dir data/new",
        ("there is no split pattern 'gpt5'", "'gpt4"),
    ),
    "a rank file of characters": Mistake(
        "convert-tokenizer --tokenizer-path data/char",
        ("a .tiktoken file holds byte-bpe tokenizers, not char ones", "folder"),
    ),
    "a conversion onto another tokenizer": Mistake(
        "convert-tokenizer --out-path data/char",
        ("data/char/vocab.json is there already", "--out-path"),
    ),
    "a pattern for a tokenizer that has one": Mistake(
        "convert-tokenizer --pattern gpt4",
        ("data/token/tokenizer.json tells by itself how text is split", "--pattern"), status=2,
    ),
    "a flag of another command": Mistake(
        "train --text-path book.txt",
        ("has no option --text-path", "belongs to yocto quickstart, prepare-char"), status=2,
    ),
    "an output in the place of its input": Mistake(
        "prepare-char --text-path data/mine/train.bin --out-dir data/mine",
        ("data/mine/train.bin would be overwritten", "--out-dir"),
        write("data/mine/train.bin", "a text of mine\n" * 99),
    ),
    "a regex that is none": Mistake(
        "train-tokenizer --text-path book.txt --pattern '(' --out-dir data/new",
        ("'(' is no valid regex", "gpt2"),
    ),
    # ----------------------------------------------------------------------------------- inspect
    "a path to inspect that is not there": Mistake(
        "inspect tokn-1", ("there is no file, folder or run tokn-1", "'token-1'", "a text file")
    ),
    "a folder of nothing that inspect knows": Mistake(
        "inspect data", ("data holds nothing that inspect knows", "In it: char, token.")
    ),
    "a picture to inspect": Mistake(
        "inspect a.png", ("a.png is neither text nor", "tokenizers"),
        write("a.png", b"\x89PNG\0\0\x01\xff" * 99),
    ),
    "token files to verify that are altered": Mistake(
        "inspect data/token --verify", ("val.bin is altered", "yocto encode"),
        change("data/token/val.bin", lambda data: data[2:4] + data[:2] + data[4:]),
    ),
    "a checkpoint to verify that is altered": Mistake(
        "inspect token-1 --verify", ("trainer.pt is missing, truncated or altered",),
        change(f"{STEP}/trainer.pt", flipped),
    ),
    "a tokenizer for a text to inspect": Mistake(
        "inspect book.txt --tokenizer-path data/token", ("book.txt is no token file",), status=2
    ),
    # -------------------------------------------------------------------------------- tokenizers
    "no tokenizer at all": Mistake(
        "encode --tokenizer-path data/none", ("data/none is not there", "train-tokenizer")
    ),
    "a sentencepiece model that is none": Mistake(
        "encode --text-path book.txt --tokenizer-path data/new/tokenizer.model",
        ("data/new/tokenizer.model",), write("data/new/tokenizer.model", "nonsense"),
    ),
    "a tokenizer.json cut off": Mistake(
        "encode --text-path book.txt", ("tokenizer.json is not valid JSON",),
        change(TOKENIZER, half),
    ),
    "a tokenizer.json nested without end": Mistake(
        "encode --text-path book.txt", ("tokenizer.json is not valid JSON",),
        write(TOKENIZER, deep("model")),
    ),
    "a tokenizer.json of another kind": Mistake(
        "encode --text-path book.txt", ("its model is 'Unigram'",),
        changed_json(TOKENIZER, model={"type": "Unigram", "vocab": []}),
    ),
    "a tokenizer.json whose regex takes for ever": Mistake(
        "encode --text-path b.txt", ("takes for ever", "nested repeats"),
        lambda home: evil_regex(home),
    ),
    "a tokenizer.json whose ids lie far apart": Mistake(
        "encode --text-path book.txt", ("ids go up to 16777000",),
        change(TOKENIZER, lambda data: data.replace(b'"id": 299', b'"id": 16777000').replace(
            b'"<|endoftext|>": 299', b'"<|endoftext|>": 16777000')),
    ),
    "a vocab.json of characters that is altered": Mistake(
        "train --mode char --run-name x", ("vocab.json", "prepare-char"),
        changed_json("data/char/vocab.json", stoi={"a": 5}),
    ),
    "a meta.json cut off": Mistake(
        "train --run-name x", ("meta.json is not valid JSON", "yocto encode"),
        change("data/token/meta.json", half),
    ),
    "a meta.json with a hostile size": Mistake(
        "train --run-name x", ("meta.json is damaged",),
        changed_json("data/token/meta.json", vocab_size=10**12),
    ),
    "a truncated .bin": Mistake(
        "train --run-name x", ("train.bin has", "meta.json tells of", "yocto encode"),
        change("data/token/train.bin", half),
    ),
    "an altered .bin": Mistake(
        "train --run-name x", ("val.bin is altered", "yocto encode"),
        change("data/token/val.bin", flipped),
    ),
    "token files of another tokenizer": Mistake(
        "train --mode char --run-name x", ("were made with another tokenizer", "prepare-char"),
        changed_json("data/char/meta.json", tokenizer_sha256="0" * 64),
    ),
    "no data at all": Mistake(
        "train --data-dir data/none", ("there is no tokenizer in data/none", "train-tokenizer")
    ),
    "char data in token mode": Mistake(
        "train --data-dir data/char", ("is a char tokenizer", "--mode char")
    ),
    "a text as data": Mistake("train --data-dir book.txt", ("book.txt is a file", "--text-path")),
    # ------------------------------------------------------------------------------- checkpoints
    "no such run": Mistake(
        "sample --ckpt token-11", ("no run or checkpoint 'token-11'", "token-1")
    ),
    "no run at all": Mistake(
        "chat --ckpt-dir elsewhere", ("no trained run under elsewhere", "yocto train")
    ),
    **{
        f"{what} {name}": Mistake(
            f"{command} --ckpt token-1", (name, "--ckpt"), change(f"{STEP}/{name}", how)
        )
        for command, what, name, how in [
            ("sample", "truncated", "model.safetensors", half),
            ("sample", "altered", "model.safetensors", flipped),
            ("chat", "truncated", "config.json", half),
            ("chat", "altered", "config.json", lambda data: data.replace(b'"step"', b'"Step"')),
            ("sample", "truncated", "tokenizer.json", half),
            ("chat", "altered", "tokenizer.json", flipped),
        ]
    },
    "an altered trainer.pt": Mistake(
        "train --run-name token-1 --resume auto --max-iters 99", ("trainer.pt", "altered"),
        change(f"{STEP}/trainer.pt", flipped),
    ),
    "a checkpoint of a newer format": Mistake(
        "sample --ckpt token-1", ("format version 99; this yocto reads 1", "pip install -U"),
        newer_checkpoint,
    ),
    "prompt characters that a char model never saw": Mistake(
        "sample --ckpt char-1 --prompt Ωméga€", ("'Ω' (U+03A9)", "'€' (U+20AC)"),
    ),
    "a prompt that is no text": Mistake(
        "sample --prompt @p.txt", ("p.txt is not valid UTF-8",), write("p.txt", b"caf\xe9")
    ),
    "a context longer than the model's": Mistake(
        "chat --max-ctx-tokens 5000", ("max_ctx_tokens is 5000", "at most 48"), status=2
    ),
    # -------------------------------------------------------------------------------------- runs
    "a run's name that is taken": Mistake(
        "train --run-name token-1", ("is there already", "--resume auto", "--overwrite", "token-2")
    ),
    "a run's name that is none": Mistake(
        "train --run-name ../x", ("can't be a run's name", "letters")
    ),
    "a resume with another architecture": Mistake(
        "train --run-name token-1 --resume auto --n-layer 3",
        ("keeps its architecture", "n_layer 1 -> 3", "--run-name"),
    ),
    "a resume and an overwrite": Mistake(
        "train --run-name token-1 --resume auto --overwrite", ("contradict",)
    ),
    "a resume on other data": Mistake(
        "train --run-name token-1 --resume auto --max-iters 30 --data-dir data/other",
        ("the text is not the one that token-1 was trained on",),
        lambda home: other_data(home),
    ),
    "a run to plot that is not there": Mistake(
        "plot tokn-1", ("there is no run 'tokn-1'", "Did you mean 'token-1'?", "char-1"),
    ),
    "a run to compare that is not there": Mistake(
        "runs compare token-1 zzz", ("there is no run 'zzz'", "the newest first: ", "char-1"),
    ),
    "a comparison of one": Mistake(
        "runs compare token-1 checkpoints/token-1", ("two different runs or more, not 1",),
        status=2,
    ),
    "a comparison of none": Mistake(
        "runs compare", ("two different runs or more, not 0", "yocto runs"), status=2
    ),
    "a picture of another kind": Mistake(
        "plot --out-path a.pdf", ("out_path is 'a.pdf'", ".png or an .svg"), status=2
    ),
    "a picture in the place of a folder": Mistake(
        "plot --out-path data/a.png", ("can't write data/a.png",),
        lambda home: (home / "data" / "a.png").mkdir(),
    ),
    "a picture of what no run has measured": Mistake(
        "plot --y grad-norm", ("there is no grad-norm over steps to draw", "--y loss"),
        lambda home: [file.write_text("") for file in home.glob("checkpoints/*/metrics.jsonl")],
    ),
    "a picture of no run": Mistake(
        "plot --ckpt-dir none", ("there is no trained run under none", "yocto train")
    ),
    "a folder of runs that is not there": Mistake(
        "runs --ckpt-dir none", ("there is no folder none", "--ckpt-dir checkpoints")
    ),
    "a model too large for the memory": Mistake(
        "train --run-name big --n-layer 900 --n-embd 65536 --n-head 8",
        ("to train", "are free", "--n-embd"),
    ),
}  # fmt: skip


def tiny_char_data(folder: Path) -> None:
    from yocto.commands import prepare_char
    from yocto.config import PrepareCharConfig
    from yocto.utils.progress import SilentProgress

    text = folder.parent / "tiny.txt"
    folder.mkdir(parents=True)
    text.write_text("ab" * 40)
    config = PrepareCharConfig(text_path=(str(text),), out_dir=str(folder), val_ratio=0.5)
    prepare_char.run(config, SilentProgress())


def evil_regex(home: Path) -> None:
    content = json.loads((home / TOKENIZER).read_text())
    split = {"type": "Split", "pattern": {"Regex": r"(x+x+)+y"}, "behavior": "Isolated"}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, byte_level]}
    (home / TOKENIZER).write_text(json.dumps(content))
    (home / "b.txt").write_text("x" * 5000)


def other_data(home: Path) -> None:
    from yocto.commands import encode
    from yocto.config import EncodeConfig
    from yocto.utils.progress import SilentProgress

    config = EncodeConfig(
        text_path=("book.txt",), tokenizer_path=TOKENIZER, out_dir="data/other", val_ratio=0.3
    )
    encode.run(config, SilentProgress())


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_ends_with_a_clear_line_and_harms_nothing(home: Path, yocto, name: str) -> None:
    mistake = MISTAKES[name]
    mistake.before(home)
    there = snapshot(home)
    result = yocto(*shlex.split(mistake.typed))
    check_complaint(result.exit_code, result.stdout, result.stderr, *mistake.parts)
    assert result.exit_code == mistake.status
    assert result.stdout == ""
    now = snapshot(home)
    assert {file: now.get(file) for file in there} == there
    # Nothing half made is left either; a folder for the output may have been.
    assert not [file for file in now.keys() - there.keys() if "checkpoints" in file]


# --------------------------------------------------------------------------- what is no mistake


def test_what_is_no_mistake_goes_on_with_a_notice(home: Path, yocto) -> None:
    (home / "tiny.txt").write_text("abab abab")
    few = yocto("train-tokenizer", "--text-path", "tiny.txt", "--out-dir", "data/few")
    assert (few.exit_code, "note: " in few.stdout) == (0, True)

    long = yocto("sample", "--prompt", "the river " * 60, "--max-new-tokens", "3")
    assert long.exit_code == 0
    assert re.search(r"note: the prompt has \d+ tokens; the model sees the last 48", long.stderr)

    nothing = yocto("train", "--run-name", "new", "--resume", "auto", *SMALL)
    assert nothing.exit_code == 0
    assert "note: there is no run 'new' under checkpoints to resume" in nothing.stderr

    done = yocto("train", "--run-name", "new", "--resume", "auto")
    assert done.exit_code == 0
    assert "is finished" in done.stdout
    assert "--max-iters 8" in done.stdout

    yocto("train-tokenizer", "--text-path", "book.txt", "--vocab-size", "280")
    stale = yocto("train", *SMALL)
    assert stale.exit_code == 0
    assert "note: the tokenizer has changed" in stale.stderr


def test_a_corpus_of_one_character_over_and_over_trains(home: Path, yocto) -> None:
    (home / "a.txt").write_text("a" * 2000)
    assert yocto("prepare-char", "--text-path", "a.txt", "--out-dir", "data/a").exit_code == 0
    trained = yocto("train", "--mode", "char", "--data-dir", "data/a", *SMALL)
    assert trained.exit_code == 0, trained.stderr
    sampled = yocto("sample", "--max-new-tokens", "5")
    assert sampled.exit_code == 0


def test_a_message_longer_than_the_context_is_refused_with_both_numbers(home: Path, yocto) -> None:
    result = yocto("chat", "--max-new-tokens", "3", input="the river " * 60 + "\n/exit\n")
    assert result.exit_code == 0
    assert re.search(r"is \d+ tokens long .* at most 32", result.stderr)
    assert result.stdout == ""


# ------------------------------------------------------------------------------------- the disk


def run_yocto(home: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """yocto in a process of its own, after a line of Python."""
    code = f"{before}\nimport sys; from yocto.cli.app import main; sys.argv[0] = 'yocto'; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=home, capture_output=True, text=True, timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.fixture
def read_only(home: Path) -> Iterator[Path]:
    """A folder with data and a run in it that can't be written to, not even by root."""
    folder = home / "locked"
    folder.mkdir()
    for name in ("data", "checkpoints"):
        shutil.copytree(home / name, folder / name)
    mounts = [["mount", "--bind", str(folder), str(folder)],
              ["mount", "-o", "remount,ro,bind", str(folder)]]  # fmt: skip
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        try:
            done = [subprocess.run(m, capture_output=True).returncode for m in mounts]
        except FileNotFoundError:
            done = [1]
        if any(done):
            subprocess.run(["umount", str(folder)], capture_output=True)
            pytest.skip("root here may not mount, and permissions don't stop root")
    else:
        for place in [folder, *folder.rglob("*")]:
            if place.is_dir():
                place.chmod(0o555)
    yield folder
    if root:
        subprocess.run(["umount", str(folder)], check=True)
    else:
        for place in [folder, *folder.rglob("*")]:
            if place.is_dir():
                place.chmod(0o755)


READ_ONLY = {
    "prepare-char": "prepare-char --text-path book.txt --out-dir locked/data/char",
    "train-tokenizer": "train-tokenizer --text-path book.txt --vocab-size 300 --out-dir locked/new",
    "encode": "encode --text-path book.txt --out-dir locked/data/token",
    "train": "train --ckpt-dir locked/checkpoints",
    "resume": "train --ckpt-dir locked/checkpoints --resume auto --max-iters 40",
    "quickstart": "quickstart --text-path book.txt --minutes 0.01 --out-dir locked/quick",
}


@pytest.mark.parametrize("name", READ_ONLY)
def test_a_read_only_folder_is_told_before_any_work(
    home: Path, read_only: Path, yocto, name: str
) -> None:
    there = snapshot(home)
    result = yocto(*READ_ONLY[name].split())
    check_complaint(result.exit_code, result.stdout, result.stderr, "locked", "may write to")
    assert "step " not in result.stderr  # nothing was trained in vain
    assert snapshot(home) == there


FULL = {
    "prepare-char": ("prepare-char --text-path book.txt", 4_000),
    "train-tokenizer": ("train-tokenizer --text-path book.txt --vocab-size 300", 4_000),
    "encode": ("encode --text-path book.txt", 4_000),
    "train": (" ".join(["train --run-name new", *SMALL]), 20_000),
    "train, within the weights": (" ".join(["train --run-name new", *SMALL]), 9_000),
    "resume": ("train --run-name token-1 --resume auto --max-iters 22", 20_000),
}


@pytest.mark.parametrize("name", FULL)
def test_a_full_disk_harms_nothing_that_was_there(home: Path, name: str) -> None:
    # No file may grow beyond the limit: what a full disk is to a program, without filling one.
    pytest.importorskip("resource")
    typed, limit = FULL[name]
    before = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
    )
    there = snapshot(home)
    for name in ("metrics.jsonl", "config.yaml"):  # small, and written whole
        there.pop(f"checkpoints/token-1/{name}", None)
    result = run_yocto(home, *typed.split(), before=before)
    check_complaint(
        result.returncode, result.stdout, result.stderr, "can't write", "ree some space"
    )
    now = snapshot(home)
    assert {file: now.get(file) for file in there} == there
    assert not [file for file in now if file.endswith((".tmp", ".new", ".lock"))]


def test_a_run_on_a_real_full_disk_keeps_its_last_checkpoint(home: Path, yocto) -> None:
    disk = home / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        first = yocto("train", *SMALL, "--ckpt-dir", "disk", "--run-name", "r")
        assert first.exit_code == 0, first.stderr
        free = shutil.disk_usage(disk).free
        (disk / "filler").write_bytes(b"x" * (free - 20_000))
        more = yocto("train", "--ckpt-dir", "disk", "--run-name", "r", "--resume", "auto",
                     "--max-iters", "8")  # fmt: skip
        check_complaint(more.exit_code, more.stdout, more.stderr, "No space left", "ree some space")
        (disk / "filler").unlink()
        again = yocto("train", "--ckpt-dir", "disk", "--run-name", "r", "--resume", "auto",
                      "--max-iters", "8")  # fmt: skip
        assert again.exit_code == 0, again.stderr
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


# ------------------------------------------------------------------------------- memory, locks


def test_out_of_memory_while_training_is_told(home: Path) -> None:
    pytest.importorskip("resource")
    before = (
        "import resource, torch\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 10**9, used + 10**9))"
    )
    if not Path("/proc/self/statm").exists():
        pytest.skip("no /proc")
    there = snapshot(home)
    result = run_yocto(
        home, "train", "--run-name", "big", *SMALL, "--batch-size", "100000", before=before
    )
    check_complaint(
        result.returncode, result.stdout, result.stderr, "out of memory", "--batch-size"
    )
    assert snapshot(home) == there


def test_two_trainings_on_one_name_at_once_are_kept_apart(home: Path, yocto) -> None:
    long = [*SMALL, "--max-iters", "100000", "--eval-interval", "100000"]
    first = subprocess.Popen(
        [sys.executable, "-m", "yocto", "train", "--run-name", "same", *long],
        cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(home / "checkpoints" / "same" / "metrics.jsonl")
        second = yocto("train", "--run-name", "same", *SMALL)
        check_complaint(
            second.exit_code, second.stdout, second.stderr,
            "checkpoints/same is being trained right now", str(first.pid), "--run-name same-1",
        )  # fmt: skip
        overwriting = yocto("train", "--run-name", "same", "--overwrite", *SMALL)
        assert overwriting.exit_code == 1
        first.terminate()
        assert first.wait(60) == 130
    finally:
        first.kill()
    resumed = yocto("train", "--run-name", "same", "--resume", "auto", "--show-config")
    assert resumed.exit_code == 0
    assert not (home / "checkpoints" / "same" / ".lock").exists()


def test_the_lock_of_a_killed_training_holds_nobody_up(home: Path, yocto) -> None:
    long = [*SMALL, "--max-iters", "100000", "--eval-interval", "100000"]
    first = subprocess.Popen(
        [sys.executable, "-m", "yocto", "train", "--run-name", "same", *long],
        cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(home / "checkpoints" / "same" / ".lock")
    first.kill()
    first.wait(60)
    assert (home / "checkpoints" / "same" / ".lock").exists()
    assert yocto("train", "--run-name", "same", *SMALL).exit_code == 0


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_trainings_without_a_name_at_once_get_two_names(home: Path) -> None:
    command = [sys.executable, "-m", "yocto", "train", *SMALL]
    both = [
        subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    assert [process.wait(100) for process in both] == [0, 0]
    for process in both:
        process.communicate()
    names = {file.parent.name for file in home.glob("checkpoints/*/latest")}
    assert names == {"char-1", "token-1", "token-2", "token-3"}


def test_a_run_that_is_being_replaced_stays_until_the_new_one_has_a_checkpoint(
    home: Path, yocto
) -> None:
    long = [*SMALL, "--max-iters", "100000", "--eval-interval", "100000"]
    metrics = home / "checkpoints" / "token-1" / "metrics.jsonl"
    before = metrics.read_bytes()
    new = subprocess.Popen(
        [sys.executable, "-m", "yocto", "train", "--run-name", "token-1", "--overwrite", *long],
        cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not metrics.exists() or metrics.read_bytes() == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    new.kill()
    new.wait(60)
    sampled = yocto("sample", "--ckpt", "token-1", "--max-new-tokens", "3", "--json")
    assert sampled.exit_code == 0, sampled.stderr
    replaced = yocto("train", "--run-name", "token-1", "--overwrite", *SMALL)
    assert replaced.exit_code == 0, replaced.stderr
    steps = {step.name for step in (home / "checkpoints" / "token-1").glob("step-*")}
    assert max(steps) == "step-000004"
    assert not list((home / "checkpoints" / "token-1").glob(".*"))


def test_the_tokenizer_that_makes_room_for_another_kind_is_named(home: Path, yocto) -> None:
    result = yocto("train-tokenizer", "--kind", "word", "--text-path", "book.txt", "--quiet")
    assert "note: the byte-bpe tokenizer in data/token makes room for the word one" in result.stderr


def test_a_full_disk_under_standard_output_is_one_line(home: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    for arguments in (["train", "--help"], ["--version"], ["sample", "--max-new-tokens", "3"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "yocto", *arguments],
                cwd=home, stdout=full, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        check_complaint(done.returncode, "", done.stderr, "No space left")
