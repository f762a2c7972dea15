"""What has come of a file so far, and which version of it, kept so that a later try goes on."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

from yocto.dataset.web import Answer
from yocto.utils.files import making, parse_json, remove, write_json
from yocto.utils.progress import Task
from yocto.utils.text import size_text


class Part:
    """What has come of a file so far, and what the server said of the whole.

    size: bytes; digest: of these. total: bytes of the whole, None where it is not told. whole: that
    nothing is missing any more.
    """

    def __init__(self, target: Path, url: str) -> None:
        self.path = target.with_name(f".{target.name}.part")
        self.state_path = target.with_name(f".{target.name}.part.json")
        self.url = url
        self.total: int | None = None
        self.etag = self.last_modified = ""
        self._forget()
        try:
            state = parse_json(self.state_path.read_bytes())
            size = self.path.stat().st_size
        except (OSError, ValueError):
            self.restart()
            return
        if not _is_state(state) or state["url"] != url or size > (state["total"] or size):
            self.restart()
            return
        self.etag, self.last_modified = state["etag"], state["last_modified"]
        self.total, self.size = state["total"], size
        self.whole = size == self.total
        with making(self.path), self.path.open("rb") as file:
            self.digest = hashlib.file_digest(file, "sha256")

    def _forget(self) -> None:
        self.size, self.digest, self.whole = 0, hashlib.sha256(), False
        self.total, self.etag, self.last_modified = None, "", ""

    @property
    def validator(self) -> str:
        """What If-Range takes: a strong ETag, or else a date."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified

    @property
    def can_go_on(self) -> bool:
        """Whether it could be noticed that the rest is of another version."""
        return self.size > 0 and bool(self.etag or self.last_modified)

    def restart(self) -> None:
        """Throw away what has come."""
        self._forget()
        remove(self.path)
        remove(self.state_path)

    def begin(self, answer: Answer) -> None:
        """Note down which version comes now, from its first byte on."""
        self.restart()
        self.etag, self.last_modified = answer.etag, answer.last_modified
        self.total = answer.total
        state = {"url": self.url, "etag": self.etag, "last_modified": self.last_modified,
                 "total": self.total}  # fmt: skip
        write_json(self.state_path, state)

    def belongs(self, answer: Answer) -> bool:
        """Whether a part of an answer is the rest of this very version."""
        if answer.start != self.size or (answer.total is None and self.total is None):
            return False
        told = ((answer.etag, self.etag), (answer.last_modified, self.last_modified))
        return all(not new or new == old for new, old in told)

    def add(self, answer: Answer, task: Task) -> None:
        """Write down the bytes of an answer as they come."""
        began = told = time.monotonic()
        came = 0
        with making(self.path):
            file = self.path.open("ab", buffering=0)  # nothing is lost when yocto is killed
        with file:
            for block in answer.blocks():
                with making(self.path):
                    view = memoryview(block)
                    while view:  # a disk that fills up takes a part first
                        written = file.write(view)
                        self.digest.update(view[:written])
                        self.size += written
                        view = view[written:]
                task.advance(len(block))
                came += len(block)
                now = time.monotonic()
                if now - told >= 0.5:
                    told = now
                    size = f"{size_text(self.size)}, " if self.total is None else ""
                    task.status(f"{size}{size_text(int(came / (now - began)))}/s")

    def sync(self) -> None:
        """Make sure that it is on the disk."""
        with making(self.path), self.path.open("r+b") as file:
            os.fsync(file.fileno())


def _is_state(state: Any) -> bool:
    """Whether this is what `begin` wrote."""
    if not isinstance(state, dict):
        return False
    texts = all(isinstance(state.get(name), str) for name in ("url", "etag", "last_modified"))
    total = state.get("total", "")
    return texts and (total is None or (type(total) is int and total >= 0))
