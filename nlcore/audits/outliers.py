"""
What belongs to no class: images far from all others in feature space.

    d_i = 1 − cosine of the features of i and of its k-th nearest other
    rank_i = #{j: d_j ≥ d_i} / N        flagged: log d_i > Q₃ + 1.5 (Q₃ − Q₁), quartiles of log d

The distance to the k-th neighbour (Sun, Ming, Zhu, Li 2022, arXiv:2204.06507) and not the mean of k: a few images of
one kind that belongs nowhere do not vouch for each other. What is far is said by the data themselves: by Tukey's fence,
which one of 300 values of a normal distribution is beyond.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nlcore.audits.predictions import Floats, as_array
from nlcore.errors import UserError

NEIGHBOURS = 10
_AT_ONCE = 1 << 23  # similarities, 32 MB


@dataclass(frozen=True, eq=False)
class Outliers:
    """
    How far images are from all others.

    Attributes:
        distance: float64 (N,), 0..2, to the k-th neighbour.
        rank: float64 (N,), the share of all samples that are at least as far, 1/N..1: the smaller, the farther.
        flagged: bool (N,), far beyond what is usual in these data.

    """

    distance: Floats
    rank: Floats
    flagged: NDArray[np.bool_]


def outliers(features: ArrayLike, neighbours: int = NEIGHBOURS) -> Outliers:
    """
    Return how far each image is from all others.

    Args:
        features: float (N, D), of a pretrained network.
        neighbours: k; N − 1 where there are fewer.

    Raises:
        UserError: another shape, no numbers, fewer than three images, or values that are not finite.

    """
    x = as_array(features, "features")
    if x.dtype.kind not in "fiu":
        raise UserError(f"The features are {x.dtype}; give numbers.")
    if x.ndim != 2 or x.shape[0] < 3 or x.shape[1] < 1:
        raise UserError(f"The features have the shape {x.shape}; give (N, D) of at least three images.")
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(1))[0])
        raise UserError(f"The features have a value that is NaN or infinite in row {row}; every value must be finite.")
    if neighbours < 1:
        raise UserError(f"{neighbours} neighbours: give at least 1.")
    distance = _kth_distance(_unit(x), min(neighbours, len(x) - 1))
    order = np.sort(distance)
    rank = (len(x) - np.searchsorted(order, distance, side="left")) / len(x)
    logs = np.log(np.maximum(distance, 1e-12))
    low, high = np.percentile(logs, (25, 75))
    return Outliers(distance, rank, logs > high + 1.5 * (high - low))


def _unit(x: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return features scaled to length 1."""
    z = x.astype(np.float32)
    z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    return z


def _kth_distance(z: NDArray[np.float32], k: int) -> Floats:
    N = len(z)
    step = max(1, _AT_ONCE // N)
    found = np.empty(N)
    for start in range(0, N, step):
        similarity = z[start : start + step] @ z.T
        own = np.arange(len(similarity))
        similarity[own, start + own] = -2  # nobody is a neighbour of its own
        found[start : start + step] = np.partition(similarity, N - k, axis=1)[:, N - k]
    return np.clip(1 - found, 0, 2)
