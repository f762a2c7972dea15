"""A trained model of others, stories15M: the same logits and the same 200 ids, both ways.

It is not part of the repository. It is looked for in the folder that YOCTO_REFERENCE names, or in
shared/reference beside the clone: stories15M/ with config.json and model.safetensors.
"""

import json
import os
from pathlib import Path

import pytest
import torch
from hf_models import greedy, opened

ROOT = Path(__file__).parents[2]
REFERENCE = Path(os.environ.get("YOCTO_REFERENCE", ROOT.parent / "shared" / "reference"))
PROMPT = [1, 306, 505, 263]


@pytest.fixture
def stories() -> Path:
    folder = REFERENCE / "stories15M"
    if not (folder / "model.safetensors").is_file():
        pytest.skip("no reference files")
    return folder


def test_stories15m_goes_on_as_in_transformers_both_ways(tmp_path, stories, yocto, monkeypatch):
    import yocto as library

    monkeypatch.chdir(tmp_path)
    result = yocto("import", stories, "--run-name", "stories", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["tokenizer"] == "ids"
    theirs = opened(stories)
    expected = greedy(theirs, PROMPT, 200)
    prompt = " ".join(map(str, PROMPT))
    result = yocto("sample", "--ckpt", "stories", "--prompt", prompt, "--greedy",
                   "--max-new-tokens", "200", "--json")  # fmt: skip
    (sample,) = json.loads(result.stdout)["samples"]
    assert sample["ids"] == expected
    assert sample["text"] == "".join(f" {i}" for i in expected)
    model = library.load("checkpoints/stories").model
    idx = torch.tensor([PROMPT + expected])[:, :256]
    with torch.no_grad():
        assert (model(idx) - theirs(idx).logits).abs().max() < 1e-4
        assert yocto("export", "--ckpt", "stories", "--out-path", "again").exit_code == 0
        again = opened(tmp_path / "again")
        assert torch.equal(again(idx).logits, theirs(idx).logits)
    assert greedy(again, PROMPT, 200) == expected
