"""
SSR and SSR+, sample selection and relabelling (Feng, Tzimiropoulos, Patras 2022, arXiv:2111.11288).

At the start of every epoch, with features z and predictions p of all N samples:

    ŷ_i = argmax_c p_ic  if max_c p_ic > θ_r,  else ỹ_i                   relabelled, from the given labels each time
    v_ic = #{j among the k nearest of i by cosine of z : ŷ_j = c},   q_ic ∝ v_ic / #{j : ŷ_j = c},   Σ_c q_ic = 1
    i is kept if q_i[ŷ_i] / max_c q_ic ≥ θ_s

and for each batch of B kept samples x, equally many of each class, in two strong views, and another of any samples u:

    x̃ = λ x + (1 − λ) x_π      λ = max(λ', 1 − λ'), λ' ~ Beta(α, α); π a permutation of the 2 B images
    L = λ ℓ(f(x̃), ŷ) + (1 − λ) ℓ(f(x̃), ŷ_π) − λ_fc cos(h(g(z(u_strong))), sg g(z(u_weak)))

with a projection g and a predictor h. λ_fc = 0 is SSR, otherwise this is SSR+. An epoch has N samples, however many are
kept. There is no warm-up: among neighbours in random features the majority of a class is still kept.

z and p come from weak views in evaluation mode, as in the released code. Deviations: there a sample is its own nearest
neighbour, here only others vote. A class of which nothing is kept is left out of an epoch; where nothing at all is
kept, all samples are trained on with ŷ. k is at most N − 1. Losses are mixed instead of labels, which is the same for
cross-entropy and lets any loss be used; one that remembers predictions is shown the first strong view's, in which the
sample itself weighs more. The authors choose θ_r for each dataset: 0.8 for 50 % noise and more, 0.95 and 0.99 for some.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import Batch, Pass, StrategyContext
from nlcore.toolbox import beta, class_balanced_indices, knn_votes, mix, mixup_pairs
from nlcore_builtins.strategies.empty_classes import EmptyClasses


@dataclass
class SSR:
    """
    Trains with mixup on samples whose neighbours agree with their label, after confident ones were relabelled.

    Kept where q_i[ŷ_i] = max_c q_ic, q the class-balanced votes of the k nearest neighbours; ŷ_i is the predicted label
    where max p_i > θ_r. SSR+ adds the consistency of features. Feng, Tzimiropoulos, Patras 2022.
    """

    capturable: ClassVar[bool] = True
    no_history: ClassVar[str] = "it replaces labels, and its network sees mixtures of images"
    chooses_samples: ClassVar[str] = "in every epoch"
    not_frozen: ClassVar[str] = "it compares views of an image"
    asks_for_strong: ClassVar[bool] = True
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = ({"lambda_fc": 0.0, "k": 10},)

    theta_r: float = parameter(0.9, "θ_r, the confidence above which a label is replaced", range="[0, 1]")
    theta_s: float = parameter(1.0, "θ_s, the share of the largest vote that a label needs", range="[0, 1]")
    k: int = parameter(200, "k, the neighbours that vote", range="[1, inf)")
    alpha: float = parameter(4.0, "α of the Beta distribution", range="(0, inf)")
    lambda_fc: float = parameter(1.0, "λ_fc, the weight of feature consistency; 0: SSR, else SSR+", range="[0, inf)")

    def setup(self, ctx: StrategyContext) -> None:
        """Make a network with its loss and, for SSR+, the heads g and h; and tables for what an epoch draws."""
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        modules = [self.network]
        if self.lambda_fc > 0:
            width = int(self.network.head.in_features)  # type: ignore[union-attr,arg-type]
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(ctx.seed("ssr/heads"))
                self.project, self.predictor = ctx.module(_head(width)), ctx.module(_head(128))
            modules += [self.project, self.predictor]
        self.optimizer = ctx.optimizer(modules, self.loss)
        self.divided = False
        self.labels = ctx.given_labels.clone()
        self.agreement = torch.ones(ctx.num_samples, device=ctx.device)
        self.indices = torch.arange(ctx.num_samples)
        self.classes = EmptyClasses(ctx, "ssr")
        self.lam, self.order = torch.empty(0, device=ctx.device), torch.empty(0, device=ctx.device)
        if self.k >= ctx.num_samples:
            ctx.report(f"ssr: of {ctx.num_samples} samples each has {ctx.num_samples - 1} neighbours, fewer than k.")

    def begin_epoch(self, epoch: int) -> None:
        """Relabel, select, draw N of the kept samples with equally many of each class, and λ and partners."""
        samples, size = self.ctx.num_samples, self.ctx.batch_size + 1  # a batch may take a last single sample in
        found = self.ctx.predict(self._features_and_logits, view="weak", epoch=epoch)
        features, logits = found.tensor_split([found.shape[1] - self.ctx.num_classes], dim=1)
        given = self.ctx.given_labels
        self.labels.copy_(relabel(logits, given, self.theta_r))
        votes = knn_votes(features, self.labels, min(self.k, samples - 1), self.ctx.num_classes)
        self.agreement.copy_(balanced(votes, self.labels).gather(1, given[:, None]).squeeze(1))
        kept = select(votes, self.labels, self.theta_s).nonzero().flatten().cpu()
        if not len(kept):
            kept = torch.arange(samples)
        random = self.ctx.generator("ssr", epoch)
        there = self.labels.cpu()[kept]
        self.classes.look(there)
        of_each = math.ceil(samples / int((there.bincount() > 0).sum()))
        drawn = kept[class_balanced_indices(there, of_each, random)]
        self.indices = drawn[torch.randperm(len(drawn), generator=random)[:samples]]
        steps = self.ctx.steps()
        lam = beta(self.alpha, steps, random)
        self.lam.resize_(steps).copy_(lam.maximum(1 - lam))
        self.order.resize_(steps, 2 * size).copy_(torch.rand(steps, 2 * size, generator=random))
        self.divided = True

    def passes(self, epoch: int) -> list[Pass]:
        """Return one pass over what was drawn, in two strong views, for SSR+ with one over all samples beside it."""
        paired = Pass(views=("weak", "strong")) if self.lambda_fc > 0 else None
        return [Pass(indices=self.indices, views=("strong", "strong"), shuffle=False, paired=paired)]

    def step(self, batch: Batch) -> Tensor:
        """Descend on the mixed batch's mean loss and, for SSR+, on the disagreement of features."""
        size, index = len(batch.index), torch.cat([batch.index, batch.index])
        labels, lam = self.labels[index], batch.row(self.lam)
        partner = mixup_pairs(batch.row(self.order), 2 * size)
        logits = self.network(mix(torch.cat(batch.views), partner, lam))
        self.loss.observe(logits[:size], batch.index)
        own, other = self.loss(logits, labels, index), self.loss(logits, labels[partner], index[partner])
        objective = (lam * own + (1 - lam) * other).mean()
        if batch.paired is not None:
            objective = objective - self.lambda_fc * self._consistency(*batch.paired.views)
        return self.ctx.minimise(self.optimizer, objective)

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits

    def clean_probability(self) -> Tensor | None:
        """Return the share of the class-balanced votes that the given label has, q_i[ỹ_i], (N,)."""
        return self.agreement if self.divided else None

    def suggested_labels(self) -> Tensor | None:
        """Return ŷ, int64 (N,)."""
        return self.labels if self.divided else None

    def state_dict(self) -> dict[str, Tensor]:
        """Return what the last epoch held of the labels."""
        return {"labels": self.labels, "agreement": self.agreement}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore it."""
        self.labels.copy_(state["labels"])
        self.agreement.copy_(state["agreement"])
        self.divided = True

    def _features_and_logits(self, images: Tensor) -> Tensor:
        network: Any = self.network
        features = network.features(images)
        return torch.cat([features, network.head(features)], 1)

    def _consistency(self, weak: Tensor, strong: Tensor) -> Tensor:
        """Return the mean cosine of h(g(z(strong))) and g(z(weak)), which takes no gradient."""
        features: Any = self.network.features
        with torch.no_grad():
            target = self.project(features(weak))
        return F.cosine_similarity(self.predictor(self.project(features(strong))), target).mean()


def relabel(logits: Tensor, given: Tensor, theta_r: float) -> Tensor:
    """Return argmax p where max p > θ_r, elsewhere the given labels, int64 (N,)."""
    confidence, predicted = logits.softmax(1).max(1)
    return torch.where(confidence > theta_r, predicted, given)


def balanced(votes: Tensor, labels: Tensor) -> Tensor:
    """Return votes (N, K), divided by how often each class occurs among the labels (N,), as distributions (N, K)."""
    counts = torch.bincount(labels, minlength=votes.shape[1]).clamp(min=1)
    return F.normalize(votes / counts, p=1)


def select(votes: Tensor, labels: Tensor, theta_s: float) -> Tensor:
    """Return whether each label has at least θ_s times the largest balanced vote, bool (N,)."""
    q = balanced(votes, labels)
    return q.gather(1, labels[:, None]).squeeze(1) >= theta_s * q.max(1).values


def _head(width: int) -> nn.Module:
    """Return a small network from `width` to 128 dimensions, of the size of the authors' heads."""
    return nn.Sequential(nn.Linear(width, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 128))
