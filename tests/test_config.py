"""Every knob: its help, its range, its type; and how settings are laid over each other."""

import dataclasses
import itertools
import json
import math
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto import config
from yocto.config import (
    FAMILIES,
    BenchTrainConfig,
    CompareTokenizersConfig,
    Config,
    EncodeConfig,
    ExportConfig,
    FinetuneConfig,
    GPTConfig,
    ModelConfig,
    ReportConfig,
    SampleConfig,
    SamplingConfig,
    StudyTokenizersConfig,
    TrainConfig,
    TrainTokenizerConfig,
    knobs,
    nearest,
    range_text,
    scaled,
    takes,
    unwrap_optional,
    without_effect,
)
from yocto.errors import ConfigError
from yocto.utils.settings import load_preset, preset_names

CLASSES = [
    cls
    for cls in vars(config).values()
    if isinstance(cls, type) and issubclass(cls, Config) and cls is not Config
]


def kind_of(cls: type[Config], name: str) -> tuple[Any, bool]:
    """A knob's type, and whether it may be None."""
    return unwrap_optional(get_type_hints(cls)[name])


def is_number(cls, f) -> bool:
    return kind_of(cls, f.name)[0] in (int, float)


def is_text(cls, f) -> bool:
    kind = kind_of(cls, f.name)[0]
    return kind is str or get_origin(kind) is tuple


def every_knob(condition=lambda cls, f: True):
    """One test for each knob of each configuration."""
    found = [(cls, f) for cls in CLASSES for f in knobs(cls) if condition(cls, f)]
    ids = [f"{cls.__name__}.{f.name}" for cls, f in found]
    return pytest.mark.parametrize(("cls", "f"), found, ids=ids)


def test_all_configurations_are_found():
    assert {ModelConfig, GPTConfig, TrainConfig, SampleConfig} < set(CLASSES)


# ------------------------------------------------------------------------------- what a knob has


@every_knob()
def test_each_knob_has_a_help_text_that_is_one_sentence(cls, f):
    text = f.metadata["help"]
    assert text[0].isupper() or text.startswith(("auto", "latest", "muon"))
    assert text.endswith(".")
    assert "\n" not in text


@every_knob()
def test_each_number_has_a_range_and_its_default_lies_in_it(cls, f):
    kind, optional = kind_of(cls, f.name)
    if kind in (int, float):
        assert f.metadata["low"] is not None
        assert f.metadata["high"] is not None
        if f.default is not None:
            assert f.metadata["low"] <= f.default <= f.metadata["high"]
    if f.default is None:
        assert optional
        assert f.metadata["default_text"]


@every_knob(is_number)
def test_a_value_below_the_range_is_refused(cls, f):
    low = f.metadata["low"]
    values = [low - 1, -(10**30)]
    if kind_of(cls, f.name)[0] is float:
        values += [math.nextafter(low, -math.inf), float("-inf")]
    for value in values:
        with pytest.raises(ConfigError, match=f"^{f.name} is ") as caught:
            cls(**{f.name: value})
        assert range_text(low, f.metadata["high"]) in caught.value.message
        assert caught.value.hint.startswith(f.metadata["help"])


@every_knob(is_number)
def test_a_value_above_the_range_is_refused(cls, f):
    high = f.metadata["high"]
    values = [int(high) + 1, 10**30, 10**400]
    if kind_of(cls, f.name)[0] is float:
        values += [math.nextafter(high, math.inf), float("inf")]
    for value in values:
        with pytest.raises(ConfigError, match=f"^{f.name} is "):
            cls(**{f.name: value})


@every_knob(is_number)
def test_both_ends_of_the_range_are_allowed(cls, f):
    # Some knobs hang together (n_embd is a multiple of n_head), so an end may be refused.
    if cls is not GPTConfig and f.name != "vocab_size":
        for value in (f.metadata["low"], f.metadata["high"]):
            assert getattr(cls(**{f.name: value}), f.name) == value


@every_knob(is_text)
def test_a_text_that_is_too_short_or_too_long_or_holds_nul_is_refused(cls, f):
    low, high = f.metadata["low"], f.metadata["high"]
    assert 0 <= low < high <= 10_000_000
    listed = kind_of(cls, f.name)[0] is not str
    for text in ["x" * (high + 1), "a\0b", *([""] if low else [])]:
        with pytest.raises(ConfigError, match=f"^{f.name} is ") as caught:
            cls(**{f.name: ("fine", text) if listed else text})
        what = "a list of texts" if listed else "a text"
        assert f"{what} of {low} to {high} characters" in caught.value.message
        assert len(caught.value.message) < 300


WRONG = {
    int: ["three", "3", 1.5, True, [3], {}, float("nan")],
    float: ["x", "0.5", True, [0.5], float("nan"), float("inf"), 1j],
    str: [5, 1.5, True, ["text"], b"text"],
    bool: [1, 0, "true", "yes", 1.0, []],
    tuple: [[1], 5, {"a": 1}, ("a", None), b"text"],
    Literal: ["nonsense", "", 1, True, ["a"], {}],
}


@every_knob()
def test_a_value_of_the_wrong_type_is_refused_by_name(cls, f):
    kind, optional = kind_of(cls, f.name)
    for value in [*WRONG[get_origin(kind) or kind], *([] if optional else [None])]:
        with pytest.raises(ConfigError, match=f"^{f.name} is ") as caught:
            cls(**{f.name: value})
        assert (
            caught.value.hint.startswith(f.metadata["help"]) or "Did you mean" in caught.value.hint
        )
        assert takes(f, get_type_hints(cls)[f.name]) in caught.value.message


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneSided(Config):
    at_least: float = config.knob(2.0, "A number.", low=1)
    at_most: float = config.knob(2.0, "A number.", high=3)
    free: float = config.knob(2.0, "A number.")


@pytest.mark.parametrize("name", ["at_least", "at_most", "free"])
def test_what_is_no_finite_number_is_refused_whatever_the_range(name):
    for value in (math.nan, math.inf, -math.inf, 10**400):
        with pytest.raises(ConfigError, match=f"^{name} is "):
            OneSided(**{name: value})
    assert getattr(OneSided(**{name: 2}), name) == 2.0


def test_a_choice_names_what_there_is():
    with pytest.raises(
        ConfigError, match="family is 'gpt3', but it takes gpt2, llama or qwen3"
    ) as caught:
        ModelConfig(family="gpt3")
    assert caught.value.hint == "Did you mean 'gpt2'?"


def test_a_whole_number_is_a_number_too():
    value = TrainConfig(dropout=0).dropout
    assert value == 0.0
    assert type(value) is float


def test_a_list_becomes_a_tuple():
    assert TrainTokenizerConfig(text_path=["a", "b"]).text_path == ("a", "b")


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().n_layer = 7


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0, 1, "from 0 to 1"), (1, None, "at least 1"), (None, 4, "at most 4"), (None, None, "")],
)
def test_a_range_in_words(low, high, text):
    assert range_text(low, high) == text


# ---------------------------------------------------------------------------------- unknown keys


def test_an_unknown_key_is_an_error_that_names_the_nearest():
    with pytest.raises(ConfigError) as caught:
        TrainConfig.from_dict({"n_layers": 3}, "my.yaml")
    assert caught.value.message == "my.yaml: unknown setting 'n_layers'"
    assert caught.value.hint == ("Did you mean 'n_layer'? It takes a whole number from 1 to 1000.")


def test_an_unknown_key_that_is_like_none_lists_them_all():
    with pytest.raises(ConfigError) as caught:
        TrainConfig.from_dict({"zzzzzz": 3})
    assert caught.value.message == "unknown setting 'zzzzzz'"
    for f in knobs(TrainConfig):
        assert f.name in caught.value.hint


@pytest.mark.parametrize("cls", CLASSES)
def test_given_is_no_setting(cls):
    with pytest.raises(ConfigError, match="unknown setting 'given'"):
        cls.from_dict({"given": ["n_layer"]})


