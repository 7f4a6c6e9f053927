"""
Dual T (Yao et al. 2020, arXiv:2006.07805, section 3).

    T = T♣ T♠        T♣_il = P(predicted = l | true = i), at anchor points        T♠_lj = #{ŷ = l, ỹ = j} / #{ŷ = l}

The predicted class ŷ stands between the true and the given one. T♣ is near the identity for a network that is sure of
itself, which is what the method is made for; with a calibrated network that predicts *given* labels, T♣ is T already
and the product T T: then `anchors` is right and this is not. A class that is never predicted keeps its row of T♣.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nlcore import parameter
from nlcore.contracts import Estimate, Evidence
from nlcore_builtins.estimators.anchors import anchor_rows, rate_of, usual


@dataclass
class DualT:
    """
    Goes from the true class to the predicted one, and from there to the given label.

    T = T♣ T♠, T♣ at anchor points and T♠ by counting. Yao et al. 2020, section 3.
    """

    assumes: ClassVar[str] = (
        "the network is sure of its predictions, as one that was trained to the end is; with calibrated probabilities "
        "the rate comes out far too high"
    )

    percentile: float | None = parameter(
        None,
        "where the anchor stands among all samples by p_i; none: 97, or 100, the largest, for more than 33 classes",
        range="[0, 100]",
    )

    def estimate(self, evidence: Evidence) -> Estimate:
        """Return rate and matrix."""
        p, K = evidence.probabilities, evidence.num_classes
        counts = np.zeros((K, K))
        np.add.at(counts, (p.argmax(1), evidence.given), 1)
        never = counts.sum(1) == 0
        counts[never, never.nonzero()[0]] = 1
        T = anchor_rows(p, usual(self.percentile, K)) @ (counts / counts.sum(1, keepdims=True))
        note = f"{int(never.sum())} of {K} classes are never predicted" if never.any() else ""
        return Estimate(rate_of(T, evidence), T, note)
