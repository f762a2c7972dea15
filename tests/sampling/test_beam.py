"""Beam search against transformers', on the same weights, and against all texts there are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import torch
from gpt2_weights import from_gpt2
from llama_weights import from_llama
from tiny import randomize, tiny_gpt
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from yocto.config import GPTConfig, SamplingConfig
from yocto.errors import CheckpointError, ConfigError
from yocto.model.gpt import GPT
from yocto.sampling.beam import BeamSearch, _Reader, search
from yocto.sampling.request import Request

END = 7


def pair(family: str, seed: int, vocab_size: int = 40) -> tuple[torch.nn.Module, GPT]:
    """The same weights in transformers' model and in ours."""
    shape = {"vocab_size": vocab_size, "n_embd": 32, "n_layer": 2, "n_head": 4, "block_size": 48}
    if family == "gpt2":
        theirs: torch.nn.Module = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=vocab_size, n_positions=48, n_embd=32, n_layer=2, n_head=4,
                bos_token_id=0, eos_token_id=None,
            )
        )  # fmt: skip
        ours = GPT(GPTConfig(family="gpt2", n_inner=128, norm_eps=1e-5, **shape))
    else:
        theirs = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=vocab_size, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=48,
                bos_token_id=0, eos_token_id=None, pad_token_id=0,
            )
        )  # fmt: skip
        ours = GPT(
            GPTConfig(
                family="llama", n_inner=64, n_kv_head=2, norm_eps=1e-6, tie_weights=False,
                rope_base=10000.0, **shape,
            )
        )  # fmt: skip
    randomize(theirs, torch.Generator().manual_seed(seed))
    ours.load_state_dict((from_gpt2 if family == "gpt2" else from_llama)(theirs.state_dict()))
    return theirs.eval(), ours.eval()


def found(model: GPT, prompt: Sequence[int], ends: Sequence[int] = (), **knobs) -> list[int]:
    request = Request(prompt, SamplingConfig(**knobs), frozenset(ends))
    return [t.id for _, t in BeamSearch(model, [request]) if t is not None]


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("penalty", [-1.0, 0.0, 1.0, 2.5])
def test_the_text_is_that_of_transformers(family: str, count: int, penalty: float) -> None:
    lengths = set()
    for seed, (beams, new) in itertools.product(range(4), [(2, 12), (3, 30), (5, 20)]):
        theirs, ours = pair(family, seed)
        prompt = [3, 1, 4, 1, 5][: seed + 1]
        # Ends that a text comes to: what it would say without.
        ends = list(dict.fromkeys(reversed(found(ours, prompt, beam=beams, max_new_tokens=8))))
        ends = ends[:count]
        out = theirs.generate(  # type: ignore[operator]
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)),
            num_beams=beams, do_sample=False, length_penalty=penalty, max_new_tokens=new,
            eos_token_id=ends or None, pad_token_id=0,
        )[0, len(prompt) :].tolist()  # fmt: skip
        expected = list(itertools.takewhile(lambda i: i not in ends, out))  # noqa: B023
        lengths.add(len(expected) - new)
        got = found(ours, prompt, ends, beam=beams, max_new_tokens=new, length_penalty=penalty)
        assert got == expected, (seed, beams)
    # A strong penalty on short texts keeps some from ending at all.
    assert (min(lengths) < 0) == (count > 0) or penalty > 2


@pytest.mark.parametrize("knobs", [{"repetition_penalty": 1.7}, {"logit_bias": ("8=-9", "2=1.5")}])
def test_penalties_and_biases_are_those_of_transformers(knobs: dict) -> None:
    theirs, ours = pair("gpt2", 1)
    config = SamplingConfig(**knobs)
    other = {"sequence_bias": [[[i], b] for i, b in config.biases().items()] or None}
    out = theirs.generate(  # type: ignore[operator]
        torch.tensor([[3, 1]]), attention_mask=torch.ones(1, 2), num_beams=4, do_sample=False,
        max_new_tokens=15, eos_token_id=END, pad_token_id=0,
        repetition_penalty=config.repetition_penalty, **other,
    )[0, 2:].tolist()  # fmt: skip
    expected = list(itertools.takewhile(lambda i: i != END, out))
    plain = found(ours, [3, 1], [END], beam=4, max_new_tokens=15)
    assert found(ours, [3, 1], [END], beam=4, max_new_tokens=15, **knobs) == expected != plain


def test_beams_enough_for_all_texts_find_the_likeliest() -> None:
    model = tiny_gpt(vocab_size=5)
    prompt, scores = [2, 0], {}
    for text in itertools.product(range(5), repeat=3):
        with torch.no_grad():
            logprobs = model(torch.tensor([[*prompt, *text]]))[0].log_softmax(dim=-1)
        scores[text] = sum(logprobs[1 + i, token].item() for i, token in enumerate(text))
    best = max(scores, key=lambda text: scores[text])
    assert tuple(found(model, prompt, beam=64, max_new_tokens=3)) == best
    *_, beam = search(model, Request(prompt, SamplingConfig(beam=64, max_new_tokens=3)))
    assert beam.score == pytest.approx(scores[best] / 3, abs=1e-5)


