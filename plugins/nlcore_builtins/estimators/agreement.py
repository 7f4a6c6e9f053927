"""
Agreement of held-out predictions with given labels.

    a = P(argmax p = ỹ)        r ≤ 1 − a        for symmetric noise and a known accuracy A on true labels:
    a = A (1 − r) + (1 − A) r / (K − 1)        r = (A − a) / (A − (1 − A) / (K − 1))

The second formula holds where the network's mistakes are independent of the wrong labels. Without A the first one
bounds the rate from above: each mistake of a network that has not learnt the noise looks like a wrong label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nlcore import parameter
from nlcore.contracts import Estimate, Evidence


@dataclass
class Agreement:
    """
    Counts how often held-out predictions are the given label.

    r ≤ 1 − a, or r = (A − a) / (A − (1 − A) / (K − 1)) for a known accuracy A on true labels.
    """

    assumes: ClassVar[str] = (
        "the network's mistakes are independent of the wrong labels; without an accuracy the figure is an upper bound"
    )

    accuracy: float | None = parameter(None, "A, the network's accuracy on true labels; none: unknown", range="(0, 1]")

    def estimate(self, evidence: Evidence) -> Estimate:
        """Return the rate, or its upper bound."""
        a = float(np.mean(evidence.probabilities.argmax(1) == evidence.given))
        if self.accuracy is None:
            return Estimate(1 - a, note="an upper bound")
        others = (1 - self.accuracy) / (evidence.num_classes - 1)
        if self.accuracy <= others:
            return Estimate(None, note="an accuracy of chance tells nothing")
        return Estimate(float(np.clip((self.accuracy - a) / (self.accuracy - others), 0, 1)))