def test_a_bad_value_names_where_it_comes_from():
    with pytest.raises(ConfigError, match=r"^preset gpu: n_layer is 0, but it takes a whole"):
        TrainConfig.from_dict({"n_layer": 0}, "preset gpu")


def test_the_nearest_word_is_near():
    assert nearest("quen", ["qwen", "llama"]) == "qwen"
    assert nearest("xyz", ["qwen", "llama"]) == ""


# ------------------------------------------------------------------------- round trips and layers


def value_strategy(cls: type[Config], f: dataclasses.Field[Any]) -> st.SearchStrategy[Any]:
    kind, optional = kind_of(cls, f.name)
    low, high = f.metadata["low"], f.metadata["high"]
    texts = st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
        min_size=low or 0,
        max_size=20,
    )
    if f.name == "log":
        values = st.lists(st.sampled_from(["tensorboard", "wandb"]), max_size=3).map(tuple)
    elif f.name == "logit_bias":
        values = st.lists(st.sampled_from(["0=1", "262=-5.5", "7=-inf"]), max_size=3).map(tuple)
    elif f.name == "temperature" and get_origin(kind) is tuple:
        values = st.lists(st.sampled_from(["0", "0.8", "1e1"]), max_size=3).map(tuple)
    elif f.name == "allow_origin":
        sites = ["https://example.org", "http://localhost:3000"]
        values = st.lists(st.sampled_from(sites), max_size=3).map(tuple)
    elif f.name == "domain":
        values = st.lists(st.sampled_from(["a=x", "a=y=z", "b-2=x"]), max_size=3).map(tuple)
    elif (cls, f.name) == (StudyTokenizersConfig, "train"):
        values = st.lists(st.sampled_from(["n_layer=2", "device=cpu"]), max_size=3).map(tuple)
    elif f.name == "beam":  # more does not go with the knobs of the draw
        values = st.just(1)
    elif get_origin(kind) is Literal:
        values = st.sampled_from(get_args(kind))
    elif get_origin(kind) is tuple:
        values = st.lists(texts, max_size=3).map(tuple)
    else:
        values = {
            int: lambda: st.integers(low, high),
            float: lambda: st.floats(low, high),
            str: lambda: texts,
            bool: st.booleans,
        }[kind]()
    return st.none() | values if optional else values


def configurations(cls: type[Config]) -> st.SearchStrategy[dict[str, Any]]:
    values = {f.name: value_strategy(cls, f) for f in knobs(cls)}
    return st.fixed_dictionaries({}, optional=values)


# Those whose settings may not go together.
PICKY = (
    GPTConfig,
    TrainTokenizerConfig,
    EncodeConfig,
    BenchTrainConfig,
    CompareTokenizersConfig,
    FinetuneConfig,
    ExportConfig,
)


@pytest.mark.parametrize("cls", [c for c in CLASSES if c not in PICKY])
def test_settings_come_back_from_plain_data_and_from_json(cls):
    @given(configurations(cls))
    def check(values):
        made = cls.from_dict(values)
        assert made.given == set(values)
        assert {name: getattr(made, name) for name in values} == values
        again = cls.from_dict(json.loads(json.dumps(made.to_dict())))
        assert again == made
        assert list(made.to_dict()) == [f.name for f in knobs(cls)]

    check()


def test_a_gpts_settings_come_back_whole():
    for family in FAMILIES:
        made = GPTConfig(family=family, n_layer=3, n_kv_head=2, bias=True, vocab_size=77)
        assert GPTConfig.from_dict(made.to_dict()) == made


def test_without_given_it_is_what_differs_from_the_defaults():
    assert TrainConfig().given == set()
    assert TrainConfig(n_layer=7, seed=1337).given == {"n_layer"}


def test_with_base_fills_only_what_was_not_given():
    settings = TrainConfig.from_dict({"n_layer": 7, "seed": 1337})
    filled = settings.with_base({"n_layer": 9, "seed": 5, "n_head": 8})
    assert (filled.n_layer, filled.seed, filled.n_head) == (7, 1337, 8)
    assert filled.n_embd == settings.n_embd


