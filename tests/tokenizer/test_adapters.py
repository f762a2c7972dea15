"""Objects of other libraries as tokenizers: what becomes which kind, and objects of any sort."""

import foreign
import pytest

import yocto
from yocto.errors import TokenizerError
from yocto.tokenizer.bpe import BPETokenizer, byte_vocab
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.patterns import NAMED_PATTERNS
from yocto.tokenizer.wrapped_object import ObjectTokenizer

TRAINED = BPETrainer(vocab_size=600, special_tokens=()).train(foreign.CORPUS)
TEXT = "the river <|endoftext|> né 🙂🙂 don't  \n\n 12345 \t x"


def streamed(tokenizer, ids, after=None):
    decoder = tokenizer.stream_decoder(after)
    return "".join([*map(decoder.push, ids), decoder.finish()])


def test_a_tokenizer_of_yocto_is_taken_as_it_is():
    assert yocto.adapt_tokenizer(TRAINED) is TRAINED
    assert yocto.load_tokenizer(TRAINED) is TRAINED


# --------------------------------------------------------------------------------------- tiktoken


def encoding(pattern=NAMED_PATTERNS["gpt4"], ranks=None, special=None):
    tiktoken = pytest.importorskip("tiktoken")
    return tiktoken.Encoding(
        "small", pat_str=pattern, mergeable_ranks=ranks or TRAINED.vocab,
        special_tokens={"<|endoftext|>": 700} if special is None else special,
    )  # fmt: skip


# As OpenAI's libraries spell them.
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
OLD_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
GPT4 = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (GPT2, "gpt2"), (OLD_GPT2, "gpt2"), (GPT4, "gpt4"), (r"\p{L}+|[\s\S]", r"\p{L}+|[\s\S]"),
        *((regex, name) for name, regex in NAMED_PATTERNS.items()),
    ],
)  # fmt: skip
def test_a_tiktoken_encoding_becomes_a_bpe_tokenizer_with_its_ids(pattern, name):
    theirs = encoding(pattern)
    ours = yocto.load_tokenizer(theirs)
    assert isinstance(ours, BPETokenizer)
    assert (ours.pattern, ours.vocab_size) == (name, theirs.n_vocab)
    assert ours.special_tokens == {"<|endoftext|>": 700}
    for text in (TEXT, *foreign.SAMPLES):
        assert ours.encode(text, "none") == theirs.encode(text, disallowed_special=())
        assert ours.encode(text, "all") == theirs.encode(text, allowed_special="all")


def test_of_two_special_tokens_with_one_id_the_first_counts():
    theirs = encoding(special={"<|a|>": 700, "<|b|>": 701, "<|reserved|>": 700})
    ours = yocto.adapt_tokenizer(theirs)
    assert ours.special_tokens == {"<|a|>": 700, "<|b|>": 701}


def test_an_encoding_whose_ranks_come_from_no_merges_is_asked():
    ranks = {token: i for i, token in enumerate([*byte_vocab(), b"river"])}
    theirs = encoding(ranks=ranks)
    ours = yocto.adapt_tokenizer(theirs)
    assert isinstance(ours, ObjectTokenizer)
    assert (ours.vocab_size, ours.end_token) == (701, "<|endoftext|>")
    ids = ours.encode("the river🙂 <|endoftext|>", "none")
    assert ids == theirs.encode("the river🙂 <|endoftext|>", disallowed_special=())
    assert ours.decode(ids) == streamed(ours, ids) == "the river🙂 <|endoftext|>"
    assert ours.decode_bytes(ours.encode("🙂")[:2]) == "🙂".encode()[:2]
    assert ours.encode("a<|endoftext|>", "all")[-1] == 700


# -------------------------------------------------------------------------------- transformers


def test_a_fast_tokenizer_of_transformers_gives_its_backend():
    transformers = pytest.importorskip("transformers")
    for sort, kind in (("llama3", "byte-bpe"), ("unigram", "tokenizers")):
        theirs = transformers.PreTrainedTokenizerFast(tokenizer_object=foreign.hugging_face(sort))
        ours = yocto.adapt_tokenizer(theirs)
        assert ours.kind == kind
        for text in foreign.SAMPLES:
            assert ours.encode(text, "all", add_special_tokens=True) == theirs(text)["input_ids"]


def test_a_tokenizer_with_a_part_in_python_is_asked():
    tokenizers = pytest.importorskip("tokenizers")

    class Halves:
        def pre_tokenize(self, text):
            text.split(lambda i, piece: [piece[:3], piece[3:]])

    theirs = tokenizers.Tokenizer.from_str(foreign.hugging_face("llama3").to_str())
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.PreTokenizer.custom(Halves())
    ours = yocto.adapt_tokenizer(theirs)
    assert isinstance(ours, ObjectTokenizer)
    assert ours.vocab_size == 600
    text = "theriver"
    assert ours.encode(text) == theirs.encode(text, add_special_tokens=False).ids


