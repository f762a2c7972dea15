"""The frozen classes of characters: what they say, where they come from, and damaged files."""

import hashlib
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from yocto.errors import TokenizerFileError
from yocto.utils import unicode_classes
from yocto.utils.unicode_classes import (
    CLASS_NAMES,
    CLASSES_FILE,
    LETTER,
    LOWER,
    MARK,
    NEWLINE,
    NUMBER,
    OTHER,
    SPACE,
    UNICODE_VERSION,
    UPPER,
    class_table,
    parse_classes,
)

MAKER = Path(__file__).parents[2] / "scripts" / "make_unicode_classes.py"
TEXT = CLASSES_FILE.read_text(encoding="ascii")
SPACES = "\t\v\f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
IN_REGEX = {
    r"\p{M}": {MARK},
    r"\p{N}": {NUMBER},
    r"\s": {SPACE, NEWLINE},
    r"[\r\n]": {NEWLINE},
    r"\p{Lu}|\p{Lt}": {UPPER},
    r"\p{Ll}": {LOWER},
    r"\p{Lm}|\p{Lo}": {LETTER},
    r"\p{L}": {UPPER, LOWER, LETTER},
    r"[^\s\p{L}\p{N}]": {OTHER, MARK},
}


def of_category(category: str) -> int:
    codes = {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER, "Lm": LETTER, "Lo": LETTER}
    return codes.get(category, {"M": MARK, "N": NUMBER, "Z": SPACE}.get(category[0], OTHER))


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def unicode_here() -> set[str]:
    """The versions of Unicode that the maker can use here."""
    modules = [unicodedata]
    if MAKER.exists():
        try:
            import unicodedata2
        except ImportError:
            pass
        else:
            modules.append(unicodedata2)
    return {module.unidata_version for module in modules}


