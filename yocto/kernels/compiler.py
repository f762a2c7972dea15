"""How kernels are compiled and where the machine code is kept.

A kernel is compiled when its module is imported, for the one signature that it names, and kept on
disk, so that later processes load it in milliseconds. The cache folder's name holds a digest of all
that the code depends on: the sources of all kernels (Numba itself does not notice an edit in a
function that a kernel calls from another file), the versions and the processor.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

_deciding = threading.Lock()  # NUMBA_CACHE_DIR is one setting for the whole process


def kernel(*signature: Any) -> Callable[[Any], Any]:
    """Compile a function for one signature, `kernel(result, argument, …)`; it releases the GIL."""

    def compiled(function: Any) -> Any:
        base = cache_folder()
        if base is not None:
            folder = base / _kernel_name(function, signature)
            with contextlib.suppress(Exception):
                return _compiled(function, signature, folder)
            # A damaged file, or a full disk: once more, without what lies there, or without any.
            with contextlib.suppress(Exception):
                for file in folder.rglob("*.nb[ic]"):
                    file.unlink(missing_ok=True)
                return _compiled(function, signature, folder)
        return _compiled(function, signature, None)

    return compiled


def _compiled(function: Any, signature: tuple[Any, ...], folder: Path | None) -> Any:
    import numba
    import numba.core.config

    config: Any = numba.core.config
    with _deciding:
        before = config.CACHE_DIR
        config.CACHE_DIR = "" if folder is None else str(folder)
        try:
            jit: Any = numba.njit(nogil=True, boundscheck=False, error_model="numpy")(function)
            if folder is not None:
                jit.enable_caching()
                if not Path(jit._cache.cache_path).is_relative_to(folder):
                    raise OSError("Numba chose a folder of its own")
                # Numba's own key holds the pickled closure, which differs from process to process.
                jit._cache._index_key = lambda sig, codegen: (sig, codegen.magic_tuple())
            jit.compile(signature[0](*signature[1:]))
            jit.disable_compile()
            return jit
        finally:
            config.CACHE_DIR = before


def _kernel_name(function: Any, signature: tuple[Any, ...]) -> str:
    """A folder for each kernel: those that one function makes differ in signature and closure."""
    told = repr([function.__module__, *map(str, signature), *_told(function)])
    return f"{function.__name__}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def _told(function: Any) -> Iterator[str]:
    """A function's name, and what its closure holds: numbers, names, functions in their turn."""
    yield function.__qualname__
    for cell in function.__closure__ or ():
        held = cell.cell_contents
        if hasattr(held, "py_func"):
            yield from _told(held.py_func)
        else:
            yield getattr(held, "__name__", None) or repr(held)


def inlined(function: Any) -> Any:
    """A function that kernels call; compiled as a part of them."""
    import numba

    if function.__closure__:
        # Machine code is linked by names, which Numba makes of the qualified name, the types and a
        # counter that starts anew in each process. What one function makes twice needs two names,
        # or kernels that two processes compiled would call each other's.
        told = hashlib.sha256(repr(list(_told(function))).encode()).hexdigest()[:16]
        function.__qualname__ += f"_{told}"
    return numba.njit(nogil=True, boundscheck=False, error_model="numpy")(function)


@cache
def cache_folder() -> Path | None:
    """The folder that keeps this machine's kernels; None where none can be written.

    That is NUMBA_CACHE_DIR, or the user's cache folder; where that can't be written, a folder of
    the user's own under the system's temporary one, which nobody else may write: what lies there
    is machine code that will run.
    """
    name = f"kernels-{_digest()}"
    for base in _bases():
        try:
            base.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = base.absolute() / name
            folder.mkdir(exist_ok=True, mode=0o700)
            if _is_private(folder) and _is_private(base):
                with tempfile.TemporaryFile(dir=folder):
                    return folder
        except OSError:
            continue
    return None


def is_cached(module: str) -> bool:
    """Whether the machine code of a kernel module ("split_gpt2", say) was compiled before."""
    folder = cache_folder()
    return folder is not None and (folder / f"{module}.compiled").exists()


def mark_cached(module: str) -> None:
    """Note that a module's kernels are all in the cache folder now."""
    folder = cache_folder()
    if folder is not None:
        with contextlib.suppress(OSError):  # a full disk: it is compiled again next time
            (folder / f"{module}.compiled").touch()


def _bases() -> list[Path]:
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    user = os.environ.get("XDG_CACHE_HOME")
    name = f"yocto-{os.getuid()}" if hasattr(os, "getuid") else "yocto"
    bases = [Path(chosen)] if chosen else []
    with contextlib.suppress(RuntimeError):  # nobody's home
        bases.append((Path(user) if user else Path("~").expanduser() / ".cache") / "yocto")
    with contextlib.suppress(OSError):  # no temporary folder at all
        bases.append(Path(tempfile.gettempdir()) / name)
    return bases


def _is_private(folder: Path) -> bool:
    """Whether only this user can write there."""
    if not hasattr(os, "getuid"):
        return True
    found = folder.stat()
    return found.st_uid in (os.getuid(), 0) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _digest() -> str:
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    for part in (sys.version, version("numba"), version("llvmlite"), version("numpy")):
        digest.update(part.encode())
    digest.update(_processor().encode())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """What tells processors apart whose machine code differs. Numba checks it once more itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return platform.machine() + line
    except OSError:
        pass
    return platform.machine() + platform.processor()
