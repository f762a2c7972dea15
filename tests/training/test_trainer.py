"""The training loop: it learns, it can be stopped anywhere and goes on bit for bit."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny import Recorder, make_trainer, tiny_corpus, train_config

import yocto.training.corpus as corpus_module
import yocto.training.trainer as trainer_module
from yocto.checkpoint import Checkpoint, Run
from yocto.config import TrainConfig
from yocto.dataset.batches import eval_batches
from yocto.errors import DataError, RunError
from yocto.model.gpt import GPT
from yocto.training.corpus import Corpus
from yocto.training.outcome import Hooks
from yocto.training.trainer import Trainer

TIMED = ("seconds", "tokens_per_second", "utilisation", "busy", "memory")


@pytest.fixture(autouse=True)
def _known_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """To measure how fast the machine is takes longer than a tiny run."""
    monkeypatch.setattr(trainer_module, "matmul_rate", lambda device, dtype: 1e10)


def weights_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in trainer.model.named_parameters()}


def lines_of(path: Path) -> list[dict[str, Any]]:
    """metrics.jsonl but for what depends on time, which no two runs share."""
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in TIMED} for line in lines]


def steps_in(path: Path) -> list[int]:
    return sorted(int(folder.name.removeprefix("step-")) for folder in path.glob("step-*"))


def assert_equal(a: Any, b: Any) -> None:
    """Equal to the last bit, tensors and all."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_equal(x, y)
    else:
        assert a == b


def before_batch(trainer: Trainer, number: int, act: Callable[[], None]) -> None:
    """Do something right before the batch of that number, counted from 1, is drawn."""
    draw, drawn = trainer.batches.next, iter(range(1, 10**9))

    def hooked() -> tuple[torch.Tensor, torch.Tensor]:
        if next(drawn) == number:
            act()
        return draw()

    trainer.batches.next = hooked  # type: ignore[method-assign]


def instead_of_moving(trainer: Trainer, act: Callable[[], Any]) -> None:
    """Do something in place of the optimizers' steps, when the gradients are there."""
    first, *others = trainer.engine.optimizers
    first.step = lambda *args, **kwargs: act()  # type: ignore[method-assign]
    for other in others:
        other.step = lambda *args, **kwargs: None  # type: ignore[method-assign]


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def resumed(path: Path, config: TrainConfig) -> Trainer:
    """A new trainer, as in a new process, that stands where the run's latest checkpoint does."""
    torch.manual_seed(999)  # whatever state the process is in
    step = Run(path).pointer("latest")
    assert step is not None
    checkpoint = Checkpoint.open(step)
    trainer = make_trainer(path, config)
    checkpoint.load_weights(trainer.model)
    trainer.load_state(checkpoint.load_trainer())
    assert trainer.step == checkpoint.step
    return trainer


# ------------------------------------------------------------------------------------ learning


def test_a_model_overfits_one_batch(tmp_path: Path) -> None:
    config = train_config(
        max_iters=300, eval_interval=1000, learning_rate=1e-2, n_embd=32, weight_decay=0.0
    )
    trainer = make_trainer(tmp_path, config)
    batch = trainer.batches.next()
    trainer.batches.next = lambda: batch  # type: ignore[method-assign]
    trainer.fit()
    with torch.no_grad():
        assert trainer.engine.loss(*batch).item() < 0.1


def test_training_learns_what_can_be_learnt_and_no_more(tmp_path: Path) -> None:
    # In the letters each next one is one of two: ln 2 nats is all that a model can reach.
    config = train_config(max_iters=300, eval_interval=300, learning_rate=1e-2, batch_size=16)
    fitted = make_trainer(tmp_path, config, tiny_corpus(train=4000, val=1000)).fit()
    assert fitted.last is not None
    assert math.log(2) * 0.95 < fitted.last.val_loss < 1.2


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    tmp_path: Path, dtype: str
) -> None:
    def run(name: str, seed: int) -> dict[str, torch.Tensor]:
        trainer = make_trainer(
            tmp_path / name, train_config(seed=seed, max_iters=3, dropout=0.2, dtype=dtype)
        )
        trainer.fit()
        return weights_of(trainer)

    one, again, other = run("one", 1), run("again", 1), run("other", 2)
    assert_equal(one, again)
    assert not torch.equal(one["wte.weight"], other["wte.weight"])
    assert all(p.isfinite().all() for p in one.values())


