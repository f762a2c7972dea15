"""yocto chat: a conversation with a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from yocto.api import Chat, LanguageModel
from yocto.checkpoint import find_checkpoint
from yocto.config import ChatConfig
from yocto.errors import ConfigError
from yocto.utils.progress import Progress

TALK = 3000  # tokens that a model says in a conversation, about


@dataclass(frozen=True)
class OpenChat:
    """A conversation that is ready for its first message."""

    checkpoint: str
    chat: Chat


def run(config: ChatConfig, progress: Progress) -> OpenChat:
    """Open the checkpoint."""
    path = find_checkpoint(config.ckpt, Path(config.ckpt_dir))
    lm = LanguageModel.open(path, config.device, config.quantize, progress, TALK)
    if config.max_ctx_tokens is not None and config.max_ctx_tokens > lm.block_size:
        raise ConfigError(
            f"max_ctx_tokens is {config.max_ctx_tokens}, but the model sees at most "
            f"{lm.block_size} tokens",
            f"Use --max-ctx-tokens {lm.block_size} or less.",
        )
    for told in config.without_effect():
        progress.notice(told)
    return OpenChat(str(path), Chat(lm, config, config.system_prompt, config.max_ctx_tokens))
