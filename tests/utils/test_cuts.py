"""Where a long text can be cut unnoticed."""

import random
import unicodedata
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pieces import BYTES, PARTS, TEXTS, hard_bytes, hard_texts, plain_pieces

from yocto.tokenizer.patterns import NAMED_PATTERNS, make_splitter
from yocto.utils.cuts import cut_before, last_cut
from yocto.utils.unicode_classes import NEWLINE, NUMBER, OTHER, SPACE, UPPER, class_table

SPLITTERS = {name: make_splitter(name) for name in NAMED_PATTERNS}
every_form = pytest.mark.parametrize("form", ["NFC", "NFKC"])


def cuts(text: str) -> set[int]:
    """All places that last_cut finds in a text, of which more and more has been read."""
    return {last_cut(text[:n]) for n in range(len(text) + 1)} - {0}


def check_pieces(text: str) -> None:
    places = cuts(text)
    for split in SPLITTERS.values():
        whole = split(text)
        for c in places:
            assert split(text[:c]) + split(text[c:]) == whole


def check_forms(text: str) -> None:
    for form in ("NFC", "NFKC"):
        whole = unicodedata.normalize(form, text)
        for c in cuts(text):
            halves = unicodedata.normalize(form, text[:c]), unicodedata.normalize(form, text[c:])
            assert "".join(halves) == whole


@settings(deadline=None)
@given(TEXTS)
def test_the_pieces_of_the_two_halves_are_those_of_the_whole(text):
    check_pieces(text[:150])


@settings(deadline=None)
@given(TEXTS)
def test_the_two_halves_are_normalised_like_the_whole(text):
    check_forms(text[:150])


def test_texts_drawn_at_random_are_cut_unnoticed():
    for text in hard_texts(0, 400):
        check_pieces(text)
        check_forms(text)


def test_each_two_parts_are_cut_unnoticed():
    for before in PARTS[::2]:
        text = "".join(f"x{before}{after}12{before}{after}é" for after in PARTS[::9])
        check_pieces(text)
        check_forms(text)


@cache
def joining() -> set[str]:
    """What may be composed with a character before it."""
    found = set(map(chr, [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]))
    for c in map(chr, range(0x110000)):
        parts = unicodedata.decomposition(c).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            found.add(chr(int(parts[1], 16)))
    return found


@every_form
def test_no_character_before_which_a_text_is_cut_joins_the_one_before_it(form):
    for c, kind in enumerate(class_table()):
        if kind in (OTHER, SPACE, NEWLINE) and not 0xD800 <= c < 0xE000:
            first = unicodedata.normalize(form.replace("C", "D"), chr(c))[0]
            if last_cut("a" + chr(c) + "a "):
                assert not unicodedata.combining(first) and first not in joining(), hex(c)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", 0), ("a", 0), ("a ", 1), ("ab cd", 2), ("ab cd ", 5), (" ab", 0), ("1.5", 1),
        ("don't", 0), ("don't ", 5), ("a\u0301 ", 0), ("a\u0301", 0), ("a\n\n", 1), ("a  b", 1),
        ("中。", 1), ("!a", 0), ("a\ud800", 0), ("a\udcff b", 0), ("a\u00a0", 1), ("aaa", 0),
        ("a b\u0301", 1), ("Aa\r\n", 2),
    ],
)  # fmt: skip
def test_a_text_is_cut_after_the_last_letter_or_number_before_a_space_or_sign(text, place):
    assert last_cut(text) == place


# ----------------------------------------------------------------- texts that are yet to be changed


def check_raw(text: str) -> None:
    places = {last_cut(text[:n], raw=True) for n in range(len(text) + 1)} - {0}
    assert all(class_table()[ord(text[c])] in (SPACE, NEWLINE) for c in places)
    for form in ("NFC", "NFKC"):
        whole = unicodedata.normalize(form, text)
        halves = [
            [unicodedata.normalize(form, half) for half in (text[:c], text[c:])] for c in places
        ]
        for split in SPLITTERS.values():
            pieces = split(whole)
            assert all(split(a) + split(b) == pieces for a, b in halves)


@settings(deadline=None)
@given(TEXTS)
def test_a_raw_text_is_cut_where_its_normal_form_could_be(text):
    check_raw(text[:150])


def test_raw_texts_drawn_at_random_are_cut_where_their_normal_forms_could_be():
    for text in hard_texts(1, 400):
        check_raw(text)


