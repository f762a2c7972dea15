"""The sampler: cached and uncached the same, seeds, ends, and what each knob does to the draw."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_gpt, with_kernels
from transformers import RepetitionPenaltyLogitsProcessor

from yocto.config import FAMILIES, SamplingConfig
from yocto.errors import CheckpointError
from yocto.model.gpt import GPT
from yocto.model.linear import MOST_ROWS
from yocto.sampling.engine import Engine
from yocto.sampling.generate import Generation
from yocto.sampling.lookup import prompt_lookup
from yocto.sampling.request import Request, make_generator, make_generators

# No filter: what comes is drawn from the model's own shares.
PLAIN = {"temperature": 1.0, "top_p": 1.0}


def generate(
    model: GPT,
    prompt: list[int],
    config: SamplingConfig,
    *,
    end_id: int | None = None,
    generator: torch.Generator | None = None,
    banned: list[int] | tuple[()] = (),
    use_cache: bool = True,
) -> Iterator[int]:
    """One text's ids."""
    ends = frozenset() if end_id is None else frozenset([end_id])
    generator = generator or make_generator(config.seed)
    request = Request(prompt, config, ends, banned, generator=generator)
    for index, token in Generation(Engine(model, use_cache), [request]):
        assert index == 0
        if token is not None:
            yield token.id


def ids_of(model: GPT, prompt: list[int], *, seed: int = 0, use_cache: bool = True, **knobs):
    generator = torch.Generator().manual_seed(seed)
    end_id = knobs.pop("end_id", None)
    config = SamplingConfig(**knobs)
    return list(
        generate(model, prompt, config, end_id=end_id, generator=generator, use_cache=use_cache)
    )


# A penalty keeps a random model from saying one token for ever, which any faulty cache could do.
GREEDY = {"greedy": True, "repetition_penalty": 4.0}


