"""
Generalised cross-entropy (Zhang & Sabuncu 2018, arXiv:1805.07836, eq. 6).

    ℓ(f, y) = (1 − p_y^q) / q        p = softmax(f);  q → 0: −log p_y,  q = 1: 1 − p_y

p is not clamped. Later papers' code (APL, asymmetric losses, ANL) clamps it at 1e-7, below which it has no gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore_builtins.losses.terms import SMALLEST_Q


@dataclass
class GCE:
    """
    Generalised cross-entropy, between cross-entropy and mean absolute error.

    ℓ(f, y) = (1 − p_y^q) / q with p = softmax(f). Zhang & Sabuncu 2018, eq. 6.
    """

    q: float = parameter(0.7, "towards 0: cross-entropy; 1: mean absolute error", range="(0, 1]")

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,)."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        log_p = F.log_softmax(logits, dim=1).gather(1, targets[:, None]).squeeze(1)
        # p^q = exp(q log p); expm1 keeps its digits where q is small or p near 1.
        q = max(self.q, SMALLEST_Q)
        return -torch.expm1(q * log_p) / q
