"""Checkpoints: whole or not there, checked when opened, and found by what the user calls them."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import Project
from tiny import LETTERS, tiny_gpt

import yocto.checkpoint.run as run_module
from yocto.checkpoint import Checkpoint, Run, find_checkpoint, find_run, find_runs, list_runs
from yocto.checkpoint.step import digest
from yocto.errors import CheckpointError
from yocto.model.gpt import GPT
from yocto.tokenizer.char import CharTokenizer
from yocto.utils.files import sha256_file

FILES = ["config.json", "model.safetensors", "trainer.pt", "vocab.json"]
TRAINER = {"step": 5, "rng": torch.arange(4), "nested": {"a": [1.5, None]}}


def save(run: Run, step: int = 5, model: GPT | None = None) -> Path:
    return run.save(step, model or tiny_gpt(), CharTokenizer(LETTERS), {"mode": "char"}, 3, TRAINER)


@pytest.fixture
def step(tmp_path: Path) -> Path:
    """A checkpoint of its own."""
    return save(Run(tmp_path / "char-1"))


def reseal(folder: Path, **changes: Any) -> None:
    """Change config.json and make its checksums right again, as an attacker would."""
    file = folder / "config.json"
    content = {**json.loads(file.read_text()), **changes}
    content.pop("sha256")
    names = [name for name in FILES if name != "config.json" and (folder / name).exists()]
    content["files"] = {name: sha256_file(folder / name) for name in names}
    content = {**content, "sha256": digest(content)}
    file.write_text(json.dumps(content))


# ---------------------------------------------------------------------------------- round trip


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_model_comes_back_bit_for_bit(tmp_path: Path, family: str, tied: bool) -> None:
    model = tiny_gpt(family=family, tie_weights=tied)
    checkpoint = Checkpoint.open(save(Run(tmp_path / "run"), model=model))
    loaded = checkpoint.load_model()
    assert loaded.config == model.config
    weights, expected = loaded.state_dict(), model.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert (loaded.lm_head.weight is loaded.wte.weight) == tied
    assert not loaded.training


def test_everything_else_comes_back_too(step: Path) -> None:
    checkpoint = Checkpoint.open(step)
    assert (checkpoint.step, checkpoint.documents) == (5, 3)
    assert checkpoint.train == {"mode": "char"}
    assert checkpoint.load_tokenizer().sha256 == CharTokenizer(LETTERS).sha256
    trainer = checkpoint.load_trainer()
    assert torch.equal(trainer.pop("rng"), TRAINER["rng"])
    assert trainer == {"step": 5, "nested": {"a": [1.5, None]}}


def test_the_files_are_those_that_the_format_promises(step: Path) -> None:
    assert sorted(file.name for file in step.iterdir()) == FILES
    assert step.name == "step-000005"
    assert (step.parent / "latest").read_text() == "step-000005\n"


def test_a_checkpoint_needs_nothing_beside_it(step: Path, tmp_path: Path) -> None:
    shutil.move(step, tmp_path / "elsewhere")
    shutil.rmtree(step.parent)
    checkpoint = Checkpoint.open(tmp_path / "elsewhere")
    assert checkpoint.load_model().num_parameters() == tiny_gpt().num_parameters()
    assert checkpoint.load_tokenizer().decode([0, 1]) == "ab"


def test_a_real_run_of_each_mode_opens(project: Project) -> None:
    checkpoint = Checkpoint.open(project.step)
    assert checkpoint.train["mode"] == project.mode
    assert checkpoint.load_model().config.vocab_size == checkpoint.load_tokenizer().vocab_size


# -------------------------------------------------------------------------------------- damage


def read_all(step: Path) -> None:
    """All that a resumed run reads."""
    checkpoint = Checkpoint.open(step)
    checkpoint.load_model()
    checkpoint.load_trainer()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0, 0.5, 1])
def test_an_altered_byte_is_noticed_and_its_file_named(step: Path, name: str, place: float) -> None:
    data = bytearray((step / name).read_bytes())
    if name == "config.json" and place == 1:
        place = 0.999  # the last byte is a line break
    data[int(place * (len(data) - 1))] ^= 1
    (step / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=name):
        read_all(step)


def test_no_altered_byte_of_config_json_changes_what_is_read(step: Path) -> None:
    file, expected = step / "config.json", Checkpoint.open(step)
    data = file.read_bytes()
    noticed = 0
    for at in range(len(data)):
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        try:
            assert Checkpoint.open(step) == expected
        except CheckpointError as error:
            assert "config.json" in error.message or "char-1" in error.message
            noticed += 1
    assert noticed > 0.6 * len(data)  # white space may change


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_truncated_file_is_noticed_and_named(step: Path, name: str, share: float) -> None:
    data = (step / name).read_bytes()
    (step / name).write_bytes(data[: int(share * (len(data) - 2))])
    with pytest.raises(CheckpointError, match=name):
        read_all(step)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_noticed_and_named(step: Path, name: str) -> None:
    (step / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        read_all(step)


def test_a_checkpoint_without_its_trainer_state_still_speaks(step: Path) -> None:
    (step / "trainer.pt").unlink()
    assert not Checkpoint.open(step).load_model().training


def test_a_newer_format_says_to_update(step: Path) -> None:
    reseal(step, version=2)
    with pytest.raises(CheckpointError, match="version 2") as caught:
        Checkpoint.open(step)
    assert "Update yocto" in caught.value.hint


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "something else"},
        {"version": "1"},
        {"version": None},
        {"step": None},
        {"model": {"n_layer": -1}},
        {"model": {"surprise": 1}},
        {"model": 5},
        {"train": 7},
        {"documents": "many"},
    ],
)
def test_wrong_values_are_errors_that_name_the_checkpoint(step: Path, changes: dict) -> None:
    reseal(step, **changes)
    with pytest.raises(CheckpointError, match="step-000005"):
        Checkpoint.open(step)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"format": 1}', "\xff", "[" * 100_000])
def test_a_config_json_that_is_none_is_an_error(step: Path, text: str) -> None:
    (step / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"config\.json"):
        Checkpoint.open(step)


def test_weights_of_another_shape_are_an_error_not_a_traceback(step: Path) -> None:
    model = json.loads((step / "config.json").read_text())["model"]
    reseal(step, model={**model, "n_layer": 3})
    with pytest.raises(CheckpointError, match=r"holds [0-9,]+ weights, but its config"):
        Checkpoint.open(step).load_model()


@pytest.mark.parametrize("name", ["model.safetensors", "trainer.pt"])
@pytest.mark.parametrize("data", [b"", b"nonsense" * 10, None])
def test_nonsense_with_right_checksums_is_an_error(
    step: Path, name: str, data: bytes | None
) -> None:
    if data is None:
        (step / name).unlink()
    else:
        (step / name).write_bytes(data)
    reseal(step)
    with pytest.raises(CheckpointError, match=name):
        checkpoint = Checkpoint.open(step)
        checkpoint.load_model() if name == "model.safetensors" else checkpoint.load_trainer()


def test_a_trainer_state_that_is_no_table_is_an_error(step: Path) -> None:
    torch.save([1, 2], step / "trainer.pt")
    reseal(step)
    with pytest.raises(CheckpointError, match=r"trainer\.pt holds no trainer state"):
        Checkpoint.open(step).load_trainer()


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("written_by", ["torch", "old torch", "pickle"])
def test_a_hostile_trainer_state_does_not_run(step: Path, tmp_path: Path, written_by: str) -> None:
    target, file = tmp_path / "pwned", step / "trainer.pt"
    content = {"step": Hostile(target)}
    if written_by == "pickle":
        file.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=written_by == "torch")
    reseal(step)
    with pytest.raises(CheckpointError, match=r"trainer\.pt") as caught:
        Checkpoint.open(step).load_trainer()
    assert not target.exists()
    assert "weights_only" not in str(caught.value)  # torch's own message says to turn it off
    if written_by == "pickle":  # it would have run
        pickle.loads(file.read_bytes())
        assert target.exists()


def test_a_file_name_in_config_json_does_not_lead_out_of_the_folder(
    step: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").write_text("x")
    content = json.loads((step / "config.json").read_text())
    content.pop("sha256")
    content["files"]["../../outside"] = sha256_file(tmp_path / "outside")
    content["sha256"] = digest(content)
    (step / "config.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="outside"):
        Checkpoint.open(step)


# ----------------------------------------------------------------------------- kills while saving


class Kill(BaseException):
    """Nothing catches it, as nothing outlives a kill."""


@pytest.mark.parametrize("moment", ["weights", "trainer", "config", "latest"])
def test_a_kill_while_saving_leaves_the_checkpoint_before_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    run = Run(tmp_path / "run")
    first = save(run, 5)

    def killed(*args: Any, **kwargs: Any) -> None:
        for argument in args:  # half of the file is there already
            if isinstance(argument, str | Path) and Path(argument).parent.name.startswith(".step"):
                Path(argument).write_bytes(b"half")
        raise Kill

    owner, name = {
        "weights": (safetensors.torch, "save_model"),
        "trainer": (torch, "save"),
        "config": (run_module, "write_json"),
        "latest": (run_module, "write_text"),
    }[moment]
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, killed)
        with pytest.raises(Kill):
            save(run, 10)
    assert run.pointer("latest") == first
    assert Checkpoint.open(first).load_trainer()["step"] == 5
    for folder in run.path.glob("step-*"):
        Checkpoint.open(folder).load_model()  # whatever is there is whole
    assert [r.path for r in find_runs(tmp_path)] == [run.path]
    again = save(run, 10)  # and the same step can be saved after that
    assert run.pointer("latest") == again
    Checkpoint.open(again).load_model()


def test_a_new_run_that_comes_to_no_checkpoint_gives_the_old_one_its_records_back(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path / "run")
    save(run)
    (run.path / "metrics.jsonl").write_text("old")
    run.set_aside()
    (run.path / "metrics.jsonl").write_text("new")
    (run.path / "config.yaml").write_text("new")
    run.put_back()
    assert (run.path / "metrics.jsonl").read_text() == "old"
    new = Run(tmp_path / "new")
    new.path.mkdir()
    (new.path / "config.yaml").write_text("new")
    new.put_back()
    assert not list(new.path.iterdir())
    (new.path / "config.yaml").write_text("new")
    (new.path / "metrics.jsonl").write_text("new")
    new.put_back()  # what it has measured before it failed can be looked at
    assert len(list(new.path.iterdir())) == 2


def test_what_a_kill_left_behind_is_never_taken_for_a_checkpoint(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    step = save(run)
    shutil.copytree(step, run.path / ".step-000009.123.tmp")
    assert find_checkpoint("run", tmp_path) == step
    run.prune()
    assert run.pointer("latest") == step


def test_a_full_disk_is_an_error_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_model", full)
    with pytest.raises(Exception, match="No space left on device") as caught:
        save(Run(tmp_path / "run"))
    assert "Free some space" in str(caught.value)
    assert not list((tmp_path / "run").iterdir())


# --------------------------------------------------------------------------------- best, pruning


def test_prune_keeps_the_latest_and_the_best_step(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    for step in (5, 10, 15):
        save(run, step)
    run.mark_best(10)
    run.prune()
    assert sorted(f.name for f in run.path.glob("step-*")) == ["step-000010", "step-000015"]


@pytest.mark.parametrize(
    ("keep_last", "kept"), [(1, [10, 20]), (2, [10, 15, 20]), (9, [5, 10, 15, 20])]
)
def test_prune_keeps_as_many_as_it_is_told(tmp_path: Path, keep_last: int, kept: list[int]) -> None:
    run = Run(tmp_path / "run")
    for step in (5, 10, 15, 20):
        save(run, step)
    run.mark_best(10)
    run.prune(keep_last)
    assert sorted(int(f.name[-6:]) for f in run.path.glob("step-*")) == kept


def test_steps_after_the_latest_go_and_do_not_count_as_newest(tmp_path: Path) -> None:
    """They are damaged, or those of a run that was replaced."""
    run = Run(tmp_path / "run")
    for step in (5, 10, 15, 20):
        save(run, step)
    run.mark_latest(10)
    run.prune(2)
    assert sorted(int(f.name[-6:]) for f in run.path.glob("step-*")) == [5, 10]


@pytest.mark.parametrize("text", ["step-000099", "", "../../etc", "\udcff nonsense"])
def test_a_pointer_to_nowhere_is_none(tmp_path: Path, text: str) -> None:
    run = Run(tmp_path / "run")
    save(run)
    (run.path / "best").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert run.pointer("best") is None
    assert find_checkpoint("run", tmp_path) == run.pointer("latest")


# ------------------------------------------------------------------------------------- finding


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Run `old`, with a best step that is not its latest, and run `new`."""
    ckpt_dir = tmp_path / "checkpoints"
    for age, name in enumerate(["new", "old"]):
        run = Run(ckpt_dir / name)
        for step in (5, 10):
            save(run, step)
        run.mark_best(5)
        then = 1_000_000_000 - age
        os.utime(run.path / "latest", (then, then))
    (ckpt_dir / "empty").mkdir()
    return ckpt_dir


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (None, "new/step-000005"),
        ("best", "new/step-000005"),
        ("latest", "new/step-000010"),
        ("new", "new/step-000005"),
        ("old", "old/step-000005"),
        ("{}/old", "old/step-000005"),
        ("{}/old/", "old/step-000005"),
        ("{}/old/step-000010", "old/step-000010"),
        ("old/step-000010", "old/step-000010"),
    ],
)
def test_a_checkpoint_is_found_by(runs: Path, spec: str | None, expected: str) -> None:
    found = find_checkpoint(spec.format(runs) if spec else spec, runs)
    assert found == runs / expected


def test_a_relative_path_is_taken_from_the_current_folder(
    runs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(runs.parent)
    found = find_checkpoint("checkpoints/old", tmp_path / "nowhere")
    assert found.resolve() == (runs / "old/step-000005").resolve()


def test_without_a_best_step_the_latest_counts(runs: Path) -> None:
    (runs / "old" / "best").unlink()
    assert find_checkpoint("old", runs) == runs / "old/step-000010"


@pytest.mark.parametrize("spec", ["nwe", "empty", "step-000005", "", "/nowhere/at/all"])
def test_an_unknown_checkpoint_lists_the_runs_that_are_there(runs: Path, spec: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        find_checkpoint(spec, runs)
    assert repr(spec) in caught.value.message
    assert "new, old" in caught.value.hint


@pytest.mark.parametrize("spec", [None, "latest", "token-1"])
def test_without_any_run_the_error_says_to_train(tmp_path: Path, spec: str | None) -> None:
    with pytest.raises(CheckpointError) as caught:
        find_checkpoint(spec, tmp_path / "checkpoints")
    assert "yocto train" in caught.value.hint


def test_runs_of_one_moment_have_an_order(runs: Path) -> None:
    for name in ("new", "old"):
        os.utime(runs / name / "latest", (1_000_000_000, 1_000_000_000))
    assert [run.name for run in find_runs(runs)] == ["old", "new"]


# ------------------------------------------------------------------------------ runs, whole or not


def test_a_run_is_found_by_its_name_its_folder_and_its_steps(
    tmp_path: Path, step: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for spec in ("char-1", str(step.parent), str(step), None, "latest"):
        assert find_run(spec, tmp_path).path.resolve() == step.parent.resolve()
    monkeypatch.chdir(step.parent)
    assert find_run(".", tmp_path).name == "char-1"


def test_a_damaged_run_is_found_by_name_too(tmp_path: Path, step: Path) -> None:
    (step / "config.json").unlink()
    assert find_runs(tmp_path) == []
    assert list_runs(tmp_path) == [Run(tmp_path / "char-1")]
    assert find_run("char-1", tmp_path) == Run(tmp_path / "char-1")
    with pytest.raises(CheckpointError, match="there is no run 'char-2'") as caught:
        find_run("char-2", tmp_path)
    assert "Did you mean 'char-1'?" in caught.value.hint


def test_the_checksum_of_the_text_is_read_without_unpickling(tmp_path: Path) -> None:
    trainer = {"names": ["corpus", "sha256"], "corpus": "0a" * 64, "rng": torch.arange(4)}
    run = Run(tmp_path / "char-1")
    folder = run.save(5, tiny_gpt(), CharTokenizer(LETTERS), {"mode": "char"}, 3, trainer)
    checkpoint = Checkpoint.read(folder)
    # A text that is not followed by a checksum is not taken for one.
    assert checkpoint.corpus() is None
    trainer.pop("names")
    folder = run.save(6, tiny_gpt(), CharTokenizer(LETTERS), {"mode": "char"}, 3, trainer)
    assert Checkpoint.read(folder).corpus() == "0a" * 64


@pytest.mark.parametrize("data", [None, b"", b"no archive", b"PK\x03\x04" + bytes(100)])
def test_a_trainer_state_that_cannot_be_read_tells_no_checksum(step: Path, data) -> None:
    (step / "trainer.pt").unlink()
    if data is not None:
        (step / "trainer.pt").write_bytes(data)
    assert Checkpoint.read(step).corpus() is None


# --------------------------------------------------------------------------------- chat templates


def put(folder: Path, **files: str) -> None:
    """Write files; name_ext=text."""
    for name, text in files.items():
        stem, _, ending = name.rpartition("_")
        (folder / f"{stem}.{ending}").write_text(text, encoding="utf-8")


def test_a_checkpoint_without_a_chat_template_has_none(step: Path) -> None:
    assert Checkpoint.open(step).chat_template() is None
    put(step, tokenizer_config_json='{"bos_token": "<s>"}')
    assert Checkpoint.open(step).chat_template() is None


def test_a_chat_template_is_read_with_the_tokens_it_may_name_and_the_ids_of_the_end(
    step: Path,
) -> None:
    put(
        step,
        tokenizer_config_json='{"chat_template": "old", "bos_token": {"content": "<s>"}, '
        '"eos_token": "</s>", "pad_token": null}',
        generation_config_json='{"eos_token_id": [1, 2, "x", -1, true]}',
    )
    made = Checkpoint.open(step).chat_template()
    assert made is not None
    assert (made.path.name, made.source) == ("tokenizer_config.json", "old")
    assert made.tokens == {"bos_token": "<s>", "eos_token": "</s>"}
    assert made.end_ids == {1, 2}
    put(step, chat_template_jinja="né", generation_config_json='{"eos_token_id": 7}')
    made = Checkpoint.open(step).chat_template()
    assert made is not None
    assert (made.path.name, made.source, made.end_ids) == ("chat_template.jinja", "né", {7})
    assert made.tokens["eos_token"] == "</s>"


def test_of_several_chat_templates_the_default_one_counts(step: Path) -> None:
    named = [{"name": "tools", "template": "t"}, {"name": "default", "template": "d"}]
    put(step, tokenizer_config_json=json.dumps({"chat_template": named}))
    made = Checkpoint.open(step).chat_template()
    assert made is not None
    assert made.source == "d"
    put(step, tokenizer_config_json=json.dumps({"chat_template": named[:1]}))
    assert Checkpoint.open(step).chat_template() is None


@pytest.mark.parametrize(
    "files",
    [
        {"tokenizer_config_json": "{"},
        {"tokenizer_config_json": "[]"},
        {"tokenizer_config_json": '{"chat_template": 5}'},
        {"chat_template_jinja": "a", "generation_config_json": "5"},
    ],
)
def test_a_damaged_chat_template_is_told_by_name(step: Path, files: dict[str, str]) -> None:
    put(step, **files)
    name = list(files)[-1].replace("_json", ".json")
    with pytest.raises(CheckpointError, match=name):
        Checkpoint.open(step).chat_template()


def test_a_chat_template_that_is_no_utf8_is_told_by_name(step: Path) -> None:
    (step / "chat_template.jinja").write_bytes(b"\xff")
    with pytest.raises(CheckpointError, match=r"chat_template\.jinja"):
        Checkpoint.open(step).chat_template()
