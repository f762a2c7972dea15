"""What names of texts lead to."""

import os

import pytest

from yocto.dataset.sources import (
    COMPRESSIONS,
    FORMATS,
    OWN_FILES,
    Source,
    described,
    find_sources,
    find_text,
    is_url,
)
from yocto.errors import DataError


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def put(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")


def paths(*names, text_format="auto"):
    return [source.path for source in find_sources(names, text_format)]


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("packed", ["", *COMPRESSIONS])
def test_names_tell_format_and_compression(tmp_path, ending, packed):
    for name in (f"a{ending}{packed}", f"a.b{ending.upper()}{packed.upper()}"):
        put(tmp_path, name)
        (found,) = find_sources([name])
        assert found == Source(name, FORMATS[ending], COMPRESSIONS.get(packed, ""))
    (found,) = find_sources([f"https://host/a{ending}{packed}?x=.gz#y"])
    assert (found.format, found.compression) == (FORMATS[ending], COMPRESSIONS.get(packed, ""))


def test_unknown_names_are_plain_text_and_a_format_that_is_named_comes_first():
    for name in ("a", "a.log", ".gz", "README", "-"):
        assert find_sources([name]) == [Source(name, "text", "")]
        assert find_sources([name], "csv") == [Source(name, "csv", "")]
    assert find_sources(["a.log.gz"]) == [Source("a.log.gz", "text", "gz")]
    assert find_sources(["a.json"], "jsonl")[0].format == "jsonl"


def test_a_folder_gives_its_texts_sorted_from_all_depths(tmp_path):
    put(tmp_path, "d/b.txt", "d/a/z.md", "d/a.jsonl.gz", "d/c/c/c.PARQUET", "d/a-b.csv")
    put(tmp_path, "d/x.bin", "d/Makefile", "d/x.py", "d/x.gz", "d/.hidden.txt", "d/.git/a.txt")
    put(tmp_path, *(f"d/{name}" for name in OWN_FILES))
    wanted = ["d/a-b.csv", "d/a.jsonl.gz", "d/a/z.md", "d/b.txt", "d/c/c/c.PARQUET"]
    assert paths("d") == paths("d/") == wanted
    assert paths(tmp_path / "d") == [str(tmp_path / name) for name in wanted]


def test_a_format_chooses_among_the_files_of_a_folder(tmp_path):
    put(tmp_path, "d/a.json", "d/b.jsonl", "d/c.txt", "d/d.csv", "d/e.parquet", "d/f.ndjson.xz")
    assert paths("d", text_format="text") == ["d/c.txt"]
    assert paths("d", text_format="csv") == ["d/d.csv"]
    for json in ("json", "jsonl"):  # their names are often mixed up
        assert paths("d", text_format=json) == ["d/a.json", "d/b.jsonl", "d/f.ndjson.xz"]
    assert {s.format for s in find_sources(["d"], "jsonl")} == {"jsonl"}


def test_a_folder_without_text_is_refused_with_what_would_be_one(tmp_path):
    put(tmp_path, "d/a.bin", "d/.a.txt", "d/meta.json", "d/tokenizer.json")
    with pytest.raises(DataError, match="there is no text in the folder d") as caught:
        find_sources(["d"])
    assert ".jsonl" in caught.value.hint and ".zst" in caught.value.hint
    put(tmp_path, "d/a.txt")
    with pytest.raises(DataError, match="no text in the folder d") as caught:
        find_sources(["d"], "csv")
    assert ".csv" in caught.value.hint and ".txt" not in caught.value.hint


def test_a_name_of_our_own_that_stands_alone_is_a_text(tmp_path):
    put(tmp_path, "d/corpus.json", "d/b.txt")
    assert [source.path for source in find_sources(["d"])] == ["d/b.txt", "d/corpus.json"]


def test_linked_folders_are_read_once_and_no_loop_is_followed(tmp_path):
    put(tmp_path, "d/a.txt", "elsewhere/x.txt")
    (tmp_path / "d" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "d" / "loop").symlink_to(tmp_path / "d")
    assert [source.path for source in find_sources(["d"])] == ["d/a.txt", "d/linked/x.txt"]


def test_a_folder_that_cannot_be_read_is_not_left_out(tmp_path, monkeypatch):
    put(tmp_path, "d/a.txt", "d/e/b.txt")
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("e"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="can't read the folder d/e: Permission denied"):
        find_sources(["d"])


def test_globs_give_files_sorted(tmp_path):
    put(tmp_path, "d/b.txt", "d/a.txt", "d/e/c.txt", "d/e/f/d.txt", "d/x.log", "d/.h.txt")
    assert paths("d/*.txt") == ["d/a.txt", "d/b.txt"]
    assert paths("d/**/*.txt") == ["d/a.txt", "d/b.txt", "d/e/c.txt", "d/e/f/d.txt"]
    assert paths("d/[ab].t?t", "d/x*") == ["d/a.txt", "d/b.txt", "d/x.log"]
    assert paths("d/*") == ["d/a.txt", "d/b.txt", "d/x.log"]  # no folders
    with pytest.raises(DataError, match=r"no file matches d/\*\.csv") as caught:
        find_sources(["d/*.csv"], hint="Look.")
    assert caught.value.hint == "Look."


def test_a_name_with_signs_of_a_glob_is_taken_as_it_is_where_it_is_there(tmp_path):
    put(tmp_path, "a[1].txt", "a1.txt", "d[x]/b.txt", "what?.txt")
    assert paths("a[1].txt") == ["a[1].txt"]
    assert paths("d[x]") == ["d[x]/b.txt"]
    assert paths("what?.txt") == ["what?.txt"]
    (tmp_path / "a[1].txt").unlink()
    assert paths("a[1].txt") == ["a1.txt"]


def test_many_paths_keep_their_order(tmp_path):
    put(tmp_path, "z.txt", "d/b.txt", "d/a.txt")
    assert paths("z.txt", "d", "-", "s3://b/x.csv", "z.txt") == [
        "z.txt", "d/a.txt", "d/b.txt", "-", "s3://b/x.csv", "z.txt",
    ]  # fmt: skip


def test_standard_input_is_named_once():
    with pytest.raises(DataError, match="standard input can be read only once"):
        find_sources(["-", "a.txt", "-"])


@pytest.mark.parametrize(
    "path", ["https://a/b", "s3://b/c.txt", "memory://x", "simplecache::https://a/b", "git+x://a"]
)
def test_addresses_are_told_from_paths(path):
    assert is_url(path)
    (source,) = find_sources([path])
    assert source.is_remote and not source.is_file


@pytest.mark.parametrize(
    "path", ["a/b://c", "C:/a", "C:\\a", "://a", "a:b", "-", "1://a", "./s3://a"]
)
def test_paths_are_told_from_addresses(path):
    assert not is_url(path)


def test_a_path_that_no_file_can_have_is_left_to_who_reads_it():
    for path in ("x" * 5000, "a\0b", "a\ud800"):
        assert [s.path for s in find_sources([path])] == [path]


def test_a_link_to_nowhere_is_not_passed_over(tmp_path):
    put(tmp_path, "d/a.txt")
    (tmp_path / "d" / "b.txt").symlink_to("nowhere")
    assert paths("d") == ["d/a.txt", "d/b.txt"]


def test_some_of_many_sources_are_described():
    sources = [Source(f"a {i}", "text", "") for i in range(7)]
    assert described(sources) == "'a 0', 'a 1', 'a 2', 'a 3', 'a 4' and 2 more"
    assert described(sources[:1]) == "'a 0'"
    assert described([]) == "no file"


def test_only_the_shipped_text_is_found_elsewhere():
    assert find_text("data/philosophy.txt").exists()
    assert not find_text("data/nothing.txt").exists()
