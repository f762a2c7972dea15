"""What to lower where a run takes too much memory, with figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from yocto.config import GPTConfig, LoopConfig
from yocto.training.memory import training_memory
from yocto.utils.text import size_text


def ways_to_less(model: GPTConfig, config: LoopConfig, free: int) -> str:
    """The mildest change after which a run fits into so many bytes."""
    return (
        _fitting(model, config, free)
        or "Lower --n-embd or --n-layer, or use a smaller --vocab-size for the tokenizer."
    )


def what_to_lower(model: GPTConfig, config: LoopConfig, got: int, saved: bool) -> str:
    """What helps a run that got so many bytes and no more at once: there may be room for some.
    saved: it has a checkpoint to go on from, with a model of the same shape."""
    if fitting := _fitting(model, config, got):
        return fitting + (" Go on with --resume auto." if saved else "")
    now, ways = training_memory(model, config), [] if saved else ["a lower --n-embd or --n-layer"]
    for flags, changed in [*list(_smaller_batches(config))[:1], *_recomputed(config)]:
        memory = training_memory(model, changed)
        if memory < 0.9 * now:
            ways.append(f"{flags} (takes {size_text(memory)})")
    if not ways:
        return "Free some memory, then go on with --resume auto."
    return f"Try {', or '.join(ways)}." + (" Go on with --resume auto." if saved else "")


def _fitting(model: GPTConfig, config: LoopConfig, free: int) -> str | None:
    recomputed = _recomputed(config)
    ways = [*_smaller_batches(config), *recomputed]
    ways += [(f"{a} {b}", last) for a, c in recomputed for b, last in _smaller_batches(c)]
    for flags, changed in ways:
        memory = training_memory(model, changed)
        if memory <= free:
            return f"Try {flags}, which takes {size_text(memory)}."
    return None


def _smaller_batches(config: LoopConfig) -> Iterator[tuple[str, LoopConfig]]:
    """The same step in more passes of half the batch, of a quarter, and so on."""
    size, passes = config.batch_size, config.gradient_accumulation_steps
    while size > 1:
        size, passes = -(-size // 2), 2 * passes
        changed = dataclasses.replace(
            config, batch_size=size, gradient_accumulation_steps=passes, given=config.given
        )
        yield f"--batch-size {size} --gradient-accumulation-steps {passes}", changed


def _recomputed(config: LoopConfig) -> list[tuple[str, LoopConfig]]:
    """Activations that are computed twice instead of kept."""
    if config.activation_checkpointing:
        return []
    changed = dataclasses.replace(config, activation_checkpointing=True, given=config.given)
    return [("--activation-checkpointing", changed)]
