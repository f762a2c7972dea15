"""The settings of fine-tuning on conversations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

from yocto.config.knobs import knob, path_knob
from yocto.config.train import LoopConfig
from yocto.errors import ConfigError

CHAT = "chat"  # the mode of a fine-tuned run, where others have char or token


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(LoopConfig):
    """Settings of `yocto finetune`."""

    alternatives = (("minutes", "epochs"), ("minutes", "max_iters"), ("epochs", "max_iters"))

    ckpt: str | None = path_knob(
        None, "The model to begin with: latest, a run's name or a path.",
        default_text="the best step of the newest run that is not fine-tuned",
    )  # fmt: skip
    data: tuple[str, ...] = path_knob(
        (),
        "Conversations, as messages, alpaca or sharegpt: a .jsonl or .json file, a folder, a glob "
        "or a URL; repeat it for several.",
        default_text="none",
    )
    val_ratio: float = knob(0.1, "Share of the conversations for validation.", low=0, high=0.9)
    skip_bad: bool = knob(False, "Pass over records that are no conversations, and count them.")
    epochs: float = knob(
        3.0, "How often each conversation is learnt from; --max-iters instead says it in steps.",
        low=0.001, high=1e6,
    )  # fmt: skip
    lora_rank: int | None = knob(
        None, "Train factors of this rank beside the matrices, which stay as they are (LoRA).",
        low=1, high=4096, default_text="off",
    )  # fmt: skip
    lora_alpha: float | None = knob(
        None, "What the factors' product is multiplied by, times --lora-rank.",
        low=1e-3, high=1e6, default_text="twice --lora-rank",
    )  # fmt: skip
    dropout: float | None = knob(
        None, "Share of activations dropped while training.", low=0, high=0.99,
        default_text="the model's",
    )  # fmt: skip
    run_name: str | None = path_knob(
        None, "Name of the run.", default_text="NAME-chat-1, NAME-chat-2, … after the model's run"
    )
    max_iters: int = knob(
        1, "Optimizer steps.", low=1, high=10**9, default_text="what --epochs come to"
    )
    optimizer: Literal["muon", "adamw"] = knob(
        "adamw", "Muon moves the blocks' matrices and AdamW the rest, or AdamW all."
    )
    learning_rate: float = knob(3e-3, "Peak learning rate, AdamW's.", low=0, high=10)
    eval_interval: int = knob(100, "Steps between evaluations and checkpoints.", low=1, high=10**9)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lora_rank is not None and self.optimizer == "muon":
            raise ConfigError(
                "the factors of lora_rank are moved by adamw, not by muon",
                "Leave --optimizer muon or --lora-rank out.",
            )

        if self.lora_rank is not None and self.parallel == "fsdp":
            raise ConfigError(
                "the factors of lora_rank are few: they are not worth cutting up",
                "Leave --parallel fsdp or --lora-rank out.",
            )

    @property
    def keeps_apart(self) -> bool:
        """Conversations that share a window never see each other."""
        return True

    @property
    def rank(self) -> int | None:
        """Of the factors that are trained in place of the weights."""
        return self.lora_rank

    @property
    def alpha(self) -> float:
        """What lora_alpha comes to."""
        return self.lora_alpha if self.lora_alpha is not None else 2.0 * (self.lora_rank or 0)

    @property
    def command(self) -> str:
        """What the user types for such a run."""
        return "yocto finetune"

    def record(self) -> dict[str, Any]:
        """What a checkpoint notes of its run."""
        return {"mode": CHAT, **self.to_dict()}

    @classmethod
    def from_record(cls, values: dict[str, Any], source: str = "") -> Self:
        """The settings that a checkpoint notes. Raises ConfigError."""
        return cls.from_dict({k: v for k, v in values.items() if k != "mode"}, source)


def idle_factors(config: FinetuneConfig) -> list[str]:
    """What the user has set of LoRA without turning it on, in words."""
    if config.lora_alpha is not None and config.lora_rank is None:
        return ["lora_alpha changes nothing without lora_rank"]
    return []
