"""Who is out, and who takes part: with engines that are functions, and with real workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tiny import make_text

from yocto.bench import contest as contest_module
from yocto.bench.contest import Contest
from yocto.bench.encoding import measure_encoding, other_ids
from yocto.bench.job import Job
from yocto.bench.machine import Machine, peak_memory, usable_cores
from yocto.bench.peers import NOT_INSTALLED, PEERS, chosen, version_of
from yocto.bench.session import EngineFailed, Session, environment
from yocto.bench.tokenizer_training import same_merges
from yocto.errors import ConfigError, TokenizerError
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.utils.progress import SilentTask


class Counted(SilentTask):
    done = 0

    def advance(self, amount: int = 1) -> None:
        self.done += amount


@pytest.fixture
def all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every peer is installed, so it seems."""
    monkeypatch.setattr(contest_module, "version_of", lambda name: "1.0")


# --------------------------------------------------------------------------------------- contest


def test_all_take_turns_and_the_bar_fills(all_there: None) -> None:
    bar, order = Counted(), []
    contest = Contest(["yocto", "a", "b"], 3, bar)
    contest.play(lambda name: (order.append(name), {"cold": len(order)})[1])
    assert order == ["yocto", "a", "b", "a", "b", "yocto", "b", "yocto", "a"]
    assert contest.figures("a", "cold") == [2.0, 4.0, 9.0]
    assert bar.done == 9


def test_who_is_not_installed_or_fails_is_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        contest_module, "version_of", lambda name: None if name == "gone" else "1.0"
    )
    bar = Counted()
    contest = Contest(["yocto", "gone", "wrong", "broken", "late", "fine"], 4, bar)

    def check(name: str) -> str | None:
        if name == "broken":
            raise EngineFailed("it ended")
        return "other ids" if name == "wrong" else None

    def ask(name: str) -> dict[str, float]:
        if name == "late" and len(contest.answers["yocto"]) == 3:
            raise EngineFailed("too late")
        return {}

    contest.check(check)
    contest.play(ask)
    reasons = {"gone": NOT_INSTALLED, "wrong": "other ids", "broken": "it ended"}
    assert contest.out == {**reasons, "late": "too late"}
    assert {name: len(answers) for name, answers in contest.answers.items()} == {
        "yocto": 4, "fine": 4,
    }  # fmt: skip
    assert bar.done == 6 * 4


def test_yocto_itself_may_not_fail(all_there: None) -> None:
    contest = Contest(["yocto"], 1, SilentTask())
    with pytest.raises(TokenizerError, match="yocto's own measurement failed: other ids"):
        contest.check(lambda name: "other ids")


def test_other_ids_are_told_with_their_number() -> None:
    ours = {"sha256": "a", "tokens": 1000}
    assert other_ids(ours, dict(ours)) is None
    assert other_ids(ours, {"sha256": "b", "tokens": 1000}) == "other ids"
    told = other_ids(ours, {"sha256": "b", "tokens": 1200})
    assert told == "other ids: 1,200 tokens instead of 1,000"


def test_merges_are_compared_and_tokens_where_there_are_no_merges() -> None:
    ours = {"merges": "m", "tokens": "t"}
    assert same_merges(ours, {"merges": "m", "tokens": "t"})
    assert not same_merges(ours, {"merges": "x", "tokens": "t"})
    assert same_merges(ours, {"merges": None, "tokens": "t"})
    assert not same_merges(ours, {"merges": None, "tokens": "x"})


# ----------------------------------------------------------------------------------------- peers


def test_peers_are_chosen_by_name() -> None:
    assert chosen(None) == list(PEERS)
    assert chosen(["tiktoken", "gigatoken", "tiktoken"]) == ["gigatoken", "tiktoken"]
    with pytest.raises(ConfigError, match="there is no peer 'tikoken'") as caught:
        chosen(["tikoken"])
    assert caught.value.hint.startswith("Did you mean 'tiktoken'? There are ")


