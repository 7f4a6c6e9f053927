"""
What models predict for N samples, read as it is needed: arrays and memory maps of any float type, never copied whole.

    log p_ik = z_ik − log Σ_l exp z_il        of logits z; of probabilities p: log max(p_ik, 1e-12), scaled to sum to 1

Several models' predictions become one by their product, Σ_m (s_m log p⁽ᵐ⁾_ik + b⁽ᵐ⁾_k), scaled to sum to 1, where s and
b bring each model to the given labels (`nlcore.audits.calibration`): so the surest counts most, and one that tells
nothing (s = 0) counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nlcore.contracts.detector import LabelEvidence, row_chunks
from nlcore.errors import UserError, plural

Floats: TypeAlias = NDArray[np.float64]

#: A probability of 0 counts as this: one certain mistake does not outweigh all other evidence.
SMALLEST = 1e-12
#: By how much the probabilities of a sample may miss 1: tables are rounded, and float16 rounds by itself.
TOLERANCE = 0.01
#: Fewer samples tell nothing of a model's mistakes.
FEWEST = 5


@dataclass(frozen=True, eq=False)
class Predicted:
    """
    A model's predictions as log probabilities; indexed by a slice or by positions it gives float64 rows.

    Attributes:
        values: float (N, K), any precision; a memory map stays on disk.
        logits: whether the values are logits or log probabilities; probabilities where not.

    """

    values: NDArray[Any]
    logits: bool

    @property
    def shape(self) -> tuple[int, int]:
        """(N, K)."""
        return int(self.values.shape[0]), int(self.values.shape[1])

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What it is made of."""
        return (self.values,)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Floats:
        """Return the log probabilities of these rows, float64 (n, K)."""
        values = np.array(self.values[rows], dtype=np.float64)
        if self.logits:
            return log_softmax(values)
        np.maximum(values, SMALLEST, out=values)
        values /= values.sum(1, keepdims=True)
        return np.log(values, out=values)


