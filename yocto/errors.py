"""Every error that yocto raises on purpose: one tree, so that one `except` catches all.

YoctoError                 what went wrong, and what to do next
├── ConfigError            a setting that is unknown, of the wrong type or out of range
├── DataError              text or token files that are missing, damaged or too small
├── TokenizerError         text or ids that a tokenizer can't handle
│   └── TokenizerFileError a tokenizer file that can't be read
├── CheckpointError        a checkpoint that is missing, damaged or newer than this yocto
├── RunError               a training run that can't start or go on
├── ChatError              a message that can't be answered
├── ClusterError           machines that can't be reached, or are lost
└── ExportError            a model that another program's format can't say
"""

from __future__ import annotations


class YoctoError(Exception):
    """A failure with a next step.

    message: what is wrong and where, one line.
    hint: what to do or type next; empty when nothing can be done.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = _one_line(message)
        self.hint = hint
        super().__init__(self.message)

    def __reduce__(self) -> tuple[type[YoctoError], tuple[str, str]]:
        return type(self), (self.message, self.hint)  # so that it comes whole from other processes

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


def _one_line(text: str) -> str:
    """Text as a line that can be printed: what a damaged file holds may be part of it, however long
    that is, and with halves of characters."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    text = " ".join(line.strip() for line in text.splitlines()) if "\n" in text else text
    return text if len(text) <= 2000 else f"{text[:1500]} … {text[-400:]}"


class ConfigError(YoctoError):
    """A setting that is unknown, of the wrong type or out of range."""


class DataError(YoctoError):
    """Text or token files that are missing, damaged or too small."""


class TokenizerError(YoctoError):
    """Text or ids that a tokenizer can't handle."""


class TokenizerFileError(TokenizerError):
    """A tokenizer file that can't be read; the message names the file and the fault."""


class CheckpointError(YoctoError):
    """A checkpoint that is missing, damaged or written by a newer yocto."""


class RunError(YoctoError):
    """A training run that can't start or go on."""


class ClusterError(YoctoError):
    """Machines that can't be reached, don't fit together, or are lost."""


class ChatError(YoctoError):
    """A message that can't be answered."""


class ExportError(YoctoError):
    """A model, or a tokenizer, that another program's format can't say."""
