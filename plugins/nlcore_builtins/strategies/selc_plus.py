"""
SELC+ (Lu & He 2022, arXiv:2205.01156): self-ensemble label correction, then a new network on the corrected labels.

    1   L = mean_i −Σ_k t_ik log p_ik                       t_i the given label, one-hot
    2   t_i ← α t_i + (1 − α) p_i in each step that trains i, then L as above
    3   a new network with labels ŷ_i = argmax_k t_ik, by mixup:
        x̃ = λ x_i + (1 − λ) x_j,   L = mean λ ℓ(f(x̃), ŷ_i) + (1 − λ) ℓ(f(x̃), ŷ_j),   λ ~ Beta(γ, γ), one for a batch

1 and 2 are the loss ``selc``: the network learns from the labels while it learns what is right in them, and from the
turning point on labels move towards averages of what it predicts.

Both networks have half of the run, and the turning point is a share of it, so that it suits a short run and a long one;
the authors train 200 epochs each and turn after 20 to 40 of them, where the losses of right and wrong labels are
furthest apart: before the learning rate falls. γ is α in the authors' code, which reads both from one option. The
prediction is that of the training step, on the augmented image. A loss that remembers predictions is shown f(x̃) as
that of the sample that weighs more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import Batch, StrategyContext
from nlcore.toolbox import beta, mix, mixup_pairs


@dataclass
class SELCPlus:
    """
    Corrects labels by averages of past predictions, then trains a new network on them with mixup.

    t_i ← α t_i + (1 − α) p_i in each step after the turning point, while the network learns from t; then a new one
    learns argmax t. Lu & He 2022; the defaults are the authors' for CIFAR-10.
    """

    capturable: ClassVar[bool] = True
    no_history: ClassVar[str] = "it replaces labels, and its second network sees mixtures of images"
    not_frozen: ClassVar[str] = "it draws the network's weights anew"
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = ({"turn": 0.3, "first": 0.65},)

    alpha: float = parameter(0.9, "α, how much of a label stays at each update", range="[0, 1]")
    gamma: float = parameter(0.9, "γ of mixup's Beta distribution", range="(0, inf)")
    turn: float = parameter(0.1, "the turning point, a share of the epochs", range="[0, 1]")
    first: float = parameter(0.5, "where the new network begins, a share of the epochs", range="[0, 1]")

    def __post_init__(self) -> None:
        """
        Check the parameters together.

        Raises:
            ValueError: the new network begins before labels are corrected.

        """
        if self.turn > self.first:
            raise ValueError(f"turn = {self.turn} must be at most first = {self.first}: labels are corrected before.")

    def setup(self, ctx: StrategyContext) -> None:
        """Make a network, a loss and an optimiser, the labels t, float32 (N, K), and tables for mixup."""
        self.ctx = ctx
        self.network = ctx.network()
        self.losses = [ctx.loss(self.network) for _ in range(2)]  # so that a memory of the first network ends with it
        self.optimizer = ctx.optimizer(self.network, self.losses[0])
        self.t = F.one_hot(ctx.given_labels, ctx.num_classes).float()
        self.phase = 1
        self.lam, self.order = torch.empty(0, device=ctx.device), torch.empty(0, device=ctx.device)
        if ctx.epochs <= self._last(self.turn):
            ctx.report("selc_plus: the run ends before labels are corrected")

    def begin_epoch(self, epoch: int) -> None:
        """Set the phase; with the new network draw λ and partners for every step."""
        before = self.phase
        self.phase = 1 if epoch <= self._last(self.turn) else 2 if epoch <= self._last(self.first) else 3
        if self.phase == 3:
            if before != 3:
                self.ctx.reset(self.network, round=1)
                self.optimizer = self.ctx.optimizer(self.network, self.losses[1])
            random = self.ctx.generator("selc_plus", epoch)
            steps, size = self.ctx.steps(), self.ctx.batch_size + 1  # a batch may take a last single sample in
            self.lam.resize_(steps).copy_(beta(self.gamma, steps, random))
            self.order.resize_(steps, size).copy_(torch.rand(steps, size, generator=random))

    def variant(self, epoch: int) -> int:
        """Return the phase, 1 to 3."""
        return self.phase

    def stage(self, epoch: int) -> tuple[int, int]:
        """Return the first and the last epoch of the network that an epoch trains."""
        last = self._last(self.first)
        return (1, last) if epoch <= last else (last + 1, self.ctx.epochs)

    def step(self, batch: Batch) -> Tensor:
        """Descend on the loss of the labels t, or on that of mixed images and corrected labels."""
        if self.phase == 3:
            return self._mixed_step(batch)
        logits = self.network(batch.images)
        self.losses[0].observe(logits, batch.index)
        if self.phase == 2:
            p = logits.detach().softmax(1).float()
            self.t[batch.index] = self.alpha * self.t[batch.index] + (1 - self.alpha) * p
        losses = self.losses[0](logits, self.t[batch.index], batch.index)
        return self.ctx.minimise(self.optimizer, losses.mean())

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits

    def clean_probability(self) -> Tensor | None:
        """Return t of the given label, (N,)."""
        if self.phase == 1:
            return None
        return self.t.gather(1, self.ctx.given_labels[:, None]).squeeze(1).clamp(0, 1)

    def suggested_labels(self) -> Tensor | None:
        """Return the largest t's label, int64 (N,)."""
        return self.t.argmax(1) if self.phase > 1 else None

    def refuses(self, loss: Any) -> str | None:
        """Return why a loss that takes labels only makes no sense."""
        if getattr(loss, "soft_targets", False):
            return None
        return (
            "labels become distributions while they are corrected, and this loss takes labels only; use cross_entropy."
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the labels and the phase."""
        return {"t": self.t, "phase": self.phase}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them, and make the new network's optimiser again."""
        self.t.copy_(state["t"])
        self.phase = state["phase"]
        if self.phase == 3:
            self.optimizer = self.ctx.optimizer(self.network, self.losses[1])

    def _mixed_step(self, batch: Batch) -> Tensor:
        lam, loss = batch.row(self.lam), self.losses[1]
        partner = mixup_pairs(batch.row(self.order), len(batch.index))
        labels, other = self.t[batch.index].argmax(1), batch.index[partner]
        logits = self.network(mix(batch.images, partner, lam))
        loss.observe(logits, torch.where(lam >= 0.5, batch.index, other))
        mixed = lam * loss(logits, labels, batch.index) + (1 - lam) * loss(logits, labels[partner], other)
        return self.ctx.minimise(self.optimizer, mixed.mean())

    def _last(self, share: float) -> int:
        """Return the last epoch before a share of the run; there is always one."""
        return max(1, int(share * self.ctx.epochs))
