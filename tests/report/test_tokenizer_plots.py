"""Tokenizers as pictures."""

from __future__ import annotations

import builtins
import re
from typing import Any

import pytest

from yocto.errors import RunError
from yocto.evaluation.tokenizer_comparison import CorpusFigures, TokenizerComparison
from yocto.evaluation.tokenizer_figures import TokenizerFigures
from yocto.report.tokenizer_plots import draw_comparison


def row(name: str, domain: str | None = None, size: int = 50257, ratio: float = 4.0) -> Any:
    return TokenizerFigures(
        name, "byte-bpe", size, domain, size if domain else None, 100, ratio, ratio, 1.3, 90, 0.1,
        0, 0.0, 300.0, True,
    )  # fmt: skip


def comparison(names: list[str], rows: list[Any], sizes: list[int]) -> TokenizerComparison:
    part = "last tenth" if sizes else "all"
    corpora = [CorpusFigures(n, n, part, 400, 400, 80, 1, rows) for n in names]
    return TokenizerComparison(corpora, sizes, None, None, [], None, {})


def texts(svg: bytes) -> list[str]:
    """What an SVG says: matplotlib notes each text in a comment."""
    return re.findall(r"<!-- (.*?) -->", svg.decode())


def test_each_text_has_a_panel_and_each_tokenizer_a_bar_with_its_value() -> None:
    rows = [row("data/token", ratio=4.35), row("gpt2", ratio=4.24)]
    said = texts(draw_comparison(comparison(["a.txt", "b.txt"], rows, []), "svg"))
    assert said.count("bytes per token") == said.count("4.35") == said.count("4.24") == 2
    assert {"a.txt", "b.txt"} <= set(said)
    assert said.count("gpt2") == 1  # the panel to the right has the same names


def test_sizes_have_a_line_for_each_domain_and_others_a_mark() -> None:
    rows = [row("gpt2"), *(row(f"{d} {s}", d, s, s / 500) for d in ("a.txt", "b.txt")
                           for s in (1000, 4000))]  # fmt: skip
    svg = draw_comparison(comparison(["a.txt", "b.txt"], rows, [1000, 4000]), "svg")
    said = texts(svg)
    assert {"trained on a.txt", "trained on b.txt", "gpt2", "a.txt, last tenth",
            "tokens in the vocabulary", "1k", "50k"} <= set(said)  # fmt: skip
    assert said.count("trained on a.txt") == 1
    widths = re.findall(r"stroke-width: (2\.6|1\.5);", svg.decode())
    assert widths.count("2.6") == 2  # the line of the panel's own text


@pytest.mark.parametrize("name", ["_hidden", "a $x_2$ b", "$", "漢字"])
@pytest.mark.parametrize("sizes", [[], [1000]])
def test_a_name_is_written_as_it_is(name: str, sizes: list[int]) -> None:
    rows = [row(name), row(f"{name} 1000", name, 1000)]
    said = texts(draw_comparison(comparison([name], rows, sizes), "svg"))
    shown = [text.replace("\\$", "$") for text in said]
    assert (f"{name}, last tenth" if sizes else name) in shown
    assert name in shown


def test_many_texts_stand_in_rows_of_three() -> None:
    rows = [row("gpt2")]
    svg = draw_comparison(comparison([f"{i}.txt" for i in range(7)], rows, []), "svg")
    assert texts(svg).count("bytes per token") == 7
    assert draw_comparison(comparison(["a"], rows, []), "png")[:4] == b"\x89PNG"


def test_without_matplotlib_the_error_tells_what_to_install(monkeypatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RunError, match="takes the package matplotlib"):
        draw_comparison(comparison(["a"], [row("gpt2")], []), "png")
