"""
UNICON (Karim, Rizve, Rahnavard, Mian, Shah 2022, arXiv:2203.14542), uniform selection and contrastive learning.

Two networks f_1, f_2 are trained with cross-entropy for E_w epochs. Then, at the start of every epoch, of plain images

    d_i = JSD(ỹ_i, p(x_i)) = 1 − ½ ((1 + p) log₂(1 + p) − p log₂ p)       p = ½ (p_1 + p_2)(ỹ_i | x_i), d in 0..1
    d_cut = mean d,  if that is above d_μ:  mean d − (mean d − min d) / τ
    X = the R N / K smallest d_i of each given class, R = #{d_i < d_cut} / N;  U = the rest

and, first for all of f_1, then for f_2 (k), for every batch of X and as many samples of U, in two weak and two strong
views each, with w = 1 − d

    ŷ = sharpen(w ỹ + (1 − w) ½ Σ_m p_k(x_m), T)                 q = sharpen(¼ Σ_m (p_1 + p_2)(u_m), T)     weak views
    x' = λ' x + (1 − λ') x_π,  t' = λ' t + (1 − λ') t_π          λ' = max(λ, 1 − λ), λ ~ Beta(α, α)       strong views
    z_m = g_k(features of u_m) / ‖·‖                             g_k a projection
    L = mean_X −Σ_c t'_c log p_c + λ_u r(e) mean_U mean_c (p_c − t'_c)² + Σ_c π_c log(π_c / mean p_c)
        + λ_C mean_{i, m} −log(exp(z_im · z_im' / κ) / Σ_{(j, n) ≠ (i, m)} exp(z_im · z_jn / κ)),  m' the other view

with r(e) growing from 0 to 1 over the `ramp` epochs after the warm-up and π_c = 1 / K. f_1 + f_2 predicts.

Deviations. The released code takes natural logarithms, with which d never exceeds ln 2 < d_μ and the second case of
d_cut never occurs; there d below ½ counts as 0 in w, so hardly any label is refined. It divides anew before the second
network's turn, here both train on one division of the start of an epoch. It has B / (2 R) unlabelled samples in a batch
for B labelled ones, here both halves have half the run's batch size, for which the authors' 64 is half of 128. As in
`divide_mix`, X is filled to whole batches with some of its samples once more, and where it is smaller than one the
epoch is one of the warm-up; a network takes the guesses of the other one in evaluation mode. As there, where a run
limits its epochs to n batches, N is the number of samples that are drawn for an epoch, n B / 2 at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import Batch, Pass, StrategyContext
from nlcore.toolbox import (
    beta,
    guess,
    mix_halves,
    prior_penalty,
    rampup,
    repeated,
    sharpen,
    soft_cross_entropy,
    squared_error,
)
from nlcore_builtins.losses.cross_entropy import CrossEntropy


@dataclass
class Unicon:
    """
    Two networks that trust equally many labels of each class, and train by MixMatch and contrastive learning.

    Labels whose Jensen-Shannon divergence from the prediction is smallest are trusted; strong views of the others are
    contrasted. Karim et al. 2022.
    """

    capturable: ClassVar[bool] = True
    no_history: ClassVar[str] = "after the warm-up its networks see mixtures of images"
    chooses_samples: ClassVar[str] = "after its warm-up"
    not_frozen: ClassVar[str] = "it compares views of an image"
    asks_for_strong: ClassVar[bool] = True
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = ({"warm_up": 1}, {"warm_up": 1, "lambda_c": 0.0})

    warm_up: int = parameter(10, "E_w, epochs of cross-entropy; 30 for 100 classes", range="[0, inf)", epochs=True)
    d_mu: float = parameter(0.7, "d_μ, the mean divergence above which fewer are trusted", range="[0, 1]")
    tau: float = parameter(5.0, "τ; fewer are trusted the smaller it is", range="[1, inf)")
    temperature: float = parameter(0.5, "T of sharpening", range="(0, 1]")
    alpha: float = parameter(4.0, "α of the Beta distribution", range="(0, inf)")
    lambda_u: float = parameter(30.0, "λ_u, the weight of the unlabelled half", range="[0, inf)")
    ramp: int = parameter(16, "epochs in which λ_u grows after the warm-up", range="[0, inf)", epochs=True)
    lambda_c: float = parameter(0.025, "λ_C, the weight of the contrast", range="[0, inf)")
    kappa: float = parameter(0.05, "κ, the temperature of the contrast", range="(0, inf)")

    def setup(self, ctx: StrategyContext) -> None:
        """Make two networks with projections, losses and optimisers, and tables for the most steps of an epoch."""
        self.ctx = ctx
        self.networks = [ctx.network() for _ in range(2)]
        self.losses = [ctx.loss(network) for network in self.networks]
        self.projections: list[nn.Module] = []
        if self.lambda_c > 0:
            width = int(self.networks[0].head.in_features)  # type: ignore[union-attr,arg-type]
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(ctx.seed("unicon/projections"))
                heads = [nn.Sequential(nn.Linear(width, 128), nn.BatchNorm1d(128)) for _ in range(2)]
            self.projections = [ctx.module(head) for head in heads]
        # A group of its own: torch's fused SGD cannot begin with a parameter when others of its group have momentum.
        groups = [[(head, {"lr_factor": 1.0})] for head in self.projections] or [[], []]
        trained = zip(self.networks, groups, self.losses, strict=True)
        self.optimizers = [ctx.optimizer([network, *group], loss) for network, group, loss in trained]
        self.half = max(2, ctx.batch_size // 2)
        steps = 2 * -(-ctx.num_samples // self.half)
        self.lam, self.weight = torch.ones(2, steps, device=ctx.device)
        self.order = torch.zeros(steps, 4 * self.half, device=ctx.device)
        self.d = torch.zeros(ctx.num_samples, device=ctx.device)
        self.trusted = torch.ones(ctx.num_samples, dtype=torch.bool, device=ctx.device)
        self.predicted = ctx.given_labels.clone()
        self.divided = self.told = False
        if ctx.epochs <= self.warm_up:
            ctx.report("unicon: the run ends within its warm-up (--strategy.warm_up); it never divides the samples.")

    def refuses(self, loss: Any) -> str | None:
        """Return why losses other than cross-entropy make no sense."""
        if isinstance(loss, CrossEntropy):
            return None
        return "UNICON minimises an objective of its own, in which another loss has no place; use cross_entropy."

    def begin_epoch(self, epoch: int) -> None:
        """Divide the samples, and draw the halves' orders, λ and partners."""
        random = self.ctx.generator("unicon", epoch)
        self.turns = [Pass(label=k) for k in (0, 1)]
        if epoch > self.warm_up:
            # Each once: X has equally many of each class by itself.
            drawn: Tensor = self.ctx.samples(epoch, self.half).unique()  # type: ignore[no-untyped-call]
            trusted = self._divide(drawn)
            if int(trusted.sum()) >= self.half:
                self.turns = [self._turn(k, drawn[trusted], drawn[~trusted], random) for k in (0, 1)]
            elif not self.told:
                self.ctx.report(
                    f"unicon: fewer than {self.half} labels were trusted, half a batch; such an epoch is one of the "
                    "warm-up. A longer warm_up may help."
                )
                self.told = True
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
        k, size = batch.label, 2 * len(batch.index)
        network, optimizer = self.networks[k], self.optimizers[k]
        if len(batch.views) == 1:
            logits = network(batch.images)
            self.losses[k].observe(logits, batch.index)
            return self.ctx.minimise(optimizer, self.losses[k](logits, batch.targets, batch.index).mean())
        x, u = batch.views, batch.paired.views if batch.paired else ()
        w, given = 1 - self.d[batch.index, None], F.one_hot(batch.targets, self.ctx.num_classes)
        refined = sharpen(w * given + (1 - w) * guess(network, x[:2]), self.temperature)
        guessed = sharpen(guess(network, u[:2], [self.networks[1 - k]]), self.temperature) if u else refined[:0]
        images, targets = mix_halves(x[2:], refined, u[2:], guessed, batch.row(self.order), batch.row(self.lam))
        logits = network(images)
        objective = soft_cross_entropy(logits[:size], targets[:size]) + prior_penalty(logits)
        objective = objective + batch.row(self.weight) * squared_error(logits[size:], targets[size:])
        if u and self.projections:
            features: Any = network.features
            projected = self.projections[k](features(torch.cat(u[2:])))
            objective = objective + self.lambda_c * contrast(projected, self.kappa)
        return self.ctx.minimise(optimizer, objective)

    def predict(self, images: Tensor) -> Tensor:
        """Return the sum of both networks' logits (B, K)."""
        total: Tensor = self.networks[0](images) + self.networks[1](images)
        return total

    def clean_probability(self) -> Tensor | None:
        """Return w = 1 − d of a sample's last division, (N,), 1 before its first."""
        return 1 - self.d if self.divided else None

    def suggested_labels(self) -> Tensor | None:
        """Return the given label of X and, of U, what was predicted at the last division, int64 (N,)."""
        return torch.where(self.trusted, self.ctx.given_labels, self.predicted) if self.divided else None

    def state_dict(self) -> dict[str, Any]:
        """Return the last division."""
        return {"d": self.d, "trusted": self.trusted, "predicted": self.predicted, "divided": self.divided}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it, in place."""
        for name in ("d", "trusted", "predicted"):
            getattr(self, name).copy_(state[name])
        self.divided = state["divided"]

    def _divide(self, drawn: Tensor) -> Tensor:
        """Divide the drawn samples (M,); return whether they are in X, bool (M,)."""
        p = torch.stack([self.ctx.predict(network, drawn).softmax(1) for network in self.networks]).mean(0)
        given = self.ctx.given_labels[drawn]
        d = divergence(p, given)
        trusted = uniform_selection(d, given, cutoff(d, self.d_mu, self.tau), p.shape[1])
        self.d[drawn], self.trusted[drawn], self.predicted[drawn] = d, trusted, p.argmax(1)
        self.divided = True
        return trusted

    def _turn(self, k: int, labelled: Tensor, rest: Tensor, random: torch.Generator) -> Pass:
        """Return the pass of a network over X, beside U."""
        count = self.half * -(-len(labelled) // self.half)
        x, u = (repeated(part, count, random) for part in (labelled, rest))
        half = partial(Pass, batch_size=self.half, views=("weak", "weak", "strong", "strong"), shuffle=False, label=k)
        return half(x, paired=half(u))


def divergence(p: Tensor, labels: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence, in bits, of labels int64 (N,) from p float (N, K), float (N,) in 0..1."""
    own = p.gather(1, labels[:, None]).squeeze(1)
    d: Tensor = 1 - ((1 + own) * (1 + own).log2() - own.xlogy(own) / math.log(2)) / 2
    return d.clamp(0, 1)


