"""
Anchor points (Patrini et al. 2017, arXiv:1609.03683, theorem 3; Liu & Tao 2016).

    T_ij = p(ỹ = j | x^i), with x^i the sample whose p_i stands at a percentile of all
    π = argmin ‖Tᵀ π − q‖, π ≥ 0, with q the shares of given labels        r = Σ_i π_i (1 − T_ii)

The largest p_i may be an outlier; the authors take the 97th percentile for CIFAR-10 and the largest for CIFAR-100.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nlcore import parameter
from nlcore.contracts import Estimate, Evidence


@dataclass
class Anchors:
    """
    Reads the matrix off the prediction for a sample of each class that belongs to it beyond doubt.

    T_ij = p(ỹ = j | x^i), x^i at a percentile of p_i. Patrini et al. 2017, theorem 3.
    """

    assumes: ClassVar[str] = (
        "each class has a sample that belongs to it beyond doubt, and the network's probabilities for given labels are "
        "calibrated; one that is too sure gives too small a rate"
    )

    percentile: float | None = parameter(
        None,
        "where the anchor stands among all samples by p_i; none: 97, or 100, the largest, for more than 33 classes",
        range="[0, 100]",
    )

    def estimate(self, evidence: Evidence) -> Estimate:
        """Return rate and matrix."""
        T = anchor_rows(evidence.probabilities, usual(self.percentile, evidence.num_classes))
        return Estimate(rate_of(T, evidence), T)


def usual(percentile: float | None, num_classes: int) -> float:
    """Return a percentile, the authors' where none is given: of many classes each has less than 3 % of the samples."""
    if percentile is not None:
        return percentile
    return 97.0 if num_classes <= 33 else 100.0


def anchor_rows(p: NDArray[np.float64], percentile: float) -> NDArray[np.float64]:
    """Return the predictions at the anchors, float64 (K, K), rows sum to 1."""
    order = p.argsort(axis=0, kind="stable")
    anchors = order[int(percentile / 100 * (len(p) - 1))]
    rows: NDArray[np.float64] = p[anchors] / p[anchors].sum(1, keepdims=True)
    return rows


def rate_of(T: NDArray[np.float64], evidence: Evidence) -> float:
    """Return r = Σ_i π_i (1 − T_ii), π the shares of true classes that fit the given labels best."""
    from scipy.optimize import nnls

    q = np.bincount(evidence.given, minlength=evidence.num_classes) / len(evidence.given)
    prior = nnls(T.T, q)[0]
    return float(prior @ (1 - np.diag(T)) / max(prior.sum(), 1e-12))
