"""The lines of metrics.jsonl in TensorBoard and on Weights & Biases."""

from __future__ import annotations

import importlib.machinery
import logging
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import yocto.training.loggers as loggers_module
from yocto.errors import ConfigError, RunError
from yocto.training.loggers import Logger, check_loggers, make_loggers, scalars
from yocto.utils.progress import SilentProgress

TRAINING = {
    "step": 10, "train_loss": 3.5, "learning_rate": 6e-4, "grad_norm": 0.8, "tokens": 40_960,
    "tokens_per_second": 12_345.0, "utilisation": 0.83, "memory": 512, "seconds": 3.3,
}  # fmt: skip
EVALUATION = {
    "step": 20, "train_loss": 3.4, "val_loss": 3.6, "val_bits_per_byte": 1.25, "tokens": 81_920,
    "seconds": 6.6,
}  # fmt: skip


class Notices(SilentProgress):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.notices: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def notice(self, text: str) -> None:
        self.notices.append(text)


def at(step: int, **values: Any) -> dict[str, Any]:
    return {"step": step, **values}


def test_each_number_has_its_name() -> None:
    assert scalars(TRAINING) == {
        "loss/train": 3.5, "learning_rate": 6e-4, "grad_norm": 0.8, "tokens": 40_960,
        "tokens_per_second": 12_345.0, "utilisation": 0.83, "memory": 512,
    }  # fmt: skip
    assert scalars(EVALUATION) == {"loss/val": 3.6, "bits_per_byte/val": 1.25}
    assert scalars({**EVALUATION, "whole_split": True}) == {
        "loss/val_whole_split": 3.6,
        "bits_per_byte/val_whole_split": 1.25,
    }
    assert scalars({"step": 1, "note": "text", "memory": None}) == {}


def test_no_logger_is_none(tmp_path: Path) -> None:
    assert make_loggers([], tmp_path, {}, None, Notices()) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_package_that_is_not_installed_is_named_before_anything_is_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loggers_module, "find_spec", lambda package: None)
    with pytest.raises(ConfigError, match=f"--log {name} takes the package {name}") as error:
        make_loggers([name], tmp_path, {}, None, Notices())
    assert error.value.hint == "pip install 'yocto[log]'"
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_logger_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="'tensorbord'") as error:
        check_loggers(["tensorbord"])
    assert "tensorboard, wandb" in error.value.hint


# -------------------------------------------------------------------------------- TensorBoard


def read_events(run: Path) -> Any:
    """What TensorBoard shows of a run."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return events


def curve(run: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read_events(run).Scalars(name)]


def test_tensorboard_reads_back_what_was_recorded(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (logger,) = make_loggers(["tensorboard"], tmp_path, {"n_layer": 4}, None, Notices())
    logger.record(TRAINING)
    logger.record(EVALUATION)
    logger.sample(20, "To be,\nor *not*")
    logger.close()
    events = read_events(tmp_path)
    assert set(events.Tags()["scalars"]) == {*scalars(TRAINING), *scalars(EVALUATION)}
    assert curve(tmp_path, "loss/train") == [(10, 3.5)]
    assert curve(tmp_path, "bits_per_byte/val") == [(20, 1.25)]
    (sample,) = events.Tensors("sample/text_summary")
    assert sample.step == 20
    assert sample.tensor_proto.string_val == [b"    To be,\n    or *not*"]
    (settings,) = events.Tensors("settings/text_summary")
    assert settings.tensor_proto.string_val == [b"    n_layer: 4"]


def test_a_resumed_run_draws_no_double_curve_in_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")

    def train(first: int, last: int, loss: float, resumed: int | None) -> None:
        (logger,) = make_loggers(["tensorboard"], tmp_path, {}, resumed, Notices())
        for step in range(first, last + 1, 10):
            logger.record(at(step, train_loss=loss))
        logger.close()

    train(10, 50, 1.0, None)  # killed here; the last checkpoint is that of step 30
    train(40, 60, 2.0, 30)
    assert curve(tmp_path, "loss/train") == [
        (10, 1.0), (20, 1.0), (30, 1.0), (40, 2.0), (50, 2.0), (60, 2.0),
    ]  # fmt: skip
    train(10, 20, 3.0, None)  # --overwrite
    assert curve(tmp_path, "loss/train") == [(10, 3.0), (20, 3.0)]


# ------------------------------------------------------------------------- Weights & Biases


class FakeRun:
    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.summary: dict[str, str] = {}
        self.finished = False
        self.broken = False

    @property
    def url(self) -> str:
        assert self.settings["mode"] != "offline", "wandb warns of it"
        return "https://wandb.ai/me/yocto/runs/" + self.settings["id"]

    def log(self, values: Mapping[str, float], step: int) -> None:
        if self.broken:
            raise OSError("no network\nand more of it")
        self.logged.append((step, dict(values)))

    def finish(self) -> None:
        self.finished = True


class Wandb(types.ModuleType):
    """A stand-in for the package, which keeps the runs that are begun."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.__spec__ = importlib.machinery.ModuleSpec("wandb", None)
        self.runs: list[FakeRun] = []
        self.logged_in = True

    def login(self, prompt: bool = True, verify: bool = True) -> bool:
        assert not prompt
        assert not verify
        return self.logged_in

    def Settings(self, **values: Any) -> dict[str, Any]:
        return values

    def init(self, **settings: Any) -> FakeRun:
        self.runs.append(FakeRun(settings))
        return self.runs[-1]


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Wandb:
    module = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return module


