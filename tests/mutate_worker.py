"""Reads damaged files the way the commands do, each kind of file in a process of its own.

    python tests/mutate_worker.py                     serves test_damaged_files.py
    python tests/mutate_worker.py KIND SEED NUMBER    one variant again, with its traceback

A variant follows from kind, seed and number alone: the files that are damaged are made anew here,
always the same.
"""

from __future__ import annotations

import base64
import dataclasses
import faulthandler
import functools
import gc
import itertools
import json
import os
import random
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mutate
import packed
import tiny
import torch

import yocto.tokenizer.patterns
import yocto.training.trainer as trainer_module
from yocto.api import LanguageModel
from yocto.chat.conversation import Conversation, save_conversation
from yocto.chat.huggingface import HuggingFaceTemplate
from yocto.chat.roles import ROLE_TOKENS, Message
from yocto.checkpoint import Checkpoint, Run, find_checkpoint, find_runs
from yocto.checkpoint.chat_template import read_chat_template
from yocto.checkpoint.step import digest
from yocto.commands import prepare_char, train, train_tokenizer
from yocto.commands.conversations import open_chats
from yocto.commands.corpus import open_corpus, prepare_data
from yocto.commands.data import encode_texts, open_corpus_text, recorded_corpus
from yocto.commands.fitting import settings_file, trained
from yocto.commands.prompts import read_prompt
from yocto.config import (
    END_OF_TEXT,
    FinetuneConfig,
    GPTConfig,
    PrepareCharConfig,
    SampleConfig,
    TextConfig,
    TrainConfig,
    TrainTokenizerConfig,
)
from yocto.dataset.batches import RandomBatches, eval_batches
from yocto.dataset.documents import open_texts, read_documents
from yocto.dataset.encode import Target
from yocto.dataset.tokens import load_bin
from yocto.errors import TokenizerError, YoctoError
from yocto.model.gpt import GPT
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.store import load_tokenizer
from yocto.tokenizer.word import WordTrainer
from yocto.training.corpus import Corpus, TextLessons
from yocto.training.metrics import MetricsFile, bits_per_byte
from yocto.training.runs import find_resumed, latest, new_run, resumed_config
from yocto.training.trainer import Trainer
from yocto.utils.files import sha256_file
from yocto.utils.progress import SilentProgress
from yocto.utils.settings import parse_assignments, read_settings
from yocto.utils.text import duration

GIB = 1 << 30
HERE = Path()  # the worker stands in the folder of its kind: no path in a file tells where that is


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    make: writes whole files into the working folder. damaged: file -> form; one of them is damaged
    at a time. use: reads them. seal: makes checksums right again, as an attacker would.
    """

    make: Callable[[], None]
    damaged: Mapping[str, str]
    use: Callable[[], None]
    seal: Callable[[], None] = lambda: None


# ------------------------------------------------------------------------------------ whole files

TEXT = tiny.make_text(30)
TEXTS = [
    "the river knows much, but never answers. Né 🙂", "", " \t\n\u00a0\u2028  a  b", "<unk>",
    "a" * 30 + "!", "ﬁ ﷺ e\u0301\u0301 👩‍👩‍👧 ��", "<|endoftext|><eos></w><0x41>",
]  # fmt: skip


def write_text() -> None:
    documents = [tiny.make_text(5, seed) for seed in range(4)]
    Path("corpus.txt").write_text(f"{END_OF_TEXT}\n".join(documents), encoding="utf-8")


DOCUMENTS = [tiny.make_text(5, seed) for seed in range(4)]


def write_jsonl() -> None:
    lines = [json.dumps({"meta": {"n": 1}, "text": text}, ensure_ascii=False) for text in DOCUMENTS]
    Path("texts.jsonl").write_text("\n".join([*lines, json.dumps(TEXT)]), encoding="utf-8")


def write_json() -> None:
    content = [{"n": [1, {"a": None}], "text": text} for text in DOCUMENTS]
    Path("texts.json").write_text(json.dumps(content), encoding="utf-8")


def write_csv() -> None:
    quoted = [text.replace('"', '""') for text in DOCUMENTS]
    rows = [f'{i},"{text}"\n' for i, text in enumerate(quoted)]
    Path("texts.csv").write_text("n,text\n" + "".join(rows), encoding="utf-8")


def write_parquet() -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"text": DOCUMENTS, "a": [{"b": text} for text in DOCUMENTS]})
    pyarrow.parquet.write_table(table, "texts.parquet", row_group_size=2)


def write_packed(kind: str) -> None:
    """A compressed text, in two members."""
    data = f"{END_OF_TEXT}\n".join(DOCUMENTS).encode()
    half = len(data) // 2
    parts = [packed.COMPRESS[kind](part) for part in (data[:half], data[half:])]
    Path(f"texts.txt.{kind}").write_bytes(b"".join(parts))


def write_tokenizer(tokenizer: BaseTokenizer, *names: str) -> None:
    """The tokenizer's files, or those of them that are named."""
    for name, content in tokenizer.files().items():
        if not names or name in names:
            Path(name).write_text(content, encoding="utf-8")


