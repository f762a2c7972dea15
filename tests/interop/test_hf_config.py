"""config.json as anybody may have written it: read, or refused in a line that names the key."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.errors import YoctoError
from yocto.interop import hf_config
from yocto.interop.hf_config import Source, read_config

_SHAPE = {
    "vocab_size": 61, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "hidden_size": 32, "intermediate_size": 40, "max_position_embeddings": 48,
}  # fmt: skip
_LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 16,
}  # fmt: skip
MODELS: dict[str, dict[str, Any]] = {
    "gpt2": {"model_type": "gpt2", "vocab_size": 61, "n_layer": 2, "n_head": 4, "n_embd": 32,
             "n_positions": 48},
    "llama": {"model_type": "llama", **_SHAPE, "rope_scaling": _LLAMA3},
    "qwen3": {"model_type": "qwen3", **_SHAPE, "rope_parameters": {**_LLAMA3}},
    "windows": {"model_type": "qwen3", **_SHAPE, "use_sliding_window": True, "sliding_window": 8},
}  # fmt: skip
KEYS = sorted({
    "architectures", "model_type", "quantization_config", "vocab_size", "tie_word_embeddings",
    "bos_token_id", "eos_token_id", "attention_bias", "mlp_bias",
    "activation_function", "scale_attn_weights", "scale_attn_by_inverse_layer_idx",
    "add_cross_attention", "n_layer", "n_head", "n_embd", "n_inner", "n_positions",
    "layer_norm_epsilon", "hidden_act", "layer_types", "use_sliding_window", "sliding_window",
    "max_window_layers", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "hidden_size", "head_dim", "intermediate_size", "max_position_embeddings", "rms_norm_eps",
    "rope_scaling", "rope_parameters", "partial_rotary_factor", "rope_theta",
})  # fmt: skip
ROPE_KEYS = [*_LLAMA3, "type", "partial_rotary_factor"]
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 3, 10**400, -(10**400), 1e308, 5e-324, float("inf"),
    float("-inf"), float("nan"), "", "x", "llama3", "1" * 400, [], [None], [[1]], [10**400],
    ["full_attention", {}], {}, {"a": [1]}, {"rope_type": "linear", "factor": 10**400},
]  # fmt: skip


def read(content: Mapping[str, Any]) -> Source | YoctoError:
    """What came of a config.json; whatever is no error of ours is raised."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(content))
        try:
            return read_config(Path(folder))
        except YoctoError as error:
            assert "\n" not in error.message
            assert "config.json" in error.message
            assert len(error.message) < 1000
            return error


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value!r:.12}")
def test_no_value_of_any_key_is_more_than_a_fault(value):
    for model in MODELS.values():
        for key in KEYS:
            read({**model, key: value})
        for table in ("rope_scaling", "rope_parameters"):
            for key in ROPE_KEYS:
                read({**model, table: {**_LLAMA3, key: value}})


any_value = st.sampled_from(VALUES)
json_values = any_value | st.dictionaries(st.sampled_from(ROPE_KEYS), any_value, max_size=4)


@given(st.sampled_from([*MODELS]), st.dictionaries(st.sampled_from(KEYS), json_values, max_size=4))
def test_nor_are_several_at_once(name, changes):
    read({**MODELS[name], **changes})


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("qwen3", {"rms_norm_eps": 10**400}, "a number belongs there"),
        ("gpt2", {"layer_norm_epsilon": -(10**400)}, "a number belongs there"),
        ("windows", {"rope_theta": 10**400}, "rope_theta is a number"),
        ("llama", {"rope_scaling": {**_LLAMA3, "factor": 10**400}}, "factor is missing or no num"),
        ("llama", {"layer_types": [[1]]}, "only full_attention is known"),
        ("windows", {"max_window_layers": None}, "max_window_layers is None: a whole number"),
        ("windows", {"max_window_layers": "x"}, "max_window_layers is 'x': a whole number"),
        ("windows", {"use_sliding_window": "no"}, "use_sliding_window is 'no': true or false"),
        ("windows", {"max_window_layers": 0}, "sliding windows are not known"),
        ("gpt2", {"n_inner": 0}, "n_inner is 0: a whole number above 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(name, change, words):
    error = read({**MODELS[name], **change})
    assert isinstance(error, YoctoError)
    assert words in error.message


def test_those_are_all_keys_that_are_read(monkeypatch):
    looked: set[str] = set()

    class Watched(dict[str, Any]):
        def __contains__(self, key: object) -> bool:
            looked.add(str(key))
            return super().__contains__(key)

        def __getitem__(self, key: str) -> Any:
            looked.add(key)
            return super().__getitem__(key)

        def get(self, key: str, default: Any = None) -> Any:
            looked.add(key)
            return super().get(key, default)

    kept = hf_config.read_json
    monkeypatch.setattr(hf_config, "read_json", lambda *found: Watched(kept(*found)))
    for model in MODELS.values():
        assert isinstance(read(model), Source)
    assert looked - {"format"} == {*KEYS}
