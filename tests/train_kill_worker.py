"""Kills a training run, as `kill -9` does, at random moments, and goes on with it each time.

Run as a program of its own, which has one thread and can fork:
train_kill_worker.py FOLDER OPTIMIZER ORDER KILLS SEED. ORDER "chat" or "lora" fine-tunes. Each
life is `yocto train --resume auto` in a process of its own; half of the kills come while a
checkpoint is being written. Prints what differs at the end from an undisturbed run, then how many
kills there were and how many left a checkpoint half written.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tiny import make_text

from yocto.cli.app import make_app
from yocto.commands import finetune, train  # noqa: F401 (imported once, before all the forks)
from yocto.training import trainer as trainer_module

# What no two runs share.
TIMED = ("seconds", "tokens_per_second", "utilisation", "busy", "memory")
SHAPE = (
    "--n-layer 1 --n-head 2 --n-embd 16 --block-size 16 --batch-size 2 --dropout 0.2 "
    "--eval-iters 1 --warmup-iters 2 --learning-rate 0.01 --keep-last 2 --device cpu "
    "--gradient-accumulation-steps 2"
)


def start(arguments: str, log: Path) -> int:
    """`yocto ARGUMENTS` in a process of its own; returns its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        to = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(to, 1)
        os.dup2(to, 2)
        try:
            make_app()(arguments.split())
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else 1)
        os._exit(0)
    except BaseException as error:
        print("failed:", repr(error), flush=True)
        os._exit(70)


def finish(pid: int) -> int:
    """Wait for a process; returns its exit code, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def wait_until(pid: int, there: Callable[[], bool]) -> bool:
    """Look again and again; False where the process has ended before that."""
    while not there():
        info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if info is not None and info.si_pid:
            return False
        time.sleep(0.0005)
    return True


def half_written(run: Path) -> set[str]:
    return {folder.name for folder in run.glob(".step-*")}


def kill_somewhere(pid: int, run: Path, rng: random.Random) -> None:
    """Let the process train for a while, and kill it."""
    old = {folder.name for folder in run.glob("step-*")}
    left = half_written(run)
    more = rng.randint(0, 3)  # checkpoints that it may still write
    seen: set[str] = set()

    def saved() -> bool:
        seen.update(folder.name for folder in run.glob("step-*"))
        return len(seen - old) >= more

    if rng.random() < 0.15:  # while it starts, or in its first steps
        time.sleep(rng.uniform(0, 0.4))
    elif wait_until(pid, saved):
        if rng.random() < 0.6:
            wait_until(pid, lambda: bool(half_written(run) - left))
            time.sleep(rng.uniform(0, 0.008))
        else:
            time.sleep(rng.uniform(0, 0.05))
    os.kill(pid, signal.SIGKILL)


def content(run: Path) -> dict[str, Any]:
    """What a run has come to."""
    step = run / (run / "latest").read_text().strip()
    state = torch.load(step / "trainer.pt", weights_only=True)
    state.pop("seconds")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        "step": step.name,
        "best": (run / "best").read_text(),
        "weights": (step / "model.safetensors").read_bytes(),
        "trainer": flat(state),
        "metrics": [{k: v for k, v in line.items() if k not in TIMED} for line in lines],
        "half written": half_written(run),
    }


def flat(value: Any) -> Any:
    """Tensors as bytes, so that they can be compared to the last bit."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.numpy().tobytes()
    if isinstance(value, dict):
        return {key: flat(item) for key, item in value.items()}
    return [flat(item) for item in value] if isinstance(value, list | tuple) else value


def finetuning(folder: Path, data: Path, optimizer: str, order: str, log: Path) -> str:
    """What fine-tunes a base model, which is trained first."""
    base = f"train --mode char --data-dir {data} {SHAPE} --max-iters 4 --run-name base"
    assert finish(start(f"{base} --ckpt-dir {folder / 'base'}", log)) == 0
    chats = folder / "chats.jsonl"
    lines = [{"instruction": make_text(1, i)[:9], "output": make_text(1, 50 + i)[:12]}
             for i in range(20)]  # fmt: skip
    chats.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return (
        f"finetune --ckpt {folder / 'base' / 'base'} --data {chats} --optimizer {optimizer} "
        f"--batch-size 2 --gradient-accumulation-steps 2 --eval-iters 1 --warmup-iters 2 "
        f"--keep-last 2 --device cpu --dropout 0.2 --skip-bad "
        f"{'--lora-rank 2 ' if order == 'lora' else ''}"
    )


def main(folder: Path, optimizer: str, order: str, kills: int, seed: int) -> None:
    rng = random.Random(f"{optimizer} {order} {seed}")
    text, data, log = folder / "text.txt", folder / "data", folder / "log"
    text.write_text(make_text(60), encoding="utf-8")
    assert finish(start(f"prepare-char --text-path {text} --out-dir {data}", log)) == 0
    rhythm = (
        f"--max-iters {8 + 4 * kills} --save-interval {rng.randint(1, 3)} "
        f"--eval-interval {rng.randint(3, 7)} --run-name r --resume auto"
    )
    settings = (
        f"train --mode char --data-dir {data} {SHAPE} --optimizer {optimizer} --order {order} "
        f"{rhythm}"
    )
    if order in ("chat", "lora"):
        settings = finetuning(folder, data, optimizer, order, log) + rhythm
    assert finish(start(f"{settings} --ckpt-dir {folder / 'whole'}", log)) == 0
    command, run = f"{settings} --ckpt-dir {folder / 'killed'}", folder / "killed" / "r"
    killed = broken = 0
    for _ in range(kills):
        before = half_written(run)
        pid = start(command, log)
        kill_somewhere(pid, run, rng)
        code = finish(pid)
        if code != -signal.SIGKILL:
            print(f"after {killed} kills a life ended by itself with {code}; see {log}")
            break
        killed += 1
        broken += bool(half_written(run) - before)
    if code := finish(start(command, log)):
        print(f"the last life ended with {code}: {log.read_text()[-2000:]}")
    expected, found = content(folder / "whole" / "r"), content(run)
    for name, value in expected.items():
        if found[name] != value:
            print(f"another {name}")
    print(f"killed {killed} broken {broken}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    trainer_module.matmul_rate = lambda device, dtype: 1e10  # measuring it outlasts many a life
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
