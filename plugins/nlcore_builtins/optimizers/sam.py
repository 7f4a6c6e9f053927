"""
Sharpness-aware minimisation (Foret et al. 2021, arXiv:2010.01412, algorithm 1 with p = 2).

    ε = ρ g(θ) / ‖g(θ)‖        θ ← θ − η step(g(θ + ε))

g is the gradient of the batch's loss, ‖·‖ its norm over all parameters, and `step` another optimiser's. Each step
computes two gradients, so that it costs twice as much. In the second half, memories of past predictions and running
statistics of batch normalisation stay as the first half left them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from nlcore import parameter
from nlcore_builtins.optimizers.adam import Adam
from nlcore_builtins.optimizers.adamw import AdamW
from nlcore_builtins.optimizers.sgd import SGD

BASES = {"sgd": SGD, "adam": Adam, "adamw": AdamW}


@dataclass
class SAM:
    """
    Sharpness-aware minimisation: the gradient where the loss is worst within ρ, for another optimiser's step.

    ε = ρ g / ‖g‖ and θ ← θ − η step(g(θ + ε)). Each step costs two. Foret et al. 2021, algorithm 1; ρ = 0.05 for
    CIFAR-10, 0.1 for CIFAR-100.
    """

    lr: float = parameter(0.1, "η, the learning rate of the base", range="(0, inf)")
    rho: float = parameter(0.05, "ρ, how far to look", range="(0, inf)")
    base: Literal["sgd", "adam", "adamw"] = parameter("sgd", "the optimiser that takes the steps")
    weight_decay: float = parameter(5e-4, "weight decay of the base", range="[0, inf)")

    def make(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Return an optimiser over these groups, with ``ascend()``."""
        made = BASES[self.base](lr=self.lr, weight_decay=self.weight_decay).make(groups)
        return sharpness_aware(made, self.rho)


def sharpness_aware(optimizer: torch.optim.Optimizer, rho: float) -> torch.optim.Optimizer:
    """Give a torch optimiser ``ascend()``, which moves its parameters by ε; its next step moves them back first."""
    moved: list[tuple[Tensor, Tensor]] = []

    @torch.no_grad()
    def ascend() -> None:
        held = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(p.grad) for p in held]))
        for p in held:
            shift = p.grad * (rho / (norm + 1e-12))
            p.add_(shift)
            moved.append((p, shift))

    @torch.no_grad()
    def back(*_: Any) -> None:
        for p, shift in moved:
            p.sub_(shift)
        moved.clear()

    optimizer.ascend = ascend  # type: ignore[attr-defined]
    optimizer.register_step_pre_hook(back)
    return optimizer
