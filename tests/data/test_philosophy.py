"""The corpus that ships: made by its script, and as varied as it is said to be."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "data"
TEXT = (DATA / "philosophy.txt").read_bytes().decode("utf-8")
BLOCKS = TEXT.removesuffix("\n").split("\n\n")
CHAT = [block.split("\n") for block in BLOCKS if block.startswith(("User:", "Assistant:"))]


def speech(line: str) -> str:
    """A line without the name of who says it."""
    return re.sub(r"^[A-Z][a-z]+: ", "", line)


def make(path: Path, *arguments: str) -> bytes:
    script = [sys.executable, str(DATA / "make_philosophy.py"), "--out", str(path), *arguments]
    subprocess.run(script, check=True, capture_output=True, cwd=path.parent)
    return path.read_bytes()


def test_the_script_makes_the_file_byte_for_byte(tmp_path):
    assert make(tmp_path / "made.txt") == (DATA / "philosophy.txt").read_bytes()


def test_another_seed_makes_another_text(tmp_path):
    assert make(tmp_path / "made.txt", "--seed", "2") != (DATA / "philosophy.txt").read_bytes()


def test_it_is_two_to_three_megabytes():
    assert 2_000_000 <= len(TEXT.encode("utf-8")) <= 3_000_000


def test_it_has_many_different_words():
    words = {word.lower() for word in re.findall(r"[A-Za-z]+(?:['’-][A-Za-z]+)*", TEXT)}
    assert len(words) >= 6500


def test_much_of_it_is_talk_between_a_user_and_an_assistant():
    lines = [line for line in TEXT.split("\n") if line.startswith(("User: ", "Assistant: "))]
    assert sum(len(line) + 1 for line in lines) >= 0.4 * len(TEXT)


@pytest.mark.parametrize(
    "split",
    [
        lambda line: re.findall(r"[^.!?]+[.!?]+[\"'”’]*", speech(line)),
        lambda line: re.split(r"(?<=[.!?]) +(?=[A-Z\"“])", speech(line)),
    ],
    ids=["up to a full stop", "between a full stop and a capital"],
)
def test_no_sentence_comes_more_than_twenty_times(split):
    sentences = Counter(s.strip() for line in TEXT.split("\n") for s in split(line) if s.strip())
    assert len(sentences) > 10_000
    assert sentences.most_common(1)[0][1] <= 20


def test_blocks_are_separated_by_single_blank_lines_only():
    assert TEXT.endswith("\n") and not TEXT.endswith("\n\n")
    assert not TEXT.startswith("\n")
    assert "\n\n\n" not in TEXT
    assert "\r" not in TEXT and "\t" not in TEXT and "<|" not in TEXT
    assert not [line for line in TEXT.split("\n") if line != line.strip() or "  " in line]
    assert len(BLOCKS) > 5000


def test_every_user_line_is_followed_by_an_assistant_line():
    assert len(CHAT) > 1000
    for lines in CHAT:
        assert len(lines) % 2 == 0
        assert all(line.startswith("User: ") for line in lines[::2])
        assert all(line.startswith("Assistant: ") for line in lines[1::2])
        assert all(speech(line) for line in lines)


def test_users_and_assistants_speak_in_their_own_blocks_only():
    inside = sum(len(lines) for lines in CHAT)
    everywhere = re.findall(r"\b(?:User|Assistant): ", TEXT)
    assert inside == len(everywhere)


def test_no_block_comes_twice():
    assert len(set(BLOCKS)) == len(BLOCKS)


def test_every_line_ends_like_a_sentence():
    ends = Counter(line[-1] for block in BLOCKS for line in block.split("\n"))
    assert set(ends) <= set(".?!\"'”’:")
