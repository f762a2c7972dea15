"""The three families in Hugging Face's format: what their models and tensors are called.

One table serves both ways. A tensor of theirs is one of ours, or several of ours joined (GPT-2's
c_attn holds queries, keys and values); GPT-2's Conv1D holds matrices the other way round.
Source: the modeling files of Hugging Face's transformers 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from yocto.config import GPTConfig

Shape = tuple[int, ...]
HEAD = "lm_head.weight"


@dataclass(frozen=True)
class Tensor:
    """A tensor of theirs: its name, and the names of ours that make it up, along their first axis.

    flipped: whether it is held the other way round.
    """

    name: str
    ours: tuple[str, ...]
    flipped: bool = False

    def shape(self, shapes: Mapping[str, Shape]) -> Shape:
        """Its shape, by the shapes of ours; a bias that ours has not is as long as its weight."""
        parts = [shapes.get(name) or _of_bias(name, shapes) for name in self.ours]
        joined = (sum(part[0] for part in parts), *parts[0][1:])
        return joined[::-1] if self.flipped else joined


def _of_bias(name: str, shapes: Mapping[str, Shape]) -> Shape:
    return shapes[name.removesuffix("bias") + "weight"][:1]


@dataclass(frozen=True)
class Family:
    """A family. prefix: before all names but the head's, where a model has a head. outer, inner:
    theirs -> ours, outside of the blocks and in each of them, weights and, in GPT-2, biases.
    buffers: endings of what a file may hold besides, and nobody needs."""

    model_type: str
    causal: str
    base: str
    prefix: str
    block: str
    outer: dict[str, str]
    inner: dict[str, tuple[str, ...]]
    buffers: tuple[str, ...]
    flipped: frozenset[str] = field(default_factory=frozenset)

    def tensors(self, config: GPTConfig, attention: bool, mlp: bool) -> Iterator[Tensor]:
        """All tensors of a model with a head. attention, mlp: whether these parts have biases."""
        for theirs, ours in self.outer.items():
            yield from self._both(self.prefix + theirs, (ours,), False, attention)
        for layer in range(config.n_layer):
            start = f"{self.prefix}{self.block}.{layer}."
            for theirs, parts in self.inner.items():
                if parts[0] in ("attn.q_norm", "attn.k_norm") and not config.qk_norm:
                    continue
                names = tuple(f"blocks.{layer}.{name}" for name in parts)
                biased = mlp if parts[0].startswith("mlp") else attention
                yield from self._both(start + theirs, names, theirs in self.flipped, biased)
        yield Tensor(HEAD, (HEAD,))

    def _both(
        self, name: str, ours: tuple[str, ...], flipped: bool, biased: bool
    ) -> Iterator[Tensor]:
        """A part's weight, and its bias if it has one."""
        yield Tensor(f"{name}.weight", tuple(f"{part}.weight" for part in ours), flipped)
        kind = ours[0].rpartition(".")[2]
        norm = kind in ("norm", "norm_1", "norm_2")
        if (norm and self is GPT2) or (kind.endswith("_proj") and biased):
            yield Tensor(f"{name}.bias", tuple(f"{part}.bias" for part in ours))


GPT2 = Family(
    model_type="gpt2",
    causal="GPT2LMHeadModel",
    base="GPT2Model",
    prefix="transformer.",
    block="h",
    outer={"wte": "wte", "wpe": "wpe", "ln_f": "norm"},
    inner={
        "ln_1": ("norm_1",),
        "attn.c_attn": ("attn.q_proj", "attn.k_proj", "attn.v_proj"),
        "attn.c_proj": ("attn.o_proj",),
        "ln_2": ("norm_2",),
        "mlp.c_fc": ("mlp.up_proj",),
        "mlp.c_proj": ("mlp.down_proj",),
    },
    buffers=(".attn.bias", ".attn.masked_bias"),
    flipped=frozenset({"attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"}),
)


def _like_llama(model_type: str, name: str) -> Family:
    return Family(
        model_type=model_type,
        causal=f"{name}ForCausalLM",
        base=f"{name}Model",
        prefix="model.",
        block="layers",
        outer={"embed_tokens": "wte", "norm": "norm"},
        inner={
            "input_layernorm": ("norm_1",),
            "self_attn.q_proj": ("attn.q_proj",),
            "self_attn.k_proj": ("attn.k_proj",),
            "self_attn.v_proj": ("attn.v_proj",),
            "self_attn.o_proj": ("attn.o_proj",),
            "self_attn.q_norm": ("attn.q_norm",),
            "self_attn.k_norm": ("attn.k_norm",),
            "post_attention_layernorm": ("norm_2",),
            "mlp.gate_proj": ("mlp.gate_proj",),
            "mlp.up_proj": ("mlp.up_proj",),
            "mlp.down_proj": ("mlp.down_proj",),
        },
        buffers=("rotary_emb.inv_freq",),
    )


LLAMA = _like_llama("llama", "Llama")
QWEN3 = _like_llama("qwen3", "Qwen3")
BY_TYPE = {family.model_type: family for family in (GPT2, LLAMA, QWEN3)}
SUPPORTED = ", ".join(family.causal for family in BY_TYPE.values())
