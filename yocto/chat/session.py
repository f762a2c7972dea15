"""The turns of a conversation, and the part of them that the model is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from yocto.chat.roles import Message
from yocto.chat.template import Template
from yocto.errors import ChatError


@dataclass(frozen=True)
class Question:
    """A message that waits for its answer. ids: what the model continues. at: how many messages
    stand before it in the conversation; `shown`: how many exchanges the ids hold, this one too.
    before: the messages of those, the system prompt and this one left out."""

    message: Message
    ids: list[int]
    at: int
    shown: int
    system: Sequence[Message] = ()
    before: Sequence[Message] = ()


class ChatSession:
    """Keeps all turns; trims what the model sees by whole exchanges, the oldest first.

    A question joins `messages` together with its answer, so that they always alternate.
    max_tokens: most ids of conversation, the system prompt included. most: what max_tokens may be
    at the highest.
    """

    def __init__(
        self, template: Template, max_tokens: int, system_prompt: str = "", most: int = 1 << 30
    ) -> None:
        self.template = template
        self.max_tokens = max_tokens
        self.most = most
        self.system_prompt = system_prompt
        self.messages: list[Message] = []
        self._pending: Question | None = None
        self._shown = 1  # exchanges, the last time: where the search for their number begins

    # ----------------------------------------------------------------------------------- turns

    def ask(self, text: str) -> Question:
        """A user's message, and the ids that the model continues.

        Raises ChatError, and changes nothing, when the message alone is longer than max_tokens.
        """
        return self._ask(Message("user", text), len(self.messages))

    def retry(self) -> Question:
        """The last message once more, one that has got no answer, too; the next answer takes the
        place of the one it had. Raises ChatError where there is none."""
        if self._pending is not None:
            return self._ask(self._pending.message, self._pending.at)
        self._need_exchange()
        return self._ask(self.messages[-2], len(self.messages) - 2)

    def answer(self, question: Question, text: str) -> None:
        """Add a question and its answer; one that others have come after counts no more."""
        if question is self._pending:
            self.messages[question.at :] = [question.message, Message("assistant", text)]
            self._pending = None

    def undo(self) -> Message:
        """Take back the last exchange, or a question after it that got no answer; returns the
        question. Raises ChatError where there is none."""
        if self._pending is not None and self._pending.at == len(self.messages):
            message, self._pending = self._pending.message, None
            return message
        self._need_exchange()
        question, _ = self.messages[-2:]
        self.replace(self.messages[:-2])
        return question

    def reset(self) -> None:
        """Forget all turns; the system prompt stays."""
        self.replace([])

    def replace(self, messages: Iterable[Message]) -> None:
        """Go on from other turns: questions and answers in turns."""
        self.messages = list(messages)
        assert [m.role for m in self.messages] == ["user", "assistant"] * (len(self.messages) // 2)
        self._pending = None

    def _need_exchange(self) -> None:
        if not self.messages:
            raise ChatError("nothing has been said yet", "Write a message first.")

    # ---------------------------------------------------------------------- what the model sees

    def used(self) -> tuple[int, int]:
        """How many tokens the conversation so far takes, and how many of its exchanges that is: as
        many of the newest as fit."""
        if not self.messages:
            return 0, 0
        shown, ids = self._newest(self.messages)
        return (len(ids), shown) if len(ids) <= self.max_tokens else (0, 0)

    def _ask(self, message: Message, at: int) -> Question:
        ids = self._ids([message])
        if len(ids) > self.max_tokens:
            alone = len(self.template.prompt_ids([message]))  # whose fault is it?
            raise ChatError(
                f"the message is {len(ids)} tokens long with what surrounds it, and the model is "
                f"shown at most {self.max_tokens}",
                ("Say it in fewer words" if 2 * alone > len(ids) else "Shorten the system prompt")
                + (", or raise --max-ctx-tokens." if self.max_tokens < self.most else "."),
            )
        shown, ids = self._newest([*self.messages[:at], message])
        before = self.messages[at - 2 * (shown - 1) : at]
        self._pending = Question(message, ids, at, shown, self._system(), before)
        return self._pending

    def reframed(self, question: Question, answer: Sequence[int], size: int) -> Question | None:
        """The question with fewer of the exchanges before it, when its answer has filled the
        context: as many as leave room for the answer so far in `size` ids. None where there is no
        room without any, either."""
        for start in range(2, len(question.before) + 2, 2):
            before = question.before[start:]
            ids = self.template.prompt_ids([*question.system, *before, question.message])
            if len(ids) + len(answer) <= size:
                return replace(question, ids=ids, before=before, shown=len(before) // 2 + 1)
        return None

    def _newest(self, messages: list[Message]) -> tuple[int, list[int]]:
        """The largest number of newest exchanges whose ids fit, and those.

        Found from the number of the last time, up or down: that is one more at most, as a rule, and
        what doesn't fit is never written out whole.
        """
        total = (len(messages) + 1) // 2

        def ids_of(count: int) -> list[int]:
            return self._ids(messages[2 * (total - count) :])

        count = max(1, min(self._shown + 1, total))
        ids = ids_of(count)
        while count > 1 and len(ids) > self.max_tokens:
            count -= 1
            ids = ids_of(count)
        while count < total and len(more := ids_of(count + 1)) <= self.max_tokens:
            count, ids = count + 1, more
        self._shown = count
        return count, ids

    def _system(self) -> list[Message]:
        return [Message("system", self.system_prompt)] if self.system_prompt.strip() else []

    def _ids(self, messages: list[Message]) -> list[int]:
        return self.template.prompt_ids([*self._system(), *messages])
