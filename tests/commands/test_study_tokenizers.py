"""study tokenizers: models of different tokenizers, measured over their training."""

from __future__ import annotations

import builtins
import json
import random
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny import WORDS, Recorder, make_text

from yocto.commands import encode, eval, study_tokenizers, train, train_tokenizer
from yocto.commands.study_stages import Stages
from yocto.commands.study_tokenizers import Study
from yocto.config import EvalConfig, StudyTokenizersConfig
from yocto.dataset.tokens import read_meta
from yocto.errors import ConfigError, DataError, RunError
from yocto.evaluation.study import StudyTokenizer
from yocto.evaluation.study_record import Record, read_record
from yocto.training.trainer import Trainer
from yocto.utils.lock import exclusive

SMALL = ("n_layer=1", "n_head=1", "n_embd=8", "block_size=16", "batch_size=2", "eval_iters=1",
         "warmup_iters=1", "device=cpu")  # fmt: skip
STAGES = (train_tokenizer, encode, train, eval)


@dataclass(frozen=True)
class Texts:
    """Texts of a study, in a folder."""

    root: Path

    def config(self, **knobs: Any) -> StudyTokenizersConfig:
        values = {
            "domain": (f"rivers={self.root / 'rivers.txt'}", f"codes={self.root / 'codes.txt'}"),
            "text_path": (str(self.root / "text.txt"),),
            "task": (str(self.root / "rows.jsonl"),),
            "vocab_size": 300, "max_iters": 6, "points": 2, "train": SMALL,
            "out_dir": str(self.root / "study"),
        }  # fmt: skip
        return StudyTokenizersConfig(**{**values, **knobs})


def make_texts(root: Path) -> Texts:
    rng = random.Random(1)
    (root / "rivers.txt").write_text(make_text(80, 1), encoding="utf-8")
    codes = [f"if x{rng.randrange(99)} == {rng.randrange(999)}: return" for _ in range(150)]
    (root / "codes.txt").write_text("\n".join(codes), encoding="utf-8")
    documents = [make_text(6, seed) for seed in range(12)]
    (root / "text.txt").write_text("<|endoftext|>\n".join(documents), encoding="utf-8")
    with (root / "rows.jsonl").open("w", encoding="utf-8") as file:
        for i in range(8):
            endings = [" ".join(rng.choices(WORDS, k=3)) for _ in range(4)]
            file.write(json.dumps({"ctx": "the river", "endings": endings, "label": i % 4}) + "\n")
    return Texts(root)


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    return make_texts(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Texts, Study]:
    """A study that nothing disturbed. Read only."""
    found = make_texts(tmp_path_factory.mktemp("study"))
    return found, study_tokenizers.run(found.config(), Recorder())


class Killed(BaseException):
    """What stands for a kill."""


# --------------------------------------------------------------------------------- what it finds


def test_each_model_is_measured_at_each_point_as_eval_measures_it(finished) -> None:
    texts, study = finished
    assert study.exit_code == 0
    assert [domain.domain for domain in study.domains] == ["rivers", "codes"]
    for domain, model in zip(study.domains, study.models, strict=True):
        assert [point.step for point in domain.curve] == model.steps
        assert model.points[0].bits_per_byte > model.points[1].bits_per_byte
        run = Path(study.out_dir) / "checkpoints" / model.run
        own = eval.run(
            EvalConfig(
                ckpt=str(run / f"step-{model.steps[-1]:06d}"), save=False, device="cpu",
                data_dir=str(Path(study.out_dir) / "data" / domain.domain),
                task=(str(texts.root / "rows.jsonl"),),
            ),
            Recorder(),
        )  # fmt: skip
        end = domain.curve[-1]
        assert end.bits_per_byte.value == pytest.approx(own.texts[0].bits_per_byte, abs=1e-9)
        assert end.tasks["hellaswag"].accuracy.value == own.tasks[0].accuracy
        assert end.tasks["hellaswag"].interval == own.tasks[0].interval
        assert own.tasks[0].rows == 8


