"""Fixtures that all tests share: a small text, and two tiny trained runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import ray_nodes as nodes
import tiny
import torch
from typer.testing import CliRunner, Result

from yocto.cli.app import make_app
from yocto.commands import prepare_char, train, train_tokenizer
from yocto.config import END_OF_TEXT, PrepareCharConfig, TrainConfig, TrainTokenizerConfig
from yocto.utils.progress import SilentProgress

# Small enough to train in a second, large enough for every command.
SHAPE = {
    "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 48, "batch_size": 4, "max_iters": 20,
    "eval_interval": 10, "eval_iters": 2, "learning_rate": 0.01, "warmup_iters": 2, "device": "cpu",
}  # fmt: skip


@dataclass(frozen=True)
class Project:
    """A folder with data/ and checkpoints/, as it looks after `yocto train`."""

    root: Path
    mode: str

    @property
    def data(self) -> Path:
        return self.root / "data" / self.mode

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def run(self) -> Path:
        return self.checkpoints / f"{self.mode}-1"

    @property
    def step(self) -> Path:
        """The folder of the latest step."""
        return self.run / (self.run / "latest").read_text().strip()

    def copy_to(self, folder: Path) -> Project:
        """A copy that a test may change."""
        for name in ("data", "checkpoints"):
            shutil.copytree(self.root / name, folder / name)
        return Project(folder, self.mode)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tiny products are faster on one thread, and the tests then need one core only."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the terminal of whoever runs the tests is like must not change what is printed."""
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "NO_COLOR", "TTY_COMPATIBLE", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(scope="session")
def small_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One document of about ten thousand characters."""
    path = tmp_path_factory.mktemp("text") / "small.txt"
    path.write_text(tiny.make_text(200), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def many_documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same amount of text, in forty documents."""
    path = tmp_path_factory.mktemp("text") / "many.txt"
    documents = [tiny.make_text(5, seed) for seed in range(40)]
    path.write_text(f"{END_OF_TEXT}\n".join(documents), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def char_project(tmp_path_factory: pytest.TempPathFactory, small_text: Path) -> Project:
    """A char run of one document. Read only: copy it to change it."""
    project = Project(tmp_path_factory.mktemp("char"), "char")
    prepare_char.run(
        PrepareCharConfig(text_path=(str(small_text),), out_dir=str(project.data)), SilentProgress()
    )
    _train(project)
    return project


@pytest.fixture(scope="session")
def token_project(tmp_path_factory: pytest.TempPathFactory, many_documents: Path) -> Project:
    """A token run of many documents. Read only: copy it to change it."""
    project = Project(tmp_path_factory.mktemp("token"), "token")
    train_tokenizer.run(
        TrainTokenizerConfig(
            text_path=(str(many_documents),), out_dir=str(project.data), vocab_size=300
        ),
        SilentProgress(),
    )
    _train(project)
    return project


def _train(project: Project) -> None:
    config = TrainConfig(
        mode=project.mode, data_dir=str(project.data), ckpt_dir=str(project.checkpoints), **SHAPE
    )
    train.run(config, SilentProgress())


@pytest.fixture(scope="module")
def ray_nodes() -> Iterator[nodes.Nodes]:
    """A Ray cluster of two nodes with a processor each. What is killed has to be added again."""
    with nodes.two_nodes() as found:
        yield found


@pytest.fixture(params=["char", "token"])
def project(request: pytest.FixtureRequest) -> Project:
    """Each of the two trained runs."""
    return request.getfixturevalue(f"{request.param}_project")


@pytest.fixture
def yocto():
    """`yocto(*arguments, input="")`: the command line in this process."""

    def invoke(*arguments: str | Path, input: str | bytes = "") -> Result:
        result = CliRunner().invoke(make_app(), [str(a) for a in arguments], input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception  # a traceback that a user would have seen
        return result

    return invoke
