"""llama.cpp itself reads what yocto writes: the same ids, the same greedy tokens.

It takes llama-cpp-python, which builds from source: pip install llama-cpp-python, then
pytest -m slow tests/interop.

What llama.cpp does not have in common with yocto is left out here, and is this. Its table of
characters is that of Unicode 15.1, yocto's that of 16.0: characters that 16.0 added (`NEWER`) are
no letters to it. Its regex for gpt-4o knows letters, but not marks, and which letters are capitals
only in ASCII.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf_models import MARKED, TEXTS, every_pair, random_model, saved, trained
from hypothesis import given, settings
from hypothesis import strategies as st

from yocto.chat.roles import Message, RoleTemplate
from yocto.checkpoint import Checkpoint
from yocto.interop.gguf import write_gguf
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.roles import ROLE_TOKENS
from yocto.utils.progress import SilentProgress
from yocto.utils.unicode_classes import LOWER, MARK, UPPER, class_table

llama_cpp = pytest.importorskip("llama_cpp")
pytestmark = pytest.mark.slow

PATTERNS = {"gpt2": "gpt-2", "llama3": "llama-bpe", "qwen2": "qwen2", "gpt4o": "gpt-4o"}
NEWER = [
    (0x897, 0x897), (0x1C89, 0x1C8A), (0xA7CB, 0xA7CD), (0xA7DA, 0xA7DC), (0x105C0, 0x105FF),
    (0x10D40, 0x10D8F), (0x10EC2, 0x10EC4), (0x10EFC, 0x10EFC), (0x11380, 0x113FF),
    (0x116D0, 0x116E3), (0x11BC0, 0x11BFF), (0x11F5A, 0x11F5A), (0x13460, 0x143FF),
    (0x16100, 0x1613F), (0x16D40, 0x16D7F), (0x18CFF, 0x18CFF), (0x1CC00, 0x1CCFF),
    (0x1E5D0, 0x1E5FF),
]  # fmt: skip


def known(character: str, pattern: str) -> bool:
    """Whether llama.cpp sees what yocto sees in it."""
    point = ord(character)
    if any(first <= point <= last for first, last in NEWER):
        return False
    return pattern != "gpt4o" or point < 128 or class_table()[point] not in (MARK, UPPER, LOWER)


def opened(folder: Path, checkpoint: Checkpoint, dtype: str = "float32", **options: Any) -> Any:
    """llama.cpp with the file of a checkpoint."""
    file = write_gguf(checkpoint, folder / f"{dtype}.gguf", dtype, SilentProgress())
    return llama_cpp.Llama(file.path, verbose=False, n_threads=1, n_threads_batch=1, **options)


def vocabulary(folder: Path, tokenizer: BaseTokenizer) -> Any:
    """llama.cpp with the tokenizer alone."""
    model = random_model(tokenizer, family="llama", n_layer=1, n_embd=8, n_inner=8)
    return opened(folder, saved(folder, model, tokenizer), vocab_only=True)


@pytest.fixture(scope="module", params=PATTERNS)
def both(request, tmp_path_factory):
    """A pattern, a tokenizer that yocto trained with it, and one that merges all; each with
    llama.cpp's reading of it."""
    tokenizers = trained(request.param, 900, *ROLE_TOKENS), every_pair(request.param)
    pairs = [(t, vocabulary(tmp_path_factory.mktemp("gguf"), t)) for t in tokenizers]
    assert pairs[0][1].metadata["tokenizer.ggml.pre"] == PATTERNS[request.param]
    return request.param, pairs


def assert_equal_ids(pairs: list[tuple[BPETokenizer, Any]], text: str) -> None:
    for tokenizer, theirs in pairs:
        ours = tokenizer.encode(text, allowed_special="none")
        assert theirs.tokenize(text.encode(), add_bos=False, special=False) == ours
        assert theirs.tokenize(text.encode(), add_bos=True, special=False) == ours  # there is none


def test_many_languages_code_and_odd_white_space_have_the_same_ids(both):
    pattern, pairs = both
    for text in TEXTS + MARKED:
        for part in [text] if pattern != "gpt4o" else text.split(" "):
            if all(known(character, pattern) for character in part):
                assert_equal_ids(pairs, part)
                assert_equal_ids(pairs, f" {part} \n{part}\t")


@given(st.data())
@settings(max_examples=2000, deadline=None)
def test_any_text_has_the_same_ids(both, data):
    pattern, pairs = both
    odd = st.sampled_from(
        "'stmdSTMDrevlL \t\r\n\u00a0\u2003aBz10\u0660é中ßЖж/.,!-🙂\u0301\u200d\x85\0"
    )
    text = data.draw(st.text(st.one_of(odd, odd, st.characters(exclude_categories=["Cs"]))))
    assert_equal_ids(pairs, "".join(c for c in text if known(c, pattern)))


def test_special_tokens_are_found_in_text_only_where_asked_for(both):
    tokenizer, theirs = both[1][0]
    text = "<|endoftext|><|user|>Hi there<|end|> <|assistant|>\n<|end|><|endoftext|>  x <|nothing|>"
    for special, allowed in ((True, "all"), (False, "none")):
        ours = tokenizer.encode(text, allowed_special=allowed)
        assert theirs.tokenize(text.encode(), add_bos=False, special=special) == ours
    assert theirs.token_eos() == tokenizer.end_id
    assert theirs._model.token_eot() == tokenizer.special_tokens["<|end|>"]  # of an answer


