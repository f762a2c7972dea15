"""The GPT against transformers' models, and against its own formulas."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
from gpt2_weights import from_gpt2
from llama_weights import from_llama
from tiny import randomize, tiny_config, tiny_gpt
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

import yocto.model.gpt as gpt_module
from yocto.config import FAMILIES, GPTConfig, RopeScaling
from yocto.model.gpt import GPT, MLP, rope_tables, rotate, sinusoids
from yocto.model.kv_cache import KVCache
from yocto.model.size import count_parameters

VARIANTS = list(
    itertools.product(FAMILIES, ["learned", "sinusoidal", "rope"], [1, 2, 4])
)  # family, position, n_kv_head


def random_ids(batch: int, time: int, vocab_size: int = 26) -> torch.Tensor:
    return torch.randint(vocab_size, (batch, time), generator=torch.Generator().manual_seed(time))


# -------------------------------------------------------------------------------- transformers


def assert_same_logits(reference: torch.nn.Module, ours: GPT, convert) -> None:
    randomize(reference, torch.Generator().manual_seed(3))
    reference.eval()
    weights = convert(reference.state_dict())
    ours.load_state_dict(weights)  # strict: every weight has its place, and no other is there
    idx = random_ids(3, ours.config.block_size, ours.config.vocab_size)
    with torch.no_grad():
        expected, got = reference(idx).logits, ours.eval()(idx)
    assert expected.std() > 0.1
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("tied", [True, False])
def test_gpt2_has_the_logits_of_transformers(tied: bool) -> None:
    reference = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=50, n_positions=24, n_embd=32, n_layer=2, n_head=4, n_inner=72,
            layer_norm_epsilon=1e-5, tie_word_embeddings=tied, bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip
    ours = GPT(
        GPTConfig(
            family="gpt2", vocab_size=50, block_size=24, n_embd=32, n_layer=2, n_head=4,
            n_inner=72, norm_eps=1e-5, tie_weights=tied,
        )
    )  # fmt: skip
    assert_same_logits(reference, ours, from_gpt2)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("n_kv_head", [1, 2, 4])
@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_llama_and_qwen3_have_the_logits_of_transformers(
    family: str, n_kv_head: int, tied: bool
) -> None:
    config_class, model_class = {
        "llama": (LlamaConfig, LlamaForCausalLM),
        "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    }[family]
    reference = model_class(
        config_class(
            vocab_size=50, max_position_embeddings=24, hidden_size=32, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=n_kv_head, head_dim=8,
            intermediate_size=80, rms_norm_eps=1e-5, tie_word_embeddings=tied,
            rope_parameters={"rope_type": "default", "rope_theta": 500.0},
            bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip
    ours = GPT(
        GPTConfig(
            family=family, vocab_size=50, block_size=24, n_embd=32, n_layer=2, n_head=4,
            n_kv_head=n_kv_head, n_inner=80, norm_eps=1e-5, rope_base=500.0, tie_weights=tied,
        )
    )  # fmt: skip
    assert_same_logits(reference, ours, from_llama)


@pytest.mark.parametrize("scaling", [
    "none", "linear:2.5", "llama3:8:1:4:12", "llama3:32:1:4:8192",
])  # fmt: skip
def test_heads_of_any_size_and_slowed_rotation_are_those_of_transformers(
    scaling: str,
) -> None:
    rope: dict[str, object] = {"rope_type": "default", "rope_theta": 500.0}
    slowing = None if scaling == "none" else RopeScaling.of(scaling)
    if slowing is not None:
        assert str(slowing) == scaling
        rope |= {"rope_type": slowing.kind, "factor": slowing.factor}
        if slowing.kind == "llama3":
            rope |= {"low_freq_factor": slowing.low, "high_freq_factor": slowing.high,
                     "original_max_position_embeddings": slowing.context}  # fmt: skip
    reference = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=50, max_position_embeddings=24, hidden_size=32, num_hidden_layers=2,
            num_attention_heads=3, num_key_value_heads=1, head_dim=16, intermediate_size=80,
            rms_norm_eps=1e-5, tie_word_embeddings=True, rope_parameters=rope,
            bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip
    ours = GPT(
        GPTConfig(
            family="qwen3", vocab_size=50, block_size=24, n_embd=32, n_layer=2, n_head=3,
            n_kv_head=1, head_size=16, n_inner=80, norm_eps=1e-5, rope_base=500.0,
            rope_scaling=scaling, tie_weights=True,
        )
    )  # fmt: skip
    assert ours.num_parameters() == count_parameters(ours.config)
    assert_same_logits(reference, ours, from_llama)


# --------------------------------------------------------------------------------------- cache


@pytest.mark.parametrize("chunks", [[24], [1] * 24, [5, 1, 1, 7, 10], [23, 1], [1, 23]])
@pytest.mark.parametrize(("family", "position", "n_kv_head"), VARIANTS)
def test_cached_logits_are_the_uncached_ones(
    family: str, position: str, n_kv_head: int, chunks: list[int]
) -> None:
    model = tiny_gpt(family=family, position=position, n_head=4, n_kv_head=n_kv_head, block_size=24)
    idx = random_ids(2, 24)
    cache = KVCache(model.config, batch_size=2)
    with torch.no_grad():
        expected = model(idx)
        got = torch.cat([model(chunk, cache) for chunk in idx.split(chunks, dim=1)], dim=1)
    assert cache.length == 24
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_more_positions_than_block_size_are_refused() -> None:
    model = tiny_gpt(block_size=8)
    cache = KVCache(model.config)
    model(random_ids(1, 8), cache)
    with pytest.raises(AssertionError, match="block_size"):
        model(random_ids(1, 1), cache)
    with pytest.raises(AssertionError, match="block_size"):
        model(random_ids(1, 9))


# ----------------------------------------------------------------------------------- causality


@pytest.mark.parametrize(("family", "position", "n_kv_head"), VARIANTS)
def test_a_later_token_changes_no_earlier_logit(family: str, position: str, n_kv_head: int) -> None:
    model = tiny_gpt(family=family, position=position, n_head=4, n_kv_head=n_kv_head)
    idx = random_ids(1, 8)
    with torch.no_grad():
        before = model(idx)
        for t in range(8):
            changed = idx.clone()
            changed[0, t] = (changed[0, t] + 1) % 26
            after = model(changed)
            assert torch.equal(after[:, :t], before[:, :t])
            # and it does change what comes from there on, to the last position
            assert (after[:, t:] - before[:, t:]).abs().amax(dim=-1).min() > 1e-5


@pytest.mark.parametrize("position", ["learned", "sinusoidal", "rope"])
def test_the_order_of_tokens_counts(position: str) -> None:
    model = tiny_gpt(position=position)
    idx = torch.tensor([[3, 5, 7, 9]])
    swapped = torch.tensor([[5, 3, 7, 9]])
    with torch.no_grad():
        difference = model(idx)[:, -1] - model(swapped)[:, -1]
    assert difference.abs().max() > 1e-4


def test_rows_of_a_batch_do_not_see_each_other() -> None:
    model = tiny_gpt()
    idx = random_ids(3, 8)
    with torch.no_grad():
        together, alone = model(idx), torch.cat([model(row[None]) for row in idx])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


# ------------------------------------------------------------------------------------ segments

SEGMENTS = torch.tensor([[0] * 3 + [1] * 5, [0] * 8, [0, 1, 1, 1, 1, 2, 2, 3]])


@pytest.mark.parametrize("n_kv_head", [1, 2, 4])
@pytest.mark.parametrize("family", FAMILIES)
def test_with_rope_a_segment_has_the_logits_that_it_has_by_itself(
    family: str, n_kv_head: int
) -> None:
    model = tiny_gpt(family=family, position="rope", n_head=4, n_kv_head=n_kv_head)
    idx = random_ids(3, 8)
    with torch.no_grad():
        together = model(idx, segments=SEGMENTS)
        for row in range(3):
            for number in SEGMENTS[row].unique():
                there = SEGMENTS[row] == number
                alone = model(idx[row][None, there])[0]
                torch.testing.assert_close(together[row, there], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("family", "position", "n_kv_head"), VARIANTS)
def test_a_token_changes_the_logits_of_its_own_segment_alone_and_no_earlier_ones(
    family: str, position: str, n_kv_head: int
) -> None:
    model = tiny_gpt(family=family, position=position, n_head=4, n_kv_head=n_kv_head)
    idx = random_ids(3, 8)
    with torch.no_grad():
        before = model(idx, segments=SEGMENTS)
        for t in range(8):
            changed = idx.clone()
            changed[:, t] = (changed[:, t] + 1) % 26
            difference = (model(changed, segments=SEGMENTS) - before).abs().amax(dim=-1)
            reached = (SEGMENTS[:, t : t + 1] == SEGMENTS) & (torch.arange(8) >= t)
            assert (difference[reached] > 1e-5).all()
            assert (difference[~reached] == 0).all()


@pytest.mark.parametrize(("family", "position", "n_kv_head"), VARIANTS)
def test_one_segment_is_as_good_as_none(family: str, position: str, n_kv_head: int) -> None:
    model = tiny_gpt(family=family, position=position, n_head=4, n_kv_head=n_kv_head)
    idx = random_ids(2, 8)
    with torch.no_grad():
        plain, one = model(idx), model(idx, segments=torch.full((2, 8), 3))
    torch.testing.assert_close(one, plain, atol=1e-5, rtol=1e-5)


def test_learned_positions_go_on_counting_through_the_window() -> None:
    model = tiny_gpt(position="learned")
    idx = random_ids(1, 8)
    with torch.no_grad():
        together = model(idx, segments=SEGMENTS[:1])
        model.wpe.weight.copy_(model.wpe.weight.roll(-3, dims=0))  # the second segment's are first
        alone = model(idx[:, 3:])
    torch.testing.assert_close(together[:, 3:], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_segments_go_with_bfloat16_and_with_gradients(family: str) -> None:
    model = tiny_gpt(family=family)
    idx = random_ids(3, 8)
    exact = model(idx, segments=SEGMENTS)
    exact.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(idx, segments=SEGMENTS)
    whole = model.to(torch.bfloat16)(idx, segments=SEGMENTS)
    for logits in (mixed, whole):
        assert (logits - exact).abs().mean() < 0.05 * exact.abs().mean()


def test_segments_and_a_cache_exclude_each_other() -> None:
    model = tiny_gpt()
    with pytest.raises(AssertionError, match="without a cache"):
        model(random_ids(1, 8), KVCache(model.config), torch.zeros(1, 8))


# ------------------------------------------------------------------------------------ formulas


def test_sinusoids_follow_vaswani() -> None:
    table = sinusoids(20, 6)
    for position, channel in itertools.product(range(20), range(6)):
        angle = position / 10000 ** (2 * (channel // 2) / 6)
        expected = math.sin(angle) if channel % 2 == 0 else math.cos(angle)
        assert table[position, channel].item() == pytest.approx(expected, abs=1e-5)


def test_sinusoidal_positions_are_added_to_the_embedding() -> None:
    model = tiny_gpt(position="sinusoidal")
    seen = []
    model.blocks[0].register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    idx = random_ids(1, 8)
    model(idx)
    torch.testing.assert_close(seen[0], model.wte(idx) + sinusoids(8, 16))


@pytest.mark.parametrize(
    ("kind", "act"),
    [
        ("relu2", lambda x: max(x, 0.0) ** 2),
        (
            "gelu",
            lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        ),
    ],
)
def test_the_mlp_applies_its_activation(kind: str, act) -> None:
    mlp = MLP(tiny_config(mlp=kind, n_embd=2, n_head=1, n_inner=3, bias=False))
    randomize(mlp, torch.Generator().manual_seed(1))
    up, down = mlp.up_proj.weight.tolist(), mlp.down_proj.weight.tolist()
    for x in ([1.0, -2.0], [-0.5, 3.0]):
        hidden = [act(sum(w * v for w, v in zip(row, x, strict=True))) for row in up]
        expected = [sum(w * h for w, h in zip(row, hidden, strict=True)) for row in down]
        assert mlp(torch.tensor(x)).tolist() == pytest.approx(expected, abs=1e-4)


def test_swiglu_gates_with_silu() -> None:
    mlp = MLP(tiny_config(mlp="swiglu", n_embd=1, n_head=1, n_inner=1, position="learned"))
    randomize(mlp, torch.Generator().manual_seed(1))
    layers = (mlp.gate_proj, mlp.up_proj, mlp.down_proj)
    gate, up, down = (layer.weight.item() for layer in layers)
    x = 1.7
    expected = down * (gate * x / (1 + math.exp(-gate * x))) * (up * x)
    assert mlp(torch.tensor([x])).item() == pytest.approx(expected, rel=1e-4)


def test_rope_turns_pairs_by_position_times_frequency() -> None:
    cos, sin = rope_tables(GPTConfig(block_size=5, n_embd=4, n_head=1, rope_base=100.0))
    x = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 1, 5, 4)
    turned = rotate(x, cos, sin)[0, 0]
    for t in range(5):
        for i, frequency in enumerate((1.0, 0.1)):  # 100 ** (-2 i / 4)
            a, b, angle = i + 1.0, i + 3.0, t * frequency
            assert turned[t, i].item() == pytest.approx(
                a * math.cos(angle) - b * math.sin(angle), abs=1e-5
            )
            assert turned[t, i + 2].item() == pytest.approx(
                b * math.cos(angle) + a * math.sin(angle), abs=1e-5
            )


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_logits_are_near_the_exact_ones(family: str) -> None:
    model = tiny_gpt(family=family)
    idx = random_ids(2, 8)
    exact = model(idx)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(idx)
    whole = model.to(torch.bfloat16)(idx)
    for logits in (mixed, whole):
        assert logits.dtype == torch.bfloat16
        assert (logits - exact).abs().mean() < 0.05 * exact.abs().mean()


# --------------------------------------------------------------------------- weights, dropout


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_generator_seed_gives_the_same_weights(family: str) -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        return GPT(tiny_config(family=family), generator).state_dict()

    torch.manual_seed(0)
    one = weights(5)
    torch.manual_seed(1)  # torch's global generator has no say
    again, other = weights(5), weights(6)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["wte.weight"], other["wte.weight"])


@pytest.mark.parametrize("family", FAMILIES)
def test_an_untrained_model_finds_all_tokens_about_equally_likely(family: str) -> None:
    model = GPT(tiny_config(family=family), torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        log_shares = model(random_ids(4, 8)).log_softmax(dim=-1)
    assert (log_shares + math.log(26)).abs().max() < 1.0


def test_tied_weights_are_one_tensor_and_counted_once() -> None:
    tied, untied = (GPT(tiny_config(tie_weights=tie)) for tie in (True, False))
    assert tied.lm_head.weight is tied.wte.weight
    assert untied.lm_head.weight is not untied.wte.weight
    assert untied.num_parameters() - tied.num_parameters() == 26 * 16


def test_num_parameters_of_gpt2_small_is_the_published_one() -> None:
    config = GPTConfig(
        family="gpt2", n_layer=12, n_head=12, n_embd=768, block_size=1024, vocab_size=50257
    )
    with torch.device("meta"):  # shapes without half a gigabyte of weights
        model = GPT(config)
    assert model.num_parameters() == 124_439_808


def test_num_parameters_is_what_one_counts_by_hand() -> None:
    # 2 layers, C 16, 4 heads of 4, 2 key-value heads, inner 40, V 26, T 8; no biases
    model = GPT(tiny_config(family="qwen3", n_head=4, n_kv_head=2, n_inner=40, tie_weights=False))
    attention = 16 * 16 + 2 * (16 * 8) + 16 * 16 + 2 * 4  # q, k and v, o, norms of q and k
    block = attention + 3 * 16 * 40 + 2 * 16  # the MLP's three matrices, two norms
    head, norm = 26 * 16, 16
    assert model.num_parameters() == 26 * 16 + 2 * block + norm + head


@pytest.mark.parametrize("family", FAMILIES)
def test_dropout_works_in_training_only(family: str) -> None:
    model = tiny_gpt(family=family, dropout=0.5)
    idx = random_ids(1, 8)
    assert torch.equal(model(idx), model(idx))
    model.train()
    assert not torch.equal(model(idx), model(idx))


def test_biases_are_there_only_when_asked_for() -> None:
    for bias in (True, False):
        names = [name for name, _ in GPT(tiny_config(family="gpt2", bias=bias)).named_parameters()]
        assert any(name.endswith("bias") for name in names) == bias


def test_the_whole_gpt_fits_in_330_lines() -> None:
    source = Path(gpt_module.__file__).read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 330


# --------------------------------------------------------------------------------- recomputation


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_activations_that_are_computed_again_give_the_same_losses_and_gradients(
    family: str, dropout: float
) -> None:
    model = tiny_gpt(family=family, dropout=dropout).train()
    idx = torch.arange(16).view(2, 8)
    segments = (idx % 5 == 0).cumsum(dim=1)

    def taken(recompute: bool) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor]:
        model.recompute = recompute
        torch.manual_seed(3)
        loss = model(idx, segments=segments).logsumexp(-1).mean()
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        return loss, list(gradients), torch.get_rng_state()

    loss, gradients, state = taken(False)
    again, others, state_again = taken(True)
    assert torch.equal(again, loss)
    assert all(torch.equal(a, b) for a, b in zip(gradients, others, strict=True))
    assert torch.equal(state, state_again)  # what comes next draws the same, too


def test_activations_that_are_computed_again_are_not_kept() -> None:
    def kept(recompute: bool) -> int:
        model = tiny_gpt(n_layer=4)
        model.recompute = recompute
        seen: dict[int, int] = {}

        def pack(x: torch.Tensor) -> torch.Tensor:
            seen[x.data_ptr()] = x.numel()
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            model(torch.zeros(8, 8, dtype=torch.int64))
        return sum(seen.values())

    assert kept(True) < 0.5 * kept(False)


def test_what_generates_is_not_computed_again() -> None:
    model = tiny_gpt()
    model.recompute = True
    idx = torch.arange(6)[None]
    with torch.no_grad():
        cache = KVCache(model.config, 1)
        expected = model(idx)
        torch.testing.assert_close(model(idx, cache), expected)
        assert cache.length == 6
