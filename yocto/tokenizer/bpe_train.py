"""Learning BPE merges.

Counting comes first: a piece that occurs a thousand times is kept once, with its multiplicity.
Then the commonest pair of neighbours is merged, over and over. A merge changes only the pieces that
hold the pair, so only their pairs are counted anew (an idea of Sennrich's subword-nmt). Ties are
broken as Hugging Face's BpeTrainer breaks them, by the smaller pair of ids: the merges are equal.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from yocto.errors import TokenizerError
from yocto.tokenizer.bpe import BPETokenizer, T, byte_vocab
from yocto.tokenizer.byte_level import ALPHABET, CHAR_TO_BYTE, from_visible, to_visible
from yocto.tokenizer.char_bpe import BYTE_TOKENS, SUFFIX, CharBPETokenizer, symbols
from yocto.tokenizer.normalize import Normalization, make_normalizer
from yocto.tokenizer.patterns import NAMED_PATTERNS, make_splitter
from yocto.tokenizer.pay import announce, enough_for, learning_pays, modules_for
from yocto.tokenizer.piece_counts import (
    PieceCounts,
    count_in_python,
    count_with_kernels,
    encoded,
    plain_parts,
)
from yocto.tokenizer.special import check_spelling, has_space, special_tokens_of
from yocto.utils.cuts import Cuts
from yocto.utils.progress import Progress, SilentProgress, Task

if TYPE_CHECKING:
    from yocto.utils.cluster import Cluster

Pair = tuple[int, int]


class BPETrainer:
    """Trains a BPE tokenizer.

    kind: "byte-bpe", or "char-bpe".
    vocab_size: tokens to reach; bytes or characters and the special tokens included.
    num_merges: merges to learn, instead of vocab_size.
    pattern: how text is cut into pieces: a named pattern or a regex.
    special_tokens: their text is neither merged nor split. None: <|endoftext|> for byte-bpe, none
    more than <unk>, <pad>, <bos> and <eos> for char-bpe. They get the last ids of a byte-bpe
    vocabulary, the first of a char-bpe one.
    min_frequency: a pair that occurs less often is not merged.
    normalize: Unicode form that text is brought into first: "none", "nfc" or "nfkc".
    byte_fallback: char-bpe writes a character that it does not know as bytes, not as <unk>.
    workers: threads that count the pieces of a long text; the merges don't depend on them.

    >>> tokenizer = BPETrainer(vocab_size=300).train(["the theme of the thesis"])
    >>> tokenizer.decode(tokenizer.encode("the thesis"))
    'the thesis'
    """

    def __init__(
        self,
        kind: str = "byte-bpe",
        vocab_size: int = 8000,
        num_merges: int | None = None,
        pattern: str = "gpt2",
        special_tokens: Sequence[str] | None = None,
        min_frequency: int = 1,
        normalize: Normalization = "none",
        byte_fallback: bool = False,
        workers: int = 1,
    ) -> None:
        if kind not in ("byte-bpe", "char-bpe"):
            raise TokenizerError(
                f"BPETrainer can't train kind {kind!r}", "It trains byte-bpe and char-bpe."
            )
        if byte_fallback and kind == "byte-bpe":
            raise TokenizerError(
                "byte fallback is for char-bpe: byte-bpe knows all bytes", "Leave it out."
            )
        self.kind = kind
        self.vocab_size = vocab_size
        self.num_merges = num_merges
        self.pattern = pattern
        self.special_tokens = special_tokens_of(kind, special_tokens)
        self.min_frequency = max(1, min_frequency)
        self.normalize: Normalization = normalize
        self.byte_fallback = byte_fallback
        self.workers = workers
        self._split = make_splitter(pattern)
        self._normalized = make_normalizer(normalize)
        if kind == "byte-bpe":
            self._check_room(256 + len(self.special_tokens), "256 bytes")
            check_spelling(self.special_tokens, map(to_visible, byte_vocab()))

    @property
    def cuts(self) -> Cuts:
        """Where a text may be cut into parts (utils/cuts.py): nowhere if a regex of the user's own,
        or a special token with a space in it, may reach over a cut."""
        can_cut = self.pattern in NAMED_PATTERNS and not has_space(self.special_tokens)
        return "raw" if can_cut else "none"

    def train(
        self,
        texts: str | Iterable[str],
        progress: Progress | None = None,
        size: int | None = None,
        cluster: Cluster | None = None,
    ) -> BPETokenizer | CharBPETokenizer:
        """Learn merges from texts, each of which may be a whole corpus or a line.

        size: the bytes of all texts, if they are known; from that it is clear at once whether
        the kernels are worth it. cluster: counts the pieces, if there is one. Stops early when no
        pair is left that occurs min_frequency times; vocab_size of the result tells how many tokens
        were reached.
        """
        progress = progress or SilentProgress()
        may_cut = self.cuts != "none"
        say = cache(progress.say)  # the same thing once
        counts: Counter[str]
        pieces: PieceCounts | None
        if cluster is not None:
            from yocto.tokenizer.remote_counts import CountRules, count_on_cluster

            special = tuple(self.special_tokens)
            rules = CountRules(self.pattern, special, self.normalize, may_cut, size)
            counts = Counter()
            pieces = count_on_cluster(texts, rules, cluster, progress)
        else:
            parts = plain_parts(
                texts, self.special_tokens, self._normalized, progress, size, may_cut
            )
            counts, pieces = self._count(parts, say, size)
        if self.kind == "byte-bpe":
            return self._train_bytes(counts, pieces, progress, say)
        return self._train_chars(counts if pieces is None else pieces.texts(), progress)

    def _count(
        self, parts: Iterable[str], say: Callable[[str], None], size: int | None
    ) -> tuple[Counter[str], PieceCounts | None]:
        """How often each piece occurs, from plain Python or, in a long text, from the kernels."""
        modules = modules_for(self.pattern, "count", "encode")
        counts, rest = count_in_python(parts, self._split, enough_for(*modules, size=size))
        if rest is None:
            return counts, None
        announce(say, *modules)
        return counts, count_with_kernels(rest, self.pattern, self.workers, counts)

    def _train_bytes(
        self,
        counts: Counter[str],
        pieces: PieceCounts | None,
        progress: Progress,
        say: Callable[[str], None],
    ) -> BPETokenizer:
        symbols = sum(map(len, counts)) if pieces is None else len(pieces.data)
        if learning_pays(symbols):
            announce(say, "learn")
            pieces = PieceCounts.of(encoded(counts)) if pieces is None else pieces
            vocab, merges = self._learn_with_kernels(pieces, progress)
        else:
            counter = encoded(counts) if pieces is None else pieces.counter()
            vocab, merges = self._learn_in_python(counter, progress)
        special = {token: len(vocab) + i for i, token in enumerate(self.special_tokens)}
        return BPETokenizer(vocab, merges, self.pattern, special, self.normalize)

    def _learn_in_python(
        self, counts: Counter[bytes], progress: Progress
    ) -> tuple[dict[bytes, int], list[tuple[bytes, bytes]]]:
        vocab = byte_vocab()
        words = [[vocab[bytes([b])] for b in piece] for piece in counts]
        target = self.vocab_size - len(self.special_tokens)

        def taken(left: bytes, right: bytes) -> bool:
            """Whether tokenizer.json would write the token as it writes a special one."""
            return to_visible(left + right) in self.special_tokens

        return vocab, self._learn(words, list(counts.values()), vocab, target, taken, progress)

    def _learn_with_kernels(
        self, pieces: PieceCounts, progress: Progress
    ) -> tuple[dict[bytes, int], list[tuple[bytes, bytes]]]:
        from yocto.tokenizer.bpe_learn import learn_byte_merges

        target = self.vocab_size - len(self.special_tokens)
        limit = target - 256 if self.num_merges is None else self.num_merges
        forbidden = [
            from_visible(token)
            for token in self.special_tokens
            if CHAR_TO_BYTE.keys() >= set(token)
        ]
        with progress.task("learning merges", limit, "merge") as task:
            made = learn_byte_merges(
                pieces, target if self.num_merges is None else 1 << 30, limit, self.min_frequency,
                forbidden, task,
            )  # fmt: skip
        tokens = list(ALPHABET)
        merges = []
        for left, right, token in made:
            merges.append((tokens[left], tokens[right]))
            if token == len(tokens):  # else it was there already
                tokens.append(tokens[left] + tokens[right])
        return {token: i for i, token in enumerate(tokens)}, merges

    def _train_chars(self, counts: Counter[str], progress: Progress) -> CharBPETokenizer:
        special = {token: i for i, token in enumerate(self.special_tokens)}
        seen = set("".join(counts))
        if self.byte_fallback:
            seen |= set(SUFFIX)  # so that the mark's bytes are never text: see CharBPETokenizer
        alphabet = sorted(seen)
        first = [*special, *(BYTE_TOKENS if self.byte_fallback else ()), *alphabet]
        tokens = [*first, *(character + SUFFIX for character in alphabet)]
        check_spelling(self.special_tokens, tokens[len(special) :])
        bytes_too = "256 bytes, " if self.byte_fallback else ""
        what = f"{bytes_too}{len(alphabet)} characters, inside a piece and at its end,"
        self._check_room(len(tokens), what)
        vocab = {token: i for i, token in enumerate(tokens)}
        reserved = frozenset([*special, *BYTE_TOKENS])

        def taken(left: str, right: str) -> bool:
            """Whether a text's own characters spell something that is not text."""
            marked = right.endswith(SUFFIX)  # no token of text alone ends in it, by this very rule
            text = left + (right.removesuffix(SUFFIX) if marked else right)
            return left + right in reserved or SUFFIX in text

        words = [[vocab[symbol] for symbol in symbols(piece)] for piece in counts]
        merges = self._learn(words, list(counts.values()), vocab, self.vocab_size, taken, progress)
        for token in special:
            del vocab[token]
        return CharBPETokenizer(
            vocab, merges, self.pattern, special, self.normalize, self.byte_fallback
        )

    def _learn(
        self,
        words: list[list[int]],
        frequencies: list[int],
        vocab: dict[T, int],
        target: int,
        taken: Callable[[T, T], bool],
        progress: Progress,
    ) -> list[tuple[T, T]]:
        limit = target - len(vocab) if self.num_merges is None else self.num_merges
        with progress.task("learning merges", limit, "merge") as task:
            if self.num_merges is not None:
                target = 1 << 62
            return learn_merges(
                words, frequencies, vocab, target, limit, self.min_frequency, taken, task
            )

    def _check_room(self, smallest: int, what: str) -> None:
        if self.num_merges is None and self.vocab_size < smallest:
            raise TokenizerError(
                f"a vocabulary of {self.vocab_size} tokens is too small",
                f"{what} and {len(self.special_tokens)} special tokens need at least "
                f"{smallest}: --vocab-size {smallest}",
            )


