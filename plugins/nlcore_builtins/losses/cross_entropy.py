"""
Cross-entropy.

    ℓ(f, y) = −Σ_k y_k log p_k        p = softmax(f)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass
class CrossEntropy:
    """The usual loss, which trusts every label: ℓ(f, y) = −Σ_k y_k log p_k."""

    soft_targets: ClassVar[bool] = True

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K)."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        if targets.is_floating_point():
            targets = targets.to(logits.dtype)
        return F.cross_entropy(logits, targets, reduction="none")