def test_accumulated_batches_have_the_gradient_of_one_large_batch(tmp_path: Path) -> None:
    def gradients(name: str, passes: int, size: int) -> dict[str, torch.Tensor]:
        config = train_config(
            gradient_accumulation_steps=passes, batch_size=size, max_iters=1, grad_clip=0.0
        )
        trainer = make_trainer(tmp_path / name, config)
        with torch.no_grad():  # all weights random: at the start some get no gradient
            for p in trainer.model.parameters():
                p.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.dim())))
        idx, targets = large
        pieces: Iterator = zip(idx.split(size), targets.split(size), strict=True)
        trainer.batches.next = lambda: next(pieces)  # type: ignore[method-assign]
        taken = {}

        def keep() -> None:
            taken.update({n: p.grad.clone() for n, p in trainer.model.named_parameters()})

        instead_of_moving(trainer, keep)
        trainer.fit()
        assert list(pieces) == []
        return taken

    large = make_trainer(tmp_path / "source", train_config(batch_size=12)).batches.next()
    whole, parts = gradients("whole", 1, 12), gradients("parts", 4, 3)
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, atol=1e-6, rtol=1e-4, msg=name)
        assert gradient.abs().max() > 1e-4, name


def test_windows_that_are_not_full_weigh_by_their_targets(tmp_path: Path) -> None:
    # 20 targets in windows of 8: 8, 8 and 4, in batches of one window each.
    config = train_config(
        order="sequential", batch_size=1, gradient_accumulation_steps=3, max_iters=1, grad_clip=0.0
    )
    trainer = make_trainer(tmp_path, config, tiny_corpus(train=21))
    with torch.no_grad():
        for p in trainer.model.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.dim())))
    ids = torch.from_numpy(trainer.lessons.corpus.train.astype("int64"))
    total = torch.zeros(())
    for start in (0, 8, 16):
        window = ids[start : start + 9]
        logits = trainer.model(window[None, :-1])[0]
        total = total + F.cross_entropy(logits, window[1:], reduction="sum")
    (total / 20).backward()
    expected = {n: p.grad.clone() for n, p in trainer.model.named_parameters()}
    trainer.model.zero_grad()
    taken = {}

    def keep() -> None:
        taken.update({n: p.grad.clone() for n, p in trainer.model.named_parameters()})

    instead_of_moving(trainer, keep)
    trainer.train_step()
    for name, gradient in expected.items():
        torch.testing.assert_close(taken[name], gradient, atol=1e-6, rtol=1e-4, msg=name)
    assert trainer.means["line"].value() == pytest.approx(total.item() / 20, rel=1e-5)
    assert trainer.tokens == 20


def test_large_gradients_are_clipped_and_0_turns_clipping_off(tmp_path: Path) -> None:
    def norm(grad_clip: float) -> float:
        trainer = make_trainer(tmp_path, train_config(max_iters=1, grad_clip=grad_clip))
        seen = []

        def keep() -> None:
            squares = [p.grad.square().sum() for p in trainer.model.parameters()]
            seen.append(math.sqrt(sum(squares)))

        instead_of_moving(trainer, keep)
        trainer.train_step()
        return seen[0]

    free = norm(0.0)
    assert norm(free / 10) == pytest.approx(free / 10, rel=1e-3)
    assert norm(free * 10) == pytest.approx(free)


