"""The settings of a training run: data, recipe, checkpoints, watching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

from yocto.config.knobs import Config, knob, knobs, path_knob
from yocto.config.model import ModelConfig


@dataclass(frozen=True, kw_only=True)
class RecipeConfig(Config):
    """How a model learns: optimizer, schedule, regularisation."""

    batch_size: int = knob(
        8, "Sequences in one forward pass, of all processes together.", low=1, high=1 << 20
    )
    gradient_accumulation_steps: int = knob(
        1, "Forward passes in one optimizer step.", low=1, high=1 << 20
    )
    max_iters: int = knob(2500, "Optimizer steps.", low=1, high=10**9)
    minutes: float | None = knob(
        None, "Choose --max-iters so that training, from now on, takes this long.",
        low=0.01, high=1e6, default_text="off",
    )  # fmt: skip
    optimizer: Literal["muon", "adamw"] = knob(
        "muon", "Muon moves the blocks' matrices and AdamW the rest, or AdamW all."
    )
    schedule: Literal["linear", "cosine", "constant", "wsd"] = knob(
        "linear",
        "What follows the warm-up: linear and wsd stay at the peak and then cool down, long or "
        "short.",
    )
    learning_rate: float = knob(8e-3, "Peak learning rate, AdamW's.", low=0, high=10)
    muon_lr: float | None = knob(
        None, "Muon's peak learning rate.", low=0, high=10,
        default_text="4 times --learning-rate",
    )  # fmt: skip
    min_lr: float = knob(0.0, "Learning rate at the end, AdamW's.", low=0, high=10)
    warmup_iters: int = knob(10, "Steps over which the learning rate rises.", low=0, high=10**9)
    cooldown: float | None = knob(
        None, "Share of the steps over which linear and wsd fall.", low=0, high=1,
        default_text="0.7 for linear, 0.2 for wsd",
    )  # fmt: skip
    weight_decay: float = knob(0.1, "Decay of weight matrices, times the rate.", low=0, high=10)
    momentum: float = knob(0.9, "Muon's momentum (Nesterov's).", low=0, high=0.9999)
    beta1: float = knob(0.9, "AdamW's decay of the mean of gradients.", low=0, high=0.9999)
    beta2: float = knob(0.99, "AdamW's decay of the mean of squares.", low=0, high=0.999999)
    grad_clip: float = knob(1.0, "Largest gradient norm; 0 turns clipping off.", low=0, high=1e6)
    patience: int | None = knob(
        None, "Stop early after so many evaluations without a better one.", low=1, high=10**6,
        default_text="off",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LoopConfig(RecipeConfig):
    """A run of the training loop, whatever it learns: checkpoints, watching, the machine."""

    ckpt_dir: str = path_knob("checkpoints", "Folder where runs lie.")
    run_name: str | None = path_knob(None, "Name of the run.", default_text="a new one")
    eval_interval: int = knob(250, "Steps between evaluations and checkpoints.", low=1, high=10**9)
    eval_iters: int = knob(
        40, "Most batches of an evaluation; the last one takes the whole split.", low=1, high=10**9
    )
    save_interval: int | None = knob(
        None, "Steps between checkpoints, besides those of evaluations.", low=1, high=10**9,
        default_text="off",
    )  # fmt: skip
    save_minutes: float = knob(
        10.0, "Most minutes between two checkpoints; 0 turns this off.", low=0, high=1e6
    )
    keep_last: int = knob(
        2, "How many of the latest checkpoints are kept, besides the best.", low=1, high=10**6
    )
    log: tuple[str, ...] = knob(
        (), "Write the curves for tensorboard or wandb, too; repeat it for both.",
        low=1, high=100,
    )  # fmt: skip
    device: str = path_knob("auto", "auto, cpu, cuda, cuda:N or mps.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = knob(
        "auto", "Arithmetic of the matrix products; auto: bfloat16 on a GPU that has it."
    )
    activation_checkpointing: bool = knob(
        False,
        "Compute each block's activations again for its gradient: less memory, a third slower.",
    )
    compile: bool = knob(False, "Compile the model with torch.compile.")
    nproc: int | None = knob(
        None, "Processes to train with on this machine, on a GPU each or sharing the cores.",
        low=1, high=1024, default_text="1, or those that torchrun has started",
    )  # fmt: skip
    parallel: Literal["ddp", "fsdp"] = knob(
        "ddp", "What each process has: the whole model (ddp), or a part of each weight (fsdp)."
    )
    seed: int = knob(1337, "Seed of weights, batches and dropout.", low=0, high=2**63 - 1)
    resume: Literal["never", "auto"] = knob(
        "never", "auto: go on with --run-name, or the newest run of its kind, where it stopped."
    )
    overwrite: bool = knob(False, "Replace the run of this name.")
    dry_run: bool = knob(False, "Tell parameters, memory and time, and train nothing.")

    @property
    def keeps_apart(self) -> bool:
        """Whether no token attends to another document that shares its window."""
        return False

    @property
    def rank(self) -> int | None:
        """Of the factors that are trained in place of the weights; None trains the weights."""
        return None

    @property
    def command(self) -> str:
        """What the user types for a run of this kind."""
        return "yocto train"

    def record(self) -> dict[str, Any]:
        """What a checkpoint notes of its run."""
        return self.to_dict()

    @classmethod
    def from_record(cls, values: dict[str, Any], source: str = "") -> Self:
        """The settings that a checkpoint notes. Raises ConfigError."""
        return cls.from_dict(values, source)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(ModelConfig, LoopConfig):
    """Settings of `yocto train`: the run, the recipe, and the model's shape."""

    alternatives = (("minutes", "max_iters"), ("depth", "preset"))
    # What all presets decide; a test compares this with the files.
    from_preset = frozenset({
        "n_layer", "n_head", "n_embd", "block_size", "batch_size", "max_iters", "learning_rate",
        "warmup_iters", "eval_interval", "eval_iters",
    })  # fmt: skip

    mode: Literal["char", "token"] = knob(
        "token", "Train on characters (data/char) or tokens (data/token)."
    )
    data_dir: str | None = path_knob(
        None, "Folder with train.bin, val.bin and meta.json.", default_text="data/MODE"
    )
    tokenizer_path: str | None = path_knob(
        None, "Tokenizer: a file or its folder.", default_text="the one in --data-dir"
    )
    preset: str | None = path_knob(
        None,
        "Named settings: cpu-char, cpu-token, gpu-char, gpu-token, 0.8m, 3m, 11m, 30m, gpt2-124m "
        "or gpt2-350m.",
        default_text="what fits the device",
    )
    depth: int | None = knob(
        None, "One dial instead of a preset: blocks; width, heads, rates, batch and steps follow.",
        low=1, high=64, default_text="off",
    )  # fmt: skip
    order: Literal["random", "sequential"] = knob(
        "random",
        "Windows from anywhere in the text, or each token once an epoch, shuffled by window.",
    )
    respect_documents: bool = knob(
        False, "Let no token attend to another document that shares its window."
    )
    overfit_batch: bool = knob(
        False, "Learn one batch over and over, to see that the loss falls to nothing."
    )
    run_name: str | None = path_knob(None, "Name of the run.", default_text="MODE-1, MODE-2, …")

    @property
    def keeps_apart(self) -> bool:
        """Whether no token attends to another document that shares its window."""
        return self.respect_documents

    @property
    def command(self) -> str:
        """What the user types for a run of this mode."""
        return f"yocto train --mode {self.mode}"


def without_effect(config: RecipeConfig) -> list[str]:
    """What the user has set and other settings make meaningless, in words."""
    by = {
        ("cooldown",): config.schedule in ("cosine", "constant") and f"schedule {config.schedule}",
        ("min_lr",): config.schedule == "constant" and "schedule constant",
        ("muon_lr", "momentum"): config.optimizer == "adamw" and "optimizer adamw",
    }
    defaults = {f.name: f.default for f in knobs(type(config))}
    told = []
    if "min_lr" in config.given and config.min_lr > config.learning_rate > 0:
        told.append("min_lr is above learning_rate: the rate stays at its peak")
    fixed = {"warmup_iters", "max_iters"} <= config.given and config.minutes is None
    if fixed and config.warmup_iters >= config.max_iters:
        told.append("warmup_iters is not below max_iters: the rate only rises")
    return told + [
        f"{name} changes nothing with {why}"
        for names, why in by.items()
        for name in names
        if why and name in config.given and getattr(config, name) != defaults[name]
    ]
