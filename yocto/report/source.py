"""A run as a report tells of it: all that its folder, its token files and its evaluations hold.

What can't be read is told, never raised: a report on a damaged run is still one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yocto.checkpoint import Checkpoint
from yocto.errors import CheckpointError, YoctoError
from yocto.evaluation.record import read_evaluations
from yocto.evaluation.result import Evaluation
from yocto.model.size import count_parameters
from yocto.tokenizer.base import CORPUS_FILE
from yocto.tokenizer.facts import TokenizerFacts, tokenizer_facts
from yocto.training.history import History, RunFacts, run_facts
from yocto.utils.files import read_json

if TYPE_CHECKING:
    from yocto.dataset.tokens import Meta
    from yocto.tokenizer.base import BaseTokenizer

LONGEST = 12  # tokens that are listed


@dataclass(frozen=True)
class Written:
    """A text that the model wrote, of at most `most` tokens. ended: whether by itself, and not by
    its length. question: whether it answers the prompt, as in a chat."""

    prompt: str
    temperature: float
    most: int
    seed: int
    text: str
    tokens: int
    seconds: float
    ended: bool
    question: bool = False


@dataclass(frozen=True)
class Source:
    """One run.

    checkpoint: that of the best step, or the latest one that can be read; None without one.
    parameters: of its model. data: the folder of the run's token files and their meta.json, while
    they lie where they lay. corpus: the text that its tokenizer learnt from and where the tokenizer
    lay, where that is told. problems: what is damaged or missing. written: texts of the model.
    """

    name: str
    history: History
    facts: RunFacts
    checkpoint: Checkpoint | None
    parameters: int | None
    data: tuple[Path, Meta] | None
    corpus: tuple[Path, dict[str, Any]] | None
    tokenizer: BaseTokenizer | None
    tokens: TokenizerFacts | None
    evaluations: list[Evaluation]
    problems: list[str] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, Any]:
        """What the run was trained with; empty where nothing tells."""
        return self.checkpoint.train if self.checkpoint else {}

    @property
    def mode(self) -> str:
        """char, token, chat or imported; "" where nothing tells."""
        return str(self.settings.get("mode", ""))


def read_source(history: History, name: str) -> Source:
    """All that is told of a run but what it writes, which takes its model."""
    problems = [history.damage] if history.damage else []
    checkpoint = _checkpoint(history)
    tokenizer, tokens = None, None
    evaluations: list[Evaluation] = []
    try:
        if checkpoint is not None:
            tokenizer = checkpoint.load_tokenizer()
            tokens = tokenizer_facts(tokenizer, LONGEST)
    except (YoctoError, OSError) as error:
        problems.append(_message(error))
    try:
        evaluations = read_evaluations(history.run.path)
    except (YoctoError, OSError) as error:
        problems.append(_message(error))
    from yocto.dataset.own_files import find_own_files

    data = None
    if checkpoint is not None and not checkpoint.imported:
        roots = (Path(), history.run.path.parent.parent)  # checkpoints/ lies beside data/
        data = find_own_files(checkpoint.train, checkpoint.corpus(), roots)
    return Source(
        name=name,
        history=history,
        facts=run_facts(history),
        checkpoint=checkpoint,
        parameters=count_parameters(checkpoint.model) if checkpoint else None,
        data=data,
        corpus=_corpus(checkpoint, data, tokens),
        tokenizer=tokenizer,
        tokens=tokens,
        evaluations=evaluations,
        problems=problems,
    )


def _checkpoint(history: History) -> Checkpoint | None:
    run = history.run
    try:
        steps = [*filter(None, [run.pointer("best"), run.pointer("latest")]), *run.steps()]
    except OSError:  # told in history.damage
        return None
    for step in steps:
        try:
            return Checkpoint.read(step)
        except (CheckpointError, OSError):
            continue
    return None


def _corpus(
    checkpoint: Checkpoint | None, data: tuple[Path, Meta] | None, tokens: TokenizerFacts | None
) -> tuple[Path, dict[str, Any]] | None:
    """Which text the tokenizer learnt from, as corpus.json beside it tells, and the folder of both;
    another tokenizer may lie there by now."""
    from yocto.tokenizer.store import load_tokenizer

    if checkpoint is None or tokens is None:
        return None
    named = [checkpoint.train.get("tokenizer_path"), data and data[0]]
    places = [Path(str(place)) for place in named if place]
    for folder in (place.parent if place.suffix else place for place in places):
        try:
            content = read_json(folder / CORPUS_FILE, CheckpointError)
            told = isinstance(content, dict) and isinstance(content.get("paths"), list)
            if told and load_tokenizer(folder).sha256 == tokens.identity:
                return folder, content
        except (YoctoError, OSError, ValueError):
            continue
    return None


def _message(error: YoctoError | OSError) -> str:
    return error.message if isinstance(error, YoctoError) else str(error)
