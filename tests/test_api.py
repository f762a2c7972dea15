"""LanguageModel: load, stream, generate, loss, and chat."""

from __future__ import annotations

import gc
import itertools
import re
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import Project
from tiny import LETTERS, make_text, tiny_gpt

import yocto
from yocto.api import Chat, LanguageModel, completion
from yocto.chat.conversation import Conversation, save_conversation
from yocto.chat.roles import ROLE_TOKENS, Message
from yocto.chat.text import harmless
from yocto.checkpoint import Run
from yocto.checkpoint.chat_template import TemplateFile
from yocto.config import SamplingConfig
from yocto.errors import ChatError, CheckpointError, ConfigError, TokenizerError
from yocto.sampling.generate import Generation
from yocto.sampling.request import Token
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char import CharTokenizer

EMOJI = "Né 🙂👩‍🚀 — 你好"


@pytest.fixture(scope="module")
def char_lm(char_project: Project) -> LanguageModel:
    return yocto.load(char_project.run)


@pytest.fixture(scope="module")
def token_lm(token_project: Project) -> LanguageModel:
    return yocto.load(token_project.run)


@pytest.fixture(params=["char", "token"])
def lm(request: pytest.FixtureRequest) -> LanguageModel:
    return request.getfixturevalue(f"{request.param}_lm")


def says(monkeypatch: pytest.MonkeyPatch, *answers: Sequence[int]) -> list[list[int]]:
    """Let the model generate these ids, answer by answer; returns the prompts it was shown."""
    script, prompts = iter(answers), []

    class Scripted(Generation):
        """One text, of the script."""

        def __init__(self, engine, requests, *_) -> None:
            super().__init__(engine)
            self.requests = requests

        def __iter__(self) -> Iterator[tuple[int, Token | None]]:
            (request,) = self.requests
            prompts.append(list(request.prompt))
            for token_id in itertools.islice(next(script), request.config.max_new_tokens):
                if 0 in self._cancelled:
                    return
                if token_id in request.end_ids:
                    yield 0, None
                    return
                yield 0, Token(token_id)

    monkeypatch.setattr(completion, "Generation", Scripted)
    return prompts


# --------------------------------------------------------------------------------------- loading


def test_a_model_loads_by_run_by_step_and_by_name(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    texts = {
        yocto.load(path).generate("the ", max_new_tokens=10, greedy=True)
        for path in (project.run, str(project.run), project.run.name)
    }
    assert len(texts) == 1
    assert yocto.load(project.step).block_size == 48


def test_a_run_loads_at_its_best_step(char_project: Project, tmp_path: Path) -> None:
    run = Run(char_project.copy_to(tmp_path).run)
    model = tiny_gpt()
    for step in (1, 2):
        run.save(step, model, CharTokenizer(LETTERS), {}, 1, {})
        model.lm_head.weight.data.zero_()
    run.mark_best(1)
    assert yocto.load(run.path).model.lm_head.weight.any()
    run.mark_best(2)
    assert not yocto.load(run.path).model.lm_head.weight.any()


def test_loading_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no run or checkpoint"):
        yocto.load(tmp_path / "nothing")


def test_a_tokenizer_is_trained_from_one_path_or_several(small_text: Path) -> None:
    one = yocto.train_tokenizer(small_text, vocab_size=280)
    several = yocto.train_tokenizer([small_text, str(small_text)], vocab_size=280)
    assert one.vocab_size == several.vocab_size == 280
    assert one.decode(one.encode(EMOJI)) == EMOJI


def test_the_knobs_of_a_long_text_are_those_of_the_command(small_text: Path) -> None:
    wanted = yocto.train_tokenizer(small_text, vocab_size=400)
    for workers in (1, 3):
        assert yocto.train_tokenizer(small_text, 400, workers=workers).merges == wanted.merges
    rare = yocto.train_tokenizer(small_text, num_merges=10_000, min_frequency=1)
    often = yocto.train_tokenizer(small_text, num_merges=10_000, min_frequency=20)
    assert len(often.merges) < len(rare.merges)
    assert rare.merges[: len(often.merges)] == often.merges
    for knob in ("workers", "min_frequency"):
        with pytest.raises(ConfigError, match=f"so {knob} means nothing"):
            yocto.train_tokenizer(small_text, kind="word", **{knob: 2})
        with pytest.raises(ConfigError, match=knob):
            yocto.train_tokenizer(small_text, **{knob: 0})


@pytest.mark.parametrize(
    "knobs",
    [{}, {"special_tokens": ["<a b>"]}, {"pattern": r"\w+ \w+|."}, {"kind": "word"}],
    ids=["parts", "a space", "a regex", "words"],
)
def test_a_text_may_come_in_parts_and_the_tokenizer_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knobs: dict[str, Any]
) -> None:
    path = tmp_path / "text.txt"
    line = "the theme <a b> of the thesis <|endoftext|> is that it ends.\n"
    path.write_text((line if knobs.get("kind") != "word" else "the theme of the thesis\n") * 30)
    whole = yocto.train_tokenizer(path, 350, **knobs)
    monkeypatch.setattr("yocto.dataset.text.BLOCK", 30)
    monkeypatch.setattr("yocto.dataset.text.PART", 30)
    parts = yocto.train_tokenizer([path], 350, **knobs)
    assert parts.files() == whole.files()


