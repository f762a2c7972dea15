"""Encoding with one tokenizer on the machines of a cluster, as processes.py does it on this one.

The function that runs there is the very one that threads and processes here run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from yocto.errors import ClusterError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.store import load_tokenizer
from yocto.utils.cluster import Cluster, Shared
from yocto.utils.cluster_tasks import ClusterTasks
from yocto.utils.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Sent = tuple[dict[str, bytes], str, int]  # files, sha256, and how much text will come


@contextmanager
def encoding_cluster(
    tokenizer: BaseTokenizer, cluster: Cluster, size: int, progress: Progress, _: int
) -> Iterator[tuple[Executor, Callable[[Sequence[bytes | None]], NDArray[Any]]]]:
    """Workers that have the tokenizer, and the function to submit to them: its encode_documents.

    size: bytes of all texts, from which workers know whether the kernels are worth it. Raises
    TokenizerError for a tokenizer that can't be saved; futures raise ClusterError where a worker
    has another one.
    """
    sent: _Sent = (_files_of(tokenizer), tokenizer.sha256, size)
    shared = cluster.share(tokenizer.sha256, _opened, sent)
    with ClusterTasks(cluster, progress) as tasks:
        yield tasks, partial(_encode, shared)


def _files_of(tokenizer: BaseTokenizer) -> dict[str, bytes]:
    with TemporaryDirectory(prefix="yocto-tokenizer-") as folder:
        tokenizer.save(folder)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def _opened(sent: _Sent) -> BaseTokenizer:
    files, sha256, size = sent
    with TemporaryDirectory(prefix="yocto-tokenizer-") as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        tokenizer = load_tokenizer(folder)
        if tokenizer.sha256 != sha256:  # another library's, of another version
            raise ClusterError(
                f"a node of the cluster opens the {tokenizer.kind} tokenizer as another one",
                "Install the same versions of yocto, tokenizers and sentencepiece on each node.",
            )
    tokenizer.expect(size, lambda text: None)
    return tokenizer


def _encode(shared: Shared, parts: Sequence[bytes | None]) -> NDArray[Any]:
    tokenizer: BaseTokenizer = shared.get()
    return tokenizer.encode_documents(parts)
