"""A Modelfile, from which ollama makes a model of a .gguf file."""

from __future__ import annotations

import json
from collections.abc import Sequence

from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.roles import END, ROLE, has_roles

# A text goes on; ollama's own default would guess at a chat.
_PROMPT = "{{ .Prompt }}"


def modelfile(
    file: str,
    tokenizer: BaseTokenizer,
    context: int,
    end_ids: Sequence[int] = (),
    own_template: bool = False,
) -> str:
    """The text of a Modelfile.

    file: the .gguf's name; the Modelfile lies beside it. context: tokens that the model sees.
    end_ids: what ends an answer besides the tokenizer's end token. own_template: the model has a
    Jinja template that is not yocto's: ollama looks it up among those that it knows.
    """
    lines = [f"FROM ./{file}"]
    if has_roles(tokenizer) and not own_template:
        lines.append(f'TEMPLATE """{_roles(tokenizer)}"""')
    elif not own_template:
        lines.append(f'TEMPLATE """{_PROMPT}"""')
    names = {i: text for text, i in tokenizer.special_tokens.items()}
    ends = dict.fromkeys(i for i in (tokenizer.end_id, *end_ids) if i in names)
    # Modelfiles have no way to write a quote inside quotes.
    stops = [names[i] for i in ends if '"' not in names[i]]
    lines += [f'PARAMETER stop "{stop}"' for stop in stops]
    return "\n".join([*lines, f"PARAMETER num_ctx {context}"]) + "\n"


def _roles(tokenizer: BaseTokenizer) -> str:
    """Go's template for turns between role tokens. The system prompt is a message, too."""
    turns = "{{ else ".join(
        f'if eq .Role "{role}" }}}}{token}{{{{ .Content }}}}{END}' for role, token in ROLE.items()
    )
    begin = tokenizer.end_token or ""
    if "{{" in begin or '"' in begin:
        begin = f"{{{{ {json.dumps(begin)} }}}}"
    start = ROLE["assistant"]
    return f"{begin}{{{{ range .Messages }}}}{{{{ {turns}{{{{ end }}}}{{{{ end }}}}{start}"
