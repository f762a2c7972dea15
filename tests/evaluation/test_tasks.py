"""Tasks: row by row what a straightforward loop finds."""

import json
import math

import pytest
import torch
from eval_oracle import blimp_rows, continuation, hellaswag_rows, lambada_rows, token_logprobs
from tiny import make_text, tiny_gpt

from yocto.api import LanguageModel
from yocto.dataset.sources import find_sources
from yocto.evaluation.formats import BadRowError, Question
from yocto.evaluation.scoring import Scorer
from yocto.evaluation.task_files import read_task_file
from yocto.evaluation.tasks import QuestionEncoder, score_task
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char import CharTokenizer
from yocto.utils.progress import SilentProgress

TEXT = make_text(100)


@pytest.fixture(scope="module", params=["byte-bpe", "char"])
def lm(request):
    if request.param == "char":
        tokenizer = CharTokenizer.train([TEXT.lower() + TEXT])
    else:
        tokenizer = BPETrainer("byte-bpe", 320).train([TEXT])
    size = 64 if request.param == "char" else 32
    model = tiny_gpt(block_size=size, vocab_size=tokenizer.vocab_size)
    return LanguageModel(model, tokenizer, documents=2)


def encoder_of(lm, start_ids=()):
    return QuestionEncoder(lm.tokenizer, start_ids, lambda: lm.prompt_ids(""))


