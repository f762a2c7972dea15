"""yocto bench by itself: which parts it runs with what, and the table that it makes of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from yocto import __version__
from yocto.bench.decoding import DecodeBench, DecodeRow
from yocto.bench.encoding import EncodeRow
from yocto.bench.evaluating import EvalBench, EvalRow
from yocto.bench.files import FileBench
from yocto.bench.machine import Machine
from yocto.bench.tokenizer import TokenizerBench
from yocto.bench.tokenizer_training import TrainRow
from yocto.bench.training import TrainBench
from yocto.bench.training_speed import SpeedRow
from yocto.commands import (
    bench,
    bench_decode,
    bench_encode,
    bench_eval,
    bench_tokenizer,
    bench_train,
)
from yocto.config import Config

PEERED = ("tokenizer", "encode", "train", "decode")  # the others have none to choose
HERE = Machine("A processor", 2, "Linux", "3.11.7")


def encoded(name: str, threads: int, speed: float | None, ratio: float | None, reason=None) -> Any:
    return EncodeRow(name, None if name == "yocto" else "1.2", threads, "call",
                     warm_mb_per_s=speed, warm_ratio=ratio, reason=reason)  # fmt: skip


def made_tokenizer(peers: bool = True) -> TokenizerBench:
    encode, train = [], []
    for n in (1, 2):
        encode += [encoded("yocto", n, 400.0, 1.0)]
        train += [TrainRow("yocto", "0", n, "", 0.5, 1.0)]
        if peers:
            encode += [
                encoded("gigatoken", n, 500.0, 1.25), encoded("tiktoken", n, 20.0, 0.05),
                encoded("rustbpe", n, None, None, "not installed: pip install 'yocto[bench]'"),
            ]  # fmt: skip
            train += [
                TrainRow("rustbpe", "0.1", n, "", 2.0, 0.25),
                TrainRow("x", "2", n, "", 4.0, 0.1),
            ]
    return TokenizerBench(HERE, 2_500_000, "trained", 8000, "gpt2", 8000, 2, encode, train)


def made_files() -> FileBench:
    rows = [encoded("yocto", 1, 200.0, 1.0), encoded("yocto, in memory", 1, 900.0, 4.5),
            encoded("tiktoken", 1, 10.0, 0.05)]  # fmt: skip
    return FileBench(HERE, 2_500_000, "trained", 8000, "gpt2", 2, rows)


def made_training() -> TrainBench:
    rows = [
        SpeedRow("yocto", "0", 1, "", 800_000, 9000.0, 1.0),
        SpeedRow("transformers", "5.2", 1, "", 800_000, 6000.0, 2 / 3),
        SpeedRow("matmul", "2", 1, "", gflops=60.0, share=1.0),
    ]
    return TrainBench(HERE, "2", 1, 100, 60, 10, 3, 1.0, None, {}, 2, [], rows)


def made_decoding() -> DecodeBench:
    def row(name: str, size: int, speed: float, ratio: float) -> DecodeRow:
        return DecodeRow(name, "5.2", 1, "", size, speed, ratio)

    rows = [
        row("yocto", 1, 300.0, 1.0), row("yocto, int8", 1, 900.0, 3.0),
        row("yocto, batch", 16, 1200.0, 4.0), row("no-cache", 1, 10.0, 1 / 30),
        row("transformers", 1, 100.0, 1 / 3), row("transformers, batch", 16, 600.0, 2.0),
        row("memory", 1, 400.0, 1.3),
    ]  # fmt: skip
    ratios = {"batch / transformers' batch": 2.0}
    return DecodeBench(HERE, "2", 1, {}, 13_800_000, 16, 128, 2, rows, ratios)


def made_evaluation() -> EvalBench:
    rows = [EvalRow("yocto", "0", 1, "", 950.0, 0.95, 9.0),
            EvalRow("forward pass", "2", 1, "", 1000.0, 1.0),
            EvalRow("forward pass, loss", "2", 1, "", 800.0, 0.8, 9.0)]  # fmt: skip
    return EvalBench(HERE, "2", 1, {}, 1_800_000, 8, 4096, 2, rows)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Config]:
    """Parts that give made figures; what each was asked to do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "text.txt").write_text("some text")
    found: dict[str, Config] = {}
    parts = [(bench_tokenizer, made_tokenizer), (bench_encode, made_files),
             (bench_train, made_training), (bench_decode, made_decoding),
             (bench_eval, made_evaluation)]  # fmt: skip
    for module, make in parts:
        name = module.__name__.rpartition("_")[2]

        def run(config: Config, progress: Any, name=name, make=make) -> Any:
            found[name] = config
            return make()

        monkeypatch.setattr(module, "run", run)
    return found


