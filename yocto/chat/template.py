"""What a conversation looks like to a model: the checkpoint decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from yocto.chat.roles import Message, RoleTemplate, has_roles
from yocto.chat.text import TextTemplate
from yocto.checkpoint.chat_template import TemplateFile
from yocto.errors import ChatError
from yocto.tokenizer.base import BaseTokenizer


class Template(Protocol):
    """Messages as ids.

    stop: strings that end an answer. end_ids: special tokens that do; None: those that end the
    model's texts anyway.
    """

    @property
    def stop(self) -> Sequence[str]:
        """Strings that end an answer."""

    @property
    def end_ids(self) -> frozenset[int] | None:
        """Special tokens that end an answer."""

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """The ids that the model continues with its answer. A system prompt is the first message,
        the others alternate. No message's text becomes a role or a special token. Raises ChatError
        where the template can't say this."""


def template_for(
    tokenizer: BaseTokenizer, documents: int = 1, file: TemplateFile | None = None
) -> Template:
    """The template of a checkpoint: that of a file in it, else role tokens where its tokenizer has
    them, else lines of text. documents: how many the model learnt from."""
    if tokenizer.kind == "ids":
        raise ChatError(
            "this model came without a tokenizer and works on ids: nobody can talk to it",
            "Let it go on with ids, yocto sample --prompt '1 306', or import it anew with its "
            "tokenizer beside it.",
        )
    if file is not None:
        from yocto.chat.huggingface import HuggingFaceTemplate  # Jinja is loaded where it is needed

        return HuggingFaceTemplate(tokenizer, file)
    if has_roles(tokenizer) and tokenizer.end_id is not None:
        return RoleTemplate(tokenizer)
    return TextTemplate(tokenizer, tokenizer.end_id is not None and documents > 1)
