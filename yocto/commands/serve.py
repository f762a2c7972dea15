"""yocto serve: a checkpoint for others, over HTTP."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from yocto.api import LanguageModel
from yocto.checkpoint import find_checkpoint
from yocto.config import ServeConfig
from yocto.errors import ConfigError, YoctoError
from yocto.utils.progress import Progress

if TYPE_CHECKING:
    from yocto.serving.server import Server

KEY = "YOCTO_API_KEY"
TALK = 1_000_000  # tokens that a server makes, about


@dataclass(frozen=True)
class Serving:
    """A server that is ready to begin. name: what clients call the model."""

    checkpoint: str
    name: str
    url: str
    server: Server

    def summary(self) -> list[str]:
        """The result in words."""
        return [f"serving {self.name} ({self.checkpoint}) at {self.url}"]


def run(config: ServeConfig, progress: Progress) -> Serving:
    """Open the checkpoint and the port."""
    if missing := [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]:
        raise YoctoError(
            f"serving needs {' and '.join(missing)}", "Type: pip install 'yocto[serve]'"
        )
    from yocto.serving.app import make_app
    from yocto.serving.server import Server, bind
    from yocto.serving.service import Service

    config = with_key(config)
    listening = bind(config)
    path = find_checkpoint(config.ckpt, Path(config.ckpt_dir))
    lm = LanguageModel.open(path, config.device, config.quantize, progress, TALK)
    name = config.model_name or path.parent.name
    service = Service(lm, name, config, facts_of(lm, path))
    host, port = listening.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    server = Server(make_app(service), listening, config.drain, service.batcher.finish)
    return Serving(str(path), name, url, server)


def with_key(config: ServeConfig) -> ServeConfig:
    """The settings with the environment's API key. Raises ConfigError where others can reach the
    server and there is none."""
    if config.api_key is None and os.environ.get(KEY):
        config = dataclasses.replace(config, api_key=os.environ[KEY])
    if config.api_key is None and not config.is_local:
        raise ConfigError(
            f"host is {config.host!r}, which others can reach, and there is no API key",
            f"Choose a long secret and put it into {KEY} (or --api-key); clients send it.",
        )
    return config


def facts_of(lm: LanguageModel, path: Path) -> dict[str, object]:
    """What the list of models tells of a model besides its name."""
    try:
        chat = type(lm.template).__name__.removesuffix("Template").lower()
    except YoctoError:  # nobody can talk to it
        chat = "none"
    return {
        "block_size": lm.block_size, "parameters": lm.model.num_parameters(),
        "run": path.parent.name, "step": path.name, "tokenizer": lm.tokenizer.kind,
        "vocab_size": lm.tokenizer.vocab_size, "chat": chat,
    }  # fmt: skip
