"""How commands write tables to stdout."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table


def width() -> int | None:
    """Return how many columns there are: the terminal's, else ``COLUMNS``, else None, for a pipe takes any length."""
    console = Console()
    if console.is_terminal:
        return console.width
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isdigit() and int(given) else None


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str] = (), gap: int = 2
) -> None:
    """
    Print a plain table. Cells are folded where the lines would be too long, never cut.

    Args:
        columns: the titles.
        rows: the cells, as many as there are titles.
        numbers: the titles of columns that are aligned to the right.
        gap: spaces between columns.

    """
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for title in columns:
        table.add_column(title, justify="right" if title in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        console.print(table)
        return
    plain = Console(highlight=False, markup=False, width=width() or 10_000)
    with plain.capture() as captured:
        plain.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def print_text(text: str) -> None:
    """Print a paragraph, its lines folded at 80 columns or fewer."""
    click.echo(textwrap.fill(text, min(width() or 80, 80), subsequent_indent="  ", break_long_words=False))
