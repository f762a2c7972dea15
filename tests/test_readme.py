"""README's promises: its tree is the tracked tree, its commands exist as they are written."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from yocto.cli.app import COMMANDS, make_app

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


def shell_lines() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [part.strip() for b in blocks for line in b.splitlines() for part in line.split("&&")]


@pytest.mark.parametrize("line", [x for x in shell_lines() if x.startswith("yocto ")])
def test_a_command_in_the_readme_parses(line):
    # --help after the flags: they are parsed, and nothing runs.
    result = CliRunner().invoke(make_app(), [*shlex.split(line)[1:], "--help"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("command", [c.name for c in COMMANDS])
def test_the_table_of_the_readme_names_every_command(command):
    assert f"| `yocto {command}` |" in README


def test_the_four_lines_stand_in_the_readme_in_order():
    lines = ["yocto train-tokenizer --vocab-size 8000", "yocto train --mode token",
             "yocto sample --top-p 0.9", "yocto chat"]  # fmt: skip
    assert "\n".join(lines) in README
