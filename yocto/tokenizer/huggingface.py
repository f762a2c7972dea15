"""tokenizer.json in Hugging Face's format, and GPT-2's vocab.json + merges.txt: how they are read.

Only what yocto's own kinds need is understood: BPE on bytes, BPE with </w>, WordLevel. A file with
anything else in it is refused by name, for reading on would give other ids without a word; store.py
then lets Hugging Face's own library read it, where that is installed.

Added tokens are special tokens here, those too that a file doesn't call special, such as Qwen3's
<think>: no text becomes one unless the caller says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.byte_level import CHAR_TO_BYTE, from_visible, is_visible
from yocto.tokenizer.char_bpe import SUFFIX
from yocto.tokenizer.huggingface_frame import frame_of
from yocto.tokenizer.huggingface_write import WORD_STEPS
from yocto.tokenizer.normalize import Normalization, check_text
from yocto.tokenizer.patterns import pattern_name
from yocto.tokenizer.special import UNK

if TYPE_CHECKING:
    from yocto.tokenizer.bpe import BPETokenizer
    from yocto.tokenizer.char_bpe import CharBPETokenizer
    from yocto.tokenizer.word import WordTokenizer


def tokenizer_from_json(content: Any, path: str) -> BaseTokenizer:
    """Make a tokenizer of what a tokenizer.json holds; a TokenizerFileError names the fault."""
    try:
        model = _table(content, "model")
        if model.get("type") not in ("BPE", "WordLevel", None):
            raise _Fault(f"its model is {model.get('type')!r}, not BPE or WordLevel")
        special = _added_tokens(content)
        normalize = _normalizer(content.get("normalizer"))
        frame = frame_of(content.get("post_processor"), special)
        tokenizer = _tokenizer(model, special, normalize, content.get("pre_tokenizer"))
        _check_gaps(special, model["vocab"])
        if frame is not None:
            tokenizer.frame = frame
        return tokenizer
    except _Fault as fault:
        raise TokenizerFileError(f"{path}: {fault}", _HINT) from None
    except TokenizerError as error:
        raise TokenizerFileError(f"{path}: {error.message}", _HINT) from error


def _tokenizer(
    model: dict[str, Any], special: dict[str, int], normalize: Normalization, pre_tokenizer: Any
) -> BaseTokenizer:
    if model.get("type") == "WordLevel":
        return _word(model, special, normalize, pre_tokenizer)
    if model.get("end_of_word_suffix") == SUFFIX:
        return _char_bpe(model, special, normalize, pre_tokenizer)
    return _byte_bpe(model, special, normalize, pre_tokenizer)


def _byte_bpe(
    model: dict[str, Any], special: dict[str, int], normalize: Normalization, pre_tokenizer: Any
) -> BPETokenizer:
    from yocto.tokenizer.bpe import BPETokenizer

    _refuse(model, "byte-level BPE", "end_of_word_suffix", "unk_token", "byte_fallback")
    vocab = _vocab(_table(model, "vocab"), special)
    merges = [_merge(merge) for merge in _list(model, "merges")]
    pattern = _pattern(pre_tokenizer)
    ignore_merges = bool(model.get("ignore_merges"))
    return BPETokenizer(vocab, merges, pattern, special, normalize, ignore_merges)


def _char_bpe(
    model: dict[str, Any], special: dict[str, int], normalize: Normalization, pre_tokenizer: Any
) -> CharBPETokenizer:
    from yocto.tokenizer.char_bpe import CharBPETokenizer

    _refuse(model, "char-bpe", "fuse_unk", "ignore_merges")
    if model.get("unk_token") != UNK:
        raise _Fault(f"model.unk_token is {model.get('unk_token')!r}, not {UNK}")
    vocab = _plain_vocab(_table(model, "vocab"), special)
    merges = [_pair(merge) for merge in _list(model, "merges")]
    split = pre_tokenizer if isinstance(pre_tokenizer, dict) else {}
    if split.get("type") != "Split":
        raise _Fault(f"the pre-tokenizer {split.get('type')!r} is not Split")
    pattern = pattern_name(_split_regex(split))
    return CharBPETokenizer(
        vocab, merges, pattern, special, normalize, bool(model.get("byte_fallback"))
    )


def _word(
    model: dict[str, Any], special: dict[str, int], normalize: Normalization, pre_tokenizer: Any
) -> WordTokenizer:
    from yocto.tokenizer.word import WordTokenizer

    if model.get("unk_token") != UNK:
        raise _Fault(f"model.unk_token is {model.get('unk_token')!r}, not {UNK}")
    if pre_tokenizer != {"type": "Sequence", "pretokenizers": WORD_STEPS}:
        raise _Fault("the pre-tokenizer is not that of yocto's word tokenizer")
    return WordTokenizer(_plain_vocab(_table(model, "vocab"), special), special, normalize)


def bpe_from_gpt2_files(vocab: Any, merges: str, path: str, pattern: str) -> BPETokenizer:
    """Make a tokenizer of vocab.json and merges.txt.

    These files don't name the special tokens: they are what no merge makes and is no single byte.
    """
    from yocto.tokenizer.bpe import BPETokenizer

    try:
        if not isinstance(vocab, dict):
            raise _Fault("vocab.json is not a table")
        lines = merges.split("\n")
        if lines and lines[0].startswith("#version"):
            lines = lines[1:]
        pairs = [_merge(line.removesuffix("\r")) for line in lines if line.strip("\r")]
        made = {left + right for left, right in pairs}
        special = {}
        for text, i in vocab.items():
            single = len(text) == 1 and text in CHAR_TO_BYTE
            if not single and not (is_visible(text) and from_visible(text) in made):
                special[text] = _id(i, text)
        return BPETokenizer(_vocab(vocab, special), pairs, pattern, special)
    except _Fault as fault:
        raise TokenizerFileError(f"{path}: {fault}", _HINT) from None
    except TokenizerError as error:
        raise TokenizerFileError(f"{path}: {error.message}", _HINT) from error


_HINT = "Make it anew with yocto train-tokenizer, or fetch it again from where it came."


class _Fault(Exception):
    """What is wrong with a file, before its name is put in front."""


def _table(content: Any, key: str) -> dict[str, Any]:
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, dict):
        raise _Fault(f"{key!r} is missing or not a table")
    return value


def _list(content: Mapping[str, Any], key: str) -> list[Any]:
    value = content.get(key)
    if not isinstance(value, list):
        raise _Fault(f"{key!r} is missing or not a list")
    return value


def _id(value: Any, text: str) -> int:
    if type(value) is not int or not 0 <= value < 1 << 24:
        raise _Fault(f"the id of {text!r} is {value!r}")
    return value


def _vocab(vocab: Mapping[str, Any], special: Mapping[str, int]) -> dict[bytes, int]:
    tokens = {}
    for text, i in vocab.items():
        if text in special:
            if special[text] != i:
                raise _Fault(f"{text!r} has the ids {special[text]} and {i}")
        elif not text or not is_visible(text):
            raise _Fault(f"the token {text!r} is not in GPT-2's byte alphabet")
        else:
            tokens[from_visible(text)] = _id(i, text)
    return tokens


def _plain_vocab(vocab: Mapping[str, Any], special: Mapping[str, int]) -> dict[str, int]:
    """A vocabulary whose tokens are text as it is, without the special tokens."""
    for text in special:
        if text in vocab and vocab[text] != special[text]:
            raise _Fault(f"{text!r} has the ids {special[text]} and {vocab[text]!r}")
    for text in vocab:
        check_text(text)
    return {text: _id(i, text) for text, i in vocab.items() if text not in special}


def _refuse(model: Mapping[str, Any], kind: str, *keys: str) -> None:
    for key in ("dropout", "continuing_subword_prefix", *keys):
        if model.get(key):
            raise _Fault(f"model.{key} is {model[key]!r}, which {kind} has not")


def _merge(merge: Any) -> tuple[bytes, bytes]:
    left, right = _pair(merge)
    if not is_visible(left) or not is_visible(right):
        raise _Fault(f"the merge {merge!r} is not a pair of tokens in GPT-2's byte alphabet")
    return from_visible(left), from_visible(right)


def _pair(merge: Any) -> tuple[str, str]:
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if (
        not isinstance(parts, Sequence)
        or len(parts) != 2
        or not all(isinstance(part, str) and part for part in parts)
    ):
        raise _Fault(f"the merge {merge!r} is not a pair of tokens")
    return parts[0], parts[1]


def _added_tokens(content: Mapping[str, Any]) -> dict[str, int]:
    """Text -> id of the added tokens, if they are found in a text as special tokens are here."""
    added = content.get("added_tokens")
    if not isinstance(added, list | None):
        raise _Fault("'added_tokens' is not a list")
    special: dict[str, int] = {}
    for token in added or []:
        if not isinstance(token, dict) or not isinstance(token.get("content"), str):
            raise _Fault(f"the added token {token!r} has no content")
        text = token["content"]
        for key in ("single_word", "lstrip", "rstrip"):
            if token.get(key):
                raise _Fault(f"the added token {text!r} has {key!r}, which is not supported")
        if token.get("normalized") and not token.get("special"):
            raise _Fault(f"the added token {text!r} is a word of the text: not supported")
        if token.get("normalized") and content.get("normalizer") is not None:
            raise _Fault(f"the added token {text!r} is found after normalization: not supported")
        if text in special:
            raise _Fault(f"the added token {text!r} is there twice")
        special[text] = _id(token.get("id"), text)
    return special


def _check_gaps(special: Mapping[str, int], vocab: Mapping[str, Any]) -> None:
    """Refuse ids after a gap: tokenizers gives added tokens the ids that come next, whatever the
    file says."""
    free = len(vocab)
    for text, i in special.items():
        if text not in vocab and i != free:
            raise _Fault(f"the added token {text!r} has the id {i}, where {free} comes next")
        free = max(free, i + 1)


def _normalizer(normalizer: Any) -> Normalization:
    if normalizer is None:
        return "none"
    kind = normalizer.get("type") if isinstance(normalizer, dict) else normalizer
    if isinstance(normalizer, dict) and kind == "Sequence":
        steps = normalizer.get("normalizers")
        if isinstance(steps, list) and len(steps) <= 1:
            return _normalizer(steps[0] if steps else None)
    if kind == "NFC":
        return "nfc"
    if kind == "NFKC":
        return "nfkc"
    raise _Fault(f"the normalizer {kind!r} is not supported; NFC and NFKC are")


def _pattern(pre_tokenizer: Any) -> str:
    """The split pattern: of ByteLevel alone, or of a Split before it."""
    steps = pre_tokenizer
    if isinstance(pre_tokenizer, dict):
        is_sequence = pre_tokenizer.get("type") == "Sequence"
        steps = pre_tokenizer.get("pretokenizers") if is_sequence else [pre_tokenizer]
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise _Fault("'pre_tokenizer' is missing or not a table")
    kinds = [step.get("type") for step in steps]
    if (
        not kinds
        or kinds[-1] != "ByteLevel"
        or kinds not in (["ByteLevel"], ["Split", "ByteLevel"])
    ):
        raise _Fault(f"the pre-tokenizer {kinds} is not supported; Split and ByteLevel are")
    if steps[-1].get("add_prefix_space"):
        raise _Fault("the pre-tokenizer adds a space before the text, which is not supported")
    if kinds == ["ByteLevel"]:
        return "gpt2" if steps[0].get("use_regex", True) else r"[\s\S]+"
    if steps[1].get("use_regex", True):
        raise _Fault("the pre-tokenizer splits twice, which is not supported")
    return pattern_name(_split_regex(steps[0]))


def _split_regex(split: Mapping[str, Any]) -> str:
    """The regex of a Split whose matches are the pieces."""
    expression = split["pattern"].get("Regex") if isinstance(split.get("pattern"), dict) else None
    isolated = split.get("behavior") == "Isolated" and not split.get("invert")
    matches = split.get("behavior") == "Removed" and split.get("invert") is True
    if not isinstance(expression, str) or not (isolated or matches):
        raise _Fault("the pre-tokenizer's Split is not a regex whose matches are the pieces")
    return expression
