"""How yocto's models want conversations written, as Jinja for other tools.

The templates give the ids that yocto's own chat gives for messages that need no care: yocto keeps a
message's text from becoming a role or a special token, which Jinja can't.
"""

from __future__ import annotations

import json

from yocto.errors import TokenizerError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.roles import ASSISTANT, END, ROLE, USER, has_roles

_KNOWN = ", ".join(f"'{role}'" for role in ROLE)
_REFUSE = "{{- raise_exception('the roles are system, user and assistant') -}}"
_OF_ROLES = (
    "{%- for message in messages -%}"
    f"{{%- if message['role'] not in [{_KNOWN}] -%}}{_REFUSE}{{%- endif -%}}"
    f"{{{{- '<|' + message['role'] + '|>' + message['content'] + '{END}' -}}}}"
    "{%- endfor -%}"
    f"{{%- if add_generation_prompt -%}}{{{{- '{ROLE['assistant']}' -}}}}{{%- endif -%}}"
)
_OF_TEXT = (
    "{%- for message in messages -%}"
    "{%- set text = message['content'] | trim -%}"
    "{%- if message['role'] == 'system' -%}"
    "{%- if text -%}{{- text + '\\n' -}}{%- endif -%}"
    f"{{%- elif message['role'] == 'user' -%}}{{{{- ('{USER} ' + text) | trim + '\\n' -}}}}"
    "{%- elif message['role'] == 'assistant' -%}"
    f"{{{{- ('{ASSISTANT} ' + text) | trim + '\\n' -}}}}"
    f"{{%- else -%}}{_REFUSE}{{%- endif -%}}"
    "{%- endfor -%}"
    f"{{%- if add_generation_prompt -%}}{{{{- '{ASSISTANT}' -}}}}{{%- endif -%}}"
)


def chat_template(tokenizer: BaseTokenizer) -> str | None:
    """The template of a model with this tokenizer: of role tokens where it has them, else of lines
    of text; None where it can't write these."""
    if has_roles(tokenizer) and tokenizer.end_token is not None:
        return f"{{{{- {json.dumps(tokenizer.end_token, ensure_ascii=False)} -}}}}{_OF_ROLES}"
    try:
        ids = tokenizer.encode(f"\n{USER} \n{ASSISTANT}", allowed_special="none")
    except TokenizerError:  # numbers, or an alphabet without these letters
        return None
    return _OF_TEXT if ids else None


def is_own(source: bytes) -> bool:
    """Whether a template is one that `chat_template` gives."""
    text = source.decode("utf-8", errors="replace").strip()
    return text == _OF_TEXT or text.partition("-}}")[2] == _OF_ROLES
