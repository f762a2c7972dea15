"""One step: accumulation, clipping, number formats, and the state between two steps."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tiny import Recorder, randomize, tiny_config, train_config

from yocto.dataset.batches import IGNORED
from yocto.model.gpt import GPT
from yocto.training.engine import Engine
from yocto.training.state import set_rng_states
from yocto.training.world import World
from yocto.utils.device import pick_dtype

Batch = tuple[torch.Tensor, torch.Tensor]


def make_engine(vocab_size: int = 26, **knobs: Any) -> Engine:
    config = train_config(**knobs)
    generator = torch.Generator().manual_seed(3)
    shape = {"n_layer": config.n_layer, "dropout": config.dropout, "vocab_size": vocab_size}
    model = GPT(tiny_config(**shape), generator)
    randomize(model, generator)
    return Engine(model, config, None, Recorder())


def batches(count: int, size: int = 3, seed: int = 0, ignored: int = 0) -> list[Batch]:
    g = torch.Generator().manual_seed(seed)
    made = []
    for i in range(count):
        idx, targets = (torch.randint(26, (size, 8), generator=g) for _ in range(2))
        if i == count - 1 and ignored:
            targets.view(-1)[-ignored:] = IGNORED
        made.append((idx, targets))
    return made


def weights_of(engine: Engine) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in engine.model.named_parameters()}


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


# ---------------------------------------------------------------------------------------- a step


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize("ignored", [0, 5])
def test_many_small_batches_make_the_step_of_a_large_one(optimizer: str, ignored: int) -> None:
    knobs = {"optimizer": optimizer, "learning_rate": 0.01, "muon_lr": 0.05}
    small, large = make_engine(**knobs), make_engine(**knobs)
    for step in range(3):
        parts = batches(4, seed=step, ignored=ignored)
        whole = (torch.cat([idx for idx, _ in parts]), torch.cat([y for _, y in parts]))
        loss, norm = small.step(parts, 1.0)
        expected, whole_norm = large.step([whole], 1.0)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
        assert float(norm) == pytest.approx(float(whole_norm), rel=1e-4)
    after = weights_of(large)
    for name, p in weights_of(small).items():
        torch.testing.assert_close(p, after[name], atol=1e-3, rtol=1e-3, msg=name)


def test_the_norm_is_that_before_clipping() -> None:
    free, held = make_engine(grad_clip=0.0), make_engine(grad_clip=0.01)
    (_, norm), (_, clipped) = (engine.step(batches(1), 1.0) for engine in (free, held))
    assert float(norm) == float(clipped) > 0.01


def test_the_rates_are_the_peaks_times_the_factor() -> None:
    engine = make_engine(learning_rate=0.01, muon_lr=0.02)
    engine.step(batches(1), 0.25)
    rates = [group["lr"] for o in engine.optimizers for group in o.param_groups]
    assert rates == pytest.approx([0.005, 0.0025, 0.025])
    engine.step(batches(1), 1.0)
    rates = [group["lr"] for o in engine.optimizers for group in o.param_groups]
    assert rates == pytest.approx([0.02, 0.01, 0.1])


def test_a_step_leaves_no_gradients_behind() -> None:
    engine = make_engine()
    engine.step(batches(2), 1.0)
    assert all(p.grad is None for p in engine.model.parameters())


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_gradient_that_is_no_number_moves_nothing(
    value: float, dtype: str, optimizer: str
) -> None:
    engine = make_engine(dtype=dtype, optimizer=optimizer)
    engine.step(batches(1), 1.0)
    before, state = weights_of(engine), engine.state()["optimizers"]
    kept = torch.tensor([x.sum() for o in state for s in o["state"].values() for x in s.values()])
    hook = engine.model.norm.weight.register_hook(lambda grad: grad * value)
    _, norm = engine.step(batches(1), 1.0)
    assert not math.isfinite(float(norm))
    assert equal(weights_of(engine), before)
    state = engine.state()["optimizers"]
    now = torch.tensor([x.sum() for o in state for s in o["state"].values() for x in s.values()])
    assert torch.equal(now, kept)
    hook.remove()
    engine.step(batches(1), 1.0)  # and it goes on
    assert not equal(weights_of(engine), before)


# ---------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_batch_is_learnt_in_each_format(dtype: str, optimizer: str) -> None:
    engine = make_engine(dtype=dtype, optimizer=optimizer, learning_rate=0.01, weight_decay=0.0)
    assert engine.dtype == getattr(torch, dtype)
    data = batches(1)
    losses = [engine.step(data, 1.0)[0].item() for _ in range(150)]
    assert losses[-1] < 0.1 * losses[0]
    assert all(p.dtype == torch.float32 for p in engine.model.parameters())


def test_the_formats_differ_and_are_near() -> None:
    losses = {
        dtype: make_engine(dtype=dtype).step(batches(1), 1.0)[0].item()
        for dtype in ("float32", "bfloat16", "float16")
    }
    assert len(set(losses.values())) == 3
    assert max(losses.values()) == pytest.approx(min(losses.values()), rel=0.02)


def test_auto_is_float32_on_a_cpu_and_each_name_is_known() -> None:
    cpu = torch.device("cpu")
    assert pick_dtype("auto", cpu) == torch.float32
    for name in ("float32", "bfloat16", "float16"):
        assert pick_dtype(name, cpu) == getattr(torch, name)


def test_float16_scales_its_loss_and_no_other_format_does() -> None:
    assert make_engine(dtype="float16").scaler.is_enabled()
    for dtype in ("float32", "bfloat16"):
        engine = make_engine(dtype=dtype)
        assert not engine.scaler.is_enabled()
        assert engine.state()["scaler"] == {}


def test_an_overflow_of_float16_halves_the_scale_and_the_next_steps_count_on() -> None:
    engine = make_engine(dtype="float16")
    engine.step(batches(1), 1.0)
    scale = engine.scaler.get_scale()
    hook = engine.model.norm.weight.register_hook(lambda grad: grad * math.inf)
    engine.step(batches(1), 1.0)
    assert engine.scaler.get_scale() == scale / 2
    hook.remove()
    engine.step(batches(1), 1.0)
    assert engine.state()["scaler"]["_growth_tracker"] == 1


# ------------------------------------------------------------------------------------------ state


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_an_engine_goes_on_bit_for_bit(dtype: str, optimizer: str) -> None:
    knobs = {"dtype": dtype, "optimizer": optimizer, "dropout": 0.3}

    def take(engine: Engine, steps: range) -> None:
        for step in steps:
            hook = None
            if step == 1 and dtype == "float16":  # so that its scale is not the first one
                hook = engine.model.norm.weight.register_hook(lambda grad: grad * math.inf)
            engine.step(batches(2, seed=step), 0.5)
            if hook is not None:
                hook.remove()

    torch.manual_seed(7)
    whole = make_engine(**knobs)
    take(whole, range(8))

    torch.manual_seed(7)
    first = make_engine(**knobs)
    take(first, range(4))
    state = first.state()
    if dtype == "float16":
        assert state["scaler"]["scale"] == 2.0**15
        assert state["scaler"]["_growth_tracker"] == 2
    again = make_engine(**knobs)
    again.model.load_state_dict(first.model.state_dict())
    torch.manual_seed(999)
    again.load_state(state)
    if dtype == "float16":
        assert again.scaler.state_dict() == first.scaler.state_dict()
    take(again, range(4, 8))
    assert equal(weights_of(again), weights_of(whole))
    assert equal(again.state(), whole.state())


def test_processes_that_go_on_with_a_run_of_one_draw_numbers_of_their_own() -> None:
    state = make_engine().state()
    drawn = []
    for rank in range(3):
        engine = make_engine()
        engine.world = World(rank, 3)
        engine._go_on_drawing(state)
        drawn.append(torch.rand(4).tolist())
    set_rng_states(state["rng"], torch.device("cpu"))
    assert drawn[0] == torch.rand(4).tolist()
    assert len({*map(tuple, drawn)}) == 3


def test_the_state_of_another_optimizer_is_refused() -> None:
    with pytest.raises(ValueError, match="another optimizer"):
        make_engine().load_state(make_engine(optimizer="adamw").state())


def test_an_evaluation_is_in_eval_mode_and_training_goes_on_after_it() -> None:
    engine = make_engine(dropout=0.5)
    engine.model.train()
    before = torch.get_rng_state()
    one, two = (list(engine.losses(batches(2, ignored=4))) for _ in range(2))
    assert one == two
    assert [count for _, count in one] == [24, 20]  # those that are learnt
    assert engine.model.training
    assert torch.equal(torch.get_rng_state(), before)
    next(iter(engine.losses(batches(2))))  # also one that is broken off


def test_recomputation_changes_neither_losses_nor_weights() -> None:
    def run(**knobs: Any) -> tuple[list[float], dict[str, torch.Tensor]]:
        torch.manual_seed(5)
        engine = make_engine(dropout=0.3, n_layer=2, **knobs)
        engine.model.train()
        losses = [engine.step(batches(2, seed=step), 1.0)[0].item() for step in range(4)]
        return losses, weights_of(engine)

    (losses, plain), (others, again) = run(), run(activation_checkpointing=True)
    assert others == pytest.approx(losses, rel=1e-6)
    for name, p in plain.items():
        torch.testing.assert_close(again[name], p, atol=1e-5, rtol=1e-4, msg=name)
