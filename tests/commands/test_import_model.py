"""yocto import: a run like others, but for what training would have left."""

import json

import pytest
import torch
from hf_models import gpt2, greedy, llama, opened
from made_runs import evaluation, make_run
from safetensors.torch import load_file
from tiny import LETTERS, make_text
from tokenizers import Tokenizer, processors

import yocto as library
from yocto.checkpoint import Checkpoint
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char import CharTokenizer


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in, with a Llama in it that has no tokenizer."""
    monkeypatch.chdir(tmp_path)
    llama().save_pretrained(tmp_path / "model")
    return tmp_path


def ok(result):
    assert result.exit_code == 0, result.output + result.stderr
    return result


def with_tokenizer(place, bos: bool = False):
    """A Llama with a tokenizer of ours beside it, whose file may put a token before each text."""
    tokenizer = BPETrainer("byte-bpe", 300, special_tokens=["<s>", "</s>"]).train([make_text(50)])
    ends = {name: tokenizer.special_tokens[text]
            for name, text in (("bos_token_id", "<s>"), ("eos_token_id", "</s>"))}  # fmt: skip
    folder = place / "with"
    llama(vocab_size=tokenizer.vocab_size + 4, **ends).save_pretrained(folder)
    theirs = Tokenizer.from_str(str(tokenizer.files()["tokenizer.json"]))
    if bos:
        theirs.post_processor = processors.TemplateProcessing(
            "<s> $A", None, [("<s>", tokenizer.special_tokens["<s>"])]
        )
    theirs.save(str(folder / "tokenizer.json"))
    return folder, tokenizer


def test_a_model_without_a_tokenizer_writes_ids(place, yocto):
    result = ok(yocto("import", "model", "--run-name", "mine"))
    assert "works on ids" in result.stdout
    result = ok(yocto("sample", "--ckpt", "mine", "--prompt", "1 30 6", "--greedy",
                      "--max-new-tokens", "8"))  # fmt: skip
    expected = greedy(opened(place / "model"), [1, 30, 6], 8)
    ids = [i for i in expected if i != 2]
    assert result.stdout.split() == ["1", "30", "6", *map(str, ids)]
    told = json.loads(
        ok(yocto("sample", "--ckpt", "mine", "--max-new-tokens", "3", "--json")).stdout
    )
    assert told["samples"][0]["prompt_ids"] == [1]


def test_words_are_no_prompt_for_a_model_on_ids_and_nobody_can_talk_to_it(place, yocto):
    ok(yocto("import", "model"))
    result = yocto("sample", "--ckpt", "model", "--prompt", "Once")
    assert (result.exit_code, "'Once' is no id" in result.stderr) == (1, True)
    result = yocto("sample", "--ckpt", "model", "--prompt", "  ")
    assert result.exit_code == 1
    result = yocto("chat", "--ckpt", "model", input="Hi\n")
    assert (result.exit_code, "came without a tokenizer" in result.stderr) == (1, True)


def test_the_run_is_told_of_as_imported_everywhere(place, yocto):
    ok(yocto("import", "model", "--run-name", "mine"))
    assert sorted(p.name for p in (place / "checkpoints" / "mine").iterdir()) == [
        "best", "latest", "step-000000"
    ]  # fmt: skip
    assert "imported" in ok(yocto("runs")).stdout
    inspected = ok(yocto("inspect", "mine")).stdout
    assert "LlamaForCausalLM" in inspected
    assert "learnt from" not in inspected
    ok(yocto("inspect", "mine", "--verify"))
    gpt2().save_pretrained(place / "other")
    ok(yocto("import", "other"))
    assert "LlamaForCausalLM" in ok(yocto("runs", "compare", "mine", "other")).stdout
    result = yocto("plot", "mine")
    assert (result.exit_code, "was imported" in result.stderr) == (1, True)


def test_the_curves_of_the_newest_run_are_those_of_one_that_was_trained(place, yocto):
    make_run(place / "checkpoints" / "old", [evaluation(4, 3.0), evaluation(12, 2.5)])
    ok(yocto("import", "model", "--run-name", "mine"))
    assert "of old" in ok(yocto("plot")).stdout


@pytest.mark.parametrize("more", [[], ["--show-config"]])
@pytest.mark.parametrize("command", [["train"], ["finetune", "--data", "chats.jsonl"]])
def test_training_does_not_go_on_with_it(place, yocto, command, more):
    ok(yocto("import", "model", "--run-name", "mine"))
    result = yocto(*command, "--run-name", "mine", "--resume", "auto", *more)
    assert result.exit_code == (0 if more and command[0] == "finetune" else 1), result.stderr
    if result.exit_code:
        assert "mine was imported, not trained here" in result.stderr
        assert "yocto finetune --ckpt mine" in result.stderr


def test_the_newest_trained_run_is_resumed_not_an_imported_one(place, yocto):
    ok(yocto("import", "model", "--run-name", "mine"))
    assert "no token run" in yocto("train", "--resume", "auto", "--dry-run").stderr


def test_a_run_of_this_name_is_replaced_only_when_told_so(place, yocto):
    ok(yocto("import", "model", "--run-name", "mine"))
    gpt2().save_pretrained(place / "other")
    result = yocto("import", "other", "--run-name", "mine")
    assert (result.exit_code, "is there already" in result.stderr) == (1, True)
    run = place / "checkpoints" / "mine"
    (run / "metrics.jsonl").write_text("")
    (run / "step-000500").mkdir()
    ok(yocto("import", "other", "--run-name", "mine", "--overwrite"))
    assert Checkpoint.open(run / "step-000000").model.family == "gpt2"
    assert sorted(path.name for path in run.iterdir()) == ["best", "latest", "step-000000"]


@pytest.mark.parametrize("again", [True, False])
def test_what_a_killed_import_left_half_written_goes_with_the_next_one(place, yocto, again):
    run = place / "checkpoints" / "mine"
    if again:
        ok(yocto("import", "model", "--run-name", "mine"))
    for left in (".step-000000.4711.tmp", ".step-000000.4712.old"):
        (run / left).mkdir(parents=True)
        (run / left / "model.safetensors").write_bytes(b"half of it")
    ok(yocto("import", "model", "--run-name", "mine", *["--overwrite"] * again))
    assert sorted(path.name for path in run.iterdir()) == ["best", "latest", "step-000000"]


@pytest.mark.parametrize("name", ["a/b", "latest", ".x"])
def test_a_name_that_is_none_is_refused(place, yocto, name):
    result = yocto("import", "model", "--run-name", name)
    assert (result.exit_code, "can't be a run's name" in result.stderr) == (1, True)


def test_without_a_folder_it_says_what_it_takes(place, yocto):
    result = yocto("import")
    assert (result.exit_code, "takes the folder of a model" in result.stderr) == (2, True)
    result = yocto("import", "nowhere")
    assert (result.exit_code, "nowhere" in result.stderr) == (1, True)


def test_a_failed_import_leaves_no_run(place, yocto):
    (place / "model" / "model.safetensors").write_bytes(b"no")
    assert yocto("import", "model").exit_code == 1
    assert not (place / "checkpoints").exists()


# -------------------------------------------------------------------------------- with a tokenizer


@pytest.mark.parametrize("bos", [False, True])
def test_a_tokenizer_beside_the_model_is_used_with_what_it_puts_before_a_text(place, yocto, bos):
    folder, tokenizer = with_tokenizer(place, bos)
    ok(yocto("import", folder))
    lm = library.load("checkpoints/with", device="cpu")
    plain = tokenizer.encode("the river")
    assert lm.prompt_ids("the river") == ([tokenizer.special_tokens["<s>"]] if bos else []) + plain
    made = lm.generate("the river", greedy=True, max_new_tokens=12)
    expected = greedy(opened(folder), lm.prompt_ids("the river"), 12)
    known = [i for i in expected if i < tokenizer.vocab_size]
    if known == expected and not {*known} & {*tokenizer.special_tokens.values()}:
        assert made == tokenizer.decode(expected)


def test_tokenizer_config_may_say_that_nothing_goes_before_a_text(place, yocto):
    folder, tokenizer = with_tokenizer(place, bos=True)
    (folder / "tokenizer_config.json").write_text('{"add_bos_token": false}')
    ok(yocto("import", folder))
    lm = library.load("checkpoints/with", device="cpu")
    assert lm.prompt_ids("the river") == tokenizer.encode("the river")


def test_a_text_ends_at_the_ids_of_generation_config_json(place, yocto):
    folder, _ = with_tokenizer(place)
    path = folder / "generation_config.json"
    path.write_text(json.dumps({"eos_token_id": list(range(300))}))
    ok(yocto("import", folder))
    told = json.loads(ok(yocto("sample", "--ckpt", "with", "--prompt", "a", "--json",
                               "--max-new-tokens", "9")).stdout)  # fmt: skip
    assert told["samples"][0]["finish_reason"] == "stop"
    assert len(told["samples"][0]["ids"]) <= 1


def test_a_tokenizer_with_more_ids_than_the_model_is_refused(place, yocto):
    CharTokenizer(LETTERS + LETTERS.upper() + "0123456789").save(place / "model")
    result = yocto("import", "model")
    assert (result.exit_code, "has ids below 62" in result.stderr) == (1, True)


def test_a_chat_template_is_carried_and_its_checksum_noted(place, yocto):
    folder, _ = with_tokenizer(place)
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}!")
    ok(yocto("import", folder))
    checkpoint = Checkpoint.open(place / "checkpoints" / "with" / "step-000000")
    assert {"chat_template.jinja", "generation_config.json"} <= checkpoint.files.keys()
    template = checkpoint.chat_template()
    assert template is not None
    assert template.source == "{{ messages[0].content }}!"
    ok(yocto("chat", "--ckpt", "with", "--max-new-tokens", "3", input="the river\n"))
    ok(yocto("export", "--ckpt", "with", "--out-path", "again"))
    assert (place / "again" / "chat_template.jinja").read_text() == template.source


@pytest.mark.parametrize("lora", [[], ["--lora-rank", "2"]])
def test_it_can_be_fine_tuned_and_then_speaks_with_role_tokens(place, yocto, lora):
    folder, tokenizer = with_tokenizer(place)
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}!")
    ok(yocto("import", folder))
    with (place / "chats.jsonl").open("w") as file:
        for i in range(8):
            file.write(json.dumps({"instruction": make_text(1, i)[:20], "output": "yes"}) + "\n")
    ok(yocto("finetune", "--ckpt", "with", "--data", "chats.jsonl", "--run-name", "tuned",
             "--max-iters", "2", "--batch-size", "2", "--device", "cpu", *lora))  # fmt: skip
    lm = library.load("checkpoints/tuned", device="cpu")
    assert lm.template.__class__.__name__ == "RoleTemplate"
    assert lm.tokenizer.special_tokens["<|system|>"] == tokenizer.vocab_size
    assert "chat_template.jinja" not in Checkpoint.open(
        place / "checkpoints" / "tuned" / (place / "checkpoints/tuned/latest").read_text().strip()
    ).files  # fmt: skip
    ok(yocto("export", "--ckpt", "tuned", "--out-path", "tuned-hf"))


def test_weights_of_bfloat16_keep_their_values(place, yocto):
    llama().to(torch.bfloat16).save_pretrained(place / "half")
    ok(yocto("import", "half"))
    ours = load_file(place / "checkpoints" / "half" / "step-000000" / "model.safetensors")
    theirs = load_file(place / "half" / "model.safetensors")
    assert torch.equal(ours["wte.weight"], theirs["model.embed_tokens.weight"].float())


def test_a_checkpoint_of_our_own_needs_no_import(place, yocto):
    ok(yocto("import", "model", "--run-name", "mine"))
    result = yocto("import", "checkpoints/mine/step-000000", "--run-name", "again")
    assert (result.exit_code, "yocto's own" in result.stderr) == (1, True)
    assert "--ckpt checkpoints/mine/step-000000" in result.stderr
