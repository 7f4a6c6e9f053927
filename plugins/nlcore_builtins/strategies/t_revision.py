"""
T-Revision (Xia et al. 2019, arXiv:1906.00189): importance reweighting with a transition matrix that is revised.

    1   L = mean_i ℓ(f_i, ỹ_i) for E_0 epochs; then T̂_i· = p(x^i), x^i an anchor point of class i
    2   L = mean_i β_i ℓ(f_i, ỹ_i)        β_i = p_ỹ / Σ_k p_k T_kỹ, a constant;  T = T̂
    3   the same with T = max(T̂ + ΔT, 0), ΔT (K, K) from 0 on learned with the network; β is constant but for its T

T_kj = P(given = j | true = k), and the network predicts the true class. Where no image belongs to a class beyond
doubt, T̂ is wrong; ΔT makes up for it. T is not scaled to rows of sum 1, and L falls as T grows: the small rate of the
third stage, of Adam, keeps it near T̂.

Deviations. The authors take the epoch of each stage that is best on noisy validation data, and go on from it; here the
last one. Their stages take 20, 200 and 200 epochs; here the second and the third share what E_0 leaves of the run. In
the third, the newer version of their code cuts the gradient of T, so that ΔT stays 0; in older ones β is no constant in
p either, and in the first a batch's image b sees b ΔT. All divide columns, not rows, of T̂ by their sums; posteriors
need no division. T is cut off below 1e-8, so that β stays finite. ℓ is the run's loss, as β makes up for the labels
with any; cross-entropy there.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nlcore import parameter
from nlcore.contracts import Batch, StrategyContext
from nlcore_builtins.transition import at_anchors

_SMALLEST = 1e-8  # of T's entries


class Transition(nn.Module):
    """The transition matrix: an estimate, and a revision that is learned."""

    estimate: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("estimate", torch.eye(num_classes))
        self.revision = nn.Parameter(torch.zeros(num_classes, num_classes))

    def forward(self) -> Tensor:
        """Return T = max(T̂ + ΔT, 1e-8), (K, K)."""
        return (self.estimate + self.revision).clamp(min=_SMALLEST)


@dataclass
class TRevision:
    """
    Weights samples by an estimated transition matrix, then learns a revision of it with the network.

    L = mean β ℓ(f, ỹ) with β = p_ỹ / Σ_k p_k T_kỹ: T from anchor points after ``warm_up`` epochs, then T plus a learned
    ΔT. Xia et al. 2019; the defaults are the authors' for CIFAR-10.
    """

    capturable: ClassVar[bool] = True
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = ({"warm_up": 1},)

    warm_up: int = parameter(20, "E_0, epochs before T is estimated", range="[1, inf)", epochs=True)
    percentile: float = parameter(
        97.0, "where a class's anchor point stands among all images; 100: the most likely one", range="[0, 100]"
    )
    revision: float = parameter(0.5, "the share of the later epochs in which T is revised", range="[0, 1]")
    lr_revision: float = parameter(5e-7, "learning rate of Adam in that time", range="(0, inf)")

    def setup(self, ctx: StrategyContext) -> None:
        """Make a network with its loss and optimiser, and T, the identity at first."""
        self.ctx = ctx
        self.network = ctx.network()
        self.transition: Any = ctx.module(Transition(ctx.num_classes))
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)
        self.right = torch.zeros(ctx.num_samples, device=ctx.device)
        self.phase = 1
        if ctx.epochs <= self.warm_up:
            ctx.report(
                "t_revision: the run ends within its warm-up (--strategy.warm_up); no transition matrix is estimated"
            )

    def begin_epoch(self, epoch: int) -> None:
        """Estimate T, or begin to revise it, when it is time."""
        before = self.phase
        self.phase = sum(epoch > last for last in (0, self.warm_up, self._last_of_second()))
        if before == 1 and self.phase > 1:
            estimate = torch.from_numpy(at_anchors(self.ctx.predict(self.network), self.percentile))
            self.transition.estimate.copy_(estimate)
        if before != 3 and self.phase == 3:
            self._begin_revision()

    def variant(self, epoch: int) -> int:
        """Return the stage, 1 to 3."""
        return self.phase

    def stage(self, epoch: int) -> tuple[int, int]:
        """Return the first and the last epoch of the stage that an epoch belongs to."""
        ends = (0, min(self.warm_up, self.ctx.epochs), self._last_of_second(), self.ctx.epochs)
        return next((first + 1, last) for first, last in itertools.pairwise(ends) if epoch <= last)

    def step(self, batch: Batch) -> Tensor:
        """Descend on the mean loss, weighted with β after the first stage."""
        logits = self.network(batch.images)
        self.loss.observe(logits, batch.index)
        losses = self.loss(logits, batch.targets, batch.index)
        if self.phase > 1:
            losses = self._weights(logits.detach(), batch) * losses
        return self.ctx.minimise(self.optimizer, losses.mean())

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits

    def clean_probability(self) -> Tensor | None:
        """Return P(true = ỹ | x, given = ỹ) = β T_ỹỹ as of a sample's last step, (N,)."""
        return self.right if self.phase > 1 else None

    def refuses(self, loss: Any) -> str | None:
        """Return why a loss with a transition matrix of its own makes no sense."""
        if hasattr(loss, "transition"):
            return "this loss has a transition matrix of its own: labels would be corrected twice; use cross_entropy."
        return None

    def state_dict(self) -> dict[str, Any]:
        """Return the stage and how likely each label is right."""
        return {"phase": self.phase, "right": self.right}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them, and make the third stage's optimiser again."""
        self.right.copy_(state["right"])
        self.phase = state["phase"]
        if self.phase == 3:
            self._begin_revision()

    def _weights(self, logits: Tensor, batch: Batch) -> Tensor:
        """Return β (B,), in the third stage with a gradient for ΔT."""
        log_p = logits.float().log_softmax(1)
        log_T: Tensor = self.transition().float().log()
        if self.phase == 2:
            log_T = log_T.detach()
        log_p_y = log_p.gather(1, batch.targets[:, None]).squeeze(1)
        weights: Tensor = (log_p_y - (log_p + log_T.T[batch.targets]).logsumexp(1)).exp()
        own = log_T.detach().diagonal().exp()[batch.targets]
        self.right[batch.index] = (weights.detach() * own).clamp(max=1)
        return weights

    def _last_of_second(self) -> int:
        later = max(self.ctx.epochs - self.warm_up, 0)
        return self.ctx.epochs - int(self.revision * later)

    def _begin_revision(self) -> None:
        parts, rate = [self.network, self.transition], self.lr_revision
        self.optimizer = self.ctx.optimizer(parts, self.loss, kind="adam", lr=rate, scheduled=False)