@torch.no_grad()
def slow_greedy(model: GPT, prompt: list[int], n: int) -> list[int]:
    """What generate is meant to do with GREEDY, position by position, without a cache."""
    block_size = model.config.block_size
    ids, visible = list(prompt), prompt[-block_size:]
    penalty = RepetitionPenaltyLogitsProcessor(4.0)
    for _ in range(n):
        if len(visible) > block_size:
            visible = visible[-max(1, block_size * 3 // 4) :]
        logits = model(torch.tensor([visible]))[:, -1]
        chosen = int(penalty(torch.tensor([ids]), logits).argmax())
        ids.append(chosen)
        visible.append(chosen)
    return ids[len(prompt) :]


@pytest.mark.parametrize(
    ("family", "position"),
    list(itertools.product(FAMILIES, ["learned", "sinusoidal", "rope"])),
)
@pytest.mark.parametrize("prompt", [[3], list(range(8)), [i % 9 for i in range(30)]])
def test_greedy_with_and_without_cache_is_the_slow_loop_even_past_block_size(
    family: str, position: str, prompt: list[int]
) -> None:
    model = tiny_gpt(family=family, position=position, n_kv_head=1, tie_weights=False)
    model.wte.weight.data *= 4  # else positions say more than tokens
    expected = slow_greedy(model, prompt, 40)
    assert len(set(expected)) > 2
    assert ids_of(model, prompt, max_new_tokens=40, **GREEDY) == expected
    assert ids_of(model, prompt, max_new_tokens=40, use_cache=False, **GREEDY) == expected


@pytest.mark.parametrize("block_size", [1, 2, 5])
def test_the_smallest_contexts_work(block_size: int) -> None:
    model = tiny_gpt(block_size=block_size)
    expected = slow_greedy(model, [1, 2, 3], 12)
    assert ids_of(model, [1, 2, 3], max_new_tokens=12, **GREEDY) == expected


@pytest.mark.parametrize(
    "knobs",
    [PLAIN, {"temperature": 1.5, "top_k": 5}, {"top_p": 0.8, "repetition_penalty": 1.3}],
)
def test_the_same_seed_gives_the_same_ids_with_and_without_cache(knobs: dict) -> None:
    model = tiny_gpt()
    knobs = {**knobs, "max_new_tokens": 40}
    once = ids_of(model, [5], seed=3, **knobs)
    assert ids_of(model, [5], seed=3, **knobs) == once
    assert ids_of(model, [5], seed=3, use_cache=False, **knobs) == once
    assert ids_of(model, [5], seed=4, **knobs) != once


def test_the_global_generator_is_neither_used_nor_moved() -> None:
    model = tiny_gpt()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    once = ids_of(model, [5], seed=3, max_new_tokens=10, **PLAIN)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert ids_of(model, [5], seed=3, max_new_tokens=10, **PLAIN) == once


def test_the_end_id_stops_and_is_not_yielded() -> None:
    model = tiny_gpt()
    ids = ids_of(model, [5], max_new_tokens=20, **GREEDY)
    end_id = ids[4]
    got = ids_of(model, [5], max_new_tokens=20, end_id=end_id, **GREEDY)
    assert got == ids[: ids.index(end_id)]
    assert got


def test_an_end_id_in_the_prompt_does_not_stop() -> None:
    model = tiny_gpt()
    ids = ids_of(model, [5, 9], max_new_tokens=3, **GREEDY)
    assert 5 not in ids
    assert ids_of(model, [5, 9], max_new_tokens=3, end_id=5, **GREEDY) == ids


def test_max_new_tokens_0_yields_nothing() -> None:
    assert ids_of(tiny_gpt(), [5], max_new_tokens=0) == []


@pytest.mark.parametrize("use_cache", [True, False])
def test_of_a_prompt_longer_than_block_size_the_last_tokens_count(use_cache: bool) -> None:
    model = tiny_gpt()
    tail = [7, 1, 4, 4, 2, 9, 0, 3]
    knobs = {"greedy": True, "max_new_tokens": 1, "use_cache": use_cache}
    assert ids_of(model, [11] * 50 + tail, **knobs) == ids_of(model, tail, **knobs)
    longer = ids_of(model, [11] * 50 + tail, greedy=True, max_new_tokens=20)
    assert longer == ids_of(model, tail, greedy=True, max_new_tokens=20)


def test_with_a_cache_each_further_token_is_read_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model, read = tiny_gpt(), []
    features = model.features

    def counting(idx: torch.Tensor, cache=None) -> torch.Tensor:
        read.append(idx.shape[1])
        return features(idx, cache)

    monkeypatch.setattr(model, "features", counting)
    ids_of(model, [1, 2, 3], max_new_tokens=10)
    # The head looks at the last one alone. With all eight positions full, six are read in again.
    assert read[:11] == [2, 1, 1, 1, 1, 1, 1, 5, 1, 1, 1]


def test_ids_come_one_by_one() -> None:
    model = tiny_gpt()
    stream = generate(model, [5], SamplingConfig(max_new_tokens=10**9, seed=1))
    assert len(list(itertools.islice(stream, 5))) == 5


def test_gradients_of_the_caller_stay_on_between_ids() -> None:
    for _ in generate(tiny_gpt(), [5], SamplingConfig(max_new_tokens=2)):
        assert torch.is_grad_enabled()


def test_a_banned_id_is_never_chosen():
    model = tiny_gpt()
    config = SamplingConfig(max_new_tokens=60, temperature=5, top_p=1)
    generator = torch.Generator().manual_seed(0)
    free = set(generate(model, [1], config, generator=generator))
    banned = sorted(free)[:5]
    generator = torch.Generator().manual_seed(0)
    ids = set(generate(model, [1], config, generator=generator, banned=banned))
    assert free & set(banned)
    assert not ids & set(banned)


def test_a_greedy_choice_is_not_banned_either():
    model = tiny_gpt()
    config = SamplingConfig(max_new_tokens=1, greedy=True)
    (first,) = generate(model, [1], config)
    (other,) = generate(model, [1], config, banned=[first])
    assert other != first


def test_weights_that_are_not_numbers_are_told_and_no_traceback():
    model = tiny_gpt()
    with torch.no_grad():
        model.norm.weight.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="not a number"):
        list(generate(model, [1], SamplingConfig(max_new_tokens=3)))


# ------------------------------------------------------------------------------- several at once

PROMPTS = [[i % 11, *range(i % 7), 3, i % 5] for i in range(20)]  # of 3 to 9 ids


def texts_of(model: GPT, requests: list[Request], use_cache: bool = True, **options):
    """The ids of each request's text."""
    found: list[list[int]] = [[] for _ in requests]
    for index, token in Generation(Engine(model, use_cache), requests, **options):
        if token is not None:
            found[index].append(token.id)
    return found


def requests_of(prompts: list[list[int]] = PROMPTS, seed: int = 0, **knobs) -> list[Request]:
    config = SamplingConfig(**knobs)
    generators = make_generators(seed, len(prompts))
    return [
        Request(prompt, config, generator=generator)
        for prompt, generator in zip(prompts, generators, strict=True)
    ]


@pytest.mark.parametrize(
    ("family", "position"), [("gpt2", "learned"), ("llama", "rope"), ("qwen3", "sinusoidal")]
)
@pytest.mark.parametrize("knobs", [GREEDY, {"temperature": 1.5, "top_p": 0.9}])
@pytest.mark.parametrize("kernels", [False, True])
def test_a_text_is_the_same_alone_and_in_a_batch_with_and_without_cache(
    family: str, position: str, knobs: dict, kernels: bool
) -> None:
    model = tiny_gpt(
        family=family, position=position, n_kv_head=1, tie_weights=False, block_size=24
    )
    model.wte.weight.data *= 4
    if kernels:
        with_kernels(model)
    knobs = {**knobs, "max_new_tokens": 40}  # past block_size
    together = texts_of(model, requests_of(**knobs))
    assert len({tuple(text) for text in together}) > 10
    alone = [texts_of(model, [request])[0] for request in requests_of(**knobs)]
    assert together == alone
    assert texts_of(model, requests_of(**knobs), use_cache=False) == together
    assert texts_of(model, requests_of(**knobs), most_texts=3) == together


def test_texts_of_different_lengths_end_where_they_end_alone() -> None:
    model = tiny_gpt(block_size=24)
    model.wte.weight.data *= 4
    ends = frozenset([5, 9])

    def requests() -> list[Request]:
        configs = [SamplingConfig(max_new_tokens=n % 9, temperature=2.0) for n in range(20)]
        return [
            Request(prompt, config, ends, generator=make_generator(i))
            for i, (prompt, config) in enumerate(zip(PROMPTS, configs, strict=True))
        ]

    together = texts_of(model, requests(), most_texts=4)
    assert together == [texts_of(model, [request])[0] for request in requests()]
    assert {len(text) for text in together} >= {0, 1, 2, 3}


def test_a_cancelled_text_ends_and_the_others_go_on() -> None:
    model = tiny_gpt(block_size=24)
    expected = texts_of(model, requests_of(max_new_tokens=8, **GREEDY))
    generation = Generation(Engine(model), requests_of(max_new_tokens=8, **GREEDY), 4)
    found: list[list[int]] = [[] for _ in PROMPTS]
    for index, token in generation:
        assert token is not None
        found[index].append(token.id)
        if index % 2 and len(found[index]) == 3:
            generation.cancel(index)
    assert found == [text[:3] if i % 2 else text for i, text in enumerate(expected)]


def test_two_generations_of_one_engine_do_not_disturb_each_other() -> None:
    engine = Engine(tiny_gpt(block_size=24))
    one, other = requests_of([[1, 2], [7]], max_new_tokens=10, temperature=2.0)
    expected = texts_of(
        engine.model, requests_of([[1, 2], [7]], max_new_tokens=10, temperature=2.0)
    )
    pairs = zip(Generation(engine, [one]), Generation(engine, [other]), strict=True)
    found = [[a[1].id, b[1].id] for a, b in pairs if a[1] and b[1]]
    assert [list(text) for text in zip(*found, strict=True)] == expected


def test_what_two_texts_begin_with_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, read = Engine(tiny_gpt(block_size=24)), []
    features = engine.model.features

    def counting(idx: torch.Tensor, cache=None) -> torch.Tensor:
        read.append(idx.shape[1])
        return features(idx, cache)

    monkeypatch.setattr(engine.model, "features", counting)
    first = list(range(10))
    engine.read([first])
    counts = []
    for text in ([*first, 3, 4, 5], first[:6], [7, *first], first[:1]):
        read.clear()
        logits = engine.read([text])
        counts.append(list(read))
        torch.testing.assert_close(logits, Engine(engine.model).read([text]))
    assert counts == [[2, 1], [1], [10, 1], [1]]
    assert engine._held == [first[:1]]


@pytest.mark.parametrize("kernels", [False, True])
def test_a_batch_of_any_size_gives_each_text_as_it_is_alone(kernels: bool) -> None:
    model = tiny_gpt(block_size=24)
    if kernels:
        with_kernels(model)
    texts = [[i % 26, (7 * i) % 26, i % 5] for i in range(2 * MOST_ROWS + 3)]
    together = Engine(model).read(texts)
    alone = torch.cat([Engine(model).read([text]) for text in texts])
    if kernels:
        # The chunk before the last id is torch's, and is read text by text in both.
        assert torch.equal(together, alone)
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("kernels", [False, True])
def test_an_interruption_anywhere_leaves_what_was_read_in_order(kernels: bool) -> None:
    model = tiny_gpt(block_size=24)
    if kernels:
        with_kernels(model)
    engine = Engine(model)
    engine.read([[1, 2, 3]])
    # A token has its place, and the note of it is still to come.
    engine._held[0] = Interrupted(engine._held[0])
    with pytest.raises(KeyboardInterrupt):
        engine.read([[1, 2, 3, 4]])
    engine._held[0] = list(engine._held[0])
    for text in ([1, 2, 3, 5], [1, 2, 3, 5, 6]):
        torch.testing.assert_close(engine.read([text]), Engine(model).read([text]))


class Interrupted(list):
    """Ids that can't be added to."""

    def __iadd__(self, more):
        raise KeyboardInterrupt


def test_weights_that_move_are_read_anew() -> None:
    model = with_kernels(tiny_gpt(block_size=24))
    engine = Engine(model)
    engine.read([[1, 2, 3]])
    with torch.no_grad():
        for p in model.parameters():
            p.data = p.data * 0.5
    torch.testing.assert_close(engine.read([[1, 2, 3, 4]]), Engine(model).read([[1, 2, 3, 4]]))
    model.bfloat16()
    assert torch.isfinite(engine.read([[1, 2, 3, 4]])).all()
    assert engine._steps == []


# --------------------------------------------------------------------------------- guessing ahead


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(0, 6))
def test_a_guess_is_what_followed_the_last_ids_before(ids: list[int], most: int) -> None:
    guess = prompt_lookup(ids, most)
    assert len(guess) <= most
    if guess:
        # What was looked up stands before the guess, somewhere earlier.
        assert any(
            ids[start : start + len(guess)] == guess and ids[start - 2 : start] == ids[-2:]
            for start in range(2, len(ids))
        )
    elif most and len(ids) > 2:
        assert not any(ids[start - 2 : start] == ids[-2:] for start in range(2, len(ids)))


