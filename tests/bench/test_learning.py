"""What runs come to: with answers made up here."""

from __future__ import annotations

from typing import Any

import pytest

from yocto.bench import contest as contest_module
from yocto.bench import learning, training_speed
from yocto.bench.contest import Contest
from yocto.bench.learning import LearningRun, figures, measure_learning, runs_of
from yocto.bench.peers import MATMUL, NANOGPT, OURS, SAME_TIME, TRANSFORMERS, version_of
from yocto.bench.recipes import SHORT, settings_of
from yocto.bench.session import EngineFailed
from yocto.bench.training_job import TrainingJob
from yocto.bench.training_speed import measure_speed
from yocto.errors import RunError
from yocto.utils.progress import SilentTask


def turn(step: int, cpu: float, loss: float | None = None) -> dict[str, Any]:
    return {"step": step, "tokens": 100, "seconds": 2 * cpu, "cpu_seconds": cpu, "loss": loss}


NANOGPTS = [turn(10, 1.0, 3.0), turn(20, 1.0), turn(30, 2.0, 2.0)]
OURS_TOO = [turn(1, 0.5), turn(2, 0.25, 2.0), turn(3, 0.25, 1.5)]


def test_time_to_the_target_is_that_of_the_first_evaluation_that_is_not_above_it() -> None:
    runs = runs_of(7, {NANOGPT: NANOGPTS, OURS: OURS_TOO}, None)
    theirs, ours = runs[NANOGPT], runs[OURS]
    assert theirs.target == ours.target == 2.0  # what nanoGPT's recipe ends at
    assert (theirs.cpu_seconds, theirs.seconds, theirs.tokens, theirs.loss) == (4.0, 8.0, 300, 2.0)
    assert theirs.cpu_seconds_to_target == 4.0
    assert ours.cpu_seconds_to_target == 0.75
    assert [(look.step, look.cpu_seconds, look.loss) for look in ours.looks] == [
        (2, 0.75, 2.0), (3, 1.0, 1.5),
    ]  # fmt: skip
    assert ours.seed == 7


def test_a_target_can_be_fixed_and_may_not_be_reached() -> None:
    runs = runs_of(1, {NANOGPT: NANOGPTS, OURS: OURS_TOO}, 1.6)
    assert runs[NANOGPT].cpu_seconds_to_target is None
    assert runs[OURS].cpu_seconds_to_target == 1.0
    alone = runs_of(1, {OURS: OURS_TOO}, None)[OURS]
    assert alone.target is None
    assert alone.cpu_seconds_to_target is None
    assert alone.loss == 1.5


def run(to_target: float | None, loss: float = 2.0, cpu: float = 10.0) -> LearningRun:
    return LearningRun(1, cpu, 20.0, 1000, loss, 2.0, to_target, [])


def test_a_sides_figures_are_medians_and_its_ratio_is_taken_seed_by_seed() -> None:
    ours = [run(1.0), run(20.0), run(3.0)]
    theirs = [run(5.0, 1.9, 9.0), run(100.0, 2.5), run(6.0, 2.1, 11.0)]
    told = figures(theirs, ours)
    assert told["ratio"] == pytest.approx(0.2)  # of 1/5, 1/5 and 1/2
    assert (told["cpu_seconds"], told["loss"], told["cpu_seconds_to_target"]) == (10.0, 2.1, 6.0)
    assert told["tokens_per_second"] == 50.0
    assert told["runs"] == theirs


def test_a_run_that_never_comes_to_the_target_counts_as_one_that_takes_for_ever() -> None:
    ours = [run(1.0), run(1.0), run(1.0)]
    once = figures([run(2.0), run(None), run(4.0)], ours)
    assert (once["cpu_seconds_to_target"], once["ratio"]) == (4.0, 0.25)
    twice = figures([run(2.0), run(None), run(None)], ours)
    assert (twice["cpu_seconds_to_target"], twice["ratio"]) == (None, None)
    neither = figures([run(None)], [run(None)])
    assert (neither["cpu_seconds_to_target"], neither["ratio"]) == (None, None)


