"""Tokenizers side by side on several texts, and those of several sizes and domains."""

from __future__ import annotations

from dataclasses import dataclass

from yocto.evaluation.domains import Unfilled
from yocto.evaluation.tokenizer_figures import TokenizerFigures


@dataclass(frozen=True)
class CorpusFigures:
    """What all tokenizers make of one text, or of its last tenth, with its own counts: words are
    runs of characters that are no white space."""

    name: str
    path: str
    part: str  # "all", or "last tenth"
    bytes: int
    characters: int
    words: int
    documents: int
    tokenizers: list[TokenizerFigures]


@dataclass(frozen=True)
class TokenizerComparison:
    """What was measured. sizes: those that tokenizers were trained for here, on the first nine
    tenths of each text; unfilled: those that a text had too little for. out_path: the picture.
    saved: name of a trained tokenizer -> its folder."""

    corpora: list[CorpusFigures]
    sizes: list[int]
    kind: str | None
    pattern: str | None
    unfilled: list[Unfilled]
    out_path: str | None
    saved: dict[str, str]

    def notes(self) -> list[str]:
        """What a reader of the figures has to know besides."""
        lines = []
        for domain in dict.fromkeys(u.trained_on for u in self.unfilled):
            found = [u for u in self.unfilled if u.trained_on == domain]
            small = [f"{u.wanted:,}" for u in found if u.reached is None]
            large = [f"{u.wanted:,}" for u in found if u.reached is not None]
            if small:
                lines.append(f"{domain} has too many characters for {_and(small)} tokens")
            if large:
                reached = max(u.reached or 0 for u in found)
                lines.append(f"{domain} fills {reached:,} tokens, not {_and(large)}")
        return lines


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
