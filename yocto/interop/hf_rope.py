"""Rotary positions in config.json, in the layout of transformers 5 and in older ones.

Since version 5 all stands in "rope_parameters"; before, "rope_theta" stood by itself and
"rope_scaling" held the rest, with "type" in place of "rope_type" in the oldest files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from yocto.config import GPTConfig, RopeScaling
from yocto.errors import ConfigError, YoctoError

Fault = Callable[[str, str, str], YoctoError]
_HINT = "yocto knows the rope types default, linear and llama3."
_LLAMA3 = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")


def is_number(value: Any) -> bool:
    """Whether a float can hold it; a whole number in JSON may have a thousand digits."""
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:
        return False


def read_rope(content: Mapping[str, Any], fault: Fault) -> tuple[float, str]:
    """rope_base and rope_scaling of ours. fault: makes the error for a key, of why and a hint."""
    key = "rope_scaling" if content.get("rope_scaling") else "rope_parameters"
    values = content.get(key) or {}
    if not isinstance(values, dict) or any(isinstance(v, dict) for v in values.values()):
        raise fault(key, "one table for all layers belongs there", _HINT)
    for name, table in (("partial_rotary_factor", content), (key, values)):
        if table.get("partial_rotary_factor", 1.0) not in (1.0, None):
            raise fault(name, "yocto rotates all channels of a head", _HINT)
    base = values.get("rope_theta", content.get("rope_theta", 10000.0))
    if not is_number(base):
        where = key if "rope_theta" in values else "rope_theta"
        raise fault(where, "rope_theta is a number", _HINT)
    kind = values.get("rope_type", values.get("type", "default"))
    if kind == "default":
        return float(base), "none"
    if kind not in ("linear", "llama3"):
        raise fault(key, f"the rope type {kind!r} is not supported", _HINT)
    names = _LLAMA3 if kind == "llama3" else _LLAMA3[:1]
    numbers = [values.get(name) for name in names]
    for name, number in zip(names, numbers, strict=True):
        if not is_number(number):
            raise fault(key, f"{name} is missing or no number", _HINT)
    scaling = ":".join([kind, *map(repr, numbers)])
    try:
        RopeScaling.of(scaling)
    except ConfigError as error:
        raise fault(key, error.message, error.hint) from None
    return float(base), scaling


def rope_parameters(config: GPTConfig) -> dict[str, Any]:
    """What config.json says of rotary positions, for transformers 5 and for older readers."""
    slowing = config.rope_slowing
    told: dict[str, Any] = {"rope_type": "default"}
    if slowing is not None:
        numbers = (slowing.factor, slowing.low, slowing.high, slowing.context)
        names = _LLAMA3 if slowing.kind == "llama3" else _LLAMA3[:1]
        told = {"rope_type": slowing.kind, **dict(zip(names, numbers, strict=False))}
    older = {} if slowing is None else {"rope_scaling": told}
    return {
        "rope_parameters": {"rope_theta": config.rope_base, **told},
        "rope_theta": config.rope_base, **older,
    }  # fmt: skip
