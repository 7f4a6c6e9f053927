"""
Labels from a file: those of an earlier run, of another tool, or of people.

Labels are numbers of classes or their names. Formats, by ending:

    .npz     ``ids`` and ``given``, as every run writes them (labels.npz)
    .csv     two columns, id and label, with or without a first line that says so; more, where it names these two
    .json    an object of labels by sample id, or a list: for CIFAR, one label for each training image in the official
             order (DivideMix)
    .pt      CIFAR-10N's official file, ``which`` says whose labels; for 100 classes CIFAR-100N's

Labels are looked up by sample id, so that they fit whatever subset is trained on. Labels of some samples only are
corrections: the others keep theirs.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from nlcore import UserError, parameter
from nlcore.contracts import Labels, SampleData
from nlcore.errors import did_you_mean
from nlcore.textfiles import read_text
from nlcore_builtins.noise.cifar10n import Cifar10N
from nlcore_builtins.noise.cifar100n import Cifar100N
from nlcore_builtins.tables import read_rows, refuse_missing, shorten

#: What the columns of a table are called, the first that is there.
ID_COLUMNS = ("id", "path", "file", "filename", "image", "index")
LABEL_COLUMNS = ("label", "given", "given_label", "class", "target")


class Entry(NamedTuple):
    """A label as it stands in a file: where, of which sample, and a number or a name."""

    where: str
    id: str
    label: int | str


@dataclass(frozen=True)
class Stored:
    """
    Labels from a file: a run's labels.npz, a CSV of id and label, a JSON list or object, or CIFAR-N's official file.

    They are numbers or names of classes, looked up by sample id. Samples without one keep the label they have.
    ``--labels FILE`` is short for this. The noise seed changes nothing.
    """

    file: str = parameter("", "the file, .npz, .csv, .json or .pt", path=True)
    which: Literal["aggre", "random1", "random2", "random3", "worse"] = parameter(
        "worse", "for CIFAR-10N's file: whose labels"
    )

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: SampleData | None = None
    ) -> Labels:
        """
        Return the stored labels of these samples, int64 (N,); where there is none, the given one.

        Raises:
            UserError: no such file, a format that is not known, no label of any sample, or labels that are none.

        """
        if data is None:
            raise UserError("stored: labels are looked up by sample id, so the samples must be given (data=...).")
        path = Path(self.file).expanduser()
        if not self.file or not path.is_file():
            raise UserError(f"There is no file of labels {self.file!r}. Give one with --labels FILE.")
        if path.suffix.lower() == ".pt":  # it knows the true labels, too, and compares them
            people = Cifar100N(self.file) if num_classes == 100 else Cifar10N(self.which, self.file)
            return people.corrupt(labels, num_classes, rng, data)
        readers = {".npz": _read_npz, ".csv": _read_csv, ".json": _read_json}
        reader = readers.get(path.suffix.lower())
        if reader is None:
            raise UserError(f"{path}: labels are read from {', '.join(readers)}, .pt files, by their ending.")
        positions = {str(sample): position for position, sample in enumerate(data.ids.tolist())}
        entries = reader(path, data.classes, positions.keys())
        ours = _only_ours(path, entries, positions, data)
        given = labels.copy()
        for entry, label in zip(ours, _as_numbers(path, ours, data), strict=True):
            given[positions[entry.id]] = label
        return given


def _only_ours(path: Path, entries: Sequence[Entry], positions: dict[str, int], data: SampleData) -> list[Entry]:
    """Return the labels of these samples, and say so where they are not all of them."""
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise UserError(f"{path}, {entry.where}: the id {entry.id!r} stands there twice.")
        seen.add(entry.id)
    ours = [entry for entry in entries if entry.id in positions]
    if not entries:
        raise UserError(f"{path} holds no labels.")
    if not ours:
        raise UserError(
            f"{path} has no label of any of the {len(positions):,} samples: is it for another dataset? Its ids are "
            f"{entries[0].id!r}, ..., those of the samples {next(iter(positions), '')!r}, ..."
        )
    if len(ours) < len(positions):
        others = [entry.id for entry in entries if entry.id not in positions]
        unknown = f"; {len(others):,} ids are none of theirs: {shorten(others)}" if others else ""
        _report(
            data,
            f"{path}: labels of {len(ours):,} of {len(positions):,} samples, the others keep theirs{unknown}",
        )
    return ours


def _as_numbers(path: Path, entries: Sequence[Entry], data: SampleData) -> list[int]:
    """Return labels as numbers of classes. Where all texts are numbers of classes they are taken as such."""
    K = len(data.classes)
    names = {unicodedata.normalize("NFC", name): number for number, name in enumerate(data.classes)}
    texts = {unicodedata.normalize("NFC", entry.label) for entry in entries if isinstance(entry.label, str)}
    by_number = {text: number for text in texts if (number := _number(text)) is not None and number < K}
    by_name = {text: names[text] for text in texts if text in names}
    if texts == set(by_number) == set(by_name) and by_number != by_name:
        _report(
            data, f"{path}: labels are taken as numbers, 0 being class {data.classes[0]!r}, not as names of classes"
        )
    table = by_number if len(by_number) == len(texts) else {**by_number, **by_name}
    numbers = []
    for where, _, label in entries:
        number = label if isinstance(label, int) else table.get(unicodedata.normalize("NFC", label), -1)
        if not 0 <= number < K:
            raise UserError(
                f"{path}, {where}: the label {label if isinstance(label, int) else repr(label)} is outside 0..{K - 1} "
                f"and no name of a class.{did_you_mean(str(label)[:100], names)} Classes are {shorten(data.classes)}."
            )
        numbers.append(number)
    return numbers


def _read_npz(path: Path, classes: Sequence[str], ids: Any) -> list[Entry]:
    try:
        with np.load(path, allow_pickle=False) as file:
            theirs = tuple(file["classes"].tolist()) if "classes" in file else classes
            samples, given = file["ids"], file["given"]
    except Exception as error:  # numpy raises what it will when an archive is damaged
        raise UserError(f"{path} cannot be read as a run's labels (ids and given): {error}.") from None
    fits = samples.ndim == 1 and samples.shape == given.shape
    if not fits or samples.dtype.kind not in "iuU" or given.dtype.kind not in "iuU":
        raise UserError(f"{path}: ids and given do not fit each other.")
    if theirs != tuple(classes):
        raise UserError(
            f"{path} holds labels of other classes ({shorten([*map(str, theirs)])}): is it for another dataset?"
        )
    pairs = zip(samples.tolist(), given.tolist(), strict=True)
    return [Entry(f"entry {number}", str(sample), label) for number, (sample, label) in enumerate(pairs)]


def _read_csv(path: Path, classes: Sequence[str], ids: Any) -> list[Entry]:
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
        titled = sample not in ids and _number(label) is None and label not in classes
    found = [(row.line, row.fields[id_column or 0], row.fields[label_column or 0]) for row in rows[titled:]]
    refuse_missing(path, "id", [(line, sample) for line, sample, _ in found])
    refuse_missing(path, "label", [(line, label) for line, _, label in found if label not in classes])
    return [Entry(f"line {line}", _known(sample, ids), label) for line, sample, label in found]


def _read_json(path: Path, classes: Sequence[str], ids: Any) -> list[Entry]:
    try:
        content: Any = json.loads(read_text(path))
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
    return [Entry(f"label of {sample!r}", _known(str(sample), ids), label) for sample, label in pairs]


def _known(sample: str, ids: Any) -> str:
    """Return an id as the dataset writes it: paths have slashes."""
    turned = sample.replace("\\", "/").removeprefix("./")
    return turned if sample not in ids and turned in ids else sample


def _number(text: str) -> int | None:
    """Return a whole number, which some tools write with a zero behind a point."""
    return int(text.partition(".")[0]) if re.fullmatch(r"[0-9]{1,9}(\.0{1,9})?", text) else None


def _report(data: SampleData, line: str) -> None:
    if data.source is not None:
        data.source.report(line)
