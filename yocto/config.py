"""Every knob of yocto: its default, its help text and its allowed range, in one place.

A command's settings are a frozen dataclass whose fields are made with `knob`. The command line
(cli/options.py), the presets, `--config` files and `--set` all read and check the same fields, so
a knob is declared once. Standard library only: `yocto --help` needs nothing else.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import NoneType, UnionType
from typing import Any, Literal, Self, Union, cast, get_args, get_origin, get_type_hints

from yocto.errors import ConfigError

DEFAULT_TEXT = "data/philosophy.txt"
END_OF_TEXT = "<|endoftext|>"


def knob(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    default_text: str | None = None,
) -> Any:
    """Declare one setting.

    help: one sentence for `--help`. low, high: the allowed range, both ends included.
    default_text: what help says of the default where the bare value would not tell (None, "").
    """
    metadata = {"help": help, "low": low, "high": high, "default_text": default_text}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of all settings: checks types and ranges, and remembers what was asked for.

    given: names of the fields that the user set; presets and resumed runs fill in only the others.
    Left out, it is every field that differs from its default.
    """

    given: frozenset[str] = field(default=cast(frozenset[str], None), repr=False, compare=False)

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        changed = set()
        for f in knobs(type(self)):
            value = _checked(f, hints[f.name], getattr(self, f.name))
            object.__setattr__(self, f.name, value)
            if value != f.default:
                changed.add(f.name)
        if self.given is None:
            object.__setattr__(self, "given", frozenset(changed))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "") -> Self:
        """Make settings from plain data; an unknown key is an error that names the nearest one.

        source: where the values come from, for the message ("preset gpu", a file's name).
        """
        known = {f.name for f in knobs(cls)}
        for key in values:
            if key not in known:
                raise _unknown_key(key, sorted(known), source)
        try:
            return cls(**values, given=frozenset(values))
        except ConfigError as error:
            if not source:
                raise
            raise type(error)(f"{source}: {error.message}", error.hint) from None

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain data, for JSON."""
        values = {f.name: getattr(self, f.name) for f in knobs(type(self))}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    def with_base(self, base: Mapping[str, Any]) -> Self:
        """These settings, with `base` in place of every default that the user did not touch."""
        fill = {key: value for key, value in base.items() if key not in self.given}
        return dataclasses.replace(self, **fill, given=self.given)


def knobs(cls: type[Config]) -> list[dataclasses.Field[Any]]:
    """The fields of a configuration that are settings."""
    return [f for f in fields(cls) if f.name != "given"]


def nearest(word: str, known: list[str]) -> str:
    """The known word most like `word`, or "" when none is."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return close[0] if close else ""


def _unknown_key(key: str, known: list[str], source: str) -> ConfigError:
    where = f"{source}: " if source else ""
    close = nearest(key, known)
    hint = f"Did you mean {close!r}?" if close else "Known keys: " + ", ".join(known)
    return ConfigError(f"{where}unknown setting {key!r}", hint)


def unwrap_optional(hint: Any) -> tuple[Any, bool]:
    """`X | None` as (X, True), any other type as (type, False)."""
    if get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint):
        (inner,) = [a for a in get_args(hint) if a is not NoneType]
        return inner, True
    return hint, False


def _checked(f: dataclasses.Field[Any], hint: Any, value: Any) -> Any:
    """The value in its field's own type; a ConfigError says what the field takes instead."""
    kind, optional = unwrap_optional(hint)
    if optional and (value is None or (value is False and kind is not bool)):
        return None  # YAML reads "off" as false
    if get_origin(kind) is Literal:
        if value not in get_args(kind) or isinstance(value, bool):
            raise _bad(f, value, "one of " + ", ".join(map(str, get_args(kind))))
        return value
    if get_origin(kind) is tuple:
        if isinstance(value, list):
            value = tuple(value)
        if not isinstance(value, tuple) or not all(isinstance(v, str) for v in value):
            raise _bad(f, value, "a list of texts")
        return value
    low, high = f.metadata["low"], f.metadata["high"]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError:
            raise _bad(f, value, range_text(low, high) or "a finite number") from None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _bad(f, value, {"int": "a whole number", "float": "a number", "str": "a text",
                              "bool": "true or false"}[kind.__name__])  # fmt: skip
    # Written so that NaN, which compares false with everything, is out of range too.
    below = low is not None and not value >= low
    above = high is not None and not value <= high
    if below or above or (kind is float and not math.isfinite(value)):
        raise _bad(f, value, range_text(low, high) or "a finite number")
    return value


