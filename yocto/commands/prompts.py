"""The prompts of sample: typed, from a file, from standard input, one or many."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from yocto.api import LanguageModel
from yocto.config import SampleConfig
from yocto.errors import ConfigError, DataError, TokenizerError
from yocto.utils.progress import Progress

STDIN = "-"


@dataclass(frozen=True)
class Prompt:
    """A text to continue, and its ids."""

    text: str
    ids: list[int]


def read_prompts(config: SampleConfig, lm: LanguageModel, progress: Progress) -> list[Prompt]:
    """All prompts that the settings name; a notice tells of those that the model can't see whole.
    Raises ConfigError, DataError, and TokenizerError with the line of the file."""
    if config.batch_file is None:
        text = read_prompt(config.prompt)
        prompts = [Prompt(text, lm.prompt_ids(text))]
    else:
        prompts = _read_lines(config.batch_file, lm, progress)
    long = [prompt for prompt in prompts if len(prompt.ids) > lm.block_size]
    if long and len(prompts) == 1:
        progress.notice(
            f"the prompt has {len(long[0].ids)} tokens; the model sees the last {lm.block_size} of "
            f"them"
        )
    elif long:
        progress.notice(
            f"{len(long)} of {len(prompts)} prompts have more tokens than the model sees; of each "
            f"it sees the last {lm.block_size}"
        )
    return prompts


def read_prompt(prompt: str) -> str:
    """The prompt's text: @FILE is read from the file, - from standard input."""
    if prompt == STDIN:
        return _read_standard_input()
    if prompt.startswith("@"):
        return _read_file(prompt[1:], "Check --prompt: @ names a file.")
    return prompt


def _read_lines(path: str, lm: LanguageModel, progress: Progress) -> list[Prompt]:
    """A prompt from each line that is not empty; - and @ mean nothing there."""
    where = "standard input" if path == STDIN else path
    text = _read_standard_input() if path == STDIN else _read_file(path, "Check --batch-file.")
    # Not splitlines, which takes signs for line ends that text files have inside lines.
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    prompts = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                prompts.append(Prompt(line, lm.prompt_ids(line)))
            except TokenizerError as error:
                place = f"line {number} of {where}: {error.message}"
                raise TokenizerError(place, error.hint) from error
    if not prompts:
        raise DataError(f"{where} holds no prompt", "Write one prompt on each line of it.")
    if empty := len(lines) - len(prompts):
        is_one = empty == 1
        progress.notice(
            f"{empty} empty line{'' if is_one else 's'} of {where} "
            f"{'is' if is_one else 'are'} left out"
        )
    return prompts


def _read_file(path: str, hint: str) -> str:
    from yocto.dataset.text import read_text  # nobody else waits for what it imports

    try:
        return read_text(path, hint)
    except DataError as error:
        if "--errors" in error.hint:  # which commands have that read a corpus
            hint = "Convert it to UTF-8, with iconv, say."
            raise DataError(error.message, hint) from error
        raise


def _read_standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"byte {error.start} of standard input is not UTF-8", "Convert it with iconv."
        ) from error
