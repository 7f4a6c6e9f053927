"""
Stochastic gradient descent with momentum, as torch has it.

    v ← μ v + g + w θ        θ ← θ − η v        with Nesterov's momentum: θ ← θ − η (g + w θ + μ v)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from nlcore import parameter


@dataclass
class SGD:
    """
    Stochastic gradient descent with momentum.

    v ← μ v + g + w θ and θ ← θ − η v; with ``nesterov``, θ ← θ − η (g + w θ + μ v).
    """

    lr: float = parameter(0.1, "η, the learning rate; for one_cycle its peak", range="(0, inf)")
    momentum: float = parameter(0.9, "μ, the momentum", range="[0, 1)")
    weight_decay: float = parameter(5e-4, "w, the weight decay", range="[0, inf)")
    nesterov: bool = parameter(False, "whether the momentum is Nesterov's")

    def __post_init__(self) -> None:
        """
        Check the parameters together.

        Raises:
            ValueError: Nesterov's momentum without any momentum.

        """
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov = true needs a momentum above 0.")

    def make(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Return torch's SGD over these groups."""
        return torch.optim.SGD(
            groups,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
            fused=True,
        )
