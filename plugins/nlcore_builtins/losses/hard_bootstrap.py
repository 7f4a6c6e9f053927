"""
Hard bootstrapping (Reed et al. 2015, arXiv:1412.6596, eq. 7; the sum there lacks its minus sign).

    ℓ(f, t) = −Σ_k [β t_k + (1 − β) z_k] log q_k        q = softmax(f),  z_k = 1 for k = argmax_j q_j, else 0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from nlcore import parameter
from nlcore_builtins.losses.terms import distributions, log_probabilities


@dataclass
class HardBootstrap:
    """
    Cross-entropy with the label mixed with the predicted class.

    ℓ(f, t) = −Σ_k [β t_k + (1 − β) z_k] log q_k with q = softmax(f) and z the most likely class, one-hot; β = 1 is
    cross-entropy. Reed et al. 2015, eq. 7.
    """

    soft_targets: ClassVar[bool] = True

    beta: float = parameter(0.8, "weight of the given label against the predicted class", range="[0, 1]")

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K)."""
        log_q = log_probabilities(logits)
        t, z = distributions(targets, log_q), distributions(log_q.argmax(1), log_q)
        return -((self.beta * t + (1 - self.beta) * z) * log_q).sum(1)
