"""prepare-char: text to a character vocabulary and token files."""

from __future__ import annotations

import gzip
import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from encoding import encode_slowly, files_in, ids_in, small
from hypothesis import given
from hypothesis import strategies as st

from yocto.commands import prepare_char
from yocto.config import END_OF_TEXT, PrepareCharConfig
from yocto.errors import DataError
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.store import load_tokenizer
from yocto.utils.progress import SilentProgress


def prepare(out_dir: Path, *paths: Path, **knobs) -> prepare_char.Prepared:
    config = PrepareCharConfig(text_path=tuple(map(str, paths)), out_dir=str(out_dir), **knobs)
    return prepare_char.run(config, SilentProgress())


def test_the_files_are_nanogpts(tmp_path: Path, small_text: Path) -> None:
    text = small_text.read_text(encoding="utf-8")
    prepare(tmp_path, small_text)
    characters = sorted(set(text))
    ids = [characters.index(c) for c in text]
    cut = int(len(text) * 0.9)
    assert np.fromfile(tmp_path / "train.bin", "<u2").tolist() == ids[:cut]
    assert np.fromfile(tmp_path / "val.bin", "<u2").tolist() == ids[cut:]
    vocab = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    assert vocab["stoi"] == {c: i for i, c in enumerate(characters)}
    assert vocab["itos"] == {str(i): c for i, c in enumerate(characters)}


def test_the_result_tells_sizes_and_the_next_command(tmp_path: Path, small_text: Path) -> None:
    text = small_text.read_text(encoding="utf-8")
    result = prepare(tmp_path, small_text)
    assert result.vocab_size == len(set(text))
    assert sum(split["tokens"] for split in result.splits.values()) == len(text)
    assert sum(split["bytes"] for split in result.splits.values()) == len(text.encode())
    summary = "\n".join(result.summary())
    assert f"{len(set(text))} different characters" in summary
    assert "\nnext: yocto train --mode char --data-dir " in summary


def test_several_documents_get_an_end_token(tmp_path: Path, many_documents: Path) -> None:
    prepare(tmp_path, many_documents)
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.end_token == END_OF_TEXT
    ids = np.fromfile(tmp_path / "train.bin", "<u2")
    train = json.loads((tmp_path / "meta.json").read_text())["splits"]["train"]
    assert (ids == tokenizer.end_id).sum() == train["documents"] - 1


def test_another_share_validates(tmp_path: Path, small_text: Path) -> None:
    result = prepare(tmp_path, small_text, val_ratio=0.5)
    assert abs(result.splits["train"]["tokens"] - result.splits["val"]["tokens"]) <= 1


def test_text_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        prepare(tmp_path, tmp_path / "nowhere.txt")


def test_a_run_that_fails_leaves_the_old_files_whole(
    tmp_path: Path, small_text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path, small_text)
    names = ("vocab.json", "train.bin", "val.bin", "meta.json")
    before = [(tmp_path / name).read_bytes() for name in names]

    def fail(*args, **kwargs) -> None:
        raise DataError("the disk went away")

    monkeypatch.setattr(CharTokenizer, "encode_documents", fail)
    other = tmp_path / "other.txt"
    other.write_text("zzz" * 100)
    with pytest.raises(DataError):
        prepare(tmp_path, other)
    assert [(tmp_path / name).read_bytes() for name in names] == before


def test_the_separator_s_text_inside_a_line_is_plain_text(tmp_path: Path) -> None:
    text = tmp_path / "t.txt"
    text.write_text("one doc\n<|endoftext|>\nsays <|endoftext|> here\n" * 20)
    prepare(tmp_path, text)
    tokenizer = CharTokenizer.load(tmp_path)
    assert "<" in tokenizer.stoi and tokenizer.decode(tokenizer.encode("x <|", "none")) == "x <|"


# ------------------------------------------------------------------------ any text, any alphabet


def prepared(text: str, normalize: str, lowercase: bool) -> str:
    """What the issue says of --lowercase and --normalize."""
    if normalize != "none":
        text = unicodedata.normalize(normalize.upper(), text)
    text = text.lower() if lowercase else text
    return unicodedata.normalize(normalize.upper(), text) if normalize != "none" else text


LETTERS = st.text(st.sampled_from("aBcÄ ßΣςσ ﬁ Å e\u0301\u0323 İ 中文 🙂 Я.'\n"), max_size=60)


@given(
    st.lists(LETTERS | st.text(st.characters(codec="utf-8"), max_size=15), min_size=2, max_size=6),
    st.sampled_from(["none", "nfc", "nfkc"]),
    st.booleans(),
    st.integers(1, 30),
    st.sampled_from(["a.jsonl", "a.json", "a.jsonl.gz"]),
)
def test_any_alphabet_is_prepared_as_asked(
    tmp_path_factory, documents, normalize, lowercase, part, name
) -> None:
    documents = [d for d in documents if d.strip()]
    if len(documents) < 2:
        return
    folder = tmp_path_factory.mktemp("prepare")
    whole = json.dumps(documents)
    lines = "".join(json.dumps(d) + "\n" for d in documents)
    data = (whole if name == "a.json" else lines).encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    with small(30, part, 16):
        prepare(folder / "o", folder / name, normalize=normalize, lowercase=lowercase,
                val_ratio=0.3)  # fmt: skip
        texts = [prepared(d, normalize, lowercase) for d in documents]
        characters = sorted(set("".join(texts)))
        end = len(characters)
        expected = encode_slowly(
            documents, 0.3,
            lambda d: [characters.index(c) for c in prepared(d, normalize, lowercase)], end,
        )  # fmt: skip
    assert ids_in(folder / "o") == expected
    tokenizer = load_tokenizer(folder / "o")
    assert tokenizer.end_id == end
    assert tokenizer.vocab_size == end + 1


