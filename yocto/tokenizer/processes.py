"""Several processes that encode with one tokenizer: for the kinds whose work is Python's own.

Threads can't share that: Python runs one at a time. A process takes half a second to start and some
dozen megabytes of memory, so that only long texts are worth it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.store import load_tokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORTH = 1 << 24  # bytes of text from which on processes are quicker than none

_own: BaseTokenizer | None = None  # of this process, where it is one of those


@contextmanager
def encoding_processes(
    tokenizer: BaseTokenizer, workers: int
) -> Iterator[tuple[Executor, Callable[[Sequence[bytes | None]], NDArray[Any]]]]:
    """Processes that have the tokenizer, and the function to submit to them: its encode_documents.

    They end with the context, and when this process dies. Raises TokenizerError for a tokenizer
    that can't be saved.
    """
    with TemporaryDirectory(prefix="yocto-tokenizer-") as folder:
        tokenizer.save(folder)
        pool = ProcessPoolExecutor(
            workers,
            multiprocessing.get_context("spawn"),  # a fork would copy locks that threads hold
            _start,
            (folder, os.getpid()),
        )
        try:
            yield pool, _encode
        finally:
            pool.shutdown(cancel_futures=True)


def _start(folder: str, parent: int) -> None:
    global _own
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _own = load_tokenizer(folder)


def _end_with(parent: int) -> None:
    """A parent that was killed can't tell: nothing would ever come on the queue again."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def _encode(parts: Sequence[bytes | None]) -> NDArray[Any]:
    assert _own is not None
    return _own.encode_documents(parts)
