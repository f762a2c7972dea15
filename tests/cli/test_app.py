"""The command line from end to end: what is typed, what is printed, and the exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from conftest import SHAPE, Project
from tiny import make_text

import yocto as package
import yocto.cli.app as app_module
from yocto.errors import YoctoError

SHORT = [
    part
    for name, value in {**SHAPE, "max_iters": 4, "eval_interval": 2}.items()
    for part in ("--" + name.replace("_", "-"), str(value))
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_text: Path) -> Path:
    """An empty folder with a text, as the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_bytes(small_text.read_bytes())
    return tmp_path


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """`at(project)`: a copy of the project as the current folder."""

    def go(project: Project) -> Project:
        copy = project.copy_to(tmp_path)
        monkeypatch.chdir(tmp_path)
        return copy

    return go


def assert_mistake(result: Any, status: int, *parts: str) -> None:
    """An error that is told in words, on standard error alone."""
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in result.stderr


# ------------------------------------------------------------------------------- the whole way


def test_the_char_way_works_from_text_to_chat(home: Path, yocto) -> None:
    prepared = yocto("prepare-char", "--text-path", "book.txt")
    assert prepared.exit_code == 0
    assert "next: yocto train --mode char" in prepared.stdout

    trained = yocto("train", "--mode", "char", *SHORT)
    assert trained.exit_code == 0
    assert "validation loss" in trained.stdout
    assert "step 2: " in trained.stderr  # progress goes to standard error
    assert "step 2/4" not in trained.stdout

    sampled = yocto("sample", "--max-new-tokens", "30", "--prompt", "the ")
    assert sampled.exit_code == 0
    assert sampled.stdout.startswith("the ")
    assert len(sampled.stdout) == len("the ") + 30 + 1
    assert sampled.stderr == ""

    talked = yocto("chat", "--max-new-tokens", "5", input="Who?\n/exit\n")
    assert talked.exit_code == 0
    assert talked.stdout


def test_the_token_way_works_from_text_to_sample(home: Path, yocto) -> None:
    learnt = yocto("train-tokenizer", "--text-path", "book.txt", "--vocab-size", "300")
    assert learnt.exit_code == 0
    assert "next: yocto train --mode token" in learnt.stdout

    trained = yocto("train", "--mode", "token", *SHORT)
    assert trained.exit_code == 0
    assert "no token files in data/token yet: encoding" in trained.stderr
    assert "book.txt" in trained.stderr

    sampled = yocto("sample", "--top-p", "0.9", "--max-new-tokens", "20", "--prompt", "the ")
    assert sampled.exit_code == 0
    assert sampled.stdout.startswith("the ")


def test_quickstart_goes_the_whole_way(home: Path, yocto) -> None:  # in JSON: in char mode too
    result = yocto("quickstart", "--text-path", "book.txt", "--mode", "token", "--minutes", "0.05")
    assert result.exit_code == 0, result.output
    assert "next: yocto chat" in result.stdout
    assert "3 of 3" in result.stderr
    assert yocto("sample", "--max-new-tokens", "3").exit_code == 0


def test_a_vocabulary_that_the_text_can_not_fill_ends_well_with_a_note(home: Path, yocto) -> None:
    (home / "tiny.txt").write_text("abab abab")
    result = yocto("train-tokenizer", "--text-path", "tiny.txt", "--vocab-size", "8000")
    assert result.exit_code == 0
    assert re.search(r"note: .*stopped at \d+ of 8,000 tokens", result.stdout)


# ------------------------------------------------------------------------------------------ json