# ------------------------------------------------------------------------------- any object at all


class Bytes:
    """A tokenizer of somebody's own: bytes, and one mark."""

    vocab_size = 257
    special_tokens = {"<end>": 256}  # noqa: RUF012

    def encode(self, text):
        return list(text.encode())

    def decode(self, ids):
        return bytes(i for i in ids if i < 256).decode("utf-8", "replace")


OWN = yocto.adapt_tokenizer(Bytes())


def test_an_object_with_encode_and_decode_is_a_tokenizer():
    text = "né 🙂🙂 x"
    assert OWN.encode(text) == list(text.encode())
    assert OWN.encode_to_numpy(text).tolist() == list(text.encode())
    assert OWN.decode(OWN.encode(text)) == text
    assert OWN.encode("a<end>", "all") == [97, 256]
    assert OWN.encode("a<end>", "none") == list(b"a<end>")
    assert (OWN.vocab_size, OWN.end_id, OWN.kind) == (257, 256, "object")


@pytest.mark.parametrize(
    "ids",
    [
        list("né 🙂🙂 x".encode()), [0xFF] * 50 + [65], [0xF0, 0x9F], [0xF0, 0x9F] * 30,
        [256, 65, 256, 256, 66], [65, 256, 0xC3, 256, 0xA9], [],
        [0xE2, 0x82, 0x41, 0xE2, 0x82, 0xAC],
        list("\ufffdx\ufffd".encode()),
    ],
)  # fmt: skip
def test_an_object_streams_what_it_decodes(ids):
    assert streamed(OWN, ids) == OWN.decode(ids)


def test_an_object_streams_no_half_of_a_character():
    decoder = OWN.stream_decoder()
    assert [decoder.push(i) for i in "é🙂a".encode()] == ["", "é", "", "", "", "🙂", "a"]
    assert decoder.finish() == ""


def test_what_an_object_puts_between_two_ids_is_streamed_too():
    class Words:
        vocab_size = 26

        def encode(self, text):
            return [ord(word) - 97 for word in text.split()]

        def decode(self, ids):
            return " ".join(chr(97 + i) for i in ids)

    tokenizer = yocto.adapt_tokenizer(Words())
    ids = tokenizer.encode("a b c a")
    assert streamed(tokenizer, ids) == tokenizer.decode(ids) == "a b c a"
    assert streamed(tokenizer, ids[1:], after=ids[0]) == " b c a"
    pieces = map(tokenizer.bytes_after, [None, *ids], ids)
    assert b"".join(pieces) == tokenizer.decode_bytes(ids) == b"a b c a"


def test_an_object_is_asked_for_text_only_in_the_words_it_knows():
    class Framed(Bytes):
        def encode(self, text, add_special_tokens=True):
            return [256] * add_special_tokens + list(text.encode())

    assert yocto.adapt_tokenizer(Framed()).encode("a") == [97]


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ({"n_vocab": 300}, 300), ({"vocab_size": 300}, 300),
        ({"get_vocab_size": lambda self: 300}, 300), ({"__len__": lambda self: 300}, 300),
        ({"vocab_size": 290, "__len__": lambda self: 300}, 300),
    ],
)  # fmt: skip
def test_the_size_is_what_an_object_tells(attributes, size):
    methods = {"encode": lambda self, text: [1], "decode": lambda self, ids: "a"}
    assert yocto.adapt_tokenizer(type("Own", (), {**methods, **attributes})()).vocab_size == size


@pytest.mark.parametrize(
    ("thing", "fault"),
    [
        (5, "type int is no tokenizer: it has no encode"),
        ("data/token", "type str is no tokenizer: it has no decode"),
        (
            type("Own", (), {"encode": lambda s, t: [1], "decode": lambda s, i: ""})(),
            "type Own does not tell how many ids it has",
        ),
    ],
)
def test_what_is_no_tokenizer_is_refused_with_what_it_lacks(thing, fault):
    with pytest.raises(TokenizerError, match=fault) as caught:
        yocto.adapt_tokenizer(thing)
    assert caught.value.hint


def test_an_object_can_not_be_saved_and_the_error_says_what_can(tmp_path):
    for call in (lambda: OWN.save(tmp_path), lambda: OWN.sha256):
        with pytest.raises(
            TokenizerError, match="an object of type Bytes can't be saved"
        ) as caught:
            call()
        assert "tiktoken.Encoding" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_what_an_object_does_wrong_is_told():
    class Broken(Bytes):
        def encode(self, text):
            return [1000] if text == "far" else 1 / 0

    tokenizer = yocto.adapt_tokenizer(Broken())
    with pytest.raises(TokenizerError, match="Broken can't encode this text: division by zero"):
        tokenizer.encode("a")
    with pytest.raises(TokenizerError, match="id 1000 is not in the vocabulary of 257"):
        tokenizer.encode("far")
    with pytest.raises(TokenizerError, match="id 257"):
        tokenizer.decode([257])
