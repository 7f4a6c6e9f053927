"""
Taylor cross-entropy (Feng et al. 2020, https://doi.org/10.24963/ijcai.2020/305).

    ℓ(f, y) = Σ_{i=1..t} (1 − p_y)^i / i        p = softmax(f);  t = 1: 1 − p_y,  t → ∞: −log p_y

The series of −log p around p = 1. t is for the user to choose; 2, our default, is the least that is neither of the
limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nlcore import parameter
from nlcore_builtins.losses.terms import log_probabilities, over_labels


@dataclass
class TaylorCE:
    """
    Cross-entropy cut off after the first terms of its Taylor series.

    ℓ(f, y) = Σ_{i=1..t} (1 − p_y)^i / i with p = softmax(f). Feng et al. 2020.
    """

    soft_targets: ClassVar[bool] = True

    t: int = parameter(2, "t, the number of terms; 1: mean absolute error, more: to cross-entropy", range="[1, 1000]")

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K): the mean over labels."""
        return over_labels(self._of, log_probabilities(logits), targets)

    def _of(self, log_p: Tensor) -> Tensor:
        rest = -torch.expm1(log_p)
        i = torch.arange(1, self.t + 1, dtype=rest.dtype, device=rest.device)
        return (rest[..., None].pow(i) / i).sum(-1)
