"""Balanced labels, what came of them, and bounds for it that come from the binomial distribution alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nlcore.contracts import NoiseContext
from nlcore.data.stores import ArrayStore

N = 50_000
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@pytest.fixture
def labels() -> NDArray[np.int64]:
    """Return 50,000 labels of ten classes of equal size, mixed."""
    return np.random.default_rng(99).permutation(np.arange(N) % 10)


@pytest.fixture
def samples() -> Any:
    """Return a function that makes what a noise model sees of its samples."""

    def make(count: int, classes: tuple[str, ...] = CIFAR10, images: Any = None, **more: Any) -> NoiseContext:
        images = np.zeros((count, 1, 1, 1), np.uint8) if images is None else images
        return NoiseContext(np.arange(count), ArrayStore(images), classes, **more)

    return make


@pytest.fixture
def counted() -> Any:
    """Return a function that counts [true, given], (K, K)."""

    def count(true: Any, given: Any, classes: int = 10) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = np.bincount(true * classes + given, minlength=classes**2)
        return counts.reshape(classes, classes)

    return count


@pytest.fixture
def follows() -> Any:
    """
    Return a function that compares counts (K, K) with a transition matrix.

    Each row is a multinomial: every count lies within five standard deviations of its mean, what cannot be is not
    there, and chi-square over all rows lies within five deviations of its degrees of freedom.
    """

    def compare(counts: Any, T: Any) -> None:
        trials = counts.sum(axis=1, keepdims=True)
        expected = trials * T
        assert not counts[T == 0].any()
        assert (np.abs(counts - expected) <= 5 * np.sqrt(expected * (1 - T)) + 1e-9).all()
        possible = expected > 0
        chi_square = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
        freedom = (possible.sum(axis=1) - 1).sum()
        assert chi_square <= freedom + 5 * np.sqrt(2 * freedom)

    return compare
