"""When the kernels take over: never for little work, and not unannounced when they are compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import Recorder

from yocto.kernels import compiler
from yocto.tokenizer import bpe_train, pay
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.pay import (
    CACHED,
    COMPILED,
    LEARN_CACHED,
    LEARN_COMPILED,
    LOADED,
    Patience,
    announce,
    enough_for,
    learning_pays,
    modules_for,
)

PHILOSOPHY = Path(__file__).parents[2] / "data" / "philosophy.txt"
LINE = "compiling the tokenizer's kernels for this machine, once: about 15 seconds"

# What the code did comes last: which kernels it took, and whether Numba.
TELL = """
import sys
kernels = sorted(m.rpartition(".")[2] for m in sys.modules if m.startswith("yocto.kernels."))
print("numba" in sys.modules, *kernels)
"""
COMMAND = """
import sys
from yocto.cli.app import main
sys.argv = ["yocto", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def run(cache: Path, code: str, *arguments: str | Path) -> tuple[list[str], str, str]:
    """Run code in a process of its own; returns what it told in the end, and all it wrote."""
    done = subprocess.run(
        [sys.executable, "-c", code + TELL, *map(str, arguments)],
        capture_output=True, text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split(), done.stdout, done.stderr


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# ----------------------------------------------------------------------------------- little work


def test_the_shipped_corpus_is_trained_on_and_encoded_without_numba(tmp_path):
    cache, data = tmp_path / "cache", tmp_path / "data"
    options = ["--text-path", PHILOSOPHY, "--out-dir", data]
    told, _, said = run(cache, COMMAND, "train-tokenizer", *options, "--vocab-size", "500")
    assert told == ["False", "compiler"]  # which was asked whether they are there
    assert (data / "tokenizer.json").exists()
    assert "compiling" not in said
    told, _, said = run(
        cache, COMMAND, "encode", "--tokenizer-path", data, "--out-dir", data
    )  # fmt: skip
    assert told == ["False", "compiler"]
    assert (data / "train.bin").exists()
    assert "compiling" not in said
    assert files_in(cache) == []


def test_a_short_text_is_trained_on_encoded_and_decoded_without_numba(tmp_path):
    code = """
import sys
import yocto
from yocto.tokenizer.bpe_train import BPETrainer
text = "the theme of the thesis " * 100
tokenizer = BPETrainer(vocab_size=270).train([text])
print(*(m for m in sys.modules if m.startswith("yocto.kernels.")))
ids = tokenizer.encode(text)
assert tokenizer.decode(ids) == text
assert tokenizer.decode(tokenizer.encode_to_numpy(text)) == text
assert tokenizer.encode_bytes(text.encode()) == ids
"""
    told, out, _ = run(tmp_path / "cache", code)
    assert told == ["False", "compiler"]
    assert out.splitlines()[0] == "yocto.kernels.compiler"  # asked by training, not by encoding
    assert files_in(tmp_path / "cache") == []


# --------------------------------------------------------------------------------- and much of it

LIMITS = """
import sys
from yocto.tokenizer import pay
from yocto.utils.progress import SilentProgress
pay.LOADED, pay.CACHED, pay.COMPILED = 100, 2_000, 20_000
pay.LEARN_CACHED, pay.LEARN_COMPILED = 500, 4_000
pay.pay.__kwdefaults__.update(cached=pay.CACHED, compiled=pay.COMPILED)
from yocto.tokenizer.bpe_train import BPETrainer

class Told(SilentProgress):
    def say(self, text):
        print("said:", text)

text = open(sys.argv[1], encoding="utf-8").read()
"""
TRAIN = """
tokenizer = BPETrainer(vocab_size=300).train(
    [text[i : i + 1000] for i in range(0, int(sys.argv[2]), 1000)], Told(), int(sys.argv[2])
)
print(tokenizer.merges)
"""
ENCODE = """
tokenizer = BPETrainer(vocab_size=300).train([text[:1500]])
short, long = text[:1900], text[:21_000]
ids = tokenizer.encode(short)
print("yocto.kernels.encode" in sys.modules)
tokenizer.expect(len(long), Told().say)
assert tokenizer.encode(long)[:200] == ids[:200]
assert "yocto.kernels.encode_16" in sys.modules
tokenizer.expect(len(long), Told().say)
"""


def test_the_kernels_are_compiled_from_so_much_work_on_and_loaded_from_less_work_on(tmp_path):
    cache = tmp_path / "cache"

    def train(size: int) -> tuple[set[str], str, list[str]]:
        told, out, _ = run(cache, LIMITS + TRAIN, PHILOSOPHY, size)
        lines = out.splitlines()
        return set(told), lines[-2], [line for line in lines if line.startswith("said: ")]

    told, few, said = train(6_000)
    assert told == {"False", "compiler"}
    assert said == []
    assert files_in(cache) == []
    kernels = {"True", "split_gpt2", "count", "encode", "learn"}
    told, many, said = train(20_000)
    assert kernels <= told
    assert said == [f"said: {LINE}"]  # once, though counting and learning were both compiled
    told, again, said = train(20_000)
    assert kernels <= told
    assert (again, said) == (many, [])
    told, again, said = train(6_000)
    assert kernels <= told
    assert (again, said) == (few, [])
    told, _, said = train(1_000)
    assert not told & (kernels - {"learn", "True"})
    assert said == []

    # And encoding takes one module more.
    code = LIMITS + ENCODE
    told, out, _ = run(cache, code, PHILOSOPHY)
    assert {"split_gpt2", "encode", "encode_16"} <= set(told)
    assert out.splitlines()[:-1] == ["False", f"said: {LINE}"]
    told, out, _ = run(cache, code, PHILOSOPHY)
    assert out.splitlines()[:-1] == ["False"]


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ({"split_gpt2", "count", "encode"}, []),  # and so few pieces are learnt from without one
        ({"split_gpt2", "count", "encode", "learn"}, []),
        ({"count", "encode", "learn"}, [LINE]),
        (set(), [LINE]),
    ],
)
def test_only_what_will_be_compiled_is_announced(monkeypatch, there, said):
    monkeypatch.setattr(pay, "are_loaded", lambda *modules: False)
    monkeypatch.setattr(pay, "are_cached", lambda *modules: there >= set(modules))
    monkeypatch.setattr(bpe_train, "enough_for", lambda *modules, size: 0)
    text = PHILOSOPHY.read_text("utf-8")[:50_000]
    assert not learning_pays(len(text))
    progress = Recorder()
    BPETrainer(vocab_size=300).train(text, progress, len(text))
    assert progress.said == said


