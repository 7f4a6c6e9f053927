"""``nl table --by``: many runs as a table with its uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nlcore.errors import ParameterError, UserError, plural

if TYPE_CHECKING:
    from nlcore.studies.read import Found, Run

F = TypeVar("F", bound=Callable[..., Any])


def print_by(
    folder: Path, by: str, baseline: str | None, metric: str | None, format: str | None, output: Path | None
) -> None:
    """Print the table, or write it to a file; the arguments are the options as they were typed."""
    from nlcore.studies.comparison import read_baseline
    from nlcore.studies.formats import FORMATS, SUFFIXES
    from nlcore.studies.groups import group
    from nlcore.studies.layout import lay_out
    from nlcore.studies.metrics import USUAL, metric_of_runs

    if output:
        check_output(output)
    runs = finished_runs(folder)
    groups = group(runs, words("--by", by))
    names = USUAL if metric is None else words("--metric", metric)
    metrics = [metric_of_runs(name, runs) for name in names]
    layout = lay_out(groups, metrics, None if baseline is None else read_baseline(baseline, groups))
    text = FORMATS[format or SUFFIXES.get(output.suffix.lower() if output else "", "text")](layout)
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
        raise UserError(f"There are no finished runs in {folder}. 'nl table' lists runs; 'nl run' makes them.")
    return found


def output_option(**more: Any) -> Callable[[F], F]:
    """Return ``-o FILE``, a path that a command gets as `output`."""
    return click.option("-o", "--out", "output", metavar="FILE", type=click.Path(path_type=Path), **more)


def check_output(path: Path) -> None:
    """
    Check that a file can be written before any work is done.

    Raises:
        UserError: its folder is not there, or it is a folder itself.

    """
    if path.is_dir():
        raise UserError(f"-o {path}: this is a folder. Name a file in it, as {path / 'FILE'}.")
    if not path.parent.is_dir():
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