def test_the_table_has_the_quickest_peer_of_each_task_and_fits_80_columns(yocto, asked) -> None:
    result = yocto("bench", "--text-path", "text.txt")
    assert result.exit_code == 0, result.stderr
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    for line in (
        "learn 8,000 tokens, 1 thread 0.50 s rustbpe 0.1 2.00 4.00",
        "encode, 2 threads 400 MB/s gigatoken 1.2 500 0.80",
        "text file to .bin, 1 thread 200 MB/s tiktoken 1.2 10.0 20.0",
        "train a GPT-2 of 0.8M, 1 thread 9,000 tokens/s transformers 5.2 6,000 1.50",
        "write 1 text, 13.8M, 1 thread 300 tokens/s transformers 5.2 100 3.00",
        "write 16 texts, 13.8M, 1 thread 1,200 tokens/s transformers 5.2 600 2.00",
        "evaluate, 1.8M, 1 thread 950 tokens/s forward pass 1,000 0.95",
    ):
        assert line in lines
    head = result.stdout.split("\n\n")[0]
    for word in (f"yocto {__version__}", "torch ", "numba ", "Python ", "core", "2.50 MB of text"):
        assert word in head
    assert "rustbpe 1.2: not installed" in result.stdout
    assert [line for line in result.stderr.splitlines() if " of 5: " in line] == [
        "1 of 5: bench tokenizer", "2 of 5: bench encode", "3 of 5: bench train",
        "4 of 5: bench decode", "5 of 5: bench eval",
    ]  # fmt: skip


def test_json_has_the_table_and_each_part_whole(yocto, asked) -> None:
    told = json.loads(yocto("bench", "--text-path", "text.txt", "--json").stdout)
    assert list(told["parts"]) == ["tokenizer", "encode", "train", "decode", "eval"]
    assert told["parts"]["decode"]["rows"][1]["engine"] == "yocto, int8"
    assert told["rows"][2] == {
        "what": "encode, 1 thread", "unit": "MB/s", "ours": 400.0, "peer": "gigatoken 1.2",
        "theirs": 500.0, "ratio": 0.8,
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", told["date"])
    assert set(told["machine"]) == {"cpu", "cores", "system", "python"}


def test_the_knobs_go_to_every_part(yocto, asked) -> None:
    yocto("bench", "--text-path", "text.txt", "--rounds", "7", "--vocab-size", "500",
          "--peers", "tiktoken", "--peers", "transformers")  # fmt: skip
    assert list(asked) == list(bench.PARTS)
    assert {c.rounds for c in asked.values()} == {7}
    assert {asked[name].vocab_size for name in ("tokenizer", "encode", "decode", "eval")} == {500}
    assert [asked[name].peers for name in PEERED] == [
        ("tiktoken",), ("tiktoken",), ("transformers",), ("transformers",),
    ]  # fmt: skip
    assert asked["train"].only == "speed"
    yocto("bench", "--text-path", "text.txt")
    assert {asked[name].peers for name in PEERED} == {None}


def test_the_table_is_written_as_markdown(yocto, asked, tmp_path: Path) -> None:
    result = yocto("bench", "--text-path", "text.txt", "--out-path", "new/bench.md")
    assert "-> new/bench.md\n" in result.stdout
    written = (tmp_path / "new/bench.md").read_text("utf-8").splitlines()
    assert f"yocto {__version__}" in written[0]
    assert written[2:4] == ["| | yocto | the quickest other | yocto is |", "|---|---|---|---|"]
    assert (
        "| encode, 1 thread | 400 MB/s | 500 MB/s (gigatoken 1.2) | 0.80 times as quick |"
        in written
    )


def test_without_any_peer_there_are_yoctos_own_figures(yocto, asked, monkeypatch) -> None:
    monkeypatch.setattr(bench_tokenizer, "run", lambda *rest: made_tokenizer(peers=False))
    result = yocto("bench", "--text-path", "text.txt", "--out-path", "b.md")
    assert re.search(r"^encode, 1 thread +400 +MB/s – +– +– *$", result.stdout, re.M)
    assert "| encode, 1 thread | 400 MB/s |  |  |" in Path("b.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (["--out-path", "bench.txt"], 2, "the table is written as Markdown"),
        (["--peers", "tiktokken"], 2, "Did you mean 'tiktoken'?"),
        (["--text-path", "missing.txt"], 1, "there is no text file missing.txt"),
        (["--rounds", "0"], 2, "--rounds is 0"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(
    yocto, asked, arguments, status, part
) -> None:
    result = yocto("bench", *arguments)
    assert result.exit_code == status, result.output
    assert part in result.stderr
    assert not asked


@pytest.mark.slow
def test_all_parts_run_for_real_in_miniature(yocto, asked, monkeypatch, tmp_path: Path) -> None:
    from tiny import make_text

    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(make_text(60), encoding="utf-8")
    small = {"n_layer": 1, "n_head": 1, "n_embd": 8, "block_size": 32}
    monkeypatch.setattr(bench, "TRAIN_SHAPE", small)
    monkeypatch.setattr(bench, "DECODE_SHAPE", {**small, "prompt_tokens": 2, "new_tokens": 4})
    monkeypatch.setattr(bench, "EVAL_SHAPE", small)
    result = yocto("bench", "--text-path", "text.txt", "--rounds", "1", "--vocab-size", "300",
                   "--peers", "tokenizers", "--json")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["rows"]
    assert all(row["ours"] > 0 for row in rows)
    assert {row["what"].split(",")[0].split()[0] for row in rows} == {
        "learn", "encode", "text", "train", "write",
        "evaluate",
    }  # fmt: skip
    with_peer = [row for row in rows if row["peer"]]
    assert {row["peer"].split()[0] for row in with_peer} == {"tokenizers", "forward"}
    peered = ("learn", "encod", "text ", "evalu")
    assert len(with_peer) == len([r for r in rows if r["what"][:5] in peered])
