"""Rows of the public formats as questions, and what is wrong with others."""

import pytest

from yocto.evaluation.formats import READERS, BadRowError, Question, format_of

MC = {"question": "Who?", "choices": ["a", "b", "c"]}
ARC = {"question": "Who?", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "1"}
RAW = {
    "id": "q1", "answerKey": "B",
    "question": {
        "stem": "Who?", "choices": [{"text": "x", "label": "A"}, {"text": "y", "label": "B"}],
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "name", "question"),
    [
        ({"ctx": "A b", "endings": ["c", "d"], "label": "1"}, "hellaswag",
         Question("A b", [" c", " d"], 1)),
        ({"ctx": "A b ", "endings": ["c", " d"], "label": 0}, "hellaswag",
         Question("A b ", ["c", " d"], 0)),
        ({"text": "One two\nthree.\n"}, "lambada", Question("One two\n", ["three."], 0)),
        ({"sentence_good": "A.", "sentence_bad": "B."}, "blimp", Question("", ["A.", "B."], 0)),
        ({**MC, "answer": 2}, "multiple-choice", Question("Who?", [" a", " b", " c"], 2)),
        ({**MC, "gold": "2"}, "multiple-choice", Question("Who?", [" a", " b", " c"], 2)),
        ({**MC, "label": "b"}, "multiple-choice", Question("Who?", [" a", " b", " c"], 1)),
        ({"query": "Q", "options": ["a", "b"], "answerKey": "A"}, "multiple-choice",
         Question("Q", [" a", " b"], 0)),
        ({"prompt": "Q", "endings": ["a", "b"], "gold": 1}, "multiple-choice",
         Question("Q", [" a", " b"], 1)),
        ({"context": "C", "question": "Q", "choices": ["a", "b"], "answer": 1}, "multiple-choice",
         Question("C\nQ", [" a", " b"], 1)),
        (ARC, "multiple-choice", Question("Who?", [" x", " y"], 0)),
        (RAW, "multiple-choice", Question("Who?", [" x", " y"], 1)),
    ],
)  # fmt: skip
def test_each_public_format_is_told_by_its_keys_and_read(row, name, question):
    assert format_of(row) == name
    assert READERS[name](row) == question


@pytest.mark.parametrize("row", [{}, {"a": 1}, 5, None, ["text"], {"question": "x"}])
def test_other_rows_are_of_no_format(row):
    assert format_of(row) is None


H = {"ctx": "A b", "endings": ["c", "d"], "label": 1}


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("hellaswag", {"endings": ["c", "d"], "label": 1}, "it has no 'ctx'"),
        ("hellaswag", {**H, "ctx": 5}, "'ctx' is no text but a number"),
        ("hellaswag", {**H, "ctx": "  "}, "'ctx' is empty"),
        ("hellaswag", {**H, "endings": "c"}, "'endings' is no list but a text"),
        ("hellaswag", {**H, "endings": []}, "'endings' has 0 in place of two"),
        ("hellaswag", {**H, "endings": ["c", ""]}, "number 1 of 'endings' is empty"),
        ("hellaswag", {**H, "endings": ["c", None]}, "number 1 of 'endings' is no text but null"),
        ("hellaswag", {**H, "label": 2}, "'label' is 2, but choices go from 0 to 1"),
        ("hellaswag", {**H, "label": -1}, "'label' is -1, but"),
        ("hellaswag", {**H, "label": "2"}, "'label' is '2', but choices go from 0 to 1"),
        ("hellaswag", {**H, "label": ""}, "'label' is '', neither a place nor a letter"),
        ("hellaswag", {**H, "label": True}, "'label' is no place in a list but true or false"),
        ("hellaswag", {**H, "label": 1.0}, "'label' is no place"),
        ("hellaswag", {**H, "label": None}, "'label' is no place in a list but null"),
        ("hellaswag", {"ctx": "a", "endings": ["c", "d"]}, "it has no 'label'"),
        ("lambada", {"text": "one"}, "has no word before the last one"),
        ("lambada", {"text": " "}, "'text' is empty"),
        ("lambada", {"words": "a b"}, "it has no 'text'"),
        ("blimp", {"sentence_good": "a"}, "it has no 'sentence_bad'"),
        ("blimp", {"sentence_good": "", "sentence_bad": "b"}, "'sentence_good' is empty"),
        ("multiple-choice", {"choices": ["a", "b"], "answer": 0}, "it has no 'context' or"),
        ("multiple-choice", {"question": "a", "answer": 0}, "it has no 'choices' or"),
        ("multiple-choice", {**MC}, "it has no 'answer' or"),
        ("multiple-choice", {**MC, "answer": "D"}, "'answer' is 'D', but choices go from 0 to 2"),
        ("multiple-choice", {**ARC, "answerKey": "3"}, "'answerKey' is '3', but the choices are"),
        ("multiple-choice", {**ARC, "choices": {"text": ["a", "b"], "label": ["1"]}}, "'label' is"),
        ("multiple-choice", {**RAW, "question": {"stem": "a"}}, "it has no 'choices'"),
        ("multiple-choice", {**MC, "choices": [{"text": "a", "label": "A"}, "b"]}, "some choices"),
    ],
)  # fmt: skip
def test_a_row_that_is_no_question_tells_why(name, row, reason):
    with pytest.raises(BadRowError) as caught:
        READERS[name](row)
    assert reason in str(caught.value)
