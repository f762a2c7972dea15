"""The panel: what it shows of a run, in how much room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from yocto.cli.panel import Shown, panel


def a_run(**values: object) -> Shown:
    run = Shown(
        "token-3", 250, 1000, elapsed=75.0, left=225.0, bits_per_byte=1.234, tokens=4_321_000.0,
        tokens_per_second=12_345.0, utilisation=0.83, memory=512e6, learning_rate=6e-4,
        grad_norm=0.8123,
        sample="The courage of a person is the strength of a river that goes on to the sea, and "
        "no one asks it for its name; so it is with those who begin again each day.",
    )  # fmt: skip
    for i in range(25):
        run.train.add(3 + 8 / (1 + i))
    for loss in (4.5, 3.9, 3.5, 3.6):
        run.val.add(loss)
    for name, value in values.items():
        setattr(run, name, value)
    return run


def texts(run: Shown, width: int, height: int = 24, ascii_only: bool = False) -> list[str]:
    lines = panel(run, width, height, ascii_only)
    return ["".join(segment.text for segment in line) for line in lines]


def test_all_is_there_at_80_columns() -> None:
    assert texts(a_run(), 80) == [
        "── token-3 " + "─" * 68,
        "━" * 13 + "─" * 42 + "  25%  step 250 of 1,000",
        "1 min 15 s so far, 3 min 45 s left",
        "train loss  ███▇▅▄▄▃▃▃▂▂▂▂▂▂▂▁▁▁▁▁▁▁▁" + " " * 22 + "   3.320  best 3.320",
        "val loss    ███████▄▄▄▄▄▄▁▁▁▁▁▁▂▂▂▂▂▂" + " " * 22 + "   3.600  best 3.500",
        "12,345 tok/s  83% utilisation  512 MB memory  learning rate 6.00e-04",
        "gradient norm 0.812  1.234 bits/byte  4.3M tokens",
        "» The courage of a person is the strength of a river that goes on to the sea,",
        "  and no one asks it for its name; so it is with those who begin again each da…",
    ]


def test_a_narrow_terminal_has_shorter_words_and_fewer_of_them() -> None:
    lines = texts(a_run(), 40)
    assert lines[1] == "━━━────────────  25%  step 250 of 1,000"
    assert any(line.startswith("train  █") and line.endswith("  3.320") for line in lines)
    assert "12,345 tok/s  83% util  512 MB" in lines
    assert "lr 6.0e-04  grad 0.812  1.234 bits/byte" in lines
    assert not any("best" in line for line in lines)
    assert texts(a_run(), 20)[1] == "25%  250/1,000"
    assert texts(a_run(), 10)[1] == "25%"


def test_a_low_terminal_keeps_what_matters_most() -> None:
    assert len(texts(a_run(), 80, 2)) == 1
    assert "step 250 of 1,000" in texts(a_run(), 80, 2)[0]
    six = texts(a_run(), 80, 12)
    assert [line.split()[0] for line in six[1:]] == ["1", "train", "val", "12,345", "»"]


def test_a_terminal_without_blocks_gets_plain_characters() -> None:
    lines = texts(
        a_run(name="tökens", sample="哲学 … é", status="evaluating…"), 80, ascii_only=True
    )
    assert all(line.isascii() for line in lines)
    assert lines[1].startswith("#####")
    assert lines[3].startswith("train loss  ###")
    assert lines[-1] == "> ?? ? ?"


def test_before_the_first_figures_there_is_the_bar_only() -> None:
    lines = texts(Shown("char-1", 0, 20), 80)
    assert len(lines) == 3
    assert "  0%  step 0 of 20" in lines[1]
    assert lines[2] == "0 s so far"


def test_a_run_of_unknown_length_has_no_bar() -> None:
    assert texts(Shown("char-1", 1234, None), 80)[1] == "step 1,234"


def test_all_steps_are_done_only_in_the_end() -> None:
    assert " 99%" in texts(Shown("char-1", 9999, 10_000), 80)[1]
    assert "100%" in texts(Shown("char-1", 10_000, 10_000), 80)[1]
    assert "100%" in texts(Shown("char-1", 0, 0), 80)[1]


def test_what_is_done_besides_training_stands_beside_the_time() -> None:
    assert texts(a_run(status="evaluating"), 80)[2].endswith("s left  evaluating")


@given(
    st.integers(1, 200), st.integers(1, 60), st.text(max_size=300), st.text(max_size=60),
    st.booleans(), st.floats(0, 1e15),
)  # fmt: skip
def test_no_line_is_wider_than_the_terminal_and_no_panel_higher(
    width: int, height: int, sample: str, name: str, ascii_only: bool, figure: float
) -> None:
    run = a_run(sample=" ".join(sample.split()), name=" ".join(name.split()), left=figure)
    run.tokens_per_second = run.tokens = run.memory = run.grad_norm = figure
    lines = texts(run, width, height, ascii_only)
    assert 1 <= len(lines) <= max(1, min(10, height // 2))
    assert all(cell_len(line) <= max(1, width - 1) for line in lines)


@pytest.mark.parametrize("width", [30, 60, 80])
def test_wide_characters_are_counted_as_wide(width: int) -> None:
    lines = texts(a_run(sample="哲学者の道 " * 40), width)
    assert all(cell_len(line) < width for line in lines)
    assert lines[-1].endswith("…")


def test_the_sample_goes_on_where_its_first_line_ends() -> None:
    text = "".join(chr(0x4E00 + i) for i in range(25))
    first, second = texts(a_run(sample=text), 30)[-2:]
    assert first[2:] + second[2:] == text
    words = "one two three four five six seven eight nine ten"
    first, second = texts(a_run(sample=words), 30)[-2:]
    assert (first, second) == ("» one two three four five six", "  seven eight nine ten")
