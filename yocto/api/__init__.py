"""The library: model, tokenizer, sampling and chat in one hand.

>>> import yocto
>>> lm = yocto.load("checkpoints/token-1")                            # doctest: +SKIP
>>> for piece in lm.stream("Once", max_new_tokens=50, top_p=0.9):      # doctest: +SKIP
...     print(piece, end="")
"""

from yocto.api.chat import Answer, Chat
from yocto.api.completion import Completion, Completions
from yocto.api.language_model import LanguageModel, load
from yocto.api.tokenizers import train_tokenizer
from yocto.sampling.request import make_generator

__all__ = [
    "Answer", "Chat", "Completion", "Completions", "LanguageModel", "load", "make_generator",
    "train_tokenizer",
]  # fmt: skip
