"""encode: text to token files."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import Project
from encoding import Told, encode_slowly, files_in, ids_in, joined, small, split_slowly
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import make_text

import yocto as package
from yocto.commands import encode, prepare_char, train_tokenizer
from yocto.config import END_OF_TEXT, EncodeConfig, PrepareCharConfig, TrainTokenizerConfig
from yocto.dataset.tokens import read_meta
from yocto.dataset.work import STATE_FILE
from yocto.errors import ConfigError, DataError, TokenizerFileError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.store import load_tokenizer
from yocto.utils.progress import SilentProgress

DOCUMENTS = [make_text(1 + seed % 9, seed) for seed in range(30)]


@pytest.fixture
def folder(token_project: Project, tmp_path: Path) -> Path:
    """A tokenizer's folder without token files."""
    data = token_project.copy_to(tmp_path).data
    for file in [*data.glob("*.bin"), data / "meta.json"]:
        file.unlink()
    return data


def run(**knobs) -> encode.Encoded:
    return encode.run(EncodeConfig(**knobs), SilentProgress())


def test_without_a_text_the_tokenizers_own_corpus_is_encoded(
    folder: Path, many_documents: Path
) -> None:
    result = run(tokenizer_path=str(folder / "tokenizer.json"))
    meta = read_meta(folder)
    assert meta.made_by == "encode"
    assert meta.sources == [str(many_documents)]
    assert sum(split.documents for split in meta.splits.values()) == 40
    assert result.splits["train"]["tokens"] == len(np.fromfile(folder / "train.bin", "<u2"))
    assert "train.bin" in result.summary()[0]


