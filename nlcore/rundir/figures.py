"""
How good a classifier is, with how sure that is: what `nl evaluate` prints and every run's summary holds.

Wilson's interval of a share k / n at 95 % (Wilson 1927), z = 1.96:

    (k + z²/2 ± z √(k (n − k) / n + z²/4)) / (n + z²)

The expected calibration error (Guo et al. 2017, arXiv:1706.04599, equation 3), of M = 15 bins B_m of equal width by
the largest probability:

    ECE = Σ_m |B_m| / n · |accuracy(B_m) − mean confidence(B_m)|
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nlcore.contracts import Labels

BINS = 15
_Z = 1.959963984540054  # of the normal distribution, 97.5 % lie below


def wilson(right: int, count: int) -> tuple[float, float] | None:
    """Return the 95 % interval of a share, ``right / count``, within 0..1; None where nothing was counted."""
    if not count:
        return None
    middle = right + _Z**2 / 2
    half = _Z * math.sqrt(right * (count - right) / count + _Z**2 / 4)
    low, high = (middle - half) / (count + _Z**2), (middle + half) / (count + _Z**2)
    return (low if right else 0.0), (high if right < count else 1.0)


def _listed(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)  # as it is read back from JSON


def interval_in_words(interval: Sequence[float]) -> str:
    """Return an interval in percent: ``89.4 to 92.8%``."""
    low, high = interval
    return f"{100 * low:.1f} to {100 * high:.1f}%"


def per_class(classes: Sequence[str], confusion: NDArray[np.int64]) -> tuple[dict[str, Any], ...]:
    """
    Return what is known of each class, from counts [true, predicted], (K, K).

    Returns:
        For each class its ``name``, the ``count`` of its images, the share of them that is predicted right, as
        ``accuracy`` and by its usual name as ``recall``, with its 95 % ``interval``, and ``precision``, the share of
        the images predicted as it that are of it. None where there is nothing to count.

    """
    right, counts, predicted = (
        array.tolist() for array in (confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0))
    )
    return tuple(
        {
            "name": name,
            "count": counts[i],
            "accuracy": right[i] / counts[i] if counts[i] else None,
            "recall": right[i] / counts[i] if counts[i] else None,
            "interval": _listed(wilson(right[i], counts[i])),
            "precision": right[i] / predicted[i] if predicted[i] else None,
        }
        for i, name in enumerate(classes)
    )


def balanced(classes: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the mean recall of the classes that have images, as `per_class` gives them; None where none has."""
    known = [float(one["accuracy"]) for one in classes if one["accuracy"] is not None]
    return sum(known) / len(known) if known else None


@dataclass(frozen=True)
class Calibration:
    """
    How confidence and accuracy go together, in 15 bins of equal width by the largest probability.

    Attributes:
        counts: images in each bin, int64 (15,).
        confidence: their mean largest probability, (15,); 0 in empty bins.
        accuracy: the share of them that is right, (15,); 0 in empty bins.

    """

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def ece(self) -> float:
        """The expected calibration error, within 0..1."""
        return float((self.counts * abs(self.accuracy - self.confidence)).sum() / max(1, self.counts.sum()))


def calibration(probabilities: NDArray[np.float32], labels: Labels) -> Calibration:
    """
    Return the calibration of predictions.

    Args:
        probabilities: (N, K), rows add up to 1.
        labels: (N,), what is right.

    """
    import numpy as np

    largest = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    bins = (np.ceil(BINS * largest).astype(np.int64) - 1).clip(0, BINS - 1)
    counts, confidence, accuracy = (
        np.bincount(bins, weights, BINS) for weights in (None, largest, right.astype(np.float64))
    )
    filled = np.maximum(counts, 1)
    return Calibration(counts.astype(np.int64), confidence / filled, accuracy / filled)


@dataclass(frozen=True)
class Figures:
    """
    All figures of predictions on labelled images.

    Attributes:
        classes: the names of the K classes.
        confusion: counts [true, predicted], int64 (K, K).
        calibration: in bins.

    """

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    calibration: Calibration

    @property
    def count(self) -> int:
        """How many images were predicted."""
        return int(self.confusion.sum())

    @property
    def right(self) -> int:
        """How many of them rightly."""
        return int(self.confusion.trace())

    @property
    def per_class(self) -> tuple[dict[str, Any], ...]:
        """What is known of each class."""
        return per_class(self.classes, self.confusion)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain JSON values, shares from 0 to 1."""
        return {
            "count": self.count,
            "accuracy": self.right / self.count,
            "accuracy_interval": _listed(wilson(self.right, self.count)),
            "balanced_accuracy": balanced(self.per_class),
            "ece": self.calibration.ece,
            "per_class": list(self.per_class),
            "classes": list(self.classes),
            "confusion": self.confusion.tolist(),
        }


def figures(classes: Sequence[str], probabilities: NDArray[np.float32], labels: Labels) -> Figures:
    """
    Return the figures of predictions on at least one image.

    Args:
        classes: the names of the K classes.
        probabilities: (N, K), rows add up to 1.
        labels: int64 (N,), within 0..K-1.

    """
    import numpy as np

    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels, probabilities.argmax(axis=1)), 1)
    return Figures(tuple(classes), confusion, calibration(probabilities, labels))
