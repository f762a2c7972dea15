"""Which of llama.cpp's architectures a model is, by its parts."""

from __future__ import annotations

import numpy as np
import pytest

from yocto.config import GPTConfig
from yocto.errors import ExportError
from yocto.interop.gguf_tensors import architecture, interleaved


def config(**knobs) -> GPTConfig:
    return GPTConfig(**{"n_layer": 1, "n_head": 4, "n_embd": 32, "vocab_size": 300, **knobs})


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])
def test_a_family_is_its_architecture(family):
    assert architecture(config(family=family)) == family


def test_parts_count_and_not_the_family():
    assert architecture(config(family="qwen3", qk_norm=False)) == "llama"
    assert architecture(config(family="llama", qk_norm=True)) == "qwen3"
    parts = {"position": "learned", "norm": "layernorm", "mlp": "gelu"}
    assert architecture(config(family="qwen3", qk_norm=False, bias=True, **parts)) == "gpt2"
    assert architecture(config(family="gpt2", position="rope", norm="rmsnorm", mlp="swiglu")) == (
        "llama"
    )


@pytest.mark.parametrize(
    ("knobs", "reason"),
    [
        ({"mlp": "relu2"}, "position=rope, norm=rmsnorm, mlp=relu2, qk_norm"),
        ({"family": "gpt2", "mlp": "relu2"}, "mlp=relu2"),
        ({"position": "sinusoidal"}, "position=sinusoidal"),
        ({"family": "gpt2", "position": "rope"}, "position=rope, norm=layernorm, mlp=gelu"),
        ({"family": "llama", "mlp": "gelu"}, "mlp=gelu"),
        ({"family": "llama", "norm": "layernorm"}, "norm=layernorm"),
        ({"family": "llama", "position": "learned"}, "position=learned"),
        ({"family": "gpt2", "qk_norm": True}, "mlp=gelu, qk_norm"),
        ({"family": "gpt2", "head_size": 16}, "gpt2 whose head_size is not n_embd / n_head"),
        ({"bias": True}, "qwen3 with biases"),
        ({"rope_scaling": "llama3:8:1:4:64"}, "qwen3 whose rope_scaling"),
    ],
    ids=str,
)
def test_what_llama_cpp_has_no_model_for_is_refused_with_what_it_has(knobs, reason):
    with pytest.raises(ExportError, match=reason) as told:
        architecture(config(**knobs))
    assert "yocto train --family llama" in told.value.hint


def test_halves_of_a_head_become_neighbours():
    rows = np.array([f"{head}{half}{i}" for head in "ab" for half in "xy" for i in "012"])
    wanted = ["ax0", "ay0", "ax1", "ay1", "ax2", "ay2", "bx0", "by0", "bx1", "by1", "bx2", "by2"]
    assert interleaved(rows, 2).tolist() == wanted
    assert interleaved(np.stack([rows, rows], 1), 2)[:, 1].tolist() == wanted
