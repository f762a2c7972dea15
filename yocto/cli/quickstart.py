"""The quickstart's result, and the chat it ends in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yocto.cli.render import render_result
from yocto.cli.repl import on_terminal, run_chat
from yocto.utils.progress import SilentProgress

if TYPE_CHECKING:
    from yocto.commands.quickstart import Quickstart


def render_quickstart(result: Quickstart, as_json: bool) -> None:
    """Print what it made; then talk, where somebody is there to talk to."""
    talks = result.chat and not result.exit_code and not as_json and on_terminal()
    render_result(result, as_json)
    if talks:
        from yocto.commands import chat
        from yocto.config import ChatConfig

        print()
        config = ChatConfig(ckpt=result.training.run, ckpt_dir=result.ckpt_dir)
        run_chat(chat.run(config, SilentProgress()))
