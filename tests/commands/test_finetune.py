"""yocto finetune: conversations to a model that answers, in a run like all others."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Project
from safetensors.torch import load_file
from tiny import Recorder, make_text

import yocto.training.trainer as trainer_module
from yocto.api import LanguageModel
from yocto.chat.roles import ROLE_TOKENS, has_roles
from yocto.checkpoint import Checkpoint, Run, find_checkpoint
from yocto.commands import finetune, train
from yocto.commands.finetune import Rehearsed, Trained
from yocto.config import FinetuneConfig, TrainConfig
from yocto.errors import CheckpointError, ConfigError, DataError, RunError
from yocto.training.history import read_history, run_facts
from yocto.training.trainer import Trainer

Turns = list[tuple[str, str]]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "matmul_rate", lambda device, dtype: 1e10)


def records(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Short conversations in the words of the small text."""
    words = make_text(40, seed).split()
    said = [[" ".join(words[(7 * i + k) % 150 :][:2]) for k in (0, 3)] for i in range(count)]
    return [
        {"messages": [{"role": "user", "content": a}, {"role": "assistant", "content": b}]}
        for a, b in said
    ]


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    return write(tmp_path / "chats.jsonl", records(30))


def write(path: Path, values: list[Any]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


def config(project: Project, data: Path, **knobs: Any) -> FinetuneConfig:
    return FinetuneConfig.from_dict({
        "ckpt_dir": str(project.checkpoints), "data": [str(data)], "device": "cpu",
        "batch_size": 2, "max_iters": 12, "eval_interval": 6, "eval_iters": 2, "warmup_iters": 2,
        **knobs,
    })  # fmt: skip


def run(project: Project, data: Path, progress: Recorder | None = None, **knobs: Any) -> Trained:
    result = finetune.run(config(project, data, **knobs), progress or Recorder())
    assert isinstance(result, Trained)
    return result


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(find_checkpoint("latest", folder) / "model.safetensors")


@pytest.fixture
def mine(project: Project, tmp_path: Path) -> Project:
    """Either project, to be changed."""
    return project.copy_to(tmp_path)


@pytest.fixture
def tokens(token_project: Project, tmp_path: Path) -> Project:
    return token_project.copy_to(tmp_path)


# ---------------------------------------------------------------------------------------- the run


def test_a_base_model_becomes_one_with_roles(mine: Project, chats: Path) -> None:
    done = run(mine, chats, max_iters=40, learning_rate=0.01)
    assert Path(done.run).name == f"{mine.mode}-1-chat-1"
    assert done.exit_code == 0 and done.step == 40
    lm = LanguageModel.open(find_checkpoint(None, mine.checkpoints))
    assert has_roles(lm.tokenizer) and lm.end_id is not None
    base = Checkpoint.open(mine.step)
    assert lm.model.config.vocab_size == lm.tokenizer.vocab_size > base.model.vocab_size
    assert lm.generate("a", max_new_tokens=5, seed=1) is not None
    lines = [json.loads(x) for x in (Path(done.run) / "metrics.jsonl").read_text().splitlines()]
    val = [line["val_loss"] for line in lines if "val_loss" in line]
    assert val[-1] < val[0]
    facts = run_facts(read_history(Run(Path(done.run))))
    assert facts.status == "finished" and facts.best is not None


def test_a_checkpoint_says_that_it_is_fine_tuned(tokens: Project, chats: Path) -> None:
    run(tokens, chats)
    saved = Checkpoint.open(find_checkpoint("latest", tokens.checkpoints))
    assert saved.train["mode"] == "chat"
    assert saved.train["ckpt"] == str(tokens.run / "step-000020")
    assert saved.train["data"] == [str(chats)]


def test_epochs_say_how_many_steps_unless_they_are_given(tokens: Project, chats: Path) -> None:
    def steps(**knobs: Any) -> int:
        values = {k: v for k, v in config(tokens, chats).to_dict().items() if v is not None
                  and k not in ("max_iters", "epochs")}  # fmt: skip
        result = finetune.run(FinetuneConfig.from_dict({**values, **knobs}), Recorder())
        assert isinstance(result, Trained)
        return result.step

    one = steps(epochs=1.0)
    assert steps(epochs=2.0) in (2 * one, 2 * one - 1)
    assert steps(epochs=1.0, gradient_accumulation_steps=2) == -(-one // 2)
    assert steps(max_iters=3) == 3


def test_the_newest_run_that_is_not_fine_tuned_is_the_base(tokens: Project, chats: Path) -> None:
    first, second = run(tokens, chats), run(tokens, chats)
    assert Path(second.run).name == "token-1-chat-2"
    for done in (first, second):
        saved = Checkpoint.open(find_checkpoint(done.run, tokens.checkpoints))
        assert saved.train["ckpt"] == str(tokens.run / "step-000020")


def test_a_fine_tuned_model_can_be_tuned_further(tokens: Project, chats: Path) -> None:
    first = run(tokens, chats)
    again = run(tokens, chats, ckpt="token-1-chat-1")
    assert Path(again.run).name == "token-1-chat-2"
    one, two = (Checkpoint.open(find_checkpoint(d.run, tokens.checkpoints)) for d in (first, again))
    assert one.model == two.model
    assert one.load_tokenizer().sha256 == two.load_tokenizer().sha256


def test_a_dry_run_leaves_nothing(tokens: Project, chats: Path) -> None:
    planned = finetune.run(config(tokens, chats, dry_run=True), Recorder())
    assert isinstance(planned, Rehearsed) and planned.iterations == 12
    assert [p.name for p in tokens.checkpoints.iterdir()] == ["token-1"]


# ----------------------------------------------------------------------------------------- resume


def stop_after(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training end as a crash would, at this step."""
    real = Trainer.train_step

    def stopping(self: Trainer) -> None:
        if self.step == step:
            raise KeyboardInterrupt
        real(self)

    monkeypatch.setattr(Trainer, "train_step", stopping)


@pytest.mark.parametrize("knobs", [{}, {"optimizer": "muon"}, {"lora_rank": 2}])
def test_a_resumed_run_ends_with_the_very_same_weights(
    tokens: Project, chats: Path, knobs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs = {**knobs, "dropout": 0.2, "run_name": "r", "save_interval": 2}
    whole = tokens.checkpoints.parent / "whole"
    shutil.copytree(tokens.checkpoints, whole)
    run(tokens, chats, ckpt="token-1", **{**knobs, "ckpt_dir": str(whole)})
    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        stop_after(7, broken)
        run(tokens, chats, ckpt="token-1", **knobs)
    assert find_checkpoint("r", tokens.checkpoints).name == "step-000006"
    run(tokens, chats, ckpt="token-1", resume="auto", **knobs)
    expected, found = weights(whole), weights(tokens.checkpoints)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_finished_run_says_so_and_takes_more_epochs(tokens: Project, chats: Path) -> None:
    done = run(tokens, chats)
    name = Path(done.run).name
    values = {"ckpt_dir": str(tokens.checkpoints), "run_name": name, "resume": "auto"}
    again = finetune.run(FinetuneConfig.from_dict(values), Recorder())
    assert isinstance(again, Trained) and again.finished_before
    assert again.resume == (
        f"yocto finetune --run-name {name} --ckpt-dir {tokens.checkpoints} --resume auto "
        f"--max-iters 24"
    )
    more = finetune.run(FinetuneConfig.from_dict({**values, "epochs": 9}), Recorder())
    assert isinstance(more, Trained) and more.step > 12


def test_train_does_not_go_on_with_a_fine_tuned_run(tokens: Project, chats: Path) -> None:
    done = run(tokens, chats)
    values = {"ckpt_dir": str(tokens.checkpoints), "data_dir": str(tokens.data), "resume": "auto"}
    result = train.run(TrainConfig.from_dict(values), Recorder())
    assert isinstance(result, Trained) and Path(result.run) == tokens.run
    name = Path(done.run).name
    with pytest.raises(RunError, match="is a fine-tuned run") as caught:
        train.run(TrainConfig.from_dict({**values, "run_name": name}), Recorder())
    flags = f"--run-name {name} --ckpt-dir {tokens.checkpoints} --resume auto"
    assert f"yocto finetune {flags}" in caught.value.hint
    with pytest.raises(RunError, match="is not a fine-tuned run"):
        run(tokens, chats, resume="auto", run_name="token-1")


def test_a_resumed_run_keeps_what_its_steps_came_from(tokens: Project, chats: Path) -> None:
    run(tokens, chats, run_name="r")
    for knobs in ({"lora_rank": 4}, {"val_ratio": 0.3}, {"ckpt": "latest"}, {"seed": 3}):
        with pytest.raises(RunError, match=f"you changed {next(iter(knobs))}"):
            run(tokens, chats, run_name="r", resume="auto", **knobs)
    write(chats, records(30, seed=1))
    with pytest.raises(RunError, match="not the one that r was trained on"):
        run(tokens, chats, run_name="r", resume="auto", max_iters=30)


# ------------------------------------------------------------------------------------------- lora


def test_lora_moves_few_numbers_and_saves_a_plain_model(tokens: Project, chats: Path) -> None:
    done = run(tokens, chats, lora_rank=2, learning_rate=0.05, max_iters=30)
    step = find_checkpoint(done.run, tokens.checkpoints)
    before, after = (
        load_file(tokens.step / "model.safetensors"),
        load_file(step / "model.safetensors"),
    )
    assert before.keys() == after.keys()
    state = Checkpoint.open(step).load_trainer()["engine"]
    (optimizer,) = state["optimizers"]
    moments = sum(s["exp_avg"].numel() for s in optimizer["state"].values())
    assert moments < 0.4 * sum(x.numel() for x in after.values())
    for name, x in before.items():
        if "norm" in name:
            assert torch.equal(after[name], x), name
        elif name.startswith("blocks"):
            rank = torch.linalg.matrix_rank(after[name] - x, rtol=1e-3)
            assert 0 < rank <= 2, name
        else:
            end = 1  # <|endoftext|>, whose vector begins each conversation
            moved = (after[name][: len(x)] != x).any(dim=1)
            assert moved.sum() <= end, name
    assert LanguageModel.open(step).generate("the", max_new_tokens=3, seed=1) is not None


def test_lora_goes_with_adamw_alone(tokens: Project, chats: Path) -> None:
    with pytest.raises(ConfigError, match="adamw, not by muon"):
        config(tokens, chats, lora_rank=2, optimizer="muon")
    progress = Recorder()
    run(tokens, chats, progress, lora_alpha=2.0)
    assert "lora_alpha changes nothing without lora_rank" in progress.notices


# ------------------------------------------------------------------------------------------- data


def test_all_layouts_and_several_files_are_learnt_from(tokens: Project, tmp_path: Path) -> None:
    one = write(tmp_path / "a.jsonl", [{"instruction": "the river", "output": "a boat"}])
    two = tmp_path / "b.json"
    said = [{"from": "human", "value": "the"}, {"from": "gpt", "value": "a"}]
    two.write_text(json.dumps([{"conversations": said}]))
    progress = Recorder()
    finetune.run(dataclasses.replace(config(tokens, one), data=(str(one), str(two))), progress)
    assert any("1 conversations to train on, 1 to validate" in line for line in progress.said)


def test_one_conversation_is_learnt_and_measured_on(tokens: Project, tmp_path: Path) -> None:
    progress = Recorder()
    done = run(tokens, write(tmp_path / "a.jsonl", records(1)), progress)
    assert any("there is one conversation only" in notice for notice in progress.notices)
    assert "on the conversations that it learnt" in done.summary()[0]
    assert done.best_step == 12


def test_no_validation_split_is_told(tokens: Project, chats: Path) -> None:
    progress = Recorder()
    run(tokens, chats, progress, val_ratio=0.0)
    assert any("--val-ratio is 0" in notice for notice in progress.notices)


def test_conversations_that_are_too_long_are_cut_and_counted(
    tokens: Project, tmp_path: Path
) -> None:
    turns = [m for record in records(30) for m in record["messages"]]
    long = [{"instruction": "the river", "output": make_text(20)}]
    data = write(tmp_path / "a.jsonl", [{"messages": turns}, *records(5, 1), *long])
    progress = Recorder()
    run(tokens, data, progress)
    assert any("1 conversations are longer than the model's context of 48" in notice
               for notice in progress.notices)  # fmt: skip
    assert any("lose their end" in notice for notice in progress.notices)


def test_a_bad_record_ends_the_command_or_is_passed_over(tokens: Project, tmp_path: Path) -> None:
    bad = [{"messages": []}, {"text": "a"}]
    data = write(tmp_path / "a.jsonl", [*records(3), *bad, *records(9, 1)])
    with pytest.raises(DataError, match=f"line 4 in {data} has no turns") as caught:
        run(tokens, data)
    assert "--skip-bad" in caught.value.hint
    progress = Recorder()
    run(tokens, data, progress, skip_bad=True)
    assert any("2 records are passed over; the first: line 4" in n for n in progress.notices)
    write(data, bad)
    with pytest.raises(DataError, match=r"no conversation in .* can be learnt from"):
        run(tokens, data, skip_bad=True)


def test_what_a_char_vocabulary_lacks_is_told_with_its_place(
    char_project: Project, tmp_path: Path
) -> None:
    mine = char_project.copy_to(tmp_path)
    data = write(tmp_path / "a.jsonl", [*records(4), {"instruction": "Ω", "output": "a"}])
    with pytest.raises(DataError, match=f"line 5 in {data} can't be encoded: .*U\\+03A9"):
        run(mine, data)
    run(mine, data, skip_bad=True)


def test_nothing_to_learn_from_is_an_error_that_says_what_to_type(
    tokens: Project, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="nothing to learn from") as caught:
        finetune.run(FinetuneConfig(ckpt_dir=str(tokens.checkpoints)), Recorder())
    assert "--data chats.jsonl" in caught.value.hint
    with pytest.raises(DataError, match="there is no text file"):
        run(tokens, tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(DataError, match="there is nothing in it") as caught:
        run(tokens, tmp_path / "empty.jsonl")
    assert '{"messages"' in caught.value.hint
    with pytest.raises(CheckpointError, match="no trained run"):
        finetune.run(FinetuneConfig(ckpt_dir=str(tmp_path / "none"), data=("a.jsonl",)), Recorder())
    assert [p.name for p in tokens.checkpoints.iterdir()] == ["token-1"]


def test_all_role_tokens_have_a_vector_of_their_own(tokens: Project, chats: Path) -> None:
    run(tokens, chats, max_iters=1)
    saved = Checkpoint.open(find_checkpoint("latest", tokens.checkpoints))
    special = saved.load_tokenizer().special_tokens
    rows = saved.load_model().wte.weight[[special[token] for token in ROLE_TOKENS]]
    assert len(torch.unique(rows, dim=0)) == len(ROLE_TOKENS)
