"""
Cross-validation's parts: of each given class its share, by the samples' ids, so that the order of rows does not matter.

    h = SHA-256(seed, id)        of each class the samples, sorted by h, go to one part after the other
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: As many parts up to so many samples, and FEW_FOLDS beyond, where a network each takes long. Of two parts, each judged
#: by what has seen half of CIFAR-10, too many of its own labels seem to be wrong: at least 1.1 %, of three 0.9 %.
FOLDS, FEW_FOLDS, MANY = 5, 3, 10_000


def usual_folds(samples: int) -> int:
    """Return how many parts there are where nobody says."""
    return FOLDS if samples <= MANY else FEW_FOLDS


def stratified_folds(ids: Sequence[str], given: NDArray[np.int64], folds: int, seed: str) -> NDArray[np.int64]:
    """
    Return the part of each sample, int64 (N,), 0..folds-1.

    A class goes on where the one before has stopped, so that the parts are of one size, too. One with fewer samples
    than there are parts is in some of them only.

    Args:
        ids: (N,), each once.
        given: int64 (N,), the given labels.
        folds: how many parts.
        seed: of the order.

    """
    keys = np.array([hashlib.sha256(f"{seed}\0{sample}".encode()).digest()[:16] for sample in ids], dtype="S16")
    order = np.lexsort((keys, given))
    found = np.empty(len(given), np.int64)
    found[order] = np.arange(len(given)) % folds
    return found
