"""Processes that encode: the same ids, whole errors, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from yocto.errors import TokenizerError, YoctoError
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.processes import encoding_processes
from yocto.tokenizer.word import WordTokenizer

TEXT = "the theme of the thesis is that a thing is a thing\n🙂 ünïcödé"


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize(
    "tokenizer",
    [WordTokenizer.train([TEXT]), BPETrainer(vocab_size=280, pattern=r"\w+|.").train(TEXT)],
    ids=["word", "a regex"],
)
def test_processes_give_the_ids_of_the_tokenizer_in_any_order(tokenizer):
    tasks = [[TEXT.encode(), None, b"the thing " * n] for n in range(9)]
    with encoding_processes(tokenizer, 2) as (pool, encode):
        made = [pool.submit(encode, task) for task in tasks]
        for task, future in reversed(list(zip(tasks, made, strict=True))):
            assert future.result().tolist() == tokenizer.encode_documents(task).tolist()
            assert future.result().dtype == tokenizer.encode_documents(task).dtype


def test_an_error_comes_whole_and_the_others_go_on():
    with encoding_processes(CharTokenizer("ab"), 1) as (pool, encode):
        wrong, right = pool.submit(encode, [b"abc"]), pool.submit(encode, [b"aba"])
        with pytest.raises(TokenizerError, match="not in the vocabulary") as caught:
            wrong.result()
        assert caught.value.hint.startswith("Leave these characters out")
        assert right.result().tolist() == [0, 1, 0]


def test_errors_can_be_sent_between_processes():
    import pickle

    error = pickle.loads(pickle.dumps(TokenizerError("what", "a hint")))
    assert (type(error), error.message, error.hint) == (TokenizerError, "what", "a hint")
    assert isinstance(error, YoctoError)


PARENT = """
import sys, time
from yocto.tokenizer.processes import encoding_processes
from yocto.tokenizer.word import WordTokenizer
if __name__ == "__main__":
    with encoding_processes(WordTokenizer.train(["a b"]), 2) as (pool, encode):
        for future in [pool.submit(encode, [b"a"]) for _ in range(8)]:
            future.result()
        print(*pool._processes, flush=True)
        time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_process_is_left_when_the_parent_ends(tmp_path, number):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert parent.stdout is not None
    children = list(map(int, parent.stdout.readline().split()))
    assert children
    assert all(map(alive, children))
    parent.send_signal(number)
    parent.wait()
    deadline = time.monotonic() + 20
    while any(map(alive, children)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, children))
    parent.stdout.close()
