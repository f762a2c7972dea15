"""Our models in transformers: the same logits, ids and texts."""

import json

import pytest
import torch
from conftest import Project
from foreign import SENTENCEPIECE, WRAPPED, hugging_face, sentencepiece_model
from hf_models import greedy, opened, some_ids
from safetensors.torch import load_file
from tiny import LETTERS, Recorder, make_text, tiny_gpt
from transformers import AutoTokenizer

import yocto
from yocto.api import LanguageModel
from yocto.chat.roles import ROLE_TOKENS, Message, RoleTemplate
from yocto.chat.template import template_for
from yocto.checkpoint import Checkpoint, Run
from yocto.errors import ExportError
from yocto.interop.hf_folder import why_kept, write_folder
from yocto.interop.hf_import import read_model
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.ids import IdsTokenizer
from yocto.tokenizer.word import WordTrainer
from yocto.tokenizer.wrapped_sentencepiece import SentencePieceTokenizer

CONVERSATION = [
    Message("system", "Be brief."), Message("user", "Who seeks the river?"),
    Message("assistant", "The child."), Message("user", "And who  finds it?\nTell me."),
]  # fmt: skip
TEXTS = [
    make_text(20, 7), "the river, (the) road.", "  two  spaces ", "a\nb\n\n c\t",
    "Né 🙂 42 rivers'",
    "", "river", ". . .",
]  # fmt: skip


def saved(path, tokenizer: BaseTokenizer | None = None, documents: int = 2, **knobs) -> Checkpoint:
    """A checkpoint of a tiny model, all its weights random."""
    tokenizer = tokenizer or CharTokenizer(LETTERS)
    model = tiny_gpt(**{"block_size": 48, "vocab_size": tokenizer.vocab_size, **knobs})
    return Checkpoint.open(Run(path).save(0, model, tokenizer, {}, documents))


def learnt(kind: str) -> BaseTokenizer:
    text = make_text(150) + "".join(TEXTS)
    if kind == "char":
        return CharTokenizer.train([text])
    if kind == "lowercase":
        return CharTokenizer.train([text], lowercase=True, normalize="nfkc", special_tokens=["<e>"])
    if kind == "word":
        return WordTrainer(60).train([text])
    if kind == "byte-bpe":
        return BPETrainer(kind, 300, pattern="qwen2").train([text])
    options = {"byte_fallback": True} if kind == "char-bpe-bytes" else {}
    return BPETrainer("char-bpe", 400, **options).train([text[:3000]])


KINDS = ["byte-bpe", "char-bpe", "char-bpe-bytes", "word", "char", "lowercase"]


@torch.no_grad()
def difference(checkpoint, folder, vocab_size) -> float:
    ids = some_ids(vocab_size=vocab_size)
    return float((checkpoint.load_model()(ids) - opened(folder)(ids).logits).abs().max())