def test_the_learning_rate_of_each_step_is_the_schedules(tmp_path: Path) -> None:
    trainer = make_trainer(
        tmp_path,
        train_config(
            max_iters=6, warmup_iters=2, learning_rate=0.03, muon_lr=0.3, schedule="cosine"
        ),
    )
    rates = []

    def note() -> None:
        groups = [group for o in trainer.engine.optimizers for group in o.param_groups]
        rates.append([group["lr"] for group in groups])

    instead_of_moving(trainer, note)
    trainer.fit()
    expected = [0.01, 0.02, *(0.03 * (1 + math.cos(math.pi * i / 4)) / 2 for i in range(4))]
    assert [muon for muon, _, _ in rates] == pytest.approx([10 * rate for rate in expected])
    assert [adamw for _, adamw, _ in rates] == pytest.approx(expected)


# -------------------------------------------------------------------------------------- resume

RESUMABLE = train_config(
    max_iters=24, eval_interval=4, dropout=0.2, gradient_accumulation_steps=2, learning_rate=1e-2
)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trainer]:
    path = tmp_path_factory.mktemp("uninterrupted") / "run"
    trainer = make_trainer(path, RESUMABLE)
    assert trainer.fit().step == 24
    return path, trainer


def assert_same_end(path: Path, trainer: Trainer, reference: tuple[Path, Trainer]) -> None:
    expected_path, expected = reference
    assert trainer.step == expected.step
    assert_equal(weights_of(trainer), weights_of(expected))
    ours, theirs = trainer.state(), expected.state()
    for state in (ours, theirs):
        state.pop("seconds")
    assert_equal(ours, theirs)
    assert lines_of(path) == lines_of(expected_path)
    for pointer in ("latest", "best"):
        assert (path / pointer).read_text() == (expected_path / pointer).read_text()


@pytest.mark.parametrize("step", [1, 3, 4, 10, 12, 20, 23])
def test_a_run_stopped_by_ctrl_c_in_any_step_ends_as_if_it_had_not_been(
    tmp_path: Path, uninterrupted: tuple[Path, Trainer], step: int
) -> None:
    path = tmp_path / "run"
    trainer = make_trainer(path, RESUMABLE)
    before_batch(trainer, 2 * step, press_ctrl_c)  # two batches a step: in the middle of it
    fitted = trainer.fit()
    assert (fitted.step, fitted.last) == (step, None)
    again = resumed(path, RESUMABLE)
    assert again.step == step
    again.fit()
    assert_same_end(path, again, uninterrupted)


def test_a_run_stopped_by_ctrl_c_while_it_evaluates_ends_as_if_it_had_not_been(
    tmp_path: Path, uninterrupted: tuple[Path, Trainer]
) -> None:
    path = tmp_path / "run"
    trainer = make_trainer(path, RESUMABLE, hooks=Hooks(sample=lambda model: press_ctrl_c() or ""))
    assert trainer.fit().step == 4
    again = resumed(path, RESUMABLE)
    again.fit()
    assert_same_end(path, again, uninterrupted)


