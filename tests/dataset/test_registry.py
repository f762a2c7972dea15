"""The list of what can be downloaded by name."""

from __future__ import annotations

import re

import pytest

from yocto.dataset.registry import DATASETS, Dataset, RemoteFile, find_dataset
from yocto.dataset.web import checked_url, file_name
from yocto.errors import ConfigError

FILES = [(dataset, file) for dataset in DATASETS for file in dataset.files]
each_dataset = pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)


def test_what_was_promised_is_there():
    names = {dataset.name for dataset in DATASETS}
    assert {"tinyshakespeare", "tinystories", "fineweb-edu", "philosophy-books", "wikitext-2",
            "hellaswag", "lambada", "blimp"} <= names  # fmt: skip


def test_names_are_unique_and_easily_typed():
    names = [dataset.name for dataset in DATASETS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


@each_dataset
def test_each_dataset_tells_its_licence_its_size_and_what_it_is(dataset: Dataset):
    assert dataset.licence
    assert dataset.note.endswith(".")
    assert len(dataset.note) <= 75  # two lines of a table on 80 columns
    assert len(dataset.name) <= 17
    assert len(dataset.licence) <= 16
    assert 1_000_000 <= dataset.about < 10**10


@each_dataset
def test_each_address_is_https_and_each_file_has_a_safe_name_of_a_kind_that_is_read(
    dataset: Dataset,
):
    names = [file.name for file in dataset.files]
    assert len(set(names)) == len(names) > 0
    for file in dataset.files:
        assert file.url.startswith("https://")
        assert checked_url(file.url) == file.url
        assert file_name(f"https://example.org/{file.name}") == file.name
        assert file.name.endswith((".txt", ".jsonl", ".parquet"))
        if not file.url.endswith(".txt"):
            assert file.url.rpartition(".")[2] == file.name.rpartition(".")[2]
    if len(dataset.files) == 1:
        assert names[0].startswith(f"{dataset.name}.")  # they share a folder


def test_no_address_is_there_twice_but_for_the_small_tinystories():
    urls = [file.url for _, file in FILES]
    (twice,) = {url for url in urls if urls.count(url) > 1}
    assert twice == find_dataset("tinystories-small").files[0].url


def test_a_checksum_stands_only_where_it_was_computed():
    known = [(dataset.name, file.sha256) for dataset, file in FILES if file.sha256]
    assert known == [
        ("tinyshakespeare", "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed")
    ]


def test_blimp_has_its_67_parts():
    assert len(find_dataset("blimp").files) == 67


@pytest.mark.parametrize("name", ["hellaswag", "lambada", "blimp"])
def test_what_evaluates_is_not_for_training(name):
    assert not any(file.train for file in find_dataset(name).files)


def test_a_name_is_found_in_any_case():
    assert find_dataset("TinyShakespeare").name == "tinyshakespeare"


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(ConfigError, match="no text 'tinyshakespear' to download") as caught:
        find_dataset("tinyshakespear")
    assert caught.value.hint.startswith("Did you mean yocto download tinyshakespeare?")
    assert "yocto download --list" in caught.value.hint


def test_a_name_like_none_leads_to_the_list():
    with pytest.raises(ConfigError) as caught:
        find_dataset("zzzzzzzz")
    assert "Did you mean" not in caught.value.hint
    assert "yocto download --list" in caught.value.hint


def test_files_are_for_training_unless_they_say_otherwise():
    assert RemoteFile("a", "https://a.org/a").train