MODELS = {
    "gpt2": {"family": "gpt2"},
    "gpt2-untied-no-bias": {"family": "gpt2", "tie_weights": False, "bias": False, "n_inner": 24},
    "llama": {"family": "llama", "n_head": 4, "n_kv_head": 2},
    "llama-tied": {"family": "llama", "tie_weights": True, "norm_eps": 1e-3},
    "llama-biases": {"family": "llama", "bias": True},
    "llama-head-size": {"family": "llama", "head_size": 6},
    "llama-linear": {"family": "llama", "rope_scaling": "linear:2.5", "rope_base": 500.0},
    "llama-llama3": {"family": "llama", "rope_scaling": "llama3:4:1:4:16", "rope_base": 500.0},
    "qwen3": {"family": "qwen3", "n_head": 4, "n_kv_head": 1},
    "qwen3-odd-heads": {"family": "qwen3", "n_head": 3, "n_kv_head": 3, "head_size": 10},
    "by-parts": {"family": "gpt2", "norm": "rmsnorm", "position": "rope", "mlp": "swiglu",
                 "qk_norm": True, "bias": False},
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_transformers_gives_our_logits(tmp_path, name):
    checkpoint = saved(tmp_path / "run", **MODELS[name])
    write_folder(checkpoint, tmp_path / "hf", "float32", Recorder())
    assert difference(checkpoint, tmp_path / "hf", 26) < 1e-4


@pytest.mark.parametrize("name", MODELS)
def test_what_was_exported_comes_back_bit_by_bit(tmp_path, name):
    checkpoint = saved(tmp_path / "run", **MODELS[name])
    write_folder(checkpoint, tmp_path / "hf", "float32", Recorder())
    before, found = checkpoint.load_model(), read_model(tmp_path / "hf", Recorder())
    after = found.model.state_dict()
    for key, value in before.state_dict().items():
        assert torch.equal(value, after.pop(key)), key
    assert not any(bool(value.any()) for value in after.values())  # GPT-2's biases, which are 0
    assert found.tokenizer.sha256 == checkpoint.load_tokenizer().sha256


def test_a_tied_head_is_stored_once_and_the_file_is_one_of_pytorch(tmp_path):
    write_folder(saved(tmp_path / "run", family="gpt2"), tmp_path / "hf", "float32", Recorder())
    file = tmp_path / "hf" / "model.safetensors"
    assert "lm_head.weight" not in load_file(file)
    assert b'"format":"pt"' in file.read_bytes()[:200]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_of_two_bytes_take_half_the_room_and_say_so(tmp_path, dtype):
    checkpoint = saved(tmp_path / "run")
    write_folder(checkpoint, tmp_path / "hf", dtype, Recorder())
    told = json.loads((tmp_path / "hf" / "config.json").read_text())
    assert (told["dtype"], told["torch_dtype"]) == (dtype, dtype)
    assert {str(v.dtype) for v in load_file(tmp_path / "hf" / "model.safetensors").values()} == {
        f"torch.{dtype}"
    }
    assert difference(checkpoint, tmp_path / "hf", 26) < 0.3


def test_a_weight_that_float16_can_not_hold_is_refused(tmp_path):
    model = tiny_gpt()
    with torch.no_grad():
        model.wte.weight[0, 0] = 1e6
    step = Run(tmp_path / "run").save(0, model, CharTokenizer(LETTERS), {}, 1)
    with pytest.raises(ExportError, match="float16 can't") as caught:
        write_folder(Checkpoint.open(step), tmp_path / "hf", "float16", Recorder())
    assert "bfloat16" in caught.value.hint
    assert not (tmp_path / "hf").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_weights_that_are_no_numbers_are_said_to_be_spoilt(tmp_path, dtype, value):
    model = tiny_gpt()
    with torch.no_grad():
        model.wte.weight[0, 0] = value
    step = Run(tmp_path / "run").save(0, model, CharTokenizer(LETTERS), {}, 1)
    with pytest.raises(ExportError, match=r"embed_tokens\.weight .* are spoilt") as caught:
        write_folder(Checkpoint.open(step), tmp_path / "hf", dtype, Recorder())
    assert "earlier checkpoint" in caught.value.hint
    assert not (tmp_path / "hf").exists()


def test_a_weight_that_bfloat16_can_not_hold_is_refused(tmp_path):
    model = tiny_gpt()
    with torch.no_grad():
        model.wte.weight[0, 0] = 3.4e38  # below float32's largest, and rounded up
    step = Run(tmp_path / "run").save(0, model, CharTokenizer(LETTERS), {}, 1)
    with pytest.raises(ExportError, match="bfloat16 can't") as caught:
        write_folder(Checkpoint.open(step), tmp_path / "hf", "bfloat16", Recorder())
    assert "--dtype float32" in caught.value.hint


@pytest.mark.parametrize(
    ("knobs", "told", "typed"),
    [
        ({"position": "sinusoidal", "family": "gpt2"}, "position=sinusoidal", "position=learned"),
        ({"mlp": "relu2"}, "mlp=relu2", "--family qwen3 --set mlp=swiglu"),
        ({"family": "gpt2", "norm": "rmsnorm"}, "norm=rmsnorm", "gpt2 --set norm=layernorm"),
        ({"family": "llama", "mlp": "gelu"}, "mlp=gelu", "--family llama --set mlp=swiglu"),
        ({"family": "gpt2", "n_kv_head": 1}, "n_kv_head is 1", "--family llama"),
        ({"family": "gpt2", "head_size": 4}, "head_size is 4", "head_size"),
        ({"family": "llama", "n_head": 3, "head_size": 4}, "not a multiple", "--family qwen3"),
        ({"bias": True}, "mlp biases", "bias=false"),
    ],
)  # fmt: skip
def test_a_model_that_transformers_has_no_class_for_is_refused(tmp_path, knobs, told, typed):
    with pytest.raises(ExportError) as caught:
        write_folder(saved(tmp_path / "run", **knobs), tmp_path / "hf", "float32", Recorder())
    assert told in caught.value.message
    assert typed in caught.value.hint
    assert not (tmp_path / "hf").exists()


# ---------------------------------------------------------------------------------- tokenizers


@pytest.mark.parametrize("kind", KINDS)
def test_autotokenizer_has_our_ids_and_texts(tmp_path, kind):
    ours = learnt(kind)
    write_folder(saved(tmp_path / "run", ours), tmp_path / "hf", "float32", Recorder())
    theirs = AutoTokenizer.from_pretrained(tmp_path / "hf")
    for text in TEXTS:
        ids = ours.encode(text, allowed_special="none")
        assert theirs(text)["input_ids"] == ids
        assert theirs.decode(ids) == ours.decode(ids)
    if kind != "char-bpe-bytes":  # of bytes that are no character the library makes other U+FFFD
        every = list(range(ours.vocab_size))
        assert theirs.decode(every) == ours.decode(every)
    if ours.end_id is not None:
        assert (theirs.eos_token_id, theirs.bos_token_id) == (ours.end_id, ours.end_id)
    assert theirs.unk_token_id == ours.unk_id
    assert len(theirs) == ours.vocab_size


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_tokenizer_is_opened_as_the_one_that_it_was(tmp_path, kind):
    ours = learnt(kind)
    write_folder(saved(tmp_path / "run", ours), tmp_path / "hf", "float32", Recorder())
    again = read_model(tmp_path / "hf", Recorder()).tokenizer
    assert type(again) is type(ours)
    assert again.sha256 == ours.sha256


def test_a_model_on_ids_has_no_tokenizer_beside_it(tmp_path):
    checkpoint = saved(tmp_path / "run", IdsTokenizer(26, 1, 2))
    told = write_folder(checkpoint, tmp_path / "hf", "float32", Recorder())
    assert told.files == ["config.json", "generation_config.json", "model.safetensors"]
    assert "works on ids" in told.notes[0]
    assert opened(tmp_path / "hf").generation_config.eos_token_id == 2


# ----------------------------------------------------------------------------- texts and chats


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_is_continued_with_the_same_ids_and_text(tmp_path, kind):
    tokenizer = learnt(kind)
    checkpoint = saved(tmp_path / "run", tokenizer, n_embd=32)
    write_folder(checkpoint, tmp_path / "hf", "float32", Recorder())
    lm = LanguageModel.open(checkpoint.path, "cpu")
    theirs = AutoTokenizer.from_pretrained(tmp_path / "hf")
    prompt = "the river"
    expected = greedy(opened(tmp_path / "hf"), theirs(prompt)["input_ids"], 30)
    made = lm.complete([lm.prompt_ids(prompt)], _greedy(30))
    text = "".join(piece for _, piece in made)
    ids = made.texts[0].ids
    assert ids == [i for i in expected if i != tokenizer.end_id]
    whole = lm.prompt_ids(prompt) + ids
    if kind != "char-bpe-bytes":  # a random model says bytes that are no character
        assert theirs.decode(whole) == prompt + text


def _greedy(count):
    from yocto.config import SamplingConfig

    return SamplingConfig(greedy=True, max_new_tokens=count)


def test_a_run_of_the_default_recipe_is_continued_with_the_same_ids(
    tmp_path, token_project: Project
):
    checkpoint = Checkpoint.open(token_project.step)
    assert checkpoint.model.family == "qwen3"
    write_folder(checkpoint, tmp_path / "hf", "float32", Recorder())
    lm = LanguageModel.open(checkpoint.path, "cpu")
    ids = lm.prompt_ids("The river")
    made = lm.complete([ids], _greedy(30))
    list(made)
    theirs = greedy(opened(tmp_path / "hf"), ids, 30)
    assert made.texts[0].ids == [i for i in theirs if i not in lm._end_ids]


@pytest.mark.parametrize("kind", KINDS)
def test_the_chat_template_gives_the_ids_of_a_fine_tuned_model(tmp_path, kind):
    tokenizer = learnt(kind).with_special_tokens(ROLE_TOKENS)
    checkpoint = saved(tmp_path / "run", tokenizer)
    write_folder(checkpoint, tmp_path / "hf", "float32", Recorder())
    template = template_for(tokenizer)
    assert isinstance(template, RoleTemplate)
    assert _applied(tmp_path / "hf") == template.prompt_ids(CONVERSATION)
    eos = json.loads((tmp_path / "hf" / "generation_config.json").read_text())["eos_token_id"]
    assert set(eos) == {tokenizer.end_id, tokenizer.special_tokens["<|end|>"]}


@pytest.mark.parametrize("kind", KINDS)
def test_the_chat_template_gives_the_ids_of_a_base_model(tmp_path, kind):
    tokenizer = learnt(kind)
    write_folder(saved(tmp_path / "run", tokenizer), tmp_path / "hf", "float32", Recorder())
    assert _applied(tmp_path / "hf") == template_for(tokenizer).prompt_ids(CONVERSATION)


def _applied(folder) -> list[int]:
    theirs = AutoTokenizer.from_pretrained(folder)
    turns = [{"role": m.role, "content": m.text} for m in CONVERSATION]
    return theirs.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)