def cutoff(d: Tensor, d_mu: float, tau: float) -> Tensor:
    """Return the divergence (N,) below which samples count for R, a scalar."""
    mean = d.double().mean()  # exact where all are equal, so that none is below it
    return torch.where(mean > d_mu, mean - (mean - d.min()) / tau, mean)


def uniform_selection(d: Tensor, labels: Tensor, cut: Tensor, num_classes: int) -> Tensor:
    """Return whether a sample is among the ⌊#{d < cut} / K⌋ smallest d of its class, bool (N,)."""
    each = int((d < cut).sum()) // num_classes
    trusted = torch.zeros_like(labels, dtype=torch.bool)
    for c in range(num_classes):
        members = (labels == c).nonzero().flatten()
        trusted[members[d[members].argsort(stable=True)[:each]]] = True
    return trusted


def contrast(projected: Tensor, kappa: float) -> Tensor:
    """Return NT-Xent of projections (2 B, D), of B samples in one view and of the same in another, a scalar."""
    z = F.normalize(projected, dim=1)
    count = len(z)
    itself = torch.eye(count, dtype=torch.bool, device=z.device)
    similarity = (z @ z.T / kappa).masked_fill(itself, -torch.inf)
    return F.cross_entropy(similarity, torch.arange(count, device=z.device).roll(count // 2))
