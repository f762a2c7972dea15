"""The packages that yocto is measured against: which there are, and which are installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from importlib.util import find_spec

from yocto import __version__
from yocto.config import nearest
from yocto.errors import ConfigError

OURS = "yocto"
IN_MEMORY = "yocto, in memory"  # beside its way from file to file
SAME_TIME = "yocto, same time"  # beside the run that is to be quick
NANOGPT = "nanogpt-recipe"
TRANSFORMERS = "transformers"
MATMUL = "matmul"
INT8, BATCH, NO_CACHE = "yocto, int8", "yocto, batch", "no-cache"
TRANSFORMERS_BATCH = "transformers, batch"
MEMORY = "memory"
FORWARD, CROSS_ENTROPY = "forward pass", "forward pass, loss"
_PACKAGES = {  # what they run on
    **dict.fromkeys((IN_MEMORY, SAME_TIME, NANOGPT, INT8, BATCH, NO_CACHE), OURS),
    TRANSFORMERS_BATCH: TRANSFORMERS,
    **dict.fromkeys((MATMUL, MEMORY, FORWARD, CROSS_ENTROPY), "torch"),
}
TRAINING_PEERS = (NANOGPT, TRANSFORMERS)
DECODING_PEERS = (NO_CACHE, TRANSFORMERS)
PEERS = ("gigatoken", "fastokens", "tiktoken", "rustbpe", "tokenizers")
NOT_INSTALLED = "not installed: pip install 'yocto[bench]'"


def chosen(names: Sequence[str] | None, among: Sequence[str] = PEERS) -> list[str]:
    """The peers of these names, all for None. Raises ConfigError for one that is unknown."""
    for name in names or ():
        if name not in among:
            near = nearest(name, among)
            raise ConfigError(
                f"there is no peer {name!r}",
                (f"Did you mean {near!r}? " if near else "") + f"There are {', '.join(among)}.",
            )
    return [name for name in among if names is None or name in names]


def version_of(name: str) -> str | None:
    """The version of the package that a side runs on; None where it is not installed."""
    name = _PACKAGES.get(name, name)
    if name == OURS:
        return __version__
    if find_spec(name) is None:
        return None
    try:
        return package_version(name)
    except PackageNotFoundError:  # a module without a package
        return "?"
