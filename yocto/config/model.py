"""The shape of a GPT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from yocto.config.knobs import Config, knob
from yocto.errors import ConfigError

# What each family fixes. GPT-2: Radford et al. 2019; Llama: arXiv:2302.13971; Qwen3:
# arXiv:2505.09388.
FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2": {"norm": "layernorm", "position": "learned", "mlp": "gelu", "qk_norm": False,
             "bias": True, "tie_weights": True},
    "llama": {"norm": "rmsnorm", "position": "rope", "mlp": "swiglu", "qk_norm": False,
              "bias": False, "tie_weights": False},
    "qwen3": {"norm": "rmsnorm", "position": "rope", "mlp": "swiglu", "qk_norm": True,
              "bias": False, "tie_weights": False},
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
    head_size: int | None = knob(
        None, "Channels of each head.", low=1, high=65536, default_text="n_embd / n_head"
    )
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
    rope_scaling: str = knob(
        "none",
        "Slower rotation for a longer context: none, linear:FACTOR, or as Llama 3.1 has it, "
        "llama3:FACTOR:LOW:HIGH:CONTEXT.",
        low=1, high=100,
    )  # fmt: skip

    @property
    def rope_slowing(self) -> RopeScaling | None:
        """rope_scaling, read. Raises ConfigError."""
        return None if self.rope_scaling == "none" else RopeScaling.of(self.rope_scaling)


class RopeScaling(NamedTuple):
    """How rotary wavelengths are stretched beyond the context that a model learnt first.

    linear: all of them, by `factor` (Chen et al. 2023, "Extending Context Window"). llama3: those
    longer than context / low by `factor`, those shorter than context / high not at all, and those
    between little by little (Llama 3.1, arXiv:2407.21783; the rule is that of its published code).
    """

    kind: Literal["linear", "llama3"]
    factor: float
    low: float = 1.0
    high: float = 4.0
    context: int = 8192

    @classmethod
    def of(cls, text: str) -> RopeScaling:
        """Read "linear:4" or "llama3:8:1:4:8192"."""
        kind, *numbers = text.split(":")
        try:
            if kind == "linear":
                (factor,) = map(float, numbers)
                found = cls("linear", factor)
            elif kind == "llama3":
                factor, low, high, context = map(float, numbers)
                found = cls("llama3", factor, low, high, int(context))
            else:
                raise ValueError
            if not (1 <= found.factor <= 1e4 and 0 < found.low < found.high <= 1e4):
                raise ValueError
            if not 1 <= found.context <= 1 << 24:
                raise ValueError
        except (ValueError, OverflowError):
            raise ConfigError(
                f"rope_scaling is {text!r}, which is no scaling",
                "It is none, linear:FACTOR or llama3:FACTOR:LOW:HIGH:CONTEXT, such as linear:2 or "
                "llama3:8:1:4:8192; FACTOR is at least 1, and LOW is below HIGH.",
            ) from None
        return found

    def __str__(self) -> str:
        numbers = (self.factor,) if self.kind == "linear" else self[1:]
        return ":".join(
            [
                self.kind,
                *(f"{number:g}" for number in numbers[:3]),
                *([str(self.context)] if self.kind == "llama3" else []),
            ]
        )


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
        if self.head_size is None:
            object.__setattr__(self, "head_size", self.n_embd // self.n_head)

    def _check_shape(self) -> None:
        n_kv_head = self.n_kv_head
        assert n_kv_head is not None
        if self.head_size is None and self.n_embd % self.n_head:
            step = self.n_head * (2 if self.position == "rope" else 1)
            raise ConfigError(
                f"n_embd {self.n_embd} is not a multiple of n_head {self.n_head}",
                f"Each head takes n_embd / n_head channels: try n_embd "
                f"{-(-self.n_embd // step) * step}, or say head_size.",
            )
        if self.n_head % n_kv_head:
            raise ConfigError(
                f"n_head {self.n_head} is not a multiple of n_kv_head {n_kv_head}",
                "Each key and value head serves n_head / n_kv_head query heads.",
            )
        size = self.head_size or self.n_embd // self.n_head
        if self.position == "rope" and size % 2:
            raise ConfigError(
                f"a head of {size} channels can't be rotated in pairs",
                "Choose n_embd / n_head (or head_size) even, or position=learned.",
            )
        if self.rope_slowing is not None and self.position != "rope":
            raise ConfigError(
                f"rope_scaling has nothing to scale with position={self.position}",
                "Leave it out, or choose position=rope.",
            )
