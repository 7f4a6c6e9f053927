"""
Confident joint (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068, section 3.1).

    t_j = mean of p_j over the samples with ỹ = j                          the confidence of class j
    C_ji = #{ỹ = j, i = argmax over {l : p_l ≥ t_l} of p_l}                 i stands for the true class
    Q_ji = (C_ji / Σ_i C_ji) #{ỹ = j} / N                                   rows scaled to the given counts
    r = 1 − Σ_j Q_jj        T_ij = Q_ji / Σ_j Q_ji

Samples with no p_l ≥ t_l count nowhere. A class that nobody is confident of keeps its labels (a row of the identity).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nlcore.contracts import Estimate, Evidence


@dataclass
class ConfidentJoint:
    """
    Counts given labels against classes that are predicted with confidence.

    Q_ji ∝ #{ỹ = j, argmax of the confident p = i}, rows scaled to the given counts; r = 1 − Σ_j Q_jj. Northcutt et al.
    2021, section 3.1.
    """

    assumes: ClassVar[str] = (
        "wrong labels depend on the class alone; every mistake of the predictor counts as a wrong label, so the rate "
        "is too high where the network is weak"
    )

    def estimate(self, evidence: Evidence) -> Estimate:
        """Return rate and matrix."""
        p, given, K = evidence.probabilities, evidence.given, evidence.num_classes
        counts = np.bincount(given, minlength=K)
        sums = np.zeros(K)
        np.add.at(sums, given, p[np.arange(len(given)), given])
        threshold = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
        confident = np.where(p >= threshold, p, -1.0)
        likely, sure = confident.argmax(1), confident.max(1) >= 0
        C = np.zeros((K, K))
        np.add.at(C, (given[sure], likely[sure]), 1)
        nobody = C.sum(1) == 0
        C[nobody, nobody.nonzero()[0]] = 1
        Q = C / C.sum(1, keepdims=True) * (counts / len(given))[:, None]
        per_class = Q.sum(0)
        T = np.eye(K)
        T[per_class > 0] = (Q / np.maximum(per_class, 1e-300)).T[per_class > 0]
        missing = int((~sure).sum())
        note = f"{missing:,} of {len(given):,} samples are of no class with confidence" if missing else ""
        return Estimate(float(1 - np.trace(Q)), T, note)
