"""The token files that a run learnt from, found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yocto.dataset.tokens import Meta, read_meta
from yocto.errors import YoctoError


def find_own_files(
    settings: Mapping[str, Any], digest: str | None, roots: Sequence[Path] = (Path(),)
) -> tuple[Path, Meta] | None:
    """The folder of token files that a run's settings name, if it holds the same files still.

    digest: the checksums of both splits, one behind the other. What lies in a folder by now may be
    another text: they decide. roots: where the paths in the settings lead from.
    """
    places = [settings.get("data_dir"), settings.get("tokenizer_path")]
    folders = [Path(str(place)) for place in places if place]
    folders += [*(f.parent for f in folders), Path("data") / str(settings.get("mode"))]
    for folder in [root / folder for root in roots for folder in folders]:
        try:
            meta = read_meta(folder)
            train, val = meta.splits["train"], meta.splits["val"]
        except (YoctoError, OSError, LookupError):
            continue
        if train.sha256 + val.sha256 == digest:
            return folder, meta
    return None
