"""
Labels from a file: those of an earlier run, of another tool, or of people.

Labels are numbers of classes or their names, in .npz, .csv or .json (`label_files` says how they are written there), or
stand in CIFAR-10N's official file, .pt, where ``which`` says whose labels; for 100 classes in CIFAR-100N's.

Labels are looked up by sample id, so that they fit whatever subset is trained on. Labels of some samples only are
corrections: the others keep theirs.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nlcore import UserError, parameter
from nlcore.contracts import Labels, NoiseContext
from nlcore.toolbox import did_you_mean
from nlcore_builtins.noise.cifar10n import Cifar10N
from nlcore_builtins.noise.cifar100n import Cifar100N
from nlcore_builtins.noise.label_files import Entry, number_in, read_labels
from nlcore_builtins.tables import shorten


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
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """
        Return the stored labels of these samples, int64 (N,); where there is none, the given one.

        Raises:
            UserError: no such file, a format that is not known, no label of any sample, or labels that are none.

        """
        if data is None:
            raise UserError("stored: labels are looked up by sample id, so the samples must be given (data=...).")
        path = Path(self.file)
        if not self.file or not os.path.isfile(path):
            raise UserError(f"There is no file of labels {self.file!r}. Give one with --labels FILE.")
        if path.suffix.lower() == ".pt":  # it knows the true labels, too, and compares them
            people = Cifar100N(self.file) if num_classes == 100 else Cifar10N(self.which, self.file)
            return people.corrupt(labels, num_classes, rng, data)
        positions = {str(sample): position for position, sample in enumerate(data.ids.tolist())}
        entries = read_labels(path, data.classes, positions.keys())
        ours = _only_ours(path, entries, positions, data)
        given = labels.copy()
        for entry, label in zip(ours, _as_numbers(path, ours, data), strict=True):
            given[positions[entry.id]] = label
        return given


def _only_ours(path: Path, entries: Sequence[Entry], positions: dict[str, int], data: NoiseContext) -> list[Entry]:
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
        tested = data.part == "test"
        other = "training images, which are not measured on" if tested else "test images, which keep theirs"
        raise UserError(
            f"{path} has no label of any of the {len(positions):,} {data.part} samples: is it for another dataset, or "
            f"for {other}? Its ids are {entries[0].id!r}, ..., those of the samples {next(iter(positions), '')!r}, ..."
        )
    if len(ours) < len(positions):
        others = [entry.id for entry in entries if entry.id not in positions]
        unknown = f"; ids that are not among them: {len(others):,} ({shorten(others)})" if others else ""
        _report(
            data,
            f"{path}: labels of {len(ours):,} of {len(positions):,} samples, the others keep theirs{unknown}",
        )
    return ours


def _as_numbers(path: Path, entries: Sequence[Entry], data: NoiseContext) -> list[int]:
    """
    Return labels as numbers of classes.

    Texts that are all names are taken as names, even where they could be numbers of classes, too: people and tables of
    corrections write names, and a run's numbers begin with 0, which is then none.
    """
    K = len(data.classes)
    names = {unicodedata.normalize("NFC", name): number for number, name in enumerate(data.classes)}
    texts = {unicodedata.normalize("NFC", entry.label) for entry in entries if isinstance(entry.label, str)}
    by_number = {text: number for text in texts if (number := number_in(text)) is not None and number < K}
    by_name = {text: names[text] for text in texts if text in names}
    if texts == set(by_number) == set(by_name) and by_number != by_name:
        _report(
            data,
            f"{path}: labels are taken as names of classes, not as numbers, of which 0 were class {data.classes[0]!r}; "
            "numbers are read from .npz, or .json without quotes",
        )
    only_numbers = len(by_number) == len(texts) > len(by_name)
    table = by_number if only_numbers else {**by_number, **by_name}
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


def _report(data: NoiseContext, line: str) -> None:
    if data.source is not None:
        data.source.report(line)
