"""Write the training corpus: plain English talk about philosophical matters.

    python data/make_philosophy.py [--out data/philosophy.txt] [--seed 1]

The word lists and the clauses about each topic live in philosophy_lexicon.txt, the sentence
frames in philosophy_frames.py; this file joins them. The output depends only on the seed and
those two files: all chance comes from random.Random(seed).random(), which gives the same
numbers on every system and Python version.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import philosophy_frames as frames

HERE = Path(__file__).resolve().parent
SIZE = 2_560_000  # characters in the whole file, about
SHARES = {"chat": 0.62, "dialogue": 0.14, "tale": 0.12, "aphorism": 0.12}
SENTENCE_LIMIT = 11  # no sentence occurs more often than this in the whole file
MOST_PAIRS = 4  # of User and Assistant turns in one block
ENDS_WITH_CVC = re.compile(r"^[^aeiou]*[aeiou][^aeiouwxy]$")  # stir, dig: double the last letter
SLOT = re.compile(r"\{([^{}]+)\}")
SPEAKER = re.compile(r"^[A-Z][a-z]+: ")
VOWEL_SOUND = re.compile(r"(?!one\b|use|uni|eu|ewe)[aeiou]|hour|honest|heir|honor", re.I)

T = TypeVar("T")


class Chance:
    """Choices drawn from Random.random() only, whose sequence Python promises to keep."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def number(self) -> float:
        return self._random()

    def choose(self, items: Sequence[T]) -> T:
        return items[int(self._random() * len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        out = list(items)
        for i in range(len(out) - 1, 0, -1):
            j = int(self._random() * (i + 1))
            out[i], out[j] = out[j], out[i]
        return out


class Deck:
    """Deals items in shuffled rounds, so that every word of a list is used equally often."""

    def __init__(self, items: Sequence[T], chance: Chance) -> None:
        self._items, self._chance, self._left = list(items), chance, []

    def deal(self) -> T:
        if not self._left:
            self._left = self._chance.shuffled(self._items)
        return self._left.pop()


@dataclass
class Concept:
    """One topic and the hand-written clauses about it (see the head of the lexicon)."""

    name: str
    kind: str
    adj: str
    opp: str
    clauses: dict[str, list[str]]


# ---------------------------------------------------------------- reading the lexicon

MARKS = {"=": "is", ">": "does", "+": "how", "?": "why", "@": "seen", "~": "image", "-": "enemy"}


def read_sections(path: Path) -> dict[str, list[str]]:
    """Split the lexicon into its [sections]; drop comments and blank lines."""
    sections: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            sections[line.strip("[]")] = current = []
        elif line and not line.startswith("#"):
            current.append(line)
    return sections


def read_concepts(lines: list[str]) -> list[Concept]:
    """Build the topics: a head line, then one line of clauses for each mark."""
    concepts: list[Concept] = []
    for line in lines:
        mark, rest = line[0], line[2:]
        if mark in MARKS and line[1] == " ":
            concepts[-1].clauses[MARKS[mark]] = rest.split(" / ")
        else:
            name, kind, adj, opp, friends = line.split(" : ")
            concepts.append(Concept(name, kind, adj, opp, {"friend": friends.split(", ")}))
    return concepts


def words_of(lines: list[str]) -> list[str]:
    return [word for line in lines for word in line.split(", ")]


def rows_of(lines: list[str]) -> list[list[str]]:
    return [line.split(" | ") for line in lines]


# ---------------------------------------------------------------- inflection


class Inflector:
    """Plurals and verb forms: rules, and the lexicon's table of exceptions before them."""

    def __init__(self, rows: list[list[str]]) -> None:
        self._odd = {(form, base): result for form, base, result in rows}

    def plural(self, noun: str) -> str:
        head, _, last = noun.rpartition(" ")
        odd = self._odd.get(("plural", last))
        return f"{head} {odd or self._add_s(last)}".strip()

    def verb(self, form: str, phrase: str) -> str:
        """Inflect the first word of a verb phrase: form is third, past or ing."""
        base, _, rest = phrase.partition(" ")
        return f"{self._odd.get((form, base)) or self._regular(form, base)} {rest}".strip()

    def _regular(self, form: str, base: str) -> str:
        if form == "third":
            return self._add_s(base)
        stem = base + base[-1] if ENDS_WITH_CVC.match(base) else base
        if form == "ing":
            silent_e = base.endswith("e") and not base.endswith("ee")
            return (base[:-1] if silent_e else stem) + "ing"
        if base.endswith("e"):
            return base + "d"
        if re.search(r"[^aeiou]y$", base):
            return base[:-1] + "ied"
        return stem + "ed"

    @staticmethod
    def _add_s(word: str) -> str:
        if re.search(r"[^aeiou]y$", word):
            return word[:-1] + "ies"
        return word + ("es" if re.search(r"(s|x|z|ch|sh)$", word) else "s")


def with_article(phrase: str) -> str:
    return ("an " if VOWEL_SOUND.match(phrase) else "a ") + phrase


def sentence_case(text: str) -> str:
    """Capitalize the first letter, and the first letter after the end of each sentence."""
    return re.sub(r'(^"?|[.!?] "?)([a-z])', lambda m: m[1] + m[2].upper(), text)


# ---------------------------------------------------------------- counting sentences


def sentence_keys(line: str) -> list[str]:
    """The sentences of a line as a counter sees them: no speaker, quotes or letter case."""
    bare = SPEAKER.sub("", line).replace('"', "").lower()
    pieces = [piece.strip(" ,;") for piece in re.split(r"[.!?]", bare)]
    return list(dict.fromkeys([piece for piece in pieces if piece] + [bare.strip(" .!?")]))


class Ledger:
    """Counts every sentence of the file, and refuses one that has been said often enough."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        self._blocks: dict[str, bool] = {}

    def has_room(self, text: str) -> bool:
        return all(self._count[key] < SENTENCE_LIMIT for key in sentence_keys(text))

    def accept(self, lines: list[str]) -> bool:
        """Enter a block, or refuse it whole if a sentence or the block is over its limit."""
        new = Counter(key for line in lines for key in sentence_keys(line))
        block = "\n".join(lines)
        full = any(self._count[key] + n > SENTENCE_LIMIT for key, n in new.items())
        if full or block in self._blocks:
            return False
        self._count.update(new)
        self._blocks[block] = True
        return True


# ---------------------------------------------------------------- the writer


class Writer:
    """Fills sentence frames with words; begin() clears what one block must not repeat."""

    def __init__(self, sections: dict[str, list[str]], chance: Chance, ledger: Ledger) -> None:
        self.chance, self.ledger = chance, ledger
        self.inflector = Inflector(rows_of(sections["irregular"]))
        self.concepts = read_concepts(sections["concepts"])
        self.by_name = {concept.name: concept for concept in self.concepts}
        self._stock: dict[str, Sequence[Any]] = {}
        self._decks: dict[str, Deck] = {}
        self._form = ""
        self._frame_decks: dict[int, Deck] = {}
        self.topics = Deck(self.concepts, chance)
        for name in frames.WORD_SECTIONS:
            self._stock[name] = words_of(sections[name])
        for name in frames.ROW_SECTIONS:
            self._stock[name] = rows_of(sections[name])
        self._stock["goods"] = self._pair_goods(sections)
        self._stock["foods"] = self._pair_foods(sections)
        served = [pair for pair in self._stock["foods"] if pair[1] in frames.DISHES]
        self._stock["meals"] = served
        self._teachers = rows_of(sections["teachers"])
        self._teacher_deck = Deck(self._teachers, chance)
        self.begin()

    def _pair_goods(self, sections: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
        """Each household thing with the adjectives that suit what it is made of."""
        pairs = []
        for material in frames.MATERIALS:
            adjectives = sections[material][0].split(", ")
            pairs += [(good, adjectives) for good in words_of(sections[material][1:])]
        return pairs

    def _pair_foods(self, sections: dict[str, list[str]]) -> list[tuple[str, str]]:
        rows = rows_of(sections["foods"])
        return [(food, holder) for holder, foods in rows for food in foods.split(", ")]

    def begin(self, concept: Concept | None = None) -> None:
        """Start a block about a topic (a new one from the deck unless it is given)."""
        self.concept = concept or self.topics.deal()
        self.bound: dict[str, str] = {}
        self.failed = self.stale = False
        self._said: dict[str, bool] = {}
        self._frames_used: dict[str, bool] = {}

    # -- slots

    def _clause(self, field: str) -> str:
        """A clause about the topic that this block has not used yet, if one is left."""
        options = self.concept.clauses[field]
        fresh = [option for option in options if option not in self._said]
        self.stale = self.stale or not fresh
        clause = self.chance.choose(fresh or options)
        self._said[clause] = True
        return clause

    def _deal(self, name: str) -> Any:
        """Deal from a list; each form asked for has its own deck, so that all forms occur."""
        key = f"{name} {self._form}"
        if key not in self._decks:
            self._decks[key] = Deck(self._stock[name], self.chance)
        return self._decks[key].deal()

    def _bind(self, slot: str, how: str = "") -> None:
        """Draw the words of one slot family, and keep them for the rest of the sentence group."""
        stem = slot.rstrip("0123456789")
        number = slot[len(stem) :]
        self._form = f"{stem} {how}"
        bind = getattr(self, f"_bind_{frames.SLOT_FAMILY[stem]}", None)
        if bind is not None:
            bind(number)
        else:
            self.bound[slot] = self._deal(frames.SLOT_FAMILY[stem])

    def _bind_person(self, number: str) -> None:
        woman = self.chance.number() < 0.5
        taken = [self.bound.get(f"name{n}") for n in ("", "1", "2", "3")]
        name = self._deal("women" if woman else "men")
        while name in taken:
            name = self._deal("women" if woman else "men")
        forms = ("she", "her", "her", "woman") if woman else ("he", "him", "his", "man")
        keys = ("they", "them", "their", "person")
        self.bound[f"name{number}"] = name
        self.bound.update({key + number: form for key, form in zip(keys, forms, strict=True)})

    def _bind_trade(self, number: str) -> None:
        trade, verb, thing, tool, place = self._deal("trades")
        self.bound.update({f"trade{number}": trade, f"tool{number}": tool, f"shop{number}": place})
        self._bind_action(f"act{number}", verb, thing)

    def _bind_action(self, key: str, verb: str, thing: str) -> None:
        self.bound[key] = f"{verb} {thing}"
        for form in ("third", "past", "ing"):
            self.bound[f"{key}_{form}"] = f"{self.inflector.verb(form, verb)} {thing}"

    def _bind_deed(self, number: str) -> None:
        verb, thing, topic = self._deal("deeds")
        self._bind_action(f"deed{number}", verb, thing)
        self.bound[f"deedtopic{number}"] = topic

    def _bind_misdeed(self, number: str) -> None:
        verb, thing, topic = self._deal("misdeeds")
        self._bind_action(f"misdeed{number}", verb, thing)
        self.bound[f"misdeedtopic{number}"] = topic

    def _bind_good(self, number: str) -> None:
        good, adjectives = self._deal("goods")
        self.bound[f"good{number}"] = good
        self.bound[f"goodadj{number}"] = self.chance.choose(adjectives)

    def _bind_food(self, number: str) -> None:
        self.bound[f"food{number}"], self.bound[f"holder{number}"] = self._deal("foods")

    def _bind_meal(self, number: str) -> None:
        self.bound[f"meal{number}"], self.bound[f"dish{number}"] = self._deal("meals")

    def _bind_teacher(self, number: str) -> None:
        """A creature or thing that stands for the topic at hand, if the lexicon has one."""
        mine = [t for t in self.teachers_of(self.concept) if t[0] not in self._said]
        self.stale = self.stale or not mine
        noun, does, _ = self.chance.choose(mine) if mine else self._teacher_deck.deal()
        self._said[noun] = True
        self.bound[f"teacher{number}"], self.bound[f"lesson{number}"] = noun, does

    def teachers_of(self, concept: Concept) -> list[list[str]]:
        return [row for row in self._teachers if concept.name in row[2].split(", ")]

    def _bind_manner(self, number: str) -> None:
        self.bound[f"manner{number}"], self.bound[f"adverb{number}"] = self._deal("manners")

    def _bind_quality(self, number: str) -> None:
        plain, more = self._deal("qualities")
        self.bound.update({f"quality{number}": plain, f"more{number}": more})

    def _bind_feeling(self, number: str) -> None:
        feeling, topic = self._deal("feelings")
        self.bound.update({f"feeling{number}": feeling, f"feelingtopic{number}": topic})

    def _bind_subject(self, number: str) -> None:
        who, does = self._deal("subjects")
        self.bound.update({f"who{number}": who, f"whodo{number}": does})

    def _value(self, slot: str, how: str = "") -> str:
        concept = self.concept
        if slot in ("c", "adj", "opp"):
            return {"c": concept.name, "adj": concept.adj, "opp": concept.opp}[slot]
        if slot == "image":
            self.bound["image"], self.bound["point"] = self._clause("image").split(" : ")
        elif slot in concept.clauses:
            return self._clause(slot)
        elif slot not in self.bound:
            self._bind(slot, how)
        return self.bound[slot]

    def _fill_slot(self, match: re.Match[str]) -> str:
        how, _, slot = match[1].rpartition(" ")
        value = self._value(slot, how)
        if how == "a":
            return with_article(value)
        if how == "pl":
            return self.inflector.plural(value)
        return with_article(f"{self._value(how[2:])} {value}") if how else value

    def fill(self, frame: str) -> str:
        return sentence_case(SLOT.sub(self._fill_slot, frame))

    # -- sentences

    def deal_frame(self, options: Sequence[str]) -> str:
        """A frame from a list, each list in shuffled rounds, none twice in a block if possible."""
        deck = self._frame_decks.setdefault(id(options), Deck(options, self.chance))
        frame = deck.deal()
        for _ in range(len(options)):
            if frame not in self._frames_used:
                break
            frame = deck.deal()
        self._frames_used[frame] = True
        return frame

    def say(self, options: Sequence[str]) -> str:
        """One filled frame that says nothing stale and that the ledger still has room for.

        If none is found, the last try is returned and the block is marked as failed.
        """
        text = ""
        for _ in range(12):
            bound, said = dict(self.bound), dict(self._said)
            self.stale = False
            text = self.fill(self.deal_frame(options))
            if not self.stale and self.ledger.has_room(text):
                return text
            self.bound, self._said = bound, said
        self.failed = True
        return text

    def fresh(self, options: Sequence[str]) -> str:
        """Say a frame whose loose slots are forgotten afterwards (an aside, not a story)."""
        kept = self.bound
        self.bound = {key: kept[key] for key in frames.KEPT_SLOTS if key in kept}
        text = self.say(options)
        self.bound = kept
        return text


# ---------------------------------------------------------------- chat


def support(w: Writer, count: int) -> list[str]:
    """Further true sentences about the topic, each from a different family of frames."""
    kind = w.concept.kind
    families = [frames.DOES, frames.SEEN, frames.IMAGE, frames.HOW[kind], frames.WHY[kind]]
    families += [
        frames.DOES,
        frames.ENEMY[kind],
        frames.KINSHIP[kind],
        frames.LEXICAL[kind],
        frames.LEXICAL[kind],
    ]
    if w.teachers_of(w.concept):
        families.append(frames.TEACHER)
    return [w.fresh(family) for family in w.chance.shuffled(families)[:count]]


def few(w: Writer, odds: tuple[float, ...]) -> int:
    """A small number n with the given odds of n = 0, 1, 2..."""
    draw = w.chance.number()
    for n, odd in enumerate(odds):
        draw -= odd
        if draw < 0:
            return n
    return len(odds) - 1


def topic_pair(w: Writer, later: bool) -> list[str]:
    """A question about the topic and its answer; later ones open like a follow-up."""
    kind = w.concept.kind
    names = frames.QUESTIONS_BY_KIND[kind]
    name = w.chance.choose(names)
    if name == "teacher" and not w.teachers_of(w.concept):
        name = "what"
    asks, answers = frames.QUESTIONS[name]
    w.bound = {key: w.bound[key] for key in frames.KEPT_SLOTS if key in w.bound}
    question = w.say(asks)
    plain = question.endswith("?") and not question.startswith("I ")
    if later and plain and w.chance.number() < 0.5:
        question = w.chance.choose(frames.FOLLOW_LEADS) + question[0].lower() + question[1:]
    answer = [w.say(answers[kind] if isinstance(answers, dict) else answers)]
    answer += support(w, few(w, (0.22, 0.4, 0.28, 0.1)))
    return [f"User: {question}", "Assistant: " + " ".join(answer)]


def topic_chat(w: Writer) -> list[str]:
    lines: list[str] = []
    if w.chance.number() < 0.07:
        lines += small_pair(w, frames.GREETING_ASKS, frames.GREETING_ANSWERS)
    for i in range(1 + few(w, (0.3, 0.4, 0.3))):
        lines += topic_pair(w, later=i > 0)
    if w.chance.number() < 0.12:
        lines += small_pair(w, frames.THANKS_ASKS, frames.THANKS_ANSWERS)
    return lines


def small_pair(w: Writer, asks: Sequence[str], answers: Sequence[str]) -> list[str]:
    question = w.say(asks)
    return [f"User: {question}", f"Assistant: {w.say(answers)}"]


def personal_chat(w: Writer, slot: str, asks: Sequence[str], answers: Sequence[str]) -> list[str]:
    """The user tells a feeling or a deed; the answer names it and its topic."""
    w._bind(slot)
    w.concept = w.by_name[w.bound[f"{slot}topic"]]
    w._bind("kin")
    question = w.say(asks)
    answer = [w.say(answers), *support(w, 1 + few(w, (0.6, 0.4)))]
    lines = [f"User: {question}", "Assistant: " + " ".join(answer)]
    if w.chance.number() < 0.5:
        lines += topic_pair(w, later=True)
    if w.chance.number() < 0.12:
        lines += small_pair(w, frames.THANKS_ASKS, frames.THANKS_ANSWERS)
    return lines


def feeling_chat(w: Writer) -> list[str]:
    return personal_chat(w, "feeling", frames.FEELING_ASKS, frames.FEELING_ANSWERS)


def deed_chat(w: Writer) -> list[str]:
    return personal_chat(w, "deed", frames.DEED_ASKS, frames.DEED_ANSWERS)


def misdeed_chat(w: Writer) -> list[str]:
    return personal_chat(w, "misdeed", frames.MISDEED_ASKS, frames.MISDEED_ANSWERS)


def unknown_chat(w: Writer) -> list[str]:
    """A question of fact that nobody here can answer, and an honest reply."""
    ask, answers = w.chance.choose(frames.UNKNOWN)
    question, answer = w.fill(ask), [w.say(answers)]
    if w.chance.number() < 0.6:
        answer.append(w.say(frames.UNKNOWN_MORE))
    lines = [f"User: {question}", "Assistant: " + " ".join(answer)]
    return lines + (topic_pair(w, later=False) if w.chance.number() < 0.5 else [])


def meeting_chat(w: Writer) -> list[str]:
    """A greeting or a question about the assistant, then perhaps a topic."""
    asks, answers = w.chance.choose(frames.MEETINGS)
    lines = small_pair(w, asks, answers)
    lines += topic_pair(w, later=False)
    if w.chance.number() < 0.4:
        lines += small_pair(w, frames.FAREWELL_ASKS, frames.FAREWELL_ANSWERS)
    return lines


CHAT_KINDS: tuple[tuple[float, Callable[[Writer], list[str]]], ...] = (
    (0.70, topic_chat),
    (0.08, feeling_chat),
    (0.08, deed_chat),
    (0.04, misdeed_chat),
    (0.05, unknown_chat),
    (0.05, meeting_chat),
)


def chat(w: Writer) -> list[str]:
    odds = tuple(share for share, _ in CHAT_KINDS)
    return CHAT_KINDS[few(w, odds)][1](w)[: 2 * MOST_PAIRS]


# ---------------------------------------------------------------- dialogues, tales, aphorisms


def dialogue(w: Writer) -> list[str]:
    """Two named people talk over a topic, as a play (Name: ...) or with quotation marks."""
    w._bind_person("1")
    w._bind_person("2")
    kind = w.concept.kind
    asks, answers = frames.QUESTIONS[w.chance.choose(frames.DIALOGUE_QUESTIONS)]
    answers = answers[kind] if isinstance(answers, dict) else answers
    turns = [(1, [w.say(asks)]), (2, [w.say(answers)])]
    for i in range(2 + few(w, (0.4, 0.6))):
        speaker = 1 if i % 2 == 0 else 2
        lead = frames.OBJECTIONS if speaker == 1 else frames.REPLIES
        turns.append((speaker, [w.say(lead), *support(w, 1)]))
    if turns[-1][0] == 1:
        turns.append((2, [w.say(frames.REPLIES), *support(w, 1)]))
    turns.append((1, [w.say(frames.CLOSINGS)]))
    if w.chance.number() < 0.5:
        return [f"{w.bound[f'name{n}']}: {' '.join(said)}" for n, said in turns]
    scene = w.say(frames.SCENES)
    return [scene] + [quoted(w, n, said) for n, said in turns]


def quoted(w: Writer, speaker: int, sentences: list[str]) -> str:
    """One turn with quotation marks, never ending on a bare quote after a full stop."""
    first = sentences[0]
    end = first[-1]
    mark = "," if end == "." else end
    verb = "said" if speaker == 1 else w.chance.choose(("said", "answered", "replied"))
    verb = "asked" if end == "?" else verb
    tag = w.fresh(frames.TAGS)
    tag = tag[0].lower() + tag[1:]
    name = w.bound[f"name{speaker}"]
    text = f'"{first[:-1]}{mark}" {verb} {name} {tag}.'
    for more in sentences[1:]:
        pronoun = w.bound[f"they{speaker}"]
        again = w.chance.choose(("added", "went on", "said"))
        text += f' "{more[:-1]}," {pronoun} {again}.'
    return text


def tale(w: Writer) -> list[str]:
    """A short story in one paragraph: a plot is a list of frame lists, told in order."""
    topic, plot = w.chance.choose(frames.TALES)
    w.begin(w.by_name[w.chance.choose(topic.split(", "))])
    w._bind_person("")
    w._bind_person("2")
    told = [w.say(step) for step in plot]
    return [" ".join([*told, w.say(frames.MORALS)])]


def aphorism(w: Writer) -> list[str]:
    """One to three sentences that could hang on a kitchen wall."""
    opening = w.chance.choose((frames.DEFINE, frames.DOES, frames.SAYINGS[w.concept.kind]))
    if w.chance.number() < 0.3:
        opening = frames.NOTICES
    sentences = [w.say(opening), *support(w, 1 + few(w, (0.3, 0.4, 0.3)))]
    return [" ".join(sentences)]


MAKERS: dict[str, Callable[[Writer], list[str]]] = {
    "chat": chat,
    "dialogue": dialogue,
    "tale": tale,
    "aphorism": aphorism,
}


def make_blocks(w: Writer, kind: str, size: int) -> list[str]:
    """Write blocks of one kind until they fill their share of the file."""
    blocks: list[str] = []
    while size > 0:
        w.begin()
        lines = MAKERS[kind](w)
        if not w.failed and w.ledger.accept(lines):
            blocks.append("\n".join(lines))
            size -= len(blocks[-1]) + 2
    return blocks


def merge_evenly(lists: Sequence[list[str]], chance: Chance) -> list[str]:
    """Shuffle each list and deal all of them into one, every kind spread over the whole."""
    placed = []
    for blocks in lists:
        for i, block in enumerate(chance.shuffled(blocks)):
            placed.append(((i + chance.number()) / len(blocks), block))
    return [block for _, block in sorted(placed)]


def make_corpus(seed: int) -> str:
    chance = Chance(seed)
    writer = Writer(read_sections(HERE / "philosophy_lexicon.txt"), chance, Ledger())
    lists = [make_blocks(writer, kind, int(SIZE * share)) for kind, share in SHARES.items()]
    return "\n\n".join(merge_evenly(lists, chance)) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the philosophy training corpus.")
    parser.add_argument("--out", type=Path, default=HERE / "philosophy.txt")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with args.out.open("w", encoding="utf-8", newline="\n") as file:
        file.write(make_corpus(args.seed))


if __name__ == "__main__":
    main()
