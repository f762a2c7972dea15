"""Tokenizers of other libraries, trained here on a little text: one of each sort that is about."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any

CORPUS = (Path(__file__).parents[1] / "data" / "philosophy.txt").read_text("utf-8")[:100_000]
TEXT = CORPUS + " né ünï 🙂 日本 ﬁ" * 50
SP = ["<unk>", "<s>", "</s>"]
END = "<|endoftext|>"

# Texts in which something might go wrong: special tokens spelled out, spaces, other scripts.
SAMPLES = [
    CORPUS[50_000:51_000],
    "the river. né ünï 🙂 日本\n\nword words <mask>  x <r>  y <s>the</s> [CLS] a [SEP] b <unk>",
    f"{END}c <think>   river    rivers <0x41> 中文字 e\u0301 ＜s＞",
    "  leading", "", " ", "trailing  ", "a\nb\tc", "中🙂🙂", "▁▁x ▁",
]  # fmt: skip


def _sort(
    model: Any, trainer: Any, *, pre: Any = None, norm: Any = None, dec: Any = None,
    post: Any = None, added: Any = (),
) -> Any:  # fmt: skip
    from tokenizers import Tokenizer

    theirs = Tokenizer(model)
    for name, part in (("pre_tokenizer", pre), ("normalizer", norm), ("decoder", dec)):
        if part is not None:
            setattr(theirs, name, part)
    theirs.train_from_iterator(TEXT.split("\n"), trainer)
    if post is not None:
        theirs.post_processor = post
    for token in added:
        (theirs.add_special_tokens if token.special else theirs.add_tokens)([token])
    return theirs


@functools.cache
def hugging_face(sort: str) -> Any:
    """A tokenizers.Tokenizer of one of the sorts in WRAPPED and NATIVE."""
    from tokenizers import AddedToken, Regex, decoders, models, normalizers, processors, trainers
    from tokenizers import pre_tokenizers as pre

    def byte_level(special: list[str], alphabet: bool = True, **parts: Any) -> Any:
        trainer = trainers.BpeTrainer(
            vocab_size=600, special_tokens=special, show_progress=False,
            initial_alphabet=pre.ByteLevel.alphabet() if alphabet else [],
        )  # fmt: skip
        parts.setdefault("pre", pre.ByteLevel(add_prefix_space=False))
        return _sort(models.BPE(), trainer, dec=decoders.ByteLevel(), **parts)

    if sort == "unigram":
        trainer = trainers.UnigramTrainer(
            vocab_size=500, special_tokens=SP, unk_token="<unk>", show_progress=False
        )
        replace = normalizers.Replace(Regex(" {2,}"), " ")
        return _sort(
            models.Unigram(), trainer, pre=pre.Metaspace(), dec=decoders.Metaspace(),
            norm=normalizers.Sequence([normalizers.NFKC(), replace]),
        )  # fmt: skip
    if sort == "wordpiece":
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        post = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        trainer = trainers.WordPieceTrainer(
            vocab_size=600, special_tokens=special, show_progress=False
        )
        return _sort(
            models.WordPiece(unk_token="[UNK]"), trainer, pre=pre.BertPreTokenizer(), post=post,
            norm=normalizers.BertNormalizer(lowercase=True), dec=decoders.WordPiece(),
        )  # fmt: skip
    if sort == "llama2":  # BPE on characters with ▁ for spaces, and bytes for what it lacks
        chars = sorted(set(TEXT.replace(" ", "▁")) - set("🙂日本"))
        byte_tokens = [f"<0x{b:02X}>" for b in range(256)]
        tokens = [*SP, *byte_tokens, *chars, "▁t", "he", "▁the"]
        vocab = {token: i for i, token in enumerate(tokens)}
        merges = [("▁", "t"), ("h", "e"), ("▁t", "he")]
        from tokenizers import Tokenizer

        theirs = Tokenizer(
            models.BPE(vocab, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
        )
        theirs.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        theirs.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
             decoders.Strip(" ", 1, 0)]
        )  # fmt: skip
        theirs.add_special_tokens(SP)
        theirs.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
        return theirs
    if sort == "words end in </w>":
        trainer = trainers.BpeTrainer(
            vocab_size=600, special_tokens=SP, end_of_word_suffix="</w>", show_progress=False
        )
        model = models.BPE(unk_token="<unk>", end_of_word_suffix="</w>")
        return _sort(model, trainer, pre=pre.Whitespace(), dec=decoders.BPEDecoder())
    if sort == "whole words":
        trainer = trainers.WordLevelTrainer(vocab_size=300, special_tokens=SP, show_progress=False)
        return _sort(models.WordLevel(unk_token="<unk>"), trainer, pre=pre.WhitespaceSplit())
    if sort == "a space before":
        return byte_level([END], pre=pre.ByteLevel(add_prefix_space=True))
    if sort == "lower case":
        steps = [normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()]
        return byte_level([END], norm=normalizers.Sequence(steps))
    if sort in ("NFD", "NFKD"):
        return byte_level([END], norm=getattr(normalizers, sort)())
    if sort == "special tokens that strip":
        added = [AddedToken("<mask>", lstrip=True, special=True),
                 AddedToken("<r>", rstrip=True, special=True),
                 AddedToken("word", single_word=True, special=True)]  # fmt: skip
        return byte_level([END], added=added)
    if sort == "added words":
        added = [AddedToken("river", normalized=True), AddedToken("    ", normalized=True)]
        return byte_level([END], added=added)
    if sort == "normalized special tokens":
        added = [AddedToken("<ﬁ>", normalized=True, special=True)]
        return byte_level([END], added=added, norm=normalizers.NFKC())
    if sort == "no alphabet":
        return byte_level([END], alphabet=False)
    if sort == "digits":
        steps = [pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False)]
        return byte_level([END], pre=pre.Sequence(steps))
    if sort == "added marks":
        return byte_level([END], added=[AddedToken("<think>", normalized=False, special=False)])
    if sort == "a sequence of one":
        return byte_level([END], norm=normalizers.Sequence([normalizers.NFC()]))
    if sort == "llama3":
        begin = "<|begin_of_text|>"
        template = processors.TemplateProcessing(single=f"{begin} $A", special_tokens=[(begin, 0)])
        steps = [processors.ByteLevel(trim_offsets=False), template]
        return byte_level([begin, "<|end_of_text|>"], post=processors.Sequence(steps))
    if sort == "roberta":
        post = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
        return byte_level(["<s>", "<pad>", "</s>"], post=post)
    raise ValueError(sort)


# What only `tokenizers` understands, and what becomes a tokenizer of yocto's own.
WRAPPED = [
    "unigram", "wordpiece", "llama2", "words end in </w>", "whole words", "a space before",
    "lower case", "NFD", "NFKD", "special tokens that strip", "added words",
    "normalized special tokens", "no alphabet", "digits",
]  # fmt: skip
NATIVE = ["added marks", "a sequence of one", "llama3", "roberta"]

SENTENCEPIECE: dict[str, dict[str, Any]] = {
    "unigram": {},
    "llama": {
        "model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True,
    },
    "user-defined": {
        "user_defined_symbols": ["<think>", "\n"], "control_symbols": ["<|im_end|>"],
        "byte_fallback": True, "pad_id": 3,
    },
    "no end": {"add_dummy_prefix": False, "eos_id": -1},
    "end last": {"pad_id": 1, "bos_id": 2, "eos_id": 3, "pad_piece": "<filler>"},
    "characters": {"model_type": "char"},
    "spaces after words": {"treat_whitespace_as_suffix": True},
}  # fmt: skip


@functools.cache
def sentencepiece_model(sort: str) -> bytes:
    """The model file of one of the sorts in SENTENCEPIECE."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS.split("\n")), model_writer=model, vocab_size=500,
        hard_vocab_limit=False, minloglevel=2, **SENTENCEPIECE[sort],
    )  # fmt: skip
    return model.getvalue()
