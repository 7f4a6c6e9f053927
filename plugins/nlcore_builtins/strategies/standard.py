"""
Standard training.

    θ ← θ − η ∇_θ (1/B) Σ_i ℓ(f_θ(x_i), y_i)        over shuffled batches

A loss that judges several views of an image together (`Loss.views`) is given the logits of as many weak ones, which go
through the network as one batch; it remembers the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nlcore.contracts import Batch, Pass, StrategyContext


@dataclass
class Standard:
    """One network, one shuffled pass over all samples in each epoch."""

    capturable: ClassVar[bool] = True
    views_of_loss: ClassVar[bool] = True

    def setup(self, ctx: StrategyContext) -> None:
        """Make one network with its loss and optimiser."""
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)

    def passes(self, epoch: int) -> list[Pass]:
        """Return one shuffled pass over all samples, in as many views as the loss judges together."""
        return [Pass(views=getattr(self.loss, "views", 1))]

    def step(self, batch: Batch) -> Tensor:
        """Descend on the batch's mean loss."""
        logits = self.network(torch.cat(batch.views))
        self.loss.observe(logits[: len(batch.index)], batch.index)
        if len(batch.views) > 1:
            logits = logits.unflatten(0, (len(batch.views), -1)).transpose(0, 1)
        losses = self.loss(logits, batch.targets, batch.index)
        return self.ctx.minimise(self.optimizer, losses.mean())

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits
