"""--engine ray: the files of a local run, whatever dies on the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from encoding import Told, files_in
from ray_nodes import Nodes
from tiny import make_text

from yocto.commands import encode, train_tokenizer
from yocto.config import END_OF_TEXT, EncodeConfig, TrainTokenizerConfig
from yocto.dataset import encode as writer
from yocto.errors import ClusterError, ConfigError, TokenizerError
from yocto.tokenizer import remote_counts
from yocto.tokenizer.char import CharTokenizer
from yocto.utils import cluster_tasks
from yocto.utils.cluster import connected

DOCUMENTS = [make_text(1 + seed % 9, seed) + "ﬁne e\u0301 7\u00b2" for seed in range(40)]


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small text makes some dozen tasks."""
    monkeypatch.setattr(writer, "_BATCH", 500)
    monkeypatch.setattr(remote_counts, "_BATCH", 500)


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "a.txt"
    path.write_text(f"\n{END_OF_TEXT}\n".join(DOCUMENTS), encoding="utf-8")
    return str(path)


@pytest.fixture
def lines(tmp_path: Path) -> str:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": d}) + "\n" for d in DOCUMENTS), encoding="utf-8")
    return str(path)


def train(out: Path, text: str, **knobs) -> dict[str, bytes]:
    """The files of a tokenizer."""
    values = {"vocab_size": 400, "text_path": (text,), "out_dir": str(out), **knobs}
    train_tokenizer.run(TrainTokenizerConfig(**values), Told())
    return {name: data for name, data in files_in(out).items() if name != "corpus.json"}


def encoded(out: Path, progress: Told | None = None, **knobs) -> dict[str, bytes]:
    encode.run(EncodeConfig(out_dir=str(out), **knobs), progress or Told())
    return {name: data for name, data in files_in(out).items() if name != ".lock"}


@pytest.fixture
def tokenizer(tmp_path: Path, text: str) -> str:
    """Where one lies that takes its time: normal forms, and a regex of one's own."""
    train(tmp_path / "tokenizer", text, pattern=r"\w+|\s|.", normalize="nfkc")
    return str(tmp_path / "tokenizer")


# --------------------------------------------------------------------------- the same files


@pytest.mark.parametrize("workers", [1, 5])
def test_the_files_dont_depend_on_the_number_of_workers(
    workers, tmp_path, text, tokenizer, ray_nodes, yocto
):
    flags = ["--text-path", text, "--tokenizer-path", tokenizer, "--json"]
    here = yocto("encode", *flags, "--out-dir", tmp_path / "here")
    there = yocto(
        "encode", *flags, "--out-dir", tmp_path / "there", "--engine", "ray",
        "--address", ray_nodes.address, "--workers", str(workers),
    )  # fmt: skip
    assert files_in(tmp_path / "here") == files_in(tmp_path / "there")
    assert json.loads(there.stdout)["splits"] == json.loads(here.stdout)["splits"]
    assert "on a Ray cluster of 3 nodes with 2 processors" in there.stderr


@pytest.fixture(scope="module")
def on_ray(ray_nodes: Nodes) -> Iterator[dict[str, str]]:
    """What a command is told; one connection, which the others find, keeps workers warm."""
    with connected(ray_nodes.address, None, Told()):
        yield {"engine": "ray", "address": ray_nodes.address}


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"pattern": "gpt4", "normalize": "nfc", "special_token": ("<|endoftext|>", "river")},
        {"pattern": r"\w+|.", "min_frequency": 2, "special_token": ("the river",)},
        {"kind": "char-bpe", "byte_fallback": True, "normalize": "nfkc"},
        {"kind": "word", "vocab_size": 40, "workers": 1},
        {"with_kernel": True},
    ],
    ids=["bytes", "special tokens", "a regex", "characters", "words", "a kernel that adds"],
)
def test_a_tokenizer_is_the_same(knobs, tmp_path, text, on_ray, monkeypatch):
    if knobs.pop("with_kernel", False):
        monkeypatch.setattr(remote_counts, "pay", lambda *_: True)
    there = train(tmp_path / "there", text, **knobs, **on_ray)
    knobs.pop("workers", None)
    assert there == train(tmp_path / "here", text, **knobs)


@pytest.mark.parametrize("shard_tokens", [None, 700])
@pytest.mark.parametrize("source", ["text", "lines", "small_text"])
def test_token_files_are_the_same(source, shard_tokens, tmp_path, tokenizer, request, on_ray):
    knobs = {
        "text_path": (str(request.getfixturevalue(source)),), "tokenizer_path": tokenizer,
        "shard_tokens": shard_tokens, "val_ratio": 0.2,
    }  # fmt: skip
    there = encoded(tmp_path / "there", **on_ray, **knobs)
    assert there == encoded(tmp_path / "here", **knobs)
    assert any(name.startswith("train") for name in there)


