"""yocto compare-tokenizers: which tokenizers, which texts, which sizes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from conftest import Project
from tiny import make_text

from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.named import NAMES
from yocto.tokenizer.store import load_tokenizer
from yocto.tokenizer.word import WordTokenizer

ONE, TWO = make_text(100, 1), make_text(60, 2).upper()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two texts of different domains and a tokenizer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("yocto.evaluation.tokenizer_figures._SHORTEST", 0.0)
    (tmp_path / "one.txt").write_text(ONE, encoding="utf-8")
    (tmp_path / "two.md").write_text(TWO, encoding="utf-8")
    BPETrainer(vocab_size=300).train(ONE).save(tmp_path / "data/token")
    return tmp_path


def told(yocto: Any, *arguments: object) -> Any:
    result = yocto("compare-tokenizers", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_each_text_has_a_table_that_fits_80_columns(yocto, home: Path) -> None:
    deep = home / "a/folder/with/a/rather/long/name/so/that/it/must/be/cut"
    WordTokenizer.train([ONE], vocab_size=30).save(deep)
    result = yocto("compare-tokenizers", "data/token", deep, "--text-path", "one.txt",
                   "--text-path", "two.md")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    tables = result.stdout.split("two.md\n")
    assert tables[0].startswith(f"one.txt\n{len(ONE.encode()):,} bytes, {len(ONE):,} characters")
    for table in tables:
        assert "data/token " in table
        assert "…" in table
        assert "must/be/cut " in table
    assert "no" in tables[0].split("must/be/cut")[1].splitlines()[0]


def test_a_narrow_terminal_and_a_text_of_one_word_are_minded(yocto, home: Path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    (home / "word.txt").write_text("courage")
    result = yocto("compare-tokenizers", "data/token", "--text-path", "word.txt")
    assert "7 bytes, 7 characters, 1 word\n" in result.stdout
    assert "as it was" in result.stdout
    assert all(len(line) <= 60 for line in result.stdout.splitlines())


def test_json_has_every_figure_of_every_tokenizer_and_text(yocto) -> None:
    found = told(yocto, "data/token", "--text-path", "one.txt", "--text-path", "two.md")
    assert [corpus["name"] for corpus in found["corpora"]] == ["one.txt", "two.md"]
    assert found["sizes"] == [] and found["out_path"] is None
    tokenizer = load_tokenizer("data/token")
    for corpus, text in zip(found["corpora"], (ONE, TWO), strict=True):
        assert (corpus["part"], corpus["words"]) == ("all", len(text.split()))
        (row,) = corpus["tokenizers"]
        ids = tokenizer.encode(text)
        assert row["tokens"] == len(ids)
        assert row["bytes_per_token"] == len(text.encode()) / len(ids)
        assert row["tokens_per_word"] == len(ids) / len(text.split())
        assert row["used"] == len(set(ids))
        assert row["mb_per_second"] > 0
        assert row["exact"] is True


def test_a_tokenizer_is_a_folder_a_file_a_run_or_a_checkpoint(
    yocto, home: Path, token_project: Project
) -> None:
    yocto("convert-tokenizer", "--tokenizer-path", "data/token", "--out-path", "mine.tiktoken")
    specs = ["data/token", "data/token/tokenizer.json", "mine.tiktoken", "token-1",
             str(token_project.run), str(token_project.step)]  # fmt: skip
    found = told(yocto, *specs, "--ckpt-dir", token_project.checkpoints, "--text-path", "one.txt")
    rows = found["corpora"][0]["tokenizers"]
    assert [row["name"] for row in rows] == specs
    tokens = [row["tokens"] for row in rows]
    assert len(set(tokens[:3])) == len(set(tokens[3:])) == 1
    of_run = load_tokenizer(token_project.step)
    assert tokens[3] == len(of_run.encode(ONE))


def test_a_char_tokenizer_of_a_vocab_json_counts_what_it_lacks(yocto, home: Path) -> None:
    yocto("prepare-char", "--text-path", "one.txt", "--out-dir", "chars")
    (row,) = told(yocto, "chars/vocab.json", "--text-path", "two.md")["corpora"][0]["tokenizers"]
    lost = sum(c not in ONE for c in TWO)
    assert (row["tokens"], row["fallbacks"]) == (len(TWO), lost)
    assert 0 < lost < len(TWO)
    assert row["exact"] is False


def test_openais_names_come_through_tiktoken(yocto, monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = {bytes([i]): i for i in range(256)}
    made = tiktoken.Encoding("bytes", pat_str=r"\S+|\s+", mergeable_ranks=ranks, special_tokens={})
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: made)
    (row,) = told(yocto, "o200k", "--text-path", "one.txt")["corpora"][0]["tokenizers"]
    assert (row["name"], row["tokens"]) == ("o200k", len(ONE.encode()))


def test_a_run_that_is_called_as_one_of_openais_is_told_of(
    yocto, token_project, home: Path
) -> None:
    shutil.copytree(token_project.run, home / "checkpoints/gpt2", symlinks=True)
    result = yocto("compare-tokenizers", "gpt2", "--text-path", "one.txt")
    assert result.exit_code == 0, result.stderr
    assert "note: gpt2 is the run checkpoints/gpt2 here" in result.stderr


def test_a_name_without_a_rank_file_is_one_clear_error(yocto, monkeypatch) -> None:
    def get_encoding(name: str) -> None:
        raise OSError("the web is far")

    monkeypatch.setattr(tiktoken, "get_encoding", get_encoding)
    result = yocto("compare-tokenizers", "cl100k", "--text-path", "one.txt")
    assert result.exit_code == 1
    assert "tiktoken can't get the rank file of cl100k" in result.stderr
    assert "TIKTOKEN_CACHE_DIR" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        ([], 2, "there is no tokenizer to measure"),
        (["gtp2"], 1, "Did you mean gpt2?"),
        (["nothing"], 1, f"or a name: {', '.join(NAMES)}"),
        (["two.md"], 1, "two.md"),
        (["data/token", "--text-path", "missing.txt"], 1, "there is no text file missing.txt"),
        (["data/token", "--out-path", "x.jpg"], 2, "a picture is a .png or an .svg"),
        (["data/token", "--kind", "word"], 2, "kind can't go without train_sizes"),
        (["data/token", "--out-dir", "x"], 2, "out_dir can't go without train_sizes"),
        (["--train-sizes", "1000,many"], 2, "a size is 'many', but it takes a whole number"),
        (["--train-sizes", ","], 2, "names no size"),
        (["--train-sizes", "100"], 2, "byte-bpe takes at least 257"),
        (["--train-sizes", "300", "--kind", "word", "--pattern", "gpt4"], 2, "merges nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(yocto, arguments, status, part) -> None:
    result = yocto("compare-tokenizers", *arguments)
    assert result.exit_code == status, result.output
    assert part in result.stderr
    assert result.stdout == ""


def test_a_text_that_is_too_short_for_two_parts_is_refused(yocto, home: Path) -> None:
    (home / "tiny.txt").write_text("é")
    result = yocto("compare-tokenizers", "--train-sizes", "300", "--text-path", "tiny.txt")
    assert result.exit_code == 1
    assert "tiny.txt is too short to train on" in result.stderr


# ------------------------------------------------------------------------------ sizes and domains


@pytest.mark.parametrize(("kind", "sizes"), [("byte-bpe", "280,340"), ("char-bpe", "100,120"),
                                             ("word", "12,20")])  # fmt: skip
def test_sizes_learn_from_nine_tenths_and_all_are_measured_on_the_rest(yocto, kind, sizes) -> None:
    found = told(
        yocto, "data/token", "--train-sizes", sizes, "--kind", kind, "--out-dir", "kept",
        "--text-path", "one.txt", "--text-path", "two.md",
    )  # fmt: skip
    wanted = [int(size) for size in sizes.split(",")]
    texts = {"one.txt": ONE, "two.md": TWO}
    names = [f"{domain} {size}" for domain in texts for size in wanted]
    assert list(found["saved"]) == names
    trained = {}
    for domain, text in texts.items():
        for size in wanted:
            part = text[: len(text) * 9 // 10]
            if kind == "word":
                made = WordTokenizer.train([part], vocab_size=size)
            else:
                made = BPETrainer(kind, vocab_size=size).train(part)
            trained[f"{domain} {size}"] = made
            kept = load_tokenizer(found["saved"][f"{domain} {size}"])
            assert kept.sha256 == made.sha256
    for corpus, text in zip(found["corpora"], texts.values(), strict=True):
        rest = text[len(text) * 9 // 10 :]
        assert (corpus["part"], corpus["characters"]) == ("last tenth", len(rest))
        assert corpus["words"] == len(rest.split())
        rows = {row["name"]: row for row in corpus["tokenizers"]}
        assert list(rows) == ["data/token", *names]
        for name, tokenizer in [*trained.items(), ("data/token", load_tokenizer("data/token"))]:
            assert rows[name]["tokens"] == len(tokenizer.encode(rest, "none"))
            assert rows[name]["trained_on"] == (None if "/" in name else name.split()[0])


def test_a_table_of_sizes_and_domains_follows(yocto) -> None:
    result = yocto("compare-tokenizers", "--train-sizes", "280,1K,100k", "--text-path", "one.txt",
                   "--text-path", "two.md", "--text-path", "one.txt")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    table = result.stdout.split("two.md, the last tenth: bytes per token, trained on\n\n")[1]
    head, *rows = [line.split() for line in table.split("\n\n")[0].splitlines()]
    assert head == ["tokens", "one.txt", "two.md", "one.txt", "(2)"]
    assert [row[0] for row in rows] == ["280", "1,000"]
    assert rows[0][1] == rows[0][3]
    assert float(rows[1][2]) > float(rows[1][1])  # a text's own tokenizer is the better one


def test_a_size_that_a_text_cannot_fill_is_told_and_the_others_stand(yocto) -> None:
    words = ("--train-sizes", "280,50000,100000", "--text-path", "one.txt")
    found = told(yocto, *words)
    rows = found["corpora"][0]["tokenizers"]
    assert [row["wanted"] for row in rows] == [280, 50000]
    reached = rows[1]["vocab_size"]
    assert 280 < reached < 50000
    assert found["unfilled"] == [
        {"trained_on": "one.txt", "wanted": size, "reached": reached} for size in (50000, 100000)
    ]
    assert (
        f"one.txt fills {reached:,} tokens, not 50,000 and 100,000\n"
        in yocto("compare-tokenizers", *words).stdout
    )


def test_characters_that_need_a_larger_size_are_told(yocto, home: Path) -> None:
    (home / "many.txt").write_text("".join(chr(0x4E00 + i) for i in range(100)) * 3)
    paths = ("--text-path", "one.txt", "--text-path", "many.txt")
    found = told(yocto, "--kind", "char-bpe", "--train-sizes", "120,250", *paths)
    missing = [u for u in found["unfilled"] if u["trained_on"] == "many.txt"]
    assert missing[0] == {"trained_on": "many.txt", "wanted": 120, "reached": None}
    result = yocto("compare-tokenizers", "--kind", "char-bpe", "--train-sizes", "120", *paths)
    assert result.exit_code == 0
    assert "note: many.txt: a vocabulary of 120 tokens is too small" in result.stderr
    result = yocto("compare-tokenizers", "--kind", "char-bpe", "--train-sizes", "120", *paths[2:])
    assert result.exit_code == 1
    assert "too small" in result.stderr


def test_standard_input_is_read_as_often_as_it_takes(yocto) -> None:
    result = yocto("compare-tokenizers", "data/token", "--train-sizes", "280", "--text-path", "-",
                   "--json", input=ONE)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    (corpus,) = json.loads(result.stdout)["corpora"]
    assert corpus["name"] == "standard input"
    assert corpus["characters"] == len(ONE) - len(ONE) * 9 // 10


@pytest.mark.parametrize("sizes", [(), ("--train-sizes", "280,300")])
def test_the_picture_is_written(yocto, home: Path, sizes) -> None:
    result = yocto("compare-tokenizers", "data/token", *sizes, "--text-path", "one.txt",
                   "--out-path", "new/sizes.svg")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "-> new/sizes.svg\n" in result.stdout
    assert "bytes per token" in (home / "new/sizes.svg").read_text()


def test_trained_tokenizers_of_texts_with_like_names_have_a_folder_each(yocto, home: Path) -> None:
    (home / "one text").write_text(ONE, encoding="utf-8")
    (home / "one+text").write_text(TWO, encoding="utf-8")
    found = told(yocto, "--train-sizes", "300", "--text-path", "one text", "--text-path",
                 "one+text", "--out-dir", "made")  # fmt: skip
    assert found["saved"] == {"one text 300": "made/one-text-300",
                              "one+text 300": "made/one-text-300-2"}  # fmt: skip
    first, second = (load_tokenizer(folder) for folder in found["saved"].values())
    assert first.sha256 != second.sha256


def test_a_long_name_of_a_text_keeps_its_end_within_the_line(yocto, home: Path) -> None:
    name = "l" * 90 + "end.txt"
    (home / name).write_text(ONE, encoding="utf-8")
    result = yocto("compare-tokenizers", "--train-sizes", "280", "--text-path", name)
    assert result.exit_code == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "lend.txt, the last tenth\n" in result.stdout
    assert "lend.txt, the last tenth: bytes per token, trained on\n" in result.stdout
