"""How commands write tables to stdout, and files where they are told to."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from nlcore.errors import UserError
from nlcore.rundir.place import is_one_of

F = TypeVar("F", bound=Callable[..., Any])


def width() -> int | None:
    """Return how many columns there are: the terminal's, else ``COLUMNS``, else None, for a pipe takes any length."""
    from rich.console import Console

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
    from rich.console import Console
    from rich.table import Table

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


def output_option(**more: Any) -> Callable[[F], F]:
    """Return ``-o FILE``, a path that a command gets as `output`."""
    return click.option("-o", "--out", "output", metavar="FILE", type=click.Path(path_type=Path), **more)


def check_output(path: Path, what: str = "", suffixes: Sequence[str] = (), reads: Sequence[Path] = ()) -> None:
    """
    Check that a file can be written before any work is done.

    Args:
        path: of the file.
        what: it is, with suffixes: "a picture".
        suffixes: that its name may end in, in any case; empty where any will do.
        reads: files that the command reads.

    Raises:
        UserError: its name ends in something else, its folder is not there, it is a folder itself, or a file that is
            read.

    """
    if suffixes and path.suffix.lower() not in suffixes:
        example = path.with_suffix(suffixes[0]) if path.name.strip(".") else f"{path}/FILE{suffixes[0]}"
        raise UserError(f"-o {path}: {what}'s name ends in {', '.join(suffixes)}; for instance {example}.")
    try:
        folder, taken = path.parent.is_dir(), path.is_dir()
    except OSError as error:  # no path that there could be
        raise UserError(f"-o {path}: it cannot be written: {error.strerror}.") from None
    if taken:
        raise UserError(f"-o {path}: this is a folder. Name a file in it, as {path / 'FILE'}{''.join(suffixes[:1])}.")
    if is_one_of(path, reads):
        raise UserError(f"-o {path}: this file is read. Name another one.")
    if not folder:
        raise UserError(f"-o {path}: there is no folder {path.parent}. Make it, or name another one.")


def write(path: Path, content: bytes) -> None:
    """
    Write a file and say so.

    Raises:
        UserError: it cannot be written.

    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"-o {path}: it cannot be written: {error.strerror}.") from None
    click.echo(f"written: {path}", err=True)
