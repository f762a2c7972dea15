"""Models of transformers as ours: the same logits, whatever their parts and files."""

import json

import pytest
import torch
from hf_models import LLAMA3, VOCAB, gpt2, llama, opened, qwen3, some_ids
from safetensors.torch import load_file, save_file
from tiny import Recorder

from yocto.errors import CheckpointError, ConfigError, YoctoError
from yocto.interop.hf_import import read_model

MODELS = {
    "gpt2": lambda: gpt2(),
    "gpt2-untied": lambda: gpt2(tie_word_embeddings=False, n_inner=24, layer_norm_epsilon=1e-3),
    "llama": lambda: llama(),
    "llama-tied": lambda: llama(tie_word_embeddings=True, num_key_value_heads=4),
    "llama-head-size": lambda: llama(head_dim=6, num_key_value_heads=1, rms_norm_eps=1e-3),
    "llama-biases": lambda: llama(attention_bias=True, mlp_bias=True),
    "llama-attention-bias": lambda: llama(attention_bias=True),
    "llama-mlp-bias": lambda: llama(mlp_bias=True),
    "llama-theta": lambda: llama(rope_parameters={"rope_type": "default", "rope_theta": 77.0}),
    "llama-linear": lambda: llama(
        rope_parameters={"rope_type": "linear", "rope_theta": 500.0, "factor": 3.0}
    ),
    "llama-llama3": lambda: llama(rope_parameters=LLAMA3),
    "qwen3": lambda: qwen3(),
    "qwen3-tied": lambda: qwen3(tie_word_embeddings=True, head_dim=8),
    "qwen3-biases": lambda: qwen3(attention_bias=True),
}


@torch.no_grad()
def difference(theirs, folder, ids=None) -> float:
    ids = some_ids() if ids is None else ids
    ours = read_model(folder, Recorder()).model
    return float((theirs(ids).logits - ours(ids)).abs().max())


def rewritten(folder, change) -> None:
    """config.json with a change: keys to values, None takes a key away."""
    path = folder / "config.json"
    content = json.loads(path.read_text())
    for key, value in change.items():
        if value is None:
            content.pop(key, None)
        else:
            content[key] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("name", MODELS)
def test_the_logits_are_those_of_transformers(tmp_path, name):
    theirs = MODELS[name]()
    theirs.save_pretrained(tmp_path)
    assert difference(theirs, tmp_path) < 1e-4


@pytest.mark.parametrize("name", ["gpt2", "llama-tied", "qwen3"])
def test_a_model_in_shards_is_the_same(tmp_path, name):
    theirs = MODELS[name]()
    theirs.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    assert difference(theirs, tmp_path) < 1e-4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("make", [gpt2, llama, qwen3])
def test_weights_of_two_bytes_are_taken_as_they_are(tmp_path, make, dtype):
    make().to(dtype).save_pretrained(tmp_path)
    assert load_file(tmp_path / "model.safetensors").popitem()[1].dtype == dtype
    assert difference(opened(tmp_path), tmp_path) < 1e-4


def test_a_model_without_its_head_and_its_prefix_is_read(tmp_path):
    theirs = gpt2()
    theirs.transformer.save_pretrained(tmp_path)
    assert "wte.weight" in load_file(tmp_path / "model.safetensors")
    assert difference(theirs, tmp_path) < 1e-4


def test_buffers_of_older_files_are_passed_over(tmp_path):
    theirs = gpt2()
    theirs.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["transformer.h.0.attn.bias"] = torch.ones(1, 1, 48, 48, dtype=torch.uint8)
    weights["transformer.h.1.attn.masked_bias"] = torch.tensor(-1e4)
    save_file(weights, tmp_path / "model.safetensors")
    assert difference(theirs, tmp_path) < 1e-4
    theirs = llama()
    theirs.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    save_file(weights, tmp_path / "model.safetensors")
    assert difference(theirs, tmp_path) < 1e-4


