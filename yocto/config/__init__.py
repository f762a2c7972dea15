"""Every knob of yocto, declared once: default, help text and allowed range."""

from yocto.config.bench import (
    BenchConfig,
    BenchDecodeConfig,
    BenchEncodeConfig,
    BenchEvalConfig,
    BenchTokenizerConfig,
    BenchTrainConfig,
)
from yocto.config.commands import (
    DEFAULT_TEXT,
    END_OF_TEXT,
    ConvertTokenizerConfig,
    DownloadConfig,
    EncodeConfig,
    InspectConfig,
    PrepareCharConfig,
    QuickstartConfig,
    TextConfig,
    TrainTokenizerConfig,
)
from yocto.config.evaluation import CompareTokenizersConfig, EvalConfig, ReportConfig
from yocto.config.finetune import CHAT, FinetuneConfig, idle_factors
from yocto.config.interop import IMPORTED, ExportConfig, ImportConfig
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
from yocto.config.model import FAMILIES, GPTConfig, ModelConfig, RopeScaling
from yocto.config.runs import PlotConfig, RunsCompareConfig, RunsConfig
from yocto.config.sampling import ChatConfig, GenerateConfig, SampleConfig, SamplingConfig
from yocto.config.scaling import scaled
from yocto.config.serving import ServeConfig
from yocto.config.study import StudyTokenizersConfig
from yocto.config.train import LoopConfig, RecipeConfig, TrainConfig, without_effect

__all__ = [
    "CHAT",
    "DEFAULT_TEXT",
    "END_OF_TEXT",
    "FAMILIES",
    "IMPORTED",
    "BenchConfig",
    "BenchDecodeConfig",
    "BenchEncodeConfig",
    "BenchEvalConfig",
    "BenchTokenizerConfig",
    "BenchTrainConfig",
    "ChatConfig",
    "CompareTokenizersConfig",
    "Config",
    "ConvertTokenizerConfig",
    "DownloadConfig",
    "EncodeConfig",
    "EvalConfig",
    "ExportConfig",
    "FinetuneConfig",
    "GPTConfig",
    "GenerateConfig",
    "ImportConfig",
    "InspectConfig",
    "LoopConfig",
    "ModelConfig",
    "PlotConfig",
    "PrepareCharConfig",
    "QuickstartConfig",
    "RecipeConfig",
    "ReportConfig",
    "RopeScaling",
    "RunsCompareConfig",
    "RunsConfig",
    "SampleConfig",
    "SamplingConfig",
    "ServeConfig",
    "StudyTokenizersConfig",
    "TextConfig",
    "TrainConfig",
    "TrainTokenizerConfig",
    "default_words",
    "idle_factors",
    "knob",
    "knobs",
    "nearest",
    "range_text",
    "scaled",
    "takes",
    "unwrap_optional",
    "without_effect",
]
