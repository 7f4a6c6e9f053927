"""
Labels from a file: those of an earlier run, of another tool, or of people.

Formats, by ending:

    .npz     ``ids`` and ``given``, as every run writes them (labels.npz)
    .csv     two columns, id and label, with or without a first line that says so
    .json    a list of labels by sample id: for CIFAR, one for each training image in the official order (DivideMix)
    .pt      CIFAR-10N's official file, ``which`` says whose labels; for 100 classes CIFAR-100N's

Labels are looked up by sample id, so that they fit whatever subset is trained on.
"""

from __future__ import annotations

import csv
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nlcore import UserError, parameter
from nlcore.contracts import Labels, SampleData
from nlcore_builtins.noise.cifar10n import Cifar10N
from nlcore_builtins.noise.cifar100n import Cifar100N

#: What reading a damaged archive of arrays may raise.
_UNREADABLE = (ValueError, TypeError, OSError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Stored:
    """
    Labels from a file: a run's labels.npz, a CSV of id and label, DivideMix's JSON list or CIFAR-N's official file.

    They are looked up by sample id; every sample must have one. ``--labels FILE`` is short for this. The noise seed
    changes nothing.
    """

    file: str = parameter("", "the file, .npz, .csv, .json or .pt", path=True)
    which: Literal["aggre", "random1", "random2", "random3", "worse"] = parameter(
        "worse", "for CIFAR-10N's file: whose labels"
    )

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: SampleData | None = None
    ) -> Labels:
        """
        Return the stored labels of these samples, int64 (N,).

        Raises:
            UserError: no such file, a format that is not known, samples without a label, or labels outside 0..K-1.

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
        table = reader(path)
        if path.suffix.lower() == ".npz":
            _check_classes(path, data.classes)
        missing = [sample for sample in data.ids.tolist() if str(sample) not in table]
        if missing:
            raise UserError(
                f"{path} has no label for {len(missing):,} of {len(labels):,} samples "
                f"(the first has id {missing[0]!r}): is it for another dataset?"
            )
        given = [table[str(sample)] for sample in data.ids.tolist()]
        if any(not 0 <= label < num_classes for label in given):
            raise UserError(f"{path} has labels outside 0..{num_classes - 1}: is it for another dataset?")
        return np.array(given, dtype=np.int64)


def _read_npz(path: Path) -> dict[str, int]:
    try:
        with np.load(path, allow_pickle=False) as file:
            ids, given = file["ids"], file["given"]
    except _UNREADABLE as error:
        raise UserError(f"{path} cannot be read as a run's labels (ids and given): {error}.") from None
    if ids.ndim != 1 or ids.shape != given.shape or given.dtype.kind not in "iu":
        raise UserError(f"{path}: ids and given do not fit each other.")
    return {str(sample): int(label) for sample, label in zip(ids.tolist(), given.tolist(), strict=True)}


def _check_classes(path: Path, classes: tuple[str, ...]) -> None:
    """A run's labels say which classes they are of."""
    with np.load(path, allow_pickle=False) as file:
        theirs = tuple(file["classes"].tolist()) if "classes" in file else classes
    if theirs != classes:
        raise UserError(f"{path} holds labels of other classes ({', '.join(theirs)}): is it for another dataset?")


def _read_csv(path: Path) -> dict[str, int]:
    table: dict[str, int] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if not row or (number == 1 and not _is_label(row[-1])):
                    continue
                if len(row) != 2 or not _is_label(row[1]):
                    raise UserError(f"{path}, line {number}: expected an id and a label, found {','.join(row)!r}.")
                if row[0].strip() in table:
                    raise UserError(f"{path}, line {number}: the id {row[0].strip()!r} stands there twice.")
                table[row[0].strip()] = int(row[1])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as CSV: {error}.") from None
    return table


def _read_json(path: Path) -> dict[str, int]:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}.") from None
    if not isinstance(content, list) or not all(type(label) is int for label in content):
        raise UserError(f"{path}: expected a list of whole numbers, one label for each training image.")
    return {str(number): label for number, label in enumerate(content)}


def _is_label(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True
