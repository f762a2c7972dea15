"""Learning BPE merges.

Counting comes first: a piece that occurs a thousand times is kept once, with its multiplicity.
Then the commonest pair of neighbours is merged, over and over. A merge changes only the pieces that
hold the pair, so only their pairs are counted anew (an idea of Sennrich's subword-nmt). Ties are
broken as Hugging Face's BpeTrainer breaks them, by the smaller pair of ids: the merges are equal.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from yocto.config import END_OF_TEXT
from yocto.errors import TokenizerError
from yocto.tokenizer.base import check_special_tokens, check_text, split_special
from yocto.tokenizer.bpe import BPETokenizer, byte_vocab
from yocto.tokenizer.patterns import make_splitter
from yocto.utils.progress import Progress, SilentProgress, Task

Pair = tuple[int, int]


class BPETrainer:
    """Trains a byte-level BPE tokenizer.

    vocab_size: tokens to reach, the 256 bytes and the special tokens included.
    num_merges: merges to learn, instead of vocab_size.
    pattern: how text is cut into pieces: a named pattern or a regex.
    special_tokens: get the last ids; their text is neither merged nor split.
    min_frequency: a pair that occurs less often is not merged.

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
        special_tokens: Sequence[str] = (END_OF_TEXT,),
        min_frequency: int = 1,
    ) -> None:
        if kind != "byte-bpe":
            raise TokenizerError(f"BPETrainer can't train kind {kind!r}", "It trains byte-bpe.")
        check_special_tokens(special_tokens)
        smallest = 256 + len(special_tokens)
        if num_merges is None and vocab_size < smallest:
            raise TokenizerError(
                f"a vocabulary of {vocab_size} tokens is too small",
                f"256 bytes and {len(special_tokens)} special tokens need at least {smallest}.",
            )
        self.vocab_size = vocab_size
        self.num_merges = num_merges
        self.pattern = pattern
        self.special_tokens = tuple(special_tokens)
        self.min_frequency = max(1, min_frequency)
        self._split = make_splitter(pattern)

    def train(self, texts: str | Iterable[str], progress: Progress | None = None) -> BPETokenizer:
        """Learn merges from texts, each of which may be a whole corpus or a line.

        Stops early when no pair is left that occurs min_frequency times; vocab_size of the result
        tells how many tokens were reached.
        """
        progress = progress or SilentProgress()
        counts = self.count_pieces([texts] if isinstance(texts, str) else texts)
        vocab = byte_vocab()
        target = (1 << 62) if self.num_merges is not None else (
            self.vocab_size - len(self.special_tokens)
        )  # fmt: skip
        limit = (1 << 62) if self.num_merges is None else self.num_merges
        total = target - len(vocab) if self.num_merges is None else limit
        with progress.task("learning merges", total, "merge") as task:
            merges = learn_merges(counts, vocab, target, limit, self.min_frequency, task)
        special = {token: len(vocab) + i for i, token in enumerate(self.special_tokens)}
        return BPETokenizer(vocab, merges, self.pattern, special)

    def count_pieces(self, texts: Iterable[str]) -> Counter[str]:
        """How often each piece of the split pattern occurs."""
        counts: Counter[str] = Counter()
        for text in texts:
            check_text(text)
            for part in split_special(text, self.special_tokens):
                if part not in self.special_tokens:
                    counts.update(self._split(part))
        return counts


def learn_merges(
    counts: Counter[str],
    vocab: dict[bytes, int],
    target: int,
    limit: int,
    min_frequency: int,
    task: Task,
) -> list[tuple[bytes, bytes]]:
    """Merge the commonest pair until `vocab`, which grows, has `target` tokens or `limit` merges
    are learnt."""
    tokens = sorted(vocab, key=vocab.__getitem__)  # id -> bytes
    words = [[vocab[bytes([b])] for b in piece.encode("utf-8")] for piece in counts]
    frequencies = list(counts.values())
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
    merges: list[tuple[bytes, bytes]] = []
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
