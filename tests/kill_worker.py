"""Kills an encoding before each line of the code that writes files, and goes on with it.

Run as a program of its own, which has one thread and can fork: kill_worker.py FOLDER SCENARIO STEP.
SCENARIO is made of words: shards (many small files), old (other token files are there already),
seldom (the state is noted with each shard only), lost (nothing is kept), twice (killed once more),
stop (as Ctrl-C does, with cleaning up; else as `kill -9`, without). Every STEPth line is tried.
Prints each after which the files were not those of an undisturbed run, and how many were tried.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from encoding import MAKER, files_in, small, write

from yocto.dataset import encode, shards, tokens, work
from yocto.dataset.documents import open_texts
from yocto.utils import files

WATCHED = {module.__file__ for module in (encode, shards, tokens, work, files)}
DOCUMENTS = [f"document {i}: it's {i % 7} of né 🙂 7\n" for i in range(12)]
SEPARATOR = "<|endoftext|>\n"


class Killed(BaseException):
    """What stops an encoding that may clean up, as Ctrl-C does."""


def at_line(count: int, end: Callable[[], None]) -> list[int]:
    """Call `end` before a line, counted from here; returns what counts them."""
    seen = [0]

    def watch(frame, event, argument):
        if event == "line":
            seen[0] += 1
            if seen[0] == count:
                end()
        return watch

    sys.settrace(lambda frame, *_: watch if frame.f_code.co_filename in WATCHED else None)
    return seen


class Scenario:
    """An encoding into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.text = folder / "a.txt"
        self.text.write_text(SEPARATOR.join(DOCUMENTS), encoding="utf-8")
        self.old = "old" in name
        encode._SAVED = 5.0 if "seldom" in name else -1.0
        self.keep = "lost" not in name
        self.shard_tokens = 9 if "shards" in name else None

    def fresh(self) -> Path:
        out = self.folder / "o"
        shutil.rmtree(out, ignore_errors=True)
        if self.old:
            self.run(out, val_ratio=0.5, shard_tokens=20, keep=False)
        return out

    def run(self, out: Path, **changes) -> None:
        def finish(folder: Path) -> None:
            files.write_text(folder / "tokenizer.json", "{}")

        values = {"val_ratio": 0.2, "shard_tokens": self.shard_tokens, "keep": self.keep, **changes}
        settings = {name: values[name] for name in ("val_ratio", "shard_tokens")}
        write(out, open_texts([self.text]), MAKER, finish=finish, settings=settings, **values)


def is_consistent(out: Path) -> bool:
    """Where meta.json is, the files are those that it tells of."""
    if not (out / "meta.json").exists():
        return True
    meta = tokens.read_meta(out)
    return all(tokens.load_split(out, name, meta) is not None for name in ("train", "val"))


def child(work: Callable[[], None]) -> int:
    """Do something in a process of its own."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        work()
        os._exit(0)
    except BaseException as error:
        print("failed:", repr(error), flush=True)
        os._exit(1)


def main(folder: Path, name: str, step: int) -> None:
    scenario = Scenario(folder, name)
    out = scenario.fresh()
    seen = at_line(-1, lambda: None)
    scenario.run(out)
    sys.settrace(None)
    whole = files_in(out)
    tried = 0
    for count in range(1 + (len(name) % step), seen[0] + 1, step):
        out = scenario.fresh()

        def dies(count: int = count, out: Path = out) -> None:
            at_line(count, lambda: os._exit(9))
            scenario.run(out)

        def stops(count: int = count, out: Path = out) -> None:
            def stop() -> None:
                sys.settrace(None)
                raise Killed

            at_line(count, stop)
            try:
                scenario.run(out)
            except Killed:
                return

        before = files_in(out)
        child(stops if "stop" in name else dies)
        tried += 1
        shown = {n: data for n, data in files_in(out).items() if not n.startswith(".")}
        if not is_consistent(out):
            print(f"line {count}: meta.json does not tell of what is there")
        if "stop" in name and not scenario.keep and "meta.json" in shown and shown != before:
            differs = {n for n in shown.keys() | before if shown.get(n) != before.get(n)}
            if differs - {"tokenizer.json"} and shown != whole:
                print(f"line {count}: changed {sorted(differs)}")
        # To the end, maybe killed once more on the way.
        if "twice" in name:

            def dies_again(count: int = count, out: Path = out) -> None:
                at_line(count // 2, lambda: os._exit(9))
                scenario.run(out, resume=scenario.keep)

            child(dies_again)
        if child(lambda out=out: scenario.run(out, resume=scenario.keep)):
            print(f"line {count}: could not go on")
        elif files_in(out) != whole:
            now = files_in(out)
            differs = sorted(n for n in now.keys() | whole if now.get(n) != whole.get(n))
            print(f"line {count}: other files {differs}")
    print(f"tried {tried}")


if __name__ == "__main__":
    with small(60, 1 << 16, 64):
        main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
