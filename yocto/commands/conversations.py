"""What finetune reads: conversations, split, and as the ids that a model learns from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from yocto.chat.roles import Message, Role
from yocto.chat.windows import Learnt, cut_conversation
from yocto.config import FinetuneConfig
from yocto.dataset.chats import Conversation, bad_record, drawn, read_chats, validates
from yocto.dataset.packed import Conversations
from yocto.errors import DataError, TokenizerError
from yocto.tokenizer.base import BaseTokenizer
from yocto.utils.progress import Progress

_ROLE: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}
_LAYOUT = (
    'Each line is a JSON object, like {"messages": [{"role": "user", "content": "Hi"}, '
    '{"role": "assistant", "content": "Hello."}]}'
)


@dataclass
class _Counts:
    """What became of the conversations."""

    bad: int = 0  # records passed over
    first_bad: str = ""  # why the first of them
    divided: int = 0  # conversations in several windows
    lost: int = 0  # tokens that no window has
    dropped: int = 0  # conversations of which nothing is left
    draws: list[float] = field(default_factory=list)  # of each that is left, for the split
    parts: list[int] = field(default_factory=list)  # in how many windows each of those is


@dataclass(frozen=True)
class Chats:
    """Conversations in two splits, in windows of a model's context.

    val: empty where there are too few to set some aside. conversations: that train. bytes: of the
    text that is learnt in each split. question: ids up to where the assistant speaks first, of one
    that validates, for looking at the model; asked: what was said last in it.
    """

    train: Conversations
    val: Conversations
    conversations: int
    train_bytes: int
    val_bytes: int
    question: list[int]
    asked: str


def open_chats(
    config: FinetuneConfig, tokenizer: BaseTokenizer, block_size: int, progress: Progress
) -> Chats:
    """Read what a run learns from. Raises DataError for files, and records, that don't serve."""
    if not config.data:
        raise DataError(
            "there is nothing to learn from", "Name the conversations: --data chats.jsonl"
        )
    counts = _Counts()
    both = Conversations.of(_windows(config, tokenizer, block_size, counts))
    _tell(counts, block_size, progress)
    if not counts.draws:
        raise DataError(f"no conversation in {', '.join(config.data)} can be learnt from", _LAYOUT)
    held = validates(counts.draws, config.val_ratio)
    if not any(held):
        why = "--val-ratio is 0" if not config.val_ratio else "there is one conversation only"
        progress.notice(f"no conversation validates, since {why}: losses are of what is learnt")
    of_val = np.repeat(held, counts.parts)
    train, val = both.part(~of_val), both.part(of_val)
    parts = f" (in {len(train):,} and {len(val):,} windows)" if counts.divided else ""
    progress.say(
        f"data        {len(held) - sum(held):,} conversations to train on, {sum(held):,} to "
        f"validate{parts}"
    )
    question = _question(val if len(val) else train)
    return Chats(
        train,
        val,
        len(held) - sum(held),
        _text_bytes(tokenizer, train),
        _text_bytes(tokenizer, val),
        question,
        _last_said(tokenizer, question),
    )


def _windows(
    config: FinetuneConfig, tokenizer: BaseTokenizer, block_size: int, counts: _Counts
) -> Iterator[Learnt]:
    """The windows of all conversations; each is encoded when it has been read, and its text is not
    kept."""
    chat = None
    for chat in read_chats(config.data):
        if isinstance(chat, DataError):
            _pass_over(chat, config.skip_bad, counts)
        elif found := _encoded(chat, tokenizer, block_size, config.skip_bad, counts):
            counts.draws.append(drawn(chat))
            counts.parts.append(len(found))
            yield from found
    if chat is None:
        raise DataError(f"{', '.join(config.data)}: there is nothing in it", _LAYOUT)


def _pass_over(error: DataError, skip: bool, counts: _Counts) -> None:
    if not skip:
        raise error
    counts.bad += 1
    counts.first_bad = counts.first_bad or error.message


def _encoded(
    chat: Conversation, tokenizer: BaseTokenizer, block_size: int, skip: bool, counts: _Counts
) -> list[Learnt]:
    """The windows of a conversation; none where the tokenizer can't write it and it is skipped."""
    try:
        cut = cut_conversation(tokenizer, _messages(chat), block_size)
    except TokenizerError as error:  # characters that a char vocabulary lacks
        fault = bad_record(chat.where, f"can't be encoded: {error.message}")
        _pass_over(fault, skip, counts)
        return []
    counts.divided += len(cut.windows) > 1
    counts.lost += cut.lost
    counts.dropped += not cut.windows
    return cut.windows


def _messages(chat: Conversation) -> list[Message]:
    return [Message(_ROLE[turn.role], turn.text) for turn in chat.turns]


def _question(conversations: Conversations) -> list[int]:
    """The first conversation up to where the assistant speaks first."""
    ids: list[int] = conversations.ids[: int(conversations.learnt.argmax())].tolist()
    return ids


def _last_said(tokenizer: BaseTokenizer, question: list[int]) -> str:
    """The text of the last turn before the assistant's; "" where there is none."""
    *words, _, _ = question  # the end of that turn, and the beginning of the answer
    special = set(tokenizer.special_tokens.values())
    begin = max((i + 1 for i, id_ in enumerate(words) if id_ in special), default=0)
    return tokenizer.decode(words[begin:])


def _tell(counts: _Counts, block_size: int, progress: Progress) -> None:
    if counts.bad:
        records = "1 record is" if counts.bad == 1 else f"{counts.bad:,} records are"
        progress.notice(f"{records} passed over; the first: {counts.first_bad}")
    if counts.divided:
        progress.notice(
            f"{counts.divided:,} conversations are longer than the model's context of "
            f"{block_size} tokens: their exchanges are shared among several windows"
        )
    if counts.lost:
        gone = f", and nothing of {counts.dropped:,} conversations" if counts.dropped else ""
        progress.notice(
            f"exchanges that are longer than the context by themselves lose their end: "
            f"{counts.lost:,} tokens of answers are not learnt{gone}"
        )


def _text_bytes(tokenizer: BaseTokenizer, conversations: Conversations) -> int:
    """Bytes of text that the learnt tokens stand for, the ends of turns left out."""
    special = set(tokenizer.special_tokens.values())
    return sum(len(tokenizer.decode_bytes(ids)) for ids in _answers(conversations, special))


def _answers(conversations: Conversations, special: set[int]) -> Iterator[list[int]]:
    """The learnt ids, turn by turn; few at a time become Python's, which are larger."""
    for begin, end in itertools.pairwise(conversations.starts.tolist()):
        turn: list[int] = []
        for i in conversations.ids[begin:end][conversations.learnt[begin:end]].tolist():
            if i in special:
                yield turn
                turn = []
            else:
                turn.append(i)
        yield turn
