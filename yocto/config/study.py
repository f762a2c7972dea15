"""The settings of a study: of what it compares, and of all models in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

from yocto.config.commands import DEFAULT_TEXT, TextConfig
from yocto.config.knobs import knob, knobs, nearest, path_knob, unwrap_optional
from yocto.config.train import TrainConfig
from yocto.errors import ConfigError

# What a study decides itself of each training, and where that is said.
_STUDY_S_OWN = {
    "mode": "", "data_dir": "", "tokenizer_path": "", "run_name": "", "resume": "",
    "overwrite": "", "dry_run": "", "nproc": "", "minutes": "max_iters", "patience": "max_iters",
    "overfit_batch": "", "max_iters": "max_iters", "seed": "seed", "ckpt_dir": "out_dir",
    "eval_interval": "points", "save_interval": "points", "keep_last": "points",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class StudyTokenizersConfig(TextConfig):
    """Settings of `yocto study tokenizers`.

    domain and train may be tables in a file: {law: law.txt, plays: [a.txt, b.txt]}, {n_layer: 6}.
    """

    domain: tuple[str, ...] = knob(
        (), "NAME=PATH, a domain and the text that its tokenizer learns from; repeat it for "
        "others, and for more text of one.",
        low=1, high=5000, default_text="none",
    )  # fmt: skip
    text_path: tuple[str, ...] = path_knob(
        (DEFAULT_TEXT,),
        "What all models learn from: a file, a folder, a glob or a URL; repeat it for several.",
    )
    eval_text_path: tuple[str, ...] = path_knob(
        (),
        "What all models are measured on; repeat it for several.",
        default_text="the validation split of --text-path",
    )
    task: tuple[str, ...] = path_knob(
        (), "NAME=FILE or FILE, a task to answer, as yocto eval takes it; repeat it for several.",
        default_text="none",
    )  # fmt: skip
    limit: int | None = knob(
        None, "Rows of each task's file.", low=1, high=1 << 40, default_text="all"
    )
    skip_bad: bool = knob(False, "Pass over rows that are damaged, and count them.")
    stride: int | None = knob(
        None, "Tokens from the start of a window of text to that of the next one.",
        low=1, high=1 << 20, default_text="block_size",
    )  # fmt: skip
    kind: Literal["byte-bpe", "char-bpe"] = knob(
        "byte-bpe", "Tokens of bytes, or of characters, with bytes for those that are not known."
    )
    vocab_size: int = knob(
        8000, "Tokens of each tokenizer, bytes and special tokens included.", low=5, high=1 << 20
    )
    pattern: str = knob(
        "gpt2", "How text is split before merging: gpt2, gpt4, gpt4o, llama3, qwen2, or a regex.",
        low=1, high=10_000,
    )  # fmt: skip
    val_ratio: float = knob(0.1, "Share of the text kept for validation.", low=0.0001, high=0.9)
    train: tuple[str, ...] = knob(
        (), "KEY=VALUE, a setting of yocto train for all models, as preset=3m; repeat it for "
        "several.",
        low=1, high=1000, default_text="none",
    )  # fmt: skip
    max_iters: int | None = knob(
        None, "Optimizer steps; with equal bytes, of the model whose tokens are the longest.",
        low=1, high=10**9, default_text="the preset's",
    )  # fmt: skip
    equal: Literal["bytes", "tokens"] = knob(
        "bytes", "What all models learn from: as many bytes of text, or as many tokens."
    )
    points: int = knob(10, "How often each model is measured over its training.", low=1, high=1000)
    seeds: int = knob(1, "Models of each tokenizer, each of another seed.", low=1, high=1000)
    seed: int = knob(1337, "Seed of the first model of each tokenizer.", low=0, high=2**62)
    out_dir: str = path_knob(
        "studies/tokenizers", "Folder for all that the study makes; another start goes on there."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.domains()  # these raise where an entry is none
        self.training()
        for name in ("text_path", "eval_text_path"):
            if "-" in getattr(self, name):
                raise ConfigError(
                    f"{name} is -, but a study reads its texts again and again",
                    "Put it into a file first.",
                )

    @classmethod
    def checked(
        cls, values: Mapping[str, Any], source: str = "", spelt: Callable[[str], str] = str
    ) -> dict[str, Any]:
        """As for all settings; domain and train may be tables, too."""
        domain, train = values.get("domain"), values.get("train")
        if isinstance(domain, Mapping) and all(map(_is_domain, domain.values())):
            paths = {k: [v] if isinstance(v, str) else v for k, v in domain.items()}
            entries = tuple(f"{name}={path}" for name, of_it in paths.items() for path in of_it)
            values = {**values, "domain": entries}
        known = [f.name for f in knobs(TrainConfig)]
        if isinstance(train, Mapping) and any(nearest(_name(key), known) for key in train):
            entries = tuple(_entry(_name(key), value) for key, value in train.items())
            values = {**values, "train": entries}
        return super().checked(values, source, spelt)

    def domains(self) -> dict[str, tuple[str, ...]]:
        """The paths of each domain's text, in the order in which they were named. Raises
        ConfigError, which names the entry."""
        found: dict[str, tuple[str, ...]] = {}
        for entry in self.domain:
            name, _, path = entry.partition("=")
            if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,63}", name, re.ASCII) or not path:
                raise ConfigError(
                    f"domain {entry!r} is not a name and a path",
                    "Write NAME=PATH, like --domain law=law.txt; a name has letters, digits, -, _ "
                    "and . in it, since folders are called so.",
                )
            if path == "-":
                raise ConfigError(
                    f"domain {name} is standard input, but a study may read it again",
                    "Put it into a file first.",
                )
            if alike := [n for n in found if n != name and n.lower() == name.lower()]:
                raise ConfigError(
                    f"the domains {alike[0]} and {name} differ only in capitals, and some disks "
                    f"take them for the same folder",
                    "Give one of them another name.",
                )
            found[name] = (*found.get(name, ()), path)
        return found

    def training(self) -> TrainConfig:
        """The settings of yocto train that all models share. Raises ConfigError, which names the
        key."""
        hints = get_type_hints(TrainConfig)
        values: dict[str, Any] = {}
        for entry in self.train:
            key, equals, text = entry.partition("=")
            key = _name(key)
            if not equals or not key:
                raise ConfigError(f"train {entry!r} is not KEY=VALUE", "Like --train n_layer=6.")
            if key in _STUDY_S_OWN:
                place = _STUDY_S_OWN[key]
                hint = f"Say it by --{place.replace('_', '-')}." if place else "Leave it out."
                raise ConfigError(f"train: {key} is what the study decides itself", hint)
            values[key] = _parsed(text, hints.get(key))
        if "preset" in values and "depth" in values:
            raise ConfigError(
                "train: depth and preset say the same in two ways", "Leave out one or the other."
            )
        return TrainConfig.from_dict(values, "train")


def _is_domain(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(path, str) for path in value)
    )


def _name(key: Any) -> str:
    return str(key).strip().replace("-", "_")


def _entry(key: str, value: Any) -> str:
    """A setting of a table as KEY=VALUE, from which `_parsed` makes the same again."""
    if isinstance(value, str) and _parsed(value, None) == value:
        return f"{key}={value}"
    return f"{key}={json.dumps(value, ensure_ascii=False, default=str)}"


def _parsed(text: str, hint: Any) -> Any:
    """What VALUE says: JSON, on or off, or a text; of a key that takes a text, always a text."""
    text = text.strip()
    if text in ("on", "off"):
        return text == "on"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    takes_text = hint is not None and unwrap_optional(hint)[0] is str
    return text if takes_text and not isinstance(value, str | None) else value