def test_a_tied_head_that_is_there_all_the_same_is_the_embedding(tmp_path):
    theirs = llama(tie_word_embeddings=True)
    theirs.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    assert "lm_head.weight" not in weights
    save_file({**weights, "lm_head.weight": weights["model.embed_tokens.weight"].clone()},
              tmp_path / "model.safetensors")  # fmt: skip
    assert read_model(tmp_path, Recorder()).model.config.tie_weights
    assert difference(theirs, tmp_path) < 1e-4


def test_a_head_that_is_called_tied_but_differs_stays_itself(tmp_path):
    theirs = llama(tie_word_embeddings=False)
    theirs.save_pretrained(tmp_path)
    rewritten(tmp_path, {"tie_word_embeddings": True})
    assert not read_model(tmp_path, Recorder()).model.config.tie_weights
    assert difference(theirs, tmp_path) < 1e-4


@pytest.mark.parametrize(
    ("theta", "layout"),
    [
        (500.0, {"rope_theta": 500.0, "rope_scaling": None}),
        (500.0, {"rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 3.0}}),
        (500.0, {"rope_theta": 500.0, "rope_scaling": {k: v for k, v in LLAMA3.items()
                                                        if k != "rope_theta"}}),
    ],
)  # fmt: skip
def test_the_layout_of_rotary_positions_before_transformers_5_is_read(tmp_path, theta, layout):
    old = layout["rope_scaling"] or {"rope_type": "default"}
    kind = old.get("rope_type", old.get("type"))
    theirs = llama(rope_parameters={**old, "rope_type": kind, "rope_theta": theta})
    theirs.save_pretrained(tmp_path)
    rewritten(tmp_path, {"rope_parameters": None, **layout})
    assert difference(theirs, tmp_path) < 1e-4


# ------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("make", "change", "words"),
    [
        (gpt2, {"activation_function": "relu"}, "activation_function is 'relu'"),
        (gpt2, {"scale_attn_by_inverse_layer_idx": True}, "inverse_layer_idx is True"),
        (gpt2, {"scale_attn_weights": False}, "scale_attn_weights is False"),
        (gpt2, {"n_layer": 0}, "n_layer is 0"),
        (gpt2, {"n_layer": None}, "has no n_layer"),
        (gpt2, {"n_layer": 10**30}, "n_layer is"),
        (llama, {"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        (llama, {"model_type": "mistral"}, "model_type is 'mistral'"),
        (llama, {"architectures": ["LlamaForSequenceClassification"]}, "architectures is"),
        (llama, {"quantization_config": {"bits": 4}}, "quantization_config is"),
        (llama, {"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, "rope type 'yarn'"),
        (llama, {"rope_parameters": {"rope_type": "linear"}}, "factor is missing"),
        (llama, {"rope_parameters": {"rope_type": "linear", "factor": 0.1}}, "rope_parameters is"),
        (llama, {"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5"),
        (llama, {"tie_word_embeddings": "yes"}, "tie_word_embeddings is 'yes'"),
        (llama, {"vocab_size": "many"}, "vocab_size is 'many'"),
        (qwen3, {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 0,
                 "layer_types": None}, "use_sliding_window is True"),
        (qwen3, {"layer_types": ["full_attention", "sliding_attention"]}, "layer_types is"),
    ],
)  # fmt: skip
def test_what_would_change_the_logits_is_refused_by_its_name(tmp_path, make, change, words):
    make().save_pretrained(tmp_path)
    rewritten(tmp_path, change)
    with pytest.raises((CheckpointError, ConfigError)) as caught:
        read_model(tmp_path, Recorder())
    assert words in caught.value.message
    assert str(tmp_path / "config.json") in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "told", [{"max_window_layers": 0}, {"max_window_layers": 2, "layer_types": None}]
)
def test_windows_that_no_layer_looks_through_change_nothing(tmp_path, told):
    theirs = qwen3()
    theirs.save_pretrained(tmp_path)
    rewritten(tmp_path, {"use_sliding_window": True, "sliding_window": 8, **told})
    assert difference(theirs, tmp_path) < 1e-4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("model.layers.1.mlp.up_proj.weight"), "lacks model.layers.1.mlp.up_proj"),
        (lambda w: w.pop("lm_head.weight"), "lacks lm_head.weight"),
        (lambda w: w.update({"model.extra": torch.ones(2)}), "holds model.extra"),
        (lambda w: w.update({"model.norm.weight": torch.ones(31)}), "is 31, but config.json tells "
                                                                    "of 32"),
        (lambda w: w.update({"model.norm.weight": torch.ones(32, dtype=torch.int8)}), "type I8"),
        (lambda w: w.update({"norm.weight": torch.ones(32)}), "model.norm.weight twice"),
    ],
)  # fmt: skip
def test_tensors_that_are_not_what_config_json_tells_of_are_named(tmp_path, change, words):
    llama().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    change(weights)
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError) as caught:
        read_model(tmp_path, Recorder())
    assert words in caught.value.message


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["model.layers.1.mlp.up_proj.weight", "lm_head.weight"])
def test_weights_that_are_no_numbers_are_refused(tmp_path, name, value, dtype):
    llama().to(dtype).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights[name].view(-1)[5] = value
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=f"{name} holds values .* are spoilt") as caught:
        read_model(tmp_path, Recorder())
    assert str(tmp_path / "model.safetensors") in caught.value.message
    assert caught.value.hint