@pytest.mark.parametrize(("there", "said"), [(set(), [LINE]), ({"learn"}, [])])
def test_learning_is_announced_where_plain_python_counted(monkeypatch, there, said):
    monkeypatch.setattr(pay, "are_loaded", lambda *modules: False)
    monkeypatch.setattr(pay, "are_cached", lambda *modules: there >= set(modules))
    monkeypatch.setattr(bpe_train, "learning_pays", lambda symbols: True)
    progress = Recorder()
    BPETrainer(vocab_size=270).train("the theme of the thesis", progress, 23)
    assert progress.said == said


def test_a_text_that_grows_when_it_is_normalised_does_not_call_for_the_kernels(monkeypatch):
    asked = []
    monkeypatch.setattr(pay, "are_loaded", lambda *modules: False)
    monkeypatch.setattr(pay, "are_cached", lambda *modules: bool(asked.append(modules)))
    monkeypatch.setattr(
        bpe_train, "count_with_kernels", lambda *arguments: pytest.fail("the kernels were taken")
    )
    text = "\ufdfa" * 3000  # three bytes each, eighteen characters in NFKC
    trained = BPETrainer(vocab_size=300, normalize="nfkc").train([text, text], None, 18_000)
    assert trained.vocab_size > 257
    assert asked


# ------------------------------------------------------------------------------------ the limits


@pytest.fixture
def state(monkeypatch):
    """`state(loaded=…, cached=…)`: what this process and this machine have."""

    def have(loaded: bool = False, cached: bool = False) -> None:
        monkeypatch.setattr(pay, "are_loaded", lambda *modules: loaded)
        monkeypatch.setattr(pay, "are_cached", lambda *modules: cached)

    return have


