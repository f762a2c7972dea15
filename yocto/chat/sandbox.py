"""Jinja templates of others, run where they can do no harm and come to an end.

What they may use, and how white space is treated, is as in transformers
(utils/chat_template_utils.py), so that they give the same text.
"""

from __future__ import annotations

import datetime
import functools
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

STEPS = 100_000  # rounds of loops and calls of macros
CHARACTERS = 200_000  # of any text, besides what is put in
_LARGE = 1_000_000
# Filters and methods of texts whose result may be far longer than what they are given.
_GROWING = frozenset((
    "replace", "join", "format", "format_map", "%", "indent", "wordwrap", "expandtabs", "translate",
    "urlize",
))  # fmt: skip


class Sandboxed:
    """A compiled template. Raises ValueError where it is not one."""

    def __init__(self, source: str) -> None:
        self._environment = _Environment()
        try:
            tree = self._environment.parse(source)
            self._template = self._environment.from_string(_watched(tree))
        except (TemplateError, RecursionError, SyntaxError, MemoryError) as error:
            raise ValueError(_told(error)) from error

    def render(self, values: Mapping[str, Any], size: int) -> str:
        """The text; size: how many characters of it are put in. Raises ValueError where the
        template fails or does not come to an end."""
        self._environment.start(CHARACTERS + 4 * size)
        parts, length = [], 0
        try:
            for part in self._template.generate(**values):
                length += len(part)
                self._environment.check(length)
                parts.append(part)
        except Exception as error:  # a template can raise whatever Python's operators do
            raise ValueError(_told(error)) from error
        return "".join(parts)


