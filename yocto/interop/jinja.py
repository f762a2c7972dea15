"""Chat templates in Jinja, which say to other programs what yocto chat writes."""

from __future__ import annotations

import json

from yocto.tokenizer.base import BaseTokenizer

# As chat/roles.py has them, which stands above this layer; a test holds the two together.
ROLE_TOKENS = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")

_ROLES = """\
{{- BEGIN -}}
{%- for message in messages -%}
{%- if message['role'] not in ['system', 'user', 'assistant'] -%}
{{- raise_exception('There are the roles system, user and assistant.') -}}
{%- endif -%}
{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}
"""
_LINES = """\
{%- for message in messages -%}
{%- if message['role'] == 'system' -%}
{%- if message['content'] | trim -%}{{- (message['content'] | trim) + '\\n' -}}{%- endif -%}
{%- elif message['role'] == 'user' -%}
{{- (('User: ' + (message['content'] | trim)) | trim) + '\\n' -}}
{%- else -%}
{{- (('Assistant: ' + (message['content'] | trim)) | trim) + '\\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- 'Assistant:' -}}{%- endif -%}
"""


def has_role_tokens(tokenizer: BaseTokenizer) -> bool:
    """Whether conversations stand between role tokens, as fine-tuning taught them."""
    known = all(token in tokenizer.special_tokens for token in ROLE_TOKENS)
    return known and tokenizer.end_id is not None


def chat_template_source(tokenizer: BaseTokenizer) -> str:
    """The Jinja that writes a conversation as yocto chat does, for a model without a template file
    of its own: role tokens where the tokenizer has them, else lines of `User:` and `Assistant:`.

    It makes the same text; what yocto does besides, it can't: a message that spells a role token,
    or that opens a line with `User:`, is not made harmless.
    """
    if has_role_tokens(tokenizer):
        # JSON's way to write a text is one of Jinja's.
        return _ROLES.replace("BEGIN", json.dumps(tokenizer.end_token, ensure_ascii=False))
    return _LINES
