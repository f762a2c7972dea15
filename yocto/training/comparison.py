"""What differs between runs: settings, model, data, tokenizer and results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from yocto.checkpoint import Checkpoint
from yocto.errors import YoctoError
from yocto.training.history import History, RunFacts, labels, run_facts

# Of the settings those that say which run it is, and not how it was trained.
_WHICH = ("run_name", "ckpt_dir", "resume", "overwrite", "minutes")

Section = dict[str, list[Any]]  # name -> a value for each run; None where a run does not tell


@dataclass(frozen=True)
class Comparison:
    """Only what differs, a value for each run in the order of `runs`.

    same: how many settings of training and model are the same. same_data, same_tokenizer: None
    where a run does not tell.
    """

    runs: list[str]
    settings: Section
    model: Section
    data: Section
    tokenizer: Section
    results: Section
    same: int
    same_data: bool | None
    same_tokenizer: bool | None


def compare(histories: Sequence[History]) -> Comparison:
    """What differs between runs."""
    checkpoints = [history.checkpoint for history in histories]
    models = [c.model.to_dict() if c else {} for c in checkpoints]
    # The model has the values that the settings left to the family.
    skipped = {*_WHICH, *(name for model in models for name in model)}
    settings = [{k: v for k, v in h.settings.items() if k not in skipped} for h in histories]
    training, same_training = _differences(settings)
    model, same_model = _differences(models)
    texts = [_text(c) if c else {} for c in checkpoints]
    tokenizers = [_tokenizer(c) if c else {} for c in checkpoints]
    return Comparison(
        runs=labels(histories),
        settings=training,
        model=model,
        data=_differences(texts)[0],
        tokenizer=_differences(tokenizers)[0],
        results=_differences([_results(run_facts(history)) for history in histories])[0],
        same=same_training + same_model,
        same_data=_all_same(texts),
        same_tokenizer=_all_same(tokenizers),
    )


def _differences(columns: Sequence[dict[str, Any]]) -> tuple[Section, int]:
    """What is not the same in all columns, and how much is the same. An empty column, of a run that
    can't be read, differs in nothing."""
    told = [column for column in columns if column]
    names = dict.fromkeys(name for column in told for name in column)
    differing = {
        name: [column.get(name) for column in columns]
        for name in names
        if any(column.get(name) != told[0].get(name) for column in told)
    }
    return differing, len(names) - len(differing)


def _all_same(columns: Sequence[dict[str, Any]]) -> bool | None:
    """Whether all have the same checksums; None where one has none."""
    digests = {(column.get("sha256"), column.get("val_sha256")) for column in columns}
    return None if any(first is None for first, _ in digests) else len(digests) == 1


def _text(checkpoint: Checkpoint) -> dict[str, Any]:
    """The token files that a run learns from: their checksum, and their sizes while they are still
    where they were."""
    digest = checkpoint.corpus()
    return {
        "sha256": digest and digest[:64],  # of train.bin; that of val.bin stands behind it
        "val_sha256": digest and (digest[64:] or None),
        "documents": checkpoint.documents,
        **_sizes(checkpoint.train, digest),
    }


def _sizes(settings: dict[str, Any], digest: str | None) -> dict[str, Any]:
    """Tokens in the splits, where they are still there."""
    from yocto.dataset.own_files import find_own_files

    found = find_own_files(settings, digest)
    if found is None:
        return {}
    splits = found[1].splits
    return {"train_tokens": splits["train"].tokens, "val_tokens": splits["val"].tokens}


def _tokenizer(checkpoint: Checkpoint) -> dict[str, Any]:
    try:
        tokenizer = checkpoint.load_tokenizer()
    except (YoctoError, OSError):
        return {}
    return {
        "kind": tokenizer.kind, "vocab_size": tokenizer.vocab_size, "sha256": tokenizer.sha256,
    }  # fmt: skip


def _results(facts: RunFacts) -> dict[str, Any]:
    best, last = facts.best, facts.last
    return {
        "status": facts.status,
        "step": facts.step,
        "best_val_loss": best and best.val_loss,
        "best_step": best and best.step,
        "best_bits_per_byte": best and best.bits_per_byte,
        "last_val_loss": last and last.val_loss,
        "last_bits_per_byte": last and last.bits_per_byte,
        "tokens": facts.tokens,
        "seconds": facts.seconds,
        "tokens_per_second": facts.tokens_per_second,
    }
