"""
Symmetric noise: a label is redrawn uniformly, whatever the true class.

    inclusive:  T[i, j] = (1 − r) [i = j] + r / K             a fraction r (K − 1) / K ends up wrong
    exclusive:  T[i, j] = (1 − r) [i = j] + r / (K − 1) [i ≠ j]      a fraction r ends up wrong

"50 %" means either in the literature: DivideMix, ELR and SOP redraw from all K classes, Co-teaching and the papers on
robust losses from the K − 1 others (van Rooyen et al. 2015, arXiv:1505.07634; Natarajan et al. 2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nlcore import parameter
from nlcore.roles import Labels, NoiseInfo, SampleData


@dataclass(frozen=True)
class Symmetric:
    """
    Symmetric noise: a label is redrawn uniformly, whatever the true class.

    With ``redraw = inclusive`` the new label may be the true one again, so that 50 % noise over ten classes makes 45 %
    of the labels wrong. With ``draws = exact`` exactly int(N · rate) samples are redrawn; with ``independent`` each is
    with probability `rate`.
    """

    rate: float = parameter(0.5, "fraction of the labels that are redrawn", range="[0, 1]")
    redraw: Literal["inclusive", "exclusive"] = parameter("inclusive", "from all classes, or from all but the true one")
    draws: Literal["exact", "independent"] = parameter("exact", "a fixed number of samples, or each by itself")

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: SampleData | None = None
    ) -> Labels:
        """
        Return the given labels, int64 (N,), as a new array.

        Args:
            labels: true labels, int64 (N,), 0..K-1.
            num_classes: K, at least 2 for exclusive noise of a rate above 0.
            rng: the only source of randomness.
            data: not used.

        Raises:
            ValueError: labels outside 0..K-1, or too few classes.

        """
        given = np.array(labels, dtype=np.int64)
        count = len(given)
        if count and not (given.min() >= 0 and given.max() < num_classes):
            raise ValueError(f"labels must lie within 0..{num_classes - 1}")
        if self.draws == "exact":
            redrawn = rng.permutation(count)[: int(count * self.rate)]
        else:
            redrawn = np.flatnonzero(rng.random(count) < self.rate)
        if self.redraw == "inclusive":
            given[redrawn] = rng.integers(num_classes, size=len(redrawn))
        elif len(redrawn):
            if num_classes < 2:
                raise ValueError("exclusive noise needs at least 2 classes")
            given[redrawn] = (given[redrawn] + rng.integers(1, num_classes, size=len(redrawn))) % num_classes
        return given

    def declared(self, num_classes: int) -> NoiseInfo:
        """Return the expected fraction of wrong labels and T."""
        K, r = num_classes, self.rate
        if self.redraw == "inclusive":
            T = (1 - r) * np.eye(K) + r / K
        else:
            T = (1 - r) * np.eye(K) + r / max(K - 1, 1) * (1 - np.eye(K))
        return NoiseInfo(float(1 - T[0, 0]), T)
