"""
Predictions and features from elsewhere, put in the order of the samples.

    .npz    ids (N,) and probabilities or pred_probs (N, K), or logits (N, K), or features (N, D); classes (K,) too,
            where the columns are in another order than the data's
    .csv    a column id, and one of probabilities for each class, called like it
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.files import read_arrays
from nlcore.audits.predictions import read_predictions
from nlcore.audits.samples import Samples
from nlcore.data.tables import read_table
from nlcore.errors import UserError

_PREDICTIONS = ("probabilities", "pred_probs", "logits")


def read_features(path: Path, samples: Samples) -> NDArray[np.floating]:
    """
    Return the features of samples, (N, D).

    Raises:
        UserError: no such file, arrays or ids that are missing, shapes that do not fit, values that are not finite.

    """
    arrays = _arrays(path, ("features",))
    features = arrays["features"]
    if features.ndim != 2 or not features.shape[1] or features.dtype.kind not in "fiu":
        raise UserError(f"{path}: features is {features.dtype} {features.shape}; give numbers, (N, D).")
    if not np.isfinite(features).all():
        row = int(np.flatnonzero(~np.isfinite(features).all(1))[0])
        raise UserError(f"{path}: features has a value that is NaN or infinite in row {row}; all must be finite.")
    found: NDArray[np.floating] = features[_places(path, arrays["ids"], samples)].astype(np.float32)
    return found


def read_probabilities(path: Path, samples: Samples) -> NDArray[np.float32]:
    """
    Return what is predicted of samples, log probabilities, float32 (N, K).

    Raises:
        UserError: no such file, arrays or columns that are missing, no probabilities, ids that are missing.

    """
    if path.suffix.lower() == ".csv":
        ids, values, logits, classes = *_table(path, samples.classes), False, samples.classes
    else:
        arrays = _arrays(path, _PREDICTIONS)
        name = next(one for one in _PREDICTIONS if one in arrays)
        ids, values, logits = arrays["ids"], arrays[name], name == "logits"
        classes = tuple(map(str, arrays["classes"].tolist())) if "classes" in arrays else samples.classes
    if sorted(classes) != sorted(samples.classes):
        raise UserError(f"{path}: its classes are {_shown(classes)}, the data's are {_shown(samples.classes)}.")
    if values.ndim != 2 or values.shape[1] != samples.num_classes:
        raise UserError(
            f"{path}: predictions of the shape {values.shape}; the data have {samples.num_classes} classes: give (N, "
            f"{samples.num_classes})."
        )
    predicted = read_predictions(values, logits, str(path))
    columns = [classes.index(one) for one in samples.classes]
    places = _places(path, ids, samples)
    return predicted[places][:, columns].astype(np.float32)


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
    if arrays["ids"].shape != values.shape[:1]:
        raise UserError(f"{path}: {arrays['ids'].shape} ids and {values.shape[:1]} rows; give an id for each row.")
    return arrays


def _table(path: Path, classes: Sequence[str]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the ids and probabilities of a CSV; `classes` name its columns, in the data's order."""
    columns = [name.strip().casefold() for name in classes]
    if len(set(columns)) < len(columns):
        raise UserError(f"{path}: two classes differ in upper and lower case alone; give the predictions as .npz.")
    rows = read_table(path, ["id", *columns], "Give a column id, and one of probabilities for each class.")
    values = np.empty((len(rows), len(classes)))
    for number, (where, row) in enumerate(rows):
        for place, column in enumerate(columns):
            try:
                values[number, place] = float(row[column])
            except ValueError:
                raise UserError(f"{path}, {where}: {row[column]!r:.60} is no number, in column {column}.") from None
    return np.array([row["id"] for _, row in rows]), values


def _places(path: Path, ids: NDArray[Any], samples: Samples) -> NDArray[np.int64]:
    """Return the row of each sample."""
    text = [str(one) for one in ids.tolist()]
    rows = dict(zip(text, range(len(text)), strict=True))
    if len(rows) < len(text):
        twice = next(one for number, one in enumerate(text) if rows[one] != number)
        raise UserError(f"{path}: the id {twice!r} is there twice.")
    missing = [one for one in samples.ids if one not in rows]
    if missing:
        first = f"the file's first is {text[0]!r:.200}" if text else "the file has none"
        raise UserError(
            f"{path}: {len(missing):,} of the data's {len(samples):,} ids are not in it, such as {missing[0]!r:.200}; "
            f"{first}."
        )
    return np.array([rows[one] for one in samples.ids], np.int64)


def _shown(classes: Sequence[str]) -> str:
    return ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
