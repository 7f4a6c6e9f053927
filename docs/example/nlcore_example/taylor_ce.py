"""
Taylor cross-entropy (Feng et al. 2020, https://doi.org/10.24963/ijcai.2020/305).

    ℓ(f, y) = Σ_{i=1..t} (1 − p_y)^i / i        p = softmax(f);  t → ∞: −log p_y
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from nlcore import parameter
from torch import Tensor
from torch.nn import functional as F


@dataclass
class TaylorCe:
    """
    Cross-entropy cut off after the first terms of its Taylor series.

    ℓ(f, y) = Σ_{i=1..t} (1 − p_y)^i / i with p = softmax(f). Feng et al. 2020.
    """

    terms: int = parameter(
        2, "t; 1: mean absolute error, more: towards cross-entropy", range="[1, inf)"
    )

    def __call__(
        self, logits: Tensor, targets: Tensor, index: Tensor | None = None
    ) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,)."""
        # Whatever precision the network runs in: at least float32, and float64 stays.
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        log_p = F.log_softmax(logits, dim=1).gather(1, targets[:, None]).squeeze(1)
        # expm1 keeps the digits of 1 − p where p is near 1.
        rest = -torch.expm1(log_p)
        return sum((rest.pow(i) / i for i in range(2, self.terms + 1)), start=rest)
