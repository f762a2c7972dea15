"""train: run names, presets, data that is missing or stale, resuming."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SHAPE, Project
from safetensors.torch import load_file
from tiny import Recorder, make_text, randomize

import yocto.dataset.tokens as tokens_module
from yocto.api import LanguageModel, completion
from yocto.checkpoint import Checkpoint, find_checkpoint
from yocto.commands import encode, prepare_char, train, train_tokenizer
from yocto.config import EncodeConfig, PrepareCharConfig, TrainConfig, TrainTokenizerConfig
from yocto.dataset.tokens import FileMeta, SplitMeta, read_meta, write_meta
from yocto.errors import ConfigError, DataError, RunError
from yocto.sampling.generate import Generation
from yocto.tokenizer.store import load_tokenizer
from yocto.training import pace
from yocto.utils.progress import SilentProgress

SHORT = {**SHAPE, "max_iters": 2, "eval_interval": 1}


@pytest.fixture
def char(char_project: Project, tmp_path: Path) -> Project:
    return char_project.copy_to(tmp_path)


@pytest.fixture
def token(token_project: Project, tmp_path: Path) -> Project:
    return token_project.copy_to(tmp_path)


def run(project: Project, progress: Recorder | None = None, **knobs) -> train.Trained:
    values = {
        "mode": project.mode, "data_dir": str(project.data),
        "ckpt_dir": str(project.checkpoints), **knobs,
    }  # fmt: skip
    config = TrainConfig.from_dict(values)
    return train.run(config, progress or Recorder())


def steps_measured(folder: Path) -> list[int]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def forget_data(project: Project) -> None:
    for file in [*project.data.glob("*.bin"), project.data / "meta.json"]:
        file.unlink()


def retrain_tokenizer(project: Project, text: Path, vocab_size: int = 280) -> None:
    config = TrainTokenizerConfig(
        text_path=(str(text),), out_dir=str(project.data), vocab_size=vocab_size
    )
    train_tokenizer.run(config, SilentProgress())


# ---------------------------------------------------------------------------------------- result


def test_a_run_leaves_its_steps_its_metrics_and_a_result(char: Project) -> None:
    result = run(char, **SHORT)
    assert result.run == str(char.checkpoints / "char-2")
    assert (result.step, result.max_iters, result.exit_code) == (2, 2, 0)
    lines = (Path(result.run) / "metrics.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert (last["val_loss"], last["val_bits_per_byte"]) == (
        result.val_loss, result.val_bits_per_byte,
    )  # fmt: skip
    summary = "\n".join(result.summary())
    assert f"validation loss {result.val_loss:.3f}" in summary
    assert "next: yocto sample" in summary


def test_the_plan_and_a_sample_of_each_evaluation_are_told(
    char: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = Recorder()
    monkeypatch.setattr(pace, "MOST", 4)
    run(char, progress, **{**SHORT, "max_iters": 6, "eval_interval": 3})
    told = "\n".join(progress.said)
    for part in ("device      cpu", "parameters", "iterations  6", "memory", "time"):
        assert part in told
    (watch,) = progress.watches
    assert [line["step"] for line in watch.lines] == [3, 6]
    assert len(watch.samples) == 2


def test_showing_samples_does_not_change_the_training(
    char: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs = {**SHORT, "dropout": 0.2, "max_iters": 4}
    shown = run(char, **knobs)
    monkeypatch.setattr(train, "_sampler", lambda trainer: None)
    assert run(char, **knobs).val_loss == shown.val_loss


# ----------------------------------------------------------------------- the way through the text


def cut_into_shards(folder: Path, sizes: list[int]) -> None:
    """The train split in several files, the last of which takes what is left."""
    meta = read_meta(folder)
    whole = np.fromfile(folder / "train.bin", meta.dtype)
    files = []
    for i, ids in enumerate(np.split(whole, np.cumsum(sizes))):
        data = ids.tobytes()
        (folder / f"train_{i:06d}.bin").write_bytes(data)
        files.append(FileMeta(f"train_{i:06d}.bin", len(ids), hashlib.sha256(data).hexdigest()))
    (folder / "train.bin").unlink()
    old = meta.splits["train"]
    split = SplitMeta(old.tokens, old.bytes, old.documents, files)
    write_meta(folder, dataclasses.replace(meta, splits={**meta.splits, "train": split}))


@pytest.mark.parametrize("order", ["random", "sequential"])
def test_training_on_shards_gives_the_weights_of_training_on_one_file(
    token: Project, order: str
) -> None:
    knobs = {**SHAPE, "max_iters": 50, "order": order, "respect_documents": True}
    one = run(token, **knobs)
    cut_into_shards(token.data, [1700, 0, 30, 2100])
    many = run(token, **knobs)
    weights, expected = (
        load_file(Path(result.run) / "step-000050" / "model.safetensors") for result in (many, one)
    )
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert many.val_loss == one.val_loss
    tokens = read_meta(token.data).splits["train"].tokens
    assert order == "random" or 1.2 * tokens < 4 * 48 * 50  # more than an epoch


def test_a_run_through_epochs_is_resumed_in_its_order(char: Project) -> None:
    knobs = {**SHAPE, "order": "sequential", "dropout": 0.1, "warmup_iters": 0, "min_lr": 0.01}
    whole = run(char, **knobs)
    half = run(char, **{**knobs, "max_iters": 10})
    name = Path(half.run).name
    rest = run(char, resume="auto", run_name=name, max_iters=20)
    weights, expected = (
        load_file(Path(result.run) / "step-000020" / "model.safetensors")
        for result in (rest, whole)
    )
    assert all(torch.equal(weights[n], expected[n]) for n in expected)
    with pytest.raises(RunError, match="way through the text, but you changed order sequential ->"):
        run(char, resume="auto", run_name=name, max_iters=30, order="random")
    with pytest.raises(RunError, match="respect_documents False -> True"):
        run(char, resume="auto", run_name=name, max_iters=30, respect_documents=True)


def test_documents_can_not_be_kept_apart_in_files_without_end_tokens(char: Project) -> None:
    with pytest.raises(DataError, match="no end token between documents"):
        run(char, respect_documents=True, **SHORT)


@pytest.mark.parametrize(("split", "name"), [("train", "training"), ("val", "validation")])
@pytest.mark.parametrize("order", ["random", "sequential"])
def test_a_damaged_id_in_files_too_long_to_look_through_ends_the_run_with_its_reason(
    token: Project, split: str, name: str, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens_module, "CHECKED", -1)
    ids = np.memmap(token.data / f"{split}.bin", "<u2", mode="r+")
    ids[:] = 999
    ids.flush()
    with pytest.raises(DataError, match=f"{name} split is damaged: it holds id 999"):
        run(token, order=order, **SHORT)


def test_the_plan_tells_how_many_epochs_are_read(
    char: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = Recorder()
    monkeypatch.setattr(pace, "MOST", 4)
    run(char, progress, order="sequential", **{**SHORT, "max_iters": 6})
    windows = -(-(read_meta(char.data).splits["train"].tokens - 1) // 48)
    assert any(f"({24 / windows:.1f} times the training text)" in line for line in progress.said)


# ----------------------------------------------------------------------------------------- names


def test_runs_are_numbered_by_mode(char: Project) -> None:
    assert run(char, **SHORT).run.endswith("char-2")
    (char.checkpoints / "char-10").mkdir()
    (char.checkpoints / "char-x").mkdir()
    assert run(char, **SHORT).run.endswith("char-11")


def test_an_existing_name_lists_the_three_ways_out(char: Project) -> None:
    with pytest.raises(RunError, match="char-1 is there already") as caught:
        run(char, run_name="char-1", **SHORT)
    for way in ("--resume auto", "--overwrite", "--run-name char-2"):
        assert way in caught.value.hint


def test_overwrite_replaces_the_run(char: Project) -> None:
    (char.run / "step-000999").mkdir()
    result = run(char, run_name="char-1", overwrite=True, **SHORT)
    assert result.run == str(char.run)
    assert {f.name for f in char.run.glob("step-*")} <= {"step-000001", "step-000002"}
    steps = steps_measured(char.run)
    assert steps == [1, 2]


@pytest.mark.parametrize(
    "mistake",
    [{"n_embd": 17}, {"block_size": 100_000}, {"data_dir": "/nowhere"}, {"device": "gpu9"}],
)
def test_a_mistake_does_not_cost_the_run_that_was_to_be_overwritten(
    char: Project, mistake: dict
) -> None:
    with pytest.raises((ConfigError, DataError)):
        run(char, run_name="char-1", overwrite=True, **{**SHORT, **mistake})
    Checkpoint.open(char.step).load_model()


@pytest.mark.parametrize("name", ["a/b", "../up", ".hidden", "/abs"])
def test_a_name_that_is_a_path_is_refused(char: Project, name: str) -> None:
    with pytest.raises(RunError, match="can't be a run's name"):
        run(char, run_name=name, **SHORT)


# --------------------------------------------------------------------------------------- presets


@pytest.mark.parametrize("mode", ["char", "token"])
def test_without_a_preset_the_one_of_device_and_mode_counts(mode: str) -> None:
    config = train.with_preset(TrainConfig(mode=mode, device="cpu"), Recorder())
    assert config.preset == f"cpu-{mode}"


def test_what_the_user_gives_stands_above_the_preset() -> None:
    plain = train.with_preset(TrainConfig(device="cpu"), Recorder())
    given = train.with_preset(
        TrainConfig.from_dict({"device": "cpu", "n_layer": plain.n_layer + 1, "min_lr": 0.0}),
        Recorder(),
    )
    assert given.n_layer == plain.n_layer + 1
    assert given.min_lr == 0.0  # given, though it is the default
    assert given.n_embd == plain.n_embd


def test_an_unknown_preset_is_an_error(char: Project) -> None:
    with pytest.raises(ConfigError, match="preset 'cpu-chat'") as caught:
        run(char, preset="cpu-chat", **SHORT)
    assert "cpu-char" in caught.value.hint


def test_minutes_choose_the_number_of_steps(char: Project) -> None:
    knobs = {key: value for key, value in SHAPE.items() if key != "max_iters"}
    result = run(char, minutes=0.02, **{**knobs, "eval_interval": 10**6})
    assert result.exit_code == 0
    assert 20 < result.step == result.max_iters
    assert 0.1 < result.seconds < 12  # 1.2 s were asked for, on a machine that may be busy
    saved = Checkpoint.open(Path(result.run) / f"step-{result.step:06d}")
    assert (saved.train["minutes"], saved.train["max_iters"]) == (None, result.step)


# ------------------------------------------------------------------------------------------ data


def test_a_missing_tokenizer_says_how_to_make_it(tmp_path: Path) -> None:
    for mode, command in (("char", "yocto prepare-char"), ("token", "yocto train-tokenizer")):
        with pytest.raises(DataError) as caught:
            run(Project(tmp_path, mode), **SHORT)
        assert command in caught.value.hint


def test_missing_token_files_are_made_and_told(token: Project, many_documents: Path) -> None:
    forget_data(token)
    progress = Recorder()
    assert run(token, progress, **SHORT).exit_code == 0
    assert any(str(many_documents) in line and "encoding" in line for line in progress.said)
    assert read_meta(token.data).made_by == "train"


def test_a_corpus_that_has_moved_is_told_with_the_command_that_names_it(token: Project) -> None:
    forget_data(token)
    (token.data / "corpus.json").write_text('{"paths": ["/nowhere/moved.txt"]}')
    with pytest.raises(DataError, match=r"no text file /nowhere/moved\.txt") as caught:
        run(token, Recorder(), **SHORT)
    assert "yocto encode --tokenizer-path" in caught.value.hint
    assert caught.value.hint.endswith("--text-path FILE")


def test_fresh_token_files_are_left_alone(token: Project) -> None:
    before = (token.data / "train.bin").stat().st_mtime_ns
    run(token, **SHORT)
    assert (token.data / "train.bin").stat().st_mtime_ns == before


def test_stale_files_that_train_made_are_made_anew_with_a_notice(
    token: Project, many_documents: Path
) -> None:
    retrain_tokenizer(token, many_documents)
    progress = Recorder()
    run(token, progress, **SHORT)
    assert any("tokenizer has changed" in notice for notice in progress.notices)
    assert read_meta(token.data).vocab_size == 280


def test_stale_files_that_encode_made_are_refused_with_the_command(
    token: Project, many_documents: Path
) -> None:
    file = token.data / "tokenizer.json"
    encode.run(EncodeConfig(tokenizer_path=str(file)), SilentProgress())
    retrain_tokenizer(token, many_documents)
    before = (token.data / "train.bin").read_bytes()
    with pytest.raises(DataError) as caught:
        run(token, **SHORT)
    assert f"yocto encode --tokenizer-path {file} --out-dir {token.data}" in caught.value.hint
    assert (token.data / "train.bin").read_bytes() == before


def test_stale_char_files_are_refused_with_the_command(char: Project, tmp_path: Path) -> None:
    vocab = json.loads((char.data / "vocab.json").read_text(encoding="utf-8"))
    vocab["special_tokens"] = {"<x>": len(vocab["stoi"])}
    (char.data / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        run(char, **SHORT)
    assert "yocto prepare-char" in caught.value.hint


def test_files_that_encode_cut_into_shards_are_trained_on(token: Project) -> None:
    whole = run(token, **SHORT)
    file = str(token.data / "tokenizer.json")
    encode.run(EncodeConfig(tokenizer_path=file, shard_tokens=500), SilentProgress())
    assert len(list(token.data.glob("train_*.bin"))) > 2
    assert not (token.data / "train.bin").exists()
    shards = run(token, **SHORT)
    assert shards.val_loss == whole.val_loss


def test_an_encoding_that_was_interrupted_is_not_thrown_away(
    token: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in [*token.data.glob("*.bin"), token.data / "meta.json"]:
        file.unlink()
    config = EncodeConfig(tokenizer_path=str(token.data / "tokenizer.json"), shard_tokens=50)
    with monkeypatch.context() as patch:
        patch.setattr("yocto.dataset.encode._BATCH", 300)
        patch.setattr("yocto.dataset.encode._Speed.tell", interrupting(8))
        with pytest.raises(KeyboardInterrupt):
            encode.run(config, SilentProgress())
    before = {path: path.read_bytes() for path in token.data.iterdir()}
    with pytest.raises(DataError, match="was interrupted") as caught:
        run(token, **SHORT)
    assert "--resume" in caught.value.hint
    assert {path: path.read_bytes() for path in token.data.iterdir()} == before
    encode.run(dataclasses.replace(config, resume=True), SilentProgress())
    run(token, **SHORT)


def interrupting(count: int):
    """A function that is interrupted when it is called once more than so often."""
    left = [count]

    def interrupted(*arguments: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    return interrupted


def test_token_files_without_meta_json_are_refused(token: Project) -> None:
    (token.data / "meta.json").unlink()
    with pytest.raises(DataError, match=r"no meta\.json"):
        run(token, **SHORT)


def test_a_tokenizer_of_the_other_mode_is_refused(char: Project, token_project: Project) -> None:
    with pytest.raises(DataError, match="--mode token does not take") as caught:
        run(char, mode="token", **SHORT)
    assert "--mode char" in caught.value.hint
    with pytest.raises(DataError, match="--mode char does not take"):
        run(token_project, mode="char", **SHORT)


def test_a_tokenizer_path_leads_to_its_data(token: Project) -> None:
    values = {"mode": "token", "ckpt_dir": str(token.checkpoints), **SHORT}
    config = TrainConfig.from_dict({**values, "tokenizer_path": str(token.data)})
    assert train.run(config, Recorder()).exit_code == 0


def test_a_validation_split_too_short_for_the_context_says_what_to_do(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(make_text(10)[:300], encoding="utf-8")
    project = Project(tmp_path, "char")
    prepare_char.run(
        PrepareCharConfig(text_path=(str(text),), out_dir=str(project.data)), SilentProgress()
    )
    with pytest.raises(DataError, match="validation split has 30 tokens") as caught:
        run(project, **SHORT)
    assert "--block-size 29" in caught.value.hint
    assert run(project, **{**SHORT, "block_size": 29}).exit_code == 0


# ---------------------------------------------------------------------------------------- resume


def test_resume_with_nothing_there_starts_afresh(char: Project) -> None:
    progress = Recorder()
    result = run(char, progress, run_name="new", resume="auto", **SHORT)
    assert (result.run, result.exit_code) == (str(char.checkpoints / "new"), 0)
    assert any("no run 'new'" in notice and "afresh" in notice for notice in progress.notices)


def test_resume_without_a_name_takes_the_newest_run_of_the_mode(
    char: Project, token_project: Project, tmp_path: Path
) -> None:
    token = Project(tmp_path, "token")
    progress = Recorder()
    values = {"data_dir": str(token_project.data), "mode": "token", "resume": "auto", **SHORT}
    result = run(char, progress, **values)  # the char run there is not meant
    assert result.run == str(token.run)
    assert any("no token run" in notice for notice in progress.notices)
    assert run(char, resume="auto").run == str(char.run)


def test_a_finished_run_says_so_and_how_to_train_on(char: Project) -> None:
    result = run(char, run_name="char-1", resume="auto")
    assert (result.finished_before, result.exit_code, result.step) == (True, 0, 20)
    summary = "\n".join(result.summary())
    assert "stands at step 20 of 20" in summary
    assert f"--ckpt-dir {char.checkpoints} --resume auto --max-iters 40" in summary


def test_a_finished_run_trains_on_with_more_steps(char: Project) -> None:
    progress = Recorder()
    result = run(char, progress, run_name="char-1", resume="auto", max_iters=25)
    assert (result.step, result.exit_code, result.finished_before) == (25, 0, False)
    assert any("going on with" in line and "step 20" in line for line in progress.said)
    steps = steps_measured(char.run)
    assert steps == sorted(steps)
    assert Checkpoint.open(char.run / "step-000025").model.block_size == 48  # its own shape


@pytest.mark.parametrize(
    ("change", "shown"),
    [({"n_layer": 2}, "n_layer 1 -> 2"), ({"family": "gpt2"}, "family"), ({"mlp": "relu2"}, "mlp")],
)
def test_a_resumed_run_keeps_its_architecture(char: Project, change: dict, shown: str) -> None:
    with pytest.raises(RunError, match=f"keeps its architecture.*{shown}"):
        run(char, run_name="char-1", resume="auto", max_iters=30, **change)


def test_the_same_architecture_may_be_told_again(char: Project) -> None:
    assert run(char, run_name="char-1", resume="auto", max_iters=21, n_layer=1).step == 21


def test_a_resumed_run_refuses_another_tokenizer(token: Project, many_documents: Path) -> None:
    retrain_tokenizer(token, many_documents, vocab_size=280)
    with pytest.raises(RunError, match="another tokenizer"):
        run(token, run_name="token-1", resume="auto", max_iters=25)
    other = token.root / "other.txt"
    other.write_text(make_text(100, seed=9)[::-1], encoding="utf-8")
    retrain_tokenizer(token, other, vocab_size=300)
    with pytest.raises(RunError, match="another tokenizer"):
        run(token, run_name="token-1", resume="auto", max_iters=25)


def test_metrics_of_a_run_that_died_before_its_first_step_do_not_mix_with_the_new_ones(
    char: Project,
) -> None:
    folder = char.checkpoints / "new"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text('{"step": 10, "train_loss": 9.9}\n')
    run(char, run_name="new", **SHORT)
    assert "9.9" not in (folder / "metrics.jsonl").read_text()


@pytest.mark.parametrize("several", [False, True])
def test_the_end_token_means_something_to_a_model_of_several_documents_only(
    several: bool, small_text: Path, many_documents: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = many_documents if several else small_text
    config = TrainTokenizerConfig(text_path=(str(text),), vocab_size=300)
    train_tokenizer.run(config, SilentProgress())
    result = train.run(TrainConfig(**SHORT), SilentProgress())
    lm = LanguageModel.open(find_checkpoint(None, Path(result.run).parent))
    # One document is cut into two splits, but no end token stands in either.
    assert (lm.documents > 1) is several
    expected = [lm.tokenizer.end_id] if several else lm.tokenizer.encode("\n")
    assert lm.prompt_ids("") == expected


def test_a_run_that_was_killed_in_its_last_evaluation_makes_it_on_resume(char: Project) -> None:
    file = char.run / "metrics.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    last = json.loads(lines[-1])
    assert "val_loss" in last
    file.write_text("".join(lines[:-1]))
    result = run(char, run_name="char-1", resume="auto")
    assert not result.finished_before
    assert result.val_loss == pytest.approx(last["val_loss"])
    assert run(char, run_name="char-1", resume="auto").finished_before


# ---------------------------------------------------------------------- tokenizers of other kinds


@pytest.mark.parametrize(
    "knobs",
    [
        {"kind": "word", "vocab_size": 25},  # fewer than there are words: <unk> is common
        {"kind": "char-bpe", "vocab_size": 120},
        {"kind": "char-bpe", "vocab_size": 400, "byte_fallback": True},
    ],
    ids=["word", "char-bpe", "char-bpe with byte fallback"],
)
def test_words_or_characters_lead_to_a_model_that_writes_and_chats(
    knobs: dict, many_documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path, "token")
    config = TrainTokenizerConfig.from_dict(
        {"text_path": (str(many_documents),), "out_dir": str(project.data), **knobs}
    )
    train_tokenizer.run(config, SilentProgress())
    tokenizer = load_tokenizer(project.data)
    assert run(project, **SHAPE).exit_code == 0
    ids = np.fromfile(project.data / "train.bin", "<u2")
    assert np.count_nonzero(ids == tokenizer.end_id) > 20
    assert (tokenizer.unk_id in ids) is (knobs["kind"] == "word")

    lm = LanguageModel.open(project.step)
    assert lm.tokenizer.sha256 == tokenizer.sha256
    assert lm.end_id == tokenizer.eos_id
    chosen = []

    class Recorded(Generation):
        def __iter__(self):
            for index, token in super().__iter__():
                chosen.append(None if token is None else token.id)
                yield index, token

    monkeypatch.setattr(completion, "Generation", Recorded)
    writes_and_chats(lm)
    randomize(lm.model, torch.Generator().manual_seed(1))
    writes_and_chats(lm)
    assert (set(chosen) - {None}) & set(tokenizer.special_tokens.values()) <= {tokenizer.end_id}


def writes_and_chats(lm: LanguageModel) -> None:
    """The model's text holds no special token, though every one is likely."""
    texts = [
        lm.generate(prompt, max_new_tokens=150, temperature=5.0, ignore_eos=True, seed=seed)
        for seed, prompt in enumerate(["", "the child", "Who knows 🙂 ж?\n"])
    ]
    chat = lm.chat(max_new_tokens=40, temperature=5.0, seed=3)
    texts += ["".join(chat.send(question)) for question in ("Who asks?", "ж why?")]
    assert all(texts[:3])
    assert len(chat.session.messages) % 2 == 0
    for text in texts:
        for special in lm.tokenizer.special_tokens:
            assert special not in text
