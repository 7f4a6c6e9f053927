"""
Mixup (Zhang et al. 2018, arXiv:1710.09412, eq. 1 and section 2), on inputs and losses.

    x̃ = λ x_i + (1 − λ) x_j        λ ~ Beta(α, α), one for each batch; j a random permutation of the batch
    ℓ̃ = λ ℓ(f(x̃), y_i) + (1 − λ) ℓ(f(x̃), y_j)

Mixing losses instead of labels is the same for cross-entropy and needs no soft targets, so any loss will do. A loss
that remembers predictions is shown f(x̃) as the prediction for the sample that weighs more: i for λ ≥ 1/2, else j.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from nlcore import parameter
from nlcore.contracts import Batch, StrategyContext


@dataclass
class Mixup:
    """
    Trains on convex combinations of pairs of images and of their losses.

    x̃ = λ x_i + (1 − λ) x_j and ℓ̃ = λ ℓ(f(x̃), y_i) + (1 − λ) ℓ(f(x̃), y_j), with λ ~ Beta(α, α) for each batch. Zhang
    et al. 2018.
    """

    capturable: ClassVar[bool] = True
    no_history: ClassVar[str] = "its network sees mixtures of images"

    alpha: float = parameter(0.2, "α of the Beta distribution; small values mix little", range="(0, inf)")

    def setup(self, ctx: StrategyContext) -> None:
        """Make one network with its loss and optimiser, and tables for what an epoch draws for its steps."""
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)
        self.lam, self.order = torch.empty(0, device=ctx.device), torch.empty(0, device=ctx.device)

    def begin_epoch(self, epoch: int) -> None:
        """Draw λ and the order of partners for every step."""
        random = self.ctx.generator("mixup", epoch)
        steps, size = self.ctx.steps(), self.ctx.batch_size + 1  # a batch may take a last single sample in
        lam = np.random.default_rng(random.initial_seed()).beta(self.alpha, self.alpha, steps)
        self.lam.resize_(steps).copy_(torch.from_numpy(lam))
        self.order.resize_(steps, size).copy_(torch.rand(steps, size, generator=random))

    def step(self, batch: Batch) -> Tensor:
        """Descend on the mixed batch's mean loss."""
        lam = batch.row(self.lam)
        partner = batch.row(self.order)[: len(batch.index)].argsort()
        images = lam * batch.images + (1 - lam) * batch.images[partner]
        logits = self.network(images)
        self.loss.observe(logits, torch.where(lam >= 0.5, batch.index, batch.index[partner]))
        own = self.loss(logits, batch.targets, batch.index)
        other = self.loss(logits, batch.targets[partner], batch.index[partner])
        return self.ctx.minimise(self.optimizer, (lam * own + (1 - lam) * other).mean())

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits
