"""The server's address, and the server itself until it is to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yocto.cli.render import render_result

if TYPE_CHECKING:
    from yocto.commands.serve import Serving


def render_serving(result: Serving, as_json: bool = False) -> None:
    """Tell where it is, and serve."""
    render_result(result, as_json)
    print("Ctrl-C stops it", flush=True)
    result.server.run_until_asked()
    print("stopped", flush=True)
