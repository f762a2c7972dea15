"""What `yocto bench` and `yocto bench eval` measured, as tables that fit 80 columns, or as JSON."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from yocto.cli.page import NONE
from yocto.cli.render import print_json, write

if TYPE_CHECKING:
    from yocto.bench.evaluating import EvalBench
    from yocto.bench.overview import Overview


def render_overview(result: Overview, as_json: bool) -> None:
    """Print what `yocto bench` measured."""
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from yocto.bench.overview import figure

    machine = result.machine
    cores = f"{machine.cores} core" + ("s" if machine.cores != 1 else "")
    write(f"{machine.cpu}, {cores}, {machine.system}\n")
    packages = [f"{name} {version}" for name, version in result.versions.items()]
    write(f"{', '.join([*packages, f'Python {machine.python}'])}\n")
    write(f"{result.text_bytes / 1e6:.2f} MB of text, {result.date}\n\n")
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("", overflow="fold")
    for head in ("yocto", "", "quickest other", "", "ratio"):
        right = head in ("yocto", "ratio") or not head
        table.add_column(head, justify="right" if right else "left", no_wrap=not head)
    for row in result.rows:
        theirs = NONE if row.theirs is None else figure(row.theirs)
        ratio = NONE if row.ratio is None else figure(row.ratio)
        cells = (row.what, figure(row.ours), row.unit, row.peer or NONE, theirs, ratio)
        table.add_row(*map(Text, cells))
    Console(highlight=False).print(table)
    write("\nratio: how many times as quick yocto is as the other, in the same rounds\n")
    for line in result.reasons:
        write(f"{line}\n")
    if result.out_path is not None:
        write(f"-> {result.out_path}\n")


def render_evaluation(result: EvalBench, as_json: bool) -> None:
    """Print what `yocto bench eval` measured."""
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    from yocto.bench.overview import figure

    machine = result.machine
    cores = f"{machine.cores} core" + ("s" if machine.cores != 1 else "")
    threads = f"{result.threads} thread" + ("s" if result.threads != 1 else "")
    write(f"{machine.cpu}, {cores}, {machine.system}, Python {machine.python}\n")
    write(f"yocto {result.rows[0].version}, torch {result.torch}, {threads}\n")
    shape = ", ".join(f"{name} {value}" for name, value in result.shape.items() if name != "family")
    write(f"{result.shape['family']}, {result.parameters / 1e6:.1f}M: {shape}\n")
    write(f"{result.tokens:,} tokens, {result.batch_size} windows at a time\n\n")
    write(f"{'':<22}{'tokens/s':>10}{'× forward':>12}{'loss':>10}\n")
    for row in result.rows:
        loss = NONE if row.loss is None else f"{row.loss:.4f}"
        speed = figure(row.tokens_per_second)
        write(f"{row.engine:<22}{speed:>10}{figure(row.ratio):>12}{loss:>10}\n")
    write("\n× forward: how many times as quick as the bare forward pass in the same rounds\n")