def test_a_folder_will_do_for_the_tokenizer_and_text_and_place_can_be_named(
    folder: Path, small_text: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(tokenizer_path=str(folder), text_path=(str(small_text),), out_dir=str(out), val_ratio=0.5)
    assert not (folder / "meta.json").exists()
    tokenizer = load_tokenizer(folder)
    text = "".join(
        tokenizer.decode(np.fromfile(out / f"{split}.bin", "<u2")) for split in ("train", "val")
    )
    assert text == small_text.read_text(encoding="utf-8")


def test_without_a_recorded_corpus_the_error_says_to_name_a_text(folder: Path) -> None:
    (folder / "corpus.json").unlink()
    with pytest.raises(DataError) as caught:
        run(tokenizer_path=str(folder))
    assert "--text-path" in caught.value.hint


@pytest.mark.parametrize("content", ["", "{}", '{"paths": []}', '{"paths": [1]}', "[]"])
def test_a_damaged_record_is_an_error_that_names_it(folder: Path, content: str) -> None:
    (folder / "corpus.json").write_text(content)
    with pytest.raises(DataError, match=r"corpus\.json"):
        run(tokenizer_path=str(folder))


def test_without_a_tokenizer_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(TokenizerFileError) as caught:
        run(tokenizer_path=str(tmp_path / "none.json"))
    assert "yocto train-tokenizer" in caught.value.hint


# --------------------------------------------------------------------------------- tokenizers


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DOCUMENTS, a line of JSON each."""
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    path.write_text("".join(json.dumps({"text": d}) + "\n" for d in DOCUMENTS))
    return path


@pytest.fixture(scope="session")
def tokenizers(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> dict[str, Path]:
    """A tokenizer of each kind."""
    root = tmp_path_factory.mktemp("tokenizers")
    kinds = {
        "byte-bpe": {"vocab_size": 400}, "char-bpe": {"kind": "char-bpe", "vocab_size": 300},
        "word": {"kind": "word", "vocab_size": 100}, "nfkc": {"normalize": "nfkc",
        "vocab_size": 300}, "regex": {"pattern": r"\s+|\w+|[^\w\s]+", "vocab_size": 300},
    }  # fmt: skip
    for name, knobs in kinds.items():
        values = {"text_path": (str(corpus),), "out_dir": str(root / name), **knobs}
        train_tokenizer.run(TrainTokenizerConfig(**values), SilentProgress())
    config = PrepareCharConfig(text_path=(str(corpus),), out_dir=str(root / "char"))
    prepare_char.run(config, SilentProgress())
    for file in (root / "char").glob("*.bin"):
        file.unlink()
    (root / "char" / "meta.json").unlink()
    return {path.name: path for path in root.iterdir()}


KINDS = ["char", "byte-bpe", "char-bpe", "word", "nfkc", "regex"]


def slowly(tokenizer: BaseTokenizer, documents: list[str], val_ratio: float) -> dict:
    return encode_slowly(
        documents, val_ratio, lambda text: tokenizer.encode(text, "none"), tokenizer.end_id
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tiny_parts", [False, True])
def test_each_kind_of_tokenizer_writes_what_the_slow_encoder_makes(
    tokenizers: dict[str, Path], corpus: Path, tmp_path: Path, kind: str, tiny_parts: bool
) -> None:
    tokenizer = load_tokenizer(tokenizers[kind])
    with small(300, 40, 64) if tiny_parts else small(1 << 21, 1 << 16, 1 << 18):
        expected = slowly(tokenizer, DOCUMENTS, 0.2)
        for workers in (1, 2):
            out = tmp_path / str(workers)
            run(tokenizer_path=str(tokenizers[kind]), text_path=(str(corpus),), val_ratio=0.2,
                out_dir=str(out), workers=workers, shard_tokens=100)  # fmt: skip
            assert ids_in(out) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_one_long_document_is_encoded_as_its_two_halves_would_be(
    tokenizers: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    tokenizer = load_tokenizer(tokenizers[kind])
    text = "".join(DOCUMENTS)
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    with small(700, 100, 64):
        run(tokenizer_path=str(tokenizers[kind]), text_path=(str(tmp_path / "a.txt"),),
            out_dir=str(tmp_path / "o"))  # fmt: skip
        assert ids_in(tmp_path / "o") == slowly(tokenizer, [text], 0.1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    documents=st.lists(st.text(st.sampled_from("ab é🙂 \n'.,7x "), max_size=60), min_size=2,
                       max_size=6).filter(lambda ds: sum(bool(d.strip()) for d in ds) > 1),
    batch=st.integers(1, 80), part=st.integers(1, 40), workers=st.integers(1, 2),
    extension=st.sampled_from(["txt", "jsonl", "json", "csv", "txt.gz", "jsonl.gz"]),
)  # fmt: skip
def test_any_format_gives_the_same_files(
    tokenizers: dict[str, Path], tmp_path_factory, documents, batch, part, workers, extension
) -> None:
    folder = tmp_path_factory.mktemp("formats")
    plain = extension.removesuffix(".gz")
    if plain == "txt":
        content = "".join(f"{d}\n{END_OF_TEXT}\n" for d in documents)
        documents = [d + "\n" for d in documents]
    elif plain == "csv":
        content = "text\n" + "".join('"' + d.replace('"', '""') + '"\n' for d in documents)
    elif plain == "jsonl":
        content = "".join(json.dumps({"text": d}) + "\n" for d in documents)
    else:
        content = json.dumps([{"text": d} for d in documents])
    data = content.encode()
    path = folder / f"a.{extension}"
    path.write_bytes(gzip.compress(data) if extension.endswith("gz") else data)
    with small(batch, part, 32):
        run(tokenizer_path=str(tokenizers["byte-bpe"]), text_path=(str(path),), val_ratio=0.3,
            out_dir=str(folder / "o"), workers=workers)  # fmt: skip
        expected = slowly(load_tokenizer(tokenizers["byte-bpe"]), documents, 0.3)
    assert ids_in(folder / "o") == expected


def test_the_result_tells_of_shards(tokenizers: dict[str, Path], corpus: Path, tmp_path) -> None:
    result = run(tokenizer_path=str(tokenizers["byte-bpe"]), text_path=(str(corpus),),
                 out_dir=str(tmp_path / "o"), shard_tokens=100)  # fmt: skip
    train, val, speed, following = result.summary()
    assert "train_000000.bin … train_" in train and " bytes a token" in train
    assert "val_000000.bin" in val
    assert re.fullmatch(r"done in \d+ s, [\d.]+ MB/s", speed)
    assert following == f"next: yocto train --mode token --data-dir {tmp_path / 'o'}"


def test_the_speed_is_told_only_of_a_run_that_did_all(
    tokenizers: dict[str, Path], corpus: Path, tmp_path: Path
) -> None:
    typed = {"tokenizer_path": str(tokenizers["byte-bpe"]), "text_path": (str(corpus),),
             "out_dir": str(tmp_path / "o")}  # fmt: skip
    result = run(**typed)
    size = sum(split["bytes"] for split in result.splits.values())
    assert result.mb_per_second == pytest.approx(size / 1e6 / result.seconds, rel=0.1)
    assert run(resume=True, **typed).mb_per_second is None


def test_settings_in_meta_json_tell_how_the_text_was_read(
    tokenizers: dict[str, Path], corpus: Path, tmp_path: Path
) -> None:
    run(tokenizer_path=str(tokenizers["byte-bpe"]), text_path=(str(corpus),),
        out_dir=str(tmp_path / "o"), shard_tokens=100, errors="replace")  # fmt: skip
    told = read_meta(tmp_path / "o").settings
    assert (told["errors"], told["shard_tokens"], told["val_ratio"]) == ("replace", 100, 0.1)
    assert (told["files"], told["file_bytes"]) == (1, corpus.stat().st_size)


def test_unknown_tokens_are_told(tokenizers: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words of another language entirely " * 9)
    told = Told()
    config = EncodeConfig(tokenizer_path=str(tokenizers["word"]), out_dir=str(tmp_path / "o"),
                          text_path=(str(tmp_path / "a.txt"),))  # fmt: skip
    encode.run(config, told)
    tokenizer = load_tokenizer(tokenizers["word"])
    ids = [i for split in ids_in(tmp_path / "o").values() for i in split]
    share = ids.count(tokenizer.unk_id) / len(ids)
    assert any(f"{share:.2%} of the tokens are <unk>" in line for line in told.lines)


# ----------------------------------------------------------------------------------- --from-bin


@pytest.fixture(scope="session")
def old_tokens(tmp_path_factory, tokenizers: dict[str, Path], corpus: Path) -> dict[str, Path]:
    """DOCUMENTS as each kind of tokenizer encodes them; the tokenizer lies beside the files."""
    root = tmp_path_factory.mktemp("old")
    for kind in KINDS:
        run(tokenizer_path=str(tokenizers[kind]), text_path=(str(corpus),), val_ratio=0.2,
            out_dir=str(root / kind), shard_tokens=150 if kind == "char" else None)  # fmt: skip
    return {path.name: path for path in root.iterdir()}


@pytest.mark.parametrize("new", KINDS)
@pytest.mark.parametrize("old", KINDS)
def test_encoding_anew_gives_what_the_decoded_documents_give(
    tokenizers: dict[str, Path], old_tokens: dict[str, Path], tmp_path: Path, old: str, new: str
) -> None:
    before, after = load_tokenizer(tokenizers[old]), load_tokenizer(tokenizers[new])
    splits = split_slowly(DOCUMENTS, 0.2)
    decoded = {
        name: [before.decode(before.encode(text, "none")) for text in texts]
        for name, texts in splits.items()
    }
    if old in ("char", "byte-bpe", "regex"):
        assert decoded == splits
    if new == "char" and old == "word":  # <unk> is not in the characters
        decoded = {n: [t for t in ts if "<" not in t] for n, ts in decoded.items()}
        if decoded != {n: [before.decode(before.encode(t, "none")) for t in ts]
                       for n, ts in splits.items()}:  # fmt: skip
            pytest.skip("the old tokenizer does not know all of the text")
    with small(300, 40, 64):
        run(tokenizer_path=str(tokenizers[new]), from_bin=str(old_tokens[old]), shard_tokens=77,
            out_dir=str(tmp_path / "o"))  # fmt: skip
    expected = {
        name: joined([after.encode(text, "none") for text in texts], after.end_id)
        for name, texts in decoded.items()
    }
    assert ids_in(tmp_path / "o") == expected
    meta = read_meta(tmp_path / "o")
    assert meta.settings["from_bin"] == str(old_tokens[old])
    assert {name: split.documents for name, split in meta.splits.items()} == {
        name: len(texts) for name, texts in splits.items()
    }


def test_a_folder_of_nangpt_s_is_taken_with_the_tokenizer_named(
    tokenizers: dict[str, Path], old_tokens: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "nano").mkdir()
    for name in ("train.bin", "val.bin"):
        shutil.copy(old_tokens["byte-bpe"] / name, tmp_path / "nano")
    again = {"tokenizer_path": str(tokenizers["char-bpe"]), "from_bin": str(tmp_path / "nano")}
    with pytest.raises(DataError, match="there is no tokenizer in") as caught:
        run(out_dir=str(tmp_path / "o"), **again)
    assert "--from-tokenizer" in caught.value.hint
    run(out_dir=str(tmp_path / "o"), from_tokenizer=str(tokenizers["byte-bpe"]), **again)
    run(tokenizer_path=str(tokenizers["char-bpe"]), from_bin=str(old_tokens["byte-bpe"]),
        out_dir=str(tmp_path / "whole"))  # fmt: skip
    assert ids_in(tmp_path / "o") == ids_in(tmp_path / "whole")


def test_the_wrong_old_tokenizer_is_refused(
    tokenizers: dict[str, Path], old_tokens: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="were made with another tokenizer") as caught:
        run(tokenizer_path=str(tokenizers["char"]), from_bin=str(old_tokens["byte-bpe"]),
            from_tokenizer=str(tokenizers["nfkc"]), out_dir=str(tmp_path / "o"))  # fmt: skip
    assert "--from-tokenizer" in caught.value.hint


def test_token_files_are_not_encoded_onto_themselves(
    tokenizers: dict[str, Path], old_tokens: dict[str, Path], tmp_path: Path
) -> None:
    before = files_in(old_tokens["char"])
    with pytest.raises(DataError, match="would be overwritten"):
        run(tokenizer_path=str(tokenizers["byte-bpe"]), from_bin=str(old_tokens["char"]),
            out_dir=str(old_tokens["char"]))  # fmt: skip
    assert files_in(old_tokens["char"]) == before
    with pytest.raises(DataError, match="there is no folder"):
        run(tokenizer_path=str(tokenizers["char"]), from_bin=str(tmp_path / "none"))


def test_changed_token_files_are_not_gone_on_with(
    tokenizers: dict[str, Path], old_tokens: dict[str, Path], tmp_path: Path, monkeypatch
) -> None:
    shutil.copytree(old_tokens["byte-bpe"], tmp_path / "old")
    again = {"tokenizer_path": str(tokenizers["char-bpe"]), "from_bin": str(tmp_path / "old"),
             "out_dir": str(tmp_path / "o"), "shard_tokens": 50}  # fmt: skip
    stop_at(monkeypatch, load_tokenizer(tokenizers["char-bpe"]), 3)
    with small(300, 40, 64), pytest.raises(KeyboardInterrupt):
        run(**again)
    monkeypatch.undo()
    assert (tmp_path / "o" / STATE_FILE).exists()
    run(tokenizer_path=str(tokenizers["byte-bpe"]), from_bin=str(old_tokens["char"]),
        out_dir=str(tmp_path / "old"), shard_tokens=9)  # fmt: skip
    with pytest.raises(DataError, match="begun with other settings of the text"):
        run(resume=True, **again)


def stop_at(monkeypatch, tokenizer: BaseTokenizer, count: int) -> None:
    """Ctrl-C at a call of encode_documents."""
    original, left = type(tokenizer).encode_documents, [count]

    def stopping(self, parts):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return original(self, parts)

    monkeypatch.setattr(type(tokenizer), "encode_documents", stopping)


# ------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({"from_bin": "old", "text_path": ("a.txt",)}, "text_path can't go with from_bin"),
        ({"from_bin": "old", "val_ratio": 0.2}, "val_ratio can't go with from_bin"),
        ({"from_bin": "old", "errors": "replace"}, "errors can't go with from_bin"),
        ({"from_bin": "old", "text_key": "a", "val_ratio": 0}, "text_key and val_ratio can't go"),
        ({"from_tokenizer": "old"}, "from_bin, but that is not given"),
    ],
)
def test_settings_that_don_t_go_together_are_refused(knobs, told) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        EncodeConfig(**knobs)
    assert caught.value.hint


def test_settings_that_go_together_are_taken() -> None:
    EncodeConfig(from_bin="old", from_tokenizer="new", shard_tokens=5, resume=True, workers=2)


def test_settings_that_don_t_go_together_are_a_usage_error(yocto) -> None:
    result = yocto("encode", "--from-bin", "old", "--val-ratio", "0.2")
    assert result.exit_code == 2
    assert "val_ratio can't go with from_bin" in result.stderr


@pytest.mark.parametrize(
    ("text", "number"),
    [("100M", 100_000_000), ("1.5K", 1500), ("2B", 2_000_000_000), ("3g", 3_000_000_000),
     ("10k", 10_000), ("2.01M", 2_010_000), ("1e3K", 1_000_000), ("1", 1), ("1e6", 1_000_000)],
)  # fmt: skip
def test_numbers_may_be_typed_short(yocto, text: str, number: int) -> None:
    result = yocto("encode", "--shard-tokens", text, "--show-config")
    assert f"shard_tokens: {number} " in result.stdout
    assert EncodeConfig.from_dict({"shard_tokens": text if text[-1].isalpha() else number})


@pytest.mark.parametrize(
    "text", ["M", "1.2345K", "5X", "nanM", "infM", "-3K", "0x10K", "0K", "1 0 K", "99999G", "KM"]
)
def test_numbers_that_are_none_are_refused(yocto, text: str) -> None:
    result = yocto("encode", "--shard-tokens", text, "--show-config")
    assert result.exit_code == 2
    assert f"--shard-tokens is {text!r}" in result.stderr
    assert "100M is a hundred million" in result.stderr


def test_help_tells_how_numbers_may_be_typed(yocto) -> None:
    assert "100M" in yocto("encode", "--help").stdout


def test_standard_input_is_encoded_but_can_t_be_gone_on_with(
    yocto, tokenizers: dict[str, Path], tmp_path: Path, monkeypatch
) -> None:
    typed = ["encode", "--tokenizer-path", tokenizers["byte-bpe"], "--text-path", "-", "--out-dir",
             tmp_path / "o"]  # fmt: skip
    result = yocto(*typed, input="some words of text " * 30)
    assert result.exit_code == 0, result.stderr
    assert sum(len(ids) for ids in ids_in(tmp_path / "o").values()) > 30
    result = yocto(*typed, "--resume", input="some words")
    assert result.exit_code == 1
    assert "standard input can't be read from where it was" in result.stderr


def test_standard_input_that_is_interrupted_promises_no_going_on(
    yocto, tokenizers: dict[str, Path], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("yocto.dataset.encode._SAVED", -1)
    stop_at(monkeypatch, load_tokenizer(tokenizers["char-bpe"]), 3)
    with small(300, 40, 64):
        result = yocto("encode", "--tokenizer-path", tokenizers["char-bpe"], "--text-path", "-",
                       "--out-dir", tmp_path / "o", input="\n".join(DOCUMENTS))  # fmt: skip
    assert result.exit_code == 130
    assert "--resume" not in result.stderr
    assert files_in(tmp_path / "o") == {}


def test_a_text_in_the_place_of_a_shard_is_not_overwritten(
    tokenizers: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "o").mkdir()
    text = tmp_path / "o" / "train_000000.bin"
    text.write_text("a text of mine " * 30)
    with pytest.raises(DataError, match="would be overwritten"):
        run(tokenizer_path=str(tokenizers["char"]), text_path=(str(text),), shard_tokens=5,
            out_dir=str(tmp_path / "o"))  # fmt: skip


# ------------------------------------------------------------------ kills, full disks, two at once


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a few megabytes in four files."""
    folder = tmp_path_factory.mktemp("large")
    rng = random.Random(1)
    for i in range(4):
        documents = [make_text(rng.randint(1, 200), seed) for seed in range(200 * i, 200 * i + 200)]
        data = f"{END_OF_TEXT}\n".join(documents).encode()
        packed = gzip.compress(data, mtime=0) if i % 2 else data
        (folder / (f"{i}.txt" + ".gz" * (i % 2))).write_bytes(packed)
    return folder


def command(*arguments: object) -> list[str]:
    # Small batches and a note after each, so that there is much to go wrong.
    code = (
        "import sys; from yocto.dataset import encode; encode._BATCH = 20_000; "
        "encode._SAVED = 0.01; from yocto.cli.app import main; sys.argv[0] = 'yocto'; main()"
    )
    return [sys.executable, "-c", code, *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(package.__file__).parent.parent)}


