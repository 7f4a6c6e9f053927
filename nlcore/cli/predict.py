"""``nl predict``: classify image files with a trained model."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from nlcore.data.image_files import IMAGE_SUFFIXES, list_images
from nlcore.data.tables import path_in_table, read_table, refuse_missing
from nlcore.errors import ParameterError, UserError, plural
from nlcore.rundir.find import find_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Of a file: its path, and its most probable classes with their probabilities, the best first.
Found: TypeAlias = tuple[Path, Sequence[tuple[str, float]]]

_STDIN = Path("-")

#: What would end a field or a line that is separated by tabs.
_ESCAPED = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


@click.command()
@click.argument("run")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda or cuda:N")
@click.option("--runs-dir", default="runs", show_default=True, help="folder that RUN is looked up in")
@click.option("--top", metavar="K", type=int, help="the K most probable classes  [default: 1; with json: all]")
@click.option("--format", type=click.Choice(("tsv", "csv", "json")), help="of the results  [default: tsv]")
@click.option("--json", "as_json", is_flag=True, help="short for --format json")
@click.option("--skip-unreadable", is_flag=True, help="end with 0 although some files could not be read")
def predict(
    run: str,
    paths: tuple[Path, ...],
    device: str,
    runs_dir: str,
    top: int | None,
    format: str | None,
    as_json: bool,
    skip_unreadable: bool,
) -> int:
    """
    Classify image files with a trained model.

    RUN is the name of a finished run as 'nl table' shows it, or its directory.

    A folder stands for all images in it and in its subfolders; hidden files are left out. A .csv file lists images in a
    column path, relative to its folder; - reads paths from stdin, one a line. Any number of images will do. Each is
    converted and resized to what the model was trained on.

    Prints path, class and probability as they come: separated by tabs, as CSV under a line of titles, or as one JSON
    object a line. A file that cannot be read is named on stderr, the others are classified all the same, and the exit
    code is 1.
    """
    if as_json and format not in (None, "json"):
        raise click.UsageError("--json goes with --format json alone.")
    if top is not None and top < 1:
        raise ParameterError(f"--top {top}: must be at least 1.")
    run_dir = find_model(run, runs_dir)
    sources = [_files(path) for path in paths]  # what is missing is told before a model is loaded

    from nlcore.runs.model import load_model

    model = load_model(run_dir, device)
    if top is not None and top > len(model.classes):
        raise ParameterError(f"--top {top}: the model has {plural(len(model.classes), 'class', 'classes')}.")
    count = 0
    unreadable: list[Path] = []

    def counted() -> Iterator[Path]:
        nonlocal count
        for path in (path for source in sources for path in source):
            count += 1
            yield path

    def leave_out(path: Path, why: str) -> None:
        unreadable.append(path)
        click.echo(f"{path} cannot be read as an image: {why}", err=True)

    results = model.predict_files(counted(), leave_out)
    if as_json or format == "json":
        kept = top or len(model.classes)
        _print_json((file, _best(model.classes, row, kept)) for file, row in results)
    else:
        found = ((file, _best(model.classes, row, top or 1)) for file, row in results)
        if format == "csv":
            _print_csv(found, top or 1)
        else:
            _print_tsv(found)
    if unreadable:
        click.echo(f"{len(unreadable):,} of {plural(count, 'file')} could not be read.", err=True)
    return 1 if unreadable and not skip_unreadable else 0


def _best(classes: Sequence[str], row: NDArray[np.float32], count: int) -> list[tuple[str, float]]:
    return [(classes[number], float(row[number])) for number in (-row).argsort(kind="stable")[:count].tolist()]


def _print_tsv(results: Iterable[Found]) -> None:
    for file, best in results:
        cells = [str(file), *(cell for name, share in best for cell in (name, f"{share:.4f}"))]
        click.echo("\t".join(cell.translate(_ESCAPED) for cell in cells))


def _print_csv(results: Iterable[Found], top: int) -> None:
    """Print a line of titles and a line for each file; with several classes their titles are numbered."""
    ends = [""] if top == 1 else [f"_{number}" for number in range(1, top + 1)]
    _print_row("path", *(f"{title}{end}" for end in ends for title in ("class", "probability")))
    for file, best in results:
        _print_row(str(file), *(cell for name, share in best for cell in (name, f"{share:.6f}")))


def _print_row(*cells: str) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    click.echo(text.getvalue(), nl=False)


def _print_json(results: Iterable[Found]) -> None:
    for file, best in results:
        shares = {name: round(share, 6) for name, share in best}
        click.echo(json.dumps({"path": str(file), "class": best[0][0], "probabilities": shares}))


def _files(path: Path) -> Iterable[Path]:
    """Return the files that a word of the command line stands for; what is named there must be there."""
    if path == _STDIN:
        return _from_stdin()
    if path.is_dir():
        found, _ = list_images(path)
        if not found:
            raise UserError(
                f"There are no images in the folder {path}. Images are {', '.join(sorted(IMAGE_SUFFIXES))}."
            )
        return found
    if not path.exists():
        raise UserError(f"There is no file {path}.")
    return _listed(path) if path.suffix.lower() == ".csv" else [path]


def _listed(table: Path) -> list[Path]:
    """Return the images that a CSV lists."""
    rows = read_table(table, ["path"], "Name another one.", spaced=True)
    if not rows:
        raise UserError(f"{table} lists no images: it has no line after the first.")
    refuse_missing(table, "path", [(where.removeprefix("line "), row["path"]) for where, row in rows])
    return [table.parent / path_in_table(table, row["path"]) for _, row in rows]


def _from_stdin() -> Iterator[Path]:
    """Yield the paths that stdin lists, a folder's images in its place; what is not there is told in its turn."""
    named = False
    for number, line in enumerate(sys.stdin.buffer):
        start = b"" if number else codecs.BOM_UTF8  # as Windows' editors begin a file
        name = os.fsdecode(line.removeprefix(start).rstrip(b"\r\n"))
        if name:
            named = True
            path = Path(name)
            yield from (list_images(path)[0] or [path]) if path.is_dir() else [path]
    if not named:
        raise UserError("stdin named no files.")
