"""How long work tells of itself."""

import pytest

from yocto.utils.progress import Progress, SilentProgress, TqdmProgress


def work(progress: Progress) -> None:
    progress.say("starting")
    progress.notice("something unexpected")
    with progress.task("counting", 10, "step", done=3) as task:
        for _ in range(5):
            task.advance()
        task.advance(2)
        task.status("loss 1.23")


def test_silence_is_silent(capfd):
    work(SilentProgress())
    assert capfd.readouterr() == ("", "")


def test_tqdm_draws_a_bar_and_the_lines(capfd):
    work(TqdmProgress())
    out, err = capfd.readouterr()
    assert "starting\n" in out
    assert "note: something unexpected\n" in out
    assert "counting" in err
    assert "10.0/10.0" in err
    assert "loss 1.23" in err


@pytest.mark.parametrize("progress", [SilentProgress(), TqdmProgress()])
def test_an_error_inside_a_task_comes_through(progress, capfd):
    with pytest.raises(ValueError, match="inside"), progress.task("counting", 10, "step"):
        raise ValueError("inside")
