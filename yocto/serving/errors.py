"""What goes wrong, in OpenAI's shape: {"error": {"message", "type", "param", "code"}}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from yocto.errors import YoctoError

_TYPES = {
    401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    429: "rate_limit_error", 500: "server_error", 503: "server_error",
}  # fmt: skip

_KINDS = ("str", "int", "float", "bool", "dict", "list")
# What takes several types, and pydantic would tell of the first alone.
_EITHER = {
    "prompt": "it takes a text, a list of texts, a list of ids or a list of those, none empty",
    "stop": "it takes a text or a list of up to 4 texts, none empty",
    "content": 'it takes a text or a list of parts like {"type": "text", "text": "…"}',
}


class Refused(Exception):
    """A request that is not answered. param: the field that is wrong, code: a word for programs."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = dict(headers or {})

    @property
    def content(self) -> dict[str, Any]:
        """As OpenAI's clients read it."""
        kind = _TYPES.get(self.status, "invalid_request_error")
        return {
            "error": {
                "message": self.message, "type": kind, "param": self.param, "code": self.code
            }
        }  # fmt: skip

    @property
    def body(self) -> bytes:
        """The content as JSON."""
        return json.dumps(self.content).encode("ascii")


def refusal(error: YoctoError, param: str | None = None, code: str | None = None) -> Refused:
    """A user's mistake as the layers below tell it."""
    return Refused(400, ". ".join(filter(None, [error.message, error.hint])), param, code)


def too_busy(message: str, seconds: int) -> Refused:
    """No place is free."""
    return Refused(429, message, code="rate_limit_exceeded", headers={"Retry-After": str(seconds)})


def misfit(faults: list[Any]) -> Refused:
    """What pydantic says of a body, as one sentence on the first fault."""
    fault = faults[0]
    place = [str(part) for part in fault["loc"][1:] if _is_name(part)]
    param = ".".join(place) or None
    if fault["type"] == "json_invalid":
        return Refused(400, "the body is not JSON", code="invalid_json")
    if fault["type"] == "extra_forbidden":
        message = f"unknown or unsupported parameter: {param}"
        return Refused(400, _cut(message), _cut(param), "unknown_parameter")
    message = _EITHER.get(place[-1] if place else "", str(fault["msg"]))
    message = message.removeprefix("Value error, ")
    return Refused(400, _cut(f"{param}: {message}" if param else message), _cut(param))


def _is_name(part: str | int) -> bool:
    """Whether a part of a place is a field, an entry or a key, and no type of pydantic's."""
    return isinstance(part, int) or part.isdigit() or (part.isidentifier() and part not in _KINDS)


def _cut(text: str | None) -> Any:
    return text if text is None or len(text) <= 500 else text[:500] + "…"
