"""
Confident learning's lists of wrong labels (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068, section 3.2).

From the confident joint C (rows are given classes j, columns true classes i) and probabilities p:

    by noise rate   for each i ≠ j, of the samples with y = j the C_ji with the largest p_i − p_j
    by class        of the samples with y = j, the Σ_i C_ji − C_jj with the smallest p_j

C_jj is raised to the number of samples that a class shall keep at least, and the other counts of the class are lowered
by as much in all, evenly and not below 0; then they are multiplied by the share that is asked for and rounded down, and
by class rounded up in all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.confident_joint import calibrated, confidences, count_joint
from nlcore.audits.predictions import Floats
from nlcore.contracts.detector import Rows, row_chunks

Mask = NDArray[np.bool_]


def found_by_noise_rate(given: NDArray[np.int64], p: Rows) -> Mask:
    """
    Return which labels confident learning calls wrong, bool (N,): by noise rate, those that are predicted left out.

    Args:
        given: int64 (N,).
        p: probabilities, (N, K): an array, or what is indexed like one.

    """
    counts = np.bincount(given, minlength=p.shape[1])
    C = whole(calibrated(count_joint(given, p, confidences(given, p)), counts) * len(given))
    return by_noise_rate(given, p, to_prune(C.astype(np.float64), kept=1, share=1.0)) & ~predicted_as_given(given, p)


def whole(counts: Floats) -> NDArray[np.int64]:
    """
    Return whole numbers, int64 (K, K), whose rows have the same sums.

    The largest remainders are rounded up; of equal ones the last.
    """
    low = np.floor(counts)
    up = np.rint(counts.sum(1) - low.sum(1)).astype(int)
    remainder = np.round(counts - low, 9)
    rank = np.argsort(np.argsort(-remainder[:, ::-1], axis=1, kind="stable"), axis=1)[:, ::-1]
    found: NDArray[np.int64] = (low + (rank < up[:, None])).astype(np.int64)
    return found


def to_prune(C: Floats, kept: int, share: float) -> NDArray[np.int64]:
    """
    Return how many samples of each given class to take for each true class, int64 (K, K).

    Args:
        C: the confident joint, float64 (K, K).
        kept: how many samples a class keeps at least.
        share: of the counts off the diagonal, 0..1.

    """
    diagonal = np.maximum(np.diag(C), kept)
    missing = diagonal - np.diag(C)
    others = np.maximum(np.count_nonzero(C, axis=1) - 1.0, 1.0)
    fewer = np.maximum(C - (missing / others)[:, None], 0)
    np.fill_diagonal(fewer, diagonal)
    total = fewer.sum(1)
    fewer *= share
    np.fill_diagonal(fewer, 0)
    counts: NDArray[np.int64] = np.floor(fewer + 1e-9).astype(np.int64)
    np.fill_diagonal(counts, np.floor(total - fewer.sum(1) + 1e-9).astype(np.int64))
    return counts


def by_noise_rate(given: NDArray[np.int64], p: Rows, counts: NDArray[np.int64], kept: int = 1) -> Mask:
    """Return, for each pair of classes, the samples whose other class is ahead of the given one by most, bool (N,)."""
    found = np.zeros(len(given), bool)
    for j, members in _classes(given, p.shape[1]):
        if len(members) <= kept:
            continue
        rows = np.asarray(p[members])
        for i in np.flatnonzero(counts[j]):
            if i != j:
                ahead = rows[:, i].astype(np.float64) - rows[:, j]
                found[members[np.argsort(-ahead, kind="stable")[: counts[j, i]]]] = True
    return found


def by_class(given: NDArray[np.int64], p: Rows, counts: NDArray[np.int64], kept: int = 1) -> Mask:
    """Return, of each given class, the samples with the smallest probability of it, bool (N,)."""
    found = np.zeros(len(given), bool)
    for j, members in _classes(given, p.shape[1]):
        if len(members) > kept:
            own = np.asarray(p[members])[:, j]
            wrong = max(0, len(members) - int(counts[j, j]))
            found[members[np.argsort(own, kind="stable")[:wrong]]] = True
    return found


def predicted_as_given(given: NDArray[np.int64], p: Rows) -> Mask:
    """Return which samples are predicted to be of their given class, but for 1e-6, bool (N,)."""
    found = np.empty(len(given), bool)
    for rows in row_chunks(*p.shape):
        chunk, labels = np.array(p[rows], dtype=np.float64), given[rows]
        chunk[np.arange(len(labels)), labels] += 1e-6
        found[rows] = chunk.argmax(1) == labels
    return found


def _classes(given: NDArray[np.int64], K: int) -> list[tuple[int, NDArray[np.int64]]]:
    """Return each class with the positions of its samples, in order."""
    order = np.argsort(given, kind="stable")
    ends = np.cumsum(np.bincount(given, minlength=K))
    return [(j, order[start:end]) for j, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True))]