# ---------------------------------------------------------------------------------------- contests


def job(seed: int, side: str) -> TrainingJob:
    return TrainingJob("learn", OURS, 1, None, "", 65, settings_of(SHORT, seed).to_dict())


class Bar(SilentTask):
    done = 0

    def advance(self, amount: int = 1) -> None:
        self.done += amount


class FakeSession:
    """A worker that answers at once. `fails`: which seed's first turn fails."""

    fails: int | None = None

    def __init__(self, job: TrainingJob) -> None:
        self.seed, self.asked = job.config.seed, 0

    def __enter__(self) -> FakeSession:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def ask(self) -> dict[str, Any]:
        self.asked += 1
        if self.asked == 1:
            return {"parameters": 5}
        if self.seed == self.fails:
            raise EngineFailed("it ended")
        return turn(self.asked, 1.0, 2.0)


def test_a_side_that_fails_once_is_out_for_good_and_the_bar_still_fills(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Failing(FakeSession):
        fails = 2

    monkeypatch.setattr(contest_module, "version_of", lambda name: "1.0")
    bar = Bar()
    sides = [OURS, NANOGPT]

    def session(asked: TrainingJob) -> FakeSession:
        # Who it is, a fake can't tell from the job: ours is always made first.
        made.append(asked)
        return (FakeSession if len(made) % 2 else Failing)(asked)

    made: list[TrainingJob] = []
    monkeypatch.setattr(contest_module, "Session", session)
    ours, theirs = measure_learning(sides, job, [1, 2, 3], None, bar)
    assert len(made) == 5  # in the third round ours is alone
    assert bar.done == 2 * 3 * learning.TURNS
    assert (theirs.reason, theirs.runs, theirs.cpu_seconds) == ("it ended", None, None)
    assert [run.seed for run in ours.runs or []] == [1, 2, 3]
    assert [run.target for run in ours.runs or []] == [2.0, None, None]
    assert (ours.parameters, ours.iterations, ours.batch_size) == (5, 200, 16)
    assert "TrainConfig(" in ours.call


def test_where_yocto_itself_fails_there_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSession, "fails", 1)
    monkeypatch.setattr(contest_module, "Session", FakeSession)
    with pytest.raises(RunError, match="yocto's own measurement failed: it ended"):
        measure_learning([OURS], job, [1], None, SilentTask())


def test_a_share_is_of_the_matrix_product_in_the_same_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rounds = {
        OURS: [10.0, 1.0, 10.0], TRANSFORMERS: [5.0, 0.5, 10.0], MATMUL: [1e3, 1e2, 2e3],
    }  # fmt: skip
    ready = {"parameters": 7, "flops_per_token": 50}

    def play(self: Contest, job: Any) -> dict[str, Any]:
        for name, told in rounds.items():
            what = "flops_per_second" if name == MATMUL else "tokens_per_second"
            self.answers[name] = [{what: figure} for figure in told]
        return dict.fromkeys(rounds, ready)

    monkeypatch.setattr(contest_module, "version_of", lambda name: "1.0")
    monkeypatch.setattr(training_speed.Contest, "play_with_workers", play)
    rows = measure_speed(list(rounds), lambda name: job(1, name), 3, SilentTask())
    ours, theirs, product = rows
    assert (ours.tokens_per_second, ours.ratio, ours.share) == (10.0, 1.0, 0.5)
    assert (theirs.tokens_per_second, theirs.ratio, theirs.share) == (5.0, 0.5, 0.25)
    assert ours.gflops == pytest.approx(500 / 1e9)
    assert (product.gflops, product.share, product.parameters) == (1e3 / 1e9, 1.0, None)


def test_a_side_has_the_version_of_the_package_that_it_runs_on() -> None:
    assert version_of(NANOGPT) == version_of(SAME_TIME) == version_of(OURS)
    assert version_of(MATMUL) == version_of("torch")
