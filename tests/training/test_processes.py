"""Several processes: started, led by one, ended together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Project
from safetensors.torch import load_file
from tiny import make_text

from yocto.checkpoint import Checkpoint, Run
from yocto.errors import ConfigError
from yocto.training.places import device_of, place_told
from yocto.training.world import World

SETTINGS = [
    "--n-layer", "1", "--n-head", "2", "--n-embd", "16", "--block-size", "48", "--batch-size", "4",
    "--eval-interval", "10", "--eval-iters", "2", "--learning-rate", "0.01", "--warmup-iters", "2",
    "--device", "cpu",
]  # fmt: skip
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def environment() -> dict[str, str]:
    path = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def start(
    folder: Project, *arguments: str, launcher: tuple[str, ...] = (sys.executable,)
) -> subprocess.Popen[str]:
    """`yocto train` in a process of its own, in a project's folder."""
    return subprocess.Popen(
        [*launcher, "-m", "yocto", "train", "--mode", folder.mode, *SETTINGS, *arguments],
        cwd=folder.root, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def train(folder: Project, *arguments: str) -> str:
    """The same, to its end."""
    process = start(folder, *arguments)
    out, told = process.communicate(timeout=200)
    assert process.returncode == 0, told
    return out + told


def helpers_of(leader: int) -> list[int]:
    """The processes that a leader has started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            status = (process / "status").read_text()
        except OSError:  # it has just ended
            continue
        if f"PPid:\t{leader}\n" in status:
            found.append(int(process.name))
    return found


def worker_of(torchrun: int, rank: str) -> int:
    """The process of a rank that torchrun has started."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            mine = f"PPid:\t{torchrun}\n" in (process / "status").read_text()
            told = (process / "environ").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if mine and f"RANK={rank}".encode() in told:
            return int(process.name)
    raise AssertionError(f"torchrun has no process {rank}")


def wait_for_step(run: Path) -> None:
    deadline = time.monotonic() + 120
    while not any(run.glob("step-*")):
        assert time.monotonic() < deadline, "no checkpoint has come"
        time.sleep(0.1)


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture
def folder(token_project: Project, tmp_path: Path) -> Project:
    return token_project.copy_to(tmp_path)


@pytest.fixture
def endless(folder: Project) -> Iterator[tuple[subprocess.Popen[str], Run, int]]:
    """Two processes that train on and on, the run, which has a checkpoint, and the second one."""
    process = start(folder, "--run-name", "two", "--nproc", "2", "--max-iters", "100000")
    run = Run(folder.checkpoints / "two")
    wait_for_step(run.path)
    (helper,) = helpers_of(process.pid)
    yield process, run, helper
    process.kill()
    process.communicate()
    if is_alive(helper):
        os.kill(helper, signal.SIGKILL)


def assert_whole(run: Run) -> None:
    latest = run.pointer("latest")
    assert latest is not None
    Checkpoint.open(latest).load_trainer()


def val_losses(run: Path) -> list[float]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line["val_loss"] for line in lines if "val_loss" in line]


def test_two_processes_end_as_one_does_and_only_one_of_them_tells_of_it(folder: Project) -> None:
    told = {}
    for name, flags in {"one": (), "two": ("--nproc", "2")}.items():
        told[name] = train(folder, "--run-name", name, "--max-iters", "20", *flags)
    assert told["two"].count("done in") == told["two"].count("parameters") == 1
    assert "2 processes, each on cpu, 1 thread" in told["two"]
    one, two = (folder.checkpoints / name for name in ("one", "two"))
    assert val_losses(two) == pytest.approx(val_losses(one), abs=1e-5)
    steps = [sorted(f.name for f in (run / "step-000020").iterdir()) for run in (one, two)]
    assert steps[0] == steps[1]
    found, expected = (load_file(run / "step-000020/model.safetensors") for run in (two, one))
    assert {k: (w.shape, w.dtype) for k, w in found.items()} == {
        k: (w.shape, w.dtype) for k, w in expected.items()
    }
    assert "nproc" not in (two / "config.yaml").read_text()
    going_on = ("--run-name", "two", "--resume", "auto", "--max-iters", "30")
    assert "going on with" in train(folder, *going_on)
    assert Run(two).pointer("latest") == two / "step-000030"
    assert Checkpoint.open(two / "step-000030").train["nproc"] is None


