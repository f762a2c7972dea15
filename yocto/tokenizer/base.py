"""What every tokenizer offers, and how special tokens in a text are treated."""

from __future__ import annotations

import codecs
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.normalize import check_text
from yocto.tokenizer.special import (
    BOS,
    EOS,
    PAD,
    UNK,
    end_token_of,
    missing_tokens,
    separator_of,
    split_special,
)
from yocto.utils.cuts import Cuts

if TYPE_CHECKING:
    from numpy.typing import NDArray

AllowedSpecial = str | Collection[str]

# In the order in which one that opens a folder looks for them.
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "ids.json")
CORPUS_FILE = "corpus.json"  # which text yocto trained the tokenizer on, for encode and train


class BaseTokenizer(ABC):
    """Text to ids and back.

    kind: the tokenizer's name on the command line ("char", "byte-bpe", "char-bpe", "word").
    special_tokens: text -> id of tokens that stand for no text, such as <|endoftext|>. They are
    made from a text only where `allowed_special` says so.
    frame: the special tokens that `add_special_tokens` puts before and after the ids, where there
    are such.
    """

    kind: str
    special_tokens: dict[str, int]
    frame: tuple[tuple[str, ...], tuple[str, ...]] = (BOS,), (EOS,)

    # ------------------------------------------------------------------ what a kind has to bring

    @classmethod
    @abstractmethod
    def train(cls, texts: Iterable[str], **options: Any) -> BaseTokenizer:
        """Learn a vocabulary from texts."""

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """One more than the largest id."""

    @abstractmethod
    def _encode_plain(self, text: str) -> list[int]:
        """The ids of a text that holds no special token."""

    @abstractmethod
    def token_bytes(self, token_id: int) -> bytes:
        """What one id stands for, in UTF-8; a TokenizerError for an id that is not there."""

    @abstractmethod
    def files(self) -> Mapping[str, str | bytes]:
        """The files that `save` writes: name -> content. The first one alone can be loaded."""

    # ------------------------------------------------------------------------------------ encode

    def encode(
        self,
        text: str,
        allowed_special: AllowedSpecial = "none_raise",
        add_special_tokens: bool = False,
    ) -> list[int]:
        """Text to ids.

        allowed_special: what to do where the text holds a special token's text: "none_raise" raises
        a TokenizerError, "none" takes it as plain text, "all" makes the special id of it, and a set
        makes the special ids of its members and takes the others as plain text.
        add_special_tokens: put <bos> before the ids and <eos> after them, where there are such, or
        what else the tokenizer's file says (`frame`).
        """
        check_text(text)
        ids: list[int] = []
        allowed = self._allowed(text, allowed_special)
        for part in split_special(text, allowed):
            if part in allowed:
                ids.append(self.special_tokens[part])
            else:
                ids.extend(self._encode_plain(part))
        if add_special_tokens:
            before, after = self.frame
            return [*self._ids_of(before), *ids, *self._ids_of(after)]
        return ids

    def _ids_of(self, tokens: Iterable[str]) -> list[int]:
        return [self.special_tokens[token] for token in tokens if token in self.special_tokens]

    def _allowed(self, text: str, allowed_special: AllowedSpecial) -> Collection[str]:
        if allowed_special == "all":
            return self.special_tokens
        if allowed_special == "none":
            return ()
        if allowed_special == "none_raise":
            for token in self.special_tokens:
                if (at := text.find(token)) >= 0:
                    raise TokenizerError(
                        f"the text holds the special token {token!r} at character {at}",
                        'Pass allowed_special="none" to take it as text, "all" to make its id.',
                    )
            return ()
        if isinstance(allowed_special, str):
            raise TokenizerError(
                f"allowed_special is {allowed_special!r}",
                'It takes "none_raise", "none", "all", or a set of special tokens.',
            )
        for token in allowed_special:
            if token not in self.special_tokens:
                raise TokenizerError(
                    f"{token!r} is no special token of this tokenizer",
                    "It has " + (", ".join(map(repr, self.special_tokens)) or "none") + ".",
                )
        return frozenset(allowed_special)

    def expect(self, size: int, say: Callable[[str], None]) -> None:
        """Get ready for a text of `size` bytes, in as many parts as may be: a kind that has a fast
        way for long texts takes it from the first part on. say: is told if that takes time."""
        return

    def encode_bytes(self, data: bytes) -> list[int]:
        """The ids of any bytes, special tokens taken as plain text."""
        try:
            return self._encode_plain(data.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise TokenizerError(
                f"byte {error.start} is not UTF-8, and a {self.kind} tokenizer knows text only",
                "Encode the text as UTF-8, or use a byte-bpe tokenizer.",
            ) from error

    def encode_to_numpy(self, text: str | bytes, workers: int = 1) -> NDArray[Any]:
        """The ids of a text (str, or UTF-8 bytes) as a 1-D array, special tokens as plain text.

        The array is uint16, or uint32 when vocab_size is above 65536: what a .bin file holds.
        workers: threads that may share a long text, where the kind has a way to; never other ids.
        """
        import numpy as np

        if isinstance(text, bytes):
            ids = self.encode_bytes(text)
        else:
            ids = self.encode(text, allowed_special="none")
        return np.array(ids, id_dtype(self.vocab_size))

    def encode_batch(
        self,
        texts: Sequence[str],
        allowed_special: AllowedSpecial = "none_raise",
        add_special_tokens: bool = False,
        workers: int = 1,
    ) -> list[list[int]]:
        """The ids of many texts, as `encode` makes them. workers: threads that share the texts."""
        for text in texts:
            check_text(text)
        marked = [i for i, text in enumerate(texts) if any(t in text for t in self.special_tokens)]
        if add_special_tokens or marked:
            for i in marked:  # an error names the place in the text
                self._allowed(texts[i], allowed_special)
            return [self.encode(text, allowed_special, add_special_tokens) for text in texts]
        self._allowed("", allowed_special)
        return [to_list(ids) for ids in self.encode_batch_to_numpy(texts, workers)]

    def encode_batch_to_numpy(self, texts: Sequence[str], workers: int = 1) -> list[NDArray[Any]]:
        """The ids of many texts, special tokens as plain text, each as `encode_to_numpy` makes
        them."""
        return [self.encode_to_numpy(text) for text in texts]

    @property
    def cuts(self) -> Cuts:
        """Where a text may be cut into parts whose ids are those of the whole: nowhere, or as
        utils/cuts.py cuts it, "raw" or anywhere there."""
        return "none"

    @property
    def parallel(self) -> Literal["threads", "processes", "no"]:
        """What shares bulk work: threads don't where Python itself encodes; "no": one is as quick
        as the disk."""
        return "processes"

    def encode_documents(self, parts: Sequence[bytes | None]) -> NDArray[Any]:
        """The ids of texts in UTF-8, special tokens as plain text; None between two of them ends a
        document, and becomes the end token where there is one. What is not parted so is one text.

        A 1-D array, as encode_to_numpy gives it. For bulk work, by several threads if need be.
        """
        import numpy as np

        texts: list[list[bytes]] = [[]]
        for part in parts:
            if part is None:
                texts.append([])
            else:
                texts[-1].append(part)
        made = self.encode_batch_to_numpy([b"".join(text).decode("utf-8") for text in texts])
        end = np.array([] if self.end_id is None else [self.end_id], id_dtype(self.vocab_size))
        joined = [array for ids in made for array in (end, ids)]
        return np.concatenate(joined[1:])

    # ------------------------------------------------------------------------------------ decode

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes that ids stand for."""
        return b"".join(map(self.token_bytes, plain_ints(ids)))

    def decode(self, ids: Iterable[int]) -> str:
        """The text that ids stand for; bytes that are no UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def bytes_after(self, previous: int | None, token_id: int) -> bytes:
        """What an id stands for where it follows another one; None: at the start."""
        return self.token_bytes(token_id)

    def is_fallback(self, token_id: int) -> bool:
        """Whether an id is what is left where the vocabulary knows nothing better: a single byte of
        a longer character, <0xNN>, or what stands for something unknown."""
        if token_id == self.unk_id:
            return True
        data = self.token_bytes(token_id)
        return len(data) == 1 and data[0] >= 0x80

    def stream_decoder(self, after: int | None = None) -> StreamDecoder:
        """A decoder for ids that come one by one; `after` is the id before them."""
        return StreamDecoder(self, after)

    # ------------------------------------------------------------------ special tokens, identity

    @property
    def unk_id(self) -> int | None:
        """The id of <unk>, which stands for what the vocabulary lacks."""
        return self.special_tokens.get(UNK)

    @property
    def pad_id(self) -> int | None:
        """The id of <pad>, which fills a batch up."""
        return self.special_tokens.get(PAD)

    @property
    def bos_id(self) -> int | None:
        """The id of <bos>, or of whatever else begins a text with add_special_tokens."""
        return next(iter(self._ids_of(self.frame[0])), None)

    @property
    def eos_id(self) -> int | None:
        """The id of <eos>, or of whatever else ends a document."""
        return self.special_tokens.get(EOS, self.end_id)

    @property
    def separator(self) -> str:
        """The line that ends a document in a text file."""
        return separator_of(self.special_tokens)

    @property
    def end_token(self) -> str | None:
        """The special token that ends a document."""
        return end_token_of(self.special_tokens)

    @property
    def end_id(self) -> int | None:
        """The id of end_token."""
        return None if self.end_token is None else self.special_tokens[self.end_token]

    @cached_property
    def _contents(self) -> Mapping[str, str | bytes]:
        """What `files` gives: writing a large vocabulary out takes a third of a second."""
        return self.files()

    @cached_property
    def sha256(self) -> str:
        """The identity of this tokenizer: the SHA-256 of the main file that `save` writes."""
        main = next(iter(self._contents.values()))
        return hashlib.sha256(_as_bytes(main)).hexdigest()

    def with_special_tokens(self, tokens: Sequence[str]) -> BaseTokenizer:
        """A tokenizer that has these special tokens, too, and <|endoftext|> where none ends a
        document yet: those that it lacks get the ids after the last one, all others stay.

        Raises TokenizerError for a token that is spelled like one of text, and where another
        library's tokenizer takes no more.
        """
        missing = missing_tokens(self.special_tokens, self.end_token, tokens)
        if not missing:
            return self
        size = self.vocab_size
        made = self._with_special({token: size + i for i, token in enumerate(missing)})
        if "frame" in vars(self):  # the file's, not the kind's
            made.frame = self.frame
        return made

    def _with_special(self, added: Mapping[str, int]) -> BaseTokenizer:
        """A copy with these special tokens besides."""
        raise TokenizerError(
            f"a {self.kind} tokenizer takes no more special tokens",
            "Train a model with one of yocto's own tokenizers: yocto train-tokenizer",
        )

    # ------------------------------------------------------------------------------------- files

    def save(self, path: str | Path) -> None:
        """Write the tokenizer's files into a folder, each one atomically; or, where the path ends
        in .tiktoken, a rank file, which names neither the split pattern nor special tokens.

        Where yocto trained another kind there before, the files that only that one had are deleted:
        what lies there is one tokenizer. Raises TokenizerFileError, and writes nothing, where
        somebody else's would be found before this one, and TokenizerError where a rank file can't
        say what this tokenizer does.
        """
        from yocto.utils.files import atomic_file, remove

        folder = Path(path)
        if folder.suffix == ".tiktoken":
            from yocto.tokenizer.tiktoken import rank_file

            content = rank_file(self)
            with atomic_file(folder) as file:
                file.write(content)
            return
        files = self._contents
        self.check_room(folder)
        for name, text in files.items():
            with atomic_file(folder / name) as file:
                file.write(_as_bytes(text))
        if (folder / CORPUS_FILE).exists():
            for name in TOKENIZER_FILES:
                if name not in files:
                    remove(folder / name)

    def check_room(self, folder: Path) -> None:
        """Raise TokenizerFileError where `save` would refuse a folder: before long work, say."""
        main = next(iter(self._contents))
        for name in takewhile(lambda name: name != main, TOKENIZER_FILES):
            if (folder / name).exists() and not (folder / CORPUS_FILE).exists():
                raise TokenizerFileError(
                    f"{folder} holds another tokenizer's {name}",
                    "Choose another folder for the output.",
                )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a tokenizer of this kind (of any kind: BaseTokenizer.load) from a folder or file."""
        from yocto.tokenizer.store import load_tokenizer

        tokenizer = load_tokenizer(path)
        if not isinstance(tokenizer, cls):
            raise TokenizerError(f"{path} holds a {tokenizer.kind} tokenizer, not a {cls.kind} one")
        return tokenizer


class StreamDecoder:
    """Ids to text, one at a time, in pieces that never break a character.

    The bytes of a character that is spread over several tokens (an emoji, say) are held back until
    its last one is there.
    """

    def __init__(self, tokenizer: BaseTokenizer, after: int | None = None) -> None:
        self._bytes_after = tokenizer.bytes_after
        self._previous = after
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token_id: int) -> str:
        """The text that is complete now; may be empty."""
        data = self._bytes_after(self._previous, token_id)
        self._previous = token_id
        return self._utf8.decode(data)

    def finish(self) -> str:
        """What is left at the end: U+FFFD for a character that was never completed."""
        return self._utf8.decode(b"", final=True)


def _as_bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content


def id_dtype(vocab_size: int) -> Any:
    """The NumPy type of ids: what a .bin file holds."""
    import numpy as np

    return np.uint16 if vocab_size <= 65536 else np.uint32


def to_list(ids: NDArray[Any]) -> list[int]:
    """Ids as Python numbers."""
    return cast("list[int]", ids.tolist())


def sorted_by_id(vocab: Mapping[str, int]) -> dict[str, int]:
    """A vocabulary in the order of its ids."""
    return dict(sorted(vocab.items(), key=lambda item: item[1]))


def token_table(vocab: Mapping[bytes, int], special: Mapping[str, int]) -> dict[int, bytes]:
    """Id -> bytes. Raises TokenizerError where two tokens share an id, or where ids lie so far
    apart that a model would carry more rows for no token than for tokens."""
    table = {i: token for token, i in vocab.items()}
    for text, i in special.items():
        if i in table:
            raise TokenizerError(f"id {i} stands for {text!r} and another token")
        table[i] = text.encode("utf-8")
    if len(table) != len(vocab) + len(special):
        raise TokenizerError("two tokens of the vocabulary have the same id")
    if min(table, default=0) < 0:
        raise TokenizerError("a token of the vocabulary has a negative id")
    if max(table, default=0) > 2 * len(table) + 200_000:
        raise TokenizerError(f"ids go up to {max(table)}, but there are only {len(table)} tokens")
    return table


def unknown_id(token_id: int, vocab_size: int) -> TokenizerError:
    """The error for an id that no token has."""
    return TokenizerError(
        f"id {token_id} is not in the vocabulary of {vocab_size}",
        "These ids come from another tokenizer.",
    )


def plain_ints(ids: Iterable[int]) -> Iterable[int]:
    """Python integers, whatever array or tensor the ids come in."""
    tolist = getattr(ids, "tolist", None)
    return tolist() if tolist is not None else ids
