"""Random models with tokenizers that yocto trains in a moment: for the tests of GGUF files."""

# ruff: noqa: E501
from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import tiny
import torch

from yocto.checkpoint import Checkpoint, Run
from yocto.config import GPTConfig
from yocto.model.gpt import GPT
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe import BPETokenizer

# What llama.cpp is to have in common with yocto: each line a trap for somebody's splitter.
TEXTS = [
    "The quick brown fox jumps over the lazy dog. It's what we've said; they'll know I'd go.",
    "DON'T! You'Re SURE'Ll it'S 'tis 'twas rock'n'roll o'clock 'd'd 'm'M ''s '' ' s",
    "Ünïcödé naïve façade Straße ŒUVRE Ærøskøbing İstanbul ıIiİ ĳ ǅungla ﬁne ﬀ",
    "Привет, мир! Ёлка и ЩУКА. Ελληνικά ΑΒΓ αβγ ΆΈ. Հայերեն ქართული ᲐᲑᲒ",
    "中文分词测试，这是一个句子。日本語のテキスト、カタカナとひらがな。한국어 텍스트입니다! ｶﾀｶﾅ ＦＵＬＬ１２３",
    "1 12 123 1234 12345678 3.14159 1,000,000 0x1F600 ٣٤٥٦٧ १२३४ ⅧⅨ ½ ² ₃ ①② 1st 2nd a1b22c333",
    "def f(x, *args):\n\tif x == 0:\n\t\treturn {'a': [1, 2]}  # done\n\n\nclass A_b(C):\n    pass\r\n\r\n",
    "#include <stdio.h>\nint main(void) { printf(\"%d\\n\", 1 << 3); /* ?? */ return 0; }\n//\n/",
    "tabs\tand\t\ttabs  two   three    four\u00a0nbsp\u00a0\u00a0two\u2003em\u3000wide\u200bzero\ufeffbom",
    "\r\n\r\nlines\r\n \r\n\t\n  \n x\n\n y \n", "trailing   ", "trailing\t\n  ", "   leading", "\n", " ",
    "  ", "\u00a0", " \u00a0x", "\x85next\u2028line\u2029par\x0bvt\x0cff\x1cfs\x1fus\x00nul\x7fdel",
    "🙂🙃 👩‍👩‍👧‍👦 🇩🇪🇫🇷 👍🏽 ❤️ ☃︎ emoji🙂in🙂words! ¡¿?!… — “quotes” ‘single’ «guillemets» ’s ’t",
    "HTTPServer camelCase snake_case kebab-case SCREAMING_CASE iPhone McDonald XMLHttpRequest2",
    "http://example.com/a/b?c=d&e=f#g user@example.org C:\\path\\to /usr/bin //comment ///",
    "<|user|> plain <|end|> [PAD3] <s></s> <|endoftext|>", "$€£¥ + − × ÷ = ≠ ∑ √ ∞ ^ ` ~ | ¬ § ¶ † ° ′ ″",
]  # fmt: skip
# Marks, which llama.cpp's gpt-4o cuts otherwise: Hindi, Thai, Arabic, decomposed accents, Hebrew.
MARKED = [
    "नमस्ते दुनिया, यह हिन्दी है।", "สวัสดีชาวโลก ภาษาไทยไม่มีช่องว่าง", "مَرْحَبًا بِالعَالَم", "cafe\u0301 re\u0301sume\u0301 A\u030angstro\u0308m",
    "שָׁלוֹם עולם", "தமிழ் మాటలు ಕನ್ನಡ", "Việt Nam tiê\u0301ng Viê\u0323t",
]  # fmt: skip


@cache
def trained(
    pattern: str = "llama3", vocab_size: int = 600, *special: str, **options: Any
) -> BPETokenizer:
    """A tokenizer that yocto trains on the texts above."""
    words = ["<|endoftext|>", *special]
    corpus = [tiny.make_text(40), *(f"{text} " * 3 for text in TEXTS + MARKED)]
    made = BPETokenizer.train(
        corpus, vocab_size=vocab_size, pattern=pattern, special_tokens=words, **options
    )
    return made


def random_model(tokenizer: BaseTokenizer, seed: int = 0, **knobs: Any) -> GPT:
    """A small model whose weights leave its logits far apart, so that rounding changes no choice.

    It knows three ids more than the tokenizer has.
    """
    shape = {"n_layer": 3, "n_head": 4, "n_embd": 64, "block_size": 128, "n_inner": 96}
    config = GPTConfig(vocab_size=tokenizer.vocab_size + 3, **{**shape, **knobs})
    generator = torch.Generator().manual_seed(seed)
    model = GPT(config, generator).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 1:
                p.normal_(0.0 if name.endswith("bias") else 1.0, 0.2, generator=generator)
            elif name in ("wte.weight", "wpe.weight", "lm_head.weight"):
                p.normal_(0.0, 0.5, generator=generator)
            else:
                p.normal_(0.0, 1.5 / p.shape[1] ** 0.5, generator=generator)
    return model


def saved(
    folder: Path, model: GPT, tokenizer: BaseTokenizer, documents: int = 9, name: str = "made-1"
) -> Checkpoint:
    """The checkpoint of a model, in a run of its own."""
    step = Run(folder / name).save(7, model, tokenizer, {}, documents, {})
    return Checkpoint.open(step)


@cache
def every_pair(pattern: str) -> BPETokenizer:
    """A tokenizer that merges any two bytes of a piece, in no order: hardly a cut can be elsewhere
    without other ids."""
    single = [bytes([b]) for b in range(256)]
    pairs = [(a, b) for a in single for b in single]
    random.Random(5).shuffle(pairs)
    vocab = {token: i for i, token in enumerate([*single, *(a + b for a, b in pairs)])}
    return BPETokenizer(vocab, pairs, pattern, {"<|endoftext|>": len(vocab)})
