"""Conversations of models from Hugging Face: the Jinja template that comes with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from yocto.chat.roles import Message
from yocto.chat.sandbox import Sandboxed
from yocto.checkpoint.chat_template import TemplateFile
from yocto.errors import ChatError, TokenizerError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.special import split_special

# Characters for private use (Unicode's planes 15 and 16), which texts hardly ever hold.
_PRIVATE = range(0x10FFFD, 0xF0000, -1)


class HuggingFaceTemplate:
    """Messages as the checkpoint's chat_template writes them, with the ids that transformers'
    apply_chat_template gives; but text in a message that spells a special token stays text.

    Raises ChatError, which names the file, where the template is none.
    """

    stop: tuple[str, ...] = ()

    def __init__(self, tokenizer: BaseTokenizer, file: TemplateFile) -> None:
        self._tokenizer, self._file = tokenizer, file
        try:
            self._template = Sandboxed(file.source)
        except ValueError as error:
            raise self._fault(str(error)) from error
        first = next((t for t in tokenizer.frame[0] if t in tokenizer.special_tokens), "")
        self._tokens = {"bos_token": first, "eos_token": tokenizer.end_token or "", **file.tokens}
        self.end_ids: frozenset[int] | None = frozenset(self._ends())

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """The ids that the model continues."""
        marks = _Marks(self._tokenizer.special_tokens, [m.text for m in messages])
        turns = [{"role": m.role, "content": marks.put(m.text)} for m in messages]
        text = self._render(turns, True)
        special = self._tokenizer.special_tokens
        parts = [(part in special, part if part in special else marks.take(part))
                 for part in split_special(text, special)]  # fmt: skip
        if not any(part for _, part in parts):
            raise self._fault("it writes nothing")
        try:
            return self._encode(parts)
        except TokenizerError as error:
            raise ChatError(error.message, error.hint) from error

    def _encode(self, parts: Sequence[tuple[bool, str]]) -> list[int]:
        """The ids of special tokens and texts."""
        special = self._tokenizer.special_tokens
        wanted = [special[part] for is_special, part in parts if is_special]
        # In one go, where the tokenizer finds those very tokens: some take the spaces beside them.
        text = "".join(part for _, part in parts)
        if [p for p in split_special(text, special) if p in special] == [
            part for is_special, part in parts if is_special
        ]:
            ids = self._tokenizer.encode(text, allowed_special="all")
            if [i for i in ids if i in set(special.values())] == wanted:
                return ids
        ids = []
        for is_special, part in parts:
            plain = () if is_special else self._tokenizer.encode(part, allowed_special="none")
            ids += [special[part]] if is_special else plain
        return ids

    def _ends(self) -> Iterator[int]:
        """Ids that end an answer: what the files say, and what the template puts behind one."""
        special = self._tokenizer.special_tokens
        yield from (i for i in self._file.end_ids if i < self._tokenizer.vocab_size)
        named = special.get(self._tokens["eos_token"], self._tokenizer.end_id)
        if named is not None:
            yield named
        probe = chr(_PRIVATE[0])
        turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": probe}]
        try:
            _, _, rest = self._render(turns, False).rpartition(probe)
        except ChatError:  # a template that wants more than this is tried when there is more
            return
        after = next((part for part in split_special(rest, special) if part.strip()), "")
        if after in special:
            yield special[after]

    def _render(self, turns: list[dict[str, str]], prompt: bool) -> str:
        values = {"messages": turns, "tools": None, "documents": None,
                  "add_generation_prompt": prompt, **self._tokens}  # fmt: skip
        try:
            return self._template.render(values, sum(len(turn["content"]) for turn in turns))
        except ValueError as error:
            raise self._fault(str(error), turns[0]["role"] == "system") from error

    def _fault(self, what: str, has_system: bool = False) -> ChatError:
        hint = "Put the template right, or take it away: then the conversation is plain text."
        if has_system:
            hint = f"It may know no system prompt: try without. {hint}"
        return ChatError(f"the chat template in {self._file.path} fails: {what}", hint)


class _Marks:
    """Private characters that keep a text from being, or becoming, a special token.

    They stand inside whatever spells one, and where the text begins and ends, so that it can't be
    one together with what the template puts beside it.
    """

    def __init__(self, special: Iterable[str], texts: Sequence[str]) -> None:
        taken = set("".join([*texts, *special]))
        free = (chr(code) for code in _PRIVATE if chr(code) not in taken)
        self._mark = next(free)
        self._long = [token for token in special if len(token) > 1]
        # Nothing fits inside a token of one character: another stands for it.
        self._short = {ord(token): next(free) for token in special if len(token) == 1}
        self._back = {ord(self._mark): "", **{ord(v): chr(k) for k, v in self._short.items()}}

    def put(self, text: str) -> str:
        """A message's text, marked. White space around it stays outside, where templates look for
        what they strip."""
        text = text.translate(self._short)
        for token in self._long:
            while token in text:
                text = text.replace(token, f"{token[0]}{self._mark}{token[1:]}")
        body = text.strip()
        return text.replace(body, f"{self._mark}{body}{self._mark}", 1) if body else text

    def take(self, text: str) -> str:
        """The text without the marks."""
        return text.translate(self._back)
