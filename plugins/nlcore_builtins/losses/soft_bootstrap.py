"""
Soft bootstrapping (Reed et al. 2015, arXiv:1412.6596, eq. 6; the sum there lacks its minus sign).

    ℓ(f, t) = −Σ_k [β t_k + (1 − β) q_k] log q_k        q = softmax(f)

The paper leaves open whether the target q is a constant. With ``detach`` it is: the gradient is that of cross-entropy
towards the mixed target. Without it the second term is the entropy of q, minimised as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from nlcore import parameter
from nlcore_builtins.losses.terms import distributions, log_probabilities


@dataclass
class SoftBootstrap:
    """
    Cross-entropy with the label mixed with the prediction.

    ℓ(f, t) = −Σ_k [β t_k + (1 − β) q_k] log q_k with q = softmax(f); β = 1 is cross-entropy. Reed et al. 2015, eq. 6.
    """

    soft_targets: ClassVar[bool] = True

    beta: float = parameter(0.95, "weight of the given label against the prediction", range="[0, 1]")
    detach: bool = parameter(True, "treat the prediction in the target as a constant")

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K)."""
        log_q = log_probabilities(logits)
        q = log_q.exp()
        if self.detach:
            q = q.detach()
        t = distributions(targets, log_q)
        return -((self.beta * t + (1 - self.beta) * q) * log_q).sum(1)
