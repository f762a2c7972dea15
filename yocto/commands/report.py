"""yocto report: what runs came to, as one page that needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from yocto.checkpoint import find_run
from yocto.config import ReportConfig
from yocto.errors import ConfigError, DataError
from yocto.report import html, markdown
from yocto.report.samples import Asked, write
from yocto.report.source import read_source
from yocto.report.whole import make_report
from yocto.training.history import History, labels, newest_trained, read_history
from yocto.utils.files import making, write_text
from yocto.utils.progress import Progress

_HTML, _MARKDOWN = (".html", ".htm"), (".md", ".markdown")
_OF_SAMPLES = ("prompt", "temperature", "max_new_tokens", "seed", "device")
_LOOKED_AT = 4096  # bytes in which a report says that it is one


@dataclass(frozen=True)
class Reported:
    """What was written. files: path -> bytes. problems: run -> what is damaged or missing there."""

    runs: list[str]
    files: dict[str, int]
    samples: int
    problems: dict[str, list[str]]

    def summary(self) -> list[str]:
        """The result in words."""
        notes = [f"note: {run}: {told}" for run, all_ in self.problems.items() for told in all_]
        return [*notes, f"a report on {', '.join(self.runs)} -> {', '.join(self.files)}"]


def run(config: ReportConfig, progress: Progress) -> Reported:
    """Report on the runs that are named, or on the newest that was trained."""
    given = [name for name in _OF_SAMPLES if name in config.given]
    if given and not config.samples:
        raise ConfigError(
            f"{' and '.join(given)} can't have an effect without samples",
            "Leave out --no-samples, or what goes with them.",
        )
    paths = _paths(config)
    for path in paths:
        _check_free(path, config.overwrite)
    histories = _histories(config)
    sources = [read_source(h, name) for h, name in zip(histories, labels(histories), strict=True)]
    if config.samples:
        asked = Asked(
            config.prompt, config.temperatures(), config.max_new_tokens, config.seed, config.device
        )
        sources = [write(source, asked, progress) for source in sources]
    report = make_report(sources)
    files = {}
    for path in paths:
        text = markdown.text(report) if path.suffix.lower() in _MARKDOWN else html.page(report)
        write_text(path, text)
        files[str(path)] = len(text.encode("utf-8"))
    return Reported(
        [source.name for source in sources], files,
        sum(len(source.written) for source in sources),
        {source.name: source.problems for source in sources if source.problems},
    )  # fmt: skip


def _histories(config: ReportConfig) -> list[History]:
    """The runs, each once."""
    folder = Path(config.ckpt_dir)
    if not config.run:
        return [newest_trained(folder)]
    found = [find_run(spec, folder) for spec in config.run]
    return [read_history(run) for run in {run.path.resolve(): run for run in found}.values()]


def _paths(config: ReportConfig) -> list[Path]:
    """The files to write. Raises ConfigError for a path whose ending says something else."""
    path = Path(config.out_path)
    ending = path.suffix.lower()
    format = config.format
    if ending in _MARKDOWN and "format" not in config.given:
        format = "md"
    fits = {"html": _HTML, "md": _MARKDOWN, "both": (*_HTML, *_MARKDOWN)}[format]
    if format == "md" and "out_path" not in config.given:
        return [path.with_suffix(".md")]
    if ending not in fits:
        raise ConfigError(
            f"out_path is {config.out_path!r}, but a report of format {format} is a "
            f"{' or a '.join(end for end in fits if end in ('.html', '.md'))}",
            "Like --out-path report.html, or --out-path report.md for Markdown.",
        )
    if format != "both":
        return [path]
    page = path if ending in _HTML else path.with_suffix(".html")
    return [page, path if ending in _MARKDOWN else path.with_suffix(".md")]


def _check_free(path: Path, overwrite: bool) -> None:
    """Raise DataError where something lies that is no report: a slip must not cost anybody a
    file."""
    if path.is_dir():
        raise DataError(f"{path} is a folder", "Name a file: --out-path report.html")
    if overwrite or not path.exists():
        return
    with making(path), path.open("rb") as file:
        begin = file.read(_LOOKED_AT).decode("utf-8", "replace")
    if begin and html.MARK not in begin and markdown.MARK not in begin:
        raise DataError(
            f"{path} is there already, and it is no report of yocto's",
            "Replace it with --overwrite, or choose another --out-path.",
        )
