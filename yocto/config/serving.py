"""The settings of serving a model."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from yocto.config.knobs import Config, knob, path_knob
from yocto.errors import ConfigError

# As browsers send it: scheme, host, perhaps a port.
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^\s/?#@:\[\]]+|\[[0-9A-Fa-f:.]+\])(:\d+)?/?")


@dataclass(frozen=True, kw_only=True)
class ServeConfig(Config):
    """Settings of `yocto serve`."""

    ckpt: str | None = path_knob(
        None, "latest, a run's name or a path.", default_text="the best step of the newest run"
    )
    ckpt_dir: str = path_knob("checkpoints", "Folder where runs lie.")
    device: str = path_knob("auto", "auto, cpu, cuda, cuda:N or mps.")
    quantize: Literal["none", "int8"] = knob(
        "none", "Weights of one byte each, with int8: less memory and more tokens a second."
    )
    host: str = knob(
        "127.0.0.1", "Address to serve at; one that others can reach takes an API key.",
        low=1, high=255,
    )  # fmt: skip
    port: int = knob(8000, "Port to serve at; 0 takes a free one.", low=0, high=65535)
    api_key: str | None = knob(
        None, "What clients have to send as their API key.",
        low=1, high=1000, default_text="YOCTO_API_KEY, or none",
    )  # fmt: skip
    model_name: str | None = knob(
        None, "What clients call the model.", low=1, high=200, default_text="the run's name"
    )
    allow_origin: tuple[str, ...] = knob(
        (), "Another site whose pages may use this server, as https://example.org; repeat it for "
        "several.",
        low=1, high=1000, default_text="none",
    )  # fmt: skip
    slots: int = knob(32, "Most texts that are made at a time.", low=1, high=4096)
    queue: int = knob(
        64, "Most texts that wait for a place; further ones are refused, with status 429.",
        low=0, high=1_000_000,
    )  # fmt: skip
    max_tokens: int = knob(4096, "Most tokens that a request may ask for.", low=1, high=1_000_000)
    max_body: int = knob(1_000_000, "Most bytes of a request.", low=100, high=1 << 30)
    time_limit: float = knob(
        600.0, "Seconds after which an answer ends, whole or not.", low=0.01, high=86400
    )
    drain: float = knob(
        30.0, "Seconds that answers may still take once the server is to stop.", low=0, high=3600
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for origin in self.allow_origin:
            if not _ORIGIN.fullmatch(origin):
                raise ConfigError(
                    f"allow_origin is {origin!r}, which is no site's origin",
                    "Like https://example.org or http://localhost:3000, with no path behind.",
                )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False
