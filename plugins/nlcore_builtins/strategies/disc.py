"""
DISC, dynamic instance-specific selection and correction (Li, Han, Shan, Chen 2023, CVPR; no arXiv number).

One network, a weak and a strong view v of each image; p^v are its predictions in the epoch before, while it trained.
From these, before every epoch, with a threshold τ^v for each sample and view:

    clean C       p^w_ỹ > τ^w  and  p^s_ỹ > τ^s
    hard H        one of the two
    purified P    neither, and max_c p̄_c > min(½ (τ^w + τ^s) + σ, 0.99), p̄ = ½ (p^w + p^s);  ŷ = argmax_c p̄_c
    then          τ^v ← λ τ^v + (1 − λ) max_c p^v_c                       1/N at first

    L = Σ_v [ (|C| / B) mean_C ℓ(f(x^v), ỹ) + λ_h (|H| / B) mean_H GCE(f(x^v), ỹ) + mean_M ℓ̃(x^v, ŷ) ]
    M = C ∪ H ∪ P with ŷ = ỹ in C and H;  GCE = (1 − p_ỹ^q) / q, q = 0.7
    ℓ̃ = l ℓ(f(x̃), ŷ_i) + (1 − l) ℓ(f(x̃), ŷ_j)     x̃ = l x_i + (1 − l) x_j, l = max(l', 1 − l'), l' ~ Beta(α, α)

with partners j within M, and l drawn for each view. Warm-up: L = Σ_v mean ℓ(f(x^v), ỹ) over all. Thresholds move from
the first epoch on, and slowly: with λ = 0.99 they are at half of the confidence after 69 epochs. Those of samples that
an epoch left out stay, and a label counts as clean until its sample has been seen: p^v_ỹ is 1 at first. ℓ is
cross-entropy in the paper, here the run's loss; mixing losses instead of labels is the same for cross-entropy. A loss
that remembers predictions is shown the weak view's.

Deviations from the released code: batches keep their shape, so images outside M are mixed too, among themselves and
with weight 0, and batch normalisation sees them; and a batch without a sample in C, H or P still moves by momentum and
weight decay. Its ``momentum`` is λ here: 0.95 for asymmetric noise and for rates of 0.6 and more, with λ_h 0.2 for the
latter; it trains with SGD without momentum, here with the run's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from nlcore import parameter
from nlcore.contracts import Batch, Pass, StrategyContext
from nlcore.toolbox import beta, mix, mixup_pairs_within

_Q = 0.7
_HIGHEST = 0.99
_SAVED = ("tau", "given", "top", "seen", "joint", "guess", "clean", "hard", "labels")


@dataclass
class DISC:
    """
    Selects and corrects by a threshold for each sample that follows how confident the network is of it.

    Labels that both of two views support are clean, those of one view hard, and confident samples of neither get the
    predicted label; cross-entropy, GCE and mixup train on them. Li, Han, Shan, Chen 2023.
    """

    capturable: ClassVar[bool] = True
    no_history: ClassVar[str] = "after the warm-up it replaces labels"
    not_frozen: ClassVar[str] = "it compares views of an image"
    asks_for_strong: ClassVar[bool] = True
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = ({"warm_up": 1},)

    warm_up: int = parameter(20, "epochs of the loss on all samples", range="[1, inf)", epochs=True)
    lam: float = parameter(0.99, "λ, how much of a threshold stays each epoch", range="[0, 1]")
    sigma: float = parameter(0.5, "σ, how far above the thresholds a prediction purifies", range="[0, 1]")
    lambda_h: float = parameter(1.0, "λ_h, the weight of hard samples", range="[0, inf)")
    alpha: float = parameter(5.0, "α of mixup's Beta distribution", range="(0, inf)")

    def setup(self, ctx: StrategyContext) -> None:
        """Make one network with its loss and optimiser; thresholds, and what was predicted of each sample."""
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)
        size = (2, ctx.num_samples)
        self.tau = torch.full(size, 1 / max(ctx.num_samples, 1), device=ctx.device)
        self.given, self.top = torch.ones(2, *size, device=ctx.device)  # p^v_ỹ and max_c p^v_c
        self.seen = torch.zeros(ctx.num_samples, device=ctx.device)  # 1 of samples of the epoch before
        self.joint = torch.zeros(ctx.num_samples, device=ctx.device)  # max_c p̄_c
        self.guess = ctx.given_labels.clone()  # argmax_c p̄_c
        self.clean, self.hard, self.mixed = torch.zeros(3, ctx.num_samples, device=ctx.device)
        self.labels = ctx.given_labels.clone()  # ŷ
        self.mixing, self.order = torch.empty(0, device=ctx.device), torch.empty(0, device=ctx.device)
        self.selecting = False
        if ctx.epochs <= self.warm_up:
            ctx.report("disc: the run ends within its warm-up (--strategy.warm_up); it never selects.")

    def begin_epoch(self, epoch: int) -> None:
        """Select and correct by the epoch before, move the thresholds, and draw l and partners for every step."""
        self.selecting = epoch > self.warm_up
        if epoch > 1:
            self._divide()
            self.tau.lerp_(self.top, (1 - self.lam) * self.seen)
            self.seen.zero_()
        random = self.ctx.generator("disc", epoch)
        steps, size = self.ctx.steps(), self.ctx.batch_size + 1  # a batch may take a last single sample in
        drawn = beta(self.alpha, 2 * steps, random).view(steps, 2)
        self.mixing.resize_(steps, 2).copy_(drawn.maximum(1 - drawn))
        self.order.resize_(steps, 2, size).copy_(torch.rand(steps, 2, size, generator=random))

    def variant(self, epoch: int) -> bool:
        """Return whether the warm-up is over."""
        return self.selecting

    def passes(self, epoch: int) -> list[Pass]:
        """Return one pass with both views."""
        return [Pass(views=("weak", "strong"))]

    def step(self, batch: Batch) -> Tensor:
        """Descend on the objective of both views, and note what was predicted."""
        index = batch.index
        views = self.network(torch.cat(batch.views)).chunk(2)
        self.loss.observe(views[0], index)
        if self.ctx.half != 2:  # of a step that is taken twice, the first half
            self._note(views, batch)
        objective = torch.zeros((), device=index.device)
        for v, logits in enumerate(views):
            losses = self.loss(logits, batch.targets, index)
            if not self.selecting:
                objective = objective + losses.mean()
                continue
            gce = -torch.expm1(_Q * logits.log_softmax(1).gather(1, batch.targets[:, None]).squeeze(1)) / _Q
            objective = objective + (self.clean[index] * losses + self.lambda_h * self.hard[index] * gce).mean()
            objective = objective + self._mixup(batch, v)
        return self.ctx.minimise(self.optimizer, objective)

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits

    def clean_probability(self) -> Tensor | None:
        """Return for how many of the views the label passed, 0, 1/2 or 1, (N,); None in the warm-up."""
        return self.clean + self.hard / 2 if self.selecting else None

    def suggested_labels(self) -> Tensor | None:
        """Return ŷ, the predicted label of purified samples and the given one of others, (N,); None in the warm-up."""
        return self.labels if self.selecting else None

    def state_dict(self) -> dict[str, Any]:
        """Return the thresholds, what was predicted in the last epoch, and what was selected for it."""
        return {"selecting": self.selecting, **{name: getattr(self, name) for name in _SAVED}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.selecting = state["selecting"]
        for name in _SAVED:
            getattr(self, name).copy_(state[name])

    def _divide(self) -> None:
        """Set C, H, M and ŷ."""
        passed = self.given > self.tau
        chosen = passed.any(0)
        purified = ~chosen & (self.joint > (self.tau.mean(0) + self.sigma).clamp(max=_HIGHEST))
        self.clean.copy_(passed.all(0))
        self.hard.copy_(chosen & ~passed.all(0))
        self.mixed.copy_(chosen | purified)
        self.labels.copy_(torch.where(purified, self.guess, self.ctx.given_labels))

    @torch.no_grad()
    def _note(self, views: tuple[Tensor, ...], batch: Batch) -> None:
        """Keep what selection asks of the predictions for a batch."""
        p = torch.stack(views).softmax(2)
        chosen = batch.targets.expand(2, -1)[:, :, None]
        self.given[:, batch.index] = p.gather(2, chosen).squeeze(2)
        self.top[:, batch.index] = p.amax(2)
        self.seen[batch.index] = 1
        self.joint[batch.index], self.guess[batch.index] = p.mean(0).max(1)

    def _mixup(self, batch: Batch, v: int) -> Tensor:
        """Return the mean loss over the batch's M of one view, mixed within it; 0 where M is empty."""
        index, member = batch.index, self.mixed[batch.index]
        labels, lam = self.labels[index], batch.row(self.mixing)[v]
        partner = mixup_pairs_within(batch.row(self.order)[v], member)
        logits = self.network(mix(batch.views[v], partner, lam))
        losses = lam * self.loss(logits, labels, index) + (1 - lam) * self.loss(logits, labels[partner], index[partner])
        mean: Tensor = (member * losses).sum() / member.sum().clamp(min=1)
        return mean
