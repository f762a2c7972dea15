"""sample: prompts and what is made of them."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import Project
from tiny import Recorder

from yocto.commands import prompts, sample
from yocto.config import SampleConfig
from yocto.errors import CheckpointError, ConfigError, DataError, TokenizerError


def run(project: Project, progress: Recorder | None = None, **knobs) -> sample.Samples:
    config = SampleConfig(ckpt_dir=str(project.checkpoints), **knobs)
    return sample.run(config, progress or Recorder())


def texts(result: sample.Samples) -> list[str]:
    return [made.completion.text for made in result.whole()]


def test_the_best_step_of_the_newest_run_speaks(project: Project) -> None:
    result = run(project, max_new_tokens=5)
    assert result.checkpoint == str(project.run / (project.run / "best").read_text().strip())
    assert len(texts(result)) == 1


def test_several_samples_differ_and_a_seed_repeats_them_all(project: Project) -> None:
    knobs = {"num_samples": 3, "max_new_tokens": 30, "seed": 7, "temperature": 1.0}
    first = texts(run(project, prompt="the ", **knobs))
    assert len(set(first)) == 3
    assert texts(run(project, prompt="the ", **knobs)) == first


def test_without_a_seed_each_run_says_something_else(project: Project) -> None:
    knobs = {"max_new_tokens": 40, "temperature": 1.0, "ignore_eos": True}
    assert texts(run(project, **knobs)) != texts(run(project, **knobs))


def test_text_is_made_only_when_it_is_read(project: Project) -> None:
    result = run(project, max_new_tokens=10**9, num_samples=10**6, ignore_eos=True)
    assert len(next(result.pieces())) >= 1
    assert len(result.begun) == 16


def test_a_prompt_longer_than_the_context_gives_a_notice_with_both_numbers(
    char_project: Project,
) -> None:
    progress = Recorder()
    result = run(char_project, progress, prompt="the river " * 10, max_new_tokens=3)
    (notice,) = progress.notices
    assert "100 tokens" in notice
    assert "last 48" in notice
    assert len(texts(result)[0]) == 3
    assert [prompt.text for prompt in result.prompts] == ["the river " * 10]


def test_a_prompt_that_fits_gives_no_notice(char_project: Project) -> None:
    progress = Recorder()
    run(char_project, progress, prompt="t" * 48)
    assert progress.notices == []


def test_a_prompt_is_read_from_a_file(char_project: Project, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("the stone ", encoding="utf-8")
    result = run(char_project, prompt=f"@{tmp_path / 'prompt.txt'}")
    assert result.prompts[0].text == "the stone "
    with pytest.raises(DataError, match="missing"):
        run(char_project, prompt=f"@{tmp_path / 'missing.txt'}")


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch):
    """`piped(data)`: standard input holds these bytes."""

    def pipe(data: bytes) -> None:
        monkeypatch.setattr(prompts.sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))

    return pipe


def test_a_prompt_is_read_from_standard_input(char_project: Project, piped) -> None:
    piped("Né 🙂".encode())
    assert run(char_project, prompt="-").prompts[0].text == "Né 🙂"
    piped(b"ab\xff")
    with pytest.raises(ConfigError, match="byte 2 of standard input"):
        run(char_project, prompt="-")


# ---------------------------------------------------------------------------------- batch files


LINES = b"\xef\xbb\xbfthe river \r\n\n  \n-\nwho knows?\n\na\xc2\x85b"


def test_each_line_that_is_not_empty_is_a_prompt(
    token_project: Project, tmp_path: Path, piped
) -> None:
    expected = ["the river ", "-", "who knows?", "a\x85b"]
    (tmp_path / "prompts.txt").write_bytes(LINES)
    piped(LINES)
    for name in (str(tmp_path / "prompts.txt"), "-"):
        progress = Recorder()
        result = run(token_project, progress, batch_file=name, max_new_tokens=3, num_samples=2)
        assert [prompt.text for prompt in result.prompts] == expected
        where = "standard input" if name == "-" else name
        assert progress.notices == [f"3 empty lines of {where} are left out"]
        made = list(result.whole())
        assert [one.prompt for one in made] == [x for x in expected for _ in range(2)]


def test_a_batch_file_without_a_prompt_is_told(char_project: Project, tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    for content in (b"", b"\n\n", b"  \r\n"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"prompts\.txt holds no prompt"):
            run(char_project, batch_file=str(path))
    path.write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match="not valid UTF-8"):
        run(char_project, batch_file=str(path))
    with pytest.raises(DataError, match=r"missing\.txt"):
        run(char_project, batch_file=str(tmp_path / "missing.txt"))


def test_a_character_that_is_not_known_is_told_with_its_line(
    char_project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("the\n\n5 €\n", encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"line 3 of .*prompts\.txt: .*'€'"):
        run(char_project, batch_file=str(path))


def test_long_prompts_of_a_batch_are_told_together(char_project: Project, tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text(f"the\n{'the river ' * 10}\n{'a ' * 30}\n", encoding="utf-8")
    progress = Recorder()
    run(char_project, progress, batch_file=str(path))
    (notice,) = progress.notices
    assert notice.startswith("2 of 3 prompts have more tokens than the model sees")
    assert "the last 48" in notice


@pytest.mark.parametrize("batch_size", [1, 2, 5, 16])
def test_a_text_is_the_same_whatever_the_batch(
    project: Project, tmp_path: Path, batch_size: int
) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("the \na river asks\nso\n", encoding="utf-8")
    knobs = {"max_new_tokens": 12, "temperature": 1.0, "ignore_eos": True}
    together = texts(
        run(project, batch_file=str(path), seed=3, num_samples=2, batch_size=batch_size, **knobs)
    )
    alone = [
        texts(run(project, prompt=prompt, seed=3 + number, **knobs))[0]
        for number, prompt in enumerate(["the "] * 2 + ["a river asks"] * 2 + ["so"] * 2)
    ]
    assert together == alone


def test_stop_texts_end_each_text_of_a_batch(project: Project) -> None:
    knobs = {"max_new_tokens": 40, "seed": 1, "temperature": 1.0, "num_samples": 5}
    free = texts(run(project, prompt="the ", **knobs))
    stop = free[0][2:6]  # it may begin inside one token and end inside another
    stopped = texts(run(project, prompt="the ", stop=(stop,), **knobs))
    assert stopped == [text.partition(stop)[0] for text in free]


# ------------------------------------------------------------------------------------- progress


class Counter(Recorder):
    """A progress that counts what its tasks are told."""

    def __init__(self) -> None:
        super().__init__()
        self.totals: set[int | None] = set()
        self.counted, self.open = 0, 0

    @contextmanager
    def task(self, description: str, total: int | None, unit: str, done: int = 0):
        assert (unit, done) == ("token", self.counted)
        self.totals.add(total)
        self.open += 1
        yield self
        self.open -= 1

    def advance(self, amount: int = 1) -> None:
        assert amount >= 0
        self.counted += amount

    def status(self, text: str) -> None:
        pass


@pytest.mark.parametrize("stop", [(), ("e",)])
def test_a_task_counts_tokens_and_is_closed_while_a_text_is_shown(
    project: Project, stop: tuple[str, ...]
) -> None:
    progress = Counter()
    knobs = {"num_samples": 5, "batch_size": 2, "max_new_tokens": 7, "stop": stop}
    for _ in run(project, progress, **knobs).whole():
        assert progress.open == 0
    assert progress.totals == {35}
    assert progress.counted == 35


def test_a_single_text_is_streamed_without_a_task(project: Project) -> None:
    progress = Counter()
    result = run(project, progress, max_new_tokens=5)
    assert result.streams
    assert "".join(result.pieces()) == result.begun[0].completion.text
    assert progress.totals == set()
    assert not run(project, num_samples=2).streams
    assert not run(project, stream=False).streams


@pytest.mark.parametrize(
    ("knobs", "notices"),
    [
        ({}, []),
        ({"length_penalty": 2.0}, ["length_penalty has no effect without --beam"]),
        ({"beam": 2, "length_penalty": 2.0}, []),
        ({"beam": 2, "prompt_lookup": 4}, ["prompt_lookup has no effect with --beam"]),
    ],
)
def test_a_knob_without_effect_is_told(project: Project, knobs: dict, notices: list[str]) -> None:
    progress = Recorder()
    run(project, progress, **knobs)
    assert progress.notices == notices


# ----------------------------------------------------------------------------------------- JSON


def test_as_json_there_is_all_to_know(token_project: Project) -> None:
    result = run(
        token_project, prompt="the ", num_samples=2, max_new_tokens=6, logprobs=2, seed=1,
        ignore_eos=True,
    )  # fmt: skip
    made = list(result.whole())
    found = result.to_json()
    assert set(found) == {"checkpoint", "samples", "tokens", "seconds", "tokens_per_second"}
    assert found["checkpoint"] == result.checkpoint
    assert found["tokens"] == 12
    assert found["seconds"] > 0
    assert found["tokens_per_second"] == pytest.approx(12 / found["seconds"], rel=0.1)
    for one, sample_ in zip(found["samples"], made, strict=True):
        assert one["prompt"] == "the "
        assert one["prompt_ids"] == result.prompts[0].ids
        assert one["text"] == sample_.completion.text
        assert len(one["ids"]) == len(one["logprobs"]) == len(one["top_logprobs"]) == 6
        assert all(logprob <= 0 for logprob in one["logprobs"])
        assert all(set(top) == {"id", "logprob"} for tops in one["top_logprobs"] for top in tops)
        assert {len(tops) for tops in one["top_logprobs"]} == {2}
        assert one["finish_reason"] == "length"
        assert 0 < one["seconds"] <= found["seconds"] + 1e-3
    json.dumps(found)


def test_logprobs_are_told_only_where_asked_for(project: Project) -> None:
    for logprobs, keys in ((None, set()), (0, {"logprobs"}), (1, {"logprobs", "top_logprobs"})):
        result = run(project, max_new_tokens=3, logprobs=logprobs)
        list(result.whole())
        (one,) = result.to_json()["samples"]
        assert {key for key in one if "logprobs" in key} == keys


def test_what_is_unfinished_is_told_as_interrupted(project: Project) -> None:
    result = run(project, max_new_tokens=50, num_samples=20, batch_size=2, ignore_eos=True)
    whole = result.whole()
    next(whole)
    next(whole)
    steps = result._steps()
    for _ in range(6):
        next(steps)
    reasons = [one["finish_reason"] for one in result.to_json()["samples"]]
    assert reasons == ["length"] * 2 + ["interrupted"] * 2


# --------------------------------------------------------------------------------------- errors


def test_characters_outside_the_vocabulary_are_named(char_project: Project) -> None:
    with pytest.raises(TokenizerError, match=r"'€' \(U\+20AC\)"):
        run(char_project, prompt="5 €")


def test_without_a_run_the_error_says_to_train(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        run(Project(tmp_path, "char"))
    assert "yocto train" in caught.value.hint
