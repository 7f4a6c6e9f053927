"""
Early-learning regularisation (Liu et al. 2020, arXiv:2007.00151, eq. 6 and 9).

    ℓ(f_i, y_i) = −log p_{y_i} + λ log(1 − ⟨p_i, t_i⟩)        p_i = softmax(f_i)
    t_i ← β t_i + (1 − β) p_i                                 a memory for each sample, 0 at first

The memory is updated in `observe`, which a strategy calls once a step with a network's predictions, before the loss. So
calling the loss is free of effects and co-teaching may evaluate it to select. Under mixup the sample that weighs more
in the mixed image is observed; with two networks each has its own memory. As in the authors' code, p is kept within
[1e-4, 1 − 1e-4] in the regulariser and scaled to sum 1 in the memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import LossContext

_EPSILON = 1e-4


@dataclass
class ELR:
    """
    Early-learning regularisation: holds on to past predictions of each sample.

    ℓ(f_i, y_i) = −log p_{y_i} + λ log(1 − ⟨p_i, t_i⟩), with t_i ← β t_i + (1 − β) p_i remembered for each training
    sample. Liu et al. 2020, eq. 6 and 9; the defaults are the authors' for CIFAR-10 with symmetric noise. Under mixup
    the sample that weighs more is remembered; with two networks each has its own memory.
    """

    soft_targets: ClassVar[bool] = True
    capturable: ClassVar[bool] = True

    beta: float = parameter(0.7, "how much of the memory stays at each step", range="[0, 1]")
    lam: float = parameter(3.0, "λ, the weight of the regulariser", range="[0, inf)")

    def setup(self, ctx: LossContext) -> None:
        """Make the memory t, float32 (N, K)."""
        self.t = torch.zeros(ctx.num_samples, ctx.num_classes, device=ctx.device)

    def observe(self, logits: Tensor, index: Tensor) -> None:
        """Take the predictions for the samples at `index` into the memory."""
        p = _clamped(logits).to(self.t.dtype)
        p = p / p.sum(1, keepdim=True)
        self.t[index] = self.beta * self.t[index] + (1 - self.beta) * p

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """
        Return the losses (B,) for logits (B, K), targets int64 (B,) or float (B, K) and positions int64 (B,).

        Raises:
            RuntimeError: there is no memory yet, or no index to look it up with.

        """
        if index is None or not hasattr(self, "t"):
            raise RuntimeError("ELR keeps a memory for each sample: call setup(ctx) first and give index.")
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        p = _clamped(logits)
        regulariser = torch.log(1 - (p * self.t[index].to(p.dtype)).sum(1))
        targets = targets.to(logits.dtype) if targets.is_floating_point() else targets
        return F.cross_entropy(logits, targets, reduction="none") + self.lam * regulariser

    def state_dict(self) -> dict[str, Tensor]:
        """Return the memory."""
        return {"t": self.t}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the memory."""
        self.t.copy_(state["t"])


def _clamped(logits: Tensor) -> Tensor:
    p = F.softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)
    return p.clamp(_EPSILON, 1 - _EPSILON)
