"""
Pair noise: a label is taken for the next class (Han et al. 2018, arXiv:1804.06872).

    T[i, j] = (1 − r) [i = j] + r [j = i + 1 mod K]        a fraction r ends up wrong

Co-teaching's 45 % are drawn independently, sample by sample. Above 50 % most labels of a class are another's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nlcore import parameter
from nlcore.contracts import Labels, NoiseContext, NoiseInfo
from nlcore_builtins.noise.drawing import checked, choose, flipping


@dataclass(frozen=True)
class PairFlip:
    """
    Pair noise: a label is taken for the next class, the last one for the first.

    T[i, j] = (1 − r) [i = j] + r [j = i + 1 mod K]. Han et al. 2018 (Co-teaching) draw each label by itself:
    ``draws = independent``.
    """

    rate: float = parameter(0.45, "r, the fraction of the labels that end up wrong", range="[0, 1]")
    draws: Literal["exact", "exact_per_class", "independent"] = parameter(
        "exact", "a fixed number of samples, one for each class, or each sample by itself"
    )

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """
        Return the given labels, int64 (N,), as a new array.

        Args:
            labels: true labels, int64 (N,), 0..K-1.
            num_classes: K.
            rng: the only source of randomness.
            data: not used.

        Raises:
            ValueError: labels outside 0..K-1.

        """
        given = checked(labels, num_classes)
        flipped = choose(given, self.rate, self.draws, rng)
        given[flipped] = (given[flipped] + 1) % num_classes
        return given

    def declared(self, num_classes: int) -> NoiseInfo:
        """Return the expected fraction of wrong labels and T."""
        T = flipping((np.arange(num_classes) + 1) % num_classes, self.rate)
        return NoiseInfo(float(1 - T[0, 0]), T)
