"""The rules of the house: which module may import which, what `--help` loads, and who prints."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import yocto

PACKAGE = Path(yocto.__file__).parent
# From the top down, as in DESIGN: a module imports from lines below its own, and from its own name.
LAYERS = [
    {"cli"},
    {"commands"},
    {"serving", "report", "bench"},
    {"evaluation"},
    {"api"},
    {"chat"},
    {"training", "sampling", "interop"},
    {"checkpoint"},
    {"model", "dataset", "tokenizer"},
    {"kernels"},
    {"utils"},
    {"config"},
    {"errors"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
HEAVY = {"torch", "numpy", "numba", "scipy", "yaml", "tqdm", "tokenizers", "transformers", "regex"}


def modules(package: Path) -> Iterator[tuple[str, Path]]:
    """Dotted name and file of every module."""
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def imports(tree: ast.AST, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all that is imported, anywhere in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                parts = module.split(".")
                parents = parts[: len(parts) - node.level + is_package]
                source = ".".join([*parents, *filter(None, [node.module])])
            if source == "yocto":
                # `from yocto import errors` imports a module, `from yocto import GPT` a name.
                yield from ((node.lineno, f"yocto.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, source


def layer_faults(package: Path) -> list[str]:
    """What breaks the rule, one line each."""
    faults = []
    for module, file in modules(package):
        if module in ("yocto", "yocto.__main__"):
            continue
        own = module.split(".")[1]
        if own not in LEVEL:
            faults.append(f"{module} is in no layer")
            continue
        for line, name in imports(
            ast.parse(file.read_text("utf-8")), module, file.stem == "__init__"
        ):
            parts = name.split(".")
            if parts[0] != "yocto" or parts == ["yocto"] or name == "yocto.__version__":
                continue
            if parts[1] != own and LEVEL.get(parts[1], -1) <= LEVEL[own]:
                faults.append(f"{module}:{line} imports {name}")
    return faults


def test_imports_run_downward_only_the_lazy_ones_too():
    assert layer_faults(PACKAGE) == []


def test_the_walk_sees_all_of_the_package():
    found = dict(modules(PACKAGE))
    assert {"yocto", "yocto.cli.app", "yocto.tokenizer", "yocto.tokenizer.bpe"} < set(found)
    assert {name.split(".")[1] for name in found if "." in name} - {"__main__"} <= set(LEVEL)


@pytest.mark.parametrize(
    ("file", "source", "fault"),
    [
        ("config.py", "import yocto.utils.files", "yocto.config:1 imports yocto.utils.files"),
        ("config.py", "from yocto import api", "yocto.config:1 imports yocto.api"),
        ("config.py", "from yocto import GPT", "yocto.config:1 imports yocto.GPT"),
        ("dataset/a.py", "from yocto.tokenizer.bpe import X", "imports yocto.tokenizer.bpe"),
        ("dataset/a.py", "def f():\n    from yocto.model import gpt", ":2 imports yocto.model"),
        ("dataset/a.py", "if TYPE_CHECKING:\n    import yocto.chat", ":2 imports yocto.chat"),
        ("dataset/a.py", "from ..tokenizer import bpe", "imports yocto.tokenizer"),
        ("dataset/a.py", "from .. import api", "imports yocto.api"),
        ("dataset/__init__.py", "from ..cli import app", "yocto.dataset:1 imports yocto.cli"),
        ("training/a.py", "import yocto.sampling.generate", "imports yocto.sampling.generate"),
        ("other/a.py", "", "yocto.other.a is in no layer"),
        ("utils/a.py", "import yocto.other", "imports yocto.other"),
    ],
)
def test_an_upward_or_sideways_import_would_be_found(tmp_path, file, source, fault):
    path = tmp_path / "yocto" / file
    path.parent.mkdir(parents=True)
    path.write_text(source)
    (found,) = layer_faults(tmp_path / "yocto")
    assert fault in found


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("dataset/a.py", "from yocto.utils.files import x\nimport yocto.config, numpy"),
        ("dataset/a.py", "from . import b\nfrom .b import c\nfrom yocto.dataset.b import d"),
        ("dataset/__init__.py", "from .b import c\nfrom . import b"),
        ("cli/a.py", "from yocto import __version__\nimport yocto"),
        ("__main__.py", "from yocto.cli.app import main"),
    ],
)
def test_downward_imports_and_those_of_the_own_folder_are_fine(tmp_path, file, source):
    path = tmp_path / "yocto" / file
    path.parent.mkdir(parents=True)
    path.write_text(source)
    assert layer_faults(tmp_path / "yocto") == []


def calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and source of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def test_only_the_command_line_prints_or_exits():
    loud = {"print", "exit", "quit", "sys.exit", "os._exit", "sys.stdout.write", "sys.stderr.write",
            "input", "breakpoint"}  # fmt: skip
    faults, printing = [], set()
    for module, file in modules(PACKAGE):
        for line, name in calls(ast.parse(file.read_text("utf-8"))):
            if name in loud and module.startswith("yocto.cli"):
                printing.add(module)
            elif (module, name) == ("yocto.training.pulse", "os._exit"):
                continue  # of a process whose main thread waits for the dead, and can't be asked
            elif name in loud:
                faults.append(f"{module}:{line} calls {name}")
    assert faults == []
    assert printing  # what the test looks for is found where it may be


def test_modules_are_named_where_they_are_imported_except_by_the_package_and_the_command_line():
    # A name that is computed would slip past the walk above.
    faults = []
    for module, file in modules(PACKAGE):
        for line, name in calls(ast.parse(file.read_text("utf-8"))):
            computed = name.split(".")[-1] in ("import_module", "__import__")
            if computed and module != "yocto" and not module.startswith("yocto.cli"):
                faults.append(f"{module}:{line} calls {name}")
    assert faults == []


def test_no_module_imports_click_which_typer_brings_its_own_of():
    for module, file in modules(PACKAGE):
        names = imports(ast.parse(file.read_text("utf-8")), module, file.stem == "__init__")
        assert not [name for _, name in names if name.split(".")[0] == "click"], module


# ---------------------------------------------------------------------------------- what is loaded


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False
    )


def loaded(*arguments: str) -> set[str]:
    """The top-level names of all modules that a Python loads."""
    done = python("-X", "importtime", *arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    names = re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$", done.stderr, re.MULTILINE)
    return {name.split(".")[0] for name in names}


def test_what_is_loaded_would_be_found():
    assert {"numpy", "yocto"} <= loaded("-c", "import yocto.dataset.tokens")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["bench", "tokenizer", "--help"]]
)
def test_help_loads_nothing_heavy(arguments):
    names = loaded("-m", "yocto", *arguments)
    assert "yocto" in names
    assert not names & HEAVY


@pytest.mark.parametrize("arguments", [["runs"], ["runs", "compare", "token-1", "token-1b"]])
def test_looking_at_runs_waits_for_no_torch(arguments, token_project, tmp_path, monkeypatch):
    runs = token_project.copy_to(tmp_path).checkpoints
    shutil.copytree(runs / "token-1", runs / "token-1b")
    monkeypatch.chdir(tmp_path)
    names = loaded("-m", "yocto", *arguments)
    assert {"yocto", "safetensors"} <= names
    assert not names & {"torch", "numba", "matplotlib"}


def test_importing_yocto_loads_nothing_but_the_standard_library():
    code = """
import sys
before = set(sys.modules)
import yocto, yocto.config, yocto.errors
print(*{name.split(".")[0] for name in set(sys.modules) - before})
"""
    names = set(python("-c", code).stdout.split())
    assert names - set(sys.stdlib_module_names) == {"yocto"}


def test_every_public_name_resolves_and_is_where_the_package_says():
    assert "__version__" in yocto.__all__
    assert set(dir(yocto)) == set(yocto.__all__)
    assert set(yocto.__all__) == {*yocto._HOMES, "__version__"}
    for name in yocto.__all__:
        assert getattr(yocto, name) is not None
    for name, home in yocto._HOMES.items():
        assert getattr(yocto, name).__module__ == home


def test_the_names_for_type_checkers_are_the_public_ones():
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    declared = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared == yocto._HOMES


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'yocto' has no attribute 'nonsense'"):
        _ = yocto.nonsense