def test_an_alphabet_without_the_markers_letters_has_no_chat_template(tmp_path):
    write_folder(saved(tmp_path / "run"), tmp_path / "hf", "float32", Recorder())
    assert not (tmp_path / "hf" / "chat_template.jinja").exists()


def test_our_own_template_is_not_carried_back(tmp_path):
    for name, tokens in (("base", []), ("chat", ROLE_TOKENS)):
        tokenizer = learnt("byte-bpe").with_special_tokens(tokens)
        write_folder(saved(tmp_path / name, tokenizer), tmp_path / f"{name}-hf", "float32",
                     Recorder())  # fmt: skip
        assert (tmp_path / f"{name}-hf" / "chat_template.jinja").is_file()
        assert "chat_template.jinja" not in read_model(tmp_path / f"{name}-hf", Recorder()).beside


def test_ids_that_stand_for_nothing_are_never_said(tmp_path):
    tokenizer = learnt("word")
    checkpoint = saved(tmp_path / "run", tokenizer, vocab_size=tokenizer.vocab_size + 3)
    write_folder(checkpoint, tmp_path / "hf", "float32", Recorder())
    told = json.loads((tmp_path / "hf" / "generation_config.json").read_text())
    assert {tokenizer.vocab_size + 2, tokenizer.unk_id, tokenizer.pad_id} <= {
        *told["suppress_tokens"]
    }
    assert tokenizer.end_id not in told["suppress_tokens"]