def test_token_files_are_encoded_anew_there_too(tmp_path, text, tokenizer, on_ray):
    encoded(tmp_path / "old", text_path=(text,), tokenizer_path=tokenizer)
    train(tmp_path / "other", text)
    knobs = {"from_bin": str(tmp_path / "old"), "tokenizer_path": str(tmp_path / "other")}
    there = encoded(tmp_path / "there", **on_ray, **knobs)
    assert there == encoded(tmp_path / "here", **knobs)


def test_an_error_of_a_task_is_told_as_a_local_run_tells_it(tmp_path, text, on_ray):
    CharTokenizer("ab").save(tmp_path / "char")
    knobs = {"text_path": (text,), "tokenizer_path": str(tmp_path / "char")}
    told = []
    for more in ({}, on_ray):
        with pytest.raises(TokenizerError) as caught:
            encoded(tmp_path / "out", **knobs, **more)
        told.append((type(caught.value), caught.value.message, caught.value.hint))
    assert told[0] == told[1]


def test_an_address_without_the_engine_is_refused():
    for config in (EncodeConfig, TrainTokenizerConfig):
        with pytest.raises(ConfigError, match="nothing is sent there") as caught:
            config(address="local")
        assert "--engine ray" in caught.value.hint
        assert config(address="local", engine="ray").address == "local"


# ------------------------------------------------------------------------------- what dies


class AfterSome(Told):
    """Does something when some batches are written."""

    def __init__(self, batches: int, act: Callable[[], object], beside: bool = False) -> None:
        super().__init__()
        self.left, self.act, self.beside = batches, act, beside
        self.thread = threading.Thread(target=act)  # while the work goes on

    def advance(self, amount: int = 1) -> None:
        super().advance(amount)
        if self.bars[-1][0] == "encoding":
            self.left -= 1
            if self.left == 0 and self.beside:
                self.thread.start()
            elif self.left == 0:
                self.act()


def slow_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A text whose batches take some tenths of a second each."""
    monkeypatch.setattr(writer, "_BATCH", 100_000)
    path = tmp_path / "slow.txt"
    rows = [f"{END_OF_TEXT}\n" if i % 40 == 39 else f"{i * i} {i:x}né{i}\n" for i in range(60_000)]
    path.write_text("".join(rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("dies", ["the workers", "a node"])
def test_what_dies_in_the_middle_is_done_by_the_others(
    dies, tmp_path, tokenizer, on_ray, ray_nodes: Nodes, monkeypatch
):
    knobs = {"text_path": (slow_text(tmp_path, monkeypatch),), "tokenizer_path": tokenizer}
    act = ray_nodes.kill_workers if dies == "the workers" else ray_nodes.kill_a_busy_one
    told = AfterSome(2, act, beside=True)
    try:
        there = encoded(tmp_path / "there", told, **on_ray, **knobs)
    finally:
        told.thread.join()
        while len(ray_nodes.workers) < 2:
            ray_nodes.add()
    assert told.left <= 0
    lost = [line for line in told.lines if "lost with a worker or a node, and done again" in line]
    assert lost, told.lines
    assert there == encoded(tmp_path / "here", **knobs)


@pytest.mark.slow
def test_where_all_nodes_die_another_engine_goes_on(
    tmp_path, tokenizer, on_ray, ray_nodes: Nodes, monkeypatch
):
    monkeypatch.setattr(cluster_tasks, "PATIENCE", 1.0)
    monkeypatch.setattr(writer, "_SAVED", -1.0)
    knobs = {"text_path": (slow_text(tmp_path, monkeypatch),), "tokenizer_path": tokenizer}

    def kill_all() -> None:
        for node in list(ray_nodes.workers):
            ray_nodes.kill(node)

    try:
        with pytest.raises(ClusterError, match="no node of the cluster is left") as caught:
            encoded(tmp_path / "there", AfterSome(3, kill_all), **on_ray, **knobs)
    finally:
        ray_nodes.add()
        ray_nodes.add()
    assert caught.value.hint.endswith("the same command with --resume goes on.")
    told = Told()
    there = encoded(tmp_path / "there", told, **knobs, resume=True)
    assert [bar[2] for bar in told.bars if bar[0] == "encoding"] != [0]  # it did go on
    here = encoded(tmp_path / "here", **knobs)
    assert there == here


def test_what_was_begun_here_goes_on_there(tmp_path, tokenizer, on_ray, monkeypatch):
    monkeypatch.setattr(writer, "_SAVED", -1.0)
    knobs = {"text_path": (slow_text(tmp_path, monkeypatch),), "tokenizer_path": tokenizer}

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encoded(tmp_path / "there", AfterSome(3, stop), **knobs)
    told = Told()
    there = encoded(tmp_path / "there", told, **on_ray, **knobs, resume=True)
    assert [bar[2] for bar in told.bars if bar[0] == "encoding"] != [0]
    assert there == encoded(tmp_path / "here", **knobs)