def test_ctrl_c_in_the_middle_of_an_evaluation_ends_it_at_once(
    tmp_path: Path, uninterrupted: tuple[Path, Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "run", []

    def pressed(*arguments):
        for batch in eval_batches(*arguments):
            press_ctrl_c()
            seen.append(1)
            yield batch

    monkeypatch.setattr(corpus_module, "eval_batches", pressed)
    fitted = make_trainer(path, RESUMABLE).fit()
    assert (fitted.step, fitted.last, len(seen)) == (4, None, 1)
    monkeypatch.undo()
    again = resumed(path, RESUMABLE)
    again.fit()
    assert_same_end(path, again, uninterrupted)


def test_a_run_stopped_many_times_ends_as_if_it_had_not_been(
    tmp_path: Path, uninterrupted: tuple[Path, Trainer]
) -> None:
    path = tmp_path / "run"
    trainer = make_trainer(path, RESUMABLE)
    for step in (5, 10, 15, 20):
        before_batch(trainer, 10, press_ctrl_c)
        assert trainer.fit().step == step
        trainer = resumed(path, RESUMABLE)
    assert trainer.fit().step == 24
    assert_same_end(path, trainer, uninterrupted)


class Crash(Exception):
    pass


def crash(*args: Any) -> None:
    raise Crash


@pytest.mark.parametrize("moment", ["after the save", "in the callback", "between two saves"])
def test_a_run_that_crashed_ends_as_if_it_had_not(
    tmp_path: Path, uninterrupted: tuple[Path, Trainer], moment: str
) -> None:
    path = tmp_path / "run"
    trainer = make_trainer(path, RESUMABLE)
    if moment == "between two saves":
        before_batch(trainer, 2 * 11 + 1, crash)  # the log of step 10 is written, step 8 is saved
        expected = 8
    else:
        evaluate = trainer._evaluate

        def evaluating(at_end: bool) -> Any:
            if trainer.step == 8:
                if moment == "in the callback":
                    trainer.hooks.sample = crash
                else:
                    crash()
            return evaluate(at_end)

        trainer._evaluate = evaluating  # type: ignore[method-assign]
        expected = 8
    with pytest.raises(Crash):
        trainer.fit()
    again = resumed(path, RESUMABLE)
    assert again.step == expected
    again.fit()
    assert_same_end(path, again, uninterrupted)


def test_sigterm_saves_and_stops_too(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, train_config())
    before_batch(trainer, 3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert trainer.fit().step == 3
    assert steps_in(tmp_path) == [3]


def test_ctrl_c_before_the_first_step_ends_the_run_at_once(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, train_config())
    progress = trainer.progress
    training = progress.training

    def pressing(*args: Any, **kwargs: Any) -> Any:
        press_ctrl_c()
        return training(*args, **kwargs)

    progress.training = pressing  # type: ignore[method-assign]
    assert trainer.fit().step == 0


def test_after_training_ctrl_c_interrupts_again(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    make_trainer(tmp_path, train_config(max_iters=1)).fit()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


SEQUENTIAL = dataclasses.replace(RESUMABLE, order="sequential")


@pytest.fixture(scope="module")
def uninterrupted_epochs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trainer]:
    path = tmp_path_factory.mktemp("uninterrupted") / "run"
    trainer = make_trainer(path, SEQUENTIAL)
    trainer.fit()
    # 24 steps of 2 batches of 4 windows; 399 targets are 50 windows, the last one of 7
    assert trainer.batches.state() == {"epoch": 3, "index": 42}
    return path, trainer


@pytest.mark.parametrize("step", [1, 4, 6, 7, 12, 23])  # in step 7 the second epoch begins
def test_a_run_through_epochs_that_was_stopped_ends_as_if_it_had_not_been(
    tmp_path: Path, uninterrupted_epochs: tuple[Path, Trainer], step: int
) -> None:
    path = tmp_path / "run"
    trainer = make_trainer(path, SEQUENTIAL)
    before_batch(trainer, 2 * step, press_ctrl_c)
    assert trainer.fit().step == step
    again = resumed(path, SEQUENTIAL)
    assert again.batches.state() == {"epoch": 8 * step // 50, "index": 8 * step % 50}
    again.fit()
    assert_same_end(path, again, uninterrupted_epochs)


@pytest.mark.parametrize("moment", [8, 11])  # right after a save, and between two
def test_a_run_through_epochs_that_crashed_ends_as_if_it_had_not(
    tmp_path: Path, uninterrupted_epochs: tuple[Path, Trainer], moment: int
) -> None:
    path = tmp_path / "run"
    trainer = make_trainer(path, SEQUENTIAL)
    before_batch(trainer, 2 * moment + 1, crash)
    with pytest.raises(Crash):
        trainer.fit()
    again = resumed(path, SEQUENTIAL)
    assert again.step == 8
    again.fit()
    assert_same_end(path, again, uninterrupted_epochs)


def test_another_batch_size_goes_on_at_the_very_next_window(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, SEQUENTIAL)
    before_batch(trainer, 10, press_ctrl_c)  # after 10 batches of 4
    trainer.fit()
    expected = torch.cat([trainer.batches.next()[0] for _ in range(6)])
    again = resumed(tmp_path, dataclasses.replace(SEQUENTIAL, batch_size=3))
    found = torch.cat([again.batches.next()[0] for _ in range(8)])
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    "position",
    [
        None, 5, [1, 2], {}, {"epoch": 0}, {"epoch": -1, "index": 0}, {"epoch": 0, "index": 50},
        {"epoch": 0, "index": 1.5}, {"epoch": 10**400, "index": 0}, torch.zeros(5),
        torch.Generator().get_state(),
    ],
)  # fmt: skip
def test_a_position_that_is_none_is_refused_as_other_damage_is(
    tmp_path: Path, position: Any
) -> None:
    trainer = make_trainer(tmp_path, SEQUENTIAL)
    with pytest.raises(RunError, match="does not fit this run"):
        trainer.load_state({**trainer.state(), "batches": position})


def test_a_state_of_the_other_order_is_refused(tmp_path: Path) -> None:
    draws, turns = make_trainer(tmp_path, RESUMABLE), make_trainer(tmp_path, SEQUENTIAL)
    for trainer, state in ((draws, turns.state()), (turns, draws.state())):
        with pytest.raises(RunError, match="does not fit this run"):
            trainer.load_state(state)


@pytest.mark.parametrize("tokens", [-1, 1.5, True, None, 10**400])
def test_a_count_of_tokens_that_is_none_is_refused(tmp_path: Path, tokens: Any) -> None:
    trainer = make_trainer(tmp_path, RESUMABLE)
    with pytest.raises(RunError, match="does not fit this run"):
        trainer.load_state({**trainer.state(), "tokens": tokens})


def test_a_trainer_state_of_another_model_is_refused(tmp_path: Path) -> None:
    small = make_trainer(tmp_path / "small", train_config(max_iters=2))
    small.fit()
    large = make_trainer(tmp_path / "large", train_config(n_embd=32))
    large.fit()
    with pytest.raises(RunError, match="another shape than the weight"):
        large.load_state(small.state())
    state = large.state()
    state["engine"]["optimizers"][1]["state"].pop(0)
    with pytest.raises(RunError, match="that of other weights"):
        large.load_state(state)
    state = large.state()
    state["engine"]["optimizers"].pop()
    with pytest.raises(RunError, match="trained with another optimizer"):
        large.load_state(state)
    state = small.state()
    del state["batches"]
    with pytest.raises(RunError, match="does not fit"):
        large.load_state(state)


def test_the_seconds_of_a_resumed_run_go_on(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, RESUMABLE)
    before_batch(trainer, 8, press_ctrl_c)
    trainer.fit()
    trainer = resumed(tmp_path, RESUMABLE)
    trainer.seconds += 1000.0
    assert trainer.fit().seconds > 1000.0


# ---------------------------------------------------------------------------------- evaluation


@pytest.mark.parametrize("val", [9, 10, 41, 64, 100])
def test_an_evaluation_of_the_whole_split_reads_every_token_once(tmp_path: Path, val: int) -> None:
    trainer = make_trainer(tmp_path, train_config(), tiny_corpus(val=val))
    ids = torch.from_numpy(trainer.lessons.corpus.val.astype("int64"))
    losses = []
    trainer.model.eval()
    for start in range(0, val - 1, 8):  # window by window, each target once
        window = ids[start : start + 9]
        logits = trainer.model(window[None, :-1])[0]
        losses += F.cross_entropy(logits, window[1:], reduction="none").tolist()
    assert len(losses) == val - 1
    assert trainer.evaluate(None) == pytest.approx(sum(losses) / (val - 1), rel=1e-5)


def test_documents_that_are_kept_apart_are_so_in_training_and_in_evaluations(
    tmp_path: Path,
) -> None:
    corpus = dataclasses.replace(tiny_corpus(), documents=20, end_id=25)
    assert (corpus.train == 25).sum() > 5 and (corpus.val == 25).sum() > 2
    plain = make_trainer(tmp_path / "plain", train_config(), corpus)
    apart = make_trainer(tmp_path / "apart", train_config(respect_documents=True), corpus)
    for trainer in (plain, apart):  # at the start blocks write nothing
        with torch.no_grad():
            for p in trainer.model.parameters():
                p.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.dim())))
    losses, count = 0.0, 0
    apart.model.eval()
    for idx, targets in eval_batches(corpus.val, 8, 1):
        starts = [0, *[t for t in range(1, idx.shape[1]) if idx[0, t] == 25], idx.shape[1]]
        for begin, end in itertools.pairwise(starts):
            logits = apart.model(idx[:, begin:end])[0]
            losses += F.cross_entropy(logits, targets[0, begin:end], reduction="sum").item()
            count += end - begin
    assert apart.evaluate(None) == pytest.approx(losses / count, rel=1e-5)
    assert plain.evaluate(None) != pytest.approx(losses / count, rel=1e-3)
    assert torch.equal(plain.batches.next()[0], apart.batches.next()[0])
    for _ in range(5):
        plain.train_step()
        apart.train_step()
    assert plain.means["line"].value() != pytest.approx(apart.means["line"].value(), rel=1e-4)


