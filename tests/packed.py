"""Bytes in each of the compressions that yocto reads."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from importlib.util import find_spec


def zst(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    **({"zst": zst} if find_spec("zstandard") else {}),
}
KINDS = list(COMPRESS)
