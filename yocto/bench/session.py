"""A worker seen from the process that asks it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from yocto.bench.job import AnyJob

_PACKAGES = Path(__file__).parents[2]  # the folder that holds the package yocto


class EngineFailed(Exception):
    """Why an engine has no figures, in one line."""


class Session:
    """A worker process with a job. Use it as a context manager: it ends the process."""

    def __init__(self, job: AnyJob) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the session)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "yocto.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            encoding="utf-8",
            env=environment(job.threads),
            start_new_session=True,  # Ctrl-C is for the process that asks
        )
        self._line = job.line()

    def ask(self) -> dict[str, Any]:
        """The next answer. Raises EngineFailed."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(OSError):  # where it has ended, what it said last is still to be read
            self.process.stdin.write(self._line + "\n")
            self.process.stdin.flush()
        self._line = "again"
        line = self.process.stdout.readline()
        if not line:
            raise EngineFailed(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise EngineFailed(" ".join(answer["error"].split())[:200])
        return answer

    def close(self) -> None:
        """End the process; again does nothing."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            with suppress(OSError):  # what was still to be written to it
                if stream is not None:
                    stream.close()

    def _last_words(self) -> str:
        status = self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode("utf-8", "replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"it ended with status {status}" + (f": {said[:160]}" if said else "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def environment(threads: int) -> dict[str, str]:
    """The environment of a worker: how many threads, told to each engine in its own words."""
    count = str(threads)
    paths = filter(None, [os.environ.get("PYTHONPATH", ""), str(_PACKAGES)])
    changed = {
        "PYTHONPATH": os.pathsep.join(paths),
        "RAYON_NUM_THREADS": count,  # tokenizers, rustbpe, gigatoken
        "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false",
        "FASTOKENS_BPE_THREADS": count,
        "FASTOKENS_INPUT_CACHE": "0",  # would give the ids of a text seen before without encoding
        "NUMBA_NUM_THREADS": count,
        "OMP_NUM_THREADS": count,
    }
    return {**os.environ, **changed}
