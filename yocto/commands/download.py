"""yocto download: a text from the web, by a name that yocto knows or by its address."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yocto.config import DownloadConfig
from yocto.dataset.download import Fetched, Order, fetch
from yocto.dataset.registry import DATASETS, Dataset, RemoteFile, find_dataset
from yocto.dataset.web import checked_url, file_name
from yocto.errors import ConfigError
from yocto.utils.checksums import record_path
from yocto.utils.progress import Progress
from yocto.utils.text import size_text

_PACKED = (".zip", ".tar", ".tgz", ".7z", ".rar", ".pdf", ".epub", ".docx", ".html", ".htm")
_ROWS = (".parquet", ".csv")  # have columns; JSON has keys
_SHOWN = 12  # most files that are told of one by one


@dataclass(frozen=True)
class Listing:
    """What there is to download. is_one: one dataset, asked for by its name."""

    datasets: tuple[Dataset, ...]
    is_one: bool

    def summary(self) -> list[str]:
        """The result in words; the table of all is the command line's."""
        if not self.is_one:
            return ["next: yocto download tinyshakespeare"]
        (dataset,) = self.datasets
        width = max(len(file.name) for file in dataset.files)
        return [
            f"{dataset.name}: about {size_text(dataset.about)}, licence: {dataset.licence}",
            dataset.note,
            *(f"{file.name:<{width}}  {file.url}" for file in dataset.files),
            f"next: yocto download {dataset.name}",
        ]


@dataclass(frozen=True)
class Downloaded:
    """What is there now, and the command that takes it."""

    name: str | None
    licence: str | None
    files: tuple[Fetched, ...]
    next: str

    def summary(self) -> list[str]:
        """The result in words."""
        lines = [_told(file) for file in self.files]
        if len(lines) > _SHOWN:
            size = size_text(sum(file.bytes for file in self.files))
            folder = Path(self.files[0].path).parent
            new = sum(file.state == "new" for file in self.files)
            lines = [f"{len(lines)} files, {size} -> {folder} ({new} of them new)"]
        unknown = [file for file in self.files if file.checked == "nothing"]
        if unknown:
            records = record_path(Path(unknown[0].path))
            beside = records if len(unknown) == 1 else records.parent / "*.sha256"
            lines.append(
                f"SHA-256 noted in {beside}, as none was known: later downloads are compared "
                "with it"
            )
        if self.licence:
            lines.append(f"licence: {self.licence}")
        return [*lines, self.next]


def run(config: DownloadConfig, progress: Progress) -> Downloaded | Listing:
    """Download a dataset or a file, or list what there is."""
    if config.name is None:
        if config.list:
            return Listing(DATASETS, is_one=False)
        raise ConfigError(
            "what is to be downloaded?",
            "Name it: yocto download NAME, or an address. All names: yocto download --list",
        )
    if "://" in config.name:
        url = checked_url(config.name)
        if config.list:
            raise ConfigError("--list takes a name or nothing, not an address", "Leave one out.")
        dataset = None
        files: tuple[RemoteFile, ...] = (RemoteFile(file_name(url), url),)
    else:
        dataset = find_dataset(config.name)
        if config.list:
            return Listing((dataset,), is_one=True)
        files = dataset.files
    folder = _folder(config, dataset)
    fetched = tuple(_fetch(file, folder, config, progress) for file in files)
    return Downloaded(
        name=dataset.name if dataset else None,
        licence=dataset.licence if dataset else None,
        files=fetched,
        next=_next(files, config, dataset),
    )


def _fetch(file: RemoteFile, folder: Path, config: DownloadConfig, progress: Progress) -> Fetched:
    order = Order(
        file.url, folder / file.name, file.sha256, config.retries, config.timeout, config.overwrite
    )
    return fetch(order, progress)


def _told(file: Fetched) -> str:
    same = {
        "list": "its SHA-256 is the one that yocto knows",
        "record": "its SHA-256 is the one recorded before",
        "nothing": "",
    }[file.checked]
    size = size_text(file.bytes)
    if file.state == "there":
        return f"{file.path} is there already, {size}, and whole: {same}"
    return f"{size} -> {file.path}" + (f"; {same}" if same else "")


def _next(files: Sequence[RemoteFile], config: DownloadConfig, dataset: Dataset | None) -> str:
    """The command that takes these files."""
    folder = _folder(config, dataset)
    first = folder / files[0].name
    if first.suffix.lower() in _PACKED:
        return f"next: make it text first; yocto does not read {first.suffix}"
    training = [file for file in files if file.train]
    named = [folder / file.name for file in training or files]
    if len(files) > 1 and len(named) == len(files):
        named = [folder]  # a folder stands for all texts in it
    line = "train-tokenizer" if training else "encode"
    line += "".join(f" --text-path {shlex.quote(str(path))}" for path in named)
    if dataset and dataset.text_key:
        line += f" --text-{'column' if first.suffix in _ROWS else 'key'} {dataset.text_key}"
    if dataset and not training:  # what evaluates gets token files of its own
        line += f" --out-dir {shlex.quote(str(Path(config.out_dir) / f'{dataset.name}-tokens'))}"
    return f"next: yocto {line}"


def _folder(config: DownloadConfig, dataset: Dataset | None) -> Path:
    """Where the files go: several of one dataset have a folder of their own."""
    folder = Path(config.out_dir)
    return folder / dataset.name if dataset and len(dataset.files) > 1 else folder
