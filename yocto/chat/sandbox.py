"""Jinja templates of others, run where they can do no harm and come to an end.

What they may use, and how white space is treated, is as in transformers
(utils/chat_template_utils.py), so that they give the same text.
"""

from __future__ import annotations

import datetime
import functools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

STEPS = 100_000  # rounds of loops and calls of macros
CHARACTERS = 200_000  # of any text, besides what is put in
_LARGE = 1_000_000
_TICK, _JOIN = "_yocto_tick", "_yocto_join"


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
            extensions=[_Generation, "jinja2.ext.loopcontrols"],
        )  # fmt: skip
        self.start(CHARACTERS)
        self.filters = {name: _modest(f) for name, f in self.filters.items()}
        self.filters["tojson"] = _modest(_tojson)
        self.globals.update({
            "raise_exception": _raise, "strftime_now": _now, _TICK: self._tick, _JOIN: self._join,
        })  # fmt: skip

    def start(self, characters: int) -> None:
        """Count anew."""
        self._steps, self._characters = 0, characters

    def check(self, length: int) -> None:
        """Raise where a text grows too long."""
        if length > self._characters:
            raise SecurityError(f"it makes more than {self._characters:,} characters")

    def _tick(self) -> None:
        self._steps += 1
        if self._steps > STEPS:
            raise SecurityError(f"it takes more than {STEPS:,} steps")

    def _join(self, *values: Any) -> str:
        """What ~ does."""
        texts = [str(value) for value in values]
        self.check(sum(map(len, texts)))
        return "".join(texts)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """An operation whose result may be large."""
        if operator == "+" and isinstance(left, str | list | tuple):
            self.check(len(left) + len(right))
        elif operator == "*":
            for some, times in ((left, right), (right, left)):
                if isinstance(some, str | list | tuple) and isinstance(times, int):
                    self.check(len(some) * max(0, times))
        elif operator == "%" and isinstance(left, str):
            _check_format(left)
        if operator in ("*", "**") and _is_large(left, right):
            raise SecurityError("a number in it is too large")
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """A call, of a text's own methods too: center, format, …"""
        owner = getattr(getattr(obj, "__wrapped__", obj), "__self__", None)  # Jinja wraps format
        if isinstance(owner, str):
            _check_arguments(args, kwargs)
            if getattr(obj, "__name__", "").startswith("format"):
                _check_format(owner)
        return super().call(context, obj, *args, **kwargs)


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
        count = nodes.ExprStmt(_call(_TICK, [], node.lineno), lineno=node.lineno)
        node.body.insert(0, count)  # type: ignore[attr-defined]
    _joined(tree)
    return tree


def _joined(node: Any) -> Any:
    for name, value in node.iter_fields():
        if isinstance(value, list):
            setattr(node, name, [_joined(v) if isinstance(v, nodes.Node) else v for v in value])
        elif isinstance(value, nodes.Node):
            setattr(node, name, _joined(value))
    return _call(_JOIN, node.nodes, node.lineno) if isinstance(node, nodes.Concat) else node


def _call(name: str, arguments: list[Any], line: int) -> nodes.Call:
    return nodes.Call(nodes.Name(name, "load", lineno=line), arguments, [], None, None, lineno=line)


def _modest(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that takes no huge numbers: widths, say."""

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        _check_arguments(args[1:], kwargs)
        return function(*args, **kwargs)

    return checked


def _check_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    if any(isinstance(v, int) and abs(v) > _LARGE for v in (*args, *kwargs.values())):
        raise SecurityError("a number in it is too large")


def _check_format(text: str) -> None:
    if re.search(r"[0-9]{6}", text):
        raise SecurityError("a width in it is too large")


def _is_large(left: Any, right: Any) -> bool:
    return isinstance(left, int) and isinstance(right, int) and (
        left.bit_length() + right.bit_length() > 4096 or right > 4096
    )  # fmt: skip


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None,
    sort_keys: bool = False,
) -> str:  # fmt: skip
    """JSON; Jinja's own filter is for web pages."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise(message: str) -> None:
    raise TemplateError(str(message))


def _now(format: str) -> str:
    return datetime.datetime.now().strftime(format)