def test_all_models_learn_from_as_many_bytes_and_are_measured_on_the_same(finished) -> None:
    _, study = finished
    folders = [Path(study.out_dir) / "data" / domain.domain for domain in study.domains]
    one, other = (read_meta(folder) for folder in folders)
    for split in ("train", "val"):
        assert one.splits[split].bytes == other.splits[split].bytes > 100
    assert one.tokenizer_sha256 != other.tokenizer_sha256
    rivers, codes = study.models
    assert rivers.steps[-1] == 6  # its tokens are the longer ones
    assert codes.steps[-1] > 6
    half_a_step = 2 * 16 * codes.points[-1].bytes / codes.points[-1].tokens / 2
    assert codes.points[-1].bytes == pytest.approx(rivers.points[-1].bytes, abs=half_a_step + 1)


@pytest.mark.parametrize(("equal", "steps"), [("bytes", [100, 133]), ("tokens", [100, 100])])
def test_steps_make_up_for_shorter_tokens_where_bytes_are_to_be_equal(
    texts: Texts, equal: str, steps: list[int]
) -> None:
    config = texts.config(equal=equal, max_iters=100, points=3)
    tokenizers = {
        "rivers": StudyTokenizer("rivers", 300, 290, 3.9, 4.0),
        "codes": StudyTokenizer("codes", 300, 290, 2.9, 3.0),
    }
    record = Record(config.to_dict(), {}, tokenizers)
    texts.root.joinpath("study").mkdir()
    Stages(config, texts.root / "study", record, Recorder())._plan()
    assert [model.steps[-1] for model in record.models.values()] == steps
    assert record.models["rivers-1337"].steps == [33, 66, 100]


def test_several_seeds_have_a_spread_and_models_of_their_own(texts: Texts) -> None:
    config = texts.config(seeds=2, task=(), max_iters=2, points=1, seed=5)
    study = study_tokenizers.run(config, Recorder())
    assert [model.run for model in study.models] == ["rivers-5", "rivers-6", "codes-5", "codes-6"]
    for domain in study.domains:
        ends = [m.points[-1].bits_per_byte for m in study.models if m.domain == domain.domain]
        assert ends[0] != ends[1]
        assert domain.curve[-1].bits_per_byte.value == pytest.approx(sum(ends) / 2)
        spread = domain.curve[-1].bits_per_byte.spread
        assert spread == pytest.approx(abs(ends[0] - ends[1]) / 2**0.5)


def test_a_text_of_its_own_is_measured_and_several_count_as_one(texts: Texts) -> None:
    held = [texts.root / "held.txt", texts.root / "more.txt"]
    for seed, path in enumerate(held, 70):
        path.write_text(make_text(3 * (seed - 69), seed), encoding="utf-8")
    paths = tuple(map(str, held))
    config = texts.config(eval_text_path=paths, task=(), max_iters=2, points=1)
    study = study_tokenizers.run(config, Recorder())
    (point,) = study.models[0].points
    step = Path(study.out_dir) / "checkpoints" / "rivers-1337" / "step-000002"
    own = eval.run(EvalConfig(ckpt=str(step), text_path=paths, save=False), Recorder()).texts
    bits = sum(t.bits_per_byte * t.bytes for t in own) / sum(t.bytes for t in own)
    assert len(own) == 2
    assert point.bits_per_byte == pytest.approx(bits)


# ------------------------------------------------------------------------------------ going on


def count_stages(monkeypatch: pytest.MonkeyPatch, most: int | None = None) -> Counter[str]:
    """Count the stages that are carried out to their end; with `most` a kill comes before the
    next one."""
    done: Counter[str] = Counter()
    for module in STAGES:

        def counted(
            config: Any, progress: Any, module: Any = module, real: Any = module.run
        ) -> Any:
            if most is not None and done.total() == most:
                raise Killed
            result = real(config, progress)
            done[module.__name__.rpartition(".")[2]] += 1
            return result

        monkeypatch.setattr(module, "run", counted)
    return done


