"""A GGUF file, read back by the package gguf: what it says of a model, and all of its weights."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf_models import random_model, saved, trained
from safetensors.torch import load_file, save_file

from yocto.checkpoint import Checkpoint
from yocto.errors import CheckpointError, ExportError
from yocto.interop import gguf as gguf_module
from yocto.interop.chat_templates import chat_template
from yocto.interop.gguf import write_gguf
from yocto.tokenizer.roles import ROLE_TOKENS
from yocto.utils.progress import SilentProgress, SilentTask

gguf = pytest.importorskip("gguf")

SHAPES = [
    {"family": "gpt2"},
    {"family": "gpt2", "n_kv_head": 2, "bias": False, "tie_weights": False},
    {"family": "llama"},
    {"family": "llama", "n_kv_head": 2, "head_size": 24, "bias": True, "tie_weights": True},
    {"family": "llama", "rope_scaling": "llama3:8:1:4:64"},
    {"family": "qwen3", "n_kv_head": 2, "head_size": 32, "tie_weights": True},
    {"family": "qwen3", "rope_scaling": "linear:2"},
    # By its parts a llama, and a gpt2.
    {"family": "qwen3", "qk_norm": False},
    {"family": "llama", "position": "learned", "norm": "layernorm", "mlp": "gelu"},
]


def written(folder: Path, shape: dict, dtype: str = "float32", **options):
    """A random model, what was said of its file, and the file, read back."""
    tokenizer = trained("qwen2")
    model = random_model(tokenizer, **shape)
    checkpoint = saved(folder, model, tokenizer, **options)
    told = write_gguf(checkpoint, folder / "made.gguf", dtype, SilentProgress())
    return model, told, gguf.GGUFReader(told.path)


def value(reader, key: str):
    field = reader.get_field(key)
    return None if field is None else field.contents()


def weights(reader) -> dict[str, np.ndarray]:
    """Name -> the tensor in float32, rows first."""
    return {
        str(t.name): gguf.quants.dequantize(t.data, t.tensor_type).reshape(t.shape[::-1])
        for t in reader.tensors
    }


def expected(model) -> dict[str, np.ndarray]:
    """The weights by llama.cpp's names, made from yocto's without yocto's own code."""
    c, state = model.config, {n: p.numpy() for n, p in model.state_dict().items()}
    is_gpt2 = c.position == "learned"
    made = {"token_embd.weight": state["wte.weight"]}
    if not c.tie_weights:
        made["output.weight"] = state["lm_head.weight"]
    if is_gpt2:
        made["position_embd.weight"] = state["wpe.weight"]

    def turned(rows: np.ndarray, heads: int) -> np.ndarray:
        out = np.empty_like(rows)
        D = c.head_size
        for head in range(heads):
            for i in range(D // 2):
                out[head * D + 2 * i] = rows[head * D + i]
                out[head * D + 2 * i + 1] = rows[head * D + D // 2 + i]
        return out

    def part(theirs: str, ours: str, kind: str, rows: int = 0) -> None:
        if f"{ours}.{kind}" in state:
            made[f"{theirs}.{kind}"] = state[f"{ours}.{kind}"]
        elif is_gpt2:
            made[f"{theirs}.{kind}"] = np.zeros(len(state[f"{ours}.weight"]), np.float32)

    for i in range(c.n_layer):
        at, to = f"blocks.{i}.", f"blk.{i}."
        for kind in ("weight", "bias"):
            part(f"{to}attn_norm", f"{at}norm_1", kind)
            part(f"{to}ffn_norm", f"{at}norm_2", kind)
            part(f"{to}attn_output", f"{at}attn.o_proj", kind)
            for name in ("up", "down", *(() if is_gpt2 else ("gate",))):
                part(f"{to}ffn_{name}", f"{at}mlp.{name}_proj", kind)
            for name in "qkv":
                part(f"{to}attn_{name}", f"{at}attn.{name}_proj", kind)
            if is_gpt2:
                parts = [made.pop(f"{to}attn_{name}.{kind}") for name in "qkv"]
                made[f"{to}attn_qkv.{kind}"] = np.concatenate(parts)
            elif not c.qk_norm:
                for name, heads in (("q", c.n_head), ("k", c.n_kv_head)):
                    if (key := f"{to}attn_{name}.{kind}") in made:
                        made[key] = turned(made[key], heads)
        if c.qk_norm:
            part(f"{to}attn_q_norm", f"{at}attn.q_norm", "weight")
            part(f"{to}attn_k_norm", f"{at}attn.k_norm", "weight")
    part("output_norm", "norm", "weight")
    part("output_norm", "norm", "bias") if is_gpt2 else None
    return made


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_weight_comes_back_under_llama_cpps_name(shape, tmp_path):
    model, told, reader = written(tmp_path, shape)
    found = weights(reader)
    freqs = found.pop("rope_freqs.weight", None)
    assert (freqs is not None) == ("llama3" in model.config.rope_scaling)
    wanted = expected(model)
    assert set(found) == set(wanted)
    for name, tensor in wanted.items():
        assert np.array_equal(found[name], tensor), name
    assert told.tensors == len(reader.tensors)
    assert {t.tensor_type.name for t in reader.tensors} == {"F32"}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_shape_is_told_in_the_words_of_the_architecture(shape, tmp_path):
    model, told, reader = written(tmp_path, {"norm_eps": 1e-5, **shape})
    c = model.config
    arch = {("learned", False): "gpt2", ("rope", False): "llama", ("rope", True): "qwen3"}[
        c.position, c.qk_norm
    ]
    assert value(reader, "general.architecture") == told.architecture == arch
    assert value(reader, "general.name") == "made-1"
    for key, number in {
        "context_length": 128, "embedding_length": 64, "block_count": 3, "vocab_size": c.vocab_size,
        "feed_forward_length": c.n_inner, "attention.head_count": 4,
        "attention.head_count_kv": c.n_kv_head,
    }.items():  # fmt: skip
        assert value(reader, f"{arch}.{key}") == number
    eps = "layer_norm_epsilon" if arch == "gpt2" else "layer_norm_rms_epsilon"
    assert value(reader, f"{arch}.attention.{eps}") == pytest.approx(1e-5)
    if arch != "gpt2":
        for key in ("attention.key_length", "attention.value_length", "rope.dimension_count"):
            assert value(reader, f"{arch}.{key}") == c.head_size
        assert value(reader, f"{arch}.rope.freq_base") == pytest.approx(c.rope_base)
    linear = "linear" in c.rope_scaling
    assert value(reader, f"{arch}.rope.scaling.type") == ("linear" if linear else None)
    assert value(reader, f"{arch}.rope.scaling.factor") == (2.0 if linear else None)


def test_llama_3s_scaling_is_a_tensor_of_factors(tmp_path):
    shape = {"family": "llama", "head_size": 32, "rope_scaling": "llama3:8:1:4:64"}
    _, _, reader = written(tmp_path, shape)
    factors = weights(reader)["rope_freqs.weight"]
    # As Llama 3.1's code has it: wavelengths in positions, against 64 / low and 64 / high.
    for i, factor in enumerate(factors):
        wavelength = 2 * np.pi * 10000 ** (2 * i / 32)
        smooth = (64 / wavelength - 1) / (4 - 1)
        slow = 8.0 if wavelength > 64 else 1.0 if wavelength < 16 else None
        wanted = slow or 1 / ((1 - smooth) / 8 + smooth)
        assert factor == pytest.approx(wanted, rel=1e-5)
    assert factors[0] == 1 and factors[-1] == 8
    assert any(1 < factor < 8 for factor in factors)


def test_float16_keeps_vectors_and_positions_exact(tmp_path):
    model, told, reader = written(tmp_path, {"family": "gpt2"}, "float16")
    kinds = {str(t.name): t.tensor_type.name for t in reader.tensors}
    assert {n for n, kind in kinds.items() if kind == "F32"} == {
        n for n, w in expected(model).items() if w.ndim == 1 or n == "position_embd.weight"
    }
    for name, tensor in weights(reader).items():
        kept = expected(model)[name]
        assert np.array_equal(tensor, kept.astype(np.float16) if kinds[name] == "F16" else kept)
    assert value(reader, "general.file_type") == 1
    assert told.wider == 0


def test_q8_0_takes_rows_of_32_and_tells_how_many_it_left_wider(tmp_path):
    model, told, reader = written(tmp_path, {"family": "llama", "n_inner": 90}, "q8_0")
    kinds = {str(t.name): t.tensor_type.name for t in reader.tensors}
    assert {n for n, kind in kinds.items() if kind == "F16"} == {
        f"blk.{i}.ffn_down.weight" for i in range(3)
    }
    assert set(kinds.values()) == {"F32", "F16", "Q8_0"}
    for name, tensor in weights(reader).items():
        rows = expected(model)[name]
        error = np.abs(tensor - rows)
        assert error.max() <= np.abs(rows).max() / 127 * 0.51
    assert told.wider == 3
    assert "3 of them in float16" in told.summary()[0]
    assert value(reader, "general.file_type") == 7
    assert value(reader, "general.quantization_version") == 2


def test_the_vocabulary_is_told_with_its_ends_and_template(tmp_path):
    tokenizer = trained("gpt4o", 600, *ROLE_TOKENS)
    checkpoint = saved(tmp_path, random_model(tokenizer, family="qwen3"), tokenizer)
    told = write_gguf(checkpoint, tmp_path / "chat.gguf", "float16", SilentProgress())
    reader = gguf.GGUFReader(told.path)
    special, size = tokenizer.special_tokens, tokenizer.vocab_size
    assert value(reader, "tokenizer.ggml.model") == "gpt2"
    assert value(reader, "tokenizer.ggml.pre") == "gpt-4o"
    tokens, types = (
        value(reader, "tokenizer.ggml.tokens"),
        value(reader, "tokenizer.ggml.token_type"),
    )
    assert len(tokens) == len(types) == size + 3 == told.vocab_size
    assert [tokens[i] for i in special.values()] == list(special)
    assert [i for i, t in enumerate(types) if t == 3] == sorted(special.values())
    assert [i for i, t in enumerate(types) if t == 5] == [size, size + 1, size + 2]
    assert tokens[size] == f"[PAD{size}]"
    assert len(value(reader, "tokenizer.ggml.merges")) == len(tokenizer.merges)
    assert value(reader, "tokenizer.ggml.eos_token_id") == special["<|endoftext|>"]
    assert value(reader, "tokenizer.ggml.bos_token_id") == special["<|endoftext|>"]
    assert value(reader, "tokenizer.ggml.eot_token_id") == special["<|end|>"]
    assert value(reader, "tokenizer.ggml.add_bos_token") is False
    assert value(reader, "tokenizer.ggml.suppress_tokens") == sorted(
        [*(special[token] for token in ROLE_TOKENS[:3]), size, size + 1, size + 2]
    )
    assert value(reader, "tokenizer.chat_template") == chat_template(tokenizer)
    assert any("combining marks" in line for line in told.summary())
    text = told.modelfile
    assert text.startswith('FROM ./chat.gguf\nTEMPLATE """<|endoftext|>{{ range .Messages }}')
    assert 'PARAMETER stop "<|end|>"\n' in text and text.endswith("PARAMETER num_ctx 128\n")


def test_a_template_beside_the_weights_goes_along(tmp_path):
    tokenizer = trained("qwen2", 600, *ROLE_TOKENS)
    checkpoint = saved(tmp_path, random_model(tokenizer, family="llama"), tokenizer)
    (checkpoint.path / "chat_template.jinja").write_text("{{ messages[0]['content'] }}<|user|>")
    (checkpoint.path / "generation_config.json").write_text(
        f'{{"eos_token_id": [{tokenizer.special_tokens["<|user|>"]}, 999999]}}'
    )
    told = write_gguf(checkpoint, tmp_path / "own.gguf", "float16", SilentProgress())
    reader = gguf.GGUFReader(told.path)
    assert value(reader, "tokenizer.chat_template") == "{{ messages[0]['content'] }}<|user|>"
    assert value(reader, "tokenizer.ggml.eot_token_id") == tokenizer.special_tokens["<|user|>"]
    assert "TEMPLATE" not in told.modelfile  # ollama reads the one in the file
    assert 'PARAMETER stop "<|user|>"' in told.modelfile
    (checkpoint.path / "generation_config.json").write_text('{"eos_token_id": 999999}')
    write_gguf(checkpoint, tmp_path / "own.gguf", "float16", SilentProgress())
    reader = gguf.GGUFReader(told.path)
    assert value(reader, "tokenizer.ggml.eot_token_id") == tokenizer.end_id


@pytest.mark.parametrize("name", ["my-phi-3", "Phi3", "modern-bert-x"])
def test_names_that_llama_cpp_takes_for_other_models_are_left_out(name, tmp_path):
    _, _, reader = written(tmp_path, {"family": "llama"}, name=name)
    assert value(reader, "general.name") is None


def test_weights_in_bfloat16_are_read(tmp_path):
    tokenizer = trained("qwen2")
    model = random_model(tokenizer, family="llama")
    half = random_model(tokenizer, family="llama").bfloat16()
    checkpoint = saved(tmp_path, half, tokenizer)
    told = write_gguf(checkpoint, tmp_path / "b.gguf", "float32", SilentProgress())
    found = weights(gguf.GGUFReader(told.path))["output.weight"]
    assert np.array_equal(found, model.lm_head.weight.detach().bfloat16().float().numpy())


def test_a_weight_that_float16_has_no_room_for_is_refused_and_nothing_is_written(tmp_path):
    tokenizer = trained("qwen2")
    model = random_model(tokenizer, family="llama")
    with torch.no_grad():
        model.blocks[2].mlp.up_proj.weight[0, 0] = 1e6
    checkpoint, path = saved(tmp_path, model, tokenizer), tmp_path / "out" / "large.gguf"
    with pytest.raises(ExportError, match=r"blk\.2\.ffn_up\.weight has a weight of 1e\+06") as told:
        write_gguf(checkpoint, path, "float16", SilentProgress())
    assert "--dtype float32" in told.value.hint
    assert list(path.parent.iterdir()) == []
    write_gguf(checkpoint, path, "float32", SilentProgress())
    write_gguf(checkpoint, path, "q8_0", SilentProgress())


def test_a_file_is_whole_or_as_it_was(tmp_path, monkeypatch):
    tokenizer = trained("qwen2")
    checkpoint = saved(tmp_path, random_model(tokenizer, family="llama"), tokenizer)
    path = tmp_path / "out" / "m.gguf"
    path.parent.mkdir()
    path.write_bytes(b"as it was")
    monkeypatch.setattr(gguf_module, "_check_range", lambda name, *_: 1 / ("ffn_down" not in name))
    with pytest.raises(ZeroDivisionError):
        write_gguf(checkpoint, path, "float32", SilentProgress())
    assert [(p.name, p.read_bytes()) for p in path.parent.iterdir()] == [("m.gguf", b"as it was")]


def test_without_the_package_the_error_says_what_to_install(tmp_path, monkeypatch):
    tokenizer = trained("qwen2")
    checkpoint = saved(tmp_path, random_model(tokenizer, family="llama"), tokenizer)
    hidden = lambda name: None if name == "gguf" else find_spec(name)  # noqa: E731
    monkeypatch.setattr(gguf_module, "find_spec", hidden)
    with pytest.raises(ExportError, match="not installed") as told:
        write_gguf(checkpoint, tmp_path / "m.gguf", "float32", SilentProgress())
    assert told.value.hint == "pip install 'yocto[gguf]'"


def test_weights_that_do_not_fit_their_config_are_told(tmp_path):
    tokenizer = trained("qwen2")
    checkpoint = saved(tmp_path, random_model(tokenizer, family="llama"), tokenizer)
    other = Checkpoint(**{**vars(checkpoint), "model": random_model(tokenizer, n_layer=1).config})
    with pytest.raises(CheckpointError, match="tells of"):
        write_gguf(other, tmp_path / "m.gguf", "float32", SilentProgress())
    file = checkpoint.path / "model.safetensors"
    tensors = load_file(file)
    name = "blocks.1.mlp.up_proj.weight"
    save_file({**tensors, name: tensors[name].T.contiguous()}, file)
    with pytest.raises(CheckpointError, match=name):
        write_gguf(checkpoint, tmp_path / "m.gguf", "float32", SilentProgress())


def test_progress_counts_the_bytes_of_the_weights(tmp_path):
    tokenizer = trained("qwen2")
    checkpoint = saved(tmp_path, random_model(tokenizer, family="llama"), tokenizer)
    counted: list[int] = []

    class Counting(SilentTask):
        def advance(self, amount: int = 1) -> None:
            counted.append(amount)

    class Told(SilentProgress):
        @contextmanager
        def task(self, description, total, unit, done=0):
            counted.append(-total)
            yield Counting()

    told = write_gguf(checkpoint, tmp_path / "m.gguf", "float32", Told())
    assert told.bytes == Path(told.path).stat().st_size > -counted[0] > 0.8 * told.bytes
    assert sum(counted) == 0
    assert len(counted) == told.tensors + 1


@pytest.mark.parametrize("dtype", ["float32", "float16", "q8_0"])
@pytest.mark.parametrize("spoilt", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused(dtype, spoilt, tmp_path):
    tokenizer = trained("qwen2")
    model = random_model(tokenizer, family="llama")
    with torch.no_grad():
        model.blocks[1].mlp.up_proj.weight[0, 0] = spoilt
    checkpoint, path = saved(tmp_path, model, tokenizer), tmp_path / "out" / "spoilt.gguf"
    with pytest.raises(ExportError, match=r"blk\.1\.ffn_up\.weight .* are spoilt") as told:
        write_gguf(checkpoint, path, dtype, SilentProgress())
    assert "earlier checkpoint" in told.value.hint
    assert list(path.parent.iterdir()) == []
