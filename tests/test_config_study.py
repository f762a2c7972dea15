"""The settings of a study: tables and entries say the same, and faults are named by their keys."""

import pytest

from yocto.config import StudyTokenizersConfig
from yocto.errors import ConfigError


def test_the_domains_of_a_study_are_entries_or_a_table():
    table = {"law": "law.txt", "plays": ["a=b.txt", "c.txt"]}
    made = StudyTokenizersConfig.from_dict({"domain": table})
    assert made.domain == ("law=law.txt", "plays=a=b.txt", "plays=c.txt")
    assert made.domains() == {"law": ("law.txt",), "plays": ("a=b.txt", "c.txt")}
    assert StudyTokenizersConfig(domain=made.domain) == made
    assert StudyTokenizersConfig.from_dict({"domain": {}}).domains() == {}


@pytest.mark.parametrize(
    "entry", ["law", "law=", "=law.txt", "a/b=x", "../a=x", ".a=x", "a b=x", "é=x", "law=-"]
)
def test_a_domain_that_is_no_name_and_path_is_named(entry):
    with pytest.raises(ConfigError, match=r"^domain ") as caught:
        StudyTokenizersConfig(domain=("fine=x", entry))
    assert caught.value.hint


@pytest.mark.parametrize("table", [{"law": 3}, {"law": []}, {"law": [1]}, {"law": {"a": "b"}}])
def test_a_table_of_domains_that_holds_no_paths_is_refused(table):
    with pytest.raises(ConfigError, match=r"^study\.yaml: domain is "):
        StudyTokenizersConfig.from_dict({"domain": table}, "study.yaml")


def test_a_study_takes_settings_of_training_as_entries_or_a_table():
    table = {"n-layer": 2, "preset": "3m", "compile": True, "dropout": 0.5, "device": "cpu",
             "cooldown": False, "log": ["tensorboard"], "rope_scaling": "none"}  # fmt: skip
    made = StudyTokenizersConfig.from_dict({"train": table}).training()
    assert made.given == {name.replace("-", "_") for name in table}
    assert (made.n_layer, made.preset, made.compile, made.dropout) == (2, "3m", True, 0.5)
    assert (made.device, made.cooldown, made.log, made.rope_scaling) == (
        "cpu", None, ("tensorboard",), "none",
    )  # fmt: skip
    typed = ("n_layer=2", "preset=3m", "compile=on", "dropout=0.5", "cooldown=off")
    again = StudyTokenizersConfig(train=typed).training()
    assert (again.n_layer, again.preset, again.compile, again.cooldown) == (2, "3m", True, None)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("n_lyer=3", "train: unknown setting 'n_lyer'"),
        ("n_layer=0", "train: n_layer is 0, but it takes"),
        ("n_layer=many", "train: n_layer is 'many', but it takes"),
        ("n_layer", "train 'n_layer' is not KEY=VALUE"),
        ("seed=3", "train: seed is what the study decides itself"),
        ("data-dir=x", "train: data_dir is what the study decides itself"),
    ],
)
def test_a_setting_of_training_that_can_not_be_is_named_by_its_key(entry, told):
    with pytest.raises(ConfigError) as caught:
        StudyTokenizersConfig(train=("n_head=2", entry))
    assert caught.value.message.startswith(told)
    assert caught.value.hint
    key, equals, value = entry.partition("=")
    if equals:
        with pytest.raises(ConfigError, match=f"train: .*{key.replace('-', '_')}"):
            StudyTokenizersConfig.from_dict({"train": {"n_head": 2, key: value}})


def test_a_study_reads_no_standard_input_and_no_two_presets():
    for name in ("text_path", "eval_text_path"):
        with pytest.raises(ConfigError, match=f"{name} is -"):
            StudyTokenizersConfig(**{name: ("-",)})
    with pytest.raises(ConfigError, match="depth and preset say the same"):
        StudyTokenizersConfig(train=("depth=2", "preset=3m"))
    with pytest.raises(ConfigError, match="differ only in capitals"):
        StudyTokenizersConfig(domain=("law=a", "Law=b"))
