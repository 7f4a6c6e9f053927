"""
The confident joint (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068, section 3.1), in two passes over the rows.

    t_j = mean of p_j over the samples with y = j                          the confidence of class j
    C_ji = #{y = j, i the class with p_i ≥ t_i; of several, argmax p}       i stands for the true class
    Q_ji = (C_ji / Σ_i C_ji) #{y = j} / N                                   rows scaled to the given counts

That is algorithm 1 of the paper; t counts as reached within 1e-6, and C_jj is at least 1. 1 − Σ_j Q_jj counts each
mistake of the model as a wrong label: an upper value where p is calibrated to the given labels, and too high by
far where p is too sure of itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.predictions import Floats
from nlcore.contracts.detector import Rows, row_chunks


def confidences(given: NDArray[np.int64], p: Rows) -> Floats:
    """Return t, float64 (K,); infinite for a class without samples."""
    K = p.shape[1]
    sums = np.zeros(K)
    for rows in row_chunks(*p.shape):
        chunk, labels = p[rows], given[rows]
        sums += np.bincount(labels, chunk[np.arange(len(labels)), labels], minlength=K)
    counts = np.bincount(given, minlength=K)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)


def confident_classes(p: Floats, t: Floats) -> NDArray[np.int64]:
    """Return the class that a sample is predicted to be with confidence, of several the likeliest of all, int64 (n,).

    −1 where there is none.
    """
    confident = p >= t - 1e-6
    several = confident.sum(1)
    found: NDArray[np.int64] = np.where(several > 1, p.argmax(1), confident.argmax(1))
    found[several == 0] = -1
    return found


def count_joint(given: NDArray[np.int64], p: Rows, t: Floats) -> Floats:
    """Return C, whole numbers as float64 (K, K): rows are given classes, columns confident ones."""
    K = p.shape[1]
    counts = np.zeros(K * K)
    for rows in row_chunks(*p.shape):
        found = confident_classes(p[rows], t)
        sure = found >= 0
        counts += np.bincount(given[rows][sure] * K + found[sure], minlength=K * K)
    C: Floats = counts.reshape(K, K)
    np.fill_diagonal(C, np.maximum(np.diag(C), 1))
    return C


def calibrated(C: Floats, counts: NDArray[np.int64]) -> Floats:
    """Return Q, float64 (K, K), sums to 1: rows have the shares of the given classes."""
    Q: Floats = C / C.sum(1, keepdims=True) * (counts / counts.sum())[:, None]
    return Q