def byte_bpe(**options: Any) -> BaseTokenizer:
    return BPETrainer(vocab_size=300, **options).train([TEXT])


def char_bpe() -> BaseTokenizer:
    return BPETrainer("char-bpe", vocab_size=400, byte_fallback=True).train([TEXT])


def char() -> CharTokenizer:
    return CharTokenizer.train([TEXT], special_tokens=[END_OF_TEXT])


def write_tiktoken() -> None:
    vocab = BPETrainer(num_merges=40, special_tokens=[]).train([TEXT]).vocab
    encode = base64.b64encode
    lines = [f"{encode(token).decode()} {i}\n" for token, i in vocab.items()]
    Path("small.tiktoken").write_text("".join(lines))


def write_unigram() -> None:
    """A tokenizer.json that only `tokenizers` understands."""
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

    theirs = tokenizers.Tokenizer(models.Unigram())
    replace = normalizers.Replace(tokenizers.Regex(" {2,}"), " ")
    theirs.normalizer = normalizers.Sequence([normalizers.NFKC(), replace])
    theirs.pre_tokenizer = pre_tokenizers.Metaspace()
    theirs.decoder = decoders.Metaspace()
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    theirs.train_from_iterator([TEXT], trainer)
    theirs.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    Path("tokenizer.json").write_text(theirs.to_str(), encoding="utf-8")


def write_sentencepiece() -> None:
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.split("\n")), model_prefix="tokenizer", vocab_size=330,
        byte_fallback=True, hard_vocab_limit=False, minloglevel=2, num_threads=1,
    )  # fmt: skip
    Path("tokenizer.vocab").unlink()


def write_char_data() -> None:
    write_text()
    prepare_char.run(PrepareCharConfig(text_path=("corpus.txt",), out_dir="data/char"), QUIET)


def write_token_data() -> None:
    write_text()
    train_tokenizer.run(
        TrainTokenizerConfig(text_path=("corpus.txt",), out_dir="data/token", vocab_size=300), QUIET
    )
    corpus = Path("data/token/corpus.json")
    corpus.write_text(json.dumps({"paths": ["corpus.txt"]}))  # not where this folder lies now
    prepare_data(train_config("token"), None, QUIET)


def train_config(mode: str, **knobs: Any) -> TrainConfig:
    return tiny.train_config(mode=mode, block_size=48, max_iters=3, eval_iters=1, **knobs)


def make_trainer(mode: str, tokenizer: BaseTokenizer) -> Trainer:
    """A trainer as `yocto train` makes it, at its first step."""
    config = train_config(mode)
    shape = {name: getattr(config, name) for name in ("n_layer", "n_head", "n_embd", "block_size")}
    model = GPT(
        GPTConfig(vocab_size=tokenizer.vocab_size, **shape), torch.Generator().manual_seed(1)
    )
    run = Run(Path(f"checkpoints/{mode}-1"))
    return Trainer(model, config, lessons_of(config, tokenizer), tokenizer, run, QUIET)


def lessons_of(config: TrainConfig, tokenizer: BaseTokenizer) -> TextLessons:
    ids = tokenizer.encode_to_numpy(TEXT)
    corpus = Corpus(ids[:-50], ids[-50:], val_bytes=50, documents=2, sha256="0" * 64)
    return TextLessons(config, corpus, tokenizer.vocab_size)


