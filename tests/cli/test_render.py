"""Results on standard output."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from yocto.cli import render
from yocto.commands.sample import Samples


@dataclass(frozen=True)
class Done:
    name: str
    size: int

    def summary(self) -> list[str]:
        return [f"{self.name} is done", "next: more"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def samples(*texts: list[str], stream: bool = True) -> Samples:
    return Samples("step-1", "Né ", iter([iter(pieces) for pieces in texts]), stream)


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


def test_samples_as_json_are_whole_texts(capsys: pytest.CaptureFixture[str]) -> None:
    render.render_samples(samples(["a", "b"], ["c"]), as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "checkpoint": "step-1", "samples": ["Né ab", "Né c"],
    }  # fmt: skip


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

    result = Samples("step-1", "P", iter([pieces()]), stream)
    render.render_samples(result, as_json=False)
    assert seen == (["P", "Pa", "Pab"] if stream else ["P", "P", "P"])
    assert screen.getvalue() == "Pabc\n"


def test_a_terminal_gets_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a\x1b[31mb\x07\r\x9b\tc\nd\x7f🙂"
    screen, pipe = Terminal(), io.StringIO()
    for stream in (screen, pipe):
        monkeypatch.setattr(render.sys, "stdout", stream)
        render.write(text)
    assert screen.getvalue() == "a[31mb\tc\nd🙂"
    assert pipe.getvalue() == text  # a file gets what the model wrote
