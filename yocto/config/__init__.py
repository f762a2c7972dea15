"""Every knob of yocto, declared once: default, help text and allowed range."""

from yocto.config.commands import (
    DEFAULT_TEXT,
    END_OF_TEXT,
    ChatConfig,
    EncodeConfig,
    GenerateConfig,
    PrepareCharConfig,
    QuickstartConfig,
    SampleConfig,
    SamplingConfig,
    TrainConfig,
    TrainTokenizerConfig,
)
from yocto.config.knobs import (
    Config,
    default_words,
    knob,
    knobs,
    nearest,
    range_text,
    takes,
    unwrap_optional,
)
from yocto.config.model import FAMILIES, GPTConfig, ModelConfig

__all__ = [
    "DEFAULT_TEXT",
    "END_OF_TEXT",
    "FAMILIES",
    "ChatConfig",
    "Config",
    "EncodeConfig",
    "GPTConfig",
    "GenerateConfig",
    "ModelConfig",
    "PrepareCharConfig",
    "QuickstartConfig",
    "SampleConfig",
    "SamplingConfig",
    "TrainConfig",
    "TrainTokenizerConfig",
    "default_words",
    "knob",
    "knobs",
    "nearest",
    "range_text",
    "takes",
    "unwrap_optional",
]
