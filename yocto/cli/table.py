"""The table of commands: what each is called, its settings, its help and what prints its result."""

from __future__ import annotations

import keyword
from dataclasses import dataclass

from yocto.config import (
    BenchConfig,
    BenchDecodeConfig,
    BenchEncodeConfig,
    BenchEvalConfig,
    BenchTokenizerConfig,
    BenchTrainConfig,
    ChatConfig,
    CompareTokenizersConfig,
    Config,
    ConvertTokenizerConfig,
    DownloadConfig,
    EncodeConfig,
    EvalConfig,
    ExportConfig,
    FinetuneConfig,
    ImportConfig,
    InspectConfig,
    PlotConfig,
    PrepareCharConfig,
    QuickstartConfig,
    ReportConfig,
    RunsCompareConfig,
    RunsConfig,
    SampleConfig,
    ServeConfig,
    StudyTokenizersConfig,
    TrainConfig,
    TrainTokenizerConfig,
)


@dataclass(frozen=True)
class Command:
    """One line of the table.

    name: as typed; "bench tokenizer" is `tokenizer` in the group `bench`, and a group's own name,
    as "runs", is what the group does when no command of it is typed. render:
    "module:function" that prints the result. effective: "module:function" that fills in what the
    user left open, where that is more than defaults: (config, progress) -> (config, the sources of
    what it filled in).
    """

    name: str
    config: type[Config]
    help: str
    examples: tuple[str, ...]
    render: str = "yocto.cli.render:render_result"
    effective: str | None = None
    json: bool = True  # a conversation has no result to print as JSON

    @property
    def module(self) -> str:
        """Where its run function lies."""
        return "yocto.commands." + self.identifier

    @property
    def identifier(self) -> str:
        """The name as Python would write it."""
        name = self.name.replace("-", "_").replace(" ", "_")
        return f"{name}_model" if keyword.iskeyword(name) else name


# The first word of commands that belong together -> help; that of a group that is a command too is
# the command's.
GROUPS = {
    "bench": "",
    "runs": "",
    "study": "Compare what only trained models can tell.",
}

