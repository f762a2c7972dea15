"""The settings of each command: every knob's default, help text and range, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from yocto.config.knobs import Config, knob, knobs, path_knob
from yocto.errors import ConfigError

DEFAULT_TEXT = "data/philosophy.txt"
END_OF_TEXT = "<|endoftext|>"


@dataclass(frozen=True, kw_only=True)
class RecordConfig(Config):
    """Where the text lies in files of records."""

    text_key: str = knob(
        "text", "Where the text lies in each object of JSON; dots lead deeper.", low=1, high=1000
    )
    text_column: str = knob(
        "text", "Which column of CSV and Parquet holds the text.", low=1, high=1000
    )


@dataclass(frozen=True, kw_only=True)
class TextConfig(RecordConfig):
    """Which text a command reads, and how."""

    text_path: tuple[str, ...] = path_knob(
        (DEFAULT_TEXT,),
        "Text: a file, a folder, a glob, a URL, or - for standard input; repeat it for several.",
    )
    text_format: Literal["auto", "text", "jsonl", "json", "csv", "parquet"] = knob(
        "auto", "What the files hold; auto goes by their names, and takes the rest for plain text."
    )
    document_separator: str | None = knob(
        None, "A line of plain text that ends a document.", low=1, high=1000,
        default_text="the tokenizer's end token, or <|endoftext|>",
    )  # fmt: skip
    errors: Literal["strict", "replace"] = knob(
        "strict", "Bytes that are no UTF-8: an error that tells where, or U+FFFD in their place."
    )

    def reading(self) -> dict[str, Any]:
        """Which text, and how, for the settings of another command: what the user set."""
        names = {f.name for f in knobs(TextConfig)} & self.given
        return {name: getattr(self, name) for name in sorted(names)}


_ENGINE = "Who does the work: this machine, or the nodes of a Ray cluster; the files are the same."
_ADDRESS = (
    "The cluster of --engine ray: auto is the one that this machine belongs to, local starts Ray "
    "here, or HOST:PORT or ray://HOST:PORT."
)


def _check_engine(engine: str, address: str) -> None:
    if engine == "local" and address != "auto":
        raise ConfigError(
            f"address is {address}, but nothing is sent there by engine local",
            "Add --engine ray, or leave --address out.",
        )


@dataclass(frozen=True, kw_only=True)
class PrepareCharConfig(TextConfig):
    """Settings of `yocto prepare-char`."""

    out_dir: str = path_knob(
        "data/char", "Folder for vocab.json, train.bin, val.bin and meta.json."
    )
    val_ratio: float = knob(0.1, "Share of the text kept for validation.", low=0, high=0.9)
    lowercase: bool = knob(False, "Take capital letters as small ones.")
    normalize: Literal["none", "nfc", "nfkc"] = knob(
        "none", "Unicode form that text is brought into first."
    )


# What a word tokenizer has no use for, with the defaults.
_MERGING = (("pattern", "gpt2"), ("num_merges", None), ("min_frequency", 1), ("workers", None))


@dataclass(frozen=True, kw_only=True)
class TrainTokenizerConfig(TextConfig):
    """Settings of `yocto train-tokenizer`."""

    out_dir: str = path_knob("data/token", "Folder for tokenizer.json, vocab.json and merges.txt.")
    vocab_size: int = knob(
        8000, "Tokens to reach, bytes and special tokens included.", low=5, high=1 << 20
    )
    num_merges: int | None = knob(
        None, "Merges to learn, instead of --vocab-size.", low=0, high=1 << 20,
        default_text="what --vocab-size needs",
    )  # fmt: skip
    kind: Literal["byte-bpe", "char-bpe", "word"] = knob(
        "byte-bpe",
        "Tokens of bytes, which know any text; of characters, with </w> where a piece ends; or "
        "whole words.",
    )
    pattern: str = knob(
        "gpt2", "How text is split before merging: gpt2, gpt4, gpt4o, llama3, qwen2, or a regex.",
        low=1, high=10_000,
    )  # fmt: skip
    special_token: tuple[str, ...] | None = knob(
        None,
        "Special token; repeat it for several. A line of <|endoftext|>, or else of the first one, "
        "ends a document.",
        low=1, high=1000,
        default_text="<|endoftext|>; char-bpe and word have <unk> <pad> <bos> <eos>",
    )  # fmt: skip
    normalize: Literal["none", "nfc", "nfkc"] = knob(
        "none", "Unicode form that text is brought into first."
    )
    min_frequency: int = knob(1, "How often a pair must occur to be merged.", low=1, high=1 << 40)
    byte_fallback: bool = knob(
        False, "In char-bpe, write a character that the vocabulary lacks as bytes, not as <unk>."
    )
    workers: int | None = knob(
        None, "Threads that read a long text; with --engine ray, tasks at once.",
        low=1, high=1024, default_text="all cores",
    )  # fmt: skip
    engine: Literal["local", "ray"] = knob("local", _ENGINE)
    address: str = knob("auto", _ADDRESS, low=1, high=1000)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_engine(self.engine, self.address)
        if self.kind == "word":
            for name, value in _MERGING:
                counts = name == "workers" and self.engine == "ray"
                if getattr(self, name) != value and not counts:
                    raise ConfigError(
                        f"a word tokenizer merges nothing, so {name} means nothing to it",
                        "Leave it out, or choose --kind byte-bpe or char-bpe.",
                    )
        if self.byte_fallback and self.kind != "char-bpe":
            raise ConfigError(
                f"byte_fallback is for --kind char-bpe, not {self.kind}",
                "byte-bpe knows all bytes as it is; leave --byte-fallback out.",
            )
        special = 1 if self.special_token is None else len(self.special_token)
        if self.kind == "byte-bpe" and self.num_merges is None and self.vocab_size < 256 + special:
            raise ConfigError(
                f"vocab_size is {self.vocab_size}, but byte-bpe takes at least {256 + special}",
                f"256 bytes and {special} special tokens come first: --vocab-size {256 + special}",
            )


# What means nothing where token files are encoded anew.
_OF_TEXT = {f.name for f in knobs(TextConfig)} | {"val_ratio"}


@dataclass(frozen=True, kw_only=True)
class EncodeConfig(TextConfig):
    """Settings of `yocto encode`."""

    text_path: tuple[str, ...] | None = path_knob(  # type: ignore[assignment]
        None,
        "Text: a file, a folder, a glob, a URL, or - for standard input; repeat it for several.",
        default_text="the tokenizer's own corpus",
    )
    from_bin: str | None = path_knob(
        None,
        "Folder of token files to encode anew, instead of text; made with another tokenizer.",
        default_text="off",
    )
    from_tokenizer: str | None = path_knob(
        None, "Tokenizer that made the files of --from-bin.", default_text="the one beside them"
    )
    tokenizer_path: str = path_knob("data/token/tokenizer.json", "Tokenizer: a file or its folder.")
    out_dir: str | None = path_knob(
        None, "Folder for train.bin, val.bin and meta.json.", default_text="the tokenizer's folder"
    )
    val_ratio: float = knob(0.1, "Share of the text kept for validation.", low=0, high=0.9)
    shard_tokens: int | None = knob(
        None, "Tokens in a file: train_000000.bin and so on; 100M is a hundred million.",
        low=1, high=1 << 40, default_text="one file for each split",
    )  # fmt: skip
    workers: int | None = knob(
        None, "Threads, processes or tasks that encode; the files don't depend on them.",
        low=1, high=1024, default_text="all cores",
    )  # fmt: skip
    engine: Literal["local", "ray"] = knob("local", _ENGINE)
    address: str = knob("auto", _ADDRESS, low=1, high=1000)
    resume: bool = knob(False, "Go on where encoding into this folder was interrupted.")

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_engine(self.engine, self.address)
        if self.from_bin is None:
            if self.from_tokenizer is not None:
                raise ConfigError(
                    "from_tokenizer tells what made the files of from_bin, but that is not given",
                    "Name their folder too: --from-bin data/old",
                )
            return
        of_text = [f for f in knobs(EncodeConfig) if f.name in _OF_TEXT]
        if given := [f.name for f in of_text if getattr(self, f.name) != f.default]:
            raise ConfigError(
                f"{' and '.join(given)} can't go with from_bin: its documents are decoded, and "
                f"each stays in its split",
                "Leave out one or the other.",
            )


@dataclass(frozen=True, kw_only=True)
class ConvertTokenizerConfig(Config):
    """Settings of `yocto convert-tokenizer`."""

    tokenizer_path: str = path_knob(
        "data/token/tokenizer.json",
        "Tokenizer: its folder, tokenizer.json, vocab.json + merges.txt, a *.tiktoken rank file, "
        "or sentencepiece's *.model.",
    )
    out_path: str = path_knob(
        "data/token/tokenizer.tiktoken",
        "FILE.tiktoken for a rank file; else a folder for tokenizer.json, vocab.json and "
        "merges.txt.",
    )
    pattern: str | None = knob(
        None,
        "How text is split, for files that don't tell: gpt2, gpt4, gpt4o, llama3, qwen2, or a "
        "regex.",
        low=1, high=10_000, default_text="gpt2, or what OpenAI's files use by their names",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DownloadConfig(Config):
    """Settings of `yocto download`."""

    name: str | None = path_knob(
        None, "A name that --list shows, or an address (https://…).", default_text="none",
        positional=True,
    )  # fmt: skip
    out_dir: str = path_knob("data", "Folder for the files.")
    list: bool = knob(False, "Show what there is; with a name, its files and addresses.")
    overwrite: bool = knob(False, "Replace what is there, and take the file as it is by now.")
    retries: int = knob(5, "Tries in a row that may bring nothing new.", low=0, high=1000)
    timeout: float = knob(
        30.0, "Seconds without a sign of life, after which it tries again.", low=0.01, high=3600
    )


@dataclass(frozen=True, kw_only=True)
class QuickstartConfig(TextConfig):
    """Settings of `yocto quickstart`."""

    mode: Literal["char", "token"] = knob("token", "Train on characters or on tokens.")
    minutes: float = knob(3.0, "How long to train.", low=0.01, high=1e6)
    chat: bool = knob(True, "Talk to the model at the end, where there is a terminal.")
    out_dir: str = path_knob("data/quickstart", "Folder for the tokenizer and the encoded text.")
    ckpt_dir: str = path_knob("checkpoints", "Folder where runs lie.")


@dataclass(frozen=True, kw_only=True)
class InspectConfig(RecordConfig):
    """Settings of `yocto inspect`."""

    path: str = path_knob(
        "data/token",
        "Token files (their folder, or a .bin), a tokenizer, a run or a checkpoint (by name or "
        "folder), a folder of runs, or a text file.",
        positional=True,
    )
    verify: bool = knob(False, "Compare every checksum that is recorded for it.")
    top: int = knob(10, "How many tokens or characters a list has.", low=0, high=100_000)
    excerpt: int = knob(200, "Characters of text to show.", low=0, high=1_000_000)
    tokenizer_path: str | None = path_knob(
        None, "Tokenizer of the token files: a file or its folder.",
        default_text="the one beside them",
    )  # fmt: skip
    ckpt_dir: str = path_knob("checkpoints", "Folder where runs are looked for by name.")
