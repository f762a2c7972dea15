"""The post-processor of a tokenizer.json: which special tokens it puts around a text.

Llama 3's puts <|begin_of_text|> before it, BERT's [CLS] and [SEP] around it. Here these are the
`frame` of a tokenizer, and used where a caller asks for them: encode(add_special_tokens=True).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yocto.errors import TokenizerError
from yocto.tokenizer.base import BaseTokenizer

Frame = tuple[tuple[str, ...], tuple[str, ...]]


def frame_of(post_processor: Any, special: Mapping[str, int]) -> Frame | None:
    """The special tokens before and after a text; None where the file doesn't say. Raises
    TokenizerError for what puts anything else there."""
    if post_processor is None:
        return None
    steps = [post_processor]
    if isinstance(post_processor, dict) and post_processor.get("type") == "Sequence":
        steps = post_processor.get("processors")  # type: ignore[assignment]
    frames = [_frame(step, special) for step in _tables(steps)]
    found = [frame for frame in frames if frame is not None]
    if len(found) > 1:
        raise TokenizerError("the post-processor frames a text twice, which is not supported")
    return found[0] if found else None


def _frame(step: dict[str, Any], special: Mapping[str, int]) -> Frame | None:
    kind = step.get("type")
    if kind == "ByteLevel":  # has to do with offsets only
        return None
    if kind in ("BertProcessing", "RobertaProcessing"):
        first, last = _known(step.get("cls"), special), _known(step.get("sep"), special)
        return (first,), (last,)
    if kind == "TemplateProcessing":
        pieces = _tables(step.get("single"))
        places = [at for at, piece in enumerate(pieces) if "Sequence" in piece]
        if len(places) == 1:
            tokens = step.get("special_tokens")
            tokens = tokens if isinstance(tokens, dict) else {}
            at = places[0]
            return _expand(pieces[:at], tokens, special), _expand(pieces[at + 1 :], tokens, special)
    raise TokenizerError(f"the post-processor {kind!r} is not supported in this form")


def _expand(
    pieces: Sequence[dict[str, Any]], tokens: Mapping[str, Any], special: Mapping[str, int]
) -> tuple[str, ...]:
    """What the special tokens of a template stand for: each for one token or several."""
    expanded: list[str] = []
    for piece in pieces:
        named = piece.get("SpecialToken")
        entry = tokens.get(str(named.get("id"))) if isinstance(named, dict) else None
        texts, ids = (entry.get("tokens"), entry.get("ids")) if isinstance(entry, dict) else (0, 0)
        if not isinstance(texts, list) or not isinstance(ids, list) or len(texts) != len(ids):
            raise TokenizerError(f"the post-processor's {piece!r} is no special token")
        expanded += [_known(pair, special) for pair in zip(texts, ids, strict=True)]
    return tuple(expanded)


def _known(pair: Any, special: Mapping[str, int]) -> str:
    """The text of a pair of text and id, if it is one of the special tokens."""
    if isinstance(pair, list | tuple) and len(pair) == 2:
        text, i = pair
        if isinstance(text, str) and text in special and special[text] == i:
            return text
    raise TokenizerError(f"the post-processor's {pair!r} is no special token")


def _tables(steps: Any) -> list[dict[str, Any]]:
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise TokenizerError("'post_processor' is not a table")
    return steps


def with_frame(tokenizer: BaseTokenizer, step: dict[str, Any] | None) -> dict[str, Any] | None:
    """The post-processor to write: the kind's own step, and the frame where it is one of a file."""
    if tokenizer.frame == BaseTokenizer.frame:
        return step
    special = tokenizer.special_tokens
    before, after = ([t for t in texts if t in special] for texts in tokenizer.frame)
    single = [*map(_special_piece, before), _sequence("A", 0), *map(_special_piece, after)]
    template = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, _sequence("B", 1)],
        "special_tokens": {
            text: {"id": text, "ids": [special[text]], "tokens": [text]}
            for text in dict.fromkeys([*before, *after])
        },
    }
    return template if step is None else {"type": "Sequence", "processors": [step, template]}


def _special_piece(text: str) -> dict[str, Any]:
    return {"SpecialToken": {"id": text, "type_id": 0}}


def _sequence(name: str, type_id: int) -> dict[str, Any]:
    return {"Sequence": {"id": name, "type_id": type_id}}
