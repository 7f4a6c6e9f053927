"""
Predictions and features from elsewhere: looked through as soon as they are read, then put in the order of the samples.

    .npz    ids (N,) and probabilities or pred_probs (N, K), or logits (N, K), or features (N, D); classes (K,) too,
            where the columns are in another order than the data's
    .csv    a column id, and one of probabilities for each class, called like it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.predictions import Predicted, read_predictions
from nlcore.audits.samples import Samples
from nlcore.data.tables import read_table
from nlcore.errors import UserError
from nlcore.rundir.arrays import read_arrays

_PREDICTIONS = ("probabilities", "pred_probs", "logits")
_COLUMNS = "Give a column id, and one of probabilities for each class."


@dataclass(frozen=True, eq=False)
class FeaturesFile:
    """
    Features from a file, which need not be all or only those of the samples.

    Attributes:
        path: the file.
        places: the row of each id.
        values: numbers (n, D), all finite.

    """

    path: Path
    places: dict[str, int]
    values: NDArray[Any]

    @classmethod
    def read(cls, path: Path) -> FeaturesFile:
        """
        Return the features of a file.

        Raises:
            UserError: no such file, arrays that are missing, shapes that do not fit, values that are not finite, an id
                that is there twice.

        """
        arrays = _arrays(path, ("features",))
        features = arrays["features"]
        if features.ndim != 2 or not features.shape[1] or features.dtype.kind not in "fiu":
            raise UserError(f"{path}: features is {features.dtype} {features.shape}; give numbers, (N, D).")
        places = _places(path, arrays["ids"])
        if not np.isfinite(features).all():
            row = int(np.flatnonzero(~np.isfinite(features).all(1))[0])
            raise UserError(
                f"{path}: features has a value that is NaN or infinite in the row of {[*places][row]!r:.200}; all must "
                "be finite."
            )
        return cls(path, places, features)

    def of(self, samples: Samples) -> NDArray[np.float32]:
        """
        Return the features of samples, float32 (N, D).

        Raises:
            UserError: ids that are missing.

        """
        found: NDArray[np.float32] = self.values[_rows(self.path, self.places, samples)].astype(np.float32)
        return found


@dataclass(frozen=True, eq=False)
class PredictionsFile:
    """
    Predictions from a file, which need not be all or only those of the samples.

    Attributes:
        path: the file.
        places: the row of each id.
        predicted: (n, K), looked through; None in a table, whose columns have a meaning once the classes are known.
        classes: of the columns; None for those of the data, in their order.

    """

    path: Path
    places: dict[str, int]
    predicted: Predicted | None
    classes: tuple[str, ...] | None

    @classmethod
    def read(cls, path: Path) -> PredictionsFile:
        """
        Return the predictions of a file.

        Raises:
            UserError: no such file, arrays or columns that are missing, no probabilities, an id that is there twice.

        """
        if path.suffix.lower() == ".csv":
            ids = np.array([row["id"] for _, row in read_table(path, ["id"], _COLUMNS)])
            return cls(path, _places(path, ids), None, None)
        arrays = _arrays(path, _PREDICTIONS)
        name = next(one for one in _PREDICTIONS if one in arrays)
        classes = tuple(map(str, arrays["classes"].tolist())) if "classes" in arrays else None
        if classes is not None and (len(classes),) != arrays[name].shape[1:]:
            raise UserError(f"{path}: {len(classes)} classes, and {name} is {arrays[name].shape}; give a column each.")
        places = _places(path, arrays["ids"])
        advice = "Logits are read from an array that is called logits."
        return cls(path, places, _looked_through(path, arrays[name], name == "logits", places, advice), classes)

    def of(self, samples: Samples) -> NDArray[np.float32]:
        """
        Return what is predicted of samples, log probabilities, float32 (N, K).

        Raises:
            UserError: columns or ids that are missing, other classes, a table of no probabilities.

        """
        classes = self.classes or samples.classes
        if sorted(classes) != sorted(samples.classes):
            raise UserError(
                f"{self.path}: its classes are {_shown(classes)}, the data's are {_shown(samples.classes)}."
            )
        predicted = self.predicted
        if predicted is None:
            advice = "Logits come as .npz, in an array that is called logits."
            values = _columns(self.path, samples.classes)
            predicted = _looked_through(self.path, values, False, self.places, advice)
        if predicted.shape[1] != samples.num_classes:
            raise UserError(
                f"{self.path}: predictions of the shape {predicted.shape}; the data have "
                f"{samples.num_classes} classes: give (N, {samples.num_classes})."
            )
        columns = [classes.index(one) for one in samples.classes]
        return predicted[_rows(self.path, self.places, samples)][:, columns].astype(np.float32)


def _looked_through(path: Path, values: NDArray[Any], logits: bool, places: dict[str, int], advice: str) -> Predicted:
    ids = [*places]
    return read_predictions(values, logits, str(path), lambda row: f"the row of {ids[row]!r:.200}", advice)


def _arrays(path: Path, one_of: Sequence[str]) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    arrays = read_arrays(path)
    if arrays is None:
        raise UserError(f"{path} is no .npz file that can be read. numpy.savez writes one; text needs no pickle.")
    if "ids" not in arrays or not any(name in arrays for name in one_of):
        raise UserError(
            f"{path} has the arrays {', '.join(arrays) or 'none'}; it needs ids, and {' or '.join(one_of)}."
        )
    values = next(arrays[name] for name in one_of if name in arrays)
    if arrays["ids"].ndim != 1 or arrays["ids"].shape != values.shape[:1]:
        raise UserError(f"{path}: {arrays['ids'].shape} ids and {values.shape[:1]} rows; give an id for each row.")
    return arrays


def _columns(path: Path, classes: Sequence[str]) -> NDArray[np.float64]:
    """Return the probabilities of a CSV; `classes` name its columns, in the data's order."""
    columns = [name.strip().casefold() for name in classes]
    if len(set(columns)) < len(columns):
        raise UserError(f"{path}: two classes differ in upper and lower case alone; give the predictions as .npz.")
    rows = read_table(path, ["id", *columns], _COLUMNS)
    values = np.empty((len(rows), len(classes)))
    for number, (where, row) in enumerate(rows):
        for place, column in enumerate(columns):
            try:
                values[number, place] = float(row[column])
            except ValueError:
                raise UserError(f"{path}, {where}: {row[column]!r:.60} is no number, in column {column}.") from None
    return values


def _places(path: Path, ids: NDArray[Any]) -> dict[str, int]:
    """Return the row of each id."""
    text = [str(one) for one in ids.tolist()]
    rows = dict(zip(text, range(len(text)), strict=True))
    if len(rows) < len(text):
        twice = next(one for number, one in enumerate(text) if rows[one] != number)
        raise UserError(f"{path}: the id {twice!r:.200} is there twice.")
    return rows


def _rows(path: Path, places: dict[str, int], samples: Samples) -> NDArray[np.int64]:
    """Return the row of each sample."""
    missing = [one for one in samples.ids if one not in places]
    if missing:
        first = f"the file's first is {next(iter(places))!r:.200}" if places else "the file has none"
        raise UserError(
            f"{path}: {len(missing):,} of the data's {len(samples):,} ids are not in it, such as {missing[0]!r:.200}; "
            f"{first}."
        )
    return np.array([places[one] for one in samples.ids], np.int64)


def _shown(classes: Sequence[str]) -> str:
    return ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