def range_text(low: float | None, high: float | None) -> str:
    """A range in words: "from 0 to 1", "at least 1", "at most 4"; "" when there is none."""
    if low is not None and high is not None:
        return f"from {low:g} to {high:g}"
    if low is not None:
        return f"at least {low:g}"
    return f"at most {high:g}" if high is not None else ""


def _bad(f: dataclasses.Field[Any], value: Any, wanted: str) -> ConfigError:
    return ConfigError(f"{f.name} is {value!r}, but it takes {wanted}", f.metadata["help"])


# ---------------------------------------------------------------------------------------- model

# What each family fixes. GPT-2: Radford et al. 2019; Llama: arXiv:2302.13971; Qwen3:
# arXiv:2505.09388.
FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2": {"norm": "layernorm", "position": "learned", "mlp": "gelu", "qk_norm": False,
             "bias": True, "tie_weights": True},
    "llama": {"norm": "rmsnorm", "position": "rope", "mlp": "swiglu", "qk_norm": False,
              "bias": False, "tie_weights": False},
    "qwen3": {"norm": "rmsnorm", "position": "rope", "mlp": "swiglu", "qk_norm": True,
              "bias": False, "tie_weights": True},
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Config):
    """The shape of a GPT, all but its vocabulary. A field that is None takes its family's value."""

    family: Literal["gpt2", "llama", "qwen3"] = knob(
        "qwen3", "Architecture: sets norm, position, mlp, qk_norm, bias and tie_weights."
    )
    n_layer: int = knob(4, "Number of transformer blocks.", low=1, high=1000)
    n_head: int = knob(4, "Number of attention heads.", low=1, high=1024)
    n_kv_head: int | None = knob(
        None, "Number of key and value heads (grouped-query attention).", low=1, high=1024,
        default_text="n_head",
    )  # fmt: skip
    n_embd: int = knob(128, "Width of the model: channels per token.", low=1, high=65536)
    n_inner: int | None = knob(
        None, "Width inside the MLP.", low=1, high=1 << 20,
        default_text="4 n_embd, or 8/3 n_embd for swiglu",
    )  # fmt: skip
    block_size: int = knob(
        128, "Context: the most tokens that the model sees.", low=1, high=1 << 20
    )
    dropout: float = knob(0.0, "Share of activations dropped while training.", low=0, high=0.99)
    norm: Literal["layernorm", "rmsnorm"] | None = knob(
        None, "Normalisation.", default_text="the family's"
    )
    position: Literal["learned", "sinusoidal", "rope"] | None = knob(
        None, "How positions are encoded.", default_text="the family's"
    )
    mlp: Literal["gelu", "swiglu", "relu2"] | None = knob(
        None, "Activation of the MLP.", default_text="the family's"
    )
    qk_norm: bool | None = knob(
        None, "Normalise queries and keys of each head.", default_text="the family's"
    )
    bias: bool | None = knob(
        None, "Biases in linear layers and layer norms.", default_text="the family's"
    )
    tie_weights: bool | None = knob(
        None, "Share the embedding's weights with the head.", default_text="the family's"
    )
    norm_eps: float = knob(1e-6, "Added to the variance in a norm.", low=1e-12, high=0.1)
    rope_base: float = knob(10000.0, "Base of the rotary wavelengths.", low=1, high=1e9)


