"""
RRM, the Rockafellian relaxation method (Chen et al. 2026, arXiv:2405.20531, ICLR 2026): weights around any loss.

    min over θ and u of Σ_i (1/N + u_i) ℓ_i(θ) + (γ/2) ‖u‖₁        with Σ_i u_i = 0 and u_i ≥ −1/N

in turns: a few epochs of descent on θ with u fixed (u = 0 at first), then with the losses c_i of all N samples

    u*_i = −1/N where c_i > c_min + γ; the mass that this frees goes to the samples of smallest loss
    u ← μ u* + (1 − μ) u

Where the share C' of wrong labels is known or guessed, γ is the (1 − C')-quantile of the c_i minus c_min, with μ = 1.
C' defaults to the *declared* one, which nobody knows in practice: the run is then marked as an oracle; ``auto`` has it
estimated. Robust losses may lose: the paper reports that mean absolute error gets worse.

Deviation: the paper gives the freed mass to the samples whose loss is c_min, evenly. Unless losses tie, that is one
sample, with a weight of up to N times its share, and its next augmented view throws the network off. Here it goes to as
many of the smallest losses as samples were dropped (to all that stay, if these are fewer), evenly. That is the paper's
solution where these losses tie, and is nearly as good where they are nearly equal; weights then are at most 2/N
unless more than half of the samples are dropped. The losses are those of unaugmented images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from nlcore import UserError, parameter
from nlcore.contracts import Batch, StrategyContext
from nlcore_builtins.strategies.rates import resolve_rate


@dataclass
class RRM:
    """
    Any loss with a weight for each sample, which every few epochs moves from the largest losses to the smallest.

    Σ_i (1/N + u_i) ℓ_i, with u_i = −1/N where ℓ_i exceeds the smallest loss by more than γ. Chen et al. 2026.
    """

    capturable: ClassVar[bool] = True
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = (
        {"every": 1, "contamination": 0.3},
        {"every": 1, "gamma": 0.5, "mu": 0.5},
    )

    contamination: float | Literal["auto"] | None = parameter(
        None, "C', the share to drop; none: the declared noise rate, an oracle, unless γ is given", range="[0, 1)"
    )
    gamma: float | None = parameter(
        None, "γ, drop losses above the smallest by more; none: as C' says", range="(0, inf)"
    )
    mu: float = parameter(1.0, "μ, how far weights move towards the new ones", range="(0, 1]")
    every: int = parameter(5, "epochs between new weights", range="[1, inf)", epochs=True)

    def __post_init__(self) -> None:
        """
        Check that one of γ and C' says how much is dropped.

        Raises:
            UserError: both do.

        """
        if self.gamma is not None and self.contamination is not None:
            raise UserError(
                "strategy.gamma and strategy.contamination both say how much to drop; give one of them, "
                "for example --strategy.contamination 0.2."
            )

    def setup(self, ctx: StrategyContext) -> None:
        """
        Make one network with its loss and optimiser, and equal weights.

        Raises:
            UserError: neither γ nor C' is given, and the noise model declares no rate.

        """
        self.ctx = ctx
        self.share = resolve_rate(self.contamination, ctx, "contamination") if self.gamma is None else 0.0
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)
        self.weighing = False
        self.weights = torch.ones(ctx.num_samples, device=ctx.device)  # N (1/N + u)
        if ctx.epochs <= self.every:
            ctx.report(f"rrm: weights are first set after {self.every} epochs, so in {ctx.epochs} they stay equal")

    def begin_epoch(self, epoch: int) -> None:
        """Set new weights when it is time."""
        if epoch > 1 and (epoch - 1) % self.every == 0:
            self.weights.lerp_(self._best(self._losses()), self.mu)
            self.weighing = True

    def step(self, batch: Batch) -> Tensor:
        """Descend on the weighted losses' mean."""
        logits = self.network(batch.images)
        self.loss.observe(logits, batch.index)
        losses = self.loss(logits, batch.targets, batch.index)
        return self.ctx.minimise(self.optimizer, (self.weights[batch.index] * losses).mean())

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits

    def clean_probability(self) -> Tensor | None:
        """Return weights N (1/N + u), at most 1, (N,); None before they are first set."""
        return self.weights.clamp(max=1) if self.weighing else None

    def state_dict(self) -> dict[str, Any]:
        """Return the weights and whether they were set."""
        return {"weighing": self.weighing, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.weighing = state["weighing"]
        self.weights.copy_(state["weights"])

    @torch.no_grad()
    def _losses(self) -> Tensor:
        """Return the losses of all samples, (N,)."""
        everything = torch.arange(self.ctx.num_samples, device=self.ctx.device)
        losses: Tensor = self.loss(self.ctx.predict(self.network), self.ctx.given_labels, everything)
        return losses.float()

    def _best(self, losses: Tensor) -> Tensor:
        """Return N (1/N + u*) for all losses (N,)."""
        threshold = losses.quantile(1 - self.share) if self.gamma is None else losses.min() + self.gamma
        dropped = int((losses > threshold).sum())
        receiving = max(1, min(dropped, len(losses) - dropped))
        weights = (losses <= threshold).float()
        weights[losses.argsort(stable=True)[:receiving]] += dropped / receiving
        return weights