# ------------------------------------------------------------------------------------ generating


def test_the_pieces_of_a_stream_are_the_generated_text(lm: LanguageModel) -> None:
    knobs = {"max_new_tokens": 60, "temperature": 1.0, "seed": 3, "ignore_eos": True}
    pieces = list(lm.stream("the ", **knobs))
    assert len(pieces) > 10
    assert "".join(pieces) == lm.generate("the ", **knobs)
    assert lm.generate("the ", **{**knobs, "seed": 4}) != "".join(pieces)


def test_an_unknown_or_wrong_knob_is_an_error_that_names_it(lm: LanguageModel) -> None:
    with pytest.raises(ConfigError, match="temperatur"):
        lm.generate("the ", temperatur=1.0)
    with pytest.raises(ConfigError, match="top_p"):
        lm.generate("the ", top_p=2.0)


def test_max_new_tokens_counts_tokens(char_lm: LanguageModel) -> None:
    assert len(char_lm.generate("the ", max_new_tokens=17)) == 17
    assert char_lm.generate("the ", max_new_tokens=0) == ""


def test_no_piece_breaks_a_character(
    token_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = token_lm.tokenizer.encode_bytes(EMOJI.encode())
    assert len(ids) > len(EMOJI)  # characters are spread over tokens
    says(monkeypatch, ids)
    pieces = list(token_lm.stream("x"))
    assert "".join(pieces) == EMOJI
    assert all("\N{REPLACEMENT CHARACTER}" not in piece for piece in pieces)
    assert len(pieces) > 5


def test_a_character_that_is_never_completed_is_marked_at_the_end(
    token_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, token_lm.tokenizer.encode_bytes("ab🙂".encode()[:-1]))
    assert token_lm.generate("x") == "ab\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("stop", [("lo w",), ("world", "lo"), ("nothing", "lo wor")])
def test_a_stop_text_ends_the_text_and_does_not_come(
    token_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch, stop: tuple[str, ...]
) -> None:
    says(monkeypatch, token_lm.tokenizer.encode_bytes(b"hello world"))
    assert token_lm.generate("x", stop=stop) == "hel"


def test_the_end_token_ends_the_text_unless_it_is_ignored(
    token_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = token_lm.tokenizer
    ids = [*tokenizer.encode("one"), tokenizer.end_id, *tokenizer.encode("two")]
    says(monkeypatch, ids, ids)
    assert token_lm.generate("x") == "one"
    assert token_lm.generate("x", ignore_eos=True) == "onetwo"  # without <|endoftext|> itself


def test_special_tokens_in_a_prompt_are_plain_text(token_lm: LanguageModel) -> None:
    ids = token_lm.prompt_ids("a<|endoftext|>b")
    assert token_lm.tokenizer.end_id not in ids
    assert token_lm.tokenizer.decode(ids) == "a<|endoftext|>b"


def test_an_empty_prompt_is_the_start_of_a_text(
    char_lm: LanguageModel, token_lm: LanguageModel
) -> None:
    assert token_lm.prompt_ids("") == [token_lm.tokenizer.end_id]
    assert char_lm.prompt_ids("") == char_lm.tokenizer.encode("\n")
    one_line = LanguageModel(char_lm.model, CharTokenizer("abc"))
    assert one_line.prompt_ids("") == [0]


def test_a_model_of_one_document_has_no_end(token_lm: LanguageModel) -> None:
    assert token_lm.end_id == token_lm.tokenizer.end_id is not None
    assert LanguageModel(token_lm.model, token_lm.tokenizer, documents=1).end_id is None


def test_ids_that_stand_for_nothing_are_never_chosen() -> None:
    model = tiny_gpt(vocab_size=64, tie_weights=False)
    model.lm_head.weight.data[8:] *= 10
    lm = LanguageModel(model, CharTokenizer("abcdefgh"))
    for knobs in ({"greedy": True}, {"temperature": 5.0, "seed": 1}, {"beam": 3}):
        assert set(lm.generate("a", max_new_tokens=30, **knobs)) <= set("abcdefgh")


def test_an_unknown_character_is_named(char_lm: LanguageModel) -> None:
    with pytest.raises(TokenizerError, match="'€'"):
        char_lm.generate("5 €")


def test_several_prompts_are_continued_as_each_would_be_alone(lm: LanguageModel) -> None:
    prompts = ["the ", "", "a river", *["so "] * 17]
    knobs = {"max_new_tokens": 9, "temperature": 1.0, "ignore_eos": True, "stop": ("e",)}
    texts = lm.generate(prompts, seed=5, **knobs)
    assert texts == [lm.generate(p, seed=5 + i, **knobs) for i, p in enumerate(prompts)]
    assert lm.generate([], **knobs) == []


def test_a_bias_moves_the_choice_and_an_unknown_id_is_refused(char_lm: LanguageModel) -> None:
    (wanted,) = char_lm.tokenizer.encode("r")
    for knobs in ({}, {"beam": 2}):
        assert (
            char_lm.generate("the ", logit_bias={wanted: 100}, max_new_tokens=4, **knobs) == "rrrr"
        )
    size = char_lm.model.config.vocab_size
    with pytest.raises(ConfigError, match=f"the id {size}, but the model knows only"):
        char_lm.generate("the ", logit_bias={size: 1})
    with pytest.raises(ConfigError, match="bans them all"):
        char_lm.generate("the ", logit_bias=dict.fromkeys(range(size), float("-inf")))


def test_beam_search_is_one_more_way_to_a_text(lm: LanguageModel) -> None:
    knobs = {"beam": 3, "max_new_tokens": 20}
    text = lm.generate("the ", **knobs)
    assert lm.generate("the ", **knobs) == text
    assert "".join(lm.stream("the ", **knobs)) == text
    assert lm.generate("the ", stop=(text[4:7],), **knobs) == text[: text.index(text[4:7])]
    found = lm.complete([lm.prompt_ids("the ")], SamplingConfig(**knobs), logprobs=0)
    assert list(found)[-1][0].text == text
    (made,) = found.texts
    assert len(made.logprobs) == len(made.ids) <= 20
    assert made.finish_reason in ("stop", "length")


def test_what_is_held_back_comes_when_a_text_is_broken_off(
    token_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = token_lm.tokenizer.encode_bytes(b"one two")
    says(monkeypatch, ids)
    made = token_lm.complete([[1]], SamplingConfig(stop=("two three",)))
    for text, _ in made:
        if len(text.ids) == len(ids):
            break
    (text,) = made.texts
    assert text.text == "one "
    made.break_off()
    assert text.text == "one two"
    assert text.finish_reason is None


# ------------------------------------------------------------------------------------------ loss


def test_the_loss_of_a_text_is_the_mean_surprise_of_its_tokens(lm: LanguageModel) -> None:
    text = "the river asks"
    ids = [*lm.prompt_ids(""), *lm.tokenizer.encode(text)]
    assert len(ids) <= lm.block_size
    logits = lm.model(torch.tensor([ids[:-1]]))[0]
    expected = F.cross_entropy(logits, torch.tensor(ids[1:])).item()
    assert lm.loss(text) == pytest.approx(expected, rel=1e-5)


def test_a_long_text_is_read_window_by_window(lm: LanguageModel) -> None:
    text = "the river asks the teacher and the mountain never answers. " * 4
    ids = [*lm.prompt_ids(""), *lm.tokenizer.encode(text)]
    losses = []
    for start in range(0, len(ids) - 1, lm.block_size):
        window = torch.tensor(ids[start : start + lm.block_size + 1])
        logits = lm.model(window[None, :-1])[0]
        losses += F.cross_entropy(logits, window[1:], reduction="none").tolist()
    assert len(losses) == len(ids) - 1
    assert lm.loss(text) == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_a_trained_model_prefers_text_of_its_corpus(
    char_lm: LanguageModel, small_text: Path
) -> None:
    text = small_text.read_text(encoding="utf-8")[:500]
    assert char_lm.loss(text) < char_lm.loss(text[::-1]) + 1.0
    assert char_lm.loss(text) < char_lm.loss("🙂" * 100)


def test_weights_of_one_byte_cost_less_than_a_hundredth_of_the_loss(
    char_project: Project, token_project: Project, small_text: Path
) -> None:
    text = small_text.read_text(encoding="utf-8")[:3000]
    for project in (char_project, token_project):
        exact = yocto.load(project.run)
        small = yocto.load(project.run, quantize="int8")
        assert small.loss(text) == pytest.approx(exact.loss(text), rel=0.01)
        assert small.loss(text) != exact.loss(text)
        knobs = {"max_new_tokens": 20, "greedy": True}
        assert small.generate("the", **knobs) == small.generate("the", **knobs)


def test_an_empty_text_has_no_loss(lm: LanguageModel) -> None:
    with pytest.raises(TokenizerError, match="empty"):
        lm.loss("")


# ------------------------------------------------------------------------------------------ chat


def test_an_answer_stops_at_the_next_turn_and_joins_the_conversation(
    token_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = token_lm.tokenizer.encode
    prompts = says(
        monkeypatch, encode(" I see.\nUser: and then"), encode(" Yes.\nAssistant: more"),
        encode(" No."),
    )  # fmt: skip
    chat = token_lm.chat()
    chat.session.max_tokens = 1000  # the script has no context
    assert "".join(chat.send("Hi")) == "I see."
    assert "".join(chat.send("What")) == "Yes."
    assert "".join(chat.send("So")) == "No."
    assert token_lm.tokenizer.decode(prompts[2]) == (
        "User: Hi\nAssistant: I see.\nUser: What\nAssistant: Yes.\nUser: So\nAssistant:"
    )


def test_a_blank_line_ends_an_answer_only_where_there_is_no_end_token(
    token_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = token_lm.tokenizer.encode(" One.\n\nTwo.")
    says(monkeypatch, ids, ids)
    assert "".join(token_lm.chat().send("Hi")) == "One.\n\nTwo."
    single = LanguageModel(token_lm.model, token_lm.tokenizer, documents=1)
    assert "".join(single.chat().send("Hi")) == "One."


def test_a_question_that_got_no_answer_is_taken_back(
    token_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, [], token_lm.tokenizer.encode(" \n "))
    chat = token_lm.chat()
    assert "".join(chat.send("Hi")) == ""
    assert "".join(chat.send("Hi")).strip() == ""
    assert chat.session.messages == []


def test_an_answer_that_is_broken_off_keeps_what_came(
    token_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, token_lm.tokenizer.encode_bytes(b" a b c d e"))
    chat = token_lm.chat()
    pieces = chat.send("Hi")
    first = next(pieces)
    pieces.close()
    assert [message.text for message in chat.messages] == ["Hi", first.strip()]


def test_an_answer_that_nobody_reads_leaves_no_trace(
    token_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = says(monkeypatch, token_lm.tokenizer.encode(" Yes."))
    chat = token_lm.chat()
    chat.send("Hi").close()
    unread = chat.send("So?")
    assert "".join(chat.send("And?")) == "Yes."
    unread.close()
    assert token_lm.tokenizer.decode(prompts[0]) == "User: And?\nAssistant:"
    assert [message.text for message in chat.messages] == ["And?", "Yes."]


def test_a_retry_takes_the_place_of_the_last_answer_and_undo_takes_back_both(
    token_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = token_lm.tokenizer.encode
    prompts = says(monkeypatch, encode(" One."), encode(" Two."), encode(" Three."), [])
    chat = token_lm.chat(max_ctx_tokens=48)
    list(chat.send("a"))
    for _ in range(3):
        list(chat.retry())
    assert prompts[1:] == [prompts[0]] * 3
    # One that brings nothing takes nothing away.
    assert [message.text for message in chat.messages] == ["a", "Three."]
    assert chat.undo() == "a"
    assert chat.messages == []
    for act in (chat.undo, chat.retry):
        with pytest.raises(ChatError, match="nothing has been said"):
            act()


def test_an_answer_has_figures(token_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = token_lm.tokenizer.encode(" Yes, it does.")
    end = token_lm.tokenizer.end_id
    assert end is not None
    prompts = says(monkeypatch, [*ids, end], ids)
    chat = token_lm.chat(max_new_tokens=4)
    assert chat.last is None
    list(chat.send("Hi"))
    assert chat.last is not None
    assert (chat.last.tokens, chat.last.finish_reason) == (4, "length")
    assert (chat.last.prompt_tokens, chat.last.shown) == (len(prompts[0]), 1)
    assert chat.last.first_seconds is not None
    assert 0 < chat.last.first_seconds <= chat.last.seconds
    assert chat.last.tokens_per_second == pytest.approx(4 / chat.last.seconds)
    chat.set(max_new_tokens=50)
    list(chat.retry())
    assert (chat.last.tokens, chat.last.finish_reason) == (len(ids), "length")


def test_a_conversation_is_saved_and_goes_on_elsewhere(lm: LanguageModel, tmp_path: Path) -> None:
    file = tmp_path / "chat.json"
    chat = lm.chat("Be kind.", seed=3, max_new_tokens=6, ignore_eos=True, temperature=1.0)
    list(chat.send("so"))
    chat.save(file)
    other = lm.chat(seed=9)
    other.load(file)
    assert other.messages == chat.messages
    assert (other.system_prompt, other.knobs()) == ("Be kind.", chat.knobs())
    again = lm.chat()
    again.load(str(file))
    assert "".join(other.send("a")) == "".join(again.send("a"))  # by the seed in the file


@pytest.mark.parametrize("knobs", ['{"temperature": -1}', '{"colour": 1}', '{"stop": [5]}'])
def test_a_file_with_wrong_knobs_changes_nothing(
    lm: LanguageModel, tmp_path: Path, knobs: str
) -> None:
    file = tmp_path / "chat.json"
    chat = lm.chat("Be kind.", temperature=0.5)
    chat.save(file)
    file.write_text(re.sub(r'"knobs": \{.*?\}', f'"knobs": {knobs}', file.read_text(), flags=re.S))
    other = lm.chat("Be brief.", temperature=0.9)
    with pytest.raises(ChatError, match="is damaged"):
        other.load(file)
    assert (other.system_prompt, other.knobs()["temperature"]) == ("Be brief.", 0.9)


def test_only_the_knobs_that_were_turned_are_saved_and_count_as_given(
    lm: LanguageModel, tmp_path: Path
) -> None:
    file = tmp_path / "chat.json"
    lm.chat(beam=4, stop="so").save(file)
    chat = lm.chat(temperature=0.3, seed=1)
    chat.load(file)
    assert (chat.config.beam, chat.config.temperature, chat.config.seed) == (4, 0.7, None)
    plain = lm.chat()
    plain.save(tmp_path / "plain.json")
    chat.load(tmp_path / "plain.json")
    assert chat.knobs() == plain.knobs()
    chat.set(beam=4)
    with pytest.raises(ConfigError, match="temperature"):
        chat.set(temperature=0.3)
    chat.set(temperature=0.7)  # what it is anyway
    with pytest.raises(ConfigError, match="beam"):
        lm.chat(temperature=0.3).set(beam=2)


def test_every_knob_in_a_file_of_before_may_be_there(lm: LanguageModel, tmp_path: Path) -> None:
    file = tmp_path / "chat.json"
    chat = lm.chat()
    save_conversation(file, Conversation(knobs=chat.knobs()))
    chat.load(file)
    chat.set(beam=4)


@pytest.mark.parametrize("name", ["~nosuchuser/x", "x" * 300, "a\0b", "\ud800"])
def test_a_name_that_no_file_can_have_is_an_error(lm: LanguageModel, name: str) -> None:
    for act in (lm.chat().save, lm.chat().load):
        with pytest.raises(ChatError, match="can't use the file") as caught:
            act(name)
        assert len(caught.value.message) < 200


@pytest.mark.parametrize("most", [0, -3])
def test_a_context_of_nothing_is_refused(lm: LanguageModel, most: int) -> None:
    with pytest.raises(ConfigError, match="max_ctx_tokens"):
        lm.chat(max_ctx_tokens=most)


def test_a_bias_of_an_id_that_is_not_there_is_refused_when_it_is_set(lm: LanguageModel) -> None:
    with pytest.raises(ConfigError, match="logit_bias names the id 999999"):
        lm.chat(logit_bias="999999=1")
    chat = lm.chat(logit_bias="3=1")
    with pytest.raises(ConfigError, match="logit_bias names the id 999999"):
        chat.set(logit_bias="999999=1")
    assert chat.config.logit_bias == ("3=1",)


def test_files_of_a_template_are_read_by_who_talks_alone(
    token_project: Project, tmp_path: Path
) -> None:
    project = token_project.copy_to(tmp_path)
    for step in project.run.glob("step-*"):
        (step / "tokenizer_config.json").write_text("{")
    lm = yocto.load(project.run)
    assert lm.generate("so", max_new_tokens=8, seed=1, ignore_eos=True)
    with pytest.raises(CheckpointError, match=r"tokenizer_config\.json"):
        lm.chat()


def test_warming_up_changes_nothing(lm: LanguageModel) -> None:
    chats = [lm.chat(seed=5, max_new_tokens=5, temperature=1.0) for _ in range(2)]
    chats[0].warm_up()
    assert chats[0].last is None
    assert chats[0].messages == []
    one, other = ("".join(chat.send("so")) for chat in chats)
    assert one == other


def test_a_checkpoints_own_template_comes_first(
    token_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = token_project.copy_to(tmp_path)
    source = "{% for m in messages %}<{{ m.role }}> {{ m.content }} {{ eos_token }}{% endfor %}"
    for step in project.run.glob("step-*"):
        (step / "chat_template.jinja").write_text(source)
    lm = yocto.load(project.run)
    prompts = says(monkeypatch, lm.tokenizer.encode(" Yes."))
    assert "".join(lm.chat().send("<|endoftext|>")) == "Yes."
    end = lm.tokenizer.end_id
    assert lm.tokenizer.decode(prompts[0]) == "<user> <|endoftext|> <|endoftext|>"
    assert prompts[0].count(end) == 1
    assert prompts[0][-1] == end


def tensor_bytes() -> int:
    """The memory of all tensors that Python knows of, which tracemalloc does not see."""
    gc.collect()
    tensors = [o for o in gc.get_objects() if issubclass(type(o), torch.Tensor)]
    return sum(
        {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values()
    )


@pytest.mark.parametrize(("own_template", "count"), [(False, 500), (True, 150)])
def test_in_a_long_chat_no_turn_is_cut_and_memory_stays_flat(
    token_lm: LanguageModel, own_template: bool, count: int
) -> None:
    source = (
        "{% for m in messages %}{{ '\\n' ~ m.role }}: {{ m.content }}{% endfor %}"
        "{{ '\\nassistant:' }}"
    )
    clean = str if own_template else harmless
    file = TemplateFile(Path("t"), source) if own_template else None
    lm = LanguageModel(token_lm.model, token_lm.tokenizer, 40, file)
    chat = lm.chat("Be so.", max_new_tokens=3, seed=1, ignore_eos=True, max_ctx_tokens=45)
    said: list[tuple[str, str]] = []
    sizes, tensors = [], []
    tracemalloc.start()
    for i in range(count):
        question = f"{i} " + "road " * (i % 5)
        pending = chat.session.ask(question)
        text = lm.tokenizer.decode(pending.ids)
        turns = re.split(r"\n(?=user:|assistant:)", text, flags=re.IGNORECASE)
        whole = [line for pair in said[len(said) - pending.shown + 1 :] for line in pair]
        assert [t.partition(":")[2].strip() for t in turns[1:]] == [*whole, question.strip(), ""]
        assert len(pending.ids) <= 45
        list(chat.send(question))
        if len(chat.messages) > 2 * len(said):
            said.append((question.strip(), clean(chat.messages[-1].text)))
        if i % 50 == 49:
            sizes.append(tracemalloc.get_traced_memory()[0])
            tensors.append(tensor_bytes())
    tracemalloc.stop()
    assert len(said) > 0.8 * count
    assert max(b - a for a, b in itertools.pairwise(sizes)) < 200_000
    # Not a number more: a single row of keys and values of one layer is some kilobytes.
    assert max(tensors[1:]) - min(tensors[1:]) < 1000


SPOKEN = TemplateFile(
    Path("t"),
    "{% for m in messages %}{{ m.role }}> {{ m.content }}\n{% endfor %}{{ 'assistant> ' }}",
)


def long_chat(form: str, exchanges: int = 4, **knobs: Any) -> Chat:
    """A chat that has begun, with a model that sees 96 tokens and never ends its answers."""
    special = [*ROLE_TOKENS] if form == "roles" else []
    tokenizer = BPETrainer(vocab_size=300, special_tokens=["<|endoftext|>", *special]).train(
        [make_text(50)]
    )
    model = tiny_gpt(vocab_size=300, block_size=96)
    lm = LanguageModel(model, tokenizer, 40, SPOKEN if form == "Jinja" else None)
    chat = lm.chat("Be so.", seed=1, temperature=1.0, ignore_eos=True, **knobs)
    said = [
        Message(role, f"{i} road")
        for i in range(exchanges) for role in ("user", "assistant")
    ]  # fmt: skip
    chat.session.replace(said)
    return chat


def read_texts(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """What the model is shown from now on."""
    texts: list[list[int]] = []
    read, read_ahead = chat._engine.read, chat._engine.read_ahead
    monkeypatch.setattr(
        chat._engine, "read", lambda all_: (texts.extend(map(list, all_)), read(all_))[1]
    )
    monkeypatch.setattr(
        chat._engine, "read_ahead",
        lambda text, guess: (texts.append(list(text)), read_ahead(text, guess))[1],
    )  # fmt: skip
    return texts


@pytest.mark.parametrize("prompt_lookup", [0, 5])
@pytest.mark.parametrize("form", ["text", "roles", "Jinja"])
def test_an_answer_that_fills_the_context_sends_old_turns_away_whole(
    form: str, prompt_lookup: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = long_chat(form, max_new_tokens=200, prompt_lookup=prompt_lookup)
    texts = read_texts(chat, monkeypatch)
    before = chat.messages
    completions: list[Any] = []
    complete = chat.lm.complete
    monkeypatch.setattr(
        chat.lm, "complete", lambda *a, **k: completions.append(complete(*a, **k)) or completions[0]
    )
    list(chat.send("a"))
    (made,) = completions[0].texts
    system, question = Message("system", "Be so."), Message("user", "a")
    heads = [
        chat.lm.template.prompt_ids([system, *before[start:], question])
        for start in range(0, len(before) + 1, 2)
    ]
    shown = []
    for text in texts:
        head = next(h for h in heads if text[: len(h)] == h)
        assert text[len(head) :] == made.ids[: len(text) - len(head)]
        shown.append(len(head))
    assert len(set(shown)) >= 2  # some turns have gone
    assert shown == sorted(shown, reverse=True)
    assert len(texts[-1]) == 96 or prompt_lookup
    assert chat.last is not None
    assert (chat.last.full, chat.last.finish_reason) == (True, "length")
    # With the system prompt and the question alone there would be less than a quarter of room.
    assert len(heads[-1]) + chat.last.tokens > 72
    assert chat.last.prompt_tokens == shown[-1] == len(heads[-chat.last.shown])
    assert shown[-1] + chat.last.tokens == 97  # one more than has been read
    assert len(chat.messages) == len(before) + 2


def test_an_answer_may_end_after_turns_have_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = long_chat("text", max_new_tokens=60)
    first = chat.session.ask("a").ids
    assert len(first) + 60 > 96
    texts = read_texts(chat, monkeypatch)
    list(chat.send("a"))
    assert chat.last is not None
    assert (chat.last.tokens, chat.last.finish_reason, chat.last.full) == (60, "length", False)
    assert texts[-1][: len(first)] != first


def test_a_beam_search_in_a_chat_ends_where_the_context_is_full() -> None:
    chat = LanguageModel.chat(long_chat("text").lm, beam=2, ignore_eos=True, max_new_tokens=200)
    list(chat.send("a"))
    assert chat.last is not None
    assert (chat.last.full, chat.last.finish_reason) == (True, "length")
    assert chat.last.prompt_tokens + chat.last.tokens == 97


def test_a_message_longer_than_the_context_is_refused_at_once(lm: LanguageModel) -> None:
    chat = lm.chat()
    with pytest.raises(ChatError, match="at most 32"):  # two thirds of 48
        chat.send("the river " * 20)
    assert chat.session.messages == []


@pytest.mark.parametrize(("asked", "limit"), [(None, 32), (5, 5), (48, 48), (1000, 48)])
def test_the_context_of_a_chat_is_never_more_than_the_models(
    lm: LanguageModel, asked: int | None, limit: int
) -> None:
    assert lm.chat(max_ctx_tokens=asked).session.max_tokens == limit


def test_a_user_can_not_type_a_special_token(
    token_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = says(monkeypatch, token_lm.tokenizer.encode(" Yes."))
    chat = token_lm.chat()
    chat.session.max_tokens = 1000
    list(chat.send("a<|endoftext|>b"))
    assert token_lm.tokenizer.end_id not in prompts[0]


def test_knobs_can_be_set_while_talking(lm: LanguageModel) -> None:
    chat = lm.chat(seed=1, max_new_tokens=5)
    chat.set(temperature=0.5, top_k=3)
    assert (chat.config.temperature, chat.config.top_k, chat.config.max_new_tokens) == (0.5, 3, 5)
    with pytest.raises(ConfigError, match="top_p"):
        chat.set(top_p=7.0)
    with pytest.raises(ConfigError, match="unknown"):
        chat.set(colour=1)
    assert chat.config.top_p <= 1


def test_a_seed_makes_a_chat_repeatable(lm: LanguageModel) -> None:
    def answers(chat: Chat) -> list[str]:
        return ["".join(chat.send(text)) for text in ("a", "so")]

    knobs = {"max_new_tokens": 20, "temperature": 1.0, "ignore_eos": True}
    first = answers(lm.chat(seed=5, **knobs))
    assert answers(lm.chat(seed=5, **knobs)) == first
    assert answers(lm.chat(seed=6, **knobs)) != first
    chat = lm.chat(seed=6, **knobs)
    chat.set(seed=5)
    assert answers(chat) == first
