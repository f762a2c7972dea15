"""yocto import: a model in Hugging Face's format as a run."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from yocto.checkpoint import Run, check_run_name
from yocto.commands.fitting import ckpt_dir_flag
from yocto.config import IMPORTED, ImportConfig
from yocto.errors import ConfigError, RunError
from yocto.interop.hf_import import HFModel, read_model
from yocto.training.runs import hold
from yocto.utils.progress import Progress


@dataclass(frozen=True)
class Imported:
    """The run that a model became."""

    run: str
    source: str
    architecture: str
    parameters: int
    block_size: int
    tokenizer: str
    vocab_size: int
    end_ids: list[int]
    chat_template: bool

    def summary(self) -> list[str]:
        """The result in words."""
        path = Path(self.run)
        flag = ckpt_dir_flag(str(path.parent))
        command = f"yocto sample --ckpt {shlex.quote(path.name)}{flag}"
        lines = [
            f"{self.architecture}, {self.parameters:,} parameters, context {self.block_size:,} "
            f"-> {self.run}"
        ]
        if self.tokenizer == "ids":
            lines.append("note: there was no tokenizer beside it, so the run works on ids: numbers")
            return [*lines, f'next: {command} --prompt "1 2 3"']
        lines.append(f"tokenizer: {self.tokenizer}, {self.vocab_size:,} ids")
        return [*lines, f"next: {command}, or yocto chat --ckpt {shlex.quote(path.name)}{flag}"]


def run(config: ImportConfig, progress: Progress) -> Imported:
    """Read the model, and write it as the first and only step of a run."""
    if config.path is None:
        raise ConfigError(
            "import takes the folder of a model",
            "Like yocto import FOLDER, where config.json and model.safetensors lie.",
        )
    folder = Path(config.path)
    name = config.run_name or folder.resolve().name
    check_run_name(name)
    path = Path(config.ckpt_dir) / name
    _check_free(path, config)
    found = read_model(folder, progress)
    with hold(path):
        _check_free(path, config)
        save(Run(path), found, folder)
    source, tokenizer = found.source, found.tokenizer
    ends = source.eos or (() if tokenizer.end_id is None else (tokenizer.end_id,))
    return Imported(
        run=str(path),
        source=str(folder),
        architecture=source.family.causal,
        parameters=found.model.num_parameters(),
        block_size=source.model.block_size,
        tokenizer=tokenizer.kind,
        vocab_size=tokenizer.vocab_size,
        end_ids=list(ends),
        chat_template="chat_template.jinja" in found.beside,
    )


def _check_free(path: Path, config: ImportConfig) -> None:
    if any(path.glob("step-*")) and not config.overwrite:
        raise RunError(
            f"the run {path} is there already",
            "Replace it with --overwrite, or choose another name: --run-name NAME",
        )


def save(run: Run, found: HFModel, folder: Path) -> None:
    """Write the run; one of this name is replaced once the new one is whole."""
    told = {
        "mode": IMPORTED, "source": str(folder), "architecture": found.source.family.causal,
    }  # fmt: skip
    run.set_aside()
    try:
        run.save(0, found.model, found.tokenizer, told, found.documents, beside=found.beside)
    except BaseException:
        run.put_back()
        raise
    run.keep_only(0)
    run.mark_best(0)