def killed_at_random(typed: list[str], whole: Path, out: Path, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    began = time.monotonic()
    done = subprocess.run(command(*typed, "--out-dir", whole), env=environment(),
                          capture_output=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    took = time.monotonic() - began
    before = out.with_name("before")
    if out.exists():
        shutil.copytree(out, before)
    killed = 0
    for _ in range(4 * kills):
        if killed == kills:
            break
        process = subprocess.Popen(
            command(*typed, "--out-dir", out, "--resume"), env=environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(rng.uniform(0.2 * took, took))
        except subprocess.TimeoutExpired:
            process.kill()
            killed += process.wait() == -signal.SIGKILL
            continue
        assert files_in(out) == files_in(whole)  # it was quicker: once more from the start
        shutil.rmtree(out)
        if before.exists():
            shutil.copytree(before, out)
    done = subprocess.run(command(*typed, "--out-dir", out, "--resume"), env=environment(),
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert killed
    assert files_in(out) == files_in(whole)


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
@pytest.mark.parametrize("shard_tokens", ["50K", None])
def test_kill_9_and_resume_ends_with_the_same_files(
    tokenizers: dict[str, Path], large: Path, tmp_path: Path, shard_tokens: str | None
) -> None:
    typed = ["encode", "--tokenizer-path", tokenizers["byte-bpe"], "--text-path", large]
    typed += ["--workers", "2", *(["--shard-tokens", shard_tokens] if shard_tokens else [])]
    killed_at_random(typed, tmp_path / "whole", tmp_path / "o", 3, 1)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kill -9")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("source", ["text", "bin"])
@pytest.mark.parametrize("is_new", [True, False])
def test_kill_9_at_20_random_moments_ends_with_the_same_files(
    tokenizers: dict[str, Path], large: Path, tmp_path: Path, seed: int, source: str, is_new: bool
) -> None:
    typed = ["encode", "--tokenizer-path", tokenizers["byte-bpe"], "--shard-tokens", "40K"]
    if source == "text":
        typed += ["--text-path", large]
    else:
        run(tokenizer_path=str(tokenizers["nfkc"]), text_path=(str(large),),
            out_dir=str(tmp_path / "old"))  # fmt: skip
        typed += ["--from-bin", tmp_path / "old"]
    if not is_new:  # token files lie there already
        for out in (tmp_path / "whole", tmp_path / "o"):
            run(tokenizer_path=str(tokenizers["nfkc"]), text_path=(str(large),), out_dir=str(out),
                val_ratio=0.5)  # fmt: skip
    killed_at_random(typed, tmp_path / "whole", tmp_path / "o", 20, seed)


def test_a_real_full_disk_is_told_and_keeps_finished_shards(
    yocto, tokenizers: dict[str, Path], large: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount")
    typed = ["encode", "--tokenizer-path", tokenizers["byte-bpe"], "--text-path", large,
             "--shard-tokens", "100K"]  # fmt: skip
    try:
        assert yocto(*typed, "--out-dir", tmp_path / "whole").exit_code == 0
        whole = files_in(tmp_path / "whole")
        full = yocto(*typed, "--out-dir", disk / "o")
        assert full.exit_code == 1
        (line,) = [x for x in full.stderr.splitlines() if x.startswith("error: ")]
        assert "No space left" in line and "can't write" in line
        assert "Free some space" in full.stderr and "--resume goes on" in full.stderr
        kept = {n: data for n, data in files_in(disk / "o").items() if n.endswith(".bin")}
        assert len(kept) > 3 and all(whole[name] == data for name, data in kept.items())
        again = yocto(*typed, "--out-dir", disk / "o", "--resume")  # as full as before
        assert again.exit_code == 1 and "No space left" in again.stderr
        grow = ["mount", "-o", "remount,size=20m", str(disk)]
        subprocess.run(grow, check=True, capture_output=True)
        done = yocto(*typed, "--out-dir", disk / "o", "--resume")
        assert done.exit_code == 0, done.stderr
        assert files_in(disk / "o") == whole
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_is_full_at_any_moment_leaves_old_files_whole(
    tokenizers: dict[str, Path], corpus: Path, tmp_path: Path
) -> None:
    """RLIMIT_FSIZE: no file may grow beyond so many bytes."""
    resource = pytest.importorskip("resource")
    out = tmp_path / "o"
    run(tokenizer_path=str(tokenizers["char"]), text_path=(str(corpus),), out_dir=str(out))
    before = files_in(out)
    typed = {"tokenizer_path": str(tokenizers["char-bpe"]), "text_path": (str(corpus),)}
    run(out_dir=str(tmp_path / "new"), **typed)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for size in (10, 300, 1500, 4000, 8000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
            with pytest.raises(package.errors.YoctoError, match="can't write"):
                run(out_dir=str(out), **typed)
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            shown = {n: data for n, data in files_in(out).items() if not n.startswith(".")}
            assert shown == before
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)


def test_two_at_once_take_turns(tokenizers: dict[str, Path], large: Path, tmp_path: Path) -> None:
    typed = {"tokenizer_path": str(tokenizers["byte-bpe"]), "text_path": (str(large),)}
    run(out_dir=str(tmp_path / "whole"), **typed)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            run(out_dir=str(tmp_path / "o"), **typed)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert files_in(tmp_path / "o") == files_in(tmp_path / "whole")


def test_a_truncated_archive_amid_a_folder_is_told_in_one_line(
    yocto, tokenizers: dict[str, Path], large: Path, tmp_path: Path
) -> None:
    shutil.copytree(large, tmp_path / "texts")
    typed = ["encode", "--tokenizer-path", tokenizers["byte-bpe"], "--shard-tokens", "20K",
             "--text-path", tmp_path / "texts"]  # fmt: skip
    assert yocto(*typed, "--out-dir", tmp_path / "whole").exit_code == 0
    file = tmp_path / "texts" / "1.txt.gz"
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    failed = yocto(*typed, "--out-dir", tmp_path / "o")
    assert failed.exit_code == 1
    lines = failed.stderr.splitlines()
    (at,) = [i for i, line in enumerate(lines) if line.startswith("error: ")]
    assert "1.txt.gz is cut off" in lines[at] and len(lines) == at + 2
    assert "--resume goes on" in lines[at + 1]
    assert len(list((tmp_path / "o").glob("train_*.bin"))) > 3
    file.write_bytes(data)
    done = yocto(*typed, "--out-dir", tmp_path / "o", "--resume")
    assert done.exit_code == 0, done.stderr
    assert files_in(tmp_path / "o") == files_in(tmp_path / "whole")
