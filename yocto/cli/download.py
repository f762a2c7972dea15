"""What can be downloaded, as a table that fits the terminal; what was, as lines; or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yocto.cli.render import render_result, write
from yocto.utils.text import size_text

if TYPE_CHECKING:
    from yocto.commands.download import Downloaded, Listing


def render_download(result: Downloaded | Listing, as_json: bool) -> None:
    """Print what `yocto download` did, or what --list shows."""
    from yocto.commands.download import Listing

    if not as_json and isinstance(result, Listing) and not result.is_one:
        _table(result)
    render_result(result, as_json)


def _table(listing: Listing) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("about", justify="right", no_wrap=True)
    table.add_column("licence", no_wrap=True)
    table.add_column("", overflow="fold")
    for dataset in listing.datasets:
        cells = (dataset.name, size_text(dataset.about), dataset.licence, dataset.note)
        table.add_row(*map(Text, cells))
    Console(highlight=False).print(table)
    write("\n")
