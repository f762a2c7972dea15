"""Every file that yocto reads, damaged a thousand times: it works, or a YoctoError tells why not.

Nothing hangs, nothing takes more than 1 GiB of memory, and no code in a file runs. A failure names
the variant; `python tests/mutate_worker.py KIND SEED NUMBER` makes it again.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mutate
import mutate_worker
import pytest
import torch
from mutate_worker import GIB, Job, Report

from yocto.errors import YoctoError
from yocto.tokenizer.char import CharTokenizer

KINDS = [name for name in mutate_worker.KINDS if not name.startswith("!")]


class Worker:
    """The process that reads the files; one that has died is started again."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        if self.process is None or self.process.poll() is not None:
            one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", mutate_worker.__file__],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env={**os.environ, **one_thread},
            )  # fmt: skip
        return self.process

    def stop(self) -> None:
        if self.process is not None:
            assert self.process.stdin and self.process.stdout
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()

    def run(self, job: Job) -> tuple[Report, str]:
        """The report of a job, and how it broke off, if it did."""
        process = self.start()
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(dataclasses.asdict(job)) + "\n")
        process.stdin.flush()
        status = process.stdout.readline().strip() or "dead"
        folder = Path(job.folder)
        if (folder / "report.json").exists():
            return Report(**json.loads((folder / "report.json").read_text())), ""
        number = int((folder / "at").read_text())
        stuck = (folder / "stuck").read_text()
        how = f"took more than {job.seconds} s" if stuck else f"killed the process ({status})"
        return Report(), f"{again(job, number)} {how}\n{stuck}"


def again(job: Job, number: int | str) -> str:
    """A variant, as the command that makes it again."""
    return f"python tests/mutate_worker.py {job.kind} {job.seed} {number}:"


def check(worker: Worker, job: Job) -> None:
    """Fail where a variant of the job did, and tell how to make it again."""
    report, broken = worker.run(job)
    faults = [f"{again(job, number)}\n{fault}" for number, fault in report.failures.items()]
    assert not broken, broken
    assert not faults, f"{report.failed} of {job.count} variants failed\n\n" + "\n".join(faults)
    assert report.worked + report.refused == job.count
    assert report.refused or job.kind in ("metrics", "pointers")  # the damage does meet the reader
    assert report.bytes < GIB, f"{job.kind} took {report.bytes:,} bytes"


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.stop()


