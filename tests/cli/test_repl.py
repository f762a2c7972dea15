"""The chat, piped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Project

import yocto.api as api
from yocto.api import completion
from yocto.sampling.generate import Generation
from yocto.sampling.request import Token


@pytest.fixture
def chat(yocto, token_project: Project, monkeypatch: pytest.MonkeyPatch):
    """`chat(lines, *flags)`: what is printed when the model answers ` You said N tokens.`"""
    tokenizer = api.load(token_project.run).tokenizer

    class Echo(Generation):
        """One text: the temperature and the prompt."""

        def __iter__(self) -> Iterator[tuple[int, Token | None]]:
            (request,) = self.requests
            said = f" {request.config.temperature:g}: {tokenizer.decode(request.prompt)!r}"
            for token_id in tokenizer.encode_bytes(said.encode())[: request.config.max_new_tokens]:
                yield 0, Token(token_id)

    monkeypatch.setattr(completion, "Generation", Echo)

    def run(lines: str | bytes, *flags: str) -> str:
        result = yocto("chat", "--ckpt-dir", token_project.checkpoints, *flags, input=lines)
        assert result.exit_code == 0, result.output
        run.told = result.stderr
        return result.stdout

    return run


def test_each_line_gets_an_answer_until_the_input_ends(chat) -> None:
    out = chat("Hi\n\n  \nYo\n", "--temperature", "0.5")
    assert out.splitlines() == [
        r"0.5: 'User: Hi\nAssistant:'",
        # The first answer is one turn of the second prompt, or trimmed with its question.
        r"0.5: 'User: Yo\nAssistant:'",
    ]


def test_exit_ends_the_chat(chat) -> None:
    assert chat("/exit\nHi\n") == ""
    assert chat("/quit\nHi\n") == ""
    assert chat("") == ""


def test_help_lists_every_command(chat) -> None:
    out = chat("/help\n")
    for name in ("/help", "/reset", "/system", "/set", "/exit"):
        assert name in out


def test_set_changes_a_knob_for_the_next_answers(chat) -> None:
    out = chat("/set temperature 0.3\nHi\n/set temperature=1.5\nHi\n/set max-new-tokens 1\nHi\n")
    lines = out.splitlines()
    assert lines[0] == "temperature is 0.3"
    assert lines[1].startswith("0.3: ")
    assert lines[3].startswith("1.5: ")
    assert lines[5] in ("1", "(the model had no answer)")


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("/set temperature hot", "temperature is 'hot'"),
        ("/set temperature -1", "from 0 to 100"),
        ("/set temprature 1", "Did you mean 'temperature'"),
        ("/set temperature", "takes a knob and a value"),
        ("/set", "takes a knob and a value"),
        ("/nope", "there is no command /nope"),
        ("/", "there is no command /"),
    ],
)
def test_a_wrong_command_is_told_and_the_chat_goes_on(chat, line: str, part: str) -> None:
    (answer,) = chat(f"{line}\nHi\n").splitlines()  # piped, an error is no answer
    assert part in chat.told
    assert "User: Hi" in answer


def test_system_sets_and_takes_away_the_system_prompt(chat) -> None:
    out = chat("/system Be kind.\nHi\n/system\nHi\n").splitlines()
    assert out[0] == "the system prompt is set"
    assert r"'Be kind.\nUser: Hi" in out[1]
    assert out[2] == "there is no system prompt now"
    assert out[3].startswith("0.7: 'User: Hi") or "Be kind" not in out[3]


def test_reset_forgets_the_conversation(chat) -> None:
    flags = ("--max-new-tokens", "2", "--max-ctx-tokens", "48")
    kept = chat("a\n/set max_new_tokens 50\nb\n", *flags).splitlines()[-1]
    assert r"User: a\nAssistant: 0" in kept
    assert "User: b" in kept
    forgotten = chat("a\n/reset\n/set max_new_tokens 50\nb\n", *flags).splitlines()[-1]
    assert "User: a" not in forgotten
    assert "User: b" in forgotten


def test_a_message_longer_than_the_context_is_told_with_both_numbers(chat) -> None:
    long = "the river " * 60
    (answer,) = chat(f"{long}\nHi\n").splitlines()
    assert "at most 32" in chat.told
    assert "tokens long" in chat.told
    assert "User: Hi" in answer


def test_bytes_that_are_no_utf8_do_not_end_the_chat(chat) -> None:
    assert "User: a" in chat(b"a\xff\n")


def test_no_answer_is_told(chat) -> None:
    assert chat("Hi\n", "--max-new-tokens", "0") == "(the model had no answer)\n"
