"""Results on standard output."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from tiny import tiny_gpt

from yocto.api import Completion
from yocto.cli import render
from yocto.commands.prompts import Prompt
from yocto.commands.sample import Samples
from yocto.config import SampleConfig
from yocto.errors import ConfigError
from yocto.utils.progress import SilentProgress


@dataclass(frozen=True)
class Done:
    name: str
    size: int

    def summary(self) -> list[str]:
        return [f"{self.name} is done", "next: more"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Made:
    """Texts that come in these pieces, one text after the other; a piece may be an exception."""

    def __init__(self, texts: Sequence[Sequence[Any]]) -> None:
        self.pieces = texts
        self.texts = [Completion([1]) for _ in texts]

    def __iter__(self) -> Iterator[tuple[Completion, str]]:
        for text, pieces in zip(self.texts, self.pieces, strict=True):
            for piece in pieces:
                if not isinstance(piece, str):
                    raise piece
                text.text += piece
                text.ids.append(len(text.ids))
                yield text, piece
            text.finish_reason = "length"
            yield text, ""

    def break_off(self) -> None:
        for text in self.texts:
            if text.ids and text.finish_reason is None:
                text.text += "…"


class Speaker:
    """A language model that says what it was told to."""

    def __init__(self, *texts: Sequence[Any]) -> None:
        self.model, self.says = tiny_gpt(), iter(texts)

    def complete(self, prompts: Sequence[Any], config: SampleConfig, **options: Any) -> Made:
        return Made([next(self.says) for _ in prompts])


def samples(*texts: Sequence[Any], stream: bool = True, **knobs: Any) -> Samples:
    config = SampleConfig(num_samples=len(texts), stream=stream, max_new_tokens=9, **knobs)
    lm: Any = Speaker(*texts)
    return Samples("step-1", lm, [Prompt("Né ", [1])], config, SilentProgress())


def test_a_result_is_lines_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    render.render_result(Done("é", 5), as_json=False)
    assert capsys.readouterr().out == "é is done\nnext: more\n"
    render.render_result(Done("é", 5), as_json=True)
    out = capsys.readouterr().out
    assert json.loads(out) == {"name": "é", "size": 5}
    assert "é" in out


def test_samples_are_parted_by_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    render.render_samples(samples(["a", "b"], ["c"]), as_json=False)
    assert capsys.readouterr().out == f"Né ab\n{'-' * 20}\nNé c\n"


@pytest.mark.parametrize("texts", [[["a", "b"], ["c"]], [["a"]]])
def test_samples_as_json_are_all_there_is_to_know(
    capsys: pytest.CaptureFixture[str], texts: list[list[str]]
) -> None:
    render.render_samples(samples(*texts), as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["checkpoint"] == "step-1"
    assert [one["prompt"] for one in found["samples"]] == ["Né "] * len(texts)
    assert [one["text"] for one in found["samples"]] == ["".join(text) for text in texts]


STOP = KeyboardInterrupt()


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        ([["a", "b", STOP]], "Né ab…\n"),
        ([["a", "b"], ["c", STOP], ["d"]], f"Né ab\n{'-' * 20}\nNé c…\n"),
        ([["a", "b"], [STOP], ["d"]], "Né ab\n"),
        ([[STOP], ["d"]], ""),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_what_came_before_an_interruption_is_shown(
    capsys: pytest.CaptureFixture[str], texts: list[list[Any]], shown: str, batch_size: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        render.render_samples(samples(*texts, batch_size=batch_size), as_json=False)
    assert capsys.readouterr().out == shown
    with pytest.raises(KeyboardInterrupt):
        render.render_samples(samples(*texts, batch_size=batch_size), as_json=True)
    found = json.loads(capsys.readouterr().out)["samples"]
    lines = [f"{one['prompt']}{one['text']}\n" for one in found]
    assert f"{'-' * 20}\n".join(lines) == shown
    assert [one["finish_reason"] for one in found] == [
        "interrupted" if "…" in line else "length" for line in lines
    ]


def test_logprobs_can_not_be_told_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="JSON only"):
        render.render_samples(samples(["a"], logprobs=1), as_json=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("stream", [True, False])
def test_pieces_are_written_as_they_come_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(render.sys, "stdout", screen)
    seen = []

    def pieces() -> Iterator[str]:
        for piece in ("a", "b", "c"):
            seen.append(screen.getvalue())
            yield piece

    said: Any = pieces()
    render.render_samples(samples(said, stream=stream), as_json=False)
    assert seen == (["Né ", "Né a", "Né ab"] if stream else ["", "", ""])
    assert screen.getvalue() == "Né abc\n"


def test_a_terminal_gets_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a\x1b[31mb\x07\r\x9b\tc\nd\x7f🙂"
    screen, pipe = Terminal(), io.StringIO()
    for stream in (screen, pipe):
        monkeypatch.setattr(render.sys, "stdout", stream)
        render.write(text)
    assert screen.getvalue() == "a[31mb\tc\nd🙂"
    assert pipe.getvalue() == text  # a file gets what the model wrote
