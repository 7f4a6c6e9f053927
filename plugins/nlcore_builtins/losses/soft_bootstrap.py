"""
Soft bootstrapping (Reed et al. 2015, arXiv:1412.6596, eq. 6; the sum there lacks its minus sign).

    ℓ(f, t) = −Σ_k [β t_k + (1 − β) q_k] log q_k        q = softmax(f)

The paper leaves open whether the target q is a constant. With ``detach`` it is: the gradient is that of cross-entropy
towards the mixed target. Without it the second term is the entropy of q, minimised as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter


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
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        log_q = F.log_softmax(logits, dim=1)
        q = log_q.exp()
        if self.detach:
            q = q.detach()
        t = targets if targets.is_floating_point() else F.one_hot(targets, logits.shape[1])
        return -((self.beta * t.to(q.dtype) + (1 - self.beta) * q) * log_q).sum(1)