def test_a_helper_that_is_killed_ends_the_run_and_leaves_it_whole(
    endless: tuple[subprocess.Popen[str], Run, int], folder: Project
) -> None:
    process, run, helper = endless
    os.kill(helper, signal.SIGKILL)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "error: process 2 of 2 has ended by SIGKILL" in told
    assert "--resume auto" in told
    assert "Traceback" not in told
    assert_whole(run)


def test_helpers_end_with_the_one_that_leads(
    endless: tuple[subprocess.Popen[str], Run, int],
) -> None:
    process, run, helper = endless
    process.kill()
    deadline = time.monotonic() + 30
    while is_alive(helper):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert_whole(run)


@pytest.mark.slow
def test_a_helper_that_falls_silent_ends_the_run(
    endless: tuple[subprocess.Popen[str], Run, int],
) -> None:
    process, run, helper = endless
    os.kill(helper, signal.SIGSTOP)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "process 2 of 2 has been silent for 15 seconds" in told
    assert not is_alive(helper)
    assert_whole(run)


def test_a_helper_ends_with_a_leader_that_dies_before_they_meet(folder: Project) -> None:
    process = start(folder, "--nproc", "2")
    while (helper := next(iter(helpers_of(process.pid)), None)) is None:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 30
    while is_alive(helper):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
def test_helpers_end_when_the_one_that_leads_falls_silent(
    endless: tuple[subprocess.Popen[str], Run, int],
) -> None:
    process, run, helper = endless
    process.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + 30
    while is_alive(helper):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert_whole(run)


def test_ctrl_c_saves_and_ends_all(endless: tuple[subprocess.Popen[str], Run, int]) -> None:
    process, run, helper = endless
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert out.count("all is saved") == 1
    assert not is_alive(helper)
    assert_whole(run)


def test_torchrun_starts_processes_of_which_one_tells(folder: Project) -> None:
    name = ("--run-name", "torchrun", "--max-iters", "20")
    process = start(folder, *name, "--parallel", "fsdp", launcher=tuple(TORCHRUN))
    out, told = process.communicate(timeout=200)
    assert process.returncode == 0, told
    assert (out + told).count("done in") == 1
    run = folder.checkpoints / "torchrun"
    assert Checkpoint.open(run / "step-000020").train["nproc"] == 2
    train(folder, "--run-name", "alone", "--max-iters", "20")
    expected = val_losses(folder.checkpoints / "alone")
    assert val_losses(run) == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rank", ["0", "1"])
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_a_process_of_torchrun_that_is_killed_ends_all(
    folder: Project, rank: str, parallel: str
) -> None:
    name = ("--run-name", "torchrun", "--max-iters", "100000", "--parallel", parallel)
    process = start(folder, *name, launcher=tuple(TORCHRUN))
    run = Run(folder.checkpoints / "torchrun")
    wait_for_step(run.path)
    os.kill(worker_of(process.pid, rank), signal.SIGKILL)
    _, told = process.communicate(timeout=30)
    assert process.returncode != 0
    if rank == "1":
        assert told.count("error: ") == 1
        assert "--resume auto" in told
    assert "yocto/training" not in told  # no traceback of ours
    assert_whole(run)


@pytest.mark.slow
@pytest.mark.parametrize("rank", ["0", "1"])
def test_torchrun_starts_again_what_has_died(folder: Project, rank: str) -> None:
    name = ("--run-name", "torchrun", "--max-iters", "100000", "--resume", "auto")
    launcher = (*TORCHRUN, "--max-restarts", "1")
    process = start(folder, *name, launcher=launcher)
    run = Run(folder.checkpoints / "torchrun")
    try:
        wait_for_step(run.path)
        before, first = run.steps()[0], worker_of(process.pid, "0")
        os.kill(worker_of(process.pid, rank), signal.SIGKILL)
        deadline = time.monotonic() + 100
        while run.steps()[0] <= before or is_alive(first):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.2)
        again = run.steps()[0]
        while run.steps()[0] <= again:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert_whole(run)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--lora-rank", "4"), ("--parallel", "fsdp")])
