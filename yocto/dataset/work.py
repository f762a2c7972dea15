"""The folder that token files are made in: how far the work is, and how its result takes its place.

Where nothing is to be harmed the files are made where they will stay, so that a finished one is at
hand at once; where token files lie already, they are made in a hidden folder beside those.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yocto.dataset.documents import BEGIN, Place
from yocto.dataset.shards import SplitState, check_size, name_files, part_file
from yocto.dataset.sources import OWN_FILES
from yocto.dataset.split import SPLITS, SplitPlan
from yocto.dataset.tokens import META_FILE, Meta, bin_itemsize, read_meta, write_meta
from yocto.errors import DataError
from yocto.utils.files import fsync_dir, making, read_json, remove, write_json
from yocto.utils.progress import Progress

FORMAT, VERSION = "yocto-encoding", 1
STATE_FILE = ".encoding.json"
BESIDE = ".encoding"


@dataclass
class WorkState:
    """How far the work is.

    plan: how documents are split, once that is known. place: in the text, behind all that `splits`
    count; split: of the document that goes on there; consumed: how much of the files lies before
    it. complete: all files are finished. old: the files that they replace.
    """

    splits: dict[str, SplitState] = field(
        default_factory=lambda: {name: SplitState() for name in SPLITS}
    )
    plan: SplitPlan | None = None
    place: Place = BEGIN
    split: str = "train"
    consumed: int = 0
    complete: bool = False
    old: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, value: Any) -> WorkState:
        """The state that JSON tells of. Raises ValueError, KeyError or TypeError."""
        splits = {name: SplitState.of(value["splits"][name]) for name in SPLITS}
        plan = None if value["plan"] is None else SplitPlan.of(value["plan"])
        place, consumed = Place(*value["place"]), value["consumed"]
        counts = (*place[:2], consumed)
        if len(value["place"]) != 3 or not all(type(n) is int and n >= 0 for n in counts):
            raise ValueError("a place that can't be")
        if value["split"] not in SPLITS or not isinstance(place.inside, bool):
            raise ValueError("a split that can't be")
        old = [Path(name).name for name in value["old"]]
        return cls(splits, plan, place, value["split"], consumed, value["complete"] is True, old)

    @property
    def written(self) -> int:
        """Tokens in all files."""
        return sum(split.written for split in self.splits.values())

    def names(self) -> list[str]:
        """Of the files that are finished."""
        return [file.name for split in self.splits.values() for file in split.files]


class Work:
    """Work on the token files of a folder.

    identity: plain values that tell what is made of what; only the same work goes on.
    """

    def __init__(self, target: Path, identity: dict[str, Any]) -> None:
        self.target, self.identity = target, identity
        self.folder = target
        self.is_worth_keeping = False  # whether there is a state to go on from

    @property
    def is_beside(self) -> bool:
        """Whether the files are made in a folder of their own."""
        return self.folder != self.target

    def finished(self, tokenizer_sha256: str, settings: dict[str, Any]) -> Meta | None:
        """meta.json where this very work is done already, and nothing is under way."""
        self._tidy()
        if is_under_way(self.target) or not (self.target / META_FILE).exists():
            return None
        meta = read_meta(self.target)
        same = (
            meta.tokenizer_sha256 == tokenizer_sha256
            and meta.settings == settings
            and meta.sources == self.identity["sources"]
        )
        return meta if same else None

    def _tidy(self) -> None:
        """Delete what is left of work that is done: where meta.json is beside a state, it is."""
        if not (self.target / META_FILE).exists():
            return
        with suppress(OSError):
            for name in (STATE_FILE, *OWN_FILES):  # half written when a kill came
                for file in self.target.glob(f".{name}.*.tmp"):
                    file.unlink()
            (self.target / STATE_FILE).unlink(missing_ok=True)
        if not (self.target / BESIDE / STATE_FILE).exists():
            shutil.rmtree(self.target / BESIDE, ignore_errors=True)

    def begin(self, resume: bool, keep: bool, progress: Progress) -> WorkState:
        """The state to go on from; a new one where there is none, or without `resume`. keep:
        whether a later call may go on."""
        self._tidy()
        for folder in (self.target, self.target / BESIDE):
            if not (folder / STATE_FILE).exists():
                continue
            if resume:
                self.folder = folder
                state = self._read(folder / STATE_FILE)
                progress.say(f"going on with {self.target}: {state.written:,} tokens are there")
                self.is_worth_keeping = True
                return state
            progress.notice(f"an encoding into {self.target} was interrupted; it starts anew")
            left = _left_in(folder / STATE_FILE)
            _delete(folder, left.names())
            if left.old and not (self.target / META_FILE).exists():  # a kill while it was published
                _delete(self.target, {*left.names(), *left.old})
        if resume:
            progress.notice(f"there is nothing in {self.target} to go on with: starting afresh")
        with making(self.target):
            self.target.mkdir(parents=True, exist_ok=True)
            for file in self.target.glob(".*.bin.part"):  # of a kill before the first note
                file.unlink()
            is_taken = (self.target / META_FILE).exists() or any(self.target.glob("*.bin"))
            self.folder = self.target / BESIDE if is_taken else self.target
            shutil.rmtree(self.target / BESIDE, ignore_errors=True)
            self.folder.mkdir(exist_ok=True)
        state = WorkState()
        if keep:  # else a kill before the first note would let old files seem to be the new ones
            self.save(state)
            self.is_worth_keeping = False
        return state

    def _read(self, path: Path) -> WorkState:
        hint = "Start anew: the same command without --resume."
        content = read_json(path, DataError, hint)
        try:
            if (content["format"], content["version"]) != (FORMAT, VERSION):
                raise ValueError("another format")
            state = WorkState.of(content)
            changed = self._changed(content["identity"], state)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{path} is damaged: {error!r}", hint) from error
        if changed:
            raise DataError(
                f"the encoding in {self.target} was begun with other {_words(changed)}",
                "Give the same again, or start anew without --resume.",
            )
        return state

    def _changed(self, identity: Any, state: WorkState) -> list[str]:
        """What is not as it was: of the files only those that were read. The one at hand may have
        got longer, a broken download that was completed, say; but not where all files had to be
        looked through to split them."""
        names = [name for name in self.identity if name != "inputs"]
        changed = [name for name in names if identity[name] != self.identity[name]]
        old, new = identity["inputs"], self.identity["inputs"]
        at = state.place.source
        same = old[:at] == new[:at]
        if same and state.place.at and old[at:]:
            (path, size, _), now = old[at], new[at : at + 1]
            same = bool(now) and now[0][0] == path and (now[0][1] or 0) >= (size or 0)
        if state.plan is not None and state.plan.is_of_all(self.identity["val_ratio"]):
            same = same and old == new
        return changed if same else [*changed, "inputs"]

    def save(self, state: WorkState) -> None:
        """Note how far the work is."""
        values = dataclasses.asdict(state)
        about = {"format": FORMAT, "version": VERSION, "identity": self.identity}
        write_json(self.folder / STATE_FILE, {**about, **values})
        self.is_worth_keeping = True

    def discard(self, state: WorkState) -> None:
        """Delete all that this work made."""
        _delete(self.folder, state.names())

    def complete(self, state: WorkState, meta: Meta, finish: Callable[[Path], None]) -> None:
        """All files are on the disk: note it, and write what else belongs to them. From here on
        nothing takes more space, so that no full disk is met halfway."""
        state.complete = True
        if self.is_beside and (self.target / META_FILE).exists():
            with suppress(DataError):  # a damaged one tells of nothing
                splits = read_meta(self.target).splits.values()
                state.old = [file.name for split in splits for file in split.files]
        self.save(state)
        for split in state.splits.values():
            name_files(self.folder, split)
            for file in split.files:
                moved = self.is_beside and not (self.folder / file.name).exists()  # before a kill
                place = self.target if moved else self.folder
                check_size(place / file.name, file.tokens * bin_itemsize(meta.vocab_size))
        if self.is_beside:
            trial = self.folder / "trial"
            finish(trial)  # whether there is room for it
            shutil.rmtree(trial, ignore_errors=True)
        finish(self.target)
        write_meta(self.folder, meta)

    def publish(self, state: WorkState) -> None:
        """Put the finished files in the place of the old ones, and meta.json last: a kill in
        between leaves no files that don't match, and the state from which this is done again."""
        if self.is_beside:
            names = state.names()
            for name in (META_FILE, *sorted({*state.old} - {*names})):
                remove(self.target / name)
            for name in (*names, META_FILE):
                with making(self.target / name), suppress(FileNotFoundError):  # moved before a kill
                    (self.folder / name).replace(self.target / name)
        fsync_dir(self.target)
        with suppress(OSError):
            (self.folder / STATE_FILE).unlink()
        self._tidy()


def is_under_way(target: Path) -> bool:
    """Whether work on a folder's token files was interrupted and can go on."""
    return any((folder / STATE_FILE).exists() for folder in (target, target / BESIDE))


def _delete(folder: Path, names: Iterable[str]) -> None:
    """Delete what work left in a folder: its finished files and the others."""
    with suppress(OSError):
        for name in names:
            (folder / name).unlink(missing_ok=True)
            part_file(folder, name).unlink(missing_ok=True)
        for path in folder.glob(".*.bin.part"):
            path.unlink()
        (folder / STATE_FILE).unlink(missing_ok=True)
    if folder.name == BESIDE:
        shutil.rmtree(folder, ignore_errors=True)


def _left_in(path: Path) -> WorkState:
    """The state in a file; one that tells of nothing where it is damaged."""
    with suppress(DataError, KeyError, TypeError, ValueError, AttributeError):
        return WorkState.of(read_json(path, DataError))
    return WorkState()


def _words(names: list[str]) -> str:
    known = {"inputs": "text (its files have changed since)", "sources": "text", "settings":
             "settings of the text", "end_id": "tokenizer"}  # fmt: skip
    words = [known.get(name, name.replace("_", " ")) for name in names]
    return ", ".join(dict.fromkeys(words))
