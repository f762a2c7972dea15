"""inspect: what is told of tokens, tokenizers, checkpoints and texts, and what --verify sees."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import Project
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yocto.commands import inspect
from yocto.commands.inspect import Inspection
from yocto.config import InspectConfig
from yocto.dataset.documents import read_documents
from yocto.dataset.tokens import FileMeta, SplitMeta, read_meta, write_meta
from yocto.errors import CheckpointError, ConfigError, DataError, TokenizerFileError, YoctoError
from yocto.tokenizer.store import load_tokenizer
from yocto.utils.progress import SilentProgress


def run(path: Path | str, **knobs) -> Inspection:
    return inspect.run(InspectConfig(path=str(path), **knobs), SilentProgress())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def flip(path: Path, at: int | None = None) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 1
    path.write_bytes(data)


@pytest.fixture
def copy(token_project: Project, tmp_path: Path) -> Project:
    return token_project.copy_to(tmp_path)


# ---------------------------------------------------------------------------------- token files


def test_a_folder_tells_of_its_tokens_and_its_tokenizer(project: Project) -> None:
    found = run(project.data, top=5)
    meta, tokenizer = read_meta(project.data), load_tokenizer(project.data)
    ids = np.concatenate([np.fromfile(project.data / f"{s}.bin", "<u2") for s in ("train", "val")])
    counts = Counter(ids.tolist())
    assert found.tokens is not None and found.tokenizer is not None
    tokens = found.tokens
    assert (tokens.dtype, tokens.vocab_size, tokens.end_id) == ("uint16", meta.vocab_size,
                                                                meta.end_id)  # fmt: skip
    assert (tokens.tokenizer, tokens.assumed) == ("same", "")
    assert (tokens.made_by, tokens.sources) == (meta.made_by, meta.sources)
    for name, split in meta.splits.items():
        told = tokens.splits[name]
        assert (told.tokens, told.bytes, told.documents) == (split.tokens, split.bytes,
                                                             split.documents)  # fmt: skip
        assert told.bytes_per_token == split.bytes_per_token
        assert told.files == [file.name for file in split.files]
        assert told.size == 2 * split.tokens
    oracle = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:5]
    assert [(row.id, row.count) for row in tokens.frequent] == oracle
    assert tokens.frequent[0].share == oracle[0][1] / len(ids)
    assert tokens.used == len(counts)
    assert tokens.used_share == len(counts) / meta.vocab_size
    plain = [i for i in counts if i not in tokenizer.special_tokens.values()]
    longest = sorted((len(tokenizer.token_bytes(i)) for i in plain), reverse=True)[:5]
    assert [row.bytes for row in tokens.longest] == longest
    assert found.tokenizer.facts.kind == tokenizer.kind


def test_openings_are_the_beginnings_of_the_first_documents(
    token_project: Project, many_documents: Path
) -> None:
    tokens = run(token_project.data, excerpt=30).tokens
    assert tokens is not None
    beginnings = {document[:30] for document in read_documents([many_documents])}
    assert len(tokens.openings) == 3
    assert {opening.text for opening in tokens.openings} <= beginnings
    ids = np.fromfile(token_project.data / "train.bin", "<u2")
    for opening in tokens.openings[1:]:
        assert ids[opening.at - 1] == tokens.end_id
    lengths = np.diff(np.flatnonzero(np.append(np.insert(ids, 0, tokens.end_id), tokens.end_id)
                                     == tokens.end_id)) - 1  # fmt: skip
    assert tokens.splits["train"].longest_document == lengths.max()
    assert tokens.splits["train"].documents == len(lengths)


def test_an_opening_ends_where_its_document_does(
    token_project: Project, many_documents: Path
) -> None:
    tokens = run(token_project.data, excerpt=5000).tokens
    assert tokens is not None
    documents = set(read_documents([many_documents]))
    assert {opening.text for opening in tokens.openings} <= documents


def test_bytes_per_token_of_a_tokenizer_is_measured_on_its_own_text(
    token_project: Project, many_documents: Path
) -> None:
    found = run(token_project.data / "tokenizer.json").tokenizer
    assert found is not None
    text = "".join(read_documents([many_documents]))
    ids = load_tokenizer(token_project.data).encode(text)
    assert found.corpus == [str(many_documents)]
    assert found.bytes_per_token == pytest.approx(len(text.encode()) / len(ids), abs=1e-3)
    assert found.sha256 == digest(token_project.data / "tokenizer.json")


def test_a_split_in_several_files_is_told_as_one(copy: Project) -> None:
    whole = run(copy.data, verify=True)
    meta = read_meta(copy.data)
    data = (copy.data / "train.bin").read_bytes()
    files = []
    for i, part in enumerate((data[:1000], data[1000:1010], data[1010:])):
        name = f"train_{i:06d}.bin"
        (copy.data / name).write_bytes(part)
        files.append(FileMeta(name, len(part) // 2, hashlib.sha256(part).hexdigest()))
    (copy.data / "train.bin").unlink()
    train = meta.splits["train"]
    split = SplitMeta(train.tokens, train.bytes, train.documents, files)
    write_meta(copy.data, dataclasses.replace(meta, splits={**meta.splits, "train": split}))
    found = run(copy.data, verify=True)
    assert found.tokens is not None and whole.tokens is not None
    names = [file.name for file in files]
    assert found.tokens.splits["train"] == dataclasses.replace(whole.tokens.splits["train"],
                                                               files=names)  # fmt: skip
    assert (found.tokens.frequent, found.tokens.openings) == (whole.tokens.frequent,
                                                              whole.tokens.openings)  # fmt: skip
    assert found.verification is not None
    assert len(found.verification.verified) == 5
    one = run(copy.data / names[0]).tokens
    assert one is not None
    assert (one.splits["train"].tokens, one.splits["train"].bytes) == (500, None)


def test_one_file_is_told_of_by_itself(token_project: Project) -> None:
    tokens = run(token_project.data / "val.bin").tokens
    assert tokens is not None
    meta = read_meta(token_project.data)
    assert list(tokens.splits) == ["val"]
    assert tokens.splits["val"].bytes == meta.splits["val"].bytes
    assert tokens.tokenizer == "same"


def test_nanogpts_files_are_read_as_uint16_and_shown_as_ids(
    token_project: Project, tmp_path: Path
) -> None:
    for name in ("train.bin", "val.bin"):
        shutil.copy(token_project.data / name, tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"odd")
    found = run(tmp_path, verify=True, excerpt=10)
    assert found.tokens is not None and found.tokenizer is None
    tokens = found.tokens
    ids = np.fromfile(tmp_path / "train.bin", "<u2")
    assert list(tokens.splits) == ["train", "val"]
    assert "uint16" in tokens.assumed
    assert (tokens.tokenizer, tokens.vocab_size, tokens.used_share) == ("none", None, None)
    assert (tokens.splits["train"].bytes, tokens.splits["train"].documents) == (None, None)
    assert tokens.openings[0].text.startswith(f"{ids[0]} {ids[1]} ")
    assert tokens.frequent[0].text is None
    assert found.verification is not None
    assert found.verification.verified == []
    assert set(found.verification.unrecorded.values()) == {
        digest(tmp_path / "train.bin"), digest(tmp_path / "val.bin")
    }  # fmt: skip
    named = run(tmp_path, tokenizer_path=str(token_project.data)).tokens
    assert named is not None
    assert named.tokenizer == "assumed"
    assert (
        named.splits["train"].documents == read_meta(token_project.data).splits["train"].documents
    )


def test_a_tokenizer_that_is_not_theirs_is_told_and_not_used(
    token_project: Project, char_project: Project
) -> None:
    found = run(token_project.data, tokenizer_path=str(char_project.data)).tokens
    assert found is not None
    assert found.tokenizer == "other"
    assert found.frequent[0].text is None
    with pytest.raises(DataError, match="is not the tokenizer that made"):
        run(token_project.data, tokenizer_path=str(char_project.data), verify=True)


def test_a_tokenizer_too_small_for_files_without_meta_is_not_theirs(
    token_project: Project, char_project: Project, tmp_path: Path
) -> None:
    shutil.copy(token_project.data / "train.bin", tmp_path)
    found = run(tmp_path, tokenizer_path=str(char_project.data)).tokens
    assert found is not None
    assert (found.tokenizer, found.end_id) == ("other", None)


# ------------------------------------------------------------------------- tokenizers, checkpoints


def test_a_checkpoint_is_told_of_by_name_by_run_and_by_step(project: Project) -> None:
    knobs = {"ckpt_dir": str(project.checkpoints)}
    by_name = run(project.run.name, **knobs).checkpoint
    assert by_name is not None
    for place in (project.run, project.step, project.step / "model.safetensors", "latest"):
        assert run(place, **knobs).checkpoint == by_name
    lines = (project.run / "metrics.jsonl").read_text().splitlines()
    last = [json.loads(line) for line in lines if "val_loss" in line][-1]
    assert (by_name.step.step, by_name.step.val_loss) == (last["step"], last["val_loss"])
    assert by_name.step.bits_per_byte == last["val_bits_per_byte"]
    assert by_name.latest == by_name.step
    assert by_name.tokenizer_vocab_size == load_tokenizer(project.data).vocab_size
    assert by_name.training["max_iters"] == 20
    weights = (project.step / "model.safetensors").stat().st_size
    assert by_name.files["model.safetensors"] == weights
    assert by_name.parameters * 4 < weights < by_name.parameters * 4 + 4000


def test_losses_are_those_of_the_evaluation_of_the_step(copy: Project) -> None:
    with (copy.run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 20, "train_loss": 9.0}\n{"step": 30, "val_loss": 9.0}\nnonsense\n')
    found = run(copy.run).checkpoint
    assert found is not None
    assert found.step.step == 20
    assert found.step.train_loss != 9.0
    assert found.step.val_loss not in (None, 9.0)


def test_a_folder_of_runs_lists_them(copy: Project) -> None:
    shutil.copytree(copy.run, copy.checkpoints / "broken")
    (copy.checkpoints / "broken" / copy.step.name / "config.json").write_text("{")
    runs = run(copy.checkpoints).runs
    assert runs is not None
    told = {line.name: line for line in runs}
    assert told["token-1"].step == 20
    assert told["token-1"].best is not None
    assert "not valid JSON" in told["broken"].problem


def test_a_text_is_counted(many_documents: Path, tmp_path: Path) -> None:
    found = run(many_documents, excerpt=20, top=3).text
    text = many_documents.read_text(encoding="utf-8")
    assert found is not None
    assert (found.size, found.characters) == (many_documents.stat().st_size, len(text))
    assert found.documents == len(list(read_documents([many_documents]))) == 40
    assert (found.lines, found.crlf, found.cr) == (text.count("\n"), 0, 0)
    assert found.excerpt == text[:20]
    assert [row.count for row in found.frequent] == [n for _, n in Counter(text).most_common(3)]
    (tmp_path / "dos.txt").write_bytes(text.replace("\n", "\r\n").encode())
    dos = run(tmp_path / "dos.txt").text
    assert dos is not None
    assert (dos.crlf, dos.documents) == (text.count("\n"), 40)


@pytest.mark.parametrize("name", ["a.json", "a.txt", "corpus.json", "merges.txt"])
def test_a_file_that_is_no_tokenizer_is_a_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"paths": []}')
    assert run(tmp_path / name).text is not None


def test_a_tokenizer_is_known_by_its_content_too(token_project: Project, tmp_path: Path) -> None:
    shutil.copy(token_project.data / "tokenizer.json", tmp_path / "mine.json")
    found = run(tmp_path / "mine.json").tokenizer
    assert found is not None
    assert found.facts.vocab_size == 300
    assert found.bytes_per_token is None  # its text is not known here


# ---------------------------------------------------------------------------------------- verify


def test_verify_compares_all_that_is_recorded(project: Project) -> None:
    found = run(project.data, verify=True).verification
    assert found is not None
    assert {Path(name).suffix for name in found.verified} == {".bin", ".json"}
    assert len(found.verified) == 3
    assert found.unrecorded == {}
    for place in (project.step, project.run, project.checkpoints):
        steps = len(list(place.rglob("config.json")))
        files = sum(len(list(step.parent.iterdir())) for step in place.rglob("config.json"))
        told = run(place, verify=True).verification
        assert steps and told is not None
        assert len(told.verified) == files


@pytest.mark.parametrize("name", ["train.bin", "val.bin"])
def test_verify_sees_a_flipped_bit_in_token_files(copy: Project, name: str) -> None:
    flip(copy.data / name, at=0)
    run(copy.data)  # which reads no checksum
    with pytest.raises(DataError, match=f"{name} is altered"):
        run(copy.data, verify=True)


def test_ids_out_of_range_are_seen_without_verify(copy: Project) -> None:
    data = bytearray((copy.data / "val.bin").read_bytes())
    data[10:12] = b"\xff\xff"
    (copy.data / "val.bin").write_bytes(data)
    with pytest.raises(DataError, match=r"val\.bin is damaged: id 65535 is not below 300"):
        run(copy.data)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "trainer.pt", "tokenizer.json", "merges.txt"]
)
def test_verify_sees_a_flipped_bit_in_any_file_of_a_checkpoint(copy: Project, name: str) -> None:
    step = min(copy.run.glob("step-*"))  # not only the one that is told of
    flip(step / name)
    for place in (copy.run, copy.checkpoints):
        with pytest.raises(YoctoError, match=name):
            run(place, verify=True)


def test_weights_are_not_read_without_verify(copy: Project) -> None:
    for step in copy.run.glob("step-*"):
        (step / "model.safetensors").write_bytes(b"x")
        (step / "trainer.pt").unlink()
    found = run(copy.run).checkpoint
    assert found is not None
    assert (found.files["model.safetensors"], found.files["trainer.pt"]) == (1, None)


def test_a_text_is_compared_with_the_checksum_beside_it(small_text: Path, tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    shutil.copy(small_text, book)
    found = run(book, verify=True).verification
    assert found == inspect.Verification([], {str(book): digest(book)})
    (tmp_path / "book.txt.sha256").write_text(f"{digest(book)}  book.txt\n")
    assert run(book, verify=True).verification == inspect.Verification([str(book)], {})
    flip(book)
    with pytest.raises(DataError, match=r"book\.txt is altered or incomplete"):
        run(book, verify=True)


def test_a_tokenizer_alone_has_nothing_to_compare_with(token_project: Project) -> None:
    file = token_project.data / "tokenizer.json"
    found = run(file, verify=True).verification
    assert found == inspect.Verification([], {str(file): digest(file)})


# ---------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("name", "data", "error", "match"),
    [
        ("a.bin", b"abc", DataError, "odd number of bytes"),
        ("a.png", b"\x89PNG\0\0\x01", DataError, "neither text nor anything else"),
        ("a.txt", b"caf\xe9 au lait", DataError, "not valid UTF-8"),
        ("a.txt", "text".encode("utf-16"), DataError, "UTF-16"),
        ("tokenizer.json", b"{", TokenizerFileError, "not valid JSON"),
        ("a.tiktoken", b"nonsense", TokenizerFileError, r"a\.tiktoken"),
        ("meta.json", b"{", DataError, "not valid JSON"),
    ],
)
def test_a_damaged_file_is_a_usual_error(tmp_path: Path, name, data, error, match) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(error, match=match):
        run(tmp_path / name)


def test_what_is_not_there_is_an_error_that_names_what_inspect_takes(
    copy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copy.root)
    with pytest.raises(DataError, match="no file, folder or run tokn-1") as caught:
        run("tokn-1")
    assert "'token-1'" in caught.value.hint
    assert "tokenizer" in caught.value.hint
    with pytest.raises(DataError, match="nothing that inspect knows") as caught:
        run("data")
    assert "In it: token." in caught.value.hint
    shutil.rmtree("data/token")
    with pytest.raises(DataError, match="no data/token yet") as caught:
        run("data/token")
    assert "yocto train-tokenizer" in caught.value.hint


def test_a_device_is_not_read() -> None:
    with pytest.raises(DataError, match="neither a file nor a folder"):
        run("/dev/null")


def test_a_tokenizer_for_what_has_no_tokens_is_refused(small_text: Path, project: Project) -> None:
    for place in (small_text, project.run, project.data / project.data.name):
        with pytest.raises((ConfigError, DataError)):
            run(place, tokenizer_path=str(project.data))


def test_a_damaged_config_of_a_step_is_a_checkpoint_error(copy: Project) -> None:
    (copy.step / "config.json").write_text("{")
    for place in (copy.step, copy.run):
        with pytest.raises(CheckpointError, match=r"config\.json is not valid JSON"):
            run(place)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(["data/token/meta.json", "data/token/val.bin", "data/token/tokenizer.json",
                          "data/token/corpus.json", "config.json", "tokenizer.json", "best",
                          "metrics.jsonl"]),
    place=st.floats(0, 0.999), data=st.binary(max_size=4), cut=st.booleans(), verify=st.booleans(),
)  # fmt: skip
def test_damage_ends_in_a_result_or_a_yocto_error(
    token_project: Project, tmp_path_factory, name, place, data, cut, verify
) -> None:
    copy = token_project.copy_to(tmp_path_factory.mktemp("damaged"))
    homes = {"best": copy.run, "metrics.jsonl": copy.run}
    file = copy.root / name if "/" in name else homes.get(name, copy.step) / name
    whole = file.read_bytes()
    at = int(place * len(whole))
    file.write_bytes(whole[:at] + data + (b"" if cut else whole[at + len(data) :]))
    try:
        found = run(copy.data if "/" in name else copy.run, verify=verify)
    except YoctoError:
        return
    json.dumps(dataclasses.asdict(found))


# --------------------------------------------------------------------------------- the command line


@pytest.mark.parametrize("columns", [40, 80])
def test_every_line_fits_the_terminal(
    project: Project, small_text: Path, yocto, monkeypatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for place in (project.data, project.data / "val.bin", project.run, project.checkpoints,
                  small_text):  # fmt: skip
        result = yocto("inspect", place, "--verify")
        assert result.exit_code == 0
        lines = [line for line in result.stdout.splitlines() if not line.startswith("next: ")]
        assert max(map(len, lines)) <= columns
        assert all(line.isprintable() for line in lines)


def test_what_is_printed_reads_well(token_project: Project, yocto) -> None:
    text = yocto("inspect", token_project.data, "--verify").stdout
    meta = read_meta(token_project.data)
    for part in (
        "Token files\n  ids         uint16 below 300, 299 between documents\n",
        f"{meta.splits['train'].tokens:,} tokens in train.bin",
        f"{meta.splits['train'].bytes:,} bytes of text, ",
        "the one beside them made them",
        "Most frequent tokens\n",
        "␣the",
        "Beginning of train\n",
        "A document at token ",
        "\nverified: 3 files\n",
    ):
        assert part in text, part


def test_ids_stand_alone_where_there_is_no_tokenizer(
    token_project: Project, tmp_path: Path, yocto
) -> None:
    shutil.copy(token_project.data / "train.bin", tmp_path)
    text = yocto("inspect", tmp_path, "--verify").stdout
    assert "Most frequent ids" in text
    assert "none beside them, so that ids are shown" in text
    assert "no checksum is recorded" in text
    assert "verified" not in text


def test_json_tells_all_of_it(project: Project, yocto) -> None:
    result = yocto("inspect", project.data, "--json", "--verify")
    found = json.loads(result.stdout)
    meta = read_meta(project.data)
    assert found["tokens"]["splits"]["train"]["tokens"] == meta.splits["train"].tokens
    assert found["text"] is None
    assert len(found["verification"]["verified"]) == 3


def test_an_altered_file_ends_with_status_1(copy: Project, yocto) -> None:
    flip(copy.data / "train.bin", at=0)
    result = yocto("inspect", copy.data, "--verify")
    assert result.exit_code == 1
    assert "train.bin is altered" in result.stderr
    assert result.stdout == ""


def test_token_files_are_told_of_without_torch(token_project: Project) -> None:
    code = (
        "import sys\nfrom yocto.commands import inspect\nfrom yocto.config import InspectConfig\n"
        "from yocto.utils.progress import SilentProgress\n"
        f"inspect.run(InspectConfig(path={str(token_project.data)!r}), SilentProgress())\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_of_an_encoding_that_is_not_done_are_told_as_such(
    token_project: Project, tmp_path: Path, yocto
) -> None:
    shutil.copy(token_project.data / "train.bin", tmp_path / "train_000000.bin")
    (tmp_path / ".encoding.json").write_text("{}")
    result = yocto("inspect", str(tmp_path))
    assert result.exit_code == 0, result.stderr
    assert "was interrupted" in result.stderr and "--resume" in result.stderr