@pytest.mark.parametrize(
    ("have", "limit"),
    [({}, COMPILED), ({"cached": True}, CACHED), ({"loaded": True, "cached": True}, LOADED)],
)
def test_kernels_pay_from_a_limit_on(state, have, limit):
    state(**have)
    assert not pay.pay(limit - 1, "encode")
    assert pay.pay(limit, "encode")
    assert enough_for("encode", size=None) == limit
    assert enough_for("encode", size=limit) == 0
    assert enough_for("encode", size=limit - 1) >= limit  # that is: never


@pytest.mark.parametrize(
    ("have", "limit"),
    [({}, LEARN_COMPILED), ({"cached": True}, LEARN_CACHED), ({"loaded": True}, LOADED)],
)
def test_learning_pays_from_a_limit_on(state, have, limit):
    state(**have)
    assert not learning_pays(limit - 1)
    assert learning_pays(limit)


@pytest.mark.parametrize(
    ("have", "lines"),
    [
        ({}, [LINE]),
        ({"cached": True}, []),
        ({"loaded": True}, []),
        ({"loaded": True, "cached": True}, []),
    ],
)
def test_it_is_said_only_that_something_will_be_compiled(state, have, lines):
    state(**have)
    said: list[str] = []
    announce(said.append, "encode")
    assert said == lines


def test_all_modules_have_to_be_there(monkeypatch, tmp_path):
    monkeypatch.setattr(compiler, "cache_folder", lambda: tmp_path)
    (tmp_path / "one.compiled").touch()
    assert pay.are_cached("one")
    assert not pay.are_cached("one", "other")
    monkeypatch.setitem(sys.modules, "yocto.kernels.one", sys)
    assert pay.are_loaded("one")
    assert not pay.are_loaded("one", "other")
    shutil.rmtree(tmp_path)
    assert not pay.are_cached("one")


def test_each_pattern_has_the_modules_that_it_takes():
    assert modules_for("gpt2", "encode") == ["split_gpt2", "encode"]
    for pattern in ("gpt4", "gpt4o", "llama3", "qwen2"):
        assert modules_for(pattern, "count", "encode") == ["split_scan", "count", "encode"]
    assert modules_for(r"\w+", "encode") == ["encode"]
    assert modules_for(r"\w+") == []


# -------------------------------------------------------------------------------------- patience


def test_patience_adds_up_texts_of_middling_size(state):
    state(cached=True)
    patience = Patience("encode")
    half = CACHED // 2
    assert not patience.is_over(half)
    assert not patience.is_over(half - 1)
    assert not patience.is_over(0)
    assert patience.is_over(LOADED)
    assert patience.is_over(CACHED)
    assert patience.is_over(LOADED)


def test_patience_is_not_lost_with_short_texts(state):
    state(cached=True)
    patience = Patience("encode")
    for _ in range(CACHED):
        if patience.is_over(LOADED - 1):
            pytest.fail("short texts are never the kernels' work")
    assert not patience.is_over(LOADED)


def test_what_is_expected_is_enough_from_the_first_part_on(state):
    state(cached=True)
    said: list[str] = []
    patience = Patience("encode")
    patience.expect(CACHED, said.append)
    assert said == []
    assert not patience.is_over(LOADED - 1)
    assert patience.is_over(LOADED)
    state()
    patience = Patience("encode")
    patience.expect(COMPILED, said.append)
    assert said == [LINE]
    assert patience.is_over(LOADED)


@pytest.mark.parametrize(("have", "limit"), [({}, COMPILED), ({"cached": True}, CACHED)])
def test_what_is_expected_and_too_little_does_not_count_twice(state, have, limit):
    # Else the kernels would be compiled in the midst of it, unannounced.
    state(**have)
    said: list[str] = []
    patience = Patience("encode")
    patience.expect(limit - 1, said.append)
    assert not patience.is_over(limit // 2)
    assert not patience.is_over(limit // 2 - 1)
    assert said == []


def test_what_is_expected_comes_on_top_of_what_was_done(state):
    state()
    said: list[str] = []
    patience = Patience("encode")
    assert not patience.is_over(COMPILED - LOADED)
    patience.expect(LOADED, said.append)
    assert said == [LINE]
    assert patience.is_over(LOADED)
