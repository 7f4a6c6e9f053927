"""
Logit-adjusted cross-entropy (Menon et al. 2021, arXiv:2007.07314, eq. 10).

    ℓ(f, y) = −log [exp(f_y + τ log π_y) / Σ_k exp(f_k + τ log π_k)]        π_k: class k's share of the given labels

What a class's share says for it is added while training, so that the network need not learn it: its own prediction,
argmax_k f_k, is then the one that minimises the balanced error, the mean of the classes' error rates. τ = 1 follows
from that, and τ = 0 is cross-entropy. A distribution over labels gets the mean of their losses.

Given labels may be wrong, and large classes then lend images to small ones, so that π is flatter than the true shares.
With balanced sampling (``--sampling balanced``) there is nothing to adjust: take one of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nlcore import parameter
from nlcore.contracts import LossContext
from nlcore_builtins.losses.terms import cross_entropy, distributions, log_probabilities


@dataclass
class LogitAdjusted:
    """
    Cross-entropy for classes of different sizes: their shares are added to the logits while training.

    ℓ(f, y) = −log [exp(f_y + τ log π_y) / Σ_k exp(f_k + τ log π_k)], π_k being class k's share of the given labels.
    Menon et al. 2021, eq. 10. A class without an image counts as one with one.
    """

    soft_targets: ClassVar[bool] = True
    capturable: ClassVar[bool] = True

    tau: float = parameter(1.0, "τ; 0 gives cross-entropy, 1 the smallest balanced error", range="[0, inf)")

    def setup(self, ctx: LossContext) -> None:
        """Count the given labels: τ log π, float64 (K,)."""
        counts = torch.bincount(ctx.given_labels.cpu(), minlength=ctx.num_classes).clamp(min=1).double()
        self.adjustment = (self.tau * (counts / counts.sum()).log()).to(ctx.device)

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """
        Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K).

        Raises:
            RuntimeError: nothing has been counted yet.

        """
        if not hasattr(self, "adjustment"):
            raise RuntimeError("Logit adjustment needs the classes' shares: call setup(ctx) first.")
        log_p = log_probabilities(logits)  # for f: to logits of 10,000 a share could not be added in float32
        adjusted = log_probabilities(log_p + self.adjustment.to(log_p.dtype))
        return cross_entropy(adjusted, distributions(targets, adjusted))
