"""What a tokenizer.json puts around a text."""

import json

import pytest

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.huggingface import tokenizer_from_json
from yocto.tokenizer.huggingface_frame import frame_of

SPECIAL = {"<s>": 300, "</s>": 301, "<end>": 302}
BASE = BPETrainer(vocab_size=290, special_tokens=()).train("the theme of the thesis")
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False}
TEXT = {"Sequence": {"id": "A", "type_id": 0}}


def mark(name):
    return {"SpecialToken": {"id": name, "type_id": 0}}


def template(*single, **tokens):
    tokens = tokens or {name: [name] for name in SPECIAL}
    return {
        "type": "TemplateProcessing",
        "single": list(single),
        "pair": [TEXT, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {
            name: {"id": name, "ids": [SPECIAL[t] for t in texts], "tokens": texts}
            for name, texts in tokens.items()
        },
    }


FRAMES = {
    "nothing": (None, None),
    "offsets": (BYTE_LEVEL, None),
    "one before": (template(mark("<s>"), TEXT), (("<s>",), ())),
    "one after": (template(TEXT, mark("</s>")), ((), ("</s>",))),
    "both": (template(mark("<s>"), TEXT, mark("</s>")), (("<s>",), ("</s>",))),
    "two after": (template(TEXT, mark("</s>"), mark("<end>")), ((), ("</s>", "<end>"))),
    "one name for two": (template(mark("X"), TEXT, X=["<s>", "<end>"]), (("<s>", "<end>"), ())),
    "the text alone": (template(TEXT), ((), ())),
    "in a sequence": (
        {"type": "Sequence", "processors": [BYTE_LEVEL, template(mark("<s>"), TEXT)]},
        (("<s>",), ()),
    ),
    "bert": (
        {"type": "BertProcessing", "sep": ["</s>", 301], "cls": ["<s>", 300]},
        (("<s>",), ("</s>",)),
    ),
    "roberta": (
        {"type": "RobertaProcessing", "sep": ["</s>", 301], "cls": ["<s>", 300],
         "trim_offsets": True, "add_prefix_space": False},
        (("<s>",), ("</s>",)),
    ),
}  # fmt: skip


def framed(post_processor):
    tokenizer = BPETokenizer(BASE.vocab, BASE.merges, "gpt2", SPECIAL)
    content = json.loads(tokenizer.files()["tokenizer.json"])
    return {**content, "post_processor": post_processor}


@pytest.mark.parametrize("name", FRAMES)
def test_what_a_post_processor_puts_around_a_text_is_put_around_it(name):
    post_processor, frame = FRAMES[name]
    assert frame_of(post_processor, SPECIAL) == frame
    tokenizer = tokenizer_from_json(framed(post_processor), "f")
    before, after = frame or ((), ())
    plain = tokenizer.encode("the theme")
    ids = tokenizer.encode("the theme", add_special_tokens=True)
    assert ids == [*(SPECIAL[t] for t in before), *plain, *(SPECIAL[t] for t in after)]
    assert tokenizer.bos_id == (SPECIAL[before[0]] if before else None)
    # Written by yocto, both read it alike.
    again = tokenizer_from_json(json.loads(tokenizer.files()["tokenizer.json"]), "f")
    assert again.frame == tokenizer.frame
    assert again.sha256 == tokenizer.sha256


@pytest.mark.parametrize("name", FRAMES)
def test_hugging_face_puts_the_same_around_it(name):
    tokenizers = pytest.importorskip("tokenizers")
    content = framed(FRAMES[name][0])
    ours = tokenizer_from_json(content, "f")
    ids = ours.encode("the theme", add_special_tokens=True)
    for text in (json.dumps(content), ours.files()["tokenizer.json"]):
        assert tokenizers.Tokenizer.from_str(text).encode("the theme").ids == ids


def test_without_a_frame_of_its_own_a_tokenizer_takes_bos_and_eos():
    tokenizer = BPETokenizer(BASE.vocab, BASE.merges, "gpt2", {"<bos>": 300, "<eos>": 301})
    assert "TemplateProcessing" not in tokenizer.files()["tokenizer.json"]
    ids = tokenizer.encode("the", add_special_tokens=True)
    assert ids == [300, *tokenizer.encode("the"), 301]


@pytest.mark.parametrize(
    "post_processor",
    [
        5, [], {}, {"type": "Nonsense"}, {"type": "Sequence"},
        {"type": "Sequence", "processors": [5]},
        template(), template(TEXT, TEXT), template(mark("<x>"), TEXT), template(5, TEXT),
        template({}, TEXT), template({"SpecialToken": 5}, TEXT),
        {**template(mark("<s>"), TEXT), "special_tokens": None},
        {**template(mark("<s>"), TEXT),
         "special_tokens": {"<s>": {"id": "<s>", "ids": [301], "tokens": ["<s>"]}}},
        {**template(mark("<s>"), TEXT),
         "special_tokens": {"<s>": {"id": "<s>", "ids": [300, 301], "tokens": ["<s>"]}}},
        {**template(mark("<s>"), TEXT),
         "special_tokens": {"<s>": {"id": "<s>", "ids": [[]], "tokens": [[]]}}},
        {"type": "BertProcessing", "sep": ["</s>", 300], "cls": ["<s>", 300]},
        {"type": "BertProcessing", "sep": 5}, {"type": "BertProcessing"},
        {"type": "Sequence", "processors": [template(mark("<s>"), TEXT)] * 2},
    ],
)  # fmt: skip
def test_a_post_processor_that_is_damaged_or_foreign_is_refused(post_processor):
    with pytest.raises(TokenizerError, match=r"post.processor"):
        frame_of(post_processor, SPECIAL)
    with pytest.raises(TokenizerFileError, match=r"^f: .*post.processor"):
        tokenizer_from_json(framed(post_processor), "f")