def test_a_study_that_is_killed_again_and_again_does_nothing_twice_and_finds_the_same(
    finished, texts: Texts
) -> None:
    undisturbed, _ = finished
    all_done: Counter[str] = Counter()
    steps: Counter[tuple[str, int]] = Counter()
    real_step = Trainer.train_step

    def step(trainer: Trainer) -> None:
        """A kill comes in the middle of each training, once, behind a checkpoint."""
        since = trainer.step - trainer.config.eval_interval  # where the first checkpoint is
        key = (trainer.run.name, since)
        steps[key] += 1
        if since == 1 and steps[key] == 1:
            raise Killed
        real_step(trainer)

    starts = 0
    while True:
        starts += 1
        with pytest.MonkeyPatch.context() as patch:
            done = count_stages(patch, most=1)
            patch.setattr(Trainer, "train_step", step)
            try:
                study_tokenizers.run(texts.config(), Recorder())
                break
            except Killed:
                pass
            finally:
                all_done += done
        assert starts < 30
    assert all_done == {"train_tokenizer": 2, "encode": 2, "train": 2, "eval": 4}
    assert {count for (_, since), count in steps.items() if since < 0} == {1}
    assert [count for (_, since), count in steps.items() if since == 1] == [2, 2]
    one, other = (
        json.loads((found.root / "study" / "results.json").read_text())
        for found in (undisturbed, texts)
    )
    assert one["models"] == other["models"]
    assert one["tokenizers"] == other["tokenizers"]


def test_a_finished_study_tells_its_result_at_once_even_without_its_texts(
    finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, study = finished
    monkeypatch.setattr(study_tokenizers, "fingerprints", lambda config: 1 / 0)
    monkeypatch.setattr(study_tokenizers, "draw", lambda *rest: 1 / 0)
    progress = Recorder()
    assert asdict(study_tokenizers.run(texts.config(), progress)) == asdict(study)
    assert "is finished" in "\n".join(progress.said)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"vocab_size": 301}, "vocab_size 300 -> 301"),
        ({"points": 1}, "points 2 -> 1"),
        ({"domain": ("rivers=x.txt", "more=y.txt")}, "domain codes "),
        ({"train": (*SMALL, "n_layer=2")}, "train: n_layer 1 -> 2"),
        ({"train": (*SMALL, "mlp=gelu")}, "train: mlp none -> gelu"),
        ({"task": ()}, "rows.jsonl -> none"),
    ],
)
def test_other_settings_are_refused_by_name(finished, changed: dict[str, Any], told: str) -> None:
    texts, _ = finished
    with pytest.raises(RunError, match="was begun with other settings") as caught:
        study_tokenizers.run(texts.config(**changed), Recorder())
    assert told in caught.value.message
    assert "study.yaml" in caught.value.hint


@pytest.mark.parametrize("name", ["rivers.txt", "text.txt", "rows.jsonl"])
def test_a_text_that_changed_meanwhile_is_refused_by_name(texts: Texts, name: str, monkeypatch):
    count_stages(monkeypatch, most=0)
    with pytest.raises(Killed):
        study_tokenizers.run(texts.config(), Recorder())
    path = texts.root / name
    path.write_text(path.read_text("utf-8") * 2, encoding="utf-8")
    with pytest.raises(DataError, match="has changed since the study") as caught:
        study_tokenizers.run(texts.config(), Recorder())
    known = {"rivers.txt": "domain rivers", "text.txt": "text_path", "rows.jsonl": "rows.jsonl"}
    assert known[name] in caught.value.message


def test_its_own_settings_file_goes_on_with_it(finished, yocto) -> None:
    texts, study = finished
    file = texts.root / "study" / "study.yaml"
    assert list(yaml.safe_load(file.read_text())["domain"]) == ["rivers", "codes"]
    result = yocto("study", "tokenizers", "--config", file, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == asdict(study)


def test_ctrl_c_while_a_model_is_trained_ends_with_130_and_how_to_go_on(
    texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = train.Trained("x", 1, 6, 1.0, None, None, None, "")
    monkeypatch.setattr(train, "run", lambda config, progress: stopped)
    study = study_tokenizers.run(texts.config(), Recorder())
    assert study.exit_code == 130
    assert "stopped in rivers-1337, with 0 of 2 models measured" in study.summary()[0]
    record = read_record(texts.root / "study")
    assert record is not None
    assert not record.is_finished


def test_a_checkpoint_that_is_gone_is_told_of(texts: Texts, monkeypatch) -> None:
    count_stages(monkeypatch, most=5)  # up to the first model's training
    with pytest.raises(Killed):
        study_tokenizers.run(texts.config(), Recorder())
    monkeypatch.undo()
    step = texts.root / "study" / "checkpoints" / "rivers-1337" / "step-000003"
    step.rename(texts.root / "elsewhere")
    with pytest.raises(RunError, match="step-000003 is gone") as caught:
        study_tokenizers.run(texts.config(), Recorder())
    assert "Delete" in caught.value.hint


# ------------------------------------------------------------------------------ before it begins


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"domain": ()}, "two domains or more"),
        ({"domain": ("a=b.txt",)}, "two domains or more"),
        ({"vocab_size": 200}, "byte-bpe takes at least 257"),
        ({"domain": ("a=no.txt", "b=no.txt")}, "can't read no.txt"),
        ({"task": ("no.jsonl",)}, "no.jsonl"),
        ({"task": (), "limit": 3}, "limit can't have an effect without a task"),
        ({"points": 7}, "points is 7, but max_iters is 6"),
        ({"stride": 17}, "stride 17 is more than block_size 16"),
        ({"train": (*SMALL, "n_embd=9", "n_head=2")}, "n_embd 9 is not a multiple of n_head 2"),
    ],
)
def test_what_can_not_be_is_refused_before_the_first_stage(
    texts: Texts, changed: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_stages(monkeypatch, most=0)
    with pytest.raises((ConfigError, DataError)) as caught:
        study_tokenizers.run(texts.config(**changed), Recorder())
    assert told in str(caught.value)
    assert not (texts.root / "study" / "tokenizers").exists()


def test_bad_rows_of_a_task_are_told_before_the_first_stage(texts: Texts, monkeypatch) -> None:
    count_stages(monkeypatch, most=0)
    with (texts.root / "rows.jsonl").open("a") as file:
        file.write('{"ctx": "a", "endings": ["b", "c"], "label": 5}\n')
    with pytest.raises(DataError, match=r"line 9 in .*rows\.jsonl"):
        study_tokenizers.run(texts.config(), Recorder())
    with pytest.raises(Killed):
        study_tokenizers.run(texts.config(skip_bad=True), Recorder())


def test_a_folder_of_something_else_is_refused(texts: Texts) -> None:
    (texts.root / "study" / "data" / "mine").mkdir(parents=True)
    with pytest.raises(RunError, match="holds data of something else"):
        study_tokenizers.run(texts.config(), Recorder())


def test_two_at_once_in_a_folder_are_refused(texts: Texts) -> None:
    (texts.root / "study").mkdir()
    with (
        exclusive(texts.root / "study" / ".lock"),
        pytest.raises(RunError, match="is at work on the study in"),
    ):
        study_tokenizers.run(texts.config(), Recorder())


def test_a_domain_too_short_for_the_vocabulary_is_told_of(texts: Texts, monkeypatch) -> None:
    count_stages(monkeypatch, most=2)
    (texts.root / "codes.txt").write_text("abab", encoding="utf-8")
    progress = Recorder()
    with pytest.raises(Killed):
        study_tokenizers.run(texts.config(), progress)
    assert "domain codes is too short for 300 tokens" in "\n".join(progress.notices)


# ------------------------------------------------------------------------------------- the table


def test_the_table_fits_and_has_the_figures_of_each_domain(finished, yocto) -> None:
    texts, study = finished
    config = texts.config()
    flags = [x for entry in config.domain for x in ("--domain", entry)]
    flags += [x for entry in config.train for x in ("--train", entry)]
    result = yocto(
        "study", "tokenizers", *flags, "--text-path", *config.text_path, "--task", *config.task,
        "--vocab-size", "300", "--max-iters", "6", "--points", "2", "--out-dir", config.out_dir,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["domain", "vocab", "used", "bytes/token", "steps", "bits/byte"]
    end = study.domains[0].curve[-1]
    assert lines[1].split()[0] == "rivers"
    assert lines[1].split()[-1] == f"{end.bits_per_byte.value:.4f}"
    low, high = end.tasks["hellaswag"].interval
    (row,) = (line for line in lines if line.startswith("hellaswag  rivers"))
    assert f"{100 * low:.1f}–{100 * high:.1f}" in row
    tables = lines[: lines.index(study.summary()[0])]  # below them there are paths
    assert len(tables) > 6
    assert max(map(len, tables)) <= 80
    assert f"curves -> {study.picture}" in result.stdout
    assert Path(str(study.picture)).read_bytes()[:4] == b"\x89PNG"


def test_without_matplotlib_the_study_ends_with_its_table_and_how_to_get_the_picture(
    finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, study = finished
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    drawn = study_tokenizers._drawn(replace(study, picture=None, out_dir=str(tmp_path)), False)
    assert drawn.picture is None
    assert any("pip install 'yocto[plot]'" in line for line in drawn.summary())
