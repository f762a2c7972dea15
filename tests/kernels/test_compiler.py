"""Where the machine code of kernels is kept, and that nothing that lies there breaks them."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from yocto.kernels import compiler

# A kernel that compiles in a second or two, and where it is kept. It prints what a right one gives.
KERNEL = """
import numba
from numba import types
from yocto.kernels import compiler

@compiler.inlined
def weight(c):
    return 3 * c

@compiler.kernel(types.int64, types.uint8[::1])
def total(text):
    found = 0
    for c in text:
        found += weight(c)
    return found

import numpy as np
hits = sum(total.stats.cache_hits.values())
misses = sum(total.stats.cache_misses.values())
print(total(np.array([97, 98, 99], np.uint8)), hits, misses, compiler.cache_folder())
"""
RIGHT = str(3 * sum(b"abc"))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The kernel in a file: Numba keeps nothing of code without one."""
    path = tmp_path / "script.py"
    path.write_text(KERNEL)
    return path


def environment(**variables: str | Path) -> dict[str, str]:
    """The environment without what chooses the folder, but for these."""
    rest = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    return {**rest, **{k: str(v) for k, v in variables.items()}}


def start(script: Path, **variables: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(script)], env=environment(**variables), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, int, str]:
    """How often the code was there and was not, and the folder; the kernel's answer was right."""
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "Warning" not in err
    answer, hits, misses, folder = out.strip().split(" ", 3)
    assert answer == RIGHT
    return int(hits), int(misses), folder


def run(script: Path, **variables: str | Path) -> tuple[int, int, str]:
    return finish(start(script, **variables))


def code_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.nb[ic]"))


