"""The chat, piped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Project

import yocto.api as api
from yocto.api import completion
from yocto.sampling.generate import Generation
from yocto.sampling.request import Request, Token


@pytest.fixture
def chat(yocto, token_project: Project, monkeypatch: pytest.MonkeyPatch):
    """`chat(lines, *flags)`: what is printed when the model answers ` You said N tokens.`"""
    tokenizer = api.load(token_project.run).tokenizer

    class Echo(Generation):
        """One text: the temperature and the prompt."""

        def add(self, request: Request) -> int:
            self.request = request
            return super().add(request)

        def __iter__(self) -> Iterator[tuple[int, Token | None]]:
            request = self.request
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
    for name in ("help", "reset", "system", "set", "retry", "undo", "save", "load", "tokens",
                 "exit"):  # fmt: skip
        assert f"\n/{name}" in f"\n{out}"
    assert '"""' in out


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
        ("/set temprature", "Did you mean 'temperature'"),
        ("/nope", "there is no command /nope"),
        ("/", "there is no command /"),
        ("!", "there is no command !"),
        ("/rety", "Did you mean /retry?"),
        ("!Tokenz", "Did you mean !tokens?"),
        ("/home/me", "put a space before it"),
        ("!important", "put a space before it"),
        ("/exit now", "/exit takes nothing behind it"),
        ("!reset the clock", "put a space before it"),
        ("/save", "/save takes the name of a file"),
        ("!load  ", "!load takes the name of a file"),
        ("/load nothing.json", "can't read nothing.json"),
        ("/retry", "nothing has been said yet"),
        ("/undo", "nothing has been said yet"),
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


def test_set_shows_the_knobs(chat) -> None:
    out = chat("/set\n/set stop ab\n/set stop\n!set top-k\n/set greedy maybe\n", "--top-p", "0.5")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines()[:-3])
    assert lines["top_p"] == "0.5"
    assert (lines["top_k"], lines["stop"], lines["greedy"]) == ("off", "off", "off")
    assert lines["seed"] == "another each time"
    assert out.splitlines()[-3:] == [
        'stop is "ab"', 'stop is "ab". Stop before this text; repeat it for several.',
        "top_k is off. Sample only from the K likeliest tokens.",
    ]  # fmt: skip
    assert "greedy is 'maybe'" in chat.told


def test_what_set_shows_can_be_typed_back(chat) -> None:
    lines = ["/set logit_bias 3=-5", "/set stop a, b", "/set logit_bias [3=-5, 4=1.5]",
             '/set stop ["a", "b c"]']  # fmt: skip
    replies = chat("\n".join(lines) + "\n").splitlines()
    assert replies == [
        'logit_bias is "3=-5"', 'stop is "a, b"', 'logit_bias is ["3=-5", "4=1.5"]',
        'stop is ["a", "b c"]',
    ]  # fmt: skip
    again = [f"/set {reply.replace(' is ', ' ', 1)}" for reply in replies]
    assert chat("\n".join(again) + "\n").splitlines() == replies
    off = chat("/set logit_bias 3=-5\n/set logit_bias off\n/set stop a\n/set stop off\n")
    assert off.splitlines()[1::2] == ["logit_bias is off", "stop is off"]
    assert not chat.told


def test_a_bias_of_an_id_that_is_not_there_is_told_at_once(chat) -> None:
    (answer,) = chat("/set logit_bias 999999=1\nHi\n").splitlines()
    assert "logit_bias names the id 999999" in chat.told
    assert "User: Hi" in answer


def test_knobs_without_effect_are_told(chat) -> None:
    chat("", "--length-penalty", "2")
    assert "length_penalty has no effect without --beam" in chat.told
    chat("", "--beam", "2", "--prompt-lookup", "3")
    assert "prompt_lookup has no effect with --beam" in chat.told


def test_a_name_that_no_file_can_have_does_not_end_the_chat(chat) -> None:
    names = ["~nosuchuser/x", "x" * 300, "a\0b"]
    lines = [f"/{act} {name}" for name in names for act in ("save", "load")]
    (answer,) = chat("\n".join([*lines, "Hi", ""])).splitlines()
    assert chat.told.count("can't use the file") == 6
    assert "User: Hi" in answer


def test_a_command_may_begin_with_an_exclamation_mark_and_a_message_with_a_space(chat) -> None:
    out = chat(" /exit now\n !x\n!RESET\n!exit\nHi\n").splitlines()
    assert "User: /exit now" in out[0]
    assert "User: !x" in out[1]
    assert out[2:] == ["the conversation is forgotten"]


@pytest.mark.parametrize("text", ['"""\na\n\nb\n"""', '"""a\nb"""', '""" a\nb\n""" '])
def test_a_message_of_several_lines_stands_between_quotes(chat, text: str) -> None:
    (answer,) = chat(text + "\n").splitlines()
    assert r"'User: a\nb\nAssistant:'" in answer
    (open_to_the_end,) = chat('"""\na\n/exit\n').splitlines()
    assert r"User: a\n/exit\n" in open_to_the_end
    (one_line,) = chat('"""a b"""\n""""""\n').splitlines()
    assert r"User: a b\n" in one_line


def test_retry_undo_and_tokens(chat) -> None:
    flags = ("--max-new-tokens", "2", "--max-ctx-tokens", "48")
    out = chat("/tokens\na\n/retry\nb\n/tokens\n/undo\n/undo\n/undo\n/tokens\n", *flags)
    lines = out.splitlines()
    assert lines[0] == lines[-1] == "0 of at most 48 tokens of conversation; 0 turns"
    assert lines[1] == lines[2]  # the same question, asked of a model that repeats it
    assert lines[4].endswith("of at most 48 tokens of conversation; 2 turns")
    assert lines[5:7] == ["taken back: b", "taken back: a"]
    assert "nothing has been said" in chat.told


def test_turns_out_of_sight_are_told(chat) -> None:
    out = chat("a\nb\nc\n/tokens\n", "--max-new-tokens", "6", "--max-ctx-tokens", "24")
    assert "3 turns, the last" in out.splitlines()[-1]


def test_a_conversation_is_saved_and_loaded(chat, tmp_path: Path) -> None:
    file = tmp_path / "chat.json"
    flags = ("--max-new-tokens", "2", "--max-ctx-tokens", "48")
    out = chat(f"/system So.\na\n/set top-k 3\n/save {file}\n", *flags)
    assert out.splitlines()[-1] == f"saved in {file}: 1 turn"
    lines = chat(f"/load {file}\n/set top_k\n/set max_new_tokens 60\nb\n", *flags).splitlines()
    assert lines[0] == f"loaded from {file}: 1 turn"
    assert lines[1].startswith("top_k is 3")
    assert r"'So.\nUser: a\nAssistant: 0" in lines[3]


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
