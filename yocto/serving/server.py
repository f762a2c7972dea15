"""The server on its socket: begins, runs, and ends without losing answers."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from yocto.config import ServeConfig
from yocto.errors import ConfigError, YoctoError

_BACKLOG = 512  # clients that may knock at once
_LAST_WORDS = 5  # seconds for the ends of answers to go out, and for who sends a body too slowly

_FAREWELL = 0.2  # seconds for the same where all is to end at once


def bind(config: ServeConfig) -> socket.socket:
    """A socket at the address, before anything is told of it. Raises YoctoError where it is taken,
    ConfigError where it is no address of this machine."""
    host = config.host.strip("[]")
    try:
        (family, kind, _, _, address), *_ = socket.getaddrinfo(
            host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError:
        raise ConfigError(f"host is {host!r}, which is no address", "Like 127.0.0.1.") from None
    found = socket.socket(family, kind)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(_BACKLOG)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise ConfigError(
                f"host is {host!r}, which is no address of this machine",
                "--host 0.0.0.0 serves at all that it has.",
            ) from None
        raise YoctoError(
            f"can't serve at {host}, port {config.port}: {error.strerror}",
            "Choose another one with --port; 0 takes a free one.",
        ) from error
    return found


class Server(uvicorn.Server):
    """uvicorn on a socket that is bound already. SIGTERM and Ctrl-C let it end: no new requests,
    and what runs has `drain` seconds, until `finish` ends it; a second one ends all at once."""

    def __init__(
        self, app: ASGIApp, listening: socket.socket, drain: float, finish: Callable[[], None]
    ) -> None:
        self.listening, self._drain, self._finish = listening, drain, finish
        super().__init__(uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="on", timeout_keep_alive=30,
            timeout_graceful_shutdown=round(drain) + _LAST_WORDS, ws="none", server_header=False,
            date_header=False, backlog=_BACKLOG,
        ))  # fmt: skip

    def run_until_asked(self) -> None:
        """Serve until SIGTERM or Ctrl-C."""
        with suppress(asyncio.CancelledError):
            asyncio.run(self.serve(sockets=[self.listening]))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal. uvicorn would let a second SIGTERM pass."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the socket, wait for answers."""
        timer = asyncio.get_running_loop().call_later(self._drain, self._finish)
        await super().shutdown(sockets)
        timer.cancel()
        if self.force_exit:  # which uvicorn takes so literally that it leaves threads behind
            self._finish()
            await asyncio.sleep(_FAREWELL)
            await self.lifespan.shutdown()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises them anew at the end; here the end was asked for, and all is well."""
        try:
            previous = {
                number: signal.signal(number, self.handle_exit)
                for number in (signal.SIGINT, signal.SIGTERM)
            }
        except ValueError:  # not in the main thread
            previous = {}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