def test_with_base_leaves_given_as_it_is_so_that_a_second_base_fills_the_same():
    settings = TrainConfig.from_dict({"n_layer": 7}).with_base({"n_head": 8})
    assert settings.given == {"n_layer"}
    assert settings.with_base({"n_head": 2, "n_layer": 1}).n_head == 2
    assert settings.with_base({}).n_head == 8


def test_with_base_checks_what_it_fills_in():
    with pytest.raises(ConfigError, match="n_head is 0"):
        TrainConfig().with_base({"n_head": 0})


# ---------------------------------------------------------------------------------------- the GPT


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_fixes_what_was_left_open(family):
    made = GPTConfig(family=family)
    for name, value in FAMILIES[family].items():
        assert getattr(made, name) == value
    assert all(getattr(made, f.name) is not None for f in knobs(GPTConfig))


@pytest.mark.parametrize(
    ("family", "norm", "position", "mlp", "qk_norm", "bias"),
    [
        ("gpt2", "layernorm", "learned", "gelu", False, True),
        ("llama", "rmsnorm", "rope", "swiglu", False, False),
        ("qwen3", "rmsnorm", "rope", "swiglu", True, False),
    ],
)
def test_the_families_are_those_of_the_papers(family, norm, position, mlp, qk_norm, bias):
    made = GPTConfig(family=family)
    assert (made.norm, made.position, made.mlp) == (norm, position, mlp)
    assert (made.qk_norm, made.bias) == (qk_norm, bias)


def test_what_was_given_goes_before_the_family():
    made = GPTConfig(family="gpt2", position="rope", bias=False, n_kv_head=2, n_inner=100)
    assert (made.position, made.bias, made.n_kv_head, made.n_inner) == ("rope", False, 2, 100)
    assert made.norm == "layernorm"


def test_the_mlp_is_as_wide_as_its_kind_asks():
    assert GPTConfig(mlp="gelu", n_embd=96).n_inner == 384
    assert GPTConfig(mlp="swiglu", n_embd=96).n_inner == 256
    for n_embd in (64, 104, 128, 760):
        n_inner = GPTConfig(mlp="swiglu", n_embd=n_embd).n_inner
        assert n_inner % 8 == 0
        assert 0 <= n_inner - 8 * n_embd / 3 < 8