@dataclass(frozen=True, eq=False)
class Product:
    """
    Several models' predictions multiplied, each brought to the given labels first; indexed as `Predicted` is.

    Attributes:
        models: at least one, all of the same (N, K).
        scales: s of each.
        offsets: b of each, float64 (K,).

    """

    models: tuple[Predicted, ...]
    scales: tuple[float, ...]
    offsets: tuple[Floats, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(N, K)."""
        return self.models[0].shape

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What it is made of."""
        return tuple(model.values for model in self.models)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Floats:
        """Return the log probabilities of these rows, float64 (n, K)."""
        together = zip(self.models, self.scales, self.offsets, strict=True)
        return log_softmax(np.sum([s * model[rows] + b for model, s, b in together], axis=0))


def log_softmax(z: Floats) -> Floats:
    """Return z − log Σ exp z by rows, float64 (n, K)."""
    z = z - z.max(1, keepdims=True)
    z -= np.log(np.exp(z).sum(1, keepdims=True))
    return z


def margin_and_other(evidence: LabelEvidence) -> tuple[Floats, NDArray[np.int64]]:
    """
    Return log p of the given label less that of the likeliest other class, float64 (N,), and that class, int64 (N,).

    The difference is that of the logits: it does not saturate as that of probabilities does.
    """
    margin, other = np.empty(len(evidence.given)), np.empty(len(evidence.given), np.int64)
    for rows, given, log_p in evidence.chunks():
        each = np.arange(len(given))
        rest = log_p.copy()
        rest[each, given] = -np.inf
        other[rows] = rest.argmax(1)
        margin[rows] = log_p[each, given] - rest[each, other[rows]]
    return margin, other


def as_array(values: ArrayLike, name: str) -> NDArray[Any]:
    """
    Return values as an array; one that is an array already, on disk too, stays as it is.

    Raises:
        UserError: rows of different lengths.

    """
    if isinstance(values, np.ndarray):
        return values
    try:
        return np.asarray(values)
    except ValueError:  # numpy tells what shapes it has tried, not what is wrong
        raise UserError(f"{name}: the rows are of different lengths; give an array.") from None


def as_floats(values: ArrayLike, name: str) -> Floats:
    """
    Return values as float64.

    Raises:
        UserError: rows of different lengths, or what is no number.

    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{name}: give numbers, in rows of one length.") from None


def read_labels(labels: ArrayLike, num_classes: int, length: int) -> NDArray[np.int64]:
    """
    Return given labels as int64 (N,).

    Raises:
        UserError: they are no whole numbers from 0 to K − 1, not one for each sample, or all of one class.

    """
    given = as_array(labels, "labels")
    if given.ndim != 1:
        raise UserError(f"The labels have the shape {given.shape}; give one for each sample, (N,).")
    if len(given) != length:
        raise UserError(f"There are {len(given):,} labels and {length:,} rows of predictions; give one row a label.")
    if given.dtype.kind not in "iub":
        whole = given.dtype.kind == "f" and bool(np.isfinite(given).all()) and bool((given == np.round(given)).all())
        if not whole:
            raise UserError(f"The labels are {given.dtype}; give whole numbers from 0 to {num_classes - 1}.")
    outside = np.flatnonzero((given < 0) | (given >= num_classes))
    if len(outside):
        raise UserError(
            f"{plural(len(outside), 'label')} of {len(given):,} are outside 0..{num_classes - 1}, the first one "
            f"{given[outside[0]]} in row {outside[0]}; the predictions have {num_classes} columns, one for each class."
        )
    if length < FEWEST:
        raise UserError(
            f"There are {length} samples; at least {FEWEST} are needed to tell wrong labels from right ones."
        )
    if (given == given[0]).all():
        raise UserError(f"All labels are of class {given[0]}; at least two classes are needed.")
    return given.astype(np.int64)


def read_predictions(
    values: ArrayLike,
    logits: bool | None,
    name: str,
    where: Callable[[int], str] = lambda row: f"row {row}",
    advice: str = "For logits: logits=.",
) -> Predicted:
    """
    Return a model's predictions, looked through once and not copied.

    Args:
        values: float (N, K).
        logits: whether they are logits or log probabilities; None: they are, unless no value is below 0 and every row
            sums to 1.
        name: what the user calls them, for messages.
        where: what the user calls a row.
        advice: what to do where probabilities are none.

    Raises:
        UserError: another shape, a value that is NaN or infinite, or no probabilities where these are asked for.

    """
    array = as_array(values, name)
    if array.ndim != 2 or array.shape[1] < 2:
        raise UserError(f"{name} has the shape {array.shape}; give (N, K): one row per sample, K > 1 classes.")
    if array.dtype.kind not in "fiu":
        raise UserError(f"{name} is {array.dtype}; give numbers.")
    broken: str | None = None  # why these are no probabilities
    for rows in row_chunks(*array.shape):
        chunk = array[rows]
        sums = chunk.sum(1, dtype=np.float64)
        if not np.isfinite(sums).all() and not np.isfinite(chunk).all():
            row = rows.start + int(np.flatnonzero(~np.isfinite(chunk).all(1))[0])
            raise UserError(f"{name} has a value that is NaN or infinite in {where(row)}; every value must be finite.")
        if broken is None and logits is not True:
            broken = _why_no_probabilities(chunk, sums, rows.start, where)
            if broken and logits is False:
                raise UserError(f"{name} {broken} {advice}")
    return Predicted(array, broken is not None if logits is None else logits)


def same_shape(models: Sequence[Predicted], names: Sequence[str]) -> None:
    """
    See that all predictions are of the same samples and classes.

    Raises:
        UserError: they are not.

    """
    for model, name in zip(models, names, strict=True):
        if model.shape != models[0].shape:
            raise UserError(
                f"{name} is {model.shape}, and {names[0]} {models[0].shape}: give the same samples and classes."
            )


def _why_no_probabilities(chunk: NDArray[Any], sums: Floats, start: int, where: Callable[[int], str]) -> str | None:
    if len(chunk) and chunk.min() < 0:
        row = int(np.flatnonzero(chunk.min(1) < 0)[0])
        return f"has {chunk[row].min():.3g} in {where(start + row)}; probabilities are 0..1."
    wrong = np.flatnonzero(abs(sums - 1) > TOLERANCE)
    if len(wrong):
        return f"sums to {sums[wrong[0]]:.3g} in {where(start + int(wrong[0]))}, not to 1."
    return None