def _told(error: BaseException) -> str:
    message = str(error) or type(error).__name__
    line = getattr(error, "lineno", None)
    return f"{message} (line {line})" if line else message


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox of transformers, with limits on time and memory."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True, lstrip_blocks=True,
            extensions=[_Generation, "jinja2.ext.loopcontrols"], finalize=self.measured,
        )  # fmt: skip
        self.start(CHARACTERS)
        self.filters = {name: self._modest(name, f) for name, f in self.filters.items()}
        self.filters["tojson"] = self._modest("tojson", self._tojson)
        self.globals.update({"raise_exception": _raise, "strftime_now": _now})

    def start(self, characters: int) -> None:
        """Count anew."""
        self._steps, self._characters = 0, characters

    def check(self, length: int) -> None:
        """Raise where a text grows too long."""
        if length > self._characters:
            raise SecurityError(f"it makes more than {self._characters:,} characters")

    def measured(self, value: Any) -> Any:
        """The value; raise where it is too long to be written out."""
        self.check(self._size(value))
        return value

    def tick(self, steps: int = 1) -> None:
        """Count steps."""
        self._steps += steps
        if self._steps > STEPS:
            raise SecurityError(f"it takes more than {STEPS:,} steps")

    def joined(self, *values: Any) -> str:
        """What ~ does."""
        self.measured(values)
        return "".join(str(value) for value in values)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """An operation whose result may be large."""
        if operator == "+" and isinstance(left, str | list | tuple):
            self.check(len(left) + len(right))
            self.measured((left, right))
        elif operator == "*":
            for some, times in ((left, right), (right, left)):
                if isinstance(some, str | list | tuple) and isinstance(times, int):
                    self.check(len(some) * max(0, times))
        elif operator == "%" and isinstance(left, str):
            self._check_growth("%", left, [right])
        if operator in ("*", "**") and _is_large(left, right):
            raise SecurityError("a number in it is too large")
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """A call, of a text's own methods too: center, format, …"""
        owner = getattr(getattr(obj, "__wrapped__", obj), "__self__", None)  # Jinja wraps format
        if not isinstance(owner, str):
            return super().call(context, obj, *args, **kwargs)
        _check_arguments(args, kwargs)
        name = str(getattr(obj, "__name__", ""))
        args = tuple(self._gathered(value) for value in args)
        self._check_growth(name, owner, [*args, *kwargs.values()])
        return self.measured(super().call(context, obj, *args, **kwargs))

    def _modest(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A filter that takes no huge numbers, widths, say, and makes no huge text."""
        of = 1 if hasattr(function, "jinja_pass_arg") else 0  # where the filtered value stands

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            _check_arguments(args[of + 1 :], kwargs)
            if len(args) > of:
                value = self._gathered(args[of])
                args = (*args[:of], self.measured(value), *args[of + 1 :])
            if name in _GROWING:
                given = inspect.signature(function).bind(*args, **kwargs).arguments
                first, *others = list(given.values())[of:]
                if name == "join":
                    first, others = given.get("d", ""), [first]
                self._check_growth("%" if name == "format" else name, str(first), others)
            made = function(*args, **kwargs)
            return self.measured(made) if isinstance(made, str) else made

        return checked

    def _tojson(
        self, value: Any, ensure_ascii: bool = False, indent: int | None = None,
        separators: Any = None, sort_keys: bool = False,
    ) -> str:  # fmt: skip
        """JSON; Jinja's own filter is for web pages."""
        encoder = json.JSONEncoder(
            ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )
        parts, length = [], 0
        for part in encoder.iterencode(value):
            length += len(part)
            self.check(length)
            parts.append(part)
        return "".join(parts)

    def _gathered(self, values: Any) -> Any:
        """What gives its values only once as a list, which can be measured."""
        if not isinstance(values, Iterator):
            return values
        made, length = [], 0
        for value in values:
            length += self._size(value)
            self.check(length)
            self.tick()
            made.append(value)
        return made

    def _size(self, value: Any) -> int:
        """About how many characters a value is when written out, or any number above those that
        there may be."""
        total, seen, waiting = 0, 0, [value]
        while waiting and total <= self._characters:
            one = waiting.pop()
            seen += 1
            if isinstance(one, str):
                total += len(one)
            elif isinstance(one, dict):
                waiting += [*one.keys(), *one.values()]
                total += 4 * len(one)
            elif isinstance(one, list | tuple | set | frozenset):
                waiting += one
                total += 2 * len(one)
            elif isinstance(one, Namespace):
                waiting.append(object.__getattribute__(one, "_Namespace__attrs"))
            elif isinstance(one, int):
                total += one.bit_length() // 3
        self.tick(seen // 30)  # a long look costs time, too
        return total

    def _check_growth(self, name: str, text: str, arguments: Sequence[Any]) -> None:
        """Raise where a filter or a text's method of this name would make a huge text of one."""
        if name not in _GROWING:
            return
        sizes = [v if isinstance(v, int) else self._size(v) for v in arguments]
        longest = max(sizes, default=0)
        if name == "replace":
            old, new = [*arguments, "", ""][:2]
            self.check(len(text) + text.count(str(old)) * self._size(new))
        elif name == "join":
            self.check(sum(sizes) + len(text) * sum(len(v) for v in arguments[:1]))
        elif name in ("format", "format_map", "%"):
            # A width can come from an argument: * and {:{}}.
            if re.search(
                r"[0-9]{6}|" + (r"%[^a-zA-Z%]*\*" if name == "%" else r"\{[^{}]*\{"), text
            ):
                raise SecurityError("a width in it is too large")
            widths = sum(map(int, re.findall("[0-9]+", text)))
            places = text.count("%" if name == "%" else "{")
            self.check(len(text) + widths + places * sum(map(self._size, arguments)))
        else:
            self.check(len(text) * (1 + longest))


class _Generation(Extension):
    """{% generation %} … {% endgeneration %}: where the assistant speaks, which changes nothing."""

    tags = {"generation"}  # noqa: RUF012 (Jinja's own form)

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """What stands between the tags."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _watched(tree: nodes.Template) -> nodes.Template:
    """The template with a step counted wherever it might go on for ever, and ~ made a call."""
    for node in tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock)):
        count = nodes.ExprStmt(_call("tick", [], node.lineno), lineno=node.lineno)
        node.body.insert(0, count)  # type: ignore[attr-defined]
    _joined(tree)
    return tree


def _joined(node: Any) -> Any:
    for name, value in node.iter_fields():
        if isinstance(value, list):
            setattr(node, name, [_joined(v) if isinstance(v, nodes.Node) else v for v in value])
        elif isinstance(value, nodes.Node):
            setattr(node, name, _joined(value))
    return _call("joined", node.nodes, node.lineno) if isinstance(node, nodes.Concat) else node


def _call(name: str, arguments: list[Any], line: int) -> nodes.Call:
    """A call of the environment's own method: of no name, as a template may give it another."""
    method = nodes.EnvironmentAttribute(name, lineno=line)
    return nodes.Call(method, arguments, [], None, None, lineno=line)


def _check_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    if any(isinstance(v, int) and abs(v) > _LARGE for v in (*args, *kwargs.values())):
        raise SecurityError("a number in it is too large")


def _is_large(left: Any, right: Any) -> bool:
    return isinstance(left, int) and isinstance(right, int) and (
        left.bit_length() + right.bit_length() > 4096 or right > 4096
    )  # fmt: skip


def _raise(message: str) -> None:
    raise TemplateError(str(message))


def _now(format: str) -> str:
    return datetime.datetime.now().strftime(format)
