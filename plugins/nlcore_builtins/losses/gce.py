"""
Generalised cross-entropy (Zhang & Sabuncu 2018, arXiv:1805.07836, eq. 6).

    ℓ(f, y) = (1 − p_y^q) / q        p = softmax(f);  q → 0: −log p_y,  q = 1: 1 − p_y

p is not clamped. Later papers' code (APL, asymmetric losses, ANL) clamps it at 1e-7, below which it has no gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nlcore import parameter
from nlcore_builtins.losses.terms import SMALLEST_Q, log_probabilities, over_labels


@dataclass
class GCE:
    """
    Generalised cross-entropy, between cross-entropy and mean absolute error.

    ℓ(f, y) = (1 − p_y^q) / q with p = softmax(f). Zhang & Sabuncu 2018, eq. 6.
    """

    soft_targets: ClassVar[bool] = True

    q: float = parameter(0.7, "towards 0: cross-entropy; 1: mean absolute error", range="(0, 1]")

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K): the mean over labels."""
        # p^q = exp(q log p); expm1 keeps its digits where q is small or p near 1.
        q = max(self.q, SMALLEST_Q)
        return over_labels(lambda log_p: -torch.expm1(q * log_p) / q, log_probabilities(logits), targets)
