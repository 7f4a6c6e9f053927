"""
Files of labels by sample id, as runs, other tools and people write them. Labels are numbers or names of classes.

    .npz     ``ids`` and ``given``, as every run writes them (labels.npz)
    .csv     two columns, id and label, with or without a first line that says so; more, where it names these two
    .json    an object of labels by sample id, or a list: for CIFAR, one label for each training image in the official
             order (DivideMix)
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nlcore import UserError
from nlcore.toolbox import read_text, refuse_missing
from nlcore_builtins.tables import read_rows, shorten

#: What the columns of a table are called, the first that is there.
ID_COLUMNS = ("id", "path", "file", "filename", "image", "index")
LABEL_COLUMNS = ("label", "given", "given_label", "class", "target")


class Entry(NamedTuple):
    """A label as it stands in a file: where, of which sample, and a number or a name."""

    where: str
    id: str
    label: int | str


def read_labels(path: Path, classes: Sequence[str], ids: Collection[str]) -> list[Entry]:
    """
    Return the labels in a file, in its order.

    Args:
        path: the file, .npz, .csv or .json.
        classes: the names of the classes.
        ids: those of the samples as text, by which a first line of data is told from a title.

    Raises:
        UserError: a format that is not known, or a file that is not of its format, with the place.

    """
    readers = {".npz": _read_npz, ".csv": _read_csv, ".json": _read_json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path}: labels are read from {', '.join(readers)}, .pt files, by their ending.")
    return reader(path, classes, ids)


def number_in(text: str) -> int | None:
    """Return a whole number, which some tools write with a zero behind a point."""
    return int(text.partition(".")[0]) if re.fullmatch(r"[0-9]{1,9}(\.0{1,9})?", text) else None


def _read_npz(path: Path, classes: Sequence[str], ids: Collection[str]) -> list[Entry]:
    try:
        with np.load(path, allow_pickle=False) as file:
            theirs = tuple(file["classes"].tolist()) if "classes" in file else classes
            samples, given = file["ids"], file["given"]
    except Exception as error:  # numpy raises what it will when an archive is damaged
        raise UserError(f"{path} cannot be read as a run's labels (ids and given): {error}.") from None
    fits = samples.ndim == 1 and samples.shape == given.shape
    if not fits or samples.dtype.kind not in "iuU" or given.dtype.kind not in "iuU":
        raise UserError(
            f"{path}: ids and given must be of the same length, and whole numbers or text; these are {samples.dtype} "
            f"of shape {samples.shape} and {given.dtype} of shape {given.shape}."
        )
    if theirs != tuple(classes):
        raise UserError(
            f"{path} holds labels of other classes ({shorten([*map(str, theirs)])}): is it for another dataset?"
        )
    pairs = zip(samples.tolist(), given.tolist(), strict=True)
    return [Entry(f"entry {number}", str(sample), label) for number, (sample, label) in enumerate(pairs)]


def _read_csv(path: Path, classes: Sequence[str], ids: Collection[str]) -> list[Entry]:
    rows, _ = read_rows(path)
    if not rows:
        return []
    first = [field.casefold() for field in rows[0].fields]
    id_column = next((first.index(name) for name in ID_COLUMNS if name in first), None)
    label_column = next((first.index(name) for name in LABEL_COLUMNS if name in first), None)
    titled = id_column is not None and label_column is not None
    if not titled and len(first) != 2:
        raise UserError(
            f"{path}, line {rows[0].line}: expected an id and a label, found {','.join(rows[0].fields)!r}. Of more "
            "columns the first line must call one id and one label."
        )
    if not titled:
        id_column, label_column = 0, 1
        sample, label = rows[0].fields
        titled = sample not in ids and number_in(label) is None and label not in classes
    found = [(row.line, row.fields[id_column or 0], row.fields[label_column or 0]) for row in rows[titled:]]
    refuse_missing(path, "id", [(line, sample) for line, sample, _ in found])
    refuse_missing(path, "label", [(line, label) for line, _, label in found if label not in classes])
    return [Entry(f"line {line}", _known(sample, ids), label) for line, sample, label in found]


def _read_json(path: Path, classes: Sequence[str], ids: Collection[str]) -> list[Entry]:
    try:
        content: Any = json.loads(read_text(path), object_pairs_hook=_without_repeats)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}.") from None
    pairs = (
        [*content.items()] if isinstance(content, dict) else [*enumerate(content)] if isinstance(content, list) else []
    )
    if not pairs or not all(type(label) in (int, str) for _, label in pairs):
        raise UserError(
            f"{path}: expected a list of labels, one for each training image, or an object of labels by id. Labels are "
            "whole numbers or names of classes."
        )
    if isinstance(content, list):
        _reaches_all(path, len(content), ids)
    return [Entry(f"label of {sample!r}", _known(str(sample), ids), label) for sample, label in pairs]


def _reaches_all(path: Path, count: int, ids: Collection[str]) -> None:
    """Check that a list has a label for each image of the data set, not for these samples alone: positions are ids."""
    last = max((int(sample) for sample in ids if sample.isdecimal()), default=-1)
    if count <= last:
        raise UserError(
            f"{path}: a list has a label for every image of the data set in its own order, here up to number {last:,}, "
            f'and this one has {count:,}. Give labels by id: {{"{last}": 0}}, or a CSV with the columns id and label.'
        )


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the id {next(name for name in names if names.count(name) > 1)!r} appears twice")
    return found


def _known(sample: str, ids: Collection[str]) -> str:
    """Return an id as the dataset writes it: paths have slashes."""
    turned = sample.replace("\\", "/").removeprefix("./")
    return turned if sample not in ids and turned in ids else sample
