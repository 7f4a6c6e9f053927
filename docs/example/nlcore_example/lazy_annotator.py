"""
A lazy annotator gives one and the same answer when in a hurry.

    T[i, j] = (1 − r) [i = j] + r [j = c]        a fraction r (K − 1) / K ends up wrong
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nlcore import parameter
from nlcore.contracts import Labels, NoiseContext, NoiseInfo


@dataclass(frozen=True)
class LazyAnnotator:
    """
    Somebody who gives one and the same answer when in a hurry.

    T[i, j] = (1 − r) [i = j] + r [j = c]; each label by itself. c wraps around where
    there are fewer classes.
    """

    rate: float = parameter(0.3, "r, how often there is a hurry", range="[0, 1]")
    answer: int = parameter(0, "c, the class that is always named", range="[0, inf)")

    def corrupt(
        self,
        labels: Labels,
        num_classes: int,
        rng: np.random.Generator,
        data: NoiseContext | None = None,
    ) -> Labels:
        """Return the given labels, int64 (N,), as a new array."""
        hurried = rng.random(len(labels)) < self.rate
        return np.where(hurried, self.answer % num_classes, labels)

    def declared(self, num_classes: int) -> NoiseInfo:
        """Return what can be expected: the fraction of wrong labels, and T (K, K)."""
        T = (1 - self.rate) * np.eye(num_classes)
        T[:, self.answer % num_classes] += self.rate
        return NoiseInfo(rate=float(1 - np.trace(T) / num_classes), transition=T)
