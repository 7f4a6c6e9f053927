"""
What several noise models need: labels that are checked, and which samples change.

A rate r means one of three things in the literature:

    exact            int(N r) of all N samples
    exact_per_class  int(N_k r) of the N_k samples of each class k
    independent      each sample with probability r, so that the number varies
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nlcore.contracts import Labels

Draws: TypeAlias = Literal["exact", "exact_per_class", "independent"]


def checked(labels: Labels, num_classes: int) -> Labels:
    """
    Return a copy of true labels, int64 (N,).

    Raises:
        ValueError: labels outside 0..K-1.

    """
    given = np.array(labels, dtype=np.int64)
    if len(given) and not (given.min() >= 0 and given.max() < num_classes):
        raise ValueError(f"labels must lie within 0..{num_classes - 1}")
    return given


def choose(labels: Labels, rate: float, draws: Draws, rng: np.random.Generator) -> Labels:
    """Return the positions of the samples that change, int64 (M,), each at most once."""
    count = len(labels)
    if draws == "exact":
        return rng.permutation(count)[: int(count * rate)]
    if draws == "independent":
        return np.flatnonzero(rng.random(count) < rate)
    of_classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.concatenate(
        [np.zeros(0, np.int64), *(rng.permutation(mine)[: int(len(mine) * rate)] for mine in of_classes)]
    )


def flipping(targets: Labels, rate: float) -> NDArray[np.float64]:
    """Return T (K, K) of flips from each class i to targets[i], with probability `rate`."""
    K = len(targets)
    T: NDArray[np.float64] = (1 - rate) * np.eye(K)
    T[np.arange(K), targets] += rate
    return T