# -------------------------------------------------------------------------------------- folders


def test_only_an_exported_model_or_an_empty_folder_may_be_replaced(tmp_path):
    checkpoint = saved(tmp_path / "run")
    write_folder(checkpoint, tmp_path / "hf", "float32", Recorder())
    (tmp_path / "empty").mkdir()
    assert why_kept(tmp_path / "hf") is None
    assert why_kept(tmp_path / "empty") is None
    for other in (tmp_path, tmp_path / "run", checkpoint.path):
        assert why_kept(other)


@pytest.mark.parametrize("kind", [*KINDS, "tokenizers", "sentencepiece", "ids"])
def test_an_export_of_any_tokenizer_may_be_replaced(tmp_path, kind):
    if kind == "tokenizers":
        tokenizer = yocto.adapt_tokenizer(hugging_face(WRAPPED[0]))
    elif kind == "sentencepiece":
        tokenizer = SentencePieceTokenizer(sentencepiece_model(next(iter(SENTENCEPIECE))))
    else:
        tokenizer = IdsTokenizer(26, 1, 2) if kind == "ids" else learnt(kind)
    write_folder(saved(tmp_path / "run", tokenizer), tmp_path / "hf", "float32", Recorder())
    assert why_kept(tmp_path / "hf") is None


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "model-00001-of-00002.safetensors"])
def test_an_exported_model_with_something_beside_it_is_kept(tmp_path, name):
    write_folder(saved(tmp_path / "run"), tmp_path / "hf", "float32", Recorder())
    (tmp_path / "hf" / name).write_text("mine")
    assert why_kept(tmp_path / "hf") == f"{name}, for one"


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_one_of_whose_files_is_none_is_kept(tmp_path, kind):
    write_folder(saved(tmp_path / "run"), tmp_path / "hf", "float32", Recorder())
    weights = tmp_path / "hf" / "model.safetensors"
    weights.rename(tmp_path / "weights")
    weights.mkdir() if kind == "folder" else weights.symlink_to(tmp_path / "weights")
    assert why_kept(tmp_path / "hf") == "model.safetensors, for one"