# Letters that no neighbour changes, as the cut may part one from what follows it.
APART = st.text(st.sampled_from("aBcÄ ß 中文 🙂 Я.'\n"), max_size=60)


@given(APART.filter(lambda t: len(t) > 10 and t.strip()), st.integers(1, 20), st.booleans())
def test_one_document_in_parts_is_prepared_as_its_two_halves(
    tmp_path_factory, text, part, lowercase
) -> None:
    folder = tmp_path_factory.mktemp("prepare")
    (folder / "a.txt").write_text(text * 3, encoding="utf-8", newline="")
    with small(30, part, 16):
        prepare(folder / "o", folder / "a.txt", lowercase=lowercase, normalize="nfc")
    tokenizer = load_tokenizer(folder / "o")
    cut = int(len(text * 3) * (1 - 0.1))
    halves = {"train": (text * 3)[:cut], "val": (text * 3)[cut:]}
    assert {name: tokenizer.decode(ids) for name, ids in ids_in(folder / "o").items()} == {
        name: prepared(half, "nfc", lowercase) for name, half in halves.items()
    }


@pytest.mark.parametrize("normalize", ["none", "nfkc"])
def test_how_text_is_prepared_is_kept_and_goes_for_prompts_too(
    tmp_path: Path, normalize: str
) -> None:
    (tmp_path / "a.txt").write_text("SOME ﬁne Words " * 30, encoding="utf-8")
    prepare(tmp_path / "o", tmp_path / "a.txt", lowercase=True, normalize=normalize)
    content = json.loads((tmp_path / "o" / "vocab.json").read_text(encoding="utf-8"))
    assert not any(c.isupper() for c in content["stoi"])
    tokenizer = load_tokenizer(tmp_path / "o")
    assert (tokenizer.lowercase, tokenizer.normalize) == (True, normalize)
    assert tokenizer.decode(tokenizer.encode("WORDS Some")) == "words some"
    if normalize == "nfkc":
        assert tokenizer.decode(tokenizer.encode("ﬁne")) == "fine"


def test_standard_input_is_prepared_too(yocto, tmp_path: Path) -> None:
    text = "some words of text " * 30
    result = yocto("prepare-char", "--text-path", "-", "--out-dir", tmp_path / "o", input=text)
    assert result.exit_code == 0, result.stderr
    tokenizer = load_tokenizer(tmp_path / "o")
    ids = ids_in(tmp_path / "o")
    assert tokenizer.decode(ids["train"] + ids["val"]) == text


def test_what_is_there_is_prepared_anew_and_nothing_else_is_left(
    tmp_path: Path, small_text: Path, many_documents: Path
) -> None:
    prepare(tmp_path / "o", many_documents)
    prepare(tmp_path / "o", small_text)
    prepare(tmp_path / "new", small_text)
    assert files_in(tmp_path / "o") == files_in(tmp_path / "new")


def test_a_failure_in_a_new_folder_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    def fail(*args, **kwargs) -> None:
        raise DataError("the disk went away")

    (tmp_path / "a.txt").write_text("zzz" * 100)
    monkeypatch.setattr(CharTokenizer, "encode_documents", fail)
    with pytest.raises(DataError) as caught:
        prepare(tmp_path / "o", tmp_path / "a.txt")
    assert "--resume" not in caught.value.hint  # which it does not have
    assert files_in(tmp_path / "o") == {}


@pytest.mark.parametrize("val_ratio", [0.1, 0.25, 0.5, 0.75])
@pytest.mark.parametrize("unit", ["e\u0301", "e\u0323\u0301", "ΑΣ", "가각\u11a8"])
def test_one_document_may_be_cut_between_a_letter_and_its_accent(
    tmp_path: Path, unit: str, val_ratio: float
) -> None:
    for length in range(20, 26):
        text = (unit * 20)[:length]
        (tmp_path / "a.txt").write_text(text, encoding="utf-8")
        prepare(tmp_path / "o", tmp_path / "a.txt", normalize="nfc", lowercase=True,
                val_ratio=val_ratio)  # fmt: skip
        cut = int(length * (1 - val_ratio))
        halves = [prepared(half, "nfc", True) for half in (text[:cut], text[cut:])]
        tokenizer = load_tokenizer(tmp_path / "o")
        assert tokenizer.itos == sorted(set("".join(halves)))
        assert list(map(tokenizer.decode, ids_in(tmp_path / "o").values())) == halves