@torch.no_grad()
def slow(model: GPT, prompt: Sequence[int], beams: int, new: int) -> list[int]:
    """Beam search without a cache, an end or a length penalty."""
    size = model.config.block_size
    live, seen = [((), 0.0)], len(prompt[-size:])
    for _ in range(new):
        if seen > size:
            seen = max(1, size * 3 // 4)
        following = []
        for text, score in live:
            visible = [*prompt, *text][-seen:]
            logprobs = model(torch.tensor([visible]))[0, -1].log_softmax(dim=-1).tolist()
            following += [((*text, i), score + x) for i, x in enumerate(logprobs)]
        live = sorted(following, key=lambda pair: -pair[1])[:beams]
        seen += 1
    return list(live[0][0])


@pytest.mark.parametrize("position", ["learned", "rope"])
@pytest.mark.parametrize("block_size", [1, 2, 5, 8])
@pytest.mark.parametrize("prompt", [[3], list(range(20))])
def test_past_block_size_the_newest_tokens_are_read_again(
    position: str, block_size: int, prompt: list[int]
) -> None:
    model = tiny_gpt(position=position, block_size=block_size)
    assert found(model, prompt, beam=3, max_new_tokens=25) == slow(model, prompt, 3, 25)


def test_several_requests_come_one_after_the_other_and_can_be_cancelled() -> None:
    model = tiny_gpt()
    config = SamplingConfig(beam=2, max_new_tokens=6)
    requests = [Request([i], config) for i in range(3)]
    alone = [found(model, [i], beam=2, max_new_tokens=6) for i in range(3)]
    running, got = BeamSearch(model, requests), [[], [], []]
    for index, token in running:
        assert token is not None
        got[index].append(token.id)
        if index == 1 and len(got[1]) == 2:
            running.cancel(1)
    assert got == [alone[0], alone[1][:2], alone[2]]


def test_an_end_is_told_and_is_no_token() -> None:
    model = tiny_gpt()
    (first, *_) = found(model, [1], beam=2, max_new_tokens=3)
    request = Request([1], SamplingConfig(beam=2, max_new_tokens=3, length_penalty=-9.0),
                      frozenset([first]))  # fmt: skip
    assert list(BeamSearch(model, [request])) == [(0, None)]


def test_logprobs_are_the_models_own() -> None:
    model = tiny_gpt()
    config = SamplingConfig(beam=3, max_new_tokens=5, repetition_penalty=3.0)
    tokens = [t for _, t in BeamSearch(model, [Request([1], config, logprobs=2)])]
    ids = [t.id for t in tokens]
    with torch.no_grad():
        logprobs = model(torch.tensor([[1, *ids]]))[0].log_softmax(dim=-1)
    for at, token in enumerate(tokens):
        assert token.logprob == pytest.approx(logprobs[at, token.id].item(), abs=1e-5)
        assert [i for i, _ in token.top] == logprobs[at].topk(2).indices.tolist()


def test_banned_ids_never_come_and_no_new_tokens_are_none() -> None:
    model = tiny_gpt()
    ids = found(model, [1], beam=3, max_new_tokens=8)
    request = Request([1], SamplingConfig(beam=3, max_new_tokens=8), banned=ids[:2])
    other = [t.id for _, t in BeamSearch(model, [request])]
    assert len(other) == 8
    assert not set(other) & set(ids[:2])
    assert found(model, [1], beam=3, max_new_tokens=0) == []


def test_with_one_token_left_all_beams_say_it() -> None:
    config = SamplingConfig(beam=4, max_new_tokens=5)
    request = Request([1], config, banned=[i for i in range(26) if i != 9])
    assert [t.id for _, t in BeamSearch(tiny_gpt(), [request])] == [9] * 5


def test_what_can_not_be_chosen_from_is_told() -> None:
    config = SamplingConfig(beam=2)
    with pytest.raises(ConfigError, match="bans them all"):
        list(search(tiny_gpt(), Request([1], config, banned=range(26))))
    spoilt = tiny_gpt()
    spoilt.norm.weight.data.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="not a number"):
        list(search(spoilt, Request([1], config)))


def test_a_search_that_is_broken_off_tells_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_gpt(block_size=12)
    config = SamplingConfig(beam=3, max_new_tokens=40)
    bests = [beam.tokens for beam in search(model, Request([1, 2], config))]
    reads = iter(range(5))
    read = _Reader.read

    def interrupted(self, *args):
        if next(reads, None) is None:
            raise KeyboardInterrupt
        return read(self, *args)

    monkeypatch.setattr(_Reader, "read", interrupted)
    found = BeamSearch(model, [Request([1, 2], config)])
    with pytest.raises(KeyboardInterrupt):
        list(found)
    assert list(found.so_far()) == [(0, token) for token in bests[4]]
    assert len(bests[4]) == 5


def test_no_token_is_wanted() -> None:
    config = SamplingConfig(beam=3, max_new_tokens=0)
    assert list(BeamSearch(tiny_gpt(), [Request([1, 2], config)])) == []
