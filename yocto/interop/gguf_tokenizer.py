"""A tokenizer as a GGUF file holds it, or the reason why llama.cpp could not read it alike.

Source: llama.cpp, src/llama-vocab.cpp. A file names how text is cut (tokenizer.ggml.pre), and with
that name come the regex and whether a piece that is a token as a whole is taken without merging.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from yocto.errors import ExportError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe import BPETokenizer, make_ranks, merge
from yocto.tokenizer.byte_level import from_visible, is_visible, to_visible
from yocto.tokenizer.patterns import make_splitter, pattern_name, pattern_regex

NORMAL, CONTROL, UNUSED = 1, 3, 5  # types of tokens


@dataclass(frozen=True)
class _Pre:
    """The names of one split pattern. merging: pieces are always merged. whole: a piece that is a
    token is taken as it is; None where llama.cpp has no such. Where both do, it is the one that
    more programs know."""

    merging: str
    whole: str | None = None


_PRES = {
    "gpt2": _Pre("gpt-2"),
    "llama3": _Pre("smaug-bpe", whole="llama-bpe"),
    "qwen2": _Pre("qwen2"),
    "gpt4o": _Pre("gpt-4o"),
}
_TRAIN = (
    "Train a tokenizer that it knows, and a model with it: yocto train-tokenizer --pattern llama3 "
    "(or gpt2, qwen2, gpt4o)."
)


@dataclass(frozen=True)
class GGUFVocabulary:
    """What tokenizer.ggml.* says.

    tokens and types: one for each id that the model knows. merges: "left right", in visible bytes.
    bos, eos, eot: ids; eot ends an answer. begins: whether every text begins with bos. never: ids
    that yocto lets no model say, nor does llama.cpp: other special tokens, and what fills up.
    """

    pre: str
    tokens: list[str]
    types: list[int]
    merges: list[str]
    bos: int
    eos: int
    eot: int
    begins: bool
    never: list[int]

    def notes(self) -> list[str]:
        """What the reader of a summary should know."""
        if self.pre != "gpt-4o":
            return []
        return [
            "llama.cpp cuts by this pattern otherwise at combining marks (Hindi, Thai, lone "
            "accents) and at capitals in words with letters beyond ASCII (ÉCOLE): there its ids "
            "are not yocto's"
        ]


def gguf_vocabulary(
    tokenizer: BaseTokenizer, size: int, start: Sequence[int] = (), ends: Sequence[int] = ()
) -> GGUFVocabulary:
    """The tokenizer of a model that knows `size` ids. start: what every text begins with. ends: ids
    that end a text or an answer, besides the tokenizer's end token.

    Raises ExportError where llama.cpp would cut or merge a text otherwise.
    """
    bpe = _known(tokenizer)
    stops = [i for i in (bpe.end_id, *ends) if i is not None]
    if not stops:
        raise ExportError(
            "the tokenizer has no special token that ends a text, and llama.cpp would take token "
            "11 for one",
            "Train a tokenizer with one, and a model with it: yocto train-tokenizer",
        )
    if len(start) > 1:
        raise ExportError("texts of this model begin with several tokens, llama.cpp's with one")
    if not bpe.merges:
        raise ExportError("the tokenizer has no merges, and llama.cpp needs some", _TRAIN)
    tokens, types = _tokens(bpe, size)
    # Of a pair that is there twice yocto takes the last one, llama.cpp the first.
    merges = [*dict.fromkeys(reversed(bpe.merges))][::-1]
    return GGUFVocabulary(
        pre=_pre(bpe),
        tokens=tokens,
        types=types,
        merges=[f"{to_visible(left)} {to_visible(right)}" for left, right in merges],
        bos=[*start, stops[0]][0],  # in yocto what ends a text begins the next one
        eos=stops[0],
        eot=stops[:2][-1],
        begins=bool(start),
        never=[i for i, type_ in enumerate(types) if type_ != NORMAL and i not in stops],
    )


def _known(tokenizer: BaseTokenizer) -> BPETokenizer:
    """The tokenizer, if it is one of a kind and a pattern that llama.cpp has."""
    if not isinstance(tokenizer, BPETokenizer):
        raise ExportError(f"llama.cpp has no tokenizer of the kind {tokenizer.kind}", _TRAIN)
    if tokenizer.normalize != "none":
        raise ExportError(
            f"the tokenizer brings text into the form {tokenizer.normalize} first, and llama.cpp "
            "would not",
            f"{_TRAIN} Leave --normalize out.",
        )
    name = pattern_name(pattern_regex(tokenizer.pattern))
    if name not in _PRES:
        what = "split pattern gpt4" if name == "gpt4" else "regex for this tokenizer's split"
        raise ExportError(f"llama.cpp has no {what}", _TRAIN)
    return tokenizer


def _tokens(tokenizer: BPETokenizer, size: int) -> tuple[list[str], list[int]]:
    """Text and type of each id. Ids that only the model has are filled: llama.cpp wants one text
    for each row of the embedding, and none twice."""
    known = {i: (to_visible(token), NORMAL) for token, i in tokenizer.vocab.items()}
    known |= {i: (text, CONTROL) for text, i in tokenizer.special_tokens.items()}
    texts = {text for text, _ in known.values()}
    if len(texts) < len(known):
        twice = next(t for t in tokenizer.special_tokens if is_visible(t) and _spells(tokenizer, t))
        raise ExportError(
            f"the special token {twice!r} is spelled like a token of text, and a GGUF file can't "
            "tell them apart",
            "Train a tokenizer whose special tokens are longer, such as <|a|>.",
        )
    for i in range(size):
        if i not in known:
            name = f"[PAD{i}]"
            while name in texts:
                name = f"[{name}]"
            known[i] = name, UNUSED
    return [known[i][0] for i in range(size)], [known[i][1] for i in range(size)]


def _spells(tokenizer: BPETokenizer, text: str) -> bool:
    return from_visible(text) in tokenizer.vocab


def _pre(tokenizer: BPETokenizer) -> str:
    """The name under which llama.cpp cuts and merges as this tokenizer does."""
    names = _PRES[pattern_name(pattern_regex(tokenizer.pattern))]
    split = make_splitter(tokenizer.pattern)
    unlike = next(_unlike(tokenizer, split), None)
    # llama.cpp looks pieces up in all of its list, special tokens too.
    spelled = any(
        is_visible(text) and _is_piece(from_visible(text), split)
        for text in tokenizer.special_tokens
    )
    if names.whole and not spelled and (tokenizer.ignore_merges or unlike is None):
        return names.whole
    if unlike is None or not tokenizer.ignore_merges:
        return names.merging
    raise ExportError(
        f"the tokenizer takes the piece {unlike!r} whole though its merges make something else of "
        "it (ignore_merges); with this split pattern llama.cpp always merges",
        _TRAIN,
    )


def _unlike(tokenizer: BPETokenizer, split: Callable[[str], list[str]]) -> Iterator[str]:
    """Tokens that are a piece of text, and become something else when that is merged."""
    ranks = make_ranks(tokenizer.vocab, tokenizer.merges)
    for token, i in tokenizer.vocab.items():
        ids = [tokenizer.vocab[bytes([b])] for b in token]
        if len(ids) > 1 and _is_piece(token, split) and merge(ids, ranks) != [i]:
            yield token.decode("utf-8")


def _is_piece(token: bytes, split: Callable[[str], list[str]]) -> bool:
    """Whether a text that is this token would not be cut."""
    try:
        text = token.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return split(text) == [text]
