"""OpenAI's tokenizers by their names: gpt2, cl100k, o200k and so on, through the package tiktoken.

Their rank files come from tiktoken's cache, or from the web where it has one.
"""

from __future__ import annotations

from yocto.errors import TokenizerFileError
from yocto.tokenizer.adapters import adapt_tokenizer
from yocto.tokenizer.base import BaseTokenizer

# As one types them -> as tiktoken does. r50k_base is GPT-2's, from one file in place of two.
NAMES = {
    "gpt2": "r50k_base", "r50k": "r50k_base", "p50k": "p50k_base", "cl100k": "cl100k_base",
    "o200k": "o200k_base", "r50k_base": "r50k_base", "p50k_base": "p50k_base",
    "p50k_edit": "p50k_edit", "cl100k_base": "cl100k_base", "o200k_base": "o200k_base",
    "o200k_harmony": "o200k_harmony",
}  # fmt: skip


def load_named(name: str) -> BaseTokenizer:
    """The tokenizer of one of NAMES, with tiktoken's ids. Raises TokenizerFileError where tiktoken
    is missing, or its rank file can't be had."""
    full = NAMES[name]
    try:
        import tiktoken
    except ImportError:
        raise TokenizerFileError(
            f"{name} comes through the package tiktoken, which is not installed",
            f"pip install tiktoken, or name its rank file: PATH/{full}.tiktoken",
        ) from None
    try:
        encoding = tiktoken.get_encoding(full)
    except Exception as error:  # of the web, the disk, or tiktoken's own checks
        raise TokenizerFileError(
            f"tiktoken can't get the rank file of {name}: {type(error).__name__}: {error}",
            f"Name a rank file that you have: PATH/{full}.tiktoken; or point TIKTOKEN_CACHE_DIR "
            f"to a folder that tiktoken has filled on another machine.",
        ) from error
    return adapt_tokenizer(encoding)
