"""No added noise: the given labels are those that come with the dataset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nlcore.contracts import Labels, NoiseContext, NoiseInfo


@dataclass(frozen=True)
class NoNoise:
    """Leaves the labels as they come with the dataset, which may be noisy of themselves."""

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """Return a copy of `labels`, int64 (N,)."""
        return np.array(labels, dtype=np.int64)

    def declared(self, num_classes: int) -> NoiseInfo:
        """Return a rate of 0 and the identity."""
        return NoiseInfo(0.0, np.eye(num_classes))