def test_a_version_is_that_of_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert version_of("yocto")
    assert version_of("numpy") == __import__("numpy").__version__
    assert version_of("no_such_module") is None
    (tmp_path / "no_such_package.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert version_of("no_such_package") == "?"


# --------------------------------------------------------------------------------------- workers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A text and its tokenizer."""
    text = make_text(30)
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    BPETrainer(vocab_size=280, special_tokens=[]).train([text]).save(tmp_path)
    return tmp_path


def job(folder: Path, engine: str, task: str = "encode") -> Job:
    return Job(task, engine, 1, usable_cores()[0], str(folder / "text.txt"),  # type: ignore[arg-type]
               str(folder / "tokenizer.json"), 280, "gpt2")  # fmt: skip


def fake(monkeypatch: pytest.MonkeyPatch, folder: Path, source: str) -> None:
    """A package `fastokens` of this source, for this process and its workers."""
    (folder / "packages").mkdir()
    (folder / "packages" / "fastokens.py").write_text(source)
    monkeypatch.syspath_prepend(folder / "packages")
    monkeypatch.setenv("PYTHONPATH", str(folder / "packages"), prepend=os.pathsep)


WRONG = """
print("a greeting")
class Tokenizer:
    from_file = staticmethod(lambda path: Tokenizer())
    def encode_batch_flat(self, texts):
        return b"\\1\\0\\0\\0" * 7, b""
"""


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (WRONG, "tokens instead of"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("class Panic(BaseException): pass\nraise Panic('at the disco')", "Panic: at the disco"),
        ("import os, sys\nprint('good bye', file=sys.stderr, flush=True)\nos._exit(3)",
         "it ended with status 3: good bye"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "it ended with status -9"),
    ],
)  # fmt: skip
def test_a_peer_with_wrong_ids_or_that_crashes_is_a_row_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, folder: Path, source: str, reason: str
) -> None:
    fake(monkeypatch, folder, source)
    ours, theirs = measure_encoding(
        ["yocto", "fastokens"], lambda name: job(folder, name), 1, 1000, 1, SilentTask()
    )
    assert ours.reason is None
    assert ours.cold_ratio == ours.warm_ratio == 1
    assert ours.cold_mb_per_s is not None
    assert reason in (theirs.reason or "")
    assert theirs.cold_mb_per_s is theirs.warm_mb_per_s is theirs.cold_ratio is None


def test_a_trainer_answers_with_seconds_memory_and_merges(folder: Path) -> None:
    with Session(job(folder, "yocto", "train")) as session:
        answer = session.ask()
    assert answer["seconds"] > 0
    assert len(answer["merges"]) == len(answer["tokens"]) == 64
    if answer["peak_bytes"] is not None:
        assert answer["peak_bytes"] >= answer["peak_bytes_before"] > 1e6
        assert answer["peak_bytes"] < 1e9  # its own, not that of the process that started it


def test_a_session_ends_its_process_and_can_end_twice(folder: Path) -> None:
    with Session(job(folder, "yocto")) as session:
        assert session.process.poll() is None
        session.close()
        assert session.process.returncode is not None
    assert session.process.returncode == -getattr(signal, "SIGKILL", -1)


def test_a_worker_is_told_its_threads_in_the_words_of_each_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", "before")
    one, four = environment(1), environment(4)
    assert (one["TOKENIZERS_PARALLELISM"], four["TOKENIZERS_PARALLELISM"]) == ("false", "true")
    assert four["RAYON_NUM_THREADS"] == four["FASTOKENS_BPE_THREADS"] == "4"
    assert one["PYTHONPATH"].startswith("before" + os.pathsep)


def test_the_machine_is_told_in_words() -> None:
    machine = Machine.this()
    assert machine.cpu
    assert machine.cores == len(usable_cores()) >= 1
    peak = peak_memory()
    assert peak is None or peak > 1e6
