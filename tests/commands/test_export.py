"""yocto export: where it writes, what it says, what it leaves alone."""

import json

import pytest
from conftest import Project
from transformers import AutoModelForCausalLM, AutoTokenizer


@pytest.fixture
def place(tmp_path, monkeypatch, token_project: Project):
    monkeypatch.chdir(tmp_path)
    token_project.copy_to(tmp_path)
    return tmp_path


def test_the_newest_run_goes_to_a_folder_of_its_name(place, yocto):
    result = yocto("export")
    assert result.exit_code == 0, result.stderr
    assert "Qwen3ForCausalLM" in result.stdout
    folder = place / "exports" / "token-1-hf"
    assert sorted(path.name for path in folder.iterdir()) == [
        "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors",
        "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    assert AutoModelForCausalLM.from_pretrained(folder).config.model_type == "qwen3"
    assert AutoTokenizer.from_pretrained(folder).eos_token == "<|endoftext|>"


def test_json_tells_what_was_written(place, yocto):
    told = json.loads(yocto("export", "--dtype", "bfloat16", "--out-path", "out", "--json").stdout)
    assert (told["architecture"], told["dtype"], told["out_path"]) == (
        "Qwen3ForCausalLM", "bfloat16", "out"
    )  # fmt: skip


def test_what_is_there_stays_unless_it_may_be_replaced(place, yocto):
    assert yocto("export", "--out-path", "out").exit_code == 0
    result = yocto("export", "--out-path", "out")
    assert (result.exit_code, "--overwrite" in result.stderr) == (1, True)
    assert yocto("export", "--out-path", "out", "--overwrite").exit_code == 0


def test_a_folder_of_something_else_is_never_replaced(place, yocto):
    for other in ("data", "checkpoints/token-1", "."):
        result = yocto("export", "--out-path", other, "--overwrite")
        assert (result.exit_code, "something else" in result.stderr) == (1, True)
    assert (place / "data" / "token" / "tokenizer.json").is_file()


def test_a_folder_takes_no_files_and_no_links_place(place, yocto):
    assert yocto("export", "--out-path", "out").exit_code == 0
    (place / "link").symlink_to("out")
    (place / "file").write_text("mine")
    for other, words in (("link", "is a link"), ("file", "is a file")):
        result = yocto("export", "--out-path", other, "--overwrite")
        assert (result.exit_code, words in result.stderr) == (1, True)
    assert (place / "link").is_symlink()
    assert (place / "file").read_text() == "mine"


def test_what_somebody_put_beside_an_exported_model_is_not_lost(place, yocto):
    assert yocto("export", "--out-path", "out").exit_code == 0
    (place / "out" / "notes.txt").write_text("mine")
    result = yocto("export", "--out-path", "out", "--overwrite")
    assert result.exit_code == 1
    assert "something else than an exported model: notes.txt" in result.stderr
    assert "move away what is there" in result.stderr
    assert (place / "out" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("format", "dtype"), [("hf", "q8_0"), ("gguf", "bfloat16")], ids=["hf", "gguf"]
)
def test_a_type_that_the_format_has_not_is_refused(place, yocto, format, dtype):
    result = yocto("export", "--format", format, "--dtype", dtype)
    assert result.exit_code == 2
    assert f"format {format} keeps no weights as {dtype}" in result.stderr
    assert "It takes" in result.stderr


def test_a_gguf_takes_no_folders_place(place, yocto):
    (place / "x.gguf").mkdir()
    result = yocto("export", "--format", "gguf", "--out-path", "x.gguf", "--overwrite")
    assert (result.exit_code, "is a folder" in result.stderr) == (1, True)


def test_a_gguf_takes_only_the_place_of_another(place, yocto):
    (place / "notes.txt").write_text("mine")
    (place / "link.gguf").symlink_to("notes.txt")
    (place / "nowhere.gguf").symlink_to("nothing")
    for other, words in (
        ("notes.txt", "something else than a .gguf"),
        ("link.gguf", "is a link"),
        ("nowhere.gguf", "is a link"),
    ):
        result = yocto("export", "--format", "gguf", "--out-path", other, "--overwrite")
        assert (result.exit_code, words in result.stderr) == (1, True)
    assert (place / "notes.txt").read_text() == "mine"
    assert (place / "link.gguf").is_symlink()


def test_a_gguf_that_is_there_is_replaced(place, yocto):
    export = ("export", "--format", "gguf", "--out-path", "x.gguf")
    (place / "x.gguf").write_bytes(b"GGUF of old")
    assert yocto(*export).exit_code == 1
    assert yocto(*export, "--overwrite").exit_code == 0
    assert (place / "x.gguf").stat().st_size > 1000


def test_import_and_export_load_neither_transformers_nor_tokenizers(place):
    import subprocess
    import sys

    program = (
        "import sys\n"
        "class Never:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('transformers', 'tokenizers'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Never())\n"
        "from yocto.cli.app import main\n"
        "sys.argv = ['yocto', *sys.argv[1:]]\n"
        "main()\n"
    )
    for arguments in (["export", "--out-path", "out"], ["import", "out", "--run-name", "again"]):
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True,
                              text=True)  # fmt: skip
        assert done.returncode == 0, done.stderr