def write_run(mode: str, tokenizer: BaseTokenizer) -> None:
    """A run of two steps."""
    trainer = make_trainer(mode, tokenizer)
    for seconds in (1.25, 1.5):  # not what it took: the files must be the same each time
        trainer.train_step()
        trainer.seconds = seconds
        trainer.save()
    trainer.run.mark_best(1)
    metrics = MetricsFile(trainer.run.path / "metrics.jsonl")
    for step in range(1, 4):
        metrics.write(step=step, train_loss=3.5 / step, learning_rate=0.01, grad_norm=0.5,
                      seconds=1.25)  # fmt: skip
        metrics.write(step=step, train_loss=3.5 / step, val_loss=3.0, val_bits_per_byte=2.5)
    settings = trainer.run.path / "config.yaml"
    settings.write_text(settings_file(trainer.run.path, trainer.config), encoding="utf-8")


def write_char_run() -> None:
    write_run("char", char())


def write_token_run() -> None:
    write_run("token", byte_bpe())


def write_settings(name: str) -> None:
    values = {
        "mode": "char", "n_layer": 2, "n_embd": 32, "learning_rate": 0.001, "dropout": 0.1,
        "data_dir": "data/char", "run_name": "mine", "compile": False, "device": "cpu", "seed": 7,
    }  # fmt: skip
    equals = " = " if name.endswith(".toml") else ": "
    lines = [f"{key}{equals}{json.dumps(value)}" for key, value in values.items()]
    text = json.dumps(values) if name.endswith(".json") else "\n".join(lines) + "\n"
    Path(name).write_text(text, encoding="utf-8")


EXCHANGES = [("he knows who?", "The child."), ("And what?", "much, <|end|> Né 🙂\n")]
MESSAGES = [
    {"role": role, "content": text}
    for question, answer in EXCHANGES
    for role, text in (("user", question), ("assistant", answer))
]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>' + '\\n' }}{% endfor %}\n{% if add_generation_prompt %}"
    "{{ bos_token }}<|im_start|>assistant\n{% endif %}\n"
)


def write_conversation() -> None:
    """What /save writes."""
    messages = [Message("assistant" if i % 2 else "user", m["content"])
                for i, m in enumerate(MESSAGES)]  # fmt: skip
    knobs = {"temperature": 0.7, "top_k": 20, "max_new_tokens": 30, "stop": ["a", "b"]}
    save_conversation(Path("chat.json"), Conversation("Be brief.", messages, knobs))


