"""Images of CIFAR-10's shape, for machines that do not have it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nlcore.contracts import Data, DatasetContext, Split


@dataclass(frozen=True)
class SyntheticCifar:
    """Random uint8 images (N, 32, 32, 3) of ten classes, so many for training and for testing."""

    train: int
    test: int

    def load(self, source: DatasetContext) -> Data:
        """Return train and test, the same each time."""
        return Data(
            train=_split(self.train, 1),
            test=_split(self.test, 2),
            classes=tuple(f"class {number}" for number in range(10)),
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2023, 0.1994, 0.2010),
        )


def _split(count: int, seed: int) -> Split:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, count)
    return Split(images, labels, np.arange(count), labels)
