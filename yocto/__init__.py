"""yocto: from raw text to a small language model that you can talk to.

Names are loaded when they are first used, so that importing yocto costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from yocto.api.language_model import LanguageModel, load
    from yocto.api.tokenizers import train_tokenizer
    from yocto.config.model import GPTConfig
    from yocto.dataset.tokens import load_bin
    from yocto.errors import YoctoError
    from yocto.model.gpt import GPT
    from yocto.tokenizer.adapters import adapt_tokenizer
    from yocto.tokenizer.base import BaseTokenizer
    from yocto.tokenizer.bpe import BPETokenizer
    from yocto.tokenizer.bpe_train import BPETrainer
    from yocto.tokenizer.char import CharTokenizer
    from yocto.tokenizer.char_bpe import CharBPETokenizer
    from yocto.tokenizer.store import load_tokenizer
    from yocto.tokenizer.word import WordTokenizer
    from yocto.utils.progress import TqdmProgress

_HOMES = {
    "BPETokenizer": "yocto.tokenizer.bpe",
    "BPETrainer": "yocto.tokenizer.bpe_train",
    "BaseTokenizer": "yocto.tokenizer.base",
    "CharBPETokenizer": "yocto.tokenizer.char_bpe",
    "CharTokenizer": "yocto.tokenizer.char",
    "GPT": "yocto.model.gpt",
    "GPTConfig": "yocto.config.model",
    "LanguageModel": "yocto.api.language_model",
    "TqdmProgress": "yocto.utils.progress",
    "WordTokenizer": "yocto.tokenizer.word",
    "YoctoError": "yocto.errors",
    "adapt_tokenizer": "yocto.tokenizer.adapters",
    "load": "yocto.api.language_model",
    "load_bin": "yocto.dataset.tokens",
    "load_tokenizer": "yocto.tokenizer.store",
    "train_tokenizer": "yocto.api.tokenizers",
}

__all__ = [
    "GPT",
    "BPETokenizer",
    "BPETrainer",
    "BaseTokenizer",
    "CharBPETokenizer",
    "CharTokenizer",
    "GPTConfig",
    "LanguageModel",
    "TqdmProgress",
    "WordTokenizer",
    "YoctoError",
    "__version__",
    "adapt_tokenizer",
    "load",
    "load_bin",
    "load_tokenizer",
    "train_tokenizer",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'yocto' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
