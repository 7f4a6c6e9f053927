"""
Self-ensemble label correction (Lu & He 2022, arXiv:2205.01156).

    ℓ(f_i, t_i) = −Σ_k t_ik log p_ik                          p_i = softmax(f_i)
    t_i ← α t_i + (1 − α) p_i                                 from the turning point on; y_i as one-hot before

The network learns from the labels while it learns what is right in them; from then on each sample's target moves from
its given label to an average of what was predicted for it. With n updates the given label still weighs αⁿ. That weight
and the rest of the target are kept apart, so that the loss can be asked about any label, as mixup does.

The turning point is a share of the run here, so that it suits a short run and a long one; the authors estimate it from
how the samples' losses are distributed. An update takes the prediction of the training step, on the augmented image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import LossContext
from nlcore_builtins.losses.terms import log_probabilities, of_label


@dataclass
class SELC:
    """
    Self-ensemble label correction: labels give way to averages of past predictions.

    ℓ(f_i, t_i) = −Σ_k t_ik log p_ik, with t_i = y_i at first and t_i ← α t_i + (1 − α) p_i once an epoch after the
    turning point. Lu & He 2022; α is the authors'. Under mixup the sample that weighs more is remembered; with two
    networks each has its own targets.
    """

    capturable: ClassVar[bool] = True

    alpha: float = parameter(0.9, "α, how much of the target stays at each update", range="[0, 1]")
    start: float = parameter(0.5, "the turning point, a share of the epochs", range="[0, 1]")

    def setup(self, ctx: LossContext) -> None:
        """Make the targets: the weight of the given label, float32 (N,), and the rest, float32 (N, K)."""
        self.weight = torch.ones(ctx.num_samples, device=ctx.device)
        self.rest = torch.zeros(ctx.num_samples, ctx.num_classes, device=ctx.device)
        self.rate = torch.zeros((), device=ctx.device)

    def begin_epoch(self, epoch: int, epochs: int, predict: Any) -> None:
        """Begin to correct after the turning point."""
        self.rate.fill_(1 - self.alpha if epoch > self.start * epochs else 0.0)

    def observe(self, logits: Tensor, index: Tensor) -> None:
        """Move the targets of the samples at `index` towards these predictions."""
        p = F.softmax(logits.to(self.rest.dtype), dim=1)
        self.weight[index] = (1 - self.rate) * self.weight[index]
        self.rest[index] = torch.lerp(self.rest[index], p, self.rate)

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """
        Return the losses (B,) for logits (B, K), targets int64 (B,) and positions int64 (B,).

        Raises:
            RuntimeError: there are no targets yet, or no index to look them up with.

        """
        if index is None or not hasattr(self, "rest"):
            raise RuntimeError("SELC keeps a target for each sample: call setup(ctx) first and give index.")
        log_p = log_probabilities(logits)
        given = of_label(log_p, targets)
        return -self.weight[index].to(log_p.dtype) * given - (self.rest[index].to(log_p.dtype) * log_p).sum(1)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the targets."""
        return {"weight": self.weight, "rest": self.rest}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the targets."""
        self.weight.copy_(state["weight"])
        self.rest.copy_(state["rest"])
