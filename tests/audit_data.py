"""Predictions whose wrong labels are known: simulated ones, and measured ones where they are at hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """Log probabilities, given labels and true ones."""

    log_p: Floats
    given: Classes
    true: Classes

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Which labels are wrong."""
        return np.not_equal(self.given, self.true)


def simulated(transition: Floats, size: int = 4000, clear: float = 2.5, seed: int = 0) -> Known:
    """
    Return the exact posterior of a mixture of Gaussians, with labels that a matrix made of the true ones.

    x ~ N(s e_y, I) for equally likely y, so that P(y | x) = softmax(s x); given labels are drawn by rows of the matrix.
    """
    rng = np.random.default_rng(seed)
    K = len(transition)
    true = rng.integers(0, K, size)
    z = clear * (clear * np.eye(K)[true] + rng.standard_normal((size, K)))
    given = (rng.random(size)[:, None] > transition[true].cumsum(1)).sum(1).clip(max=K - 1)
    return Known(z - np.logaddexp.reduce(z, axis=1, keepdims=True), given, true)


def pair(K: int, rate: float) -> Floats:
    """Return T of labels that are taken for the next class."""
    return (1 - rate) * np.eye(K) + rate * np.roll(np.eye(K), 1, axis=1)


def average_precision(wrong: NDArray[np.bool_], score: Floats) -> float:
    """Return the average precision of a ranking."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(wrong, score))


def auroc(wrong: NDArray[np.bool_], score: Floats) -> float:
    """Return the area under the ROC curve."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(wrong, score))


def measured(name: str) -> Any:
    """Return a file of predictions, or skip the test."""
    folder = os.environ.get("NL_AUDIT_DATA")
    if not folder or not (Path(folder) / name).is_file():
        pytest.skip(f"set NL_AUDIT_DATA to a folder with {name}: logits of held-out samples")
    return np.load(Path(folder) / name)


def cifar10n(which: str, index: Classes) -> Classes:
    """Return labels of CIFAR-10N, or skip the test."""
    file = os.environ.get("NL_CIFAR10N")
    if not file or not Path(file).is_file():
        pytest.skip("set NL_CIFAR10N to the file CIFAR-10_human.pt: the labels that people gave")
    import torch

    return np.asarray(torch.load(file, weights_only=False)[which])[index].astype(np.int64)