def test_each_letter_and_number_is_cut_where_its_normal_form_could_be():
    split, fine = SPLITTERS["gpt2"], 0
    for c, kind in enumerate(class_table()):
        if (kind == NUMBER or kind >= UPPER) and last_cut(f"x{chr(c)} .", raw=True) == 2:
            fine += 1
            normal = unicodedata.normalize("NFKC", f"x{chr(c)}")
            assert split(f"{normal} .") == [*split(normal), " ."]
    assert fine > 100_000


@pytest.mark.parametrize(
    ("text", "place"),
    [("ab.cd", 0), ("a b.", 1), ("⑴ a", 0), ("a ⑴ b", 1), ("a\u3000b\u0301 ", 1), ("x² y", 0),
     ("one <|two|>", 3), ("one<|two|>", 0)],
)  # fmt: skip
def test_a_raw_text_is_cut_before_white_space_only(text, place):
    assert last_cut(text, raw=True) == place


# --------------------------------------------------------------------------------------- bytes


def check_bytes(data: bytes) -> None:
    places = {
        cut_before(view, start, end)
        for view in (data, memoryview(data))
        for start in (0, 1, len(data) // 2)
        for end in range(start, len(data) + 1)
    }
    for pattern in NAMED_PATTERNS:
        whole = plain_pieces(pattern, data)
        for c in places - {0, 1, len(data) // 2}:
            assert plain_pieces(pattern, data[:c]) + plain_pieces(pattern, data[c:]) == whole


@settings(deadline=None)
@given(BYTES)
def test_bytes_are_cut_unnoticed_wherever_the_part_that_was_read_ends(data):
    check_bytes(data[:120])


def test_bytes_drawn_at_random_are_cut_unnoticed():
    for data in hard_bytes(0, 300):
        check_bytes(data[:100])


@settings(deadline=None)
@given(st.text(st.sampled_from("aé中🙂 .\u0301'\n"), max_size=40))
def test_bytes_are_cut_where_the_text_is(text):
    data = text.encode()
    for n in range(len(text) + 1):
        place = len(text[: last_cut(text[:n])].encode())
        assert cut_before(data, 0, len(text[:n].encode())) == place


def test_bytes_are_never_cut_inside_of_a_character():
    data = "aé 中. 🙂 한,".encode() * 40
    for start in range(0, 20):
        for end in range(start, len(data)):
            place = cut_before(data, start, end)
            assert start <= place <= end
            assert place == start or data[place] & 0xC0 != 0x80


@pytest.mark.parametrize("gap", [1, 200, 254, 255, 256, 257, 4000, 4096, 70_000])
@pytest.mark.parametrize("letter", ["a", "é", "中", "🙂"])
def test_the_last_place_is_found_however_far_back_it_is(gap, letter):
    data = b"one two, " + b"." + (letter * gap).encode()
    assert cut_before(data, 0, len(data)) == len(b"one two")
    assert cut_before(data, 3, len(data)) == len(b"one two")
    for start in (7, 8, 9):
        assert cut_before(data, start, len(data)) == start


def test_a_text_without_a_place_to_cut_is_not_cut():
    for data in (b"", b"a", b" " * 5000, b"a" * 5000, b"\xff" * 5000, "é".encode() * 3000):
        assert cut_before(data, 0, len(data)) == 0


def test_a_long_text_is_cut_near_its_end():
    rng = random.Random(0)
    words = " ".join("".join(rng.choices("abc", k=rng.randrange(1, 9))) for _ in range(3000))
    assert len(words) - cut_before(words.encode(), 0, len(words)) < 20


@given(st.text("aé1中。 \n\u00a0\u2028\x1c\x85ﬁ'\u0301🙂½.", max_size=12), st.integers(0, 9000))
def test_raw_cuts_lie_before_white_space_behind_what_normal_forms_leave_alone(text, size):
    def may_be_cut(before: str, after: str) -> bool:
        is_word = before.isalpha() or unicodedata.category(before).startswith("N")
        return is_word and after in " \n\u00a0\u2028\x85" and before not in "ﬁ½"

    whole = text + "." * size
    places = [i for i in range(1, len(text)) if may_be_cut(text[i - 1], text[i])]
    assert last_cut(whole, raw=True) == max(places, default=0)
