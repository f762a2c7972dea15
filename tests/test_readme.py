"""README's promises: its tree is the tracked tree, its commands exist as they are written."""

import gzip
import json
import re
import shlex
import subprocess
from contextlib import redirect_stdout
from dataclasses import replace
from hashlib import sha256
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import tiktoken
from conftest import SHAPE
from hostile_server import Server as Web
from hostile_server import good, serving
from served import served
from tiny import make_text

from yocto import load
from yocto.cli.options import flag_of
from yocto.cli.reference import reference
from yocto.cli.table import COMMANDS
from yocto.commands import bench
from yocto.dataset import download, registry
from yocto.serving.server import Server

# What makes the models of a study small.
STUDY = ("n_layer=1", "n_head=1", "n_embd=8", "block_size=16", "batch_size=2", "device=cpu")
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tree_paths() -> set[str]:
    """The paths in README's tree; a folder's line stands for its __init__.py too."""
    (block,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    paths, folders = set(), []
    for line in block.splitlines():
        name, _, purpose = line.strip().partition(" ")
        depth = (len(line) - len(line.lstrip())) // 2
        folders = folders[:depth]
        path = "".join(folders) + name
        if name.endswith("/"):
            folders.append(name)
        else:
            assert purpose.strip(), f"{path} has no purpose"
        paths.add(path)
    return paths


def tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git clone")
    return listed.stdout.split()


def test_the_tree_in_the_readme_is_the_tracked_tree():
    tracked = {f for f in tracked_files() if not f.startswith("tests/")}
    folders = {f"{parent.as_posix()}/" for f in tracked for parent in Path(f).parents} - {"./"}
    inits = {f for f in tracked if f.endswith("/__init__.py")}
    shown = tree_paths() - {"tests/"}
    assert "tests/" in tree_paths()
    assert shown - (tracked | folders) == set(), "in README, but not tracked"
    assert (tracked - inits) - shown == set(), "tracked, but not in README"
    assert folders - shown == set(), "folders that README does not name"


def test_the_reference_of_all_commands_is_true():
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == reference(), "python -m yocto.cli.reference > docs/commands.md"


# --------------------------------------------------------------------- every command that is shown


def shown_commands() -> list[str]:
    """All commands of README, in its sentences too, and the examples of all helps, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [part.strip() for b in blocks for line in b.splitlines() for part in line.split("&&")]
    prose = re.findall(r"`(yocto [^`]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
    names = {f"yocto {command.name}" for command in COMMANDS}
    whole = [
        text for text in prose if text not in names and not re.search(r"\b[A-Z]{3,}\b|…", text)
    ]
    examples = [example for command in COMMANDS for example in command.examples]
    return [x for x in [*lines, *whole, *examples] if x.startswith("yocto ")]


def in_miniature(line: str) -> list[str]:
    """The arguments of a shown command, with what makes it quick behind them: what is typed last
    wins."""
    name, *arguments = shlex.split(line)[1:]
    if name == "compare-tokenizers":
        arguments = ["300,320" if "000," in word else word for word in arguments]
    if (name, arguments[:1]) == ("bench", ["train"]):
        return [name, *arguments, *_short_training("--only" in arguments)]
    if (name, arguments[:1]) == ("bench", ["decode"]):
        small = {"n_layer": 1, "n_head": 1, "n_embd": 8, "block_size": 8, "vocab_size": 50}
        small |= {"prompt_tokens": 2, "new_tokens": 4, "batch_size": 2, "rounds": 1}
        return [name, *arguments, *flags_of(small), "--peers", "no-cache"]
    if (name, arguments[:1]) == ("bench", ["eval"]):
        small = {"n_layer": 1, "n_head": 1, "n_embd": 8, "block_size": 8, "vocab_size": 50}
        return [name, *arguments, *flags_of(small | {"batch_size": 2, "rounds": 1})]
    shape = dict(SHAPE)
    if "--minutes" in arguments:
        del shape["max_iters"]
    if "ray" in arguments:  # no cluster but this machine
        arguments += ["--address", "local", "--workers", "1"]
    small = {
        "train": flags_of(shape),
        "finetune": ["--epochs", "4", "--batch-size", "1"],
        "sample": ["--max-new-tokens", "5"],
        "chat": ["--max-new-tokens", "5"],
        "report": ["--max-new-tokens", "5"],
        "serve": ["--port", "0"],
        "bench": ["--rounds", "1", "--vocab-size", "300", "--peers", "tokenizers"],
        "study": [
            *flags_of({"vocab_size": 300, "max_iters": 2, "points": 1, "seeds": 1}),
            *(x for knob in STUDY for x in ("--train", knob)),
        ],
    }.get(name, [])
    if name == "quickstart" or "--minutes" in arguments:
        small += ["--minutes", "0.01"]
    return [name, *arguments, *small]


def flags_of(values: dict[str, int]) -> list[str]:
    """Knobs as they are typed."""
    return [x for knob, value in values.items() for x in (flag_of(knob), str(value))]


def _short_training(speed: bool) -> list[str]:
    """What makes a measurement of training quick."""
    if speed:
        small = {"n_layer": 1, "n_head": 1, "n_embd": 8, "block_size": 8, "rounds": 1}
        return flags_of(small)
    return ["--only", "learning", "--seeds", "1", "--scale", "0.01", "--peers", "nanogpt-recipe"]


def stand_in_for_the_web(server: Web, text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address leads to a server here, whose files are this small text; what a list knows of
    checksums is that of the text."""
    real = download.open_url

    def open_here(url: str, *arguments):
        assert url.startswith("https://")
        return real(server.url(urlsplit(url).path), *arguments)

    def known(file: registry.RemoteFile) -> registry.RemoteFile:
        return replace(file, sha256=file.sha256 and sha256(text).hexdigest())

    datasets = [replace(d, files=tuple(map(known, d.files))) for d in registry.DATASETS]
    monkeypatch.setattr(download, "open_url", open_here)
    monkeypatch.setattr(registry, "DATASETS", tuple(datasets))


@pytest.fixture
def _small_work(monkeypatch):
    """A small part of `yocto bench`, and a tokenizer of bytes for all of OpenAI's names."""
    ranks = {bytes([i]): i for i in range(256)}
    pattern = r"\S+|\s+"
    made = tiktoken.Encoding("bytes", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: made)
    small = {"n_layer": 1, "n_head": 1, "n_embd": 8, "block_size": 32}
    monkeypatch.setattr(bench, "DECODE_SHAPE", {**small, "prompt_tokens": 2, "new_tokens": 4})
    # One part stands for all, which have commands of their own here.
    monkeypatch.setattr(bench, "PARTS", {"decode": bench.PARTS["decode"]})


@pytest.fixture
def web(monkeypatch):
    """A small web on this machine."""
    text = make_text(150, 4).encode()
    with serving(good(text)) as server:
        stand_in_for_the_web(server, text, monkeypatch)
        yield server


@pytest.mark.usefixtures("_small_work")
def test_every_command_shown_runs_in_the_order_shown(tmp_path, monkeypatch, yocto, web):
    """As typed but for the size: `data/philosophy.txt` is a small text here, training short, the
    web a server on this machine, and what serves stops at once."""
    monkeypatch.chdir(tmp_path)
    serve = Server.run_until_asked
    monkeypatch.setattr(Server, "run_until_asked", lambda server: server.listening.close())
    monkeypatch.setenv("YOCTO_API_KEY", "as README sets it")
    (tmp_path / "data").mkdir()
    texts = {"data/philosophy.txt": 0, "mybook.txt": 1, "a.txt": 2, "b.txt": 3}
    for name, seed in texts.items():
        (tmp_path / name).write_text("Once, Courage is.\n" + make_text(150, seed), encoding="utf-8")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.md").write_text(make_text(100, 5), encoding="utf-8")
    with gzip.open(tmp_path / "corpus" / "b.jsonl.gz", "wt", encoding="utf-8") as file:
        for i in range(30):
            file.write(json.dumps({"body": {"text": make_text(10, i)}}) + "\n")
    with (tmp_path / "chats.jsonl").open("w", encoding="utf-8") as file:
        for i in range(20):
            file.write(json.dumps({"instruction": make_text(1, i), "output": "The river."}) + "\n")
    (tmp_path / "prompt.txt").write_text("the river", encoding="utf-8")
    stem = {"ctx": "the river", "endings": ["knows", "seeks"], "label": 1}
    (tmp_path / "hellaswag.jsonl").write_text(json.dumps(stem) + "\n", encoding="utf-8")
    (tmp_path / "blimp").mkdir()
    for name in ("agreement", "order"):
        pair = {"sentence_good": "The river knows.", "sentence_bad": "River the knows."}
        (tmp_path / "blimp" / f"{name}.jsonl").write_text(json.dumps(pair), encoding="utf-8")
    (tmp_path / "prompts.txt").write_text("the river\nthe road\n", encoding="utf-8")
    (tmp_path / "README.md").write_text(make_text(100, 6), encoding="utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "commands.md").write_text(make_text(100, 7), encoding="utf-8")
    (study,) = re.findall(r"```yaml\n(# study\.yaml\n.*?)```", README, re.DOTALL)
    (tmp_path / "study.yaml").write_text(study, encoding="utf-8")
    lines = shown_commands()
    assert len(lines) > 25
    if find_spec("ray") is None:
        lines = [line for line in lines if "--engine ray" not in line]
    for line in lines:
        result = yocto(*in_miniature(line), input="Who?\n/exit\n")
        assert result.exit_code == 0, f"{line}: {result.output}{result.stderr}"
    assert web.seen  # what downloads was among them
    monkeypatch.setattr(Server, "run_until_asked", serve)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) > 1
    with redirect_stdout(StringIO()), served(load("checkpoints/token-1"), "token-1") as server:
        for block in blocks:
            here = block.replace("http://127.0.0.1:8000", server.url)
            exec(compile(here, "README.md", "exec"), {})


@pytest.mark.parametrize("command", [c.name for c in COMMANDS])
def test_the_table_of_the_readme_names_every_command(command):
    assert f"| `yocto {command}` |" in README


def test_the_four_lines_stand_in_the_readme_in_order():
    lines = ["yocto train-tokenizer --vocab-size 8000", "yocto train --mode token",
             "yocto sample --top-p 0.9", "yocto chat"]  # fmt: skip
    assert "\n".join(lines) in README
