"""
Transition matrices: T[i, j] = P(given = j | true = i), row-stochastic, with the true class as the row.

They come from the noise model, from a network's predictions (`at_anchors`) or from a file. Formats, by ending:

    .npy     an array (K, K)
    .npz     the same, as its only array or under the name ``transition``
    .csv     K lines of K numbers with commas between them

Papers and tools differ in which way round they write T. One whose columns sum to 1 is recognised and refused: guessing
would give a noise, or a correction, that nobody asked for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlcore import UserError
from nlcore.toolbox import read_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from nlcore.contracts import LossContext

#: How far a row's sum may be from 1: ten entries that were rounded to three digits. Rows are then scaled to sum to 1.
TOLERANCE = 0.005


def read_transition(path: str | Path, num_classes: int) -> NDArray[np.float64]:
    """
    Return the transition matrix in a file, float64 (K, K), its rows summing to 1.

    Args:
        path: the file, .npy, .npz or .csv.
        num_classes: K.

    Raises:
        UserError: no file, a format that is not known, or not a row-stochastic matrix for K classes.

    """
    import numpy as np

    path, K = Path(path), num_classes
    array = _read(path)
    if array.dtype.kind not in "fiu":
        raise UserError(f"{path}: a transition matrix holds numbers, not {array.dtype}.")
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise UserError(f"{path}: a transition matrix is square, {K} by {K} here; this is {_shape(array)}.")
    if len(array) != K:
        raise UserError(f"{path} is a matrix for {len(array)} classes; there are {K} here: is it for another dataset?")
    T = np.asarray(array, dtype=np.float64)
    if not np.isfinite(T).all():
        raise UserError(f"{path}: {_first(~np.isfinite(T))} is not a finite number.")
    if (T < 0).any():
        i, j = np.argwhere(T < 0)[0]
        raise UserError(f"{path}: {_first(T < 0)} is {T[i, j]:g}; probabilities are not negative.")
    wrong = abs(T.sum(1) - 1) > TOLERANCE
    if wrong.any() and not (abs(T.sum(0) - 1) > TOLERANCE).any():
        raise UserError(
            f"{path} is column-stochastic: its columns sum to 1 and its rows do not. Here the true class is the row, "
            "T[i, j] = P(given = j | true = i): give the transpose."
        )
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise UserError(
            f"{path}: row {row} sums to {T[row].sum():.6g}, not to 1. Row i holds the probabilities of each given "
            "label for true class i."
        )
    rows: NDArray[np.float64] = T / T.sum(1, keepdims=True)
    return rows


def first_transition(choice: str, ctx: LossContext) -> NDArray[np.float64]:
    """
    Return the matrix that a loss begins with, float64 (K, K).

    Args:
        choice: ``estimated`` (the identity, until there are predictions), ``known`` or a file.
        ctx: what the loss is given in ``setup``.

    Raises:
        UserError: there is no such matrix.

    """
    import numpy as np

    if choice == "estimated":
        return np.eye(ctx.num_classes)
    return known_transition(ctx) if choice == "known" else read_transition(choice, ctx.num_classes)


def known_transition(ctx: LossContext) -> NDArray[np.float64]:
    """
    Return what the noise model declares, float64 (K, K); the run is then an oracle.

    Raises:
        UserError: it declares no transition matrix.

    """
    declared = ctx.declared_noise()
    if declared is None or declared.transition is None:
        raise UserError(
            "loss.transition = known: this noise declares no transition matrix. "
            "Give --loss.transition estimated, or a file."
        )
    return declared.transition


def at_anchors(logits: Tensor, percentile: float) -> NDArray[np.float64]:
    """
    Return the transition matrix that a network's predictions imply, float64 (K, K).

    T[i, :] = p(x^i), where x^i is an anchor point of class i: a sample that belongs to i beyond doubt. It is the one
    whose p_i is the largest, or stands at a percentile, as the largest may be outliers. Patrini et al. 2017, theorem 3.

    Args:
        logits: (N, K), of a network that was trained on the given labels.
        percentile: 0..100, where the anchor stands among all samples by p_i; 100 is the largest.

    """
    import numpy as np

    p = logits.double().softmax(1).cpu()
    order = p.argsort(dim=0, stable=True)  # (N, K): by p_i, for each class i
    anchors = order[int(percentile / 100 * (len(p) - 1))]
    rows: NDArray[np.float64] = np.asarray(p[anchors].numpy())
    return rows


def _read(path: Path) -> NDArray[Any]:
    import numpy as np

    ending = path.suffix.lower()
    if ending not in (".npy", ".npz", ".csv"):
        raise UserError(f"{path}: transition matrices are read from .npy, .npz and .csv files, by their ending.")
    if not os.path.isfile(path):
        raise UserError(f"There is no file {path}, so no transition matrix.")
    try:
        if ending == ".csv":
            lines = read_text(path).splitlines()
            rows = [[float(entry) for entry in line.split(",")] for line in lines if line.strip()]
            return np.array(rows)  # raises for rows of different lengths
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded as file:
            names = ["transition"] if "transition" in file else list(file)
            if len(names) != 1:
                raise UserError(f"{path} holds {len(names)} arrays: call the matrix 'transition'.")
            array: NDArray[Any] = file[names[0]]
            return array
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UserError:
        raise
    except Exception as error:  # numpy raises what it will when a file is damaged
        raise UserError(f"{path} cannot be read as a matrix of numbers: {error}.") from None


def _shape(array: NDArray[Any]) -> str:
    return " by ".join(str(size) for size in array.shape) or "a single number"


def _first(which: NDArray[np.bool_]) -> str:
    i, j = which.argmax() // which.shape[1], which.argmax() % which.shape[1]
    return f"the entry in row {i}, column {j} (from 0)"
