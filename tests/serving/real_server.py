"""`yocto serve` in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from conftest import Project

from yocto.commands import serve
from yocto.config import ServeConfig
from yocto.utils.progress import SilentProgress


@contextmanager
def real_server(project: Project) -> Iterator[str]:
    """Serves a tiny run on loopback until the block ends; gives its address."""
    config = ServeConfig(ckpt_dir=str(project.checkpoints), port=0, device="cpu")
    serving = serve.run(config, SilentProgress())
    thread = Thread(target=serving.server.run_until_asked)
    thread.start()
    try:
        yield serving.url
    finally:
        serving.server.should_exit = True
        thread.join()
