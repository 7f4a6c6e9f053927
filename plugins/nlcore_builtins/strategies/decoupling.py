"""
Decoupling "when to update" from "how to update" (Malach & Shalev-Shwartz 2017, arXiv:1706.02613, algorithm 1).

    S = {i in the batch : argmax f₁(x_i) ≠ argmax f₂(x_i)}
    both networks descend on their mean loss over S; where S is empty, on nothing

In the first epochs both descend on all samples, each from initial weights of its own. What they agree on later teaches
nothing, whether its label is right or wrong, so that training slows down as the networks converge. The method does not
say which labels are wrong, and wrong ones are no rarer in S than elsewhere: at high noise rates it helps little.

Deviations from the authors' code, which is for two classes: it divides the sum over S by the larger of |S| and a tenth
of the batch, and weights both classes alike; here it is the mean over S. A version that others released trains on the
whole batch where S is empty. Here the gradient is zero then, though momentum and weight decay go on. Predictions are
the first network's. Any loss will do; one with a memory has one for each network, of that network's predictions for all
samples of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from nlcore import parameter
from nlcore.contracts import Batch, StrategyContext


@dataclass
class Decoupling:
    """
    Two networks that learn only from samples on which they disagree.

    After a warm-up on all samples, each descends on its mean loss over the samples of a batch for which the two predict
    different classes. Malach & Shalev-Shwartz 2017, algorithm 1. The first network predicts.
    """

    capturable: ClassVar[bool] = True
    checked_with: ClassVar[tuple[Mapping[str, Any], ...]] = ({"warm_up": 1},)

    warm_up: int = parameter(5, "epochs in which both networks learn from all samples", range="[0, inf)", epochs=True)

    def setup(self, ctx: StrategyContext) -> None:
        """Make two networks, each with its loss and optimiser."""
        self.ctx = ctx
        self.networks = [ctx.network() for _ in range(2)]
        self.losses = [ctx.loss(network) for network in self.networks]
        self.optimizers = [ctx.optimizer(*pair) for pair in zip(self.networks, self.losses, strict=True)]
        if self.warm_up >= ctx.epochs:
            ctx.report("decoupling: the run ends within its warm-up (--strategy.warm_up); it learns from all samples")

    def begin_epoch(self, epoch: int) -> None:
        """Set the phase."""
        self.disagreeing = epoch > self.warm_up

    def variant(self, epoch: int) -> bool:
        """Return whether only disagreement counts."""
        return self.disagreeing

    def step(self, batch: Batch) -> Tensor:
        """Let each network descend on the samples on which they disagree."""
        logits, losses = [], []
        for network, loss in zip(self.networks, self.losses, strict=True):
            logits.append(network(batch.images))
            loss.observe(logits[-1], batch.index)
            losses.append(loss(logits[-1], batch.targets, batch.index))
        among = torch.ones_like(losses[0].detach())
        if self.disagreeing:
            among = (logits[0].argmax(1) != logits[1].argmax(1)).float()
        count = among.sum().clamp(min=1)
        means = [
            self.ctx.minimise(optimizer, (among * loss).sum() / count)
            for optimizer, loss in zip(self.optimizers, losses, strict=True)
        ]
        return (means[0] + means[1]) / 2

    def predict(self, images: Tensor) -> Tensor:
        """Return the first network's logits (B, K)."""
        logits: Tensor = self.networks[0](images)
        return logits
