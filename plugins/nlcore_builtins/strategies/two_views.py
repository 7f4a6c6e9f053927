"""
Two views: any loss on a weak one, consistency of a strong one, class balance; SOP+ (Liu et al. 2022, arXiv:2202.14026).

    L = mean_b ℓ(f(x_b^w), ỹ_b) + λ_C mean_b KL(sg p_b^w ‖ p_b^s) + λ_B KL(π ‖ mean_b p̃_b^w)
    p = softmax f,  π_c = 1 / K,  p̃ = the loss's corrected prediction where it has one, else p

With the loss sop this is the paper's SOP+: there p̃ = s, the prediction after what SOP has learned about the label (U
is added and V taken away), so balance trains u as well. sg stops gradients. A loss corrects predictions if it has
``corrected(logits, targets, index) -> (B, K)``: probabilities, each row summing to 1. A loss with a memory is shown the
weak view's predictions.

Both views go through the network as one batch of 2 B images, so batch normalisation sees them together, as in the
released code. Without consistency there is no strong view and nothing to pay for it: λ_C = λ_B = 0 is the strategy
standard. The defaults are the authors' for CIFAR-100. The released code's balance has −Σ_c π_c log mean_b p̃_bc, which
is larger by the constant log K, and holds the mean above 1e-4; here the mean is taken in logarithms, without a bound.
The authors' strong view is AutoAugment's policy for CIFAR-10 and cutout; which it is here, the run says (--strong).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import Batch, Pass, StrategyContext
from nlcore.toolbox import prior_penalty


@dataclass
class TwoViews:
    """
    Any loss on a weak view, consistency of a strong view with it, and class balance; with the loss sop, SOP+.

    Adds λ_C KL(sg p_weak ‖ p_strong) for each image and λ_B KL(uniform ‖ mean prediction) for a batch. Liu et al. 2022.
    """

    capturable: ClassVar[bool] = True

    lambda_c: float = parameter(0.9, "λ_C, the weight of consistency; 0: no strong view", range="[0, inf)")
    lambda_b: float = parameter(0.1, "λ_B, the weight of class balance", range="[0, inf)")

    @property
    def not_frozen(self) -> str:
        """Why it cannot do with features that are computed once."""
        return "it compares views of an image" if self.lambda_c > 0 else ""

    @property
    def asks_for_strong(self) -> bool:
        """Whether it asks for the strong view."""
        return self.lambda_c > 0

    def setup(self, ctx: StrategyContext) -> None:
        """Make one network with its loss and optimiser."""
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)
        self.corrected = getattr(self.loss, "corrected", None)

    def passes(self, epoch: int) -> list[Pass]:
        """Return one pass with a weak view and, for consistency, a strong one."""
        return [Pass(views=("weak", "strong") if self.lambda_c > 0 else ("weak",))]

    def step(self, batch: Batch) -> Tensor:
        """Descend on the weak view's mean loss, the views' disagreement, and the imbalance of predictions."""
        logits = self.network(torch.cat(batch.views))
        weak, strong = logits[: len(batch.index)], logits[len(batch.index) :]
        self.loss.observe(weak, batch.index)
        objective = self.loss(weak, batch.targets, batch.index).mean()
        if self.lambda_c > 0:
            p, log_q = weak.detach().softmax(1), strong.log_softmax(1)
            objective = objective + self.lambda_c * F.kl_div(log_q, p, reduction="batchmean")
        if self.lambda_b > 0:  # the penalty takes the softmax of what it is given: that of log p̃ is p̃
            log_p = self.corrected(weak, batch.targets, batch.index).log() if self.corrected else weak
            objective = objective + self.lambda_b * prior_penalty(log_p)
        return self.ctx.minimise(self.optimizer, objective)

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits
