"""What differs between runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from conftest import Project
from made_runs import evaluation, make_run

from yocto.checkpoint import Run
from yocto.config import GPTConfig, TrainConfig, knobs
from yocto.training.comparison import _WHICH, compare
from yocto.training.history import read_history


def compared(*runs: Run):
    return compare([read_history(run) for run in runs])


def test_what_differs_is_shown_and_what_is_the_same_is_counted(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", [evaluation(12, 2.0)])
    b = make_run(tmp_path / "b", [evaluation(12, 1.0)], learning_rate=0.5, n_embd=32, seed=3)
    found = compared(a, b)
    assert found.runs == ["a", "b"]
    assert found.settings == {"learning_rate": [0.008, 0.5], "seed": [1337, 3]}
    assert found.model == {"n_embd": [16, 32], "n_inner": [48, 88], "head_size": [8, 16]}
    assert found.data == found.tokenizer == {}
    assert (found.same_data, found.same_tokenizer) == (True, True)
    assert found.results == {
        "best_val_loss": [2.0, 1.0], "best_bits_per_byte": [1.0, 0.5],
        "last_val_loss": [2.0, 1.0], "last_bits_per_byte": [1.0, 0.5],
    }  # fmt: skip
    names = {f.name for f in (*knobs(TrainConfig), *knobs(GPTConfig))} - set(_WHICH)
    assert found.same == len(names) - 5


def test_a_setting_that_an_older_run_lacks_is_none(tmp_path: Path) -> None:
    a, b = make_run(tmp_path / "a"), make_run(tmp_path / "b")
    histories = [read_history(a), read_history(b)]
    del histories[0].checkpoint.train["seed"]
    assert compare(histories).settings == {"seed": [None, 1337]}


def test_texts_and_tokenizers_are_told_apart_by_their_checksums(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", corpus="ab" * 32 + "cd" * 32)
    b = make_run(tmp_path / "b", letters="zyxw", corpus="ab" * 32 + "ef" * 32)
    found = compared(a, b)
    assert found.data == {"val_sha256": ["cd" * 32, "ef" * 32]}
    assert found.tokenizer.keys() == {"vocab_size", "sha256"}
    assert found.tokenizer["vocab_size"] == [26, 4]
    assert (found.same_data, found.same_tokenizer) == (False, False)


def test_a_run_that_cannot_be_read_differs_in_nothing_but_its_results(tmp_path: Path) -> None:
    a, b, c = (make_run(tmp_path / name, [evaluation(12, 2.0)]) for name in "abc")
    (c.path / "step-000012" / "config.json").write_text("{}")
    found = compared(a, c, b)
    assert found.settings == found.model == {}
    assert found.results["status"] == ["finished", "damaged", "finished"]
    assert (found.same_data, found.same_tokenizer) == (None, None)


def test_sizes_of_the_text_are_told_while_it_is_where_it_was(
    char_project: Project, token_project: Project, tmp_path: Path
) -> None:
    found = compared(Run(char_project.run), Run(token_project.run))
    assert found.data["train_tokens"][0] > found.data["train_tokens"][1] > 100
    assert found.tokenizer["kind"] == ["char", "byte-bpe"]
    assert found.settings["mode"] == ["char", "token"]
    (tmp_path / "x").mkdir()
    token = token_project.copy_to(tmp_path / "x")
    meta = char_project.data / "meta.json"  # another text lies there by now
    histories = [read_history(Run(char_project.run)), read_history(Run(token.run))]
    histories[1].checkpoint.train["data_dir"] = str(meta.parent)
    histories[1].checkpoint.train["tokenizer_path"] = None
    assert compare(histories).data["train_tokens"][1] is None
    assert asdict(found)["same"] > 20