@pytest.mark.parametrize(
    ("shape", "fault"),
    [
        ({"n_embd": 130, "n_head": 4}, "n_embd 130 is not a multiple of n_head 4"),
        ({"n_head": 4, "n_kv_head": 3}, "n_head 4 is not a multiple of n_kv_head 3"),
        ({"n_head": 4, "n_kv_head": 8}, "n_head 4 is not a multiple of n_kv_head 8"),
        ({"n_embd": 12, "n_head": 4}, "a head of 3 channels can't be rotated in pairs"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(shape, fault):
    with pytest.raises(ConfigError, match=fault):
        GPTConfig(**shape)


def test_the_hint_on_a_bad_width_works():
    with pytest.raises(ConfigError) as caught:
        GPTConfig(n_embd=130, n_head=8)
    assert "try n_embd 144" in caught.value.hint
    GPTConfig(n_embd=144, n_head=8)


def test_odd_heads_are_fine_without_rotation():
    assert GPTConfig(n_embd=12, n_head=4, position="learned").n_embd == 12


def test_off_turns_an_optional_knob_off():
    assert SamplingConfig.from_dict({"top_k": False}).top_k is None  # as YAML reads "off"
    with pytest.raises(ConfigError):
        SamplingConfig.from_dict({"top_p": False})


def test_the_settings_that_presets_decide_are_those_in_their_files():
    inside = [set(load_preset(name)) for name in preset_names()]
    assert TrainConfig.from_preset == frozenset.intersection(*map(frozenset, inside))


# -------------------------------------------------------------------------------------- sampling


def test_biases_are_texts_or_a_table():
    texts = SamplingConfig(logit_bias=("262=-5", "3=-inf", "262=1.5"))
    assert texts.biases() == {262: 1.5, 3: -math.inf}
    for table in ({262: 1.5, 3: -math.inf}, {"262": 1.5, "3": -math.inf}):  # the second as in JSON
        assert SamplingConfig.from_dict({"logit_bias": table}).biases() == texts.biases()
    assert SamplingConfig.from_dict({"logit_bias": {}}).biases() == {}


@pytest.mark.parametrize(
    "entry", ["262", "=5", "262=", "x=5", "-1=5", "1.5=5", "5=nan", "5=inf", "5=1001", "5=x", "²=1"]
)
def test_a_bias_that_is_none_is_named(entry):
    with pytest.raises(ConfigError, match="logit_bias ") as caught:
        SamplingConfig(logit_bias=("1=2", entry))
    assert repr(entry) in caught.value.message
    assert "--logit-bias 262=-5" in caught.value.hint


@pytest.mark.parametrize("table", [{5: "x"}, {"a": 1}, {-1: 2}, {5: None}, {1.5: 2}])
def test_a_table_of_biases_that_is_none_is_refused(table):
    with pytest.raises(ConfigError, match="logit_bias"):
        SamplingConfig.from_dict({"logit_bias": table})


@pytest.mark.parametrize(
    "knobs", [{"temperature": 0.7}, {"top_k": 3, "top_p": 0.9}, {"greedy": False}]
)
def test_beam_search_takes_no_knob_of_the_draw_even_at_its_default(knobs):
    with pytest.raises(ConfigError, match=" and ".join(knobs)):
        SamplingConfig.from_dict({"beam": 4, **knobs})
    SamplingConfig.from_dict({"beam": 1, **knobs})
    SamplingConfig.from_dict({"beam": 4, "repetition_penalty": 2.0, "length_penalty": 0.0})


def test_beam_search_finds_one_text():
    with pytest.raises(ConfigError, match="the same text each time"):
        SampleConfig.from_dict({"beam": 2, "num_samples": 2})


# ------------------------------------------------------------------------------ presets and depth


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_a_run_that_can_be(name):
    made = TrainConfig.from_dict(load_preset(name), f"preset {name}")
    shape = {f.name: getattr(made, f.name) for f in knobs(ModelConfig)}
    GPTConfig(vocab_size=300, **shape)
    assert made.warmup_iters < made.max_iters
    assert made.eval_interval <= made.max_iters
    assert made.preset is None


@pytest.mark.parametrize("depth", range(1, 65))
def test_each_depth_is_a_run_that_can_be(depth):
    made = TrainConfig.from_dict({"depth": depth}).with_base(scaled(depth))
    shape = {f.name: getattr(made, f.name) for f in knobs(ModelConfig)}
    gpt = GPTConfig(vocab_size=50304, **shape)
    assert (gpt.n_layer, gpt.n_embd, gpt.n_embd // gpt.n_head) == (depth, 64 * depth, 64)
    assert made.warmup_iters < made.max_iters
    # 20 tokens for each of the 12 n_embd² weights of a block; rounded up to whole passes.
    step = made.batch_size * made.gradient_accumulation_steps * made.block_size
    expected = 20 * 12 * gpt.n_embd**2 * depth / (1000 * depth)
    rounding = (0.5 + made.gradient_accumulation_steps) * made.block_size
    assert abs(step - expected) <= rounding
    assert made.max_iters == 1000 * depth
    assert made.batch_size * made.block_size <= 1 << 14 or made.batch_size == 1
    assert 1 << 6 <= made.block_size <= 1024


def test_deeper_models_are_larger_and_learn_more_slowly_from_more():
    runs = [TrainConfig().with_base(scaled(depth)) for depth in range(1, 65)]
    rates = [run.learning_rate for run in runs]
    assert rates == sorted(rates, reverse=True)
    tokens = [r.batch_size * r.gradient_accumulation_steps * r.block_size for r in runs]
    assert all(b > 0.9 * a for a, b in itertools.pairwise(tokens))
    assert {run.muon_lr for run in runs} == {runs[0].muon_lr}  # a rate that needs no rule
    assert scaled(12)["n_embd"] == 768  # GPT-2's smallest


def test_what_is_given_stands_above_the_depth():
    made = TrainConfig.from_dict({"depth": 4, "n_embd": 128}).with_base(scaled(4))
    assert (made.n_embd, made.n_layer) == (128, 4)


@pytest.mark.parametrize(
    "knobs", [{"depth": 4, "preset": "cpu-char"}, {"minutes": 1.0, "max_iters": 5}]
)
def test_two_ways_of_saying_the_same_are_known_as_such(knobs):
    assert tuple(knobs) in [tuple(pair) for pair in TrainConfig.alternatives]


def test_what_has_no_effect_is_told():
    assert without_effect(TrainConfig()) == []
    for settings in (
        {"schedule": "cosine", "cooldown": 0.5},
        {"schedule": "constant", "min_lr": 0.001},
        {"optimizer": "adamw", "muon_lr": 0.1},
        {"optimizer": "adamw", "momentum": 0.5},
        {"learning_rate": 0.001, "min_lr": 0.01},
        {"warmup_iters": 1000, "max_iters": 60},
    ):
        assert len(without_effect(TrainConfig(**settings))) == 1, settings


# --------------------------------------------------------------------------------- the tokenizer


@pytest.mark.parametrize(
    ("knobs", "fault"),
    [
        ({"vocab_size": 256}, "vocab_size is 256, but byte-bpe takes at least 257"),
        ({"vocab_size": 257, "special_token": ["a", "b"]}, "byte-bpe takes at least 258"),
        ({"kind": "word", "pattern": "gpt4"}, "so pattern means nothing to it"),
        ({"kind": "word", "num_merges": 5}, "so num_merges means nothing to it"),
        ({"kind": "word", "min_frequency": 2}, "so min_frequency means nothing to it"),
        ({"kind": "word", "workers": 1}, "so workers means nothing to it"),
        ({"kind": "word", "byte_fallback": True}, "byte_fallback is for --kind char-bpe, not word"),
        ({"byte_fallback": True}, "byte_fallback is for --kind char-bpe, not byte-bpe"),
    ],
)
def test_tokenizer_knobs_that_do_not_go_together_are_refused(knobs, fault):
    with pytest.raises(ConfigError, match=fault) as caught:
        TrainTokenizerConfig.from_dict(knobs)
    assert caught.value.hint


def test_other_kinds_may_have_small_vocabularies():
    assert TrainTokenizerConfig(kind="word", vocab_size=5).vocab_size == 5
    assert TrainTokenizerConfig(vocab_size=5, num_merges=3).num_merges == 3


# ------------------------------------------------------------------------------------- exporting


@pytest.mark.parametrize(("format", "weights"), [("hf", "float32"), ("gguf", "float16")])
def test_each_format_has_its_own_type_of_weights(format, weights):
    assert ExportConfig(format=format).weights == weights
    assert ExportConfig(format=format, dtype="float32").weights == "float32"


@pytest.mark.parametrize(("format", "dtype"), [("hf", "q8_0"), ("gguf", "bfloat16")])
def test_a_type_of_weights_that_a_format_has_not_is_refused(format, dtype):
    with pytest.raises(ConfigError, match=f"format {format} keeps no weights as {dtype}") as caught:
        ExportConfig(format=format, dtype=dtype)
    assert "float32" in caught.value.hint


def test_temperatures_are_numbers_each_once():
    assert ReportConfig().temperatures() == [0.0, 0.5, 0.8, 1.0]
    assert ReportConfig(temperature=("0.80", "0", "0.8")).temperatures() == [0.8, 0.0]
    for text in ("hot", "-1", "nan", "inf", "101"):
        with pytest.raises(ConfigError, match="temperature is ") as caught:
            ReportConfig(temperature=("0.5", text))
        assert repr(text) in caught.value.message