def test_an_evaluation_is_the_same_each_time_and_moves_no_generator(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, train_config(dropout=0.5))
    global_before = torch.get_rng_state()
    batches_before = trainer.batches.state()
    assert trainer.evaluate(2) == trainer.evaluate(2)
    assert torch.equal(torch.get_rng_state(), global_before)
    assert torch.equal(trainer.batches.state(), batches_before)
    assert trainer.model.training


def test_each_evaluation_is_written_and_shown_with_a_sample(tmp_path: Path) -> None:
    modes = []

    def sample(model: GPT) -> str:
        modes.append(model.training)
        return f"text {len(modes)}"

    config = train_config(max_iters=10, eval_interval=4)
    trainer = make_trainer(tmp_path, config, hooks=Hooks(sample=sample))
    fitted = trainer.fit()
    assert modes == [False] * 3
    assert trainer.model.training
    assert isinstance(trainer.progress, Recorder)
    (watch,) = trainer.progress.watches
    assert watch.samples == ["text 1", "text 2", "text 3"]
    written = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert watch.lines == written
    evaluations = [line for line in written if "val_loss" in line]
    assert [line["step"] for line in evaluations] == [4, 8, 10]
    assert [line["tokens"] for line in evaluations] == [step * 4 * 8 for step in (4, 8, 10)]
    assert [line.get("whole_split") for line in evaluations] == [None, None, True]
    assert fitted.last is not None
    assert fitted.last.val_loss == evaluations[-1]["val_loss"]