@pytest.fixture
def folder() -> Iterator[str]:
    """A folder in memory where there is such: the files are written thousands of times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_damaged_variants_end_in_a_result_or_in_a_yocto_error(kind, worker, folder):
    check(worker, Job(kind, 1, 1000, folder))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_damaged_variants_do(kind, worker, folder):
    check(worker, Job(kind, 2, 10_000, folder))


# --------------------------------------------------------------------------------- of the harness


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("!e", r"(?s)20 variants failed.*mutate_worker\.py !e 7 0:.*ZeroDivisionError"),
        ("!h", r"(?s)mutate_worker\.py !h 7 \d+: took more than 0\.5 s.*in _hang"),
        ("!d", r"mutate_worker\.py !d 7 \d+: killed the process \((-9|dead)\)"),
        ("!m", "too much memory was asked for|took [0-9,]+ bytes"),
    ],
)
def test_a_reader_that_fails_hangs_dies_or_hoards_would_be_found(kind, fault, worker, folder):
    with pytest.raises(AssertionError, match=fault):
        check(worker, Job(kind, 7, 20, folder, seconds=0.5))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["bytes", *mutate.STRUCTURAL])
def test_the_same_seed_makes_the_same_damage(form):
    def variants(seed: int) -> list[bytes]:
        return [mutate.damage(data, form, random.Random(f"{seed} {n}")) for n in range(60)]

    data = b'{"a": [1, 2], "b": {"c": "text", "d": 0.5}}'
    if form == "regex":
        data = b'{"pre_tokenizer": {"pretokenizers": [{"pattern": {"Regex": "a"}}]}}'
    if form == "pt":
        torch.save({"a": torch.zeros(3), "b": [1, 2.5, "text"]}, stream := io.BytesIO())
        data = stream.getvalue()
    assert variants(1) == variants(1)
    assert variants(1) != variants(2)
    assert len(set(variants(1)) - {data}) > 40


# ----------------------------------------------------------- what was found, each once more by name


def write(data: bytes | str) -> Callable[[Path], None]:
    return lambda file: file.write_bytes(data.encode() if isinstance(data, str) else data) and None


def put(path: str, value: Any) -> Callable[[Path], None]:
    """Another value at a place of a JSON file."""
    *outer, last = path.split("/")

    def change(file: Path) -> None:
        tree = content = json.loads(file.read_text())
        for key in outer:
            tree = tree[int(key) if isinstance(tree, list) else key]
        tree[last] = value
        file.write_text(json.dumps(content))

    return change


def tensor(
    change: Callable[[torch.Tensor], Any], changed: str = "exp_avg"
) -> Callable[[Path], None]:
    """Another first mean in trainer.pt: Muon's momentum or AdamW's exp_avg."""
    names = ("momentum", "exp_avg")

    def alter(file: Path) -> None:
        state = torch.load(file, weights_only=True)
        for optimizer, name in zip(state["engine"]["optimizers"], names, strict=True):
            moment = optimizer["state"][0]
            moment[name] = change(moment[name]) if name == changed else moment[name]
        torch.save(state, file)

    return alter


def saved(**values: Any) -> Callable[[Path], None]:
    """Other values in trainer.pt."""
    return lambda file: torch.save({**torch.load(file, weights_only=True), **values}, file)


LETTERS = CharTokenizer(map(chr, range(300))).files()["vocab.json"]
REGEX = "pre_tokenizer/pretokenizers/0/pattern/Regex"
FOUND = {
    "billion laughs": ("settings.yaml", write(mutate.BOMB), "alias"),
    "tables merged a billion times": ("settings.yaml", write(mutate.MERGE_BOMB), "alias"),
    "lists in lists": ("settings.yaml", write("stop: " + mutate.nested(300)), "nested too deeply"),
    "a tag that does not fit": ("settings.yaml", write("n_layer: !!int ''"), "tag"),
    "a key of 7,000 digits": ("settings.yaml", write("? 0x" + "f" * 6000 + "\n: 1"), "digits"),
    "a name that no file can have": ("settings.json", put("data_dir", "a\ud800"), "data_dir"),
    "a regex that grows": ("regex", put(REGEX, "(){99999}"), "too large"),
    "a regex within repeats": ("regex", put(REGEX, "(?:(?:(?:ab){99}){99}){99}"), "too large"),
    "a regex from the end": ("regex", put(REGEX, r"(?r)\w+"), "reads from the end"),
    "flags that exclude each other": ("regex", put(REGEX, "(?a)(?u)a"), "incompatible"),
    "half a character in a regex": ("regex", put(REGEX, "\ud800|a"), "lone surrogate"),
    "a token of 24,000 bytes": ("tiktoken", write("YWFh" * 8000 + " 0"), "24000 bytes"),
    "a path that is too long": ("corpus.json", put("paths", ["a" * 300]), "too long"),
    "half a character in a path": ("corpus.json", put("paths", ["a\ud800"]), "damaged"),
    "a device in place of a text": ("corpus.json", put("paths", [os.devnull]), "damaged"),
    "a number without end": ("token-meta", put("splits/val/bytes", 10**400), "out of range"),
    "a checksum that is none": ("token-meta", put("splits/val/sha256", 5), "that of its files"),
    "an infinite step": ("config.json-sealed", put("step", math.inf), "no count"),
    "settings in a list": ("config.json-sealed", put("train", [[1, 2]]), "no table"),
    "a file with a long name": ("config.json-sealed", put("files/" + "x" * 300, ""), "missing"),
    "two different models": ("config.json-sealed", put("train/block_size", 64), "different models"),
    "more tokens than the model knows": ("run-char-sealed", write(LETTERS), "knows only those"),
    "means without memory of their own": (
        "trainer-sealed", tensor(lambda x: x[:1, :1].expand(x.shape)), "plain tensor",
    ),
    "momentum without memory of its own": (
        "trainer-sealed",
        tensor(lambda x: x[:1, :1].expand(x.shape), "momentum"),
        "plain tensor",
    ),
    "momentum of another shape": (
        "trainer-sealed", tensor(lambda x: x[:-1].clone(), "momentum"), "another shape",
    ),
    "means of complex numbers": ("trainer-sealed", tensor(lambda x: x + 0j), "plain tensor"),
    "means that are not there": ("trainer-sealed", tensor(lambda x: x.to("meta")), "can't be read"),
    "a loss of 400 digits": ("trainer-sealed", saved(best_val_loss=10**400), "not a number"),
    "a time without end": ("trainer-sealed", saved(seconds=math.inf), "not a number"),
    "means of losses that are none": (
        "trainer-sealed", saved(means={"line": (0.5, 1)}), "does not fit",
    ),
    "a mean of 400 digits": (
        "trainer-sealed",
        saved(means={"line": (10**400, 1), "evaluation": (0.0, 0)}),
        "not a number",
    ),
    "an engine that is none": ("trainer-sealed", saved(engine=[1]), "no table"),
    "a position in another order": (
        "trainer-sealed", saved(batches={"epoch": 0, "index": 0}), "does not fit",
    ),
    "a count of tokens without end": ("trainer-sealed", saved(tokens=10**400), "whole number"),
    "a template whose name is a list": (
        "chat-template",
        lambda file: (
            put("chat_template/0/name", [1])(file.with_name("tokenizer_config.json")),
            file.write_text("{{ raise_exception('none is left') }}"),
        ),
        "none is left",
    ),
    "a call that takes memory": ("trainer-sealed", saved(step=mutate.Hoard()), "can't be read"),
    "a call that runs code": ("trainer-sealed", saved(step=mutate.Hostile()), "can't be read"),
}  # fmt: skip


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found_once_is_an_error_now(what, tmp_path, monkeypatch):
    name, change, message = FOUND[what]
    kind = mutate_worker.KINDS[name]
    monkeypatch.chdir(tmp_path)
    kind.make()
    change(Path(next(iter(kind.damaged))))
    kind.seal()
    with pytest.raises(YoctoError, match=message) as caught:
        kind.use()
    assert mutate_worker.wrong_error(caught.value) == ""
    assert not Path(mutate.MARKER).exists()