def test_a_shape_is_looked_at_before_memory_is_taken(tmp_path):
    llama().save_pretrained(tmp_path)
    rewritten(tmp_path, {"vocab_size": 1 << 24, "hidden_size": 65536, "intermediate_size": 1 << 20})
    with pytest.raises(CheckpointError, match="tells of"):
        read_model(tmp_path, Recorder())


def test_pickles_are_never_opened(tmp_path):
    llama().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pickle only") as caught:
        read_model(tmp_path, Recorder())
    assert "save_pretrained" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f, i: i["weight_map"].update({"lm_head.weight": "../x"}), "names the file '../x'"),
        (lambda f, i: i["weight_map"].update({"lm_head.weight": ".."}), "names the file '..'"),
        (lambda f, i: i["weight_map"].update({"lm_head.weight": ""}), "names the file ''"),
        (lambda f, i: i.pop("weight_map"), "has no weight_map"),
        (lambda f, i: next(f.glob("model-*.safetensors")).unlink(), "is missing"),
        (lambda f, i: next(f.glob("model-*.safetensors")).write_bytes(b"{"), "can't be read"),
        (lambda f, i: i["weight_map"].update({"no": next(f.glob("model-*")).name}), "lacks no"),
    ],
)  # fmt: skip
def test_damaged_shards_are_named(tmp_path, change, words):
    llama().save_pretrained(tmp_path, max_shard_size="20KB")
    path = tmp_path / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    change(tmp_path, index)
    path.write_text(json.dumps(index))
    with pytest.raises(CheckpointError) as caught:
        read_model(tmp_path, Recorder())
    assert words in caught.value.message


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b'{"model_type": {}}', b"\xff"])
def test_a_folder_whose_config_json_tells_nothing_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(YoctoError) as caught:
        read_model(tmp_path, Recorder())
    assert str(tmp_path) in caught.value.message


# --------------------------------------------------------------------------- what goes beside it


def test_without_a_tokenizer_a_model_works_on_ids(tmp_path):
    llama().save_pretrained(tmp_path)
    found = read_model(tmp_path, Recorder())
    assert found.tokenizer.kind == "ids"
    assert (found.tokenizer.vocab_size, found.tokenizer.bos_id, found.tokenizer.end_id) == (
        VOCAB, 1, 2
    )  # fmt: skip
    assert found.documents == 2


def test_ids_that_end_a_text_come_along(tmp_path):
    llama(eos_token_id=[2, 5]).save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").unlink()
    found = read_model(tmp_path, Recorder())
    assert json.loads(found.beside["generation_config.json"])["eos_token_id"] == [2, 5]
