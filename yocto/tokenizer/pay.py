"""When the kernels are worth it: they take half a second to load, and seconds to compile once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

# Bytes of text after which plain Python has taken longer than the kernels with what it takes to
# have them: at once where they are loaded, loaded from the cache, and compiled.
LOADED, CACHED, COMPILED = 4_000, 800_000, 30_000_000
# The same for the symbols of the unique pieces that merges are learnt from.
LEARN_CACHED, LEARN_COMPILED = 100_000, 400_000


def split_module(pattern: str) -> str | None:
    """The kernel module that splits by this pattern; None for a regex of the user's own."""
    if pattern == "gpt2":
        return "split_gpt2"
    return "split_scan" if pattern in ("gpt4", "gpt4o", "llama3", "qwen2") else None


def modules_for(pattern: str, *more: str) -> list[str]:
    """The kernel modules that work on text split by this pattern takes."""
    split = split_module(pattern)
    return list(more) if split is None else [split, *more]


def are_loaded(*modules: str) -> bool:
    """Whether this process has these kernel modules."""
    return all(f"yocto.kernels.{module}" in sys.modules for module in modules)


def are_cached(*modules: str) -> bool:
    """Whether these kernel modules were compiled on this machine before."""
    from yocto.kernels.compiler import is_cached

    return all(map(is_cached, modules))


def pay(size: int, *modules: str, cached: int = CACHED, compiled: int = COMPILED) -> bool:
    """Whether work on `size` bytes is done sooner with these kernel modules than in plain Python.

    `compiled`: from how many on even compiling pays.
    """
    if size < LOADED:
        return False
    if are_loaded(*modules) or size >= compiled:
        return True
    return size >= cached and are_cached(*modules)


def enough_for(*modules: str, size: int | None) -> int:
    """How many bytes of a text to do in plain Python before these kernel modules take over.

    size: bytes of the whole text, if they are known.
    """
    if size is not None and pay(size, *modules):
        return 0
    if are_loaded(*modules):
        return LOADED
    return CACHED if are_cached(*modules) else COMPILED


def learning_pays(symbols: int) -> bool:
    """Whether merges are learnt sooner with the kernel, from so many bytes of unique pieces."""
    return pay(symbols, "learn", cached=LEARN_CACHED, compiled=LEARN_COMPILED)


def announce(say: Callable[[str], None], *modules: str) -> None:
    """Say that these kernel modules will be compiled, if they have to be."""
    if not are_loaded(*modules) and not are_cached(*modules):
        say("compiling the tokenizer's kernels for this machine, once: about 15 seconds")


class Patience:
    """Adds up what a tokenizer has done in plain Python: many texts of middling size are worth the
    kernels as one long one is."""

    def __init__(self, *modules: str) -> None:
        self._modules = modules
        self._lock = threading.Lock()
        self._done = 0

    def expect(self, size: int, say: Callable[[str], None]) -> None:
        """`size` bytes of work will come; say if compiling comes first."""
        with self._lock:
            if pay(self._done + size, *self._modules):
                self._done += size
                announce(say, *self._modules)

    @property
    def is_short(self) -> bool:
        """Whether the kernels are there without compiling."""
        return are_loaded(*self._modules) or are_cached(*self._modules)

    def is_over(self, size: int) -> bool:
        """Whether the next `size` bytes should be the kernels' work."""
        if size < LOADED:
            return False
        with self._lock:
            if pay(self._done + size, *self._modules):
                return True
            self._done += size
        return False
