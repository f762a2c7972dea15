"""yocto export: a checkpoint as a model that other tools run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from yocto.checkpoint import Checkpoint, find_checkpoint
from yocto.config import ExportConfig
from yocto.errors import DataError
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
    hint = "Choose another --out-path."
    if config.format == "gguf":
        if not out.is_file():
            raise DataError(f"{out} is a folder, and a .gguf is a file", hint)
        return
    from yocto.interop.hf_folder import is_model_folder

    if not is_model_folder(out):  # a slip must not cost anybody a folder of something else
        raise DataError(f"{out} holds something else than an exported model", hint)