def test_the_longest_that_stood_there_last_is_looked_up() -> None:
    assert prompt_lookup([1, 2, 3, 9, 5, 2, 3, 8, 1, 2, 3], 2) == [9, 5]
    assert prompt_lookup([2, 3, 9, 2, 3, 8, 2, 3], 5) == [8, 2, 3]
    assert prompt_lookup([1, 2, 3], 5) == prompt_lookup([], 5) == prompt_lookup([1, 1], 5) == []


@pytest.mark.parametrize("knobs", [{"greedy": True}, {"temperature": 0.7}, GREEDY])
@pytest.mark.parametrize(("use_cache", "kernels"), [(True, False), (True, True), (False, False)])
def test_guessing_ahead_changes_no_text_and_saves_steps(
    knobs: dict, use_cache: bool, kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_gpt(block_size=32)
    if kernels:
        with_kernels(model)
    steps: list[int] = []
    for name in ("read", "read_ahead"):
        real = getattr(Engine, name)

        def counted(engine, *args, real=real):
            steps[-1] += 1
            return real(engine, *args)

        monkeypatch.setattr(Engine, name, counted)
    counts = []
    for guessed in (0, 1, 5):
        steps.append(0)
        requests = requests_of(
            [[1, 2, 3, 4] * 3], max_new_tokens=50, prompt_lookup=guessed, **knobs
        )
        counts.append(texts_of(model, requests, use_cache))
    assert counts[0] == counts[1] == counts[2]
    assert len(counts[0][0]) == 50
    if knobs == {"greedy": True}:  # which soon repeats itself
        assert steps[2] < steps[1] < steps[0] == 50


def test_a_guess_does_not_reach_past_an_end() -> None:
    model = tiny_gpt(block_size=32)
    (plain,) = texts_of(model, requests_of([[1, 2] * 5], max_new_tokens=30, greedy=True))
    end = plain[-1]
    for guessed in (0, 6):
        config = SamplingConfig(max_new_tokens=30, greedy=True, prompt_lookup=guessed)
        request = Request([1, 2] * 5, config, frozenset([end]))
        assert texts_of(model, [request]) == [plain[: plain.index(end)]]
