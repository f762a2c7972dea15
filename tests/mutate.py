"""Damaged copies of files, from a seed: what a bad disk, a broken download or an attacker leaves.

`damage(data, form, rng)` gives one damaged copy. Every form is damaged as plain bytes; a form that
has a structure (JSON, settings, safetensors, trainer.pt) more often as what it means, so that the
damage reaches behind the parser. The same data, form and state of rng give the same copy.
"""

from __future__ import annotations

import base64
import copy
import functools
import io
import json
import math
import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from yocto.tokenizer.patterns import NAMED_PATTERNS

MARKER = "code-has-run"  # a file that hostile files would make, if their code ran


def damage(data: bytes, form: str, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """A damaged copy of a file: mostly damaged once, now and then several times over.

    form: "bytes", "lines", "json", "jsonl", "jinja", "yaml", "toml", "safetensors" or "pt". others:
    files to splice with.
    """
    structural = STRUCTURAL.get(form)
    for _ in range(rng.choice((1, 1, 1, 1, 2, 4))):
        if structural and rng.random() < 0.7:
            try:
                data = structural(data, rng)
                continue
            except UNREADABLE:  # damaged too much already
                pass
        data = rng.choice(BYTES)(data, rng, [data, *others])
    return data


# --------------------------------------------------------------------------------------- as bytes

Splice = Sequence[bytes]

WORDS = [
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\n", b"\r\n", b"\t", b" ", b"#", b"'", b"=",
    b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"Infinity", b"9" * 30, b"\\ud800",
    b"\\u0000", b"\0", b"\x1b[2J", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xcc\x81" * 40, b"<unk>", b"<|endoftext|>\n", b"</w>",
    b"\xf0\x9f\x99\x82", "ﷺ".encode(), b"../../", b"%s%n", b"--", b"step-000001",
]  # fmt: skip


def _span(data: bytes, rng: Random, most: int = 1 << 30) -> tuple[int, int]:
    """Two places in the data, the first not after the second."""
    start = rng.randint(0, len(data))
    return start, rng.randint(start, min(len(data), start + most))


def _flip(data: bytes, rng: Random, others: Splice) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(data: bytes, rng: Random, others: Splice) -> bytes:
    start, end = _span(data, rng, 16)
    return data[:start] + rng.randbytes(end - start) + data[end:]


def _zero(data: bytes, rng: Random, others: Splice) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + bytes(end - start) + data[end:]


def _insert(data: bytes, rng: Random, others: Splice) -> bytes:
    start, _ = _span(data, rng)
    return data[:start] + rng.randbytes(rng.randint(1, 20)) + data[start:]


def _insert_word(data: bytes, rng: Random, others: Splice) -> bytes:
    start, end = _span(data, rng, rng.choice((0, 3)))
    return data[:start] + rng.choice(WORDS) + data[end:]


def _delete(data: bytes, rng: Random, others: Splice) -> bytes:
    start, end = _span(data, rng, rng.choice((1, 10, 1 << 30)))
    return data[:start] + data[end:]


def _truncate(data: bytes, rng: Random, others: Splice) -> bytes:
    return data[: rng.choice((0, rng.randint(0, len(data)), max(0, len(data) - 1)))]


def _duplicate(data: bytes, rng: Random, others: Splice) -> bytes:
    start, end = _span(data, rng)
    times = rng.choice((2, 2, 5, 1 + 20_000 // (1 + end - start)))
    return data[:start] + data[start:end] * times + data[end:]


def _swap(data: bytes, rng: Random, others: Splice) -> bytes:
    a, b, c, d = sorted(rng.randint(0, len(data)) for _ in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _splice(data: bytes, rng: Random, others: Splice) -> bytes:
    other = rng.choice(others)
    start, end = _span(data, rng)
    a, b = _span(other, rng)
    return data[:start] + other[a:b] + rng.choice((b"", data[end:]))


def _append(data: bytes, rng: Random, others: Splice) -> bytes:
    return data + rng.choice((rng.randbytes(rng.randint(1, 100)), b"\0" * 512, b"\n", rng.choice(
        others)))  # fmt: skip


def _encode(data: bytes, rng: Random, others: Splice) -> bytes:
    """Another encoding, another kind of line break, a byte order mark."""
    how = rng.choice(("utf-16", "utf-16-le", "utf-32", "bom", "crlf", "cr", "zip", "base64"))
    if how == "bom":
        return b"\xef\xbb\xbf" + data
    if how in ("crlf", "cr"):
        return data.replace(b"\n", b"\r\n" if how == "crlf" else b"\r")
    if how == "base64":
        return base64.b64encode(data)
    return zipped({"data": data}) if how == "zip" else data.decode("latin-1").encode(how)


def _long_line(data: bytes, rng: Random, others: Splice) -> bytes:
    start, _ = _span(data, rng)
    unit = rng.choice((b"a", b"ab", b" ", b"9", b"\xc3\xa9", b"[", b"(", b"a b", rng.randbytes(3)))
    return data[:start] + unit * round(10 ** rng.uniform(2, 4.5)) + data[start:]


def _number(data: bytes, rng: Random, others: Splice) -> bytes:
    """Another number in place of one that is written out."""
    found = list(re.finditer(rb"[0-9]+", data[:100_000]))
    if not found:
        return _overwrite(data, rng, others)
    start, end = rng.choice(found).span()
    return data[:start] + str(rng.choice(NUMBERS)).encode() + data[end:]


BYTES: list[Callable[[bytes, Random, Splice], bytes]] = [
    _flip, _overwrite, _zero, _insert, _insert_word, _insert_word, _delete, _truncate, _duplicate,
    _swap, _splice, _append, _encode, _long_line, _number,
]  # fmt: skip


# ---------------------------------------------------------------------------------------- as JSON

NUMBERS: list[Any] = [
    -1, 0, 1, 2, 3, 17, 255, 256, 1000, 65535, 65536, 1048576, 16777215, 16777216, 2**31, -(2**31),
    2**32, 2**63 - 1, 2**63, 2**64, 10**400, -(10**400), 0.5, 1.5, -0.0, 1e-320, 1e308, -1e308,
    math.nan, math.inf, -math.inf,
]  # fmt: skip

REGEXES = [
    "(a+)+$", "(x+x+)+y", r"(\s*)*$", r"(\w|\w\w)*!", "(.*)*(.*)*x", "", "a", "(", "[", "(?R)",
    "(?:(?R))", "a|(?R)b", "(?1)(a)", r"(?r)\w+", r"\w+\K", r"(?<=a)\K|b", "^", "$", "(?=a)",
    r"(?e)(?:foo){e<=9}", r"\X", r"(?s).*", "(?:a{1000}){1000}", "a{65536}", "a{999999999999}",
    "(?:(?:(?:x{99}){99}){99}){99}", r"\p{Nonsense}", r"\N{DIGIT ONE}", r"\L<names>", "(?P<a>b)",
    r"(?P<a>.)(?P=a)", r"\1", "[[a-z]--[aeiou]]", "(?V1)[[a-z]--[aeiou]]", "(?a)(?u)a", "(?L)a",
    "(?b)a", "(*PRUNE)", "(*FAIL)", "(?|(a)|(b))", "(?(1)a|b)", "(?(DEFINE)(?<q>a))(?&q)", "\\",
    "\ud800", "[\ud800-\udfff]", "\0", "a" * 5000, "(" * 500 + ")" * 500, "|" * 5000, "[a" * 999,
    "(?i)" + "\u0130" * 50, r"(?:){99999}", "(?:|a)*", "(?>a*)a", r"(?:a*)*+b", r"\p{L}+| ?",
]  # fmt: skip

PARTS = [*"()[]{}|*+?\\^$.-&~#<>=!,:", "{,9}", "{1,", "(?", "(?i:", "(?<=", "(?<!", "(?>", "(?P<",
         "(?#", "[^", r"\p{", "&&", "--", "||"]  # fmt: skip
PATTERNS = [*NAMED_PATTERNS.values(), r"\w+|\s+|."]

STRINGS = [
    "", " ", "\0", "\ud800", "a\udcffb", "\n", "a", "é", "🙂", "<unk>", "<|endoftext|>", "</w>",
    "<0x41>", "NFC", "BPE", "WordLevel", "x" * 300, "x" * 20_000, "../x", "/", ".", "..", "a/b",
    "/dev/zero", "step-000001", "1", "true", "null", "NaN", "char", "token", "cuda", "cpu", "auto",
    "uint16", "uint32", "train", "encode", "Ġ", "{}", "%s", "Isolated", "Removed", "1e5", "\x1b[2J",
]  # fmt: skip


def nested(depth: int, opening: str = "[", inside: str = "", closing: str = "]") -> str:
    """Lists in lists; more of them than a parser's stack may hold."""
    return opening * depth + inside + closing * depth


# Text that json.dumps would not write; it stands in the tree as a marked text meanwhile.
_RAW = "\x01raw:"


def _raw_json(text: str, rng: Random) -> str:
    def value(_: re.Match[str]) -> str:
        deep = rng.choice((5, 100, rng.randint(900, 1000), rng.randint(900, 1000), 2000, 100_000))
        return rng.choice((
            nested(deep), nested(deep), nested(deep, '{"a":', "0", "}"),
            "1" + "0" * 5000, "1e999", "-", "01", "'a'", '"\\ud800\\ud800"', "[,]", "{1:2}",
        ))  # fmt: skip

    return re.sub(r'"\\u0001raw:"', value, text)


def _hostile(rng: Random, key: Any = None) -> Any:
    """A value that a file should not hold in that place; a regex often where one belongs."""
    if key in ("Regex", "pattern") and rng.random() < 0.8:
        return rng.choice(REGEXES)
    return rng.choice((
        lambda: rng.choice(NUMBERS),
        lambda: rng.choice(NUMBERS),
        lambda: rng.choice(STRINGS),
        lambda: rng.choice(REGEXES),
        lambda: rng.choice((None, True, False, [], {}, [[]], {"": None}, [1, "a"], [[1, 2]])),
        lambda: _RAW,
    ))()  # fmt: skip


def _place(tree: Any, rng: Random) -> tuple[Any, Any]:
    """A container in the tree and one of its keys, large tables no likelier than small ones."""
    while True:
        keys = list(tree) if isinstance(tree, dict) else range(len(tree))
        key = rng.choice(keys)
        inner = tree[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.25:
            return tree, key
        tree = inner


def _tweaked(value: Any, rng: Random) -> Any:
    """A value that is nearly what it was."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return rng.choice((value + 1, value - 1, -value, value * 2, float(value), str(value)))
    if isinstance(value, str):
        at = rng.randint(0, len(value))
        middle = rng.choice(("", "a", " ", "\\", "(", "*", "\ud800", "\0", "}", "[", "?", "+"))
        return value[:at] + middle + value[at + rng.randint(0, 2) :]
    if not isinstance(value, dict | list | tuple):
        return value
    items = list(value.items()) if isinstance(value, dict) else list(value)
    rng.choice((rng.shuffle, list.reverse, lambda items: items.pop() if items else None))(items)
    return dict(items) if isinstance(value, dict) else items


def mutate_tree(tree: Any, rng: Random, hostile: Callable[..., Any] = _hostile) -> Any:
    """Change one place of a tree of dicts and lists, which is changed itself."""
    if not isinstance(tree, dict | list) or not tree or rng.random() < 0.02:
        return hostile(rng)
    container, key = _place(tree, rng)
    how = rng.choice(("replace", "replace", "replace", "tweak", "tweak", "delete", "duplicate",
                      "rename", "swap", "wrap", "add"))  # fmt: skip
    if how == "replace":
        container[key] = hostile(rng, key)
    elif how == "tweak":
        container[key] = _tweaked(container[key], rng)
    elif how == "delete":
        del container[key]
    elif how == "swap":
        other, place = _place(tree, rng)
        container[key], other[place] = other[place], container[key]
    elif how == "wrap":
        container[key] = rng.choice(([container[key]], {"a": container[key]}, [container[key]] * 2))
    elif isinstance(container, list):
        container.insert(key, container[key] if how != "add" else hostile(rng))
    else:
        new = rng.choice([*STRINGS, *container, "n_layer", "id"])
        container[new] = hostile(rng, new) if how == "add" else container[key]
        if how == "rename" and new != key:
            del container[key]
    return tree


def _json(data: bytes, rng: Random) -> bytes:
    tree = mutate_tree(json.loads(data), rng)
    text = json.dumps(tree, indent=rng.choice((None, 1)))
    if rng.random() < 0.03:  # a key twice
        text = text.replace("{", '{"version": 1, "model": {}, ', 1)
    return _raw_json(text, rng).encode()


def _regex(data: bytes, rng: Random) -> bytes:
    """A tokenizer.json with another split pattern."""
    tree = json.loads(data)
    text = rng.choice((*REGEXES, *PATTERNS, *PATTERNS, *PATTERNS))
    for _ in range(rng.randint(0, 4)):
        a, b, c, d = sorted(rng.randint(0, len(text)) for _ in range(4))
        new = rng.choice((*REGEXES, *PATTERNS, *PARTS, *PARTS))
        swapped = text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:]
        repeated = f"({text}){rng.choice(('+', '*', '?', '{3}', '*+', '{2,}?', ''))}"
        text = rng.choice((
            text[:a] + new + text[a:], text[:a] + new + text[b:], text[:a] + text[b:],
            text[:b] + text[a:], swapped, repeated,
        ))[:20_000]  # fmt: skip
    tree["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = text
    return json.dumps(tree).encode()


def _jsonl(data: bytes, rng: Random) -> bytes:
    lines = data.splitlines()
    at = rng.randrange(len(lines))
    lines[at] = _json(lines[at], rng).replace(b"\n", b"")
    return b"\n".join(lines) + b"\n"


# ------------------------------------------------------------------------------ as a Jinja template

JINJA = [
    "{{ ''.__class__.__mro__ }}", "{{ cycler.__init__.__globals__.os.system('touch x') }}",
    "{{ self._TemplateReference__context }}", "{{ messages[9].content }}", "{{ 1 / 0 }}",
    "{{ 9 ** 9 ** 9 }}", "{{ 'a' * 999999999 }}", "{{ [0] * 999999999 }}", "{{ bos_token }}",
    "{{ '%999999999d' % 1 }}", "{{ '{:999999999}'.format(1) }}", "{{ 'a'.center(999999999) }}",
    "{{ 'a' | center(999999999) }}", "{{ range(999999999) | list }}", "{{ messages | tojson }}",
    "{{ 'ab' | batch(999999999, 'x') | list }}", "{{ lipsum(n=99999) }}", "{{ x.y.z }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}a{% endfor %}{% endfor %}",
    "{% macro f() %}{{ f() ~ f() }}{% endmacro %}{{ f() }}", "{% include 'x' %}",
    "{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{% extends '/etc/passwd' %}", "{% import 'os' as os %}", "{% block a %}{% endblock %}",
    "{{ raise_exception('no') }}", "{{ strftime_now('%' * 999) }}", "{% raw %}", "{#", "{{", "{%",
    "{% if true %}", "{% endfor %}", "{% continue %}", "{% break %}", "{{ '\ud800' }}", "(" * 999,
    "{{ " + "(" * 999 + ")" * 999 + " }}", "{% generation %}", "{{ messages.append(1) }}",
]  # fmt: skip


def _jinja(data: bytes, rng: Random) -> bytes:
    """Something else where a tag begins or ends, or in place of one."""
    text = data.decode("utf-8")
    places = [place for found in re.finditer(r"{[{%].*?[}%]}", text) for place in found.span()]
    start = rng.choice(places or range(len(text)))
    end = rng.choice([place for place in places if place >= start][:3] or [start])
    new = rng.choice((*JINJA, *STRINGS))
    return (text[:start] + new + text[rng.choice((start, end)) :]).encode("utf-8", "surrogatepass")


# ---------------------------------------------------------------------------- as lines of settings

BOMB = "\n".join(
    [f"a0: &a0 [{', '.join(['lol'] * 9)}]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
)
MERGE_BOMB = "\n".join(
    ["b0: &b0 {x: 1}"]
    + [f"b{i}: &b{i} {{<<: [{', '.join([f'*b{i - 1}'] * 9)}]}}" for i in range(1, 9)]
)

YAML_VALUES = [
    f"!!python/object/apply:os.system ['touch {MARKER}']",
    f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{MARKER}']]",
    f'!!python/object/new:os.system ["touch {MARKER}"]', "!!python/name:os.system",
    "!!python/tuple [1]", "!!int ''", "!!int a", "!!float ''", "!!float a", "!!bool a",
    "!!timestamp a", "!!binary '*'", "!!set {a}", "!!omap [a: 1]", "!!pairs [a: 1]", "!!null a",
    "!!map [1]", "!!seq {a: 1}", "!!str [1]", "!nonsense 1", "&a [*a]", "&a {a: *a}", "*a", "*",
    "&", "&a &b c", "{<<: {a: 1}}", "{<<: [1]}", "<<", "=", "1:2:3", "1:2.5", ":".join("1" * 400),
    ":".join("1" * 400) + ".5", "0x" + "f" * 6000, "0b" + "1" * 9000, "0o7", "1_0", "9" * 5000,
    "1" + "0" * 400, "1e999", "1e3", ".inf", "-.inf", ".nan", "2024-02-30", "2024-01-01",
    "2024-01-01 99:00:00", "|\n  a\n  b", ">-\n a", "|9", "- a", "? a", "%YAML 9.9", "--- a",
    "...", "\t", "@", "`", '"', "'", '"\\ud800"', '"\\x00"', '"\\U00110000"', '"\\z"', "{", "[",
    "{a: 1}", "[1, [2]]", "[a, b]", "{{a: 1}: 2}", "{[a]: 2}", "[a: 1]", "~", "off", "on", "yes",
    "null", "", "# x", "a: b", "a #b", "\u0085", "\u2028", "x" * 300, "x" * 20_000, "é", "-1", "0",
    nested(50), nested(400), nested(2000), nested(2000, "{a: ", "1", "}"), "- " * 500 + "a",
]  # fmt: skip
YAML_LINES = [
    BOMB, BOMB.replace("a8:", "text_path:"), MERGE_BOMB, "---", "--- {}", "...", "%TAG ! tag:",
    "? [a]", ": 1", "- a", "{a: 1}", "<<: {n_layer: 2}", "<<: &x {<<: *x}", "&a a: *a",
    f"!!python/object/apply:os.system ['touch {MARKER}']", "? !!python/tuple [1]\n: 1",
    "0x" + "f" * 6000 + ": 1", "[1, 2]: 3", "{a: 1}: 2", "1.5: 1", "null: 1", "2024-01-01: 1",
    "? &k [*k]\n: 1", "!!set {a, b}", '"\\ud800": 1',
]  # fmt: skip
TOML_VALUES = [
    "inf", "-nan", "1e999", "0x" + "f" * 6000, "9" * 5000, "1" + "0" * 400, "2024-02-30", "07:32",
    "1979-05-27T07:32:00Z", "1979-05-27T25:00:00-99:99", '"', '"""', "'''a", '"\\ud800"',
    '"\\u0000"', '"\\U00110000"', '"\\z"', "[", "[1, 'a']", "{a = 1}", "{a = 1, a = 2}", "{",
    "true", "True", "", "-1", "0", "1.", ".1", "1__0", "+1", "[1]\n[a]", "1\r", "'\x07'", "#",
    nested(50), nested(400), nested(2000), nested(500, "{a = ", "1", "}"), "'" + "x" * 5000 + "'",
]  # fmt: skip
TOML_LINES = [
    "[a]", "[[a]]", "[a.b.c]", "[a]\n[a]", "[[a]]\n[a]", "a.b = 1\na = 2", "a = 1\na.b = 2", "[",
    "[]", "=", "a", "a =", '"" = 1', "'a\" = 1", ".".join("a" * 3000) + " = 1",
    "[" + ".".join("a" * 3000) + "]", '"\\ud800" = 1', "\x00", "﻿a = 1", "é = 1", "n-layer = 3",
]  # fmt: skip
PLAIN_VALUES = [
    "", "-1", "0", "1", "300", "16777215", "16777216", "9" * 5000, "1e3", "a", "é", "\u2028", "a b",
    " ", "YQ==", "YWE=", "YWI=", "====", "Y Q", "#version: 0.2", "Ġ t", "Ġt h", "\t", "a" * 20_000,
    "YWFh" * 300, "YWFh" * 8000, "<unk>", "\x85", "\x0c",
]  # fmt: skip


def _lines(values: Sequence[str], inserted: Sequence[str]) -> Callable[[bytes, Random], bytes]:
    def mutate(data: bytes, rng: Random) -> bytes:
        lines = data.decode("utf-8", "surrogateescape").split("\n")
        at = rng.randrange(len(lines))
        key, separator, value = re.fullmatch(
            r"([^\s=:]*)(\s*[=:]\s*|\s+|)(.*)", lines[at], re.DOTALL
        ).groups()  # fmt: skip
        how = rng.choice(("value", "value", "value", "key", "insert", "insert", "delete", "twice",
                          "swap", "join"))  # fmt: skip
        if how == "value":
            lines[at] = key + (separator or ": ") + rng.choice(values)
        elif how == "key":
            lines[at] = rng.choice((*values, *STRINGS)) + separator + value
        elif how == "insert":
            lines.insert(at, rng.choice(inserted))
        elif how == "delete":
            del lines[at : at + rng.choice((1, 1, 5))]
        elif how == "twice":
            lines.insert(rng.randint(0, len(lines)), lines[at])
        elif how == "swap":
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        else:
            lines[at : at + 2] = [rng.choice(("", " ")).join(lines[at : at + 2])]
        return "\n".join(lines).encode("utf-8", "surrogatepass")

    return mutate


# ----------------------------------------------------------------------------------- as safetensors

_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1,
          "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "U16": 2, "U32": 4, "U64": 8,
          "C64": 8, "F4": 0.5, "F6_E2M3": 0.75}  # fmt: skip


def _safetensors(data: bytes, rng: Random) -> bytes:
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    how = rng.choice(("tree", "tree", "retype", "retype", "length", "body"))
    if how == "tree":
        header = mutate_tree(header, rng)
    elif how == "retype":
        header, body = _retyped(header, body, rng)
    elif how == "body":
        body = rng.choice(BYTES)(body, rng, [data])
    text = _raw_json(json.dumps(header), rng).encode()
    length = len(text)
    if how == "length":
        length = rng.choice(
            (0, 1, length - 1, length + 1, 10**8, 10**8 + 1, 2**31, 2**63, 2**64 - 1)
        )
    return length.to_bytes(8, "little") + text + body


def _retyped(header: Any, body: bytes, rng: Random) -> tuple[Any, bytes]:
    """Another dtype or shape for a tensor, all else in order: it loads, but is another one."""
    name = rng.choice([key for key in header if key != "__metadata__"])
    entry = header[name]
    start, end = entry["data_offsets"]
    new = dict(entry)
    if rng.random() < 0.7:
        new["dtype"] = rng.choice(list(_SIZES))
    else:
        shape = entry["shape"]
        new["shape"] = rng.choice((shape[::-1], [1, *shape], [], [0], [math.prod(shape)], [2]))
    size = int(math.prod(new["shape"]) * _SIZES.get(new["dtype"], 4))
    for other in header.values():
        if "data_offsets" in other and other["data_offsets"][0] >= end:
            other["data_offsets"] = [at + size - (end - start) for at in other["data_offsets"]]
    new["data_offsets"] = [start, start + size]
    del header[name]
    header[name if rng.random() < 0.9 else rng.choice(STRINGS)] = new
    fill = rng.choice((bytes(size), rng.randbytes(size), b"\xff" * size))
    return header, body[:start] + fill + body[end:]


# ------------------------------------------------------------------------------------ as trainer.pt


class Hostile:
    """An object whose pickle runs code when it is read."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path(MARKER),)


class Hoard:
    """An object whose pickle takes memory when it is read."""

    def __reduce__(self) -> Any:
        return bytearray, (1 << 40,)


def _pt_hostile(rng: Random, key: Any = None) -> Any:
    import torch

    shape = rng.choice(((), (0,), (1,), (3,), (16, 16), (5056,), (1 << 15,)))
    dtype = rng.choice((torch.float32, torch.float64, torch.uint8, torch.int64, torch.bool,
                        torch.complex64, torch.bfloat16))  # fmt: skip
    return rng.choice((
        lambda: rng.choice(NUMBERS), lambda: rng.choice(STRINGS),
        lambda: rng.choice((None, True, [], {}, (), set(), b"x", 1j, Hostile(), Hoard(), dtype,
                            torch.Size(shape), torch.device("cpu"), {1: {}}, {-1: {}})),
        lambda: torch.zeros(shape, dtype=dtype),
        lambda: torch.full(shape, math.nan),
        lambda: torch.zeros(1, dtype=dtype).expand(1 << 40),
        lambda: torch.zeros(shape, dtype=dtype, device="meta"),
        lambda: torch.zeros(3, 3).to_sparse(),
        lambda: torch.nn.Parameter(torch.zeros(shape)),
    ))()  # fmt: skip


def _odd_tensor(value: Any, rng: Random) -> Any:
    """A tensor of the same shape that is made otherwise, or holds other numbers."""
    import torch

    if value.numel() > 1 << 20:  # a damaged one: copying it would take for ever
        return None
    number = rng.choice((math.nan, math.inf, -1.0, 0.0, 1e38, 255.0))
    return rng.choice((
        lambda: torch.full_like(value, number if value.is_floating_point() else 255),
        lambda: torch.zeros(1, dtype=value.dtype).expand(value.shape),
        lambda: torch.stack([value, value], -1)[..., 0],
        lambda: value.double(), lambda: value.to(torch.int64), lambda: value.to(torch.complex64),
        lambda: value.to("meta"), lambda: value.to_sparse(), lambda: value.bfloat16(),
        lambda: value.clone().requires_grad_() if value.is_floating_point() else value,
    ))()  # fmt: skip


def _pt_tree(data: bytes, rng: Random) -> bytes:
    import torch

    tree = copy.deepcopy(_loaded(data))
    container, key = _place(tree, rng)
    if isinstance(container[key], torch.Tensor):
        container[key] = rng.choice((_odd_tensor, _odd_tensor, lambda v, rng: _pt_hostile(rng)))(
            container[key], rng
        )  # fmt: skip
    else:
        tree = mutate_tree(tree, rng, _pt_hostile)
    out = io.BytesIO()
    torch.save(tree, out)
    return out.getvalue()


@functools.lru_cache(maxsize=1)
def _loaded(data: bytes) -> Any:
    import torch

    return torch.load(io.BytesIO(data), weights_only=True)  # it may be damaged already


def _pt_zip(data: bytes, rng: Random) -> bytes:
    """The archive with one of its records damaged, its checksums right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    name = next(n for n in records if n.endswith("data.pkl"))
    if rng.random() < 0.5:
        name = rng.choice(list(records))
    how = rng.choice(("damage", "damage", "delete", "pickle", "bomb", "rename"))
    if how == "damage":
        records[name] = rng.choice(BYTES)(records[name], rng, list(records.values()))
    elif how == "delete":
        del records[name]
    elif how == "rename":
        records[rng.choice(("data.pkl", "archive/../x", "a" * 300))] = records.pop(name)
    elif how == "pickle":
        value = rng.choice((Hostile(), Hoard(), [Hoard()] * 3, {"step": Hostile()}))
        records[name] = pickle.dumps(value, protocol=rng.choice((0, 2, 4)))
    else:
        return _pt_bomb(records, name)
    return zipped(records)


def _pt_bomb(records: dict[str, bytes], name: str) -> bytes:
    """The archive with a record that tells of 3 GB to unpack."""
    archive = zipped({**records, name: bytes(1 << 16)}, zipfile.ZIP_DEFLATED)
    packed = zipfile.ZipFile(io.BytesIO(archive)).getinfo(name).compress_size
    told, lie = struct.pack("<LL", packed, 1 << 16), struct.pack("<LL", packed, 3 << 30)
    return archive.replace(told, lie)


def _pt_file(data: bytes, rng: Random) -> bytes:
    """A pickle without an archive around it."""
    return pickle.dumps(rng.choice((Hostile(), Hoard(), {"step": Hostile()}, {}, [])))


def _pt(data: bytes, rng: Random) -> bytes:
    return rng.choice((_pt_tree, _pt_tree, _pt_tree, _pt_tree, _pt_zip, _pt_zip, _pt_file))(
        data, rng
    )


def zipped(records: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of named records, always of the same date."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, record in records.items():
            archive.writestr(zipfile.ZipInfo(name), record, method)
    return out.getvalue()


STRUCTURAL: dict[str, Callable[[bytes, Random], bytes]] = {
    "json": _json,
    "regex": _regex,
    "jsonl": _jsonl,
    "jinja": _jinja,
    "yaml": _lines(YAML_VALUES, YAML_LINES),
    "toml": _lines(TOML_VALUES, TOML_LINES),
    "lines": _lines(PLAIN_VALUES, PLAIN_VALUES),
    "safetensors": _safetensors,
    "pt": _pt,
}
# What a structural damage meets in a file that is damaged already.
UNREADABLE = (
    ValueError, LookupError, TypeError, AttributeError, RuntimeError, OverflowError, EOFError,
    MemoryError, ImportError, StopIteration, pickle.PickleError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip
