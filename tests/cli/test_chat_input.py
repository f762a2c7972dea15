"""What is typed in the chat: blocks between quotes, completion, history."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from yocto.cli.chat_input import completions, history, history_file, is_open, unquoted


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", False), ('"""', True), (' """a\nb', True), ('"""a"""', False), ('""""""', False),
     ('""""', True), ('a """', False), ('"""\na\n"""\n', False)],
)  # fmt: skip
def test_a_block_is_open_until_its_quotes_are_closed(text: str, expected: bool) -> None:
    assert is_open(text) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [(' a "b" ', 'a "b"'), ('"""\n a\n\nb\n"""', "a\n\nb"), ('"""a"""', "a"), ('"""a', "a"),
     ('a"""', 'a"""'), ('""""""', "")],
)  # fmt: skip
def test_a_message_comes_without_its_quotes(text: str, message: str) -> None:
    assert unquoted(text) == message


def test_commands_and_knobs_are_completed() -> None:
    assert completions("/re") == [("reset", "re"), ("retry", "re")]
    assert ("exit", "") in completions("!")
    assert completions("/set top") == [("top_k", "top"), ("top_p", "top")]
    for text in ("re", "what /re", "/set top_p 0.", "/nothing"):
        assert completions(text) == []


def test_the_history_is_kept_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = history_file()
    assert file == tmp_path / "state" / "yocto" / "chat_history"
    kept = history(file)
    for text in ("Hi", "two\nlines", "half \ud800 a character", "é 🙂"):
        kept.append_string(text)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = list(history(file).load_history_strings())
    assert again == ["é 🙂", "half ? a character", "two\nlines", "Hi"]


def test_a_history_of_others_is_closed_to_them(tmp_path: Path) -> None:
    file = tmp_path / "chat_history"
    file.write_text("\n# now\n+Hi\n")
    file.chmod(0o644)
    assert list(history(file).load_history_strings()) == ["Hi"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("broken", ["a file in the way", "a folder in its place", "no home"])
def test_where_there_can_be_no_file_the_chat_goes_on(tmp_path: Path, broken: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    path = {"a file in the way": tmp_path / "file" / "yocto" / "chat_history",
            "a folder in its place": tmp_path / "folder"}.get(broken)  # fmt: skip
    kept = history(path)
    kept.append_string("Hi")
    assert kept.get_strings() == ["Hi"]


def test_a_file_that_can_be_written_no_more_does_not_end_the_chat(tmp_path: Path) -> None:
    file = tmp_path / "yocto" / "chat_history"
    kept = history(file)
    file.unlink()
    file.parent.rmdir()
    kept.append_string("Hi")
    assert kept.get_strings() == ["Hi"]
    assert list(kept.load_history_strings()) == []


def test_a_relative_folder_for_state_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert history_file() == Path("/home/somebody/.local/state/yocto/chat_history")


def test_a_long_history_loses_its_older_half(tmp_path: Path) -> None:
    file = tmp_path / "chat_history"
    file.write_text("".join(f"\n# now\n+{i} {'x' * 1000}\n" for i in range(1200)))
    entries = list(history(file).load_history_strings())
    assert entries[0].startswith("1199 x")
    assert 400 < len(entries) < 600
    assert all(entry.endswith("x" * 1000) for entry in entries)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_history_that_can_not_be_shortened_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "chat_history"
    file.write_text("".join(f"\n# now\n+{i} {'x' * 1000}\n" for i in range(1200)))
    before = file.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert len(list(history(file).load_history_strings())) == 1200
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