def test_json_is_all_that_a_command_writes_to_standard_output(home: Path, yocto) -> None:
    def run(*arguments: str) -> Any:
        result = yocto(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    prepared = run("prepare-char", "--text-path", "book.txt")
    assert prepared["splits"]["train"]["tokens"] > prepared["splits"]["val"]["tokens"] > 0
    tokenizer = run("train-tokenizer", "--text-path", "book.txt", "--vocab-size", "300")
    assert tokenizer["vocab_size"] == 300
    assert run("encode", "--text-path", "book.txt")["vocab_size"] == 300
    trained = run("train", *SHORT)
    assert trained["step"] == trained["max_iters"] == 4
    assert trained["val_loss"] > 0
    sampled = run("sample", "--num-samples", "2", "--max-new-tokens", "5", "--prompt", "the ")
    assert [one["prompt"] for one in sampled["samples"]] == ["the ", "the "]
    assert all(one["finish_reason"] in ("stop", "length") for one in sampled["samples"])
    assert sampled["checkpoint"].startswith("checkpoints/token-1/step-")
    quick = run("quickstart", "--text-path", "book.txt", "--mode", "char", "--minutes", "0.01")
    assert quick["training"]["run"] == "checkpoints/quickstart-1"
    assert quick["exchanges"] or quick["sample"]


def test_a_chat_has_no_json(at, char_project: Project, yocto) -> None:
    at(char_project)
    result = yocto("chat", "--json", input="Hi\n")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "--json" in result.stderr


# ----------------------------------------------------------------------------- settings, usage


CONFIGS = {
    "settings.yaml": "n-layer: 2\nmax_iters: 3\nlearning_rate: 1e-3\n",
    "settings.toml": "n_layer = 2\nmax_iters = 3\nlearning_rate = 1e-3\n",
    "settings.json": '{"n_layer": 2, "max-iters": 3, "learning_rate": 0.001}',
}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The settings that the command would have run with, in place of running it."""
    from yocto.commands import train

    got: dict[str, Any] = {}

    def run(config: Any, progress: Any) -> Any:
        got.update(config.to_dict(), given=set(config.given))
        raise YoctoError("enough")

    monkeypatch.setattr(train, "run", run)
    return got


@pytest.mark.parametrize("name", ["settings.yaml", "settings.toml", "settings.json"])
def test_settings_come_from_a_file_set_stands_above_it_and_flags_above_all(
    home: Path, yocto, settings: dict[str, Any], name: str
) -> None:
    (home / name).write_text(CONFIGS[name])
    yocto(
        "train", "--config", name, "--set", "max-iters=4", "--set", "n_head=1", "--set",
        "learning_rate=2e-3", "--learning-rate", "0.5",
    )  # fmt: skip
    assert settings["n_layer"] == 2  # the file
    assert settings["max_iters"] == 4  # --set
    assert settings["n_head"] == 1
    assert settings["learning_rate"] == 0.5  # the flag
    assert settings["given"] == {"n_layer", "max_iters", "n_head", "learning_rate"}


def test_a_flag_that_repeats_a_default_counts_as_given(yocto, settings: dict[str, Any]) -> None:
    yocto("train", "--min-lr", "0", "--no-compile")
    assert settings["given"] == {"min_lr", "compile"}


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("a.yaml", "n_leyer: 2", ["n_leyer", "Did you mean 'n_layer'"]),
        ("a.toml", "eval_intervall = 2", ["eval_intervall", "Did you mean 'eval_interval'"]),
        ("a.json", '{"n_layer": "two"}', ["n_layer is 'two'", "a whole number"]),
        ("a.yaml", "n_layer: 0", ["n_layer is 0", "from 1 to 1000"]),
        ("a.yaml", "- 1\n- 2", ["a.yaml", "no table of settings"]),
        ("a.json", "{", ["a.json", "can't be read as json"]),
        ("a.ini", "n_layer=2", ["a.ini", ".yaml, .toml or .json"]),
        ("missing.yaml", None, ["missing.yaml", "can't read"]),
    ],
)
def test_a_mistake_in_a_settings_file_is_a_usage_error_that_names_it(
    home: Path, yocto, name: str, text: str | None, parts: list[str]
) -> None:
    if text is not None:
        (home / name).write_text(text)
    assert_mistake(yocto("train", "--config", name), 2, *parts)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["train", "--n-layer", "two"], "--n-layer"),
        (["train", "--n-layer", "0"], "from 1 to 1000"),
        (["train", "--mode", "word"], "--mode"),
        (["train", "--n-leyer", "2"], "--n-layer"),
        (["train", "--set", "n_leyer=2"], "Did you mean 'n_layer'"),
        (["train", "--set", "n_layer"], "KEY=VALUE"),
        (["train", "--set", "n_layer=[1]"], "a whole number"),
        (["train", "--learning-rate", "nan"], "from 0 to 10"),
        (["sample", "--top-p", "1.5"], "from 1e-06 to 1"),
        (["sample", "--temperature", "-1"], "from 0 to 100"),
        (["sample", "--num-samples", "0"], "--num-samples is 0"),
        (["sample", "surplus"], "surplus"),
        (["trian"], "trian"),
        (["prepare-char", "--val-ratio", "2"], "from 0 to 0.9"),
    ],
)
def test_wrong_usage_is_told_with_status_2(yocto, arguments: list[str], part: str) -> None:
    assert_mistake(yocto(*arguments), 2, part)


@pytest.mark.parametrize("command", [c.name for c in app_module.COMMANDS])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_shows_the_examples(yocto, command: str, flag: str) -> None:
    result = yocto(*command.split(), flag)
    assert result.exit_code == 0
    (found,) = [c for c in app_module.COMMANDS if c.name == command]
    for example in found.examples:
        assert example in result.stdout


@pytest.mark.parametrize(
    "example", [example for command in app_module.COMMANDS for example in command.examples]
)
def test_the_examples_parse(
    yocto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, example: str
) -> None:
    import shlex

    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text("points: 5\n")  # what --config reads
    ran = []

    def execute(command: Any, common: Any, flags: Any) -> int:
        command.config.from_dict(app_module._settings(command.config, common, flags)[0])
        ran.append(command.name)
        return 0

    monkeypatch.setattr(app_module, "_execute", execute)
    program, *arguments = shlex.split(example)
    result = yocto(*arguments)
    assert result.exit_code == 0, result.output
    assert (program, len(ran)) == ("yocto", 1)
    assert " ".join(arguments).startswith(ran[0])


def test_help_lists_every_command(yocto) -> None:
    lines = [(command.name, command.help) for command in app_module.COMMANDS]
    for name, text in [*lines, *app_module.GROUPS.items()]:
        *group, name = name.split()
        result = yocto(*group, "--help")
        assert result.exit_code == 0
        start = re.escape(text[:20])  # the rest may be cut to the terminal's width
        assert re.search(rf"^ +{name} +{start}", result.stdout, re.M)


def test_every_group_has_commands_and_alone_shows_its_help(yocto) -> None:
    assert {c.name.split()[0] for c in app_module.COMMANDS if " " in c.name} == {*app_module.GROUPS}
    commands = {c.name for c in app_module.COMMANDS}
    assert app_module.GROUPS.keys() & commands == {"bench", "runs"}  # which do something alone
    for group in app_module.GROUPS.keys() - commands:
        result = yocto(group)
        assert result.exit_code == 2
        assert f"Usage: yocto {group}" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["bench", "tokeniser"], ["yocto bench has no command 'tokeniser'",
                                  "Did you mean yocto bench tokenizer? yocto bench --help lists"]),
        (["bnech"], ["yocto has no command 'bnech'", "Did you mean yocto bench?"]),
        (["bench", "--json", "tokenizer"], ["Options go behind the command: yocto bench"]),
        (["--json", "bench", "tokenizer"], ["Options go behind the command: yocto bench"]),
        (["bench", "tokenizer", "--round", "3"], ["yocto bench tokenizer has no option --round",
                                                  "Did you mean --rounds?"]),
        (["bench", "tokenizer", "--rounds", "0"], ["--rounds is 0", "from 1 to 1000"]),
        (["bench", "tokenizer", "book.txt"], ["yocto bench tokenizer takes options only"]),
        (["runs", "token-1"], ["yocto runs has no command 'token-1'", "yocto runs --help lists"]),
        (["runs", "compar"], ["yocto runs has no command 'compar'", "mean yocto runs compare?"]),
        (["runs", "--sorted", "name"], ["yocto runs has no option --sorted", "mean --sort?"]),
        (["runs", "--rounds", "3"], ["yocto runs has no option --rounds", "bench tokenizer"]),
        (["runs", "--json", "compare", "a"], ["yocto runs takes no options before compare",
                                              "Options go behind the command: yocto runs compare"]),
        (["runs", "--ckpt-dir", "x", "compare"], ["yocto runs compare --ckpt-dir"]),
        (["plot", "--run", "a"], ["yocto plot has no option --run", "yocto plot --help lists"]),
    ],
)  # fmt: skip
def test_wrong_usage_in_a_group_is_told_alike(
    yocto, arguments: list[str], parts: list[str]
) -> None:
    assert_mistake(yocto(*arguments), 2, *parts)


def test_the_version_is_the_packages(yocto) -> None:
    result = yocto("--version")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"yocto {package.__version__}"
    assert lines[1].startswith("python 3.")
    assert lines[2] == f"torch {torch.__version__}"
    assert re.fullmatch(r"device \w+.*", lines[3])


def test_python_m_yocto_tells_wrong_usage_alike() -> None:
    for arguments, part in [
        (["trian"], "yocto has no command 'trian'\nDid you mean yocto train?"),
        (
            ["bench", "tokeniser"],
            "yocto bench has no command 'tokeniser'\nDid you mean yocto bench",
        ),
        (["--json", "train"], "Options go behind the command: yocto train --json"),
    ]:
        result = subprocess.run(
            [sys.executable, "-m", "yocto", *arguments], capture_output=True, text=True
        )
        assert result.returncode == 2
        assert part in result.stderr


def test_python_m_yocto_is_the_same_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "yocto", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith(f"yocto {package.__version__}\n")


# ---------------------------------------------------------------------------------------- errors


def test_the_ways_out_of_an_existing_name_are_listed(at, char_project: Project, yocto) -> None:
    at(char_project)
    assert_mistake(
        yocto("train", "--mode", "char", "--run-name", "char-1", *SHORT),
        1, "char-1 is there already", "--resume auto", "--overwrite", "--run-name char-2",
    )  # fmt: skip


def test_stale_data_is_made_anew_or_refused_with_a_command_that_helps(home: Path, yocto) -> None:
    def tokenizer(size: int) -> None:
        yocto("train-tokenizer", "--text-path", "book.txt", "--vocab-size", str(size))

    tokenizer(300)
    yocto("train", *SHORT)
    tokenizer(290)
    again = yocto("train", *SHORT)
    assert again.exit_code == 0
    assert "note: the tokenizer has changed" in again.stderr

    yocto("encode")
    tokenizer(280)
    refused = yocto("train", *SHORT)
    assert_mistake(refused, 1, "made with another tokenizer")
    command = re.search(r"yocto (encode .*)", refused.stderr)
    assert command is not None
    assert yocto(*command[1].split()).exit_code == 0
    assert yocto("train", *SHORT).exit_code == 0


def test_a_finished_run_tells_a_command_that_trains_on(at, char_project: Project, yocto) -> None:
    at(char_project)
    # The copy has its data where the run's own settings don't look, so they are told.
    where = ["--data-dir", "data/char", "--ckpt-dir", "checkpoints"]
    finished = yocto("train", "--mode", "char", "--resume", "auto", *where)
    assert finished.exit_code == 0
    assert "is finished" in finished.stdout
    command = re.search(r"to train on: yocto (.*)", finished.stdout)
    assert command is not None
    assert "--max-iters 40" in command[1]
    on = yocto(*command[1].split(), "--data-dir", "data/char")
    assert on.exit_code == 0, on.output
    assert "step 40: " in on.stderr


def test_a_resumed_run_refuses_another_architecture(at, char_project: Project, yocto) -> None:
    at(char_project)
    result = yocto(
        "train", "--mode", "char", "--run-name", "char-1", "--resume", "auto", "--n-embd", "32"
    )
    assert_mistake(result, 1, "keeps its architecture", "n_embd 16 -> 32")


def test_a_validation_split_too_short_is_one_clear_error(home: Path, yocto) -> None:
    (home / "tiny.txt").write_text(make_text(4)[:200], encoding="utf-8")
    assert yocto("prepare-char", "--text-path", "tiny.txt").exit_code == 0
    result = yocto("train", "--mode", "char", *SHORT)
    assert_mistake(result, 1, "validation split has 20 tokens", "--block-size 19")


def test_unknown_characters_in_a_prompt_are_named(at, char_project: Project, yocto) -> None:
    at(char_project)
    assert_mistake(yocto("sample", "--prompt", "a €"), 1, "'€' (U+20AC)")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["sample"], ["no trained run under checkpoints", "yocto train"]),
        (["chat"], ["no trained run under checkpoints"]),
        (["train"], ["no tokenizer in data/token", "yocto train-tokenizer"]),
        (["train", "--mode", "char"], ["yocto prepare-char"]),
        (["encode"], ["yocto train-tokenizer"]),
        (["prepare-char", "--text-path", "none.txt"], ["no text file none.txt"]),
        (["train-tokenizer", "--text-path", "nothing/*.txt"], ["no file matches", "--text-path"]),
    ],
)
def test_what_is_missing_is_named_with_the_next_command(
    home: Path, yocto, arguments: list[str], parts: list[str]
) -> None:
    assert_mistake(yocto(*arguments), 1, *parts)


def test_debug_shows_the_traceback(home: Path, yocto) -> None:
    plain, debug = yocto("sample"), yocto("sample", "--debug")
    assert (plain.exit_code, debug.exit_code) == (1, 1)
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr
    assert "no trained run" in debug.stderr


@pytest.mark.parametrize(
    ("error", "status", "part"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 1, "--batch-size"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), 1, "out of memory"),
    ],
)
def test_what_can_go_wrong_in_a_command_becomes_a_status(
    yocto, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, part: str
) -> None:
    from yocto.commands import train

    def fail(config: Any, progress: Any) -> None:
        raise error

    monkeypatch.setattr(train, "run", fail)
    assert_mistake(yocto("train"), status, part)


def test_a_fault_of_ours_is_not_hidden(yocto, monkeypatch: pytest.MonkeyPatch) -> None:
    from yocto.commands import train

    def fail(config: Any, progress: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(train, "run", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        yocto("train")


def test_errors_are_red_on_a_terminal_unless_no_color_is_set(
    home: Path, yocto, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b" not in yocto("sample").stderr
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[31m" in yocto("sample").stderr
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in yocto("sample").stderr


# ---------------------------------------------------------------------------------------- sample


def test_samples_are_parted_and_not_streaming_prints_the_same(
    at, char_project: Project, yocto
) -> None:
    at(char_project)
    arguments = ["sample", "--num-samples", "3", "--max-new-tokens", "9", "--seed", "1"]
    result = yocto(*arguments, "--prompt", "the ")
    assert result.exit_code == 0
    assert result.stdout.count("-" * 20) == 2
    assert result.stdout.count("the ") >= 3
    assert yocto(*arguments, "--prompt", "the ", "--no-stream").stdout == result.stdout
    assert yocto(*arguments, "--prompt", "the ", "--seed", "2").stdout != result.stdout


def test_a_batch_file_is_continued_line_by_line(at, char_project: Project, yocto) -> None:
    project = at(char_project)
    (project.root / "prompts.txt").write_text("the \n\nwho \n", encoding="utf-8")
    greedy = ["sample", "--greedy", "--max-new-tokens", "8"]
    result = yocto(*greedy, "--batch-file", "prompts.txt")
    assert result.exit_code == 0
    assert result.stderr == "note: 1 empty line of prompts.txt is left out\n"
    alone = [yocto(*greedy, "--prompt", prompt).stdout for prompt in ("the ", "who ")]
    assert result.stdout == f"{'-' * 20}\n".join(alone)
    assert yocto(*greedy, "--batch-file", "-", input="the \nwho \n").stdout == result.stdout
    both = yocto(*greedy, "--batch-file", "prompts.txt", "--prompt", "a")
    assert_mistake(both, 2, "--batch-file or --prompt")


def test_logprobs_ask_for_json(at, char_project: Project, yocto) -> None:
    at(char_project)
    assert_mistake(yocto("sample", "--logprobs", "2"), 2, "--json")
    found = json.loads(yocto("sample", "--logprobs", "2", "--max-new-tokens", "3", "--json").stdout)
    assert len(found["samples"][0]["logprobs"]) == 3


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--logit-bias", "262"], ["'262'", "--logit-bias 262=-5"]),
        (["--logit-bias", "99999=1"], ["the id 99999", "yocto inspect"]),
        (["--beam", "3", "--top-p", "0.9"], ["top_p can't go with it", "--beam 1"]),
        (["--beam", "3", "--num-samples", "2"], ["--num-samples or --beam"]),
        (["--presence-penalty", "3"], ["from -2 to 2"]),
        (["--logprobs", "21"], ["from 0 to 20"]),
    ],
)
def test_mistakes_in_what_shapes_the_choice_are_told(
    at, char_project: Project, yocto, arguments: list[str], parts: list[str]
) -> None:
    at(char_project)
    assert_mistake(yocto("sample", *arguments), 2, *parts)


def test_beam_search_and_biases_reach_the_model(at, char_project: Project, yocto) -> None:
    at(char_project)
    one = yocto("sample", "--beam", "3", "--max-new-tokens", "9")
    assert one.exit_code == 0
    assert yocto("sample", "--beam", "3", "--max-new-tokens", "9").stdout == one.stdout
    assert yocto("sample", "--set", "beam=3", "--max-new-tokens", "9").stdout == one.stdout
    biased = ["sample", "--logit-bias", "5=1000", "--max-new-tokens", "4", "--json"]
    assert json.loads(yocto(*biased).stdout)["samples"][0]["ids"] == [5] * 4


def test_no_stream_reaches_the_command(at, char_project: Project, yocto, monkeypatch) -> None:
    from yocto.cli import render

    at(char_project)
    writes: list[str] = []
    monkeypatch.setattr(render, "write", writes.append)
    yocto("sample", "--max-new-tokens", "9", "--no-stream")
    assert len(writes) == 1
    writes.clear()
    yocto("sample", "--max-new-tokens", "9")
    assert len(writes) == 10


def test_a_prompt_comes_from_a_file_or_standard_input(at, char_project: Project, yocto) -> None:
    project = at(char_project)
    (project.root / "prompt.txt").write_text("the stone", encoding="utf-8")
    greedy = ["sample", "--greedy", "--max-new-tokens", "8"]
    typed = yocto(*greedy, "--prompt", "the stone").stdout
    assert typed.startswith("the stone")
    assert yocto(*greedy, "--prompt", "@prompt.txt").stdout == typed
    assert yocto(*greedy, "--prompt", "-", input="the stone").stdout == typed


def test_a_prompt_longer_than_the_context_is_used_with_a_notice(
    at, char_project: Project, yocto
) -> None:
    at(char_project)
    prompt = "the river " * 20
    result = yocto("sample", "--prompt", prompt, "--max-new-tokens", "5")
    assert result.exit_code == 0
    assert "note: the prompt has 200 tokens; the model sees the last 48" in result.stderr
    assert result.stdout.startswith(prompt)


def test_a_checkpoint_is_chosen_by_name_path_and_latest(at, char_project: Project, yocto) -> None:
    project = at(char_project)
    for ckpt in ("char-1", "checkpoints/char-1", "latest", str(project.step)):
        assert yocto("sample", "--ckpt", ckpt, "--max-new-tokens", "2").exit_code == 0
    assert_mistake(yocto("sample", "--ckpt", "chra-1"), 1, "'chra-1'", "char-1")


def test_a_damaged_checkpoint_is_named(at, char_project: Project, yocto) -> None:
    project = at(char_project)
    for file in project.run.glob("step-*/model.safetensors"):
        file.write_bytes(file.read_bytes()[:-1])
    assert_mistake(yocto("sample"), 1, "model.safetensors")


# --------------------------------------------------------------------------------------- signals


def test_ctrl_c_saves_the_run_tells_how_to_go_on_and_that_works(
    at, char_project: Project, yocto
) -> None:
    project = at(char_project)
    endless = ["--max-iters", "1000000", "--eval-interval", "1000000"]
    shape = ["--n-layer", "1", "--n-head", "2", "--n-embd", "16", "--block-size", "48"]
    process = subprocess.Popen(
        [sys.executable, "-m", "yocto", "train", "--mode", "char", *shape, *endless],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        metrics = project.checkpoints / "char-2" / "metrics.jsonl"
        patience = time.monotonic() + 120
        while not metrics.exists() and process.poll() is None and time.monotonic() < patience:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    stopped = re.search(r"stopped at step (\d+) of 1000000; all is saved in (\S+)", out)
    command = re.search(r"to go on: yocto (.*)", out)
    assert stopped is not None, out
    assert command is not None
    assert stopped[2] == "checkpoints/char-2"
    step = int(stopped[1])
    assert step >= 10
    again = yocto(*command[1].split(), "--max-iters", step + 3)
    assert again.exit_code == 0, again.output
    assert f"going on with checkpoints/char-2 at step {step}" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "sign"),
    [(["--max-new-tokens", "1000000"], 10), (["--num-samples", "99", "--batch-size", "1"], 200)],
)
def test_ctrl_c_keeps_the_text_that_came(
    at, char_project: Project, arguments: list[str], sign: int
) -> None:
    at(char_project)
    process = subprocess.Popen(
        [sys.executable, "-m", "yocto", "sample", "--prompt", "the ", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        begun = b""  # unbuffered: what is read too much would be lost
        while len(begun) < sign and (more := process.stdout.read(sign)):
            begun += more
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert err == b"interrupted\n"
    *whole, last = (begun + out).decode().split("-" * 20 + "\n")
    assert [len(text) for text in whole] == [4 + 256 + 1] * len(whole)
    assert last.startswith("the ")
    assert last.endswith("\n")
    assert len(whole) < 98


@pytest.mark.parametrize(
    "arguments", [["--max-new-tokens", "1000000"], ["--num-samples", "1000000"]]
)
def test_a_reader_that_goes_away_ends_the_command_quietly(
    at, char_project: Project, arguments: list[str]
) -> None:
    at(char_project)
    process = subprocess.Popen(
        [sys.executable, "-m", "yocto", "sample", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.read(5)
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        assert process.wait(timeout=60) == 0, err
    finally:
        process.kill()
        process.stderr.close()
    assert err == ""


# ---------------------------------------------------------------------------------- show-config


def sources(text: str) -> dict[str, str]:
    """Setting -> where it comes from, of what --show-config prints."""
    return {line.split(":")[0]: line.rpartition("# ")[2] for line in text.splitlines()}


def test_show_config_tells_what_counts_and_where_it_comes_from(home: Path, yocto) -> None:
    (home / "my.yaml").write_text("n_layer: 5\nn_head: 2\nseed: 3\n")
    result = yocto(
        "train", "--config", "my.yaml", "--set", "n_head=8", "--set", "seed=4", "--seed", "5",
        "--preset", "gpu-token", "--show-config",
    )  # fmt: skip
    assert result.exit_code == 0
    assert result.stderr == ""
    shown = yaml.safe_load(result.stdout)
    assert (shown["n_layer"], shown["n_head"], shown["seed"]) == (5, 8, 5)
    assert shown["n_embd"] == 384  # the preset's
    where = sources(result.stdout)
    assert where["n_layer"] == "my.yaml"
    assert where["n_head"] == "--set"
    assert where["seed"] == where["preset"] == "flag"
    assert where["n_embd"] == "preset gpu-token"
    assert where["weight_decay"] == "default"
    assert not (home / "checkpoints").exists()  # nothing was trained


@pytest.mark.parametrize("command", app_module.COMMANDS, ids=lambda command: command.name)
def test_what_show_config_prints_can_be_read_back(home: Path, yocto, command: Any) -> None:
    words = command.name.split()
    first = yocto(*words, "--show-config")
    (home / "shown.yaml").write_text(first.stdout)
    second = yocto(*words, "--config", "shown.yaml", "--show-config")
    assert yaml.safe_load(second.stdout) == yaml.safe_load(first.stdout)
    if command.json:
        as_json = yocto(*words, "--show-config", "--json")
        assert json.loads(as_json.stdout) == yaml.safe_load(first.stdout)


def test_what_wins_takes_the_other_name_of_the_same_thing_with_it(home: Path, yocto) -> None:
    (home / "m.yaml").write_text("max_iters: 7\n")

    def shown(*flags: str) -> dict[str, Any]:
        result = yocto("train", "--config", "m.yaml", *flags, "--show-config")
        assert result.exit_code == 0, result.stderr
        return yaml.safe_load(result.stdout)

    assert shown()["max_iters"] == 7
    timed = shown("--minutes", "2")
    assert timed["minutes"] == 2.0
    assert "max_iters" not in timed
    (home / "t.yaml").write_text(yaml.safe_dump(timed))
    back = yocto("train", "--config", "t.yaml", "--set", "max_iters=9", "--show-config")
    assert yaml.safe_load(back.stdout)["max_iters"] == 9
    assert "minutes" not in yaml.safe_load(back.stdout)


@pytest.mark.parametrize(
    ("flags", "counts"),
    [
        ((), ("epochs", 3.0)), (("--epochs", "2"), ("epochs", 2.0)),
        (("--minutes", "2"), ("minutes", 2.0)), (("--max-iters", "7"), ("max_iters", 7)),
        (("--set", "minutes=off"), ("epochs", 3.0)),
    ],
)  # fmt: skip
def test_of_three_names_for_the_length_of_a_fine_tuning_one_is_shown_and_read_back(
    home: Path, yocto, flags: tuple[str, ...], counts: tuple[str, Any]
) -> None:
    def shown(*flags: str) -> tuple[dict[str, Any], dict[str, str]]:
        result = yocto("finetune", *flags, "--show-config")
        assert result.exit_code == 0, result.stderr
        return yaml.safe_load(result.stdout), sources(result.stdout)

    first, where = shown(*flags)
    lengths = {n: v for n, v in first.items() if n in ("minutes", "epochs", "max_iters")}
    assert lengths == dict([counts])
    assert where[counts[0]] == ("flag" if flags[:1] not in ((), ("--set",)) else "default")
    (home / "shown.yaml").write_text(yaml.safe_dump(first))
    assert shown("--config", "shown.yaml")[0] == first
    assert shown("--config", "shown.yaml", "--max-iters", "9")[0]["max_iters"] == 9


def test_a_text_behind_set_is_taken_as_it_is(home: Path, yocto) -> None:
    result = yocto("train", "--set", "run_name=2024", "--set", "max_iters=1e3", "--show-config")
    shown = yaml.safe_load(result.stdout)
    assert (shown["run_name"], shown["max_iters"]) == ("2024", 1000)


def test_a_lone_text_in_a_file_is_a_list_of_one(home: Path, yocto) -> None:
    (home / "p.yaml").write_text("text_path: book.txt\n")
    result = yocto("prepare-char", "--config", "p.yaml", "--show-config")
    assert yaml.safe_load(result.stdout)["text_path"] == ["book.txt"]


def test_an_option_before_the_command_is_told_where_it_belongs(yocto) -> None:
    result = yocto("--json", "train")
    assert result.exit_code == 2
    assert "Options go behind the command: yocto train --json" in result.stderr


@pytest.mark.parametrize("text", ["# no", "null", "a: b", " x\n\ty ", '"q"', "é🙂", "1e3", "- a"])
def test_texts_come_back_from_show_config(home: Path, yocto, text: str) -> None:
    shown = yocto("sample", "--prompt", text, "--stop", text, "--show-config").stdout
    assert yaml.safe_load(shown)["prompt"] == text
    assert yaml.safe_load(shown)["stop"] == [text]


def test_a_run_keeps_its_settings_as_a_file_that_trains_another_like_it(home: Path, yocto) -> None:
    yocto("prepare-char", "--text-path", "book.txt")
    yocto("train", "--mode", "char", *SHORT, "--seed", "9", "--run-name", "first")
    file = "checkpoints/first/config.yaml"
    again = yocto("train", "--config", file, "--run-name", "second")
    assert again.exit_code == 0, again.stderr
    (step,) = (home / "checkpoints" / "first").glob("step-000004")
    (twin,) = (home / "checkpoints" / "second").glob("step-000004")
    assert (step / "model.safetensors").read_bytes() == (twin / "model.safetensors").read_bytes()


def test_a_resumed_run_shows_its_own_settings(at, char_project: Project, yocto) -> None:
    at(char_project)
    result = yocto("train", "--mode", "char", "--resume", "auto", "--max-iters", "33",
                   "--show-config")  # fmt: skip
    shown = yaml.safe_load(result.stdout)
    assert (shown["n_embd"], shown["max_iters"]) == (SHAPE["n_embd"], 33)
    assert sources(result.stdout)["n_embd"] == "run char-1"
    assert sources(result.stdout)["max_iters"] == "flag"


# ---------------------------------------------------------------------------------------- quiet


def test_quiet_leaves_results_and_notices(home: Path, yocto) -> None:
    assert yocto("prepare-char", "--text-path", "book.txt", "--quiet").stderr == ""
    trained = yocto("train", "--mode", "char", *SHORT, "--quiet")
    assert "validation loss" in trained.stdout
    assert trained.stderr == ""
    resumed = yocto("train", "--mode", "char", "--run-name", "x", *SHORT, "--resume", "auto",
                    "--quiet")  # fmt: skip
    assert resumed.stderr.startswith("note: there is no run 'x'")
    assert len(resumed.stderr.splitlines()) == 1
    missing = yocto("sample", "--ckpt", "nope", "--quiet")
    assert missing.stderr.startswith("error: ")


def test_nothing_is_coloured_where_no_color_is_set(home: Path, monkeypatch) -> None:
    environment = {**os.environ, "TERM": "xterm-256color", "FORCE_COLOR": "1"}
    command = [sys.executable, "-m", "yocto", "sample", "--ckpt", "nope"]
    colour = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert "\x1b[31m" in colour.stderr
    plain = subprocess.run(
        command, capture_output=True, text=True, env={**environment, "NO_COLOR": "1"}
    )
    assert "\x1b[3" not in plain.stderr
    assert "nope" in plain.stderr