def test_a_model_that_transformers_has_saved_is_kept(tmp_path):
    write_folder(saved(tmp_path / "run"), tmp_path / "hf", "float32", Recorder())
    opened(tmp_path / "hf").save_pretrained(tmp_path / "theirs")
    assert why_kept(tmp_path / "theirs") == "its config.json is not that of an export"


@pytest.mark.parametrize("content", ['{"architectures": ["LlamaForCausalLM"]}', "[]", "{", None])
def test_a_model_that_was_fetched_is_kept(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(b"")
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    assert why_kept(tmp_path) == "its config.json is not that of an export"


def test_two_exports_are_the_same_to_the_byte(tmp_path):
    checkpoint = saved(tmp_path / "run")
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        write_folder(checkpoint, folder, "float32", Recorder())
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    from yocto.interop import hf_weights_write

    def broken(*arguments, **knobs):
        raise OSError(28, "No space left on device")

    checkpoint = saved(tmp_path / "run")
    monkeypatch.setattr(hf_weights_write, "save_file", broken)
    with pytest.raises(Exception, match="No space left"):
        write_folder(checkpoint, tmp_path / "hf", "float32", Recorder())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


# ------------------------------------------------------------------- tokenizers of other libraries


def test_a_sentencepiece_model_is_handed_on_as_it_is(tmp_path):
    tokenizer = SentencePieceTokenizer(sentencepiece_model(next(iter(SENTENCEPIECE))))
    checkpoint = saved(tmp_path / "run", tokenizer)
    told = write_folder(checkpoint, tmp_path / "hf", "float32", Recorder())
    assert "may have others" in told.notes[0]
    assert (tmp_path / "hf" / "tokenizer.model").read_bytes() == tokenizer.data
    assert read_model(tmp_path / "hf", Recorder()).tokenizer.sha256 == tokenizer.sha256


def test_a_tokenizer_that_only_the_library_knows_is_handed_on_as_it_is(tmp_path):
    theirs = hugging_face(WRAPPED[0])
    tokenizer = yocto.adapt_tokenizer(theirs)
    assert tokenizer.kind == "tokenizers"
    write_folder(saved(tmp_path / "run", tokenizer), tmp_path / "hf", "float32", Recorder())
    again = AutoTokenizer.from_pretrained(tmp_path / "hf")
    text = "the river seeks"
    assert again(text, add_special_tokens=False)["input_ids"] == tokenizer.encode(text)