@pytest.fixture
def folder_for(monkeypatch: pytest.MonkeyPatch):
    """`folder_for(NUMBA_CACHE_DIR=…)`: which folder this process would choose."""

    def choose(**variables: str | Path) -> Path | None:
        for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        tempfile.tempdir = None  # TMPDIR is asked once only
        compiler.cache_folder.cache_clear()
        return compiler.cache_folder()

    yield choose
    compiler.cache_folder.cache_clear()
    tempfile.tempdir = None


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that can't be written to, not even by root."""
    folder = tmp_path / "locked"
    folder.mkdir()
    if not hasattr(os, "geteuid"):
        pytest.skip("no Unix")
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    mounts = [["mount", "--bind", str(folder), str(folder)],
              ["mount", "-o", "remount,ro,bind", str(folder)]]  # fmt: skip
    try:
        done = [subprocess.run(m, capture_output=True).returncode for m in mounts]
    except FileNotFoundError:
        done = [1]
    if any(done):
        subprocess.run(["umount", str(folder)], capture_output=True)
        pytest.skip("root here may not mount, and permissions don't stop root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


# --------------------------------------------------------------------------------- which folder


def test_code_is_kept_in_numba_cache_dir_and_found_again(tmp_path: Path, script: Path) -> None:
    chosen = tmp_path / "chosen"
    hits, misses, folder = run(script, NUMBA_CACHE_DIR=chosen, XDG_CACHE_HOME=tmp_path / "user")
    assert (hits, misses) == (0, 1)
    assert Path(folder).parent == chosen
    assert len(code_files(Path(folder))) == 2
    assert run(script, NUMBA_CACHE_DIR=chosen) == (1, 0, folder)
    assert not (tmp_path / "user").exists()
    assert not list(script.parent.rglob("__pycache__/*.nb?"))


def test_without_it_the_users_cache_folder_is_taken(tmp_path: Path, folder_for) -> None:
    assert folder_for(XDG_CACHE_HOME=tmp_path / "user").parent == tmp_path / "user" / "yocto"
    home = tmp_path / "home"
    assert folder_for(HOME=home).parent == home / ".cache" / "yocto"


def test_a_relative_folder_stays_the_same_when_the_process_goes_elsewhere(
    tmp_path: Path, folder_for, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = folder_for(NUMBA_CACHE_DIR="here")
    assert folder is not None
    assert folder.parent == tmp_path / "here"


def test_where_it_can_not_be_written_the_next_one_is_taken(tmp_path: Path, script: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no folder")
    places = {
        "NUMBA_CACHE_DIR": in_the_way, "XDG_CACHE_HOME": tmp_path / "user", "TMPDIR": tmp_path,
    }  # fmt: skip
    _, _, folder = run(script, **places)
    assert Path(folder).parent == tmp_path / "user" / "yocto"
    assert run(script, **places) == (1, 0, folder)
    places["XDG_CACHE_HOME"] = in_the_way
    _, _, folder = run(script, **places)
    assert Path(folder).parent == tmp_path / f"yocto-{os.getuid()}"
    assert run(script, **places) == (1, 0, folder)


def test_where_nothing_can_be_written_kernels_work_and_are_not_kept(
    read_only: Path, tmp_path: Path, script: Path, folder_for
) -> None:
    places = {"NUMBA_CACHE_DIR": read_only, "XDG_CACHE_HOME": read_only / "user"}
    _, _, folder = run(script, **places, TMPDIR=tmp_path)
    assert Path(folder).parent == tmp_path / f"yocto-{os.getuid()}"
    in_the_way = tmp_path / f"yocto-{os.getuid()}"
    shutil.rmtree(in_the_way)
    in_the_way.write_text("no folder")
    assert run(script, **places, TMPDIR=tmp_path) == (0, 1, "None")
    assert in_the_way.read_text() == "no folder"
    assert not list(script.parent.rglob("*.nb?"))  # nor beside the source
    assert folder_for(**places, TMPDIR=tmp_path) is None
    assert not compiler.is_cached("encode")
    compiler.mark_cached("encode")  # is no error
    assert not compiler.is_cached("encode")


def test_a_user_without_a_home_and_a_machine_without_a_temporary_folder_are_no_errors(
    tmp_path: Path, folder_for, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home(self: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    def no_folder() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(Path, "expanduser", no_home)
    folder = folder_for(TMPDIR=tmp_path)
    assert folder is not None
    assert folder.parent == tmp_path / f"yocto-{os.getuid()}"
    monkeypatch.setattr(tempfile, "gettempdir", no_folder)
    assert folder_for() is None
    assert folder_for(XDG_CACHE_HOME=tmp_path / "user").parent == tmp_path / "user" / "yocto"


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702])
@pytest.mark.parametrize("inner", [False, True])
def test_a_folder_that_others_may_write_to_is_not_used(
    tmp_path: Path, folder_for, mode: int, inner: bool
) -> None:
    places = {"NUMBA_CACHE_DIR": tmp_path / "open", "XDG_CACHE_HOME": tmp_path / "user"}
    first = folder_for(**places)
    assert first.parent == tmp_path / "open"
    (first if inner else first.parent).chmod(mode)
    assert folder_for(**places).parent == tmp_path / "user" / "yocto"
    (first if inner else first.parent).chmod(0o755)
    assert folder_for(**places) == first


def test_a_folder_of_another_user_is_not_used(
    tmp_path: Path, folder_for, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"NUMBA_CACHE_DIR": tmp_path / "theirs", "XDG_CACHE_HOME": tmp_path / "user"}
    folder_for(**places)
    found = Path.stat

    def theirs(self: Path, **options: bool) -> os.stat_result:
        result = found(self, **options)
        if "theirs" in self.parts:
            result = os.stat_result([*result[:4], os.getuid() + 1, *result[5:]])
        return result

    monkeypatch.setattr(Path, "stat", theirs)
    assert folder_for(**places).parent == tmp_path / "user" / "yocto"


@pytest.mark.parametrize("mask", [0o002, 0o000, 0o022, 0o077])
def test_a_folder_that_is_made_is_the_users_own_whatever_the_umask(
    tmp_path: Path, folder_for, mask: int
) -> None:
    before = os.umask(mask)
    try:
        for places in ({"NUMBA_CACHE_DIR": tmp_path / "a"}, {"XDG_CACHE_HOME": tmp_path / "b"}):
            folder = folder_for(**places, TMPDIR=tmp_path)
            assert folder is not None
            assert folder.parent in (tmp_path / "a", tmp_path / "b" / "yocto")
            for made in (folder, folder.parent):
                assert stat.S_IMODE(made.stat().st_mode) == 0o700
    finally:
        os.umask(before)


# ------------------------------------------------------------------------------- whose code it is


def test_the_folder_is_another_one_for_other_sources_versions_and_processors(
    tmp_path: Path, folder_for, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = tmp_path / "kernels"
    shutil.copytree(Path(compiler.__file__).parent, kernels)
    monkeypatch.setattr(compiler, "__file__", str(kernels / "compiler.py"))
    names = [folder_for(NUMBA_CACHE_DIR=tmp_path / "cache").name]
    assert folder_for(NUMBA_CACHE_DIR=tmp_path / "cache").name == names[0]

    def another() -> None:
        names.append(folder_for(NUMBA_CACHE_DIR=tmp_path / "cache").name)
        assert not compiler.is_cached("words")
        compiler.mark_cached("words")
        assert compiler.is_cached("words")

    compiler.mark_cached("words")
    with (kernels / "words.py").open("a") as file:  # which others call
        file.write("\n# another\n")
    another()
    (kernels / "new.py").touch()
    (kernels / "words.py").rename(kernels / "words2.py")
    (kernels / "words2.py").write_text((kernels / "words2.py").read_text() + "\n")
    another()
    installed = compiler.version
    for package in ("numba", "llvmlite", "numpy"):
        with monkeypatch.context() as patch:
            patch.setattr(compiler, "version", lambda p, q=package: installed(p) + ".1" * (p == q))
            another()
    with monkeypatch.context() as patch:
        patch.setattr(compiler, "_processor", lambda: "flags : other")
        another()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "version", "3.99")
        another()
    assert len(set(names)) == len(names) == 8


def test_code_that_calls_what_was_edited_in_another_file_is_not_run(tmp_path: Path) -> None:
    # Numba itself would take it: it looks at the file of the kernel alone.
    kernels = tmp_path / "package" / "yocto" / "kernels"
    shutil.copytree(Path(compiler.__file__).parents[1], kernels.parent)
    helper = "from yocto.kernels import compiler\n\n@compiler.inlined\ndef weight(c):\n"
    script = tmp_path / "script.py"
    begin, _, rest = KERNEL.partition("@compiler.inlined")
    rest = rest[rest.index("@compiler.kernel") :]
    script.write_text(f"{begin}from yocto.kernels.helper import weight\n\n{rest}")
    for factor in (3, 5, 3):
        (kernels / "helper.py").write_text(f"{helper}    return {factor} * c\n")
        done = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True,
            env=environment(NUMBA_CACHE_DIR=tmp_path / "cache", PYTHONPATH=kernels.parents[1]),
        )  # fmt: skip
        assert done.stdout.split()[:1] == [str(factor * sum(b"abc"))], done.stderr
    assert done.stdout.split()[1:3] == ["1", "0"]  # what was kept of the first is found again
    assert len(list((tmp_path / "cache").iterdir())) == 2


TWO = """
import sys
import numpy as np
from numba import types
from yocto.kernels import compiler

def make(step, signature):
    @compiler.inlined
    def each(c):
        return step * c

    @compiler.kernel(*signature)
    def total(text):
        found = 0
        for c in text:
            found += each(c)
        return found
    return total

once = make(1, (types.int64, types.uint8[::1]))
twice = make(2, (types.int64, types.uint8[::1]))
wide = make(1, (types.int64, types.uint32[::1]))
text = np.array([97, 98, 99], np.uint8)
assert once(text) == 294, once(text)
assert wide(text.astype(np.uint32)) == 294
stats = [sum(k.stats.cache_hits.values()) for k in (once, wide)]
assert twice(text) == 588, twice(text)
print(*stats)
"""


def test_kernels_that_one_function_makes_are_kept_apart(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO)
    for wanted in ("0 0", "1 1", "1 1"):
        done = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True,
            env=environment(NUMBA_CACHE_DIR=tmp_path / "cache"),
        )  # fmt: skip
        assert done.stdout.strip() == wanted, done.stderr


# ---------------------------------------------------------------------------- two at once, damage


def test_processes_that_compile_at_once_do_not_disturb_each_other(
    tmp_path: Path, script: Path
) -> None:
    places = {"NUMBA_CACHE_DIR": tmp_path / "cache"}
    for _ in range(2):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        found = [finish(process) for process in [start(script, **places) for _ in range(3)]]
        assert len({folder for _, _, folder in found}) == 1
        assert run(script, **places)[:2] == (1, 0)
        names = {path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()}
        assert names == {".nbi", ".nbc"}  # nothing half written is left


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["empty", "half", "all but one byte", "zeros", "missing"])
def test_a_damaged_file_is_compiled_anew(
    tmp_path: Path, script: Path, suffix: str, damage: str
) -> None:
    places = {"NUMBA_CACHE_DIR": tmp_path / "cache"}
    run(script, **places)
    (file,) = [f for f in code_files(tmp_path) if f.suffix == suffix]
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes({
            "empty": b"", "half": data[: len(data) // 2], "all but one byte": data[:-1],
            "zeros": bytes(len(data)),
        }[damage])  # fmt: skip
    assert run(script, **places)[0] == 0
    assert run(script, **places)[:2] == (1, 0)  # it was mended


def test_files_that_can_not_be_replaced_are_done_without(tmp_path: Path, script: Path) -> None:
    places = {"NUMBA_CACHE_DIR": tmp_path / "cache"}
    run(script, **places)
    for file in code_files(tmp_path):
        file.unlink()
        (file / "in the way").mkdir(parents=True)
    for _ in range(2):
        assert run(script, **places)[0] == 0


def test_a_full_disk_is_no_error(tmp_path: Path, script: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40k,mode=700", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        (disk / "filler").write_bytes(b"x" * (shutil.disk_usage(disk).free - 4096))
        for _ in range(2):
            hits, _, folder = run(script, NUMBA_CACHE_DIR=disk)
            assert hits == 0
            assert Path(folder).parent == disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
