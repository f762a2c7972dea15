"""The folder that token files are made in: how far the work is, and how its result takes its place.

Where nothing is to be harmed the files are made where they will stay, so that a finished one is at
hand at once; where token files lie already, they are made in a hidden folder beside those.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yocto.dataset.documents import BEGIN, Place
from yocto.dataset.shards import SplitState, name_files
from yocto.dataset.sources import OWN_FILES
from yocto.dataset.split import SPLITS, SplitPlan
from yocto.dataset.tokens import META_FILE, Meta, read_meta, write_meta
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
    count; split: of the document that goes on there. complete: all files are finished.
    """

    splits: dict[str, SplitState] = field(
        default_factory=lambda: {name: SplitState() for name in SPLITS}
    )
    plan: SplitPlan | None = None
    place: Place = BEGIN
    split: str = "train"
    complete: bool = False


class Work:
    """Work on the token files of a folder.

    identity: plain values that tell what is made of what; only the same work goes on.
    """

    def __init__(self, target: Path, identity: dict[str, Any]) -> None:
        self.target, self.identity = target, identity
        self.folder = target
        self.is_worth_keeping = False  # whether there is a state to go on from

    def finished(self, tokenizer_sha256: str) -> Meta | None:
        """meta.json where this very work is done already, and nothing is under way."""
        if any((folder / STATE_FILE).exists() for folder in self._folders()):
            return None
        if not (self.target / META_FILE).exists():
            return None
        meta = read_meta(self.target)
        same = (
            meta.tokenizer_sha256 == tokenizer_sha256
            and meta.settings == self.identity["settings"]
            and meta.sources == self.identity["sources"]
        )
        return meta if same else None

    def _folders(self) -> tuple[Path, Path]:
        return self.target, self.target / BESIDE

    def begin(self, resume: bool, progress: Progress) -> WorkState:
        """The state to go on from; a new one where there is none, or without `resume`."""
        for folder in self._folders():
            if (folder / STATE_FILE).exists():
                self.folder = folder
                if resume:
                    state = self._read(folder / STATE_FILE)
                    done = sum(split.written for split in state.splits.values())
                    progress.say(f"going on with {self.target}: {done:,} tokens are there")
                    self.is_worth_keeping = True
                    return state
                progress.notice(
                    f"an encoding into {self.target} was interrupted; it starts anew, and "
                    f"--resume would have gone on with it"
                )
                self.discard()
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
        return WorkState()

    def _read(self, path: Path) -> WorkState:
        hint = "Start anew: the same command without --resume."
        content = read_json(path, DataError, hint)
        try:
            if (content["format"], content["version"]) != (FORMAT, VERSION):
                raise ValueError("another format")
            splits = {name: SplitState.of(content["splits"][name]) for name in SPLITS}
            place = Place(*content["place"])
            if not all(type(n) is int and n >= 0 for n in place[:2]) or len(place) != 3:
                raise ValueError("a place that can't be")
            plan = None if content["plan"] is None else SplitPlan.of(content["plan"])
            split = str(content["split"])
            state = WorkState(splits, plan, place, split, bool(content["complete"]))
            changed = self._changed(content["identity"], place)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{path} is damaged: {error!r}", hint) from error
        if changed:
            raise DataError(
                f"the encoding in {self.target} was begun with other {_words(changed)}",
                "Give the same again, or start anew without --resume.",
            )
        return state

    def _changed(self, identity: Any, place: Place) -> list[str]:
        """What is not as it was: of the files only those that were read. The one at hand may have
        got longer, a broken download that was completed, say."""
        names = [name for name in self.identity if name != "inputs"]
        changed = [name for name in names if identity[name] != self.identity[name]]
        old, new = identity["inputs"], self.identity["inputs"]
        same = old[: place.source] == new[: place.source]
        if same and place.at and old[place.source :]:
            (path, size, _), now = old[place.source], new[place.source : place.source + 1]
            same = bool(now) and now[0][0] == path and (now[0][1] or 0) >= (size or 0)
        return changed if same else [*changed, "inputs"]

    def save(self, state: WorkState) -> None:
        """Note how far the work is."""
        write_json(
            self.folder / STATE_FILE,
            {
                "format": FORMAT, "version": VERSION, "identity": self.identity,
                "plan": None if state.plan is None else state.plan.to_dict(),
                "place": list(state.place), "split": state.split, "complete": state.complete,
                "splits": {name: dataclasses.asdict(s) for name, s in state.splits.items()},
            },
        )  # fmt: skip
        self.is_worth_keeping = True

    def completed(self, state: WorkState) -> None:
        """All is on the disk: note it, unless so little came before that it is no loss."""
        if self.is_worth_keeping or self.folder != self.target:
            self.save(state)
        for split in state.splits.values():
            name_files(self.folder, split)

    def discard(self) -> None:
        """Delete all that this work made."""
        state = self.folder / STATE_FILE
        names = []
        with suppress(Exception):
            splits = read_json(state, DataError)["splits"].values()
            names = [Path(file["name"]).name for split in splits for file in split["files"]]
        with suppress(OSError):
            for path in [*self.folder.glob(".*.bin.part"), *(self.folder / name for name in names)]:
                path.unlink(missing_ok=True)
            state.unlink(missing_ok=True)
        if self.folder != self.target:
            shutil.rmtree(self.folder, ignore_errors=True)

    def publish(self, meta: Meta, finish: Callable[[], None]) -> None:
        """Put the finished files in the place of the old ones, and meta.json last: a kill in
        between leaves no files that don't match, and the state from which this is done again."""
        names = {file.name for split in meta.splits.values() for file in split.files}
        old: set[str] = set()
        if (self.target / META_FILE).exists():
            with suppress(DataError):  # a damaged one tells of nothing
                splits = read_meta(self.target).splits.values()
                old = {file.name for split in splits for file in split.files}
            remove(self.target / META_FILE)
        for name in sorted(old - names):
            remove(self.target / name)
        if self.folder != self.target:
            for name in sorted(names):
                with making(self.target / name), suppress(FileNotFoundError):  # moved before a kill
                    (self.folder / name).replace(self.target / name)
        fsync_dir(self.target)
        finish()
        write_meta(self.target, meta)
        with suppress(OSError):
            (self.folder / STATE_FILE).unlink()
            for name in (STATE_FILE, *OWN_FILES):  # half written when a kill came
                for file in self.target.glob(f".{name}.*.tmp"):
                    file.unlink()
        if self.folder != self.target:
            shutil.rmtree(self.folder, ignore_errors=True)


def _words(names: list[str]) -> str:
    known = {"inputs": "text (its files have changed since)", "sources": "text", "settings":
             "settings of the text", "end_id": "tokenizer"}  # fmt: skip
    return ", ".join(known.get(name, name.replace("_", " ")) for name in names)
