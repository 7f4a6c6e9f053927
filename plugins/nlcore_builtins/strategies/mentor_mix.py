"""
MentorMix (Jiang, Huang, Liu, Yang 2020, arXiv:1911.09781, algorithm 1), with the threshold form of MentorNet.

For a batch of B samples with losses ℓ_b, of a forward pass without gradients:

    γ ← ρ γ + (1 − ρ) q        q the γ_p-quantile of the ℓ_b
    v_b = 1 if ℓ_b ≤ γ, else 0                                        weight
    j ~ Categorical(softmax(v)), for each b                           sample
    λ' ~ Beta(α, α), for each b;  λ = max(λ', 1 − λ') if v_b = 1, else min(λ', 1 − λ')
    x̃ = λ x_b + (1 − λ) x_j                                           mix
    ℓ̃_b = λ ℓ(f(x̃), ỹ_b) + (1 − λ) ℓ(f(x̃), ỹ_j)
    L = mean_b ℓ̃_b, or with a second weighting mean_b ṽ_b ℓ̃_b         ṽ from the ℓ̃_b, with a γ of its own

so that of a doubtful sample little is left, next to a partner that is likely to be a good one. During the burn-in,
v_b ~ Bernoulli(1/2), and there is no second weighting.

γ_p has to follow the share of right labels. The authors' settings for CIFAR-10 (α, γ_p, second) at symmetric noise of
20, 40, 60 and 80 %: (2, 0.8, no), (8, 0.6, no), (8, 0.6, yes), (4, 0.2, yes).

Deviations. The authors' code asks a trained MentorNet for v, of which the threshold is the form that needs none, as
their description says; there γ starts at 0, here at the first quantile. It takes v = 1 for all in the burn-in, of a
tenth of the steps. Losses are mixed instead of labels, which is the same for cross-entropy and lets any loss be used;
one that remembers predictions is shown those of the first forward pass, of images that are not mixed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from nlcore import parameter
from nlcore.contracts import Batch, StrategyContext
from nlcore.toolbox import beta
from nlcore_builtins.strategies.rates import resolve_right


@dataclass
class MentorMix:
    """
    Mixes each sample with one that likely has a small loss, and lets the one of small loss weigh more.

    v = 1{ℓ ≤ γ}, partners from softmax(v), λ ≥ 1/2 where v = 1 and ≤ 1/2 elsewhere; γ averages the γ_p-quantile of the
    losses. Jiang, Huang, Liu, Yang 2020, algorithm 1.
    """

    capturable: ClassVar[bool] = True
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = ({"burn_in": 1}, {"burn_in": 1, "second": True})

    alpha: float = parameter(8.0, "α of the Beta distribution", range="(0, inf)")
    gamma_p: float | Literal["auto"] = parameter(
        0.7, "γ_p, the share of losses below γ: that of right labels; auto: as estimated", range="[0, 1]"
    )
    decay: float = parameter(0.5, "ρ, how much of the last threshold stays at each step", range="[0, 1)")
    second: bool = parameter(False, "whether mixed losses are weighted again, for much noise")
    burn_in: int | None = parameter(
        None, "epochs of random weights; none: a fifth of the run", range="[0, inf)", epochs=True
    )

    def setup(self, ctx: StrategyContext) -> None:
        """Make one network with its loss and optimiser, thresholds, and tables for what an epoch draws."""
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)
        self.share = resolve_right(self.gamma_p, ctx, "gamma_p")
        self.before = ctx.epochs // 5 if self.burn_in is None else self.burn_in
        self.burning = True
        self.gamma = torch.full((2,), torch.inf, device=ctx.device)  # of losses and of mixed ones; inf: none yet
        self.v = torch.ones(ctx.num_samples, device=ctx.device)
        self.lam, self.pick, self.coin = (torch.empty(0, device=ctx.device) for _ in range(3))
        if ctx.epochs <= self.before:
            ctx.report("mentor_mix: the run ends within its burn-in (--strategy.burn_in); weights stay random")

    def begin_epoch(self, epoch: int) -> None:
        """Draw for every sample of every step λ ≥ 1/2, where to pick the partner, and the weight in the burn-in."""
        self.burning = epoch <= self.before
        random = self.ctx.generator("mentor_mix", epoch)
        shape = self.ctx.steps(), self.ctx.batch_size + 1  # a batch may take a last single sample in
        lam = beta(self.alpha, math.prod(shape), random).view(shape)
        self.lam.resize_(shape).copy_(lam.maximum(1 - lam))
        self.pick.resize_(shape).copy_(torch.rand(shape, generator=random))
        self.coin.resize_(shape).copy_(torch.rand(shape, generator=random) < 0.5)

    def variant(self, epoch: int) -> bool:
        """Return the phase: whether weights are random."""
        return self.burning

    def step(self, batch: Batch) -> Tensor:
        """Weigh, sample, mix, weigh again if so wished, and descend on the mean."""
        size = len(batch.index)
        if self.ctx.half != 2:  # of a step that is taken twice, the second half has the first one's weights
            with torch.no_grad():
                logits = self.network(batch.images)
                self.loss.observe(logits, batch.index)
                v = self._below(0, self.loss(logits, batch.targets, batch.index))
            self.v[batch.index] = batch.row(self.coin)[:size] if self.burning else v
        v = self.v[batch.index]
        j = sample_partners(v, batch.row(self.pick)[:size])
        lam = batch.row(self.lam)[:size]
        lam = torch.where(v > 0, lam, 1 - lam)
        of_images = lam.view(-1, 1, 1, 1)
        logits = self.network(of_images * batch.images + (1 - of_images) * batch.images[j])
        own = self.loss(logits, batch.targets, batch.index)
        mixed = lam * own + (1 - lam) * self.loss(logits, batch.targets[j], batch.index[j])
        if self.second and not self.burning:
            mixed = self._below(1, mixed.detach()) * mixed
        return self.ctx.minimise(self.optimizer, mixed.mean())

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits

    def clean_probability(self) -> Tensor | None:
        """Return the last v of each sample, 0 or 1, (N,); None during the burn-in."""
        return None if self.burning else self.v

    def state_dict(self) -> dict[str, Any]:
        """Return the phase, the thresholds and the last weights."""
        return {"burning": self.burning, "gamma": self.gamma, "v": self.v}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.burning = state["burning"]
        self.gamma.copy_(state["gamma"])
        self.v.copy_(state["v"])

    def _below(self, which: int, losses: Tensor) -> Tensor:
        """Move a threshold by these losses (B,) and return which do not exceed it, 0 or 1, (B,)."""
        gamma, quantile = self.gamma[which], quantile_of(losses, self.share)
        if self.ctx.half != 2:
            gamma.copy_(torch.where(gamma.isinf(), quantile, self.decay * gamma + (1 - self.decay) * quantile))
        return (losses <= gamma).float()


def quantile_of(losses: Tensor, share: float) -> Tensor:
    """Return a quantile of losses (B,) as torch.quantile does, a scalar, by operations that can all be captured."""
    position = share * (len(losses) - 1)
    low = int(position)
    ordered = losses.sort().values
    return torch.lerp(ordered[low], ordered[min(low + 1, len(losses) - 1)], position - low)


def sample_partners(v: Tensor, uniform: Tensor) -> Tensor:
    """
    Return independent draws of positions from softmax(v), int64 (M,).

    Args:
        v: 0 and 1, float (B,).
        uniform: numbers in [0, 1), float (M,).

    """
    size = len(v)
    # Σ_{i ≤ j} exp(v_i); only whole numbers are summed up, as a GPU adds floats in an order of its own
    sums = torch.arange(1, size + 1, device=v.device) + (math.e - 1) * v.long().cumsum(0)
    return torch.searchsorted(sums, uniform * sums[-1], right=True).clamp(max=size - 1)