def test_a_training_line_every_ten_steps_tells_all_that_the_contract_names(tmp_path: Path) -> None:
    config = train_config(max_iters=20, eval_interval=15, learning_rate=0.01, schedule="constant")
    trainer = make_trainer(tmp_path, config)
    losses, step = [], trainer.engine.step

    def noting(*args: Any) -> Any:
        loss, norm = step(*args)
        losses.append((loss.item(), float(norm)))
        return loss, norm

    trainer.engine.step = noting  # type: ignore[method-assign]
    trainer.fit()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    one, two = [line for line in lines if "val_loss" not in line]
    assert list(one) == [
        "step", "train_loss", "learning_rate", "grad_norm", "tokens", "tokens_per_second",
        "utilisation", "busy", "memory", "seconds",
    ]  # fmt: skip
    assert (one["step"], two["step"]) == (10, 20)
    assert (one["tokens"], two["tokens"]) == (320, 640)
    assert (one["learning_rate"], two["learning_rate"]) == (0.01, 0.01)
    # The mean since the line before, whatever was evaluated in between.
    assert one["train_loss"] == pytest.approx(sum(loss for loss, _ in losses[:10]) / 10)
    assert two["train_loss"] == pytest.approx(sum(loss for loss, _ in losses[10:]) / 10)
    assert two["grad_norm"] == pytest.approx(losses[-1][1])
    assert one["tokens_per_second"] > 0 and 0 < one["busy"] <= 1 and one["memory"] > 1e7
    assert 0 < one["seconds"] < two["seconds"]