COMMANDS = [
    Command(
        "quickstart", QuickstartConfig,
        "The whole way in a few minutes: tokenizer, training, a chat.",
        ("yocto quickstart", "yocto quickstart --text-path mybook.txt --minutes 5 --no-chat"),
        "yocto.cli.quickstart:render_quickstart",
    ),
    Command(
        "download", DownloadConfig,
        "Fetch a text, by a name that yocto knows or by its address.",
        ("yocto download --list", "yocto download tinyshakespeare",
         "yocto download https://example.org/books/mybook.txt --out-dir data/books"),
        "yocto.cli.download:render_download",
    ),
    Command(
        "prepare-char", PrepareCharConfig,
        "Make a character vocabulary and token files of a text.",
        ("yocto prepare-char", "yocto prepare-char --text-path mybook.txt --lowercase"),
    ),
    Command(
        "train-tokenizer", TrainTokenizerConfig,
        "Learn a tokenizer from a text: BPE on bytes or characters, or whole words.",
        ("yocto train-tokenizer --vocab-size 8000",
         "yocto train-tokenizer --text-path a.txt --text-path b.txt --pattern gpt4",
         "yocto train-tokenizer --kind word --out-dir data/words"),
    ),
    Command(
        "convert-tokenizer", ConvertTokenizerConfig,
        "Write a tokenizer in another file format, with the same ids.",
        ("yocto convert-tokenizer",
         "yocto convert-tokenizer --tokenizer-path data/token --out-path data/mine.tiktoken",
         "yocto convert-tokenizer --tokenizer-path data/mine.tiktoken --pattern gpt4 "
         "--out-path data/mine"),
    ),
    Command(
        "encode", EncodeConfig,
        "Make token files of a text, with a tokenizer.",
        ("yocto encode", "yocto encode --text-path mybook.txt --out-dir data/mybook",
         "yocto encode --text-path corpus --text-key body.text --shard-tokens 100M "
         "--out-dir data/shards",
         "yocto encode --from-bin data/mybook --out-dir data/anew"),
    ),
    Command(
        "inspect", InspectConfig,
        "Tell what token files, a tokenizer, a checkpoint or a text hold, and verify them.",
        ("yocto inspect", "yocto inspect data/token/val.bin --top 20", "yocto inspect mybook.txt",
         "yocto inspect data/token --verify"),
        "yocto.cli.inspect:render_inspection",
    ),
    Command(
        "train", TrainConfig,
        "Train a GPT on token files.",
        ("yocto train --mode token", "yocto train --mode char --minutes 2",
         "yocto train --n-layer 6 --n-embd 192 --set mlp=relu2",
         "yocto train --run-name token-1 --resume auto",
         "yocto train --order sequential --respect-documents --data-dir data/shards",
         "yocto train --preset cpu-token --show-config"),
        effective="yocto.commands.train:effective",
    ),
    Command(
        "finetune", FinetuneConfig,
        "Teach a model to answer, from conversations.",
        ("yocto finetune --data chats.jsonl",
         "yocto finetune --ckpt token-1 --data chats.jsonl --lora-rank 8 --epochs 5",
         "yocto finetune --run-name token-1-chat-1 --resume auto"),
    ),
    Command(
        "sample", SampleConfig,
        "Let a model write.",
        ("yocto sample --top-p 0.9", 'yocto sample --prompt "Courage is" --num-samples 3',
         "yocto sample --batch-file prompts.txt --logprobs 3 --json",
         "yocto sample --beam 4 --max-new-tokens 50"),
        "yocto.cli.render:render_samples",
    ),
    Command(
        "chat", ChatConfig,
        "Talk to a model.",
        ("yocto chat", "yocto chat --ckpt token-1 --temperature 0.5"),
        "yocto.cli.repl:run_chat",
        json=False,
    ),
    Command(
        "eval", EvalConfig,
        "Measure a model: bits per byte of a text, accuracy in tasks.",
        ("yocto eval --ckpt token-1 --text-path mybook.txt --stride 32",
         "yocto eval --task hellaswag=hellaswag.jsonl --task blimp --limit 1000 "
         "--rows-path rows.jsonl"),
        "yocto.cli.eval:render_evaluation",
    ),
    Command(
        "serve", ServeConfig,
        "Let others use a model: an OpenAI-compatible server and a page to chat on.",
        ("yocto serve", "yocto serve --ckpt token-1 --port 9000"),
        "yocto.cli.serve:render_serving",
        json=False,
    ),
    Command(
        "export", ExportConfig,
        "Write a model for other tools: Hugging Face's transformers, llama.cpp, ollama.",
        ("yocto export", "yocto export --ckpt token-1 --dtype bfloat16 --out-path exports/token-1"),
    ),
    Command(
        "import", ImportConfig,
        "Make a run of a model in Hugging Face's format: GPT-2, Llama or Qwen3.",
        ("yocto import exports/token-1 --run-name imported-1",),
    ),
    Command(
        "runs", RunsConfig,
        "List the runs, with their figures.",
        ("yocto runs", "yocto runs --sort loss"),
        "yocto.cli.runs:render_runs",
    ),
    Command(
        "runs compare", RunsCompareConfig,
        "Show what differs between runs: settings, data, tokenizer, results.",
        ("yocto runs compare token-1 token-2",),
        "yocto.cli.runs:render_comparison",
    ),
    Command(
        "plot", PlotConfig,
        "Draw the curves of runs into one picture.",
        ("yocto plot", "yocto plot token-1 token-2 --x tokens --out-path curves.svg",
         "yocto plot --y learning-rate"),
    ),
    Command(
        "report", ReportConfig,
        "Write a report on runs: one page of HTML that needs nothing else, and Markdown.",
        ("yocto report", "yocto report token-1 token-2 --out-path both.html",
         'yocto report --prompt "Courage is" --temperature 0 --temperature 1 --out-path report.md'),
    ),
    Command(
        "study tokenizers", StudyTokenizersConfig,
        "Compare tokenizers of different texts by the models that are trained with them.",
        ("yocto study tokenizers --config study.yaml",
         "yocto study tokenizers --domain mine=mybook.txt --domain other=a.txt --seeds 3 "
         "--out-dir studies/books"),
        "yocto.cli.study:render_study",
    ),
    Command(
        "compare-tokenizers", CompareTokenizersConfig,
        "Measure tokenizers on texts, and which size and which text to train on would pay.",
        ("yocto compare-tokenizers data/token gpt2 cl100k o200k --text-path mybook.txt",
         "yocto compare-tokenizers --train-sizes 1000,4000,8000 --text-path a.txt "
         "--text-path b.txt --out-path sizes.png"),
        "yocto.cli.tokenizers:render_comparison",
    ),
    Command(
        "bench", BenchConfig,
        "Measure yocto, with others beside it: all parts in one table.",
        ("yocto bench", "yocto bench --text-path mybook.txt --out-path bench.md"),
        "yocto.cli.bench_overview:render_overview",
    ),
    Command(
        "bench tokenizer", BenchTokenizerConfig,
        "Time the tokenizer against others, encoding and training.",
        ("yocto bench tokenizer --text-path mybook.txt",
         "yocto bench tokenizer --tokenizer-path data/token --only encode --peers tiktoken"),
        "yocto.cli.bench:render_tokenizer",
    ),
    Command(
        "bench encode", BenchEncodeConfig,
        "Time the way from a text file to a .bin file against others.",
        ("yocto bench encode --text-path mybook.txt",
         "yocto bench encode --tokenizer-path data/token --peers tiktoken --rounds 3"),
        "yocto.cli.bench:render_files",
    ),
    Command(
        "bench train", BenchTrainConfig,
        "Time training, to a loss and by the token, against nanoGPT's recipe and transformers.",
        ("yocto bench train --text-path data/tinyshakespeare.txt --target-loss 1.898",
         "yocto bench train --only speed --n-layer 8 --n-head 8 --n-embd 512 --block-size 512 "
         "--batch-size 4"),
        "yocto.cli.bench:render_training",
    ),
    Command(
        "bench decode", BenchDecodeConfig,
        "Time generation, in tokens per second, against transformers and a loop without a cache.",
        ("yocto bench decode",
         "yocto bench decode --n-layer 12 --n-head 12 --n-embd 768 --block-size 1024 "
         "--vocab-size 50257 --new-tokens 128 --rounds 3"),
        "yocto.cli.bench:render_decoding",
    ),
    Command(
        "bench eval", BenchEvalConfig,
        "Time evaluation, in tokens per second, against bare forward passes.",
        ("yocto bench eval", "yocto bench eval --vocab-size 50257 --batch-size 32 --threads 2"),
        "yocto.cli.bench_overview:render_evaluation",
    ),
]  # fmt: skip
