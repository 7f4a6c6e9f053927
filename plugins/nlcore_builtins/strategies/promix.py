"""
ProMix (Xiao, Dong, Wang, Feng, Wu, Chen, Zhao 2023, arXiv:2207.10276), maximal use of clean samples.

Two networks with a head h and an auxiliary one h_AP on the same features, trained at once. After E_w epochs of
cross-entropy on h, each network, with p of its h, trains on

    D_l = the ⌈ρ N / K⌉ smallest −log p(ỹ_i | x_i) of each given class, once an epoch, of plain images       CSS
        ∪ those of the batch with p(ỹ | x_w) > τ                                                            MHS
        ∪ in the last epochs, while less than 0.9 B: those of which both networks predict the same class with max p > τ,
          the surest first, with argmax (h(x_w) − α log π_l) for ỹ                                           LGA
    D_u = the rest of the batch,   q = sharpen(softmax(h(x_w) − α log π_u), T), without gradient

    ℓ_π(f, y) = −Σ_c y_c log softmax(f + α log π)_c                                               debiased
    R(f) = mean_{D_l} ℓ_{π_l}(f(x_w), ỹ) + γ(e) [ℓ_{π_l}(f(x_s), ỹ) + ℓ_{π_l}(f(x̃), λ ỹ + (1 − λ) ỹ_j)]
    L = R(h) + R(h_AP) + β(e) mean_{D_u} [ℓ_{π_u}(h_AP(x_w), q) + γ(e) ℓ_{π_u}(h_AP(x_s), q)]

summed over both networks; x_w, x_s are a weak and a strong view, x̃ = λ x_w + (1 − λ) x_w,j with j of D_l too, λ =
max(λ', 1 − λ'), λ' ~ Beta(a, a), γ(e) = min(e / E_γ, 1), β(e) = λ_u min(e / 2 E_γ, 1). The means of p over D_l and D_u
of each batch are remembered, π ← m π + (1 − m) mean p, from 1 / K on. The sum of both h predicts.

ρ should not be above the share of right labels: the authors take 0.7 for 20 % noise and 0.5 else. For 100 classes they
take E_w = 30, τ = 0.95 and α = 0.5. As L is a sum over four heads, rates are those of a loss that is several times as
large: they train with 0.05 and B = 256.

Deviations. FMix, a third term in the bracket of R, is left out, and the penalty on confidence that the authors add in
the warm-up for asymmetric noise. Both heads see the same mixed images. Batches keep their shape: images of D_u are
mixed too, among themselves and with weight 0, and batch normalisation sees them. A weak and a strong view pass the
network together. The released code sets β to 0 from epoch 2 E_γ on, the paper keeps it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import Batch, Pass, StrategyContext
from nlcore.toolbox import beta, mix, mixup_pairs_within, rampup, sharpen
from nlcore_builtins.losses.cross_entropy import CrossEntropy
from nlcore_builtins.strategies.rates import resolve_right


@dataclass
class ProMix:
    """
    Two networks that use as many samples as they can trust, with a second head for the rest, and debiased logits.

    Small losses of each class and confident matches are trained on with strong views and mixup; sharpened guesses for
    the rest train the auxiliary head. Xiao et al. 2023.
    """

    capturable: ClassVar[bool] = True
    no_history: ClassVar[str] = "after the warm-up it replaces labels and mixes images"
    not_frozen: ClassVar[str] = "it compares views of an image"
    asks_for_strong: ClassVar[bool] = True
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = ({"warm_up": 1, "ramp": 1, "guessing": 1, "tau": 0.3},)

    warm_up: int = parameter(10, "E_w, epochs of cross-entropy", range="[0, inf)", epochs=True)
    rho: float | Literal["auto"] = parameter(
        0.5,
        "ρ, the share of each class that is always used; auto: that of right labels",
        range="(0, 1]",
    )
    tau: float = parameter(0.99, "τ, the confidence that makes a sample usable", range="[0, 1]")
    debias: float = parameter(0.8, "α, the strength of debiasing", range="[0, inf)")
    momentum: float = parameter(0.9999, "m, how much of π stays each step", range="[0, 1]")
    temperature: float = parameter(0.5, "T of sharpening", range="(0, 1]")
    beta_mixup: float = parameter(4.0, "a of mixup's Beta distribution", range="(0, inf)")
    lambda_u: float = parameter(0.1, "λ_u, the weight of the rest in the end", range="[0, inf)")
    ramp: int = parameter(50, "E_γ, the epochs in which γ grows; β takes twice as many", range="[0, inf)", epochs=True)
    guessing: int = parameter(250, "the last epochs, in which labels are guessed", range="[0, inf)", epochs=True)

    def setup(self, ctx: StrategyContext) -> None:
        """Make two networks, each with an auxiliary head, one optimiser, and tables for what an epoch draws."""
        self.ctx = ctx
        self.networks: list[Any] = [ctx.network() for _ in range(2)]
        self.losses = [ctx.loss(network) for network in self.networks]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(ctx.seed("promix/heads"))
            heads = [nn.Linear(network.head.in_features, ctx.num_classes) for network in self.networks]
        self.heads = [ctx.module(head) for head in heads]
        # A group of their own: torch's fused SGD cannot begin with a parameter when others of its group have momentum.
        groups = [(head, {"lr_factor": 1.0}) for head in self.heads]
        self.optimizer = ctx.optimizer([*self.networks, *groups], self.losses)
        self.used = resolve_right(self.rho, ctx, "rho")
        self.gamma, self.beta = torch.zeros(2, device=ctx.device)
        self.lam, self.order = torch.empty(0, device=ctx.device), torch.empty(0, device=ctx.device)
        self.pi = torch.full(
            (2, 2, ctx.num_classes), 1 / ctx.num_classes, device=ctx.device
        )  # π_l, π_u of each network
        self.selected = torch.ones(2, ctx.num_samples, device=ctx.device)
        self.agreement = torch.ones(ctx.num_samples, device=ctx.device)
        self.labels = ctx.given_labels.clone()
        self.divided = False
        if ctx.epochs <= self.warm_up:
            ctx.report("promix: the run ends within its warm-up (--strategy.warm_up); it never selects samples.")

    def refuses(self, loss: Any) -> str | None:
        """Return why losses other than cross-entropy make no sense."""
        if isinstance(loss, CrossEntropy):
            return None
        return "ProMix minimises an objective of its own, in which another loss has no place; use cross_entropy."

    def begin_epoch(self, epoch: int) -> None:
        """Select small losses, set γ and β, and draw λ and partners."""
        self.guesses = epoch > self.ctx.epochs - self.guessing
        if epoch > self.warm_up:
            self._select()
        self.gamma.fill_(rampup(epoch, self.ramp))
        self.beta.fill_(self.lambda_u * rampup(epoch, 2 * self.ramp))
        steps, random = self.ctx.steps(), self.ctx.generator("promix", epoch)
        size = self.ctx.batch_size + 1  # a batch may take a last single sample in
        lam = beta(self.beta_mixup, 2 * steps, random).view(steps, 2)
        self.lam.resize_(steps, 2).copy_(lam.maximum(1 - lam))
        self.order.resize_(steps, 2, size).copy_(torch.rand(steps, 2, size, generator=random))

    def variant(self, epoch: int) -> tuple[bool, bool]:
        """Return whether the warm-up is over, and whether labels are guessed."""
        return epoch > self.warm_up, self.guesses

    def passes(self, epoch: int) -> list[Pass]:
        """Return one pass over all samples, after the warm-up in a weak and a strong view."""
        return [Pass(views=("weak", "strong") if epoch > self.warm_up else 1)]

    def step(self, batch: Batch) -> Tensor:
        """Train both networks."""
        if len(batch.views) == 1:
            return self._warm_up(batch)
        logits = [self._logits(k, torch.cat(batch.views)) for k in (0, 1)]
        first, second = (h.detach().chunk(2)[0] for h, _ in logits)
        both = first.softmax(1), second.softmax(1)
        objective = torch.zeros((), device=self.ctx.device)
        for k, weak in enumerate((first, second)):
            confident = both[k].gather(1, batch.targets[:, None]).squeeze(1) > self.tau
            usable = self.selected[k, batch.index].maximum(confident.float())
            labels = batch.targets
            if self.guesses:
                guessed = agreed(*both, usable, self.tau)
                labels = torch.where(guessed > 0, (weak - self._bias(k)[0]).argmax(1), labels)
                usable = usable + guessed
            objective = objective + self._objective(k, batch, logits[k], labels, usable)
            if self.ctx.half != 2:  # of a step that is taken twice, the first half
                for pi, weights in zip(self.pi[k], (usable, 1 - usable), strict=True):
                    follow(pi, both[k], weights, self.momentum)
        return self.ctx.minimise(self.optimizer, objective)

    def predict(self, images: Tensor) -> Tensor:
        """Return the sum of both networks' logits (B, K)."""
        total: Tensor = self.networks[0](images) + self.networks[1](images)
        return total

    def clean_probability(self) -> Tensor | None:
        """Return the mean of both networks' p(ỹ) when samples were selected last, (N,)."""
        return self.agreement if self.divided else None

    def suggested_labels(self) -> Tensor | None:
        """Return the given label where a network selected it, else what both predicted then, int64 (N,)."""
        return self.labels if self.divided else None

    def state_dict(self) -> dict[str, Any]:
        """Return π and what was said when samples were selected last."""
        return {"pi": self.pi, "agreement": self.agreement, "labels": self.labels, "divided": self.divided}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it, in place."""
        for name in ("pi", "agreement", "labels"):
            getattr(self, name).copy_(state[name])
        self.divided = state["divided"]

    def _select(self) -> None:
        given = self.ctx.given_labels
        log_p = torch.stack([self.ctx.predict(network).log_softmax(1) for network in self.networks])
        losses = -log_p.gather(2, given.expand(2, -1)[..., None]).squeeze(2)
        for selected, own in zip(self.selected, losses, strict=True):
            selected.copy_(small_losses(own, given, self.used, self.ctx.num_classes))
        self.agreement.copy_((-losses).exp().mean(0))
        self.labels.copy_(torch.where(self.selected.amax(0) > 0, given, log_p.exp().mean(0).argmax(1)))
        self.divided = True

    def _logits(self, k: int, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of h and h_AP of a network, each (B, K)."""
        features = self.networks[k].features(images)
        return self.networks[k].head(features), self.heads[k](features)

    def _bias(self, k: int) -> Tensor:
        """Return α log π of D_l and D_u of a network, (2, K)."""
        return self.debias * self.pi[k].clamp(min=1e-12).log()

    def _warm_up(self, batch: Batch) -> Tensor:
        objective = torch.zeros((), device=self.ctx.device)
        for network, loss in zip(self.networks, self.losses, strict=True):
            logits = network(batch.images)
            loss.observe(logits, batch.index)
            objective = objective + loss(logits, batch.targets, batch.index).mean()
        return self.ctx.minimise(self.optimizer, objective)

    def _objective(self, k: int, batch: Batch, logits: Sequence[Tensor], labels: Tensor, usable: Tensor) -> Tensor:
        """Return L of a network for its logits (2 B, K) of both views, labels (B,) and weights (B,) of D_l."""
        lam, y = batch.row(self.lam)[k], F.one_hot(labels, self.ctx.num_classes).float()
        reliable, rest = self._bias(k)
        partner = mixup_pairs_within(batch.row(self.order)[k], usable)
        mixed, target = self._logits(k, mix(batch.images, partner, lam)), mix(y, partner, lam)
        q = sharpen((logits[0].detach().chunk(2)[0] - rest).softmax(1), self.temperature)
        weak, strong = (mean_loss(view + rest, q, 1 - usable) for view in logits[1].chunk(2))
        objective: Tensor = self.beta * (weak + self.gamma * strong)
        for f, f_mixed in zip(logits, mixed, strict=True):
            weak, strong = (mean_loss(view + reliable, y, usable) for view in f.chunk(2))
            objective = objective + weak + self.gamma * (strong + mean_loss(f_mixed + reliable, target, usable))
        return objective


