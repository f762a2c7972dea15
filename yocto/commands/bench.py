"""yocto bench: its parts at a modest size, each against the others that are installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from yocto.bench.overview import Overview, Part, check_peers, markdown, overview, peers_for
from yocto.bench.peers import DECODING_PEERS, PEERS, TRAINING_PEERS
from yocto.commands import bench_decode, bench_encode, bench_eval, bench_tokenizer, bench_train
from yocto.config import (
    BenchConfig,
    BenchDecodeConfig,
    BenchEncodeConfig,
    BenchEvalConfig,
    BenchTokenizerConfig,
    BenchTrainConfig,
)
from yocto.errors import ConfigError
from yocto.utils.files import atomic_file
from yocto.utils.progress import Progress

_FILE_PEERS = ("tiktoken", "tokenizers")
# What training and writing are measured with: large enough to tell, small enough for a minute each.
TRAIN_SHAPE: dict[str, Any] = {
    "n_layer": 4,
    "n_head": 4,
    "n_embd": 128,
    "block_size": 64,
    "batch_size": 12,
}
DECODE_SHAPE: dict[str, Any] = {
    "n_layer": 6,
    "n_head": 6,
    "n_embd": 384,
    "block_size": 256,
    "new_tokens": 128,
}


EVAL_SHAPE: dict[str, Any] = {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 128}


def run(config: BenchConfig, progress: Progress) -> Overview:
    """Measure all parts, one after the other, and put their figures together."""
    check_peers(config.peers)
    if config.out_path is not None and Path(config.out_path).suffix.lower() != ".md":
        raise ConfigError(
            f"out_path is {config.out_path!r}, but the table is written as Markdown",
            "Like --out-path bench.md.",
        )
    bench_encode.plain_file(config.text_path)  # before the first minutes are spent
    found: dict[str, Part] = {}
    for number, (name, measure) in enumerate(PARTS.items(), 1):
        progress.say(f"{number} of {len(PARTS)}: bench {name}")
        found[name] = measure(config, progress)
    result = overview(found)
    if config.out_path is not None:
        with atomic_file(Path(config.out_path)) as file:
            file.write(markdown(result).encode("utf-8"))
        result = replace(result, out_path=config.out_path)
    return result


def _tokenizer(config: BenchConfig, progress: Progress) -> Part:
    settings = BenchTokenizerConfig(
        text_path=(config.text_path,), vocab_size=config.vocab_size, rounds=config.rounds,
        peers=peers_for(config.peers, PEERS),
    )  # fmt: skip
    return bench_tokenizer.run(settings, progress)


def _encode(config: BenchConfig, progress: Progress) -> Part:
    settings = BenchEncodeConfig(
        text_path=config.text_path, vocab_size=config.vocab_size, rounds=config.rounds,
        peers=peers_for(config.peers, _FILE_PEERS),
    )  # fmt: skip
    return bench_encode.run(settings, progress)


def _train(config: BenchConfig, progress: Progress) -> Part:
    settings = BenchTrainConfig(
        text_path=(config.text_path,), only="speed", rounds=config.rounds,
        peers=peers_for(config.peers, TRAINING_PEERS), **TRAIN_SHAPE,
    )  # fmt: skip
    return bench_train.run(settings, progress)


def _decode(config: BenchConfig, progress: Progress) -> Part:
    settings = BenchDecodeConfig(
        vocab_size=config.vocab_size, rounds=config.rounds,
        peers=peers_for(config.peers, DECODING_PEERS), **DECODE_SHAPE,
    )  # fmt: skip
    return bench_decode.run(settings, progress)


def _eval(config: BenchConfig, progress: Progress) -> Part:
    settings = BenchEvalConfig(
        vocab_size=config.vocab_size, rounds=config.rounds, **EVAL_SHAPE,
    )  # fmt: skip
    return bench_eval.run(settings, progress)


# The parts by the names of their own commands.
PARTS: dict[str, Callable[[BenchConfig, Progress], Part]] = {
    "tokenizer": _tokenizer, "encode": _encode, "train": _train, "decode": _decode,
    "eval": _eval,
}  # fmt: skip
