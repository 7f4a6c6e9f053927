"""
Which samples a model is fitted to: of each class its share, chosen by what is in their rows.

    h_i = mix(seed + y_i + Σ_k m_k bits(p_ik))        of each class those with the smallest h, in the order of h

m are random odd numbers, bits(p) is the value in float32 as a whole number, all modulo 2⁶⁴. So the choice and the order
of the sums over it are the same whatever order the rows come in. A rare class gives at least 30 samples where it has so
many; weights make up for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.predictions import Floats
from nlcore.contracts.detector import row_chunks

OF_A_RARE_CLASS = 30


def stratified(
    arrays: Sequence[NDArray[Any]], given: NDArray[np.int64], seed: int, most: int
) -> tuple[NDArray[np.int64], Floats]:
    """
    Return the positions of the samples to look at, int64 (n,), and how many samples each stands for, scaled to mean 1.

    Args:
        arrays: predictions of the same N samples, (N, K) each.
        given: int64 (N,).
        seed: draws the choice.
        most: about how many samples; a class is rounded up.

    """
    key = fingerprints(arrays, given, seed)
    order = np.lexsort((key, given))
    counts = np.bincount(given, minlength=arrays[0].shape[1])
    share = np.ceil(counts * min(1.0, most / len(given))).astype(np.int64)
    taken = np.minimum(counts, np.maximum(share, OF_A_RARE_CLASS))
    starts = np.cumsum(counts) - counts
    chosen = np.concatenate([order[start : start + n] for start, n in zip(starts, taken, strict=True)])
    weight = (counts / np.maximum(taken, 1))[given[chosen]]
    return chosen, weight / weight.mean()


def fingerprints(arrays: Sequence[NDArray[Any]], given: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Return h, uint64 (N,)."""
    rng = np.random.default_rng(seed)
    key = np.full(len(given), rng.integers(0, 2**63, dtype=np.uint64)) + given.astype(np.uint64)
    for array in arrays:
        odd = rng.integers(0, 2**63, array.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        for rows in row_chunks(*array.shape):
            bits = (array[rows].astype(np.float32) + np.float32(0)).view(np.uint32)  # + 0: −0 is 0
            key[rows] += bits.astype(np.uint64) @ odd
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # the last step of splitmix64
        key = (key ^ (key >> np.uint64(shift))) * np.uint64(factor)
    return key ^ (key >> np.uint64(31))
