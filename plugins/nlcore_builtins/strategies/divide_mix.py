"""
DivideMix (Li, Socher, Hoi 2020, arXiv:2002.07394, algorithm 1) and AugDesc (Nishi et al. 2021, arXiv:2103.02130).

Two networks f_1, f_2 are trained with cross-entropy for E_w epochs, for asymmetric noise plus mean_b Σ_c p_c log p_c.
Then, at the start of every epoch, for each network

    ℓ_i = −log p(ỹ_i | x_i) of plain images, scaled to 0..1      w_i = P(Gaussian of the smaller mean | ℓ_i)
    X = {i : w_i > τ},  U = the rest                             by the w of the *other* network

and, first for all of f_1, then for f_2 (k), for every batch of X and as many samples of U, in two views x_m, u_m each

    ŷ = sharpen(w ỹ + (1 − w) ½ Σ_m p_k(x_m), T)                 q = sharpen(¼ Σ_m (p_1 + p_2)(u_m), T)
    x' = λ' x + (1 − λ') x_π,  t' = λ' t + (1 − λ') t_π          λ' = max(λ, 1 − λ), λ ~ Beta(α, α); t of ŷ, ŷ, q, q
    L = mean_X −Σ_c t'_c log p_c + λ_u r(e) mean_U mean_c (p_c − t'_c)² + Σ_c π_c log(π_c / mean p_c),  π_c = 1 / K

with r(e) growing from 0 to 1 over the `ramp` epochs after the warm-up. f_1 + f_2 predicts. AugDesc mixes strong views,
with the targets of weak ones. The authors take λ_u 0, 25, 25, 50 for 20, 50, 80, 90 % symmetric noise on CIFAR-10 (with
τ = 0.6 and losses averaged over the last five epochs for 90 %), and λ_u 0 with the penalty for asymmetric noise.

The mean over classes in L_U is the released code's, where the paper has a sum: their λ_u go with it. Halves of B / 2
are the authors' 64 + 64 where the run has batches of 128. As there, f_k refines and guesses in training mode and the
other network guesses in evaluation mode. So guessing moves the running statistics of f_k, and has to: mixed images have
other ones than the plain images that are divided and tested by them. (Digits, 50 % symmetric noise, a narrow network,
two seeds: 91 and 95 % test accuracy; 83 and 91 % where guessing moves nothing, 82 and 91 % in evaluation mode.)

Where a run limits its epochs to n batches, as the authors do for Clothing1M, i are the n B / 2 samples that are drawn
for an epoch, of which X and U are parts; w of all others stays.

Deviations: X is filled to whole batches with some of its samples once more, so that all steps have one shape. Where X
is smaller than such a batch, as when a network has just begun, that network takes an epoch of the warm-up instead. The
losses are those of plain images, for AugDesc as well. Of a limited epoch both networks divide the same samples; there
each draws its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import Batch, Pass, StrategyContext
from nlcore.toolbox import (
    beta,
    gmm_clean,
    guess,
    mix_halves,
    neg_entropy,
    prior_penalty,
    rampup,
    repeated,
    sharpen,
    soft_cross_entropy,
    squared_error,
)
from nlcore_builtins.losses.cross_entropy import CrossEntropy
from nlcore_builtins.strategies.empty_classes import EmptyClasses

_SAVED = ("w", "past", "times", "predicted")


@dataclass
class DivideMix:
    """
    Two networks that divide the samples for each other into labelled and unlabelled ones, and train by MixMatch.

    A mixture of two Gaussians over one network's losses says how far to trust each label; the other network trains on
    labels refined by it and on guesses for the rest. Li, Socher, Hoi 2020, algorithm 1; with strong views, AugDesc.
    """

    capturable: ClassVar[bool] = True
    no_history: ClassVar[str] = "after the warm-up its networks see mixtures of images"
    chooses_samples: ClassVar[str] = "after its warm-up"
    chooses_among_drawn: ClassVar[bool] = True
    not_frozen: ClassVar[str] = "it compares views of an image"
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = (
        {"warm_up": 1},
        {"warm_up": 1, "penalty": True, "history": 2, "views": "strong"},
    )

    warm_up: int = parameter(10, "E_w, epochs of cross-entropy before any division", range="[0, inf)", epochs=True)
    penalty: bool = parameter(False, "a penalty on confidence in the warm-up, for asymmetric noise")
    p_threshold: float = parameter(0.5, "τ, how probably right a label must be to be used", range="[0, 1)")
    history: int = parameter(1, "epochs whose losses are averaged; 5 for 90 % noise", range="[1, inf)")
    temperature: float = parameter(0.5, "T of sharpening", range="(0, 1]")
    alpha: float = parameter(4.0, "α of the Beta distribution", range="(0, inf)")
    lambda_u: float = parameter(25.0, "λ_u, the weight of the unlabelled half", range="[0, inf)")
    ramp: int = parameter(16, "epochs in which λ_u grows after the warm-up", range="[0, inf)", epochs=True)
    views: Literal["weak", "strong"] = parameter("weak", "the views that are mixed; strong: AugDesc")

    @property
    def asks_for_strong(self) -> bool:
        """Whether it asks for the strong view."""
        return self.views == "strong"

    def setup(self, ctx: StrategyContext) -> None:
        """Make two networks with their losses and optimisers, and tables for the most steps that an epoch can take."""
        self.ctx = ctx
        self.networks = [ctx.network() for _ in range(2)]
        self.losses = [ctx.loss(network) for network in self.networks]
        self.optimizers = [ctx.optimizer(*pair) for pair in zip(self.networks, self.losses, strict=True)]
        self.half = max(2, ctx.batch_size // 2)
        steps = 2 * -(-ctx.num_samples // self.half)
        self.lam, self.weight = torch.ones(2, steps, device=ctx.device)
        self.order = torch.zeros(steps, 4 * self.half, device=ctx.device)
        self.past = torch.zeros(2, self.history, ctx.num_samples, device=ctx.device)
        self.times = torch.zeros(ctx.num_samples, dtype=torch.int64, device=ctx.device)  # that each was divided
        self.w = torch.ones(2, ctx.num_samples, device=ctx.device)
        self.predicted = ctx.given_labels.clone()
        self.told = False
        self.classes = EmptyClasses(ctx, "divide_mix")
        if ctx.epochs <= self.warm_up:
            ctx.report(
                "divide_mix: the run ends within its warm-up (--strategy.warm_up); it never divides the samples."
            )

    def refuses(self, loss: Any) -> str | None:
        """Return why losses other than cross-entropy make no sense."""
        if isinstance(loss, CrossEntropy):
            return None
        return "DivideMix minimises an objective of its own, in which another loss has no place; use cross_entropy."

    def begin_epoch(self, epoch: int) -> None:
        """Divide the samples, and draw the halves' orders, λ and partners."""
        random = self.ctx.generator("divide_mix", epoch)
        self.turns = [Pass(label=k) for k in (0, 1)]
        if epoch > self.warm_up:
            drawn = self.ctx.samples(epoch, self.half)
            self._divide(epoch, drawn)
            self.turns = [self._turn(k, drawn, random) for k in (0, 1)]
        steps = [self.ctx.steps(turn) for turn in self.turns]
        since = epoch - 1 - self.warm_up
        weight = [self.lambda_u * rampup(since + step / count, self.ramp) for count in steps for step in range(count)]
        self.weight[: sum(steps)] = torch.tensor(weight, device=self.ctx.device)
        self.lam[: sum(steps)] = beta(self.alpha, sum(steps), random).to(self.ctx.device)
        self.order.copy_(torch.rand(self.order.shape, generator=random))

    def variant(self, epoch: int) -> bool:
        """Return whether the warm-up is over."""
        return epoch > self.warm_up

    def passes(self, epoch: int) -> list[Pass]:
        """Return a pass for each network: over X beside U, or over all samples."""
        return self.turns

    def step(self, batch: Batch) -> Tensor:
        """Train the network whose turn it is."""
        if len(batch.views) == 1:
            return self._warm_up(batch)
        k, own, size = batch.label, self.networks[batch.label], 2 * len(batch.index)
        x, u = batch.views, batch.paired.views if batch.paired else ()
        w, given = self.w[k][batch.index, None], F.one_hot(batch.targets, self.ctx.num_classes)
        refined = sharpen(w * given + (1 - w) * guess(own, x[:2]), self.temperature)
        guessed = sharpen(guess(own, u[:2], [self.networks[1 - k]]), self.temperature) if u else refined[:0]
        images, targets = mix_halves(x[-2:], refined, u[-2:], guessed, batch.row(self.order), batch.row(self.lam))
        logits = own(images)
        supervised = soft_cross_entropy(logits[:size], targets[:size])
        unlabelled = batch.row(self.weight) * squared_error(logits[size:], targets[size:])
        return self.ctx.minimise(self.optimizers[k], supervised + unlabelled + prior_penalty(logits))

    def predict(self, images: Tensor) -> Tensor:
        """Return the sum of both networks' logits (B, K)."""
        total: Tensor = self.networks[0](images) + self.networks[1](images)
        return total

    def clean_probability(self) -> Tensor | None:
        """Return the mean of both w of a sample's last division, (N,), 1 before its first."""
        return self.w.mean(0) if self.times.any() else None

    def suggested_labels(self) -> Tensor | None:
        """Return the given label where mean w > τ, else what was predicted at the last division, int64 (N,)."""
        if not self.times.any():
            return None
        return torch.where(self.w.mean(0) > self.p_threshold, self.ctx.given_labels, self.predicted)

    def state_dict(self) -> dict[str, Any]:
        """Return the last division and the losses that the next one is averaged with."""
        return {name: getattr(self, name) for name in _SAVED}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them, in place."""
        for name in _SAVED:
            getattr(self, name).copy_(state[name])

    def _divide(self, epoch: int, drawn: Tensor) -> None:
        """Set w of each network for the drawn samples (M,), from the losses of the other one."""
        logits = [self.ctx.predict(network, drawn) for network in self.networks]
        self.predicted[drawn] = (logits[0] + logits[1]).argmax(1)
        slot, known = self.times[drawn] % self.history, (self.times[drawn] + 1).clamp(max=self.history)
        for k in (0, 1):
            losses = F.cross_entropy(logits[k], self.ctx.given_labels[drawn], reduction="none")
            low, high = losses.min(), losses.max()
            self.past[k, slot, drawn] = (losses - low) / (high - low).clamp(min=1e-12)
            mean = self.past[k][:, drawn].sum(0) / known  # a slot that was never filled is 0
            self.w[1 - k, drawn] = gmm_clean(mean, self.ctx.seed(f"gmm/{k}", epoch))
        self.times[drawn] = self.times[drawn] + 1

    def _turn(self, k: int, drawn: Tensor, random: torch.Generator) -> Pass:
        """Return the pass of a network over X, beside U; over all samples where X is too small."""
        trusted = self.w[k, drawn] > self.p_threshold
        labelled, rest = drawn[trusted], drawn[~trusted]
        if len(labelled) < self.half:
            if not self.told:
                self.ctx.report(
                    f"divide_mix: fewer than {self.half} labels were trusted, half a batch; a network takes such an "
                    "epoch as one of the warm-up. A longer warm_up may help."
                )
            self.told = True
            return Pass(label=k)
        self.classes.look(self.ctx.given_labels[labelled])
        count = self.half * -(-len(labelled) // self.half)
        views = ("weak", "weak") if self.views == "weak" else ("weak", "weak", "strong", "strong")
        half = partial(Pass, batch_size=self.half, views=views, shuffle=False, label=k)
        paired = half(repeated(rest, count, random))
        return half(repeated(labelled, count, random), paired=paired)

    def _warm_up(self, batch: Batch) -> Tensor:
        k = batch.label
        logits = self.networks[k](batch.images)
        self.losses[k].observe(logits, batch.index)
        objective = self.losses[k](logits, batch.targets, batch.index).mean()
        return self.ctx.minimise(self.optimizers[k], objective + neg_entropy(logits) if self.penalty else objective)
