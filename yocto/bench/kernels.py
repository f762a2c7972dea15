"""This engine's kernels, loaded before the clock starts.

The tokenizer decides for itself whether a text is long enough to be worth the half second that they
take to load, or the seconds that they take to compile once. A measurement is of what comes after.
"""

from __future__ import annotations

from yocto.tokenizer.pay import LOADED, split_module


def load_kernels(pattern: str, text_bytes: int, training: bool, vocab_size: int) -> None:
    """Have what this pattern takes. A text so short that no kernel would be used needs none."""
    if text_bytes < LOADED:
        return
    import yocto.kernels.encode

    split = split_module(pattern)
    if split == "split_gpt2":
        import yocto.kernels.split_gpt2
    elif split == "split_scan":
        import yocto.kernels.split_scan
    if training:
        import yocto.kernels.count
        import yocto.kernels.learn  # (to import one is to compile it)
    elif vocab_size <= 65536:
        import yocto.kernels.encode_16
    else:
        import yocto.kernels.encode_32  # noqa: F401
