"""
Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1).

    m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²        θ ← θ − η m̂ / (√v̂ + ε)

with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) after t steps, as torch has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from nlcore import parameter


@dataclass
class Adam:
    """
    Steps scaled by running means of gradients and of their squares.

    θ ← θ − η m̂ / (√v̂ + ε) with running means m of the gradients and v of their squares. Kingma & Ba
    2015, algorithm 1; the defaults are theirs.
    """

    lr: float = parameter(1e-3, "η, the learning rate", range="(0, inf)")
    weight_decay: float = parameter(0.0, "added to the gradients, as w θ", range="[0, inf)")
    beta1: float = parameter(0.9, "β₁ of the running mean of gradients", range="[0, 1)")
    beta2: float = parameter(0.999, "β₂ of the running mean of their squares", range="[0, 1)")
    eps: float = parameter(1e-8, "ε, which keeps the denominator above 0", range="(0, inf)")

    def make(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Return torch's Adam over these groups."""
        betas = (self.beta1, self.beta2)
        return torch.optim.Adam(
            groups, lr=self.lr, betas=betas, eps=self.eps, weight_decay=self.weight_decay, fused=True
        )
