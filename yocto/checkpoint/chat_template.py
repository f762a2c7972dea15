"""How a checkpoint wants conversations written: the template of Hugging Face's folders, read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yocto.errors import CheckpointError
from yocto.utils.files import read_json

TEMPLATE, SETTINGS, GENERATION = (
    "chat_template.jinja", "tokenizer_config.json", "generation_config.json",
)  # fmt: skip
_HINT = "Put the file right, or take it away: then the conversation is plain text."
_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token")


@dataclass(frozen=True)
class TemplateFile:
    """A chat template, not yet compiled.

    path: the file that holds it, for messages. source: Jinja. tokens: what the template may call by
    name, such as bos_token -> "<s>". end_ids: the ids that generation_config.json ends an answer
    at.
    """

    path: Path
    source: str
    tokens: dict[str, str] = field(default_factory=dict)
    end_ids: frozenset[int] = frozenset()


def read_chat_template(folder: Path) -> TemplateFile | None:
    """The chat template in a folder: chat_template.jinja, or else "chat_template" in
    tokenizer_config.json, a text or a list with one named "default"; None where there is none.
    Raises CheckpointError for a file that can't be read."""
    settings = _table(folder / SETTINGS)
    path, source = folder / SETTINGS, _default(settings.get("chat_template"), folder / SETTINGS)
    if (folder / TEMPLATE).is_file():
        path = folder / TEMPLATE
        try:
            source = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(f"can't read {path}: {error}", _HINT) from error
    if source is None:
        return None
    tokens = {name: text for name in _TOKENS if (text := _token(settings.get(name))) is not None}
    return TemplateFile(path, source, tokens, _end_ids(folder / GENERATION))


def _table(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    content = read_json(path, CheckpointError, _HINT)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no table", _HINT)
    return content


def _default(value: Any, path: Path) -> str | None:
    """The template of this name, where there are several."""
    if isinstance(value, list):
        named = [t for t in value if isinstance(t, dict) and t.get("name") == "default"]
        value = named[-1].get("template") if named else None
    if not isinstance(value, str | None):
        raise CheckpointError(f"{path}: chat_template is no text", _HINT)
    return value


def _token(value: Any) -> str | None:
    """A special token's text, which may stand in a table with how to strip it."""
    value = value.get("content") if isinstance(value, dict) else value
    return value if isinstance(value, str) else None


def read_end_ids(folder: Path) -> frozenset[int]:
    """The ids that a folder's generation_config.json ends a text at; none where it has no such
    file. Raises CheckpointError for a file that can't be read."""
    return _end_ids(folder / GENERATION)


def adds_start(folder: Path) -> bool:
    """Whether a text begins with what the tokenizer's file puts before it: tokenizer_config.json
    may say no."""
    return _table(folder / SETTINGS).get("add_bos_token") is not False


def _end_ids(path: Path) -> frozenset[int]:
    value = _table(path).get("eos_token_id")
    values = value if isinstance(value, list) else [value]
    return frozenset(i for i in values if type(i) is int and i >= 0)
