"""
Stochastic gradient descent with momentum, as torch has it.

    v ← μ v + g + w θ        θ ← θ − η v        with Nesterov's momentum: θ ← θ − η (g + w θ + μ v)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from nlcore import parameter


class FusedSGD(torch.optim.SGD):
    """
    Torch's SGD, which takes weights that get their first gradient later than others of their group.

    Its fused step expects a momentum of either all weights or none, as a head that is idle in a warm-up would have it.
    """

    def step(self, closure: Any = None) -> Any:
        """Do a step; a weight without momentum starts from 0, which is what its first step would be anyway."""
        for group in self.param_groups:
            with_gradient = [p for p in group["params"] if p.grad is not None] if group["momentum"] else []
            new = [p for p in with_gradient if self.state[p].get("momentum_buffer") is None]
            if len(new) < len(with_gradient):
                for p in new:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        return super().step(closure)


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
        return FusedSGD(
            groups,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
            fused=True,
        )