def test_a_token_that_does_not_merge_to_itself_is_read_as_yocto_reads_it(tmp_path):
    vocab = {bytes([b]): b for b in range(256)} | {b"bc": 256, b"ab": 257, b"abc": 258}
    merges = [(b"b", b"c"), (b"a", b"b"), (b"ab", b"c")]
    for whole, pre, ids in ((False, "smaug-bpe", [97, 256]), (True, "llama-bpe", [258])):
        tokenizer = BPETokenizer(vocab, merges, "llama3", {"<|e|>": 259}, ignore_merges=whole)
        theirs = vocabulary(tmp_path, tokenizer)
        assert theirs.metadata["tokenizer.ggml.pre"] == pre
        assert theirs.tokenize(b"abc", add_bos=False) == tokenizer.encode("abc") == ids


def test_a_special_token_that_is_a_word_stays_a_word_in_text(tmp_path):
    tokenizer = trained("llama3", 600, "STOP")
    theirs = vocabulary(tmp_path, tokenizer)
    ours = tokenizer.encode("STOP it", allowed_special="none")
    assert theirs.tokenize(b"STOP it", add_bos=False, special=False) == ours
    assert ours[0] != tokenizer.special_tokens["STOP"]


SHAPES = [
    {"family": "gpt2"},
    {"family": "gpt2", "n_kv_head": 2, "bias": False, "tie_weights": False, "norm_eps": 1e-3},
    {"family": "llama"},
    {"family": "llama", "n_kv_head": 2, "head_size": 24, "bias": True, "rope_base": 500000.0},
    {"family": "llama", "tie_weights": True, "rope_scaling": "llama3:8:1:4:64", "norm_eps": 1e-5},
    {"family": "llama", "n_kv_head": 1, "rope_scaling": "linear:4"},
    {"family": "qwen3"},
    {"family": "qwen3", "n_kv_head": 2, "head_size": 32, "tie_weights": True, "norm_eps": 1e-5},
    {"family": "qwen3", "rope_base": 1000000.0, "rope_scaling": "linear:2"},
]
SEEDS = [57, 3, 3, 3, 3, 3, 3, 3, 3]


@pytest.mark.parametrize(("shape", "seed"), [*zip(SHAPES, SEEDS, strict=True)], ids=str)
def test_logits_and_64_greedy_tokens_of_float32_are_the_same(shape, seed, tmp_path):
    tokenizer = trained("qwen2")
    model = random_model(tokenizer, seed, **shape)
    # Keys and values in float32, as in yocto; llama.cpp's default is float16.
    exact = {"n_ctx": 128, "logits_all": True, "type_k": 0, "type_v": 0}
    theirs = opened(tmp_path, saved(tmp_path, model, tokenizer), **exact)
    prompt = tokenizer.encode(TEXTS[0], allowed_special="none")[:30]
    ids, gaps = list(prompt), []
    with torch.no_grad():
        for _ in range(64):
            logits = model(torch.tensor([ids]))[0, -1]
            best = logits.topk(2).values
            gaps.append(float(best[0] - best[1]))
            ids.append(int(logits.argmax()))
        ours = model(torch.tensor([ids]))[0]
    greedy = list(islice(theirs.generate(prompt, temp=0.0, repeat_penalty=1.0), 64))
    theirs.reset()
    theirs.eval(ids)
    difference = float((torch.from_numpy(theirs.scores[: len(ids)]) - ours).abs().max())
    # gelu comes from a table of float16 numbers in llama.cpp.
    assert difference < (0.02 if shape["family"] == "gpt2" else 3e-4)
    assert min(gaps) > 2 * difference, "two tokens are as likely: try another seed"
    assert greedy == ids[len(prompt) :]
    assert len(set(greedy)) > 10


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 0.01), ("q8_0", 0.08)])
def test_smaller_weights_give_nearly_the_same_logits(family, dtype, tolerance, tmp_path):
    tokenizer = trained("llama3")
    model = random_model(tokenizer, family=family, n_inner=90)  # 90: no multiple of 32
    exact = {"n_ctx": 128, "logits_all": True, "type_k": 0, "type_v": 0}
    theirs = opened(tmp_path, saved(tmp_path, model, tokenizer), dtype, **exact)
    ids = tokenizer.encode(TEXTS[1], allowed_special="none")[:60]
    theirs.eval(ids)
    with torch.no_grad():
        ours = model(torch.tensor([ids]))[0]
    difference = torch.from_numpy(theirs.scores[: len(ids)]) - ours
    assert difference.std() < tolerance * ours.std()


def test_the_chat_template_in_the_file_gives_the_ids_of_yoctos_chat(tmp_path):
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    tokenizer = trained("llama3", 900, *ROLE_TOKENS)
    theirs = vocabulary(tmp_path, tokenizer)
    end = tokenizer.end_token
    template = theirs.metadata["tokenizer.chat_template"]
    written = Jinja2ChatFormatter(template=template, eos_token=end, bos_token=end)
    for messages in (
        [Message("user", "Hi")],
        [Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", " Yes?\n"),
         Message("user", "Who are you?")],
    ):  # fmt: skip
        turns = [{"role": m.role, "content": m.text} for m in messages]
        prompt = written(messages=turns).prompt
        ids = theirs.tokenize(prompt.encode(), add_bos=False, special=True)
        assert ids == RoleTemplate(tokenizer).prompt_ids(messages)


def test_a_text_begins_with_the_token_that_an_imported_model_wants(tmp_path, monkeypatch):
    tokenizer = trained("llama3", 600, "<|start|>")
    start = tokenizer.special_tokens["<|start|>"]
    monkeypatch.setattr(Checkpoint, "start_ids", lambda *_: [start])
    theirs = vocabulary(tmp_path, tokenizer)
    assert theirs.tokenize(b"ab", add_bos=True) == [start, *tokenizer.encode("ab")]
