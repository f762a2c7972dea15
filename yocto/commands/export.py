"""yocto export: a checkpoint as a model that other tools run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from yocto.checkpoint import Checkpoint, find_checkpoint
from yocto.config import ExportConfig
from yocto.errors import DataError
from yocto.utils.files import making
from yocto.utils.progress import Progress

if TYPE_CHECKING:
    from yocto.interop.gguf import GGUFFile
    from yocto.interop.hf_folder import HFFolder


def run(config: ExportConfig, progress: Progress) -> HFFolder | GGUFFile:
    """Write a folder or a file; what is there already stays unless it may be overwritten."""
    path = find_checkpoint(config.ckpt, Path(config.ckpt_dir))
    checkpoint = Checkpoint.open(path)
    out = Path(config.out_path or default_path(path, config.format))
    check_free(out, config)
    if config.format == "gguf":
        from yocto.interop.gguf import write_gguf

        return write_gguf(checkpoint, out, config.weights, progress)
    from yocto.interop.hf_folder import write_folder

    return write_folder(checkpoint, out, config.weights, progress)


def default_path(step: Path, format: str) -> str:
    """Where a model goes by itself: under exports/, by the name of its run."""
    name = step.resolve().parent.name
    return f"exports/{name}-hf" if format == "hf" else f"exports/{name}.gguf"


def check_free(out: Path, config: ExportConfig) -> None:
    """Raise DataError where something lies at that place which is not to be replaced."""
    if not out.exists() and not out.is_symlink():
        return
    if not config.overwrite:
        raise DataError(
            f"{out} is there already", "Replace it with --overwrite, or choose another --out-path."
        )
    hint = "Choose another --out-path, or move away what is there."
    # A slip must not cost anybody something else.
    if config.format == "gguf":
        if out.is_symlink() or not out.is_file():
            raise DataError(f"{out} is {_kind(out)}, and a .gguf is a file", hint)
        with making(out), out.open("rb") as file:
            if file.read(4) not in (b"GGUF", b""):
                raise DataError(f"{out} is something else than a .gguf", hint)
        return
    if out.is_symlink() or not out.is_dir():
        raise DataError(f"{out} is {_kind(out)}, and a model of format hf is a folder", hint)
    from yocto.interop.hf_folder import why_kept

    with making(out):
        why = why_kept(out)
    if why is not None:
        raise DataError(f"{out} holds something else than an exported model: {why}", hint)


def _kind(path: Path) -> str:
    kinds = {"a link": path.is_symlink(), "a folder": path.is_dir(), "a file": path.is_file()}
    return next((kind for kind, is_so in kinds.items() if is_so), "no file")