def learn_merges(
    words: list[list[int]],
    frequencies: Sequence[int],
    vocab: dict[T, int],
    target: int,
    limit: int,
    min_frequency: int,
    taken: Callable[[T, T], bool],
    task: Task,
) -> list[tuple[T, T]]:
    """Merge the commonest pair until `vocab`, which grows, has `target` tokens or `limit` merges
    are learnt.

    words: pieces as ids of their smallest tokens; changed in place. taken: tells of a pair whose
    token no merge may make.
    """
    tokens = sorted(vocab, key=vocab.__getitem__)  # id -> token
    pair_counts: defaultdict[Pair, int] = defaultdict(int)
    where: defaultdict[Pair, set[int]] = defaultdict(set)  # pair -> words that (may) hold it
    for w, word in enumerate(words):
        for pair in pairwise(word):
            pair_counts[pair] += frequencies[w]
            where[pair].add(w)

    # A lazy heap: a count that fell since it was pushed is noticed when it comes up, and pushed
    # again; one that rose is pushed at once. So the top, once checked, is the true maximum.
    heap = [(-count, pair) for pair, count in pair_counts.items()]
    heapq.heapify(heap)
    merges: list[tuple[T, T]] = []
    while heap and len(vocab) < target and len(merges) < limit:
        negative, pair = heapq.heappop(heap)
        count = pair_counts[pair]
        if count != -negative:
            if count > 0:
                heapq.heappush(heap, (-count, pair))
            continue
        if count < min_frequency:
            break
        left, right = tokens[pair[0]], tokens[pair[1]]
        if taken(left, right):
            continue
        # Two ways may lead to the same token (ab + c, a + bc): it keeps its first id.
        new = vocab.setdefault(left + right, len(tokens))
        if new == len(tokens):
            tokens.append(left + right)
        merges.append((left, right))
        raised: set[Pair] = set()
        for w in where.pop(pair):
            words[w] = _merge_word(words[w], pair, new, frequencies[w], pair_counts, raised)
            for neighbours in pairwise(words[w]):
                if new in neighbours:
                    where[neighbours].add(w)
        for risen in raised:
            if pair_counts[risen] > 0:
                heapq.heappush(heap, (-pair_counts[risen], risen))
        task.advance()
    return merges


def _merge_word(
    word: list[int],
    pair: Pair,
    new: int,
    frequency: int,
    pair_counts: defaultdict[Pair, int],
    raised: set[Pair],
) -> list[int]:
    """The word with the pair merged, left to right; keeps the pair counts true."""
    for neighbours in pairwise(word):
        pair_counts[neighbours] -= frequency
    merged: list[int] = []
    i, end = 0, len(word)
    left, right = pair
    while i < end:
        if word[i] == left and i + 1 < end and word[i + 1] == right:
            merged.append(new)
            i += 2
        else:
            merged.append(word[i])
            i += 1
    for neighbours in pairwise(merged):
        pair_counts[neighbours] += frequency
        if new in neighbours:
            raised.add(neighbours)
    return merged