def test_the_tokens_of_an_evaluation_are_the_targets_learnt_from(tmp_path: Path) -> None:
    config = train_config(order="sequential", max_iters=25, eval_interval=25)  # 2 epochs
    make_trainer(tmp_path, config).fit()
    assert [line["tokens"] for line in lines_of(tmp_path) if "val_loss" in line] == [2 * 399]


def test_bits_per_byte_count_the_bytes_of_the_validation_text(tmp_path: Path) -> None:
    corpus = tiny_corpus(val=100)
    corpus = type(corpus)(corpus.train, corpus.val, val_bytes=250, documents=1)
    fitted = make_trainer(tmp_path, train_config(max_iters=1), corpus).fit()
    assert fitted.last is not None
    assert fitted.last.val_bits_per_byte == pytest.approx(
        fitted.last.val_loss / math.log(2) * 100 / 250
    )


def test_the_train_loss_is_the_mean_since_the_evaluation_before(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, train_config(max_iters=6, eval_interval=3))
    losses, backward = [], trainer.engine._backward

    def noting(*batch: Any) -> torch.Tensor:
        loss = backward(*batch)
        losses.append(loss.item())
        return loss

    trainer.engine._backward = noting  # type: ignore[method-assign]
    trainer.fit()
    told = [line["train_loss"] for line in lines_of(tmp_path) if "val_loss" in line]
    assert told == pytest.approx([sum(losses[:3]) / 3, sum(losses[3:]) / 3])


def test_a_validation_split_shorter_than_a_window_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        make_trainer(tmp_path, train_config(), tiny_corpus(val=8))
    assert "8 tokens" in caught.value.message
    assert "--block-size 7" in caught.value.hint


# --------------------------------------------------------------------------------- checkpoints


def scripted(trainer: Trainer, losses: list[float]) -> None:
    """Let evaluations have these results; that of the whole split at the end takes none."""
    script = iter(losses)
    trainer.evaluate = lambda n: next(script) if n else 9.0  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("losses", "best", "keep_last", "kept"),
    [
        ([3.0, 2.0, 1.0], 12, 1, [12]),
        ([3.0, 1.0, 2.0], 8, 1, [8, 12]),
        ([1.0, 2.0, 3.0], 4, 1, [4, 12]),
        ([2.0, 2.0, 2.0], 4, 1, [4, 12]),
        ([3.0, 2.0, 1.0], 12, 2, [8, 12]),
        ([1.0, 2.0, 3.0], 4, 2, [4, 8, 12]),
        ([3.0, 2.0, 1.0], 12, 3, [4, 8, 12]),
        ([3.0, 2.0, 1.0], 12, 10, [4, 8, 12]),
    ],
)
def test_the_best_step_and_the_latest_ones_are_kept_and_no_other(
    tmp_path: Path, losses: list[float], best: int, keep_last: int, kept: list[int]
) -> None:
    config = train_config(max_iters=12, eval_interval=4, keep_last=keep_last)
    trainer = make_trainer(tmp_path, config)
    scripted(trainer, losses)
    fitted = trainer.fit()
    assert (fitted.best_step, fitted.best_val_loss) == (best, min(losses))
    assert (tmp_path / "best").read_text() == f"step-{best:06d}\n"
    assert (tmp_path / "latest").read_text() == "step-000012\n"
    assert steps_in(tmp_path) == kept


def test_a_step_is_saved_before_it_is_evaluated(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, train_config())
    trainer.evaluate = crash  # type: ignore[method-assign, assignment]
    with pytest.raises(Crash):
        trainer.fit()
    assert steps_in(tmp_path) == [4]


def test_saving_a_step_twice_writes_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(tmp_path, train_config())
    trainer.train_step()
    written = []
    monkeypatch.setattr(Run, "save", lambda self, step, *rest: written.append(step))
    trainer.save()
    trainer.save()
    assert written == [1]