def make(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(MAKER), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_table_is_frozen_and_has_not_changed():
    # Another table gives some texts other ids. If that is meant, the version changes too.
    assert UNICODE_VERSION == "16.0.0"
    assert len(class_table()) == sys.maxunicode + 1
    digest = "41042c5b61dde8c2f87ad67f1e3a37b75dea1483cd4f9f7b55a163536bf9ea51"
    assert hashlib.sha256(class_table()).hexdigest() == digest


def test_the_codes_stay_as_they_are():
    codes = (OTHER, MARK, NUMBER, SPACE, NEWLINE, UPPER, LOWER, LETTER)
    assert codes == tuple(range(8))
    assert [getattr(unicode_classes, name) for name in CLASS_NAMES] == list(codes)


@pytest.mark.parametrize(
    ("code", "characters"),
    [
        (OTHER, "!'/\0\x1c\x1d\x1e\x1f\x7f\u180e\u200b\u2060\ufeff\u20ac\ue000\u0378\U0010ffff😀"),
        (OTHER, "\ud800\udfff"),
        (OTHER, "\u088f\U0001e6c0\U000323b0"),  # letters since 17.0
        (MARK, "\u0301\u0903\u20dd\U000e0100"),
        (NUMBER, "09٣²Ⅷ〇½"),
        (SPACE, SPACES),
        (NEWLINE, "\r\n"),
        (UPPER, "AZÉЖǅ"),
        (LOWER, "azßſж\u0295"),  # U+0295 is Lo since 17.0
        (LETTER, "ªºʰʻאあ中𠀀"),
    ],
)
def test_what_characters_are(code, characters):
    assert {c: class_table()[ord(c)] for c in characters} == dict.fromkeys(characters, code)


def test_nothing_else_is_white_space():
    spaces = [c for c, code in enumerate(class_table()) if code in (SPACE, NEWLINE)]
    assert spaces == sorted(map(ord, SPACES + "\r\n"))


def test_python_says_the_same_of_what_both_know():
    older = number(unicodedata.unidata_version) <= number(UNICODE_VERSION)
    wrong = []
    for c, code in enumerate(class_table()):
        category = unicodedata.category(chr(c))
        if c in (*range(9, 14), 0x85) or c == 0x295:  # controls; it changed in 17.0
            continue
        unknown = category == "Cn" if older else code == OTHER
        if code != of_category(category) and not unknown:
            wrong.append(f"{c:04X}")
    assert not wrong


@pytest.mark.parametrize("pattern", IN_REGEX)
def test_tiktoken_says_the_same_of_every_character(pattern):
    tiktoken = pytest.importorskip("tiktoken", minversion="0.14")
    if number(tiktoken.__version__)[:2] != (0, 14):
        pytest.skip("another tiktoken may have another Unicode")
    ranks = {bytes([b]): b for b in range(256)}
    encoding = tiktoken.Encoding("", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    matched = set()  # what does not match gets no ids
    for start in range(0, sys.maxunicode + 1, 1 << 16):
        text = "".join(chr(c) for c in range(start, start + (1 << 16)) if not 0xD800 <= c < 0xE000)
        matched |= set(bytes(encoding.encode_ordinary(text)).decode())
    wanted = {chr(c) for c, code in enumerate(class_table()) if code in IN_REGEX[pattern]}
    if OTHER in IN_REGEX[pattern]:
        wanted -= set(map(chr, range(0xD800, 0xE000)))
    assert matched == wanted


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_file_may_have_the_line_ends_of_windows(tmp_path, monkeypatch, newline):
    path = tmp_path / "classes.txt"
    path.write_bytes(TEXT.replace("\n", newline).encode())
    assert read(path, monkeypatch) == class_table.__wrapped__()


def read(path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(unicode_classes, "CLASSES_FILE", path)
    return class_table.__wrapped__()


@pytest.mark.parametrize(
    ("damaged", "complaint"),
    [
        (TEXT[:-1], "sha256"),
        (TEXT[: len(TEXT) // 2], "sha256"),
        (TEXT[: TEXT.index("\n\n")], "sha256"),
        (TEXT[:20], "format"),
        ("", "format"),
        (TEXT + "E000 E000 LETTER\n", "sha256"),
        (TEXT.replace("0041 005A UPPER", "0041 005A LOWER"), "sha256"),
        (TEXT.replace("\nformat 1\n", "\nformat 2\n"), "format is 2, not 1"),
        (TEXT.replace("unicode 16.0.0", "unicode 17.0.0"), "unicode is 17.0.0, not 16.0.0"),
        (TEXT.replace("format 1", "format"), "format is , not 1"),
        (TEXT.replace("UPPER", "ÜPPER"), "ascii"),
        (TEXT.replace("\n", "\0"), "format is None"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, monkeypatch, damaged, complaint):
    path = tmp_path / "classes.txt"
    path.write_bytes(damaged.encode())
    with pytest.raises(TokenizerFileError, match=complaint) as caught:
        read(path, monkeypatch)
    assert str(path) in caught.value.message
    assert "Install yocto again" in caught.value.hint


def test_a_file_cut_anywhere_is_refused():
    for end in range(0, len(TEXT), 97):
        with pytest.raises(ValueError, match=r"format|unicode|sha256"):
            parse_classes(TEXT[:end])


def test_a_file_that_is_not_there_is_named(tmp_path, monkeypatch):
    with pytest.raises(TokenizerFileError, match=r"no\.txt can't be used"):
        read(tmp_path / "no.txt", monkeypatch)


@pytest.mark.skipif(not MAKER.exists(), reason="scripts/ is not here")
class TestTheMaker:
    @pytest.mark.skipif(UNICODE_VERSION not in unicode_here(), reason="needs Unicode 16.0")
    def test_makes_the_file_byte_for_byte(self, tmp_path):
        done = make("--out", tmp_path / "made.txt")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "made.txt").read_text() == TEXT

    @pytest.mark.skipif(UNICODE_VERSION in unicode_here(), reason="Unicode 16.0 is here")
    def test_makes_nothing_from_another_version(self, tmp_path):
        done = make("--out", tmp_path / "made.txt")
        assert done.returncode == 1
        assert f"unicodedata is of {unicodedata.unidata_version}" in done.stderr
        assert "pip install unicodedata2==16.0.0" in done.stderr
        assert not list(tmp_path.iterdir())

    def test_makes_nothing_from_a_version_that_is_not_there(self, tmp_path):
        done = make("--out", tmp_path / "made.txt", "--unicode", "3.0.0")
        assert done.returncode == 1
        assert "Unicode 3.0.0 is not installed" in done.stderr
        assert not list(tmp_path.iterdir())

    @pytest.mark.skipif(unicodedata.unidata_version == UNICODE_VERSION, reason="it is the same")
    def test_makes_another_version_only_if_told(self, tmp_path):
        path, version = tmp_path / "made.txt", unicodedata.unidata_version
        assert make("--out", path, "--unicode", version).returncode == 0
        made = path.read_text()
        assert f"\nunicode {version}\n" in made
        assert "\n0041 005A UPPER\n" in made
        with pytest.raises(ValueError, match=f"unicode is {version}, not {UNICODE_VERSION}"):
            parse_classes(made)
