"""What can be downloaded by name: where each text lies, its licence, and what it is good for."""

from __future__ import annotations

from dataclasses import dataclass

from yocto.config import nearest
from yocto.errors import ConfigError


@dataclass(frozen=True)
class RemoteFile:
    """One file of a dataset.

    name: what it is called here. sha256: only where it was computed from the file itself; the
    others are compared with their first download. train: whether it is text to train on.
    """

    name: str
    url: str
    sha256: str | None = None
    train: bool = True


@dataclass(frozen=True)
class Dataset:
    """Files that belong together.

    about: bytes to download, roughly. text_key: the field that holds the text, where the files are
    JSON lines or Parquet and it is not called "text".
    """

    name: str
    about: int
    licence: str
    note: str
    files: tuple[RemoteFile, ...]
    text_key: str | None = None


_HUGGING_FACE = "https://huggingface.co/datasets"
_GITHUB = "https://raw.githubusercontent.com"
_TINY_STORIES = f"{_HUGGING_FACE}/roneneldan/TinyStories/resolve/main/TinyStoriesV2-GPT4"
_WIKITEXT = f"{_HUGGING_FACE}/Salesforce/wikitext/resolve/main"

# Project Gutenberg's number -> what the file is called here.
_BOOKS = {
    1497: "plato-republic", 8438: "aristotle-ethics", 2680: "aurelius-meditations",
    59: "descartes-method", 3207: "hobbes-leviathan", 3800: "spinoza-ethics",
    9662: "hume-understanding", 4280: "kant-pure-reason", 34901: "mill-liberty",
    1998: "nietzsche-zarathustra",
}  # fmt: skip

_BLIMP = """\
adjunct_island anaphor_gender_agreement anaphor_number_agreement animate_subject_passive
animate_subject_trans causative complex_NP_island
coordinate_structure_constraint_complex_left_branch
coordinate_structure_constraint_object_extraction determiner_noun_agreement_1
determiner_noun_agreement_2 determiner_noun_agreement_irregular_1
determiner_noun_agreement_irregular_2 determiner_noun_agreement_with_adj_2
determiner_noun_agreement_with_adj_irregular_1 determiner_noun_agreement_with_adj_irregular_2
determiner_noun_agreement_with_adjective_1 distractor_agreement_relational_noun
distractor_agreement_relative_clause drop_argument ellipsis_n_bar_1 ellipsis_n_bar_2
existential_there_object_raising existential_there_quantifiers_1 existential_there_quantifiers_2
existential_there_subject_raising expletive_it_object_raising inchoative intransitive
irregular_past_participle_adjectives irregular_past_participle_verbs
irregular_plural_subject_verb_agreement_1 irregular_plural_subject_verb_agreement_2
left_branch_island_echo_question left_branch_island_simple_question
matrix_question_npi_licensor_present npi_present_1 npi_present_2 only_npi_licensor_present
only_npi_scope passive_1 passive_2 principle_A_c_command principle_A_case_1 principle_A_case_2
principle_A_domain_1 principle_A_domain_2 principle_A_domain_3 principle_A_reconstruction
regular_plural_subject_verb_agreement_1 regular_plural_subject_verb_agreement_2
sentential_negation_npi_licensor_present sentential_negation_npi_scope sentential_subject_island
superlative_quantifiers_1 superlative_quantifiers_2 tough_vs_raising_1 tough_vs_raising_2
transitive wh_island wh_questions_object_gap wh_questions_subject_gap
wh_questions_subject_gap_long_distance wh_vs_that_no_gap wh_vs_that_no_gap_long_distance
wh_vs_that_with_gap wh_vs_that_with_gap_long_distance
"""

