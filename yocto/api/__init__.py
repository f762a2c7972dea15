"""The library: model, tokenizer, sampling and chat in one hand.

>>> import yocto
>>> lm = yocto.load("checkpoints/token-1")                            # doctest: +SKIP
>>> for piece in lm.stream("Once", max_new_tokens=50, top_p=0.9):      # doctest: +SKIP
...     print(piece, end="")
"""

from typing import TYPE_CHECKING, Any

from yocto.api.completion import Completion, Completions
from yocto.api.language_model import LanguageModel, load
from yocto.sampling.request import make_generator

if TYPE_CHECKING:
    from yocto.api.chat import Answer, Chat
    from yocto.api.tokenizers import train_tokenizer

__all__ = [
    "Answer", "Chat", "Completion", "Completions", "LanguageModel", "load", "make_generator",
    "train_tokenizer",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """What a sample needs none of: only who uses it waits for its imports."""
    if name in ("Answer", "Chat"):
        from yocto.api import chat

        return getattr(chat, name)
    if name == "train_tokenizer":
        from yocto.api.tokenizers import train_tokenizer

        return train_tokenizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