def begin(path: Path, progress: SilentProgress, resumed: int | None = None) -> Logger:
    path.mkdir(exist_ok=True)
    (logger,) = make_loggers(["wandb"], path, {"n_layer": 4}, resumed, progress)
    return logger


def test_wandb_is_told_the_run_and_its_lines(tmp_path: Path, wandb: Wandb) -> None:
    progress = Notices()
    logger = begin(tmp_path / "token-3", progress)
    logger.record(TRAINING)
    logger.sample(20, "To be")
    logger.close()
    (run,) = wandb.runs
    kept = (tmp_path / "token-3" / "wandb-id").read_text().strip()
    assert run.settings == {
        "project": "yocto", "name": "token-3", "id": kept, "resume": "allow",
        "config": {"n_layer": 4}, "dir": str(tmp_path / "token-3"), "mode": None,
        "settings": {"console": "off", "silent": True},
    }  # fmt: skip
    assert run.logged == [(10, scalars(TRAINING))]
    assert run.summary == {"sample": "To be"}
    assert run.finished
    assert progress.said == [f"wandb       https://wandb.ai/me/yocto/runs/{kept}"]
    assert progress.notices == []


def test_a_resumed_run_goes_on_in_wandb_and_a_new_one_does_not(
    tmp_path: Path, wandb: Wandb
) -> None:
    for resumed in (None, 20, None, 20):
        begin(tmp_path, Notices(), resumed)
    first, again, other, last = (run.settings["id"] for run in wandb.runs)
    assert first == again != other == last
    (tmp_path / "wandb-id").write_bytes(b"\xff../..")
    begin(tmp_path, Notices(), 20)
    assert wandb.runs[-1].settings["id"].isalnum()


def test_without_a_login_wandb_keeps_all_here_and_says_so(tmp_path: Path, wandb: Wandb) -> None:
    wandb.logged_in = False
    progress = Notices()
    begin(tmp_path, progress)
    assert wandb.runs[0].settings["mode"] == "offline"
    (notice,) = progress.notices
    assert str(tmp_path / "wandb") in notice
    assert "wandb sync" in notice
    assert progress.said == []


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_the_mode_that_the_user_set_for_wandb_counts(
    mode: str, tmp_path: Path, wandb: Wandb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    progress = Notices()
    begin(tmp_path, progress)
    assert wandb.runs[0].settings["mode"] == mode
    assert progress.notices == progress.said == []


def test_a_logger_that_fails_is_told_once_and_left_out(tmp_path: Path, wandb: Wandb) -> None:
    progress = Notices()
    logger = begin(tmp_path, progress)
    logger.record(at(10, train_loss=3.0))
    wandb.runs[0].broken = True
    logger.record(at(20, train_loss=2.0))
    wandb.runs[0].broken = False
    logger.record(at(30, train_loss=1.0))
    logger.sample(30, "text")
    logger.close()
    assert [step for step, _ in wandb.runs[0].logged] == [10]
    (notice,) = progress.notices
    assert notice.startswith("--log wandb failed and is off from here on")
    assert notice.endswith("no network")


def test_a_logger_that_can_not_start_is_an_error_before_training(
    tmp_path: Path, wandb: Wandb, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**settings: Any) -> FakeRun:
        raise ValueError("no such project")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(RunError, match="--log wandb can't start: no such project") as error:
        begin(tmp_path, Notices())
    assert "WANDB_MODE=offline" in error.value.hint