def scored(lm, path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = read_task_file(find_sources([path])[0], None, encoder_of(lm))
    assert not file.bad
    return score_task(Scorer(lm.model, batch_tokens=256), file, SilentProgress())


def check(score, rows, correct, normalised=None):
    assert [row.correct for row in rows] == correct
    assert [row.line for row in rows] == list(range(1, len(rows) + 1))
    assert score.accuracy == pytest.approx(sum(correct) / len(correct))
    low, high = score.interval
    assert 0 <= low <= score.accuracy <= high <= 1
    if normalised is not None:
        assert [row.correct_normalised for row in rows] == normalised
        assert score.normalised_accuracy == pytest.approx(sum(normalised) / len(normalised))


def test_hellaswag_is_what_a_loop_finds_row_by_row(lm, tmp_path):
    made = hellaswag_rows(200)
    score, rows = scored(lm, tmp_path / "h.jsonl", made)
    correct, normalised, trimmed = [], [], 0
    for given, row in zip(made, rows, strict=True):
        told = [
            continuation(lm.model, lm.tokenizer, given["ctx"], f" {e}") for e in given["endings"]
        ]
        for (total, greedy, count), choice in zip(told, row.choices, strict=True):
            assert choice.loglikelihood == pytest.approx(total, abs=1e-3)
            assert (choice.greedy, choice.tokens) == (greedy, count)
        plain = [c.loglikelihood for c in row.choices]
        by_byte = [c.loglikelihood / len(e.encode())
                   for c, e in zip(row.choices, given["endings"], strict=True)]  # fmt: skip
        assert row.label == int(given["label"])
        if given["endings"][1] == given["endings"][3]:
            assert plain[1] == plain[3]
        correct.append(max(range(4), key=lambda i: (plain[i], -i)) == row.label)
        normalised.append(max(range(4), key=lambda i: (by_byte[i], -i)) == row.label)
        own = max(range(4), key=lambda i: (round(told[i][0], 3), -i)) == row.label
        assert own == correct[-1]
        ids = lm.tokenizer.encode(given["ctx"])
        longest = max(len(ids) + count for _, _, count in told)
        assert row.trimmed == (longest > lm.block_size + 1)
        trimmed += row.trimmed
    check(score, rows, correct, normalised)
    assert score.trimmed == trimmed
    assert trimmed
    assert 0 < sum(correct) < 200


def test_lambada_is_what_a_loop_finds_row_by_row(lm, tmp_path):
    made = lambada_rows(200)
    for given in made[:40]:  # some that the model would get right
        given["text"] = with_greedy_end(lm, given["text"])
    score, rows = scored(lm, tmp_path / "l.jsonl", made)
    correct, total, tokens = [], 0.0, 0
    for given, row in zip(made, rows, strict=True):
        context, _, word = given["text"].rpartition(" ")
        loglikelihood, greedy, count = continuation(lm.model, lm.tokenizer, context, f" {word}")
        assert row.choices[0].loglikelihood == pytest.approx(loglikelihood, abs=1e-3)
        assert row.choices[0].tokens == count
        correct.append(greedy)
        total, tokens = total + loglikelihood, tokens + count
    check(score, rows, correct)
    assert score.perplexity == pytest.approx(math.exp(-total / tokens), rel=1e-4)
    assert score.normalised_accuracy is None


def with_greedy_end(lm, text: str) -> str:
    """A text that ends in what the model would write, if that is a word."""
    ids = lm.tokenizer.encode(text)[:20]
    with torch.no_grad():
        best = int(lm.model(torch.tensor([ids]))[0, -1].argmax())
    end = lm.tokenizer.token_bytes(best)
    return lm.tokenizer.decode([*ids, best]) if end[:1] == b" " and end[1:].isalpha() else text


def test_blimp_is_what_a_loop_finds_row_by_row(lm, tmp_path):
    made = blimp_rows(200)
    score, rows = scored(lm, tmp_path / "b.jsonl", made)
    start, correct = lm.prompt_ids(""), []
    for given, row in zip(made, rows, strict=True):
        told = []
        for key in ("sentence_good", "sentence_bad"):
            ids = [*start, *lm.tokenizer.encode(given[key])]
            if len(ids) <= lm.block_size + 1:
                told.append(sum(token_logprobs(lm.model, ids)[0][len(start) - 1 :]))
        for total, choice in zip(told, row.choices, strict=False):
            if len(told) == 2:
                assert choice.loglikelihood == pytest.approx(total, abs=1e-3)
        good, bad = (choice.loglikelihood for choice in row.choices)
        if given["sentence_good"] == given["sentence_bad"]:
            assert good == bad
            assert not row.correct
        if len(told) == 2 and abs(told[0] - told[1]) > 1e-3:
            assert row.correct == (told[0] > told[1])
        correct.append(good > bad)
    check(score, rows, correct)
    assert 0 < sum(correct) < 200


def test_of_equals_the_first_is_chosen(tmp_path):
    tokenizer = CharTokenizer.train([TEXT])
    model = tiny_gpt(vocab_size=tokenizer.vocab_size, tie_weights=False)
    model.lm_head.weight.data.zero_()  # all tokens are equally likely
    lm = LanguageModel(model, tokenizer)
    row = {"question": "who", "choices": ["abc", "de", "fg"]}
    rows = [{**row, "answer": i} for i in range(3)]
    _, found = scored(lm, tmp_path / "m.jsonl", rows)
    assert [r.correct for r in found] == [False, True, False]
    # By the byte "abc", with its space, has the fewest tokens to each.
    assert [r.correct_normalised for r in found] == [True, False, False]


def test_a_continuation_longer_than_the_block_is_scored_in_parts_and_counted(lm, tmp_path):
    ending = " ".join(["the river"] * 30)
    row = {"ctx": "the river", "endings": [ending, "knows"], "label": 0}
    score, (found,) = scored(lm, tmp_path / "h.jsonl", [row])
    assert score.trimmed == 1
    ids = lm.tokenizer.encode("the river " + ending)
    begin = len(lm.tokenizer.encode("the river"))
    assert found.choices[0].tokens == len(ids) - begin
    total = 0.0
    half = lm.block_size // 2
    for place in range(begin, len(ids), half):
        stop = min(place + half, len(ids))
        part = ids[max(0, stop - lm.block_size - 1) : stop]
        total += sum(token_logprobs(lm.model, part)[0][-(stop - place) :])
    assert found.choices[0].loglikelihood == pytest.approx(total, abs=1e-3)


def test_a_space_at_the_end_of_a_context_belongs_to_the_choice(lm):
    encoder = encoder_of(lm)
    spaced = encoder(Question("the river ", ["knows"], 0))
    assert spaced == encoder(Question("the river", [" knows"], 0))
    assert spaced[0].ids[spaced[0].begin :] == lm.tokenizer.encode(" knows")


def test_what_the_tokenizer_merges_over_the_border_is_scored_from_where_the_ids_differ():
    tokenizer = BPETrainer("byte-bpe", 300).train([TEXT])
    lm = LanguageModel(tiny_gpt(vocab_size=tokenizer.vocab_size), tokenizer, documents=2)
    words = [tokenizer.token_bytes(i).decode("utf-8", "replace") for i in range(256, 299)]
    word = next(word for word in words if word.isalpha() and word.isascii())
    ids = tokenizer.encode(word)
    assert len(ids) == 1
    (choice,) = encoder_of(lm)(Question(word[0], [word[1:]], 0))
    assert choice.ids == [tokenizer.end_id, *ids]
    assert choice.begin == 1


def test_start_ids_come_before_each_context(lm):
    (choice,) = encoder_of(lm, [3])(Question("the river", [" knows"], 0))
    assert choice.ids == [3, *lm.tokenizer.encode("the river knows")]
    assert choice.begin == 1 + len(lm.tokenizer.encode("the river"))


def test_a_choice_that_the_tokenizer_makes_nothing_of_is_no_choice(lm):
    with pytest.raises(BadRowError, match="makes no token of the choice"):
        encoder_of(lm)(Question("the river", [""], 0))