@dataclass(frozen=True, kw_only=True)
class GPTConfig(ModelConfig):
    """All that it takes to make a GPT; no field is None once it is made."""

    vocab_size: int = knob(50257, "Number of different tokens.", low=1, high=1 << 24)

    def __post_init__(self) -> None:
        super().__post_init__()
        fill: dict[str, Any] = {**FAMILIES[self.family], "n_kv_head": self.n_head}
        for name, value in fill.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if self.n_inner is None:
            # Three matrices of 8/3 C hold as many weights as two of 4 C; multiples of 8 are fast.
            n_inner = 4 * self.n_embd if self.mlp != "swiglu" else -(-8 * self.n_embd // 24) * 8
            object.__setattr__(self, "n_inner", n_inner)
        self._check_shape()

    def _check_shape(self) -> None:
        n_kv_head = self.n_kv_head
        assert n_kv_head is not None
        if self.n_embd % self.n_head:
            raise ConfigError(
                f"n_embd {self.n_embd} is not a multiple of n_head {self.n_head}",
                f"Each head takes n_embd / n_head channels: try n_embd "
                f"{-(-self.n_embd // self.n_head) * self.n_head}.",
            )
        if self.n_head % n_kv_head:
            raise ConfigError(
                f"n_head {self.n_head} is not a multiple of n_kv_head {n_kv_head}",
                "Each key and value head serves n_head / n_kv_head query heads.",
            )
        if self.position == "rope" and (self.n_embd // self.n_head) % 2:
            raise ConfigError(
                f"a head of {self.n_embd // self.n_head} channels can't be rotated in pairs",
                "Choose n_embd / n_head even, or position=learned.",
            )


# ------------------------------------------------------------------------------------- commands


@dataclass(frozen=True, kw_only=True)
class PrepareCharConfig(Config):
    """Settings of `yocto prepare-char`."""

    text_path: tuple[str, ...] = knob((DEFAULT_TEXT,), "Text file; repeat it for several.")
    out_dir: str = knob("data/char", "Folder for vocab.json, train.bin, val.bin and meta.json.")
    val_ratio: float = knob(0.1, "Share of the text kept for validation.", low=0, high=0.9)


@dataclass(frozen=True, kw_only=True)
class TrainTokenizerConfig(Config):
    """Settings of `yocto train-tokenizer`."""

    text_path: tuple[str, ...] = knob((DEFAULT_TEXT,), "Text file; repeat it for several.")
    out_dir: str = knob("data/token", "Folder for tokenizer.json, vocab.json and merges.txt.")
    vocab_size: int = knob(
        8000, "Tokens to reach, bytes and special tokens included.", low=257, high=1 << 20
    )
    num_merges: int | None = knob(
        None, "Merges to learn, instead of --vocab-size.", low=0, high=1 << 20,
        default_text="what --vocab-size needs",
    )  # fmt: skip
    pattern: str = knob(
        "gpt2", "How text is split before merging: gpt2, gpt4, gpt4o, llama3, qwen2, or a regex."
    )
    special_token: tuple[str, ...] = knob(
        (END_OF_TEXT,),
        "Special token; repeat it for several. <|endoftext|>, or else the first, ends documents.",
    )


@dataclass(frozen=True, kw_only=True)
class EncodeConfig(Config):
    """Settings of `yocto encode`."""

    text_path: tuple[str, ...] | None = knob(
        None, "Text file; repeat it for several.", default_text="the tokenizer's own corpus"
    )
    tokenizer_path: str = knob("data/token/tokenizer.json", "Tokenizer: a file or its folder.")
    out_dir: str | None = knob(
        None, "Folder for train.bin, val.bin and meta.json.", default_text="the tokenizer's folder"
    )
    val_ratio: float = knob(0.1, "Share of the text kept for validation.", low=0, high=0.9)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(ModelConfig):
    """Settings of `yocto train`: the run, the recipe, and the model's shape."""

    mode: Literal["char", "token"] = knob(
        "token", "Train on characters (data/char) or tokens (data/token)."
    )
    data_dir: str | None = knob(
        None, "Folder with train.bin, val.bin and meta.json.", default_text="data/MODE"
    )
    tokenizer_path: str | None = knob(
        None, "Tokenizer: a file or its folder.", default_text="the one in --data-dir"
    )
    ckpt_dir: str = knob("checkpoints", "Folder where runs lie.")
    run_name: str | None = knob(None, "Name of the run.", default_text="MODE-1, MODE-2, …")
    preset: str | None = knob(
        None,
        "Named settings: cpu-char, cpu-token, gpu-char or gpu-token.",
        default_text="what fits the device",
    )
    batch_size: int = knob(4, "Sequences in one forward pass.", low=1, high=1 << 20)
    gradient_accumulation_steps: int = knob(
        1, "Forward passes in one optimizer step.", low=1, high=1 << 20
    )
    max_iters: int = knob(3000, "Optimizer steps.", low=1, high=10**9)
    minutes: float | None = knob(
        None, "Choose --max-iters so that training, from now on, takes this long.",
        low=0.01, high=1e6, default_text="off",
    )  # fmt: skip
    learning_rate: float = knob(3e-3, "Peak learning rate.", low=0, high=10)
    min_lr: float = knob(0.0, "Learning rate at the end of the cosine.", low=0, high=10)
    warmup_iters: int = knob(50, "Steps over which the learning rate rises.", low=0, high=10**9)
    weight_decay: float = knob(0.1, "AdamW's decay of weight matrices.", low=0, high=10)
    beta1: float = knob(0.9, "AdamW's decay of the mean of gradients.", low=0, high=0.9999)
    beta2: float = knob(0.99, "AdamW's decay of the mean of squares.", low=0, high=0.999999)
    grad_clip: float = knob(1.0, "Largest gradient norm; 0 turns clipping off.", low=0, high=1e6)
    eval_interval: int = knob(250, "Steps between evaluations and checkpoints.", low=1, high=10**9)
    eval_iters: int = knob(
        40, "Most batches of an evaluation; the last one takes the whole split.", low=1, high=10**9
    )
    device: str = knob("auto", "auto, cpu, cuda, cuda:N or mps.")
    dtype: Literal["auto", "float32", "bfloat16"] = knob(
        "auto", "Arithmetic of the matrix products; auto: bfloat16 on a GPU that has it."
    )
    compile: bool = knob(False, "Compile the model with torch.compile.")
    seed: int = knob(1337, "Seed of weights, batches and dropout.", low=0, high=2**63 - 1)
    resume: Literal["never", "auto"] = knob(
        "never", "auto: go on with --run-name, or the newest run of this mode, where it stopped."
    )
    overwrite: bool = knob(False, "Replace the run of this name.")


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(Config):
    """How the next token is chosen."""

    max_new_tokens: int = knob(256, "Most tokens to generate.", low=0, high=10**9)
    temperature: float = knob(0.7, "Above 1 bolder, below 1 safer; 0 is greedy.", low=0, high=100)
    top_k: int | None = knob(
        None, "Sample only from the K likeliest tokens.", low=1, high=1 << 24, default_text="off"
    )
    top_p: float = knob(
        0.95, "Sample only from the likeliest tokens that make up this share.", low=1e-6, high=1
    )
    min_p: float = knob(
        0.0, "Drop tokens less likely than this share of the likeliest one.", low=0, high=1
    )
    repetition_penalty: float = knob(
        1.0, "Above 1: tokens already seen become less likely.", low=0.01, high=100
    )
    stop: tuple[str, ...] = knob((), "Stop before this text; repeat it for several.")
    greedy: bool = knob(False, "Always take the likeliest token.")
    ignore_eos: bool = knob(False, "Go on past the end token.")
    seed: int | None = knob(
        None, "Seed of the choice.", low=0, high=2**63 - 1, default_text="another each time"
    )


@dataclass(frozen=True, kw_only=True)
class GenerateConfig(SamplingConfig):
    """What sample and chat have in common: which model, and how it chooses."""

    ckpt: str | None = knob(
        None, "latest, a run's name or a path.", default_text="the best step of the newest run"
    )
    ckpt_dir: str = knob("checkpoints", "Folder where runs lie.")
    device: str = knob("auto", "auto, cpu, cuda, cuda:N or mps.")


@dataclass(frozen=True, kw_only=True)
class SampleConfig(GenerateConfig):
    """Settings of `yocto sample`."""

    prompt: str = knob("", "Text to continue, @FILE, or - for standard input.", default_text="none")
    num_samples: int = knob(1, "How many texts to write.", low=1, high=10**6)
    stream: bool = knob(True, "Print the text while it is made.")


@dataclass(frozen=True, kw_only=True)
class ChatConfig(GenerateConfig):
    """Settings of `yocto chat`."""

    system_prompt: str = knob("", "Text that stays before the conversation.", default_text="none")
    max_ctx_tokens: int | None = knob(
        None, "Most tokens of conversation that the model is shown.", low=1, high=1 << 20,
        default_text="what block_size leaves room for",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class QuickstartConfig(Config):
    """Settings of `yocto quickstart`."""

    text_path: tuple[str, ...] = knob((DEFAULT_TEXT,), "Text file; repeat it for several.")
    mode: Literal["char", "token"] = knob("token", "Train on characters or on tokens.")
    minutes: float = knob(3.0, "How long to train.", low=0.01, high=1e6)
    out_dir: str = knob("data/quickstart", "Folder for the tokenizer and the encoded text.")
    ckpt_dir: str = knob("checkpoints", "Folder where runs lie.")