def write_chats() -> None:
    """Conversations in each of the layouts."""
    alpaca = {"instruction": "Greet.", "input": "in French", "output": "Salut."}
    said = [{"from": role, "value": text} for role, text in (("human", "Hi"), ("gpt", "Hello."))]
    chats = [{"messages": [{"role": "system", "content": "Be brief."}, *MESSAGES]}, alpaca,
             {"conversations": said}]  # fmt: skip
    lines = [json.dumps(chat, ensure_ascii=False) for chat in chats]
    Path("chats.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    Path("chats.json").write_text(json.dumps(chats), encoding="utf-8")


def write_template() -> None:
    """What a folder from Hugging Face tells of conversations."""
    settings = {"bos_token": "<s>", "eos_token": {"content": "<|im_end|>", "lstrip": False},
                "chat_template": [{"name": "default", "template": TEMPLATE}]}  # fmt: skip
    Path("chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    Path("tokenizer_config.json").write_text(json.dumps(settings))
    Path("generation_config.json").write_text(json.dumps({"eos_token_id": [2, 3]}))


# --------------------------------------------------------------------------------- what reads them


def use_text() -> None:
    documents = list(read_documents(["corpus.txt"]))
    tokenizer = BPETrainer(vocab_size=270).train(documents)
    WordTrainer(vocab_size=20).train(documents)
    CharTokenizer.train(documents)
    target = Target(Path("out"), 0.1, ["corpus.txt"], "encode")
    encode_texts(open_corpus_text(TextConfig(text_path=("corpus.txt",)), tokenizer), tokenizer,
                 target, QUIET)  # fmt: skip
    load_bin("out/train.bin")


def use_texts(name: str) -> None:
    """Read a corpus in every way, and once more from a place in its middle on."""
    column = "a.b" if name.endswith(".parquet") else "text"
    for errors, cuts in (("replace", "none"), ("strict", "raw")):
        texts = open_texts([name], TextConfig(errors=errors, text_column=column), cuts=cuts)
        pieces = list(texts.pieces())
        middle = len(pieces) // 2
        rest = b"".join(piece.data for piece in pieces[middle + 1 :])
        assert b"".join(piece.data for piece in texts.pieces(pieces[middle].place)) == rest
        for piece in pieces:
            piece.data.decode("utf-8")


def use_tokenizer() -> None:
    tokenizer = load_tokenizer(tokenizer_file())
    knows_all = tokenizer.kind == "byte-bpe" and tokenizer.normalize == "none"
    for text, special in itertools.product(TEXTS, ("none", "all")):
        try:
            ids = tokenizer.encode(text, special, add_special_tokens=special == "all")
            assert tokenizer.decode(ids) == text or not knows_all
        except TokenizerError:
            if tokenizer.kind != "char":  # it does not know these characters
                raise
    for i in range(-1, min(tokenizer.vocab_size, 400) + 1):
        with suppress(TokenizerError):  # an id that no token has
            tokenizer.decode([i])
    tokenizer.encode_to_numpy("the")
    tokenizer.save("saved")
    assert load_tokenizer("saved").sha256 == tokenizer.sha256


def tokenizer_file() -> Path:
    return next((Path(n) for n in ("small.tiktoken", "tokenizer.json") if Path(n).exists()), HERE)


def use_data(mode: str) -> None:
    tokenizer, folder = prepare_data(train_config(mode), None, QUIET)
    corpus = open_corpus(folder, tokenizer)
    block = train_config(mode).block_size
    RandomBatches(corpus.train, block, 2, torch.Generator().manual_seed(1)).next()
    targets = sum(targets.numel() for _, targets in eval_batches(corpus.val, block, 4))
    bits_per_byte(1.0, targets, corpus.val_bytes)
    load_bin(folder / "train.bin")


def use_corpus() -> None:
    corpus = recorded_corpus(HERE)
    list(open_texts(corpus.text_path, corpus).parts())


def use_checkpoint() -> None:
    path = find_checkpoint("latest", Path("checkpoints"))
    lm = LanguageModel.open(path, "cpu")
    lm.generate(max_new_tokens=3, seed=1)
    "".join(lm.chat(max_new_tokens=3, seed=1).send("he knows"))


def use_config() -> None:
    use_checkpoint()
    # What a run may take is its user's choice, so that it is given here.
    given = TrainConfig.from_dict({
        "mode": "char", "resume": "auto", "device": "cpu", "batch_size": 2, "compile": False,
        "gradient_accumulation_steps": 1,
    })  # fmt: skip
    if run := find_resumed(given, given.mode, QUIET):
        checkpoint = latest(run)
        checkpoint.verify_all()
        config = resumed_config(given, checkpoint)
        tokenizer = checkpoint.load_tokenizer()
        model = train._make_model(checkpoint.model, config, checkpoint)
        trainer = Trainer(model, config, lessons_of(config, tokenizer), tokenizer, run, QUIET)
        trainer.train_step()


def use_trainer() -> None:
    checkpoint = Checkpoint.open(find_checkpoint("latest", Path("checkpoints")))
    state = checkpoint.load_trainer()
    trainer = make_trainer("char", ONCE("char", char))
    trainer_module.matmul_rate = lambda device, dtype: 1e10  # it takes longer than the run
    checkpoint.load_weights(trainer.model)
    trainer.load_state(state)
    fitted = trainer.fit()
    trained(trainer.run.path, trainer, fitted).summary()


def use_pointers() -> None:
    folder = Path("checkpoints")
    for run in find_runs(folder):
        run.pointer("best")
    for spec in (None, "latest", "char-1", "checkpoints/char-1"):
        Checkpoint.open(find_checkpoint(spec, folder))
    find_resumed(TrainConfig(mode="char", resume="auto"), "char", QUIET)


def use_metrics() -> None:
    metrics = MetricsFile(Path("checkpoints/char-1/metrics.jsonl"))
    metrics.evaluated(2)
    metrics.rewind(2)
    metrics.read()


def use_settings(name: str) -> None:
    use_values(read_settings(Path(name)), name)


def use_values(values: dict[str, Any], source: str) -> None:
    config = TrainConfig.from_dict(values, source)
    if config.device == "cpu":
        train.effective(config, QUIET)
    written = settings_file(new_run(config, config.mode), config)
    Path("written.yaml").write_text(written, encoding="utf-8")
    duration(60 * (config.minutes or 0))


def use_assignments() -> None:
    typed = Path("typed").read_bytes().decode("utf-8", "surrogateescape")
    values = parse_assignments([line for line in typed.split("\n") if line])
    sampling = {f.name for f in dataclasses.fields(SampleConfig)} & values.keys()
    SampleConfig.from_dict({key: values.pop(key) for key in sampling})
    use_values(values, "--set")


def use_prompt() -> None:
    lm = ONCE("lm", lambda: LanguageModel.open(find_checkpoint(None, Path("checkpoints")), "cpu"))
    lm.generate(read_prompt("@prompt.txt"), max_new_tokens=1, seed=1)


def use_conversation() -> None:
    """As /load does; what the model makes of it is not waited for."""
    lm = ONCE("lm", lambda: LanguageModel.open(find_checkpoint(None, Path("checkpoints")), "cpu"))
    chat = lm.chat()
    chat.load("chat.json")
    chat.used()
    chat.save("again.json")
    again = lm.chat()
    again.load("again.json")
    assert again.messages == chat.messages and again.knobs() == chat.knobs()


def use_chats(name: str) -> None:
    """As finetune reads them, once passing over what is bad."""
    tokenizer = ONCE("bytes", lambda: byte_bpe().with_special_tokens(ROLE_TOKENS))
    for skip_bad in (True, False):
        config = FinetuneConfig(data=(name,), skip_bad=skip_bad)
        chats = open_chats(config, tokenizer, 40, QUIET)
        learnt = chats.train.targets + chats.val.targets
        assert 0 < learnt < len(chats.train.ids) + len(chats.val.ids)


def use_template() -> None:
    """As a chat does, from its first question on."""
    special = ("<|im_start|>", "<|im_end|>")
    tokenizer = ONCE("chatml", lambda: byte_bpe().with_special_tokens(special))
    file = read_chat_template(HERE)
    if file is not None:
        template = HuggingFaceTemplate(tokenizer, file)
        system, turns = Message("system", "Be brief."), [Message("user", "Hi"), Message(
            "assistant", "Hello."), Message("user", "<|im_end|>?")]  # fmt: skip
        for messages in (turns[:1], turns, [system, *turns]):
            ids = template.prompt_ids(messages)
            assert ids and all(0 <= i < tokenizer.vocab_size for i in ids)


QUIET = SilentProgress()
_MADE: dict[str, Any] = {}


def ONCE(name: str, make: Callable[[], Any]) -> Any:
    """What `make` makes, made once."""
    if name not in _MADE:
        _MADE[name] = make()
    return _MADE[name]


# ---------------------------------------------------------------------------------------- checksums


def reseal(mode: str) -> None:
    """Make the checksums in config.json right, that of itself too."""
    file = Path(f"checkpoints/{mode}-1/step-000002/config.json")
    try:
        content = json.loads(file.read_bytes())
        for name in content["files"]:
            content["files"][name] = sha256_file(file.with_name(name))
        content["sha256"] = digest({k: v for k, v in content.items() if k != "sha256"})
        file.write_text(json.dumps(content))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OSError):
        pass  # not to be sealed


def reseal_config() -> None:
    """Make config.json's own checksum right, and leave those of the other files."""
    file = Path("checkpoints/char-1/step-000002/config.json")
    with suppress(ValueError, TypeError, AttributeError, RecursionError):
        content = json.loads(file.read_bytes())
        content.pop("sha256", None)
        file.write_text(json.dumps({**content, "sha256": digest(content)}))


STEP = "checkpoints/{}-1/step-000002/"
CHAR_STEP, TOKEN_STEP = STEP.format("char"), STEP.format("token")
TOKENIZER = {"tokenizer.json": "json"}
RUN = "checkpoints/char-1/"


def _sealed(file: str, form: str, use: Callable[[], None]) -> Kind:
    return Kind(write_char_run, {CHAR_STEP + file: form}, use, lambda: reseal("char"))


def _texts(ending: str, write: Callable[[], None], form: str = "bytes") -> Kind:
    name = f"texts.{ending}"
    return Kind(write, {name: form}, functools.partial(use_texts, name))


KINDS: dict[str, Kind] = {
    "text": Kind(write_text, {"corpus.txt": "bytes"}, use_text),
    "texts.jsonl": _texts("jsonl", write_jsonl, "jsonl"),
    "texts.json": _texts("json", write_json, "json"),
    "texts.csv": _texts("csv", write_csv),
    **({"texts.parquet": _texts("parquet", write_parquet)} if find_spec("pyarrow") else {}),
    **{
        f"texts.{kind}": _texts(f"txt.{kind}", functools.partial(write_packed, kind))
        for kind in packed.KINDS
    },
    "byte-bpe": Kind(lambda: write_tokenizer(byte_bpe()), TOKENIZER, use_tokenizer),
    "byte-bpe-regex": Kind(
        lambda: write_tokenizer(byte_bpe(pattern=r"\w+|\s+|.", normalize="nfkc")),
        TOKENIZER, use_tokenizer,
    ),
    "regex": Kind(
        lambda: write_tokenizer(byte_bpe(pattern=r"\w+|\s+|.")), {"tokenizer.json": "regex"},
        use_tokenizer,
    ),
    "char-bpe": Kind(lambda: write_tokenizer(char_bpe()), TOKENIZER, use_tokenizer),
    "word": Kind(
        lambda: write_tokenizer(WordTrainer(vocab_size=50).train([TEXT])), TOKENIZER, use_tokenizer
    ),
    "gpt2-files": Kind(
        lambda: write_tokenizer(byte_bpe(), "vocab.json", "merges.txt"),
        {"vocab.json": "json", "merges.txt": "lines"}, use_tokenizer,
    ),
    "char": Kind(lambda: write_tokenizer(char()), {"vocab.json": "json"}, use_tokenizer),
    "tiktoken": Kind(write_tiktoken, {"small.tiktoken": "lines"}, use_tokenizer),
    **{
        name: Kind(write, damaged, use_tokenizer)
        for name, write, package, damaged in (
            ("unigram", write_unigram, "tokenizers", TOKENIZER),
            ("sentencepiece", write_sentencepiece, "sentencepiece", {"tokenizer.model": "bytes"}),
        )
        if find_spec(package)
    },
    "char-data": Kind(
        write_char_data,
        {"data/char/meta.json": "json", "data/char/train.bin": "bytes",
         "data/char/val.bin": "bytes"},
        lambda: use_data("char"),
    ),
    "token-meta": Kind(
        write_token_data, {"data/token/meta.json": "json"}, lambda: use_data("token")
    ),
    "token-bin": Kind(
        write_token_data, {"data/token/train.bin": "bytes", "data/token/val.bin": "bytes"},
        lambda: use_data("token"),
    ),
    "corpus.json": Kind(
        lambda: (write_text(), Path("corpus.json").write_text('{"paths": ["corpus.txt"]}')),
        {"corpus.json": "json"}, use_corpus,
    ),
    "config.json": Kind(write_char_run, {CHAR_STEP + "config.json": "json"}, use_config),
    "config.json-sealed": Kind(
        write_char_run, {CHAR_STEP + "config.json": "json"}, use_config, reseal_config
    ),
    "weights": Kind(write_char_run, {CHAR_STEP + "model.safetensors": "bytes"}, use_checkpoint),
    "weights-sealed": _sealed("model.safetensors", "safetensors", use_checkpoint),
    "trainer": Kind(write_char_run, {CHAR_STEP + "trainer.pt": "bytes"}, use_trainer),
    "trainer-sealed": _sealed("trainer.pt", "pt", use_trainer),
    "run-char-sealed": _sealed("vocab.json", "json", use_checkpoint),
    "run-token-sealed": Kind(
        write_token_run, {TOKEN_STEP + "tokenizer.json": "json"}, use_checkpoint,
        lambda: reseal("token"),
    ),
    "pointers": Kind(
        write_char_run, {RUN + "latest": "lines", RUN + "best": "lines"}, use_pointers
    ),
    "metrics": Kind(write_char_run, {RUN + "metrics.jsonl": "jsonl"}, use_metrics),
    "config.yaml": Kind(
        write_char_run, {RUN + "config.yaml": "yaml"}, lambda: use_settings(RUN + "config.yaml")
    ),
    "prompt": Kind(
        lambda: (write_char_run(), Path("prompt.txt").write_text("he knows who\nknows")),
        {"prompt.txt": "bytes"}, use_prompt,
    ),
    "conversation": Kind(
        lambda: (write_token_run(), write_conversation()), {"chat.json": "json"}, use_conversation
    ),
    "chats.jsonl": Kind(write_chats, {"chats.jsonl": "jsonl"}, lambda: use_chats("chats.jsonl")),
    "chats.json": Kind(write_chats, {"chats.json": "json"}, lambda: use_chats("chats.json")),
    "chat-template": Kind(
        write_template,
        {"chat_template.jinja": "jinja", "tokenizer_config.json": "json",
         "generation_config.json": "json"},
        use_template,
    ),
    "set": Kind(
        lambda: Path("typed").write_text("n_layer=2\nlearning-rate=1e-3\nrun_name=a\nstop=[a, b]"),
        {"typed": "yaml"}, use_assignments,
    ),
}  # fmt: skip
for _name in ("settings.yaml", "settings.toml", "settings.json"):
    KINDS[_name] = Kind(
        lambda name=_name: write_settings(name), {_name: _name.partition(".")[2]},
        lambda name=_name: use_settings(name),
    )  # fmt: skip


# What test_damaged_files.py checks itself with: a reader that is as wrong as can be.


def _wrong() -> None:
    {"h": _hang, "m": _hoard, "e": lambda: 1 / 0, "d": lambda: os.kill(os.getpid(), 9)}[
        Path("wrong").read_text()[:1] or "e"
    ]()


def _hang() -> None:
    while True:
        pass


def _hoard() -> None:
    try:
        bytearray(2 * GIB)
    except MemoryError as error:
        raise YoctoError("this file is damaged") from error


for _letter in "hmed":
    KINDS[f"!{_letter}"] = Kind(
        lambda letter=_letter: Path("wrong").write_text(letter * 100), {"wrong": "bytes"}, _wrong
    )


# ------------------------------------------------------------------------------------------- a job


@dataclass(frozen=True)
class Job:
    """Variants `first` to `first + count - 1` of a kind; `folder` is empty. seconds: how long one
    may take."""

    kind: str
    seed: int
    count: int
    folder: str
    first: int = 0
    seconds: float = 10.0


@dataclass
class Report:
    """What became of the variants. failures: number and traceback of those that did not end in a
    YoctoError, the first of each place. bytes: memory that the kind took at most."""

    worked: int = 0
    refused: int = 0
    failed: int = 0
    bytes: int = 0
    failures: dict[str, str] = field(default_factory=dict)


def run(job: Job) -> Report:
    """Make the files, check that they can be read, and then damage them again and again."""
    root = Path(job.folder)
    work = root / "work"
    work.mkdir(parents=True)
    os.chdir(work)
    kind = KINDS[job.kind]
    kind.make()
    whole = Snapshot()
    if not job.kind.startswith("!"):
        kind.use()
        whole.restore()
    report = Report()
    places: set[str] = set()
    at = os.open(root / "at", os.O_RDWR | os.O_CREAT)
    with (root / "stuck").open("w") as stuck, limited_memory(report):
        for number in range(job.first, job.first + job.count):
            os.lseek(at, 0, os.SEEK_SET)
            os.write(at, b"%9d" % number)
            faulthandler.dump_traceback_later(job.seconds, exit=True, file=stuck)
            try:
                damage_one(kind, job, number, whole)
                fault = use_one(kind, report)
            finally:
                faulthandler.cancel_dump_traceback_later()
            if fault:
                report.failed += 1
                place, text = fault
                if place not in places and len(places) < 20:
                    places.add(place)
                    report.failures[str(number)] = text
            whole.restore()
    os.close(at)
    os.chdir(root.parent)  # so that the folder can be deleted
    return report


def damage_one(kind: Kind, job: Job, number: int, whole: Snapshot) -> None:
    """Put variant `number` in the place of the whole file."""
    rng = random.Random(f"{job.kind} {job.seed} {number}")
    name = rng.choice(list(kind.damaged))
    others = [whole.files[Path(other)] for other in kind.damaged]
    data = mutate.damage(whole.files[Path(name)], kind.damaged[name], rng, others)
    Path(name).write_bytes(data)
    kind.seal()


def use_one(kind: Kind, report: Report) -> tuple[str, str] | None:
    """Read the damaged files. Where that ends in anything but a result or a YoctoError: the place,
    and what to say of it."""
    try:
        kind.use()
        report.worked += 1
    except YoctoError as error:
        report.refused += 1
        if fault := wrong_error(error):
            return _place(error, fault), fault + "".join(traceback.format_exception(error))[-3000:]
    except Exception as error:
        return _place(error), traceback.format_exc(limit=-15)
    if Path(mutate.MARKER).exists():
        return "code", "code in the file has run"
    return None


def _place(error: BaseException, what: str = "") -> str:
    """Which error this is, and which lines of yocto's raised it."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "yocto" in f.filename]
    lines = [f"{frame.filename}:{frame.lineno}" for frame in frames[-2:]]
    return " ".join([what, type(error).__name__, *lines])


def wrong_error(error: YoctoError) -> str:
    """Why this error is none that a user should see; "" where it is."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or "allocate memory" in str(cause):
            return "too much memory was asked for\n"
        cause = cause.__cause__ or cause.__context__
    try:
        str(error).encode("utf-8")
    except UnicodeEncodeError:
        return "the message can't be printed\n"
    if len(str(error)) > 20_000:
        return "the message is longer than a screen\n"
    return "" if "\n" not in error.message else "the message has several lines\n"


class Snapshot:
    """All files below the working folder, to be put back."""

    def __init__(self) -> None:
        self.files = {path: path.read_bytes() for path in HERE.rglob("*") if path.is_file()}
        self.stamps = {path: _stamp(path) for path in self.files}

    def restore(self) -> None:
        """Write back the files that have changed; files that were not there go."""
        for path in HERE.rglob("*"):
            if path not in self.files and not path.is_dir():
                path.unlink()
        for path, content in self.files.items():
            if _stamp(path) != self.stamps[path]:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                self.stamps[path] = _stamp(path)


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


@contextmanager
def limited_memory(report: Report) -> Iterator[None]:
    """Let this process take 1 GiB more than it has; tell how much it took. Does nothing where the
    system has no such limits."""
    try:
        import resource
    except ImportError:
        yield
        return
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(OSError):  # no /proc: then only what it took is checked
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        now = pages * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + GIB, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        unit = 1 if sys.platform == "darwin" else 1024
        report.bytes = unit * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def prepare() -> None:
    """Make a variant cheap: one thread, no waiting for the disk, little patience with regexes."""
    torch.set_num_threads(1)
    os.fsync = lambda handle: None
    yocto.tokenizer.patterns._SECONDS = 0.02


def warm() -> None:
    """Let torch load what it loads late, before the processes part."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_char_run()
        use_checkpoint()
        use_trainer()
        os.chdir("/")


def serve() -> None:
    """Do the jobs that come on standard input, each in a process of its own where that is cheap:
    torch is imported once, and the memory of one kind is not that of the next."""
    warm()
    gc.freeze()  # a collection need not look at all of torch
    for line in sys.stdin:
        job = Job(**json.loads(line))
        status = 0
        if sys.platform == "linux":  # elsewhere there is no fork, or none that torch survives
            if pid := os.fork():
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            else:
                work(job)
                os._exit(0)
        else:
            work(job)
        print(json.dumps(status), flush=True)


def work(job: Job) -> None:
    """Do a job and leave its report in its folder."""
    try:
        report = run(job)
    except BaseException:  # of the harness itself
        report = Report(failed=1, failures={"before": traceback.format_exc()})
    (Path(job.folder) / "report.json").write_text(json.dumps(dataclasses.asdict(report)))


def replay(name: str, seed: int, number: int) -> None:
    """One variant, nothing caught."""
    folder = Path(tempfile.mkdtemp(prefix="damaged-"))
    os.chdir(folder)
    kind = KINDS[name]
    kind.make()
    damage_one(kind, Job(name, seed, 1, str(folder)), number, Snapshot())
    print(f"variant {number} of {name}, seed {seed}, lies in {folder}", flush=True)
    kind.use()
    print("it can be read")


if __name__ == "__main__":
    prepare()
    if len(sys.argv) == 4:
        replay(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        serve()