DATASETS = (
    Dataset(
        "tinyshakespeare", 1_100_000, "public domain",
        "Shakespeare's plays: char-rnn's and nanoGPT's first text.",
        (RemoteFile(
            "tinyshakespeare.txt",
            f"{_GITHUB}/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ),),
    ),
    Dataset(
        "tinystories", 2_200_000_000, "CDLA-Sharing 1.0",
        "Stories in a small child's words, written by GPT-4.",
        (RemoteFile("train.txt", f"{_TINY_STORIES}-train.txt"),
         RemoteFile("valid.txt", f"{_TINY_STORIES}-valid.txt", train=False)),
    ),
    Dataset(
        "tinystories-small", 22_000_000, "CDLA-Sharing 1.0",
        "Its validation stories: enough for a first model.",
        (RemoteFile("tinystories-small.txt", f"{_TINY_STORIES}-valid.txt"),),
    ),
    Dataset(
        "fineweb-edu", 100_000_000, "ODC-By 1.0",
        "Web pages that teach, the first of nanochat's shards. Parquet.",
        (RemoteFile(
            "fineweb-edu.parquet",
            f"{_HUGGING_FACE}/karpathy/fineweb-edu-100b-shuffle/resolve/main/shard_00000.parquet",
        ),),
    ),
    Dataset(
        "fineweb-edu-10bt", 2_100_000_000, "ODC-By 1.0",
        "The first file of its own 10-billion-token sample. Parquet.",
        (RemoteFile(
            "fineweb-edu-10bt.parquet",
            f"{_HUGGING_FACE}/HuggingFaceFW/fineweb-edu/resolve/main/sample/10BT/000_00000.parquet",
        ),),
    ),
    Dataset(
        "philosophy-books", 8_000_000, "public domain",
        "Ten classics, Plato to Nietzsche, as Project Gutenberg has them.",
        tuple(
            RemoteFile(f"{name}.txt", f"https://www.gutenberg.org/cache/epub/{number}/pg{number}.txt")
            for number, name in _BOOKS.items()
        ),
    ),
    Dataset(
        "wikitext-2", 8_000_000, "CC BY-SA, GFDL",
        "Good articles of Wikipedia, in three splits. Parquet.",
        tuple(
            RemoteFile(
                f"{split}.parquet", f"{_WIKITEXT}/wikitext-2-raw-v1/{split}-00000-of-00001.parquet",
                train=split == "train",
            )
            for split in ("train", "validation", "test")
        ),
    ),
    Dataset(
        "wikitext-103", 314_000_000, "CC BY-SA, GFDL",
        "Its large training split, in two files. Parquet.",
        tuple(
            RemoteFile(
                f"train-{part}.parquet",
                f"{_WIKITEXT}/wikitext-103-raw-v1/train-0000{part}-of-00002.parquet",
            )
            for part in (0, 1)
        ),
    ),
    Dataset(
        "hellaswag", 12_000_000, "MIT",
        "To evaluate: which of four endings makes sense? JSON lines.",
        (RemoteFile(
            "hellaswag.jsonl", f"{_GITHUB}/rowanz/hellaswag/master/data/hellaswag_val.jsonl",
            train=False,
        ),),
        text_key="ctx",
    ),
    Dataset(
        "lambada", 1_800_000, "modified MIT",
        "To evaluate: the last word of a passage, as OpenAI has it. JSON lines.",
        (RemoteFile(
            "lambada.jsonl",
            "https://openaipublic.blob.core.windows.net/gpt-2/data/lambada_test.jsonl",
            train=False,
        ),),
    ),
    Dataset(
        "blimp", 28_000_000, "CC BY 4.0",
        "To evaluate: grammar in 67 kinds of sentence pairs. JSON lines.",
        tuple(
            RemoteFile(f"{name}.jsonl", f"{_GITHUB}/alexwarstadt/blimp/master/data/{name}.jsonl",
                       train=False)
            for name in _BLIMP.split()
        ),
        text_key="sentence_good",
    ),
)  # fmt: skip


def find_dataset(name: str) -> Dataset:
    """The dataset of this name, in whatever case. Raises ConfigError, with the nearest name."""
    known = {dataset.name: dataset for dataset in DATASETS}
    if name.lower() in known:
        return known[name.lower()]
    close = nearest(name.lower(), list(known))
    listed = "yocto download --list shows all names; an address starts with https://."
    raise ConfigError(
        f"there is no text {name!r} to download",
        f"Did you mean yocto download {close}? {listed}" if close else listed,
    )