def small_losses(losses: Tensor, labels: Tensor, rho: float, num_classes: int) -> Tensor:
    """Return whether a sample has one of the ⌈ρ N / K⌉ smallest losses of its class, bool (N,)."""
    each = math.ceil(rho * len(labels) / num_classes)
    chosen = torch.zeros_like(labels, dtype=torch.bool)
    for c in range(num_classes):
        members = (labels == c).nonzero().flatten()
        chosen[members[losses[members].argsort(stable=True)[:each]]] = True
    return chosen


def agreed(p: Tensor, other: Tensor, usable: Tensor, tau: float) -> Tensor:
    """Return weights (B,) that are 1 where labels are guessed: LGA, for p of both networks and weights of CSS, MHS."""
    (sure, predicted), (also, predicted_too) = p.max(1), other.max(1)
    candidate = (sure > tau) & (also > tau) & (predicted == predicted_too) & (usable == 0)
    rank = torch.where(candidate, -sure - also, torch.inf).argsort(stable=True).argsort()
    return (candidate & (rank < int(0.9 * len(p)) - usable.sum())).to(usable.dtype)


def mean_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of −Σ_c t_c log p_c, a scalar; 0 where all weights (B,) are."""
    losses = -(targets * logits.log_softmax(1)).sum(1)
    return (weights * losses).sum() / weights.sum().clamp(min=1)


def follow(pi: Tensor, p: Tensor, weights: Tensor, momentum: float) -> None:
    """Move π (K,) towards the weighted mean of p (B, K), in place; it stays where all weights (B,) are 0."""
    total = weights.sum()
    mean = (weights[:, None] * p).sum(0) / total.clamp(min=1)
    pi += (1 - momentum) * (total > 0) * (mean - pi)
