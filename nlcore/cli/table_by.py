"""``nl table --by``: many runs as a table with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nlcore.cli.output import check_output, write
from nlcore.errors import ParameterError, UserError, plural

if TYPE_CHECKING:
    from nlcore.studies.read import Found, Run


def print_by(
    folder: Path, by: str, baseline: str | None, metric: str | None, format: str | None, output: Path | None
) -> None:
    """Print the table, or write it to a file; the arguments are the options as they were typed."""
    from nlcore.studies.formats import FORMATS, SUFFIXES
    from nlcore.studies.groups import group
    from nlcore.studies.layout import table_of
    from nlcore.studies.metrics import USUAL

    if output:
        check_output(output)
    runs = finished_runs(folder)
    groups = group(runs, words("--by", by))
    names = USUAL if metric is None else words("--metric", metric)
    text = FORMATS[format or SUFFIXES.get(output.suffix.lower() if output else "", "text")](
        table_of(runs, groups, names, baseline)
    )
    if output is None:
        click.echo(text, nl=False)
    else:
        write(output, text.encode())


def words(option: str, text: str) -> list[str]:
    """
    Return the words of an option's list.

    Raises:
        ParameterError: there is none.

    """
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise ParameterError(f"{option} {text!r}: must be a word, or several with commas between them.")
    return list(dict.fromkeys(found))


def finished_runs(folder: Path) -> Sequence[Run]:
    """
    Return the finished runs of a folder, and say on stderr what was left out.

    Raises:
        UserError: there is none.

    """
    return found_runs(folder).runs


def found_runs(folder: Path) -> Found:
    """
    Return the finished runs of a folder with what was left out, which is said on stderr.

    Raises:
        UserError: there is none.

    """
    from nlcore.studies.read import read_runs

    found = read_runs(folder)
    for reason in found.damaged:
        click.echo(f"left out: {reason}", err=True)
    if found.unfinished:
        click.echo(f"{plural(found.unfinished, 'unfinished run')} left out.", err=True)
    if not found.runs:
        raise UserError(
            f"There are no finished runs in the folder {folder}. 'nl table' lists runs; 'nl run' makes them."
        )
    return found