def test_conversations_are_learnt_by_two_processes_as_by_one(
    folder: Project, flags: tuple[str, ...]
) -> None:
    chats = [
        {"messages": [{"role": "user", "content": f"What is {word}?"},
                      {"role": "assistant", "content": f"It is {word * 2}, and more."}]}
        for word in make_text(10).split()
    ]  # fmt: skip
    (folder.root / "chats.jsonl").write_text("".join(json.dumps(c) + "\n" for c in chats))
    common = ["--data", "chats.jsonl", "--max-iters", "30", "--eval-interval", "10", *flags]
    common += ["--batch-size", "3", "--gradient-accumulation-steps", "3", "--device", "cpu"]
    for name, more in {"one": [], "two": ["--nproc", "2"]}.items():
        command = [sys.executable, "-m", "yocto", "finetune", *common, "--run-name", name, *more]
        done = subprocess.run(
            command, cwd=folder.root, env=environment(), capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, done.stderr
    one, two = (val_losses(folder.checkpoints / name) for name in ("one", "two"))
    assert len(one) == 3
    assert two == pytest.approx(one, abs=1e-5)


def test_a_mistake_is_told_once(folder: Project) -> None:
    process = start(folder, "--nproc", "2", "--data-dir", "nowhere")
    out, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert told.count("error:") == 1
    assert "Traceback" not in out + told


def test_a_run_that_diverges_in_all_processes_is_told_of_once(folder: Project) -> None:
    process = start(folder, "--nproc", "2", "--learning-rate", "10", "--grad-clip", "0")
    out, told = process.communicate(timeout=100)
    assert process.returncode == 1
    assert told.count("error:") == 1
    assert "learning rate" in told
    assert "Traceback" not in out + told


# ----------------------------------------------------------------------------------------- places


TOLD = {"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "there", "MASTER_PORT": "29500"}  # fmt: skip


def test_a_place_is_read_as_torchrun_tells_it() -> None:
    assert place_told({}) is None
    assert place_told({"RANK": "1", "WORLD_SIZE": "2"}) is None  # nobody to meet
    assert place_told({**TOLD, "RANK": "0", "WORLD_SIZE": "1"}) is None
    assert place_told(TOLD) == World(3, 8, 1, 2)
    without = {k: v for k, v in TOLD.items() if not k.startswith("LOCAL")}
    assert place_told(without) == World(3, 8, 0, 8)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RANK", "x"), ("RANK", "8"), ("RANK", "-1"), ("WORLD_SIZE", "-2"), ("WORLD_SIZE", "1e3"),
        ("WORLD_SIZE", "99999999999"), ("MASTER_PORT", "99999999"), ("MASTER_PORT", "0"),
        ("LOCAL_RANK", "2"), ("LOCAL_WORLD_SIZE", "9"),
    ],
)  # fmt: skip
def test_a_place_that_can_t_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match="can't be") as raised:
        place_told({**TOLD, name: value})
    assert value.removesuffix("e3") in str(raised.value)


def test_processes_share_a_cpu_and_no_other_single_device() -> None:
    assert device_of("cuda:1", World()) == "cuda:1"
    assert device_of("cpu", World(1, 2, 1, 2)) == "cpu"
    with pytest.raises(ConfigError, match="no device 'cuda:1'"):
        device_of("cuda:1", World(1, 2, 1, 2))


def test_nproc_is_refused_where_processes_are_there_already(
    folder: Project, yocto, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in TOLD.items():
        monkeypatch.setenv(name, value if name != "RANK" else "0")
    result = yocto("train", "--nproc", "2")
    assert result.exit_code == 2
    assert "there are 8 processes already" in result.stderr