@pytest.mark.parametrize("when", ["at a log", "at an evaluation", "at ctrl-c"])
def test_a_loss_that_is_nan_stops_the_run_and_is_never_saved(tmp_path: Path, when: str) -> None:
    interval = {"at a log": 7, "at an evaluation": 4, "at ctrl-c": 7}[when]
    trainer = make_trainer(tmp_path, train_config(max_iters=50, eval_interval=interval))

    def spoil() -> None:
        trainer.model.lm_head.weight.data.fill_(math.nan)
        if when == "at ctrl-c":
            press_ctrl_c()

    before_batch(trainer, interval + 2, spoil)
    with pytest.raises(RunError, match="loss is nan") as caught:
        trainer.fit()
    assert "--learning-rate" in caught.value.hint
    assert steps_in(tmp_path) == [interval]
    latest = Run(tmp_path).pointer("latest")
    assert latest is not None
    saved = Checkpoint.open(latest).load_model()
    assert all(p.isfinite().all() for p in saved.parameters())


def test_an_evaluation_that_is_nan_stops_the_run(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, train_config())
    trainer.evaluate = lambda n: math.nan  # type: ignore[method-assign]
    with pytest.raises(RunError, match="validation loss is nan at step 4"):
        trainer.fit()
    assert not (tmp_path / "best").exists()


def test_where_compiling_fails_the_run_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(torch.nn.Module):
        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no C++ compiler\nand a long trace")

    monkeypatch.setattr(torch, "compile", lambda module: Broken())
    trainer = make_trainer(tmp_path, train_config(compile=True, max_iters=2))
    assert isinstance(trainer.progress, Recorder)
    (notice,) = trainer.progress.notices
    assert "going on without it: no C++ compiler" in notice
    assert "long trace" not in notice
    assert trainer.fit().step == 2


# ------------------------------------------------------------------------ resuming, found by review


def resume(path: Path, config: TrainConfig, corpus: Corpus | None = None) -> Trainer:
    """A trainer that goes on with the run at `path`."""
    checkpoint = Checkpoint.open(Run(path).pointer("latest"))
    trainer = make_trainer(path, config, corpus)
    checkpoint.load_weights(trainer.model)
    trainer.load_state(checkpoint.load_trainer())
    return trainer


def test_training_on_keeps_the_evaluation_of_a_last_step_that_was_not_due(tmp_path: Path) -> None:
    make_trainer(tmp_path, train_config(max_iters=10)).fit()  # evaluated at 4, 8 and, the last, 10
    resume(tmp_path, train_config(max_iters=12)).fit()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [m["step"] for m in lines if "val_loss" in m] == [4, 8, 10, 12]


def test_weights_spoilt_by_an_infinite_gradient_are_never_saved(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, train_config(max_iters=4))
    trainer.model.norm.weight.register_hook(lambda grad: grad * float("inf"))
    with pytest.raises(RunError, match=r"the gradient's norm is (inf|nan) at step 1"):
        trainer.fit()
    assert Run(tmp_path).pointer("latest") is None


def test_a_resumed_run_refuses_other_token_files(tmp_path: Path) -> None:
    corpus = dataclasses.replace(tiny_corpus(), sha256="one")
    make_trainer(tmp_path, train_config(), corpus).fit()
    with pytest.raises(RunError, match="the text is not the one"):
        resume(tmp_path, train_config(), dataclasses.replace(corpus, sha256="two"))
    resume(tmp_path, train_config(), corpus)


def test_the_optimizer_of_a_resumed_run_takes_the_settings_given_anew(tmp_path: Path) -> None:
    make_trainer(tmp_path, train_config()).fit()
    trainer = resume(tmp_path, train_config(weight_decay=0.5, beta1=0.8, max_iters=14))
    muon, adamw = trainer.engine.optimizers
    assert [g["weight_decay"] for g in (*muon.param_groups, *adamw.param_groups)] == [0.5, 0.0, 0.0]
    assert {g["betas"][0] for g in adamw.param_groups} == {0.8}
