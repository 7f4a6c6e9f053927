"""
Standard training.

    θ ← θ − η ∇_θ (1/B) Σ_i ℓ(f_θ(x_i), y_i)        over shuffled batches
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from nlcore.contracts import Batch, StrategyContext


@dataclass
class Standard:
    """One network, one shuffled pass over all samples in each epoch."""

    capturable: ClassVar[bool] = True

    def setup(self, ctx: StrategyContext) -> None:
        """Make one network with its loss and optimiser."""
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)

    def step(self, batch: Batch) -> Tensor:
        """Descend on the batch's mean loss."""
        logits = self.network(batch.images)
        self.loss.observe(logits, batch.index)
        losses = self.loss(logits, batch.targets, batch.index)
        return self.ctx.minimise(self.optimizer, losses.mean())

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits
