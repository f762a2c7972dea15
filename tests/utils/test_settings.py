"""Settings from presets, files and KEY=VALUE texts."""

import pytest

from yocto.config import TrainConfig
from yocto.errors import ConfigError
from yocto.utils.settings import (
    PRESETS,
    load_preset,
    parse_assignments,
    preset_names,
    read_settings,
)

EXPECTED = {"n_layer": 6, "learning_rate": 0.001, "compile": True, "text_path": ["a", "b"]}
FILES = {
    "a.yaml": "n-layer: 6\nlearning_rate: 1.0e-3\ncompile: true\ntext-path: [a, b]\n",
    "a.yml": "{n_layer: 6, learning_rate: 0.001, compile: yes, text_path: [a, b]}",
    "a.toml": "n-layer = 6\nlearning_rate = 1e-3\ncompile = true\ntext_path = ['a', 'b']\n",
    "a.json": '{"n_layer": 6, "learning-rate": 1e-3, "compile": true, "text_path": ["a", "b"]}',
}


@pytest.mark.parametrize("name", FILES)
def test_a_settings_file_is_read_and_dashes_are_underscores(tmp_path, name):
    (tmp_path / name).write_text(FILES[name])
    assert read_settings(tmp_path / name) == EXPECTED


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_settings_file_sets_nothing(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    assert read_settings(tmp_path / "a.yaml") == {}


@pytest.mark.parametrize(
    ("name", "data", "fault"),
    [
        ("a.yaml", b"a: [1, 2", "can't be read as yaml"),
        ("a.yaml", b"a: b: c", "can't be read as yaml"),
        ("a.yaml", b"\tn_layer: 6", "can't be read as yaml"),
        ("a.yaml", b"a: !!python/object/apply:os.getcwd []", "can't be read as yaml"),
        ("a.yaml", b"{[1]: 2}", "can't be read as yaml"),
        ("a.yaml", b"a: 2024-99-99", "can't be read as yaml"),
        ("a.yaml", b"[" * 5000, "can't be read as yaml"),
        ("a.yaml", b"caf\xe9: 1", "can't be read as yaml"),
        ("a.yaml", b"a: \x00", "can't be read as yaml"),
        ("a.yaml", b"- a\n- b", "holds no table of settings"),
        ("a.yaml", b"just text", "holds no table of settings"),
        ("a.toml", b"a = ", "can't be read as toml"),
        ("a.toml", b"a = 1\na = 2", "can't be read as toml"),
        ("a.toml", b"\xff", "can't be read as toml"),
        ("a.json", b"{", "can't be read as json"),
        ("a.json", b"", "can't be read as json"),
        ("a.json", b"[1]", "holds no table of settings"),
        ("a.txt", b"a: 1", "is no .yaml, .toml or .json file"),
        ("noending", b"a: 1", "is no .yaml, .toml or .json file"),
    ],
)
def test_a_broken_settings_file_is_refused_by_name(tmp_path, name, data, fault):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read_settings(tmp_path / name)
    assert str(tmp_path / name) in caught.value.message
    assert fault in caught.value.message
    assert "\n" not in caught.value.message


def test_a_missing_settings_file_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"can't read .*none\.yaml: No such file"):
        read_settings(tmp_path / "none.yaml")


# --------------------------------------------------------------------------------------- presets


def test_the_presets_are_those_in_the_package():
    assert preset_names() == sorted(file.stem for file in PRESETS.iterdir())
    assert preset_names()


@pytest.mark.parametrize("name", preset_names())
def test_each_preset_sets_knobs_of_train_to_values_they_take(name):
    values = load_preset(name)
    made = TrainConfig.from_dict(values, f"preset {name}")
    assert values
    assert made.given == set(values)


def test_an_unknown_preset_is_refused_with_the_nearest_or_with_all():
    for name in preset_names():
        with pytest.raises(ConfigError, match=f"no preset '{name}x'") as caught:
            load_preset(f"{name}x")
        assert caught.value.hint == f"Did you mean '{name}'?"
    with pytest.raises(ConfigError) as caught:
        load_preset("zzzzzz")
    assert caught.value.hint == "Presets: " + ", ".join(preset_names())


def test_a_preset_is_no_path(tmp_path):
    with pytest.raises(ConfigError, match="no preset"):
        load_preset("../presets/" + preset_names()[0])


# ------------------------------------------------------------------------------------- KEY=VALUE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("6", 6),
        ("-1", -1),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("1.5e-3", 0.0015),
        (".5", 0.5),
        ("true", True),
        ("false", False),
        ("null", None),
        ("rmsnorm", "rmsnorm"),
        ("two words", "two words"),
        ("'6'", "6"),
        ("[a, b]", ["a", "b"]),
        ("[1, 2.5]", [1, 2.5]),
        ("a=b", "a=b"),
        ("data/my text.txt", "data/my text.txt"),
        ("<|endoftext|>", "<|endoftext|>"),
        ("@broken", "@broken"),
        ("[broken", "[broken"),
        ("2024-99-99", "2024-99-99"),
        ("[" * 3000, "[" * 3000),
    ],
)
def test_a_value_is_read_as_what_it_looks_like(text, value):
    (found,) = parse_assignments([f"key={text}"]).values()
    assert found == value
    assert type(found) is type(value)


def test_dashes_in_keys_are_underscores_and_the_last_of_equals_counts():
    assert parse_assignments(["n-layer=4", "n_layer=6", " mlp =gelu"]) == {
        "n_layer": 6,
        "mlp": "gelu",
    }
    assert parse_assignments([]) == {}


@pytest.mark.parametrize("text", ["n_layer", "", "=6", " =6"])
def test_what_is_no_assignment_is_refused(text):
    with pytest.raises(ConfigError, match="is not KEY=VALUE"):
        parse_assignments([text])


def test_what_is_set_is_what_a_configuration_takes():
    values = parse_assignments(["learning-rate=1e-3", "n-layer=3", "compile=true", "mlp=relu2"])
    made = TrainConfig.from_dict(values)
    assert (made.learning_rate, made.n_layer, made.compile, made.mlp) == (1e-3, 3, True, "relu2")
