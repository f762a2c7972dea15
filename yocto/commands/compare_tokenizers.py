"""yocto compare-tokenizers: what tokenizers make of texts, and which size and domain pays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from yocto.commands.data import read_twice
from yocto.config import CompareTokenizersConfig
from yocto.dataset.documents import open_texts
from yocto.errors import ConfigError, TokenizerError
from yocto.evaluation.corpora import Corpus, corpus_names, count_corpus
from yocto.evaluation.domains import Unfilled, split_corpus, train_sizes
from yocto.evaluation.tokenizer_comparison import CorpusFigures, TokenizerComparison
from yocto.evaluation.tokenizer_figures import Candidate, measure
from yocto.evaluation.tokenizer_specs import open_tokenizer
from yocto.report.canvas import blank, picture_kind
from yocto.report.tokenizer_plots import draw_comparison
from yocto.tokenizer.named import NAMES
from yocto.utils.files import atomic_file
from yocto.utils.progress import Progress


def run(config: CompareTokenizersConfig, progress: Progress) -> TokenizerComparison:
    """Measure the tokenizers that are named and those that are trained, on every text."""
    sizes = config.sizes()
    if not config.tokenizer and not sizes:
        raise ConfigError(
            "there is no tokenizer to measure",
            "Name some, as yocto compare-tokenizers data/token gpt2, or train some: --train-sizes "
            "1000,8000",
        )
    if config.out_path is not None:
        picture_kind(config.out_path)
        blank(1, 1)  # before the work: whether there is matplotlib
    named = _open_all(config)
    for spec in filter(NAMES.__contains__, config.tokenizer):
        if (run_folder := Path(config.ckpt_dir) / spec).is_dir():
            progress.notice(
                f"{spec} is the run {run_folder} here; OpenAI's takes another --ckpt-dir"
            )
    unfilled: list[Unfilled] = []
    with ExitStack() as held:
        corpora = _open_texts(config, held)
        counts = [count_corpus(corpus, progress) for corpus in corpora]
        trained: list[Candidate] = []
        if sizes:
            halves = [split_corpus(corpus, n) for corpus, n in zip(corpora, counts, strict=True)]
            trained, unfilled = _train([first for first, _ in halves], config, progress)
            corpora = [rest for _, rest in halves]
            counts = [count_corpus(corpus, progress) for corpus in corpora]
        saved = _save(trained, config.out_dir)
        candidates = [*named, *trained]
        measured = [
            CorpusFigures(
                corpus.name, path, "last tenth" if sizes else "all", n.bytes, n.characters,
                n.words, n.documents, measure(candidates, corpus, n, progress),
            )
            for path, corpus, n in zip(config.text_path, corpora, counts, strict=True)
        ]  # fmt: skip
    comparison = TokenizerComparison(
        measured, sizes, config.kind if sizes else None, config.pattern if sizes else None,
        unfilled, config.out_path, saved,
    )  # fmt: skip
    if config.out_path is not None:
        drawn = draw_comparison(comparison, picture_kind(config.out_path))
        with atomic_file(Path(config.out_path)) as file:
            file.write(drawn)
    return comparison


def _open_all(config: CompareTokenizersConfig) -> list[Candidate]:
    """The tokenizers that are named, each once."""
    return [
        Candidate(spec, open_tokenizer(spec, Path(config.ckpt_dir)))
        for spec in dict.fromkeys(config.tokenizer)
    ]


def _open_texts(config: CompareTokenizersConfig, held: ExitStack) -> list[Corpus]:
    """Each path as a corpus; what standard input holds is kept for as long as they are open."""
    corpora = []
    for name, path in zip(corpus_names(config.text_path), config.text_path, strict=True):
        texts = open_texts([path], config)
        held.enter_context(read_twice(texts))
        corpora.append(Corpus(name, texts))
    return corpora


def _train(
    corpora: Sequence[Corpus], config: CompareTokenizersConfig, progress: Progress
) -> tuple[list[Candidate], list[Unfilled]]:
    """Tokenizers of all sizes for each text that allows some."""
    trained: list[Candidate] = []
    unfilled: list[Unfilled] = []
    fault: TokenizerError | None = None
    for corpus in corpora:
        try:
            made, lacking = train_sizes(
                corpus, config.sizes(), config.kind, config.pattern, progress
            )
        except TokenizerError as error:
            progress.notice(f"{corpus.name}: {error.message}")
            fault = error
        else:
            trained += made
            unfilled += lacking
    if fault is not None and not trained:
        raise fault
    return trained, unfilled


def _save(trained: Sequence[Candidate], out_dir: str | None) -> dict[str, str]:
    """Each tokenizer in a folder of its own; name -> folder."""
    saved: dict[str, str] = {}
    for candidate in trained if out_dir is not None else ():
        name = re.sub(r"[^\w.-]+", "-", candidate.name)
        folder, number = Path(out_dir or "") / name, 1
        while str(folder) in saved.values():  # names that differ may be spelt alike here
            number += 1
            folder = Path(out_dir or "") / f"{name}-{number}"
        candidate.tokenizer.save(folder)
        saved[candidate.name] = str(folder)
    return saved
