"""
A stranger's plugin in one file: methods that ask much of the contract, written from it alone.

Not for use: short forms of DivideMix, of PES, of GLC and of a contrastive head, that are trained, killed, resumed and
loaded by `test_zoo`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlcore import Component, UserError, hookimpl, parameter
from nlcore.contracts import Batch, Pass, StrategyContext
from nlcore.toolbox import beta, gmm_clean, mixup_pairs, prior_penalty, sharpen

NLCORE_API = 1


@hookimpl
def nl_strategies() -> list[Component]:
    """Return the strategies."""
    return [
        Component("divide_mix_short", "zoo:DivideMixShort", "DivideMix, shortest form.", "arXiv:2002.07394"),
        Component("pes_short", "zoo:PESShort", "Progressive early stopping over parts.", "arXiv:2106.15853"),
        Component("glc_short", "zoo:GLCShort", "Gold loss correction.", "arXiv:1802.05300"),
        Component("contrast", "zoo:Contrast", "Cross-entropy and agreement of two views' projections."),
    ]


@dataclass
class DivideMixShort:
    """
    Two networks divide the samples for each other by a mixture over their losses.

    Labelled X = {w > ½} with targets sharpened from w ỹ + (1 − w) p, unlabelled U with sharpened guesses; both mixed.
    Li, Socher, Hoi 2020, algorithm 1.
    """

    chooses_samples: ClassVar[str] = "after its warm-up"
    no_history: ClassVar[str] = "after its warm-up its networks see mixtures of images"
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = ({"warm_up": 1},)
    defaults: ClassVar[dict[str, Any]] = {"lr": 0.02}

    warm_up: int = parameter(10, "epochs of cross-entropy", range="[0, inf)")
    alpha: float = parameter(4.0, "α of the Beta distribution", range="(0, inf)")
    temperature: float = parameter(0.5, "T of sharpening", range="(0, 1]")
    lambda_u: float = parameter(25.0, "weight of the unlabelled part", range="[0, inf)")

    def setup(self, ctx: StrategyContext) -> None:
        """Make two networks."""
        self.ctx = ctx
        self.networks = [ctx.network(), ctx.network()]
        self.losses = [ctx.loss(network) for network in self.networks]
        self.optimizers = [ctx.optimizer(*pair) for pair in zip(self.networks, self.losses, strict=True)]
        self.w = torch.ones(2, ctx.num_samples)
        if ctx.epochs <= self.warm_up:
            ctx.report(f"divide_mix_short: {ctx.epochs} epochs are all warm-up; it never divides")

    def begin_epoch(self, epoch: int) -> None:
        """Divide, and draw λ and the partners of each step."""
        self.dividing = epoch > self.warm_up
        if self.dividing:
            labels = self.ctx.given_labels
            for k, network in enumerate(self.networks):
                losses = F.cross_entropy(self.ctx.predict(network), labels, reduction="none")
                self.w[1 - k] = gmm_clean(losses.cpu(), self.ctx.seed(f"gmm/{k}", epoch))
        random = self.ctx.generator("divide_mix", epoch)
        steps, views = sum(self.ctx.steps(one) for one in self.passes(epoch)), 4 * (self.ctx.batch_size + 1)
        lam = beta(self.alpha, steps, random)
        self.lam = torch.maximum(lam, 1 - lam).to(self.ctx.device)
        self.order = torch.rand(steps, views, generator=random).to(self.ctx.device)

    def variant(self, epoch: int) -> bool:
        """Return the phase."""
        return self.dividing

    def passes(self, epoch: int) -> list[Pass]:
        """Return one pass for each network, over its labelled half beside its unlabelled one."""
        if not self.dividing:
            return [Pass(label=0), Pass(label=1)]
        half = self.ctx.batch_size // 2
        found = []
        for k in (0, 1):
            clean = self.w[k] > 0.5
            if int(clean.sum()) < half or int((~clean).sum()) < 2:
                found.append(Pass(label=k))
                continue
            paired = Pass(indices=~clean, batch_size=half, views=2)
            found.append(Pass(indices=clean, batch_size=half, views=2, label=k, paired=paired))
        return found

    def step(self, batch: Batch) -> Tensor:
        """Train the network that the pass names."""
        k = batch.label
        network, loss, optimizer = self.networks[k], self.losses[k], self.optimizers[k]
        if batch.paired is None:
            logits = network(batch.images)
            loss.observe(logits, batch.index)
            return self.ctx.minimise(optimizer, loss(logits, batch.targets, batch.index).mean())
        x, u = batch.views, batch.paired.views
        K = self.ctx.num_classes
        with torch.no_grad():
            own = sum(network(view).softmax(1) for view in x) / 2
            w = self.w[k].to(batch.index.device)[batch.index, None]
            refined = sharpen(w * F.one_hot(batch.targets, K) + (1 - w) * own, self.temperature)
            both = [net(view).softmax(1) for net in self.networks for view in u]
            guessed = sharpen(sum(both) / 4, self.temperature)
        images, targets = torch.cat([*x, *u]), torch.cat([refined, refined, guessed, guessed])
        lam = batch.row(self.lam)
        partner = mixup_pairs(batch.row(self.order), len(images))
        logits = network(lam * images + (1 - lam) * images[partner])
        mixed = lam * targets + (1 - lam) * targets[partner]
        labelled = 2 * len(batch.index)
        supervised = -(mixed[:labelled] * logits[:labelled].log_softmax(1)).sum(1).mean()
        unlabelled = (logits[labelled:].softmax(1) - mixed[labelled:]).square().mean()
        return self.ctx.minimise(optimizer, supervised + self.lambda_u * unlabelled + prior_penalty(logits))

    def predict(self, images: Tensor) -> Tensor:
        """Return the sum of both networks' logits."""
        first, second = (network(images) for network in self.networks)
        total: Tensor = first + second
        return total

    def clean_probability(self) -> Tensor | None:
        """Return the mean of both divisions."""
        return self.w.mean(0) if self.dividing else None

    def suggested_labels(self) -> Tensor | None:
        """Return the given label where it is trusted, else what the networks predict."""
        if not self.dividing:
            return None
        predicted = self.ctx.predict(self.predict).argmax(1)
        trusted = self.w.mean(0).to(predicted.device) > 0.5
        return torch.where(trusted, self.ctx.given_labels, predicted)

    def state_dict(self) -> dict[str, Any]:
        """Return the divisions."""
        return {"w": self.w}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.w = state["w"].clone()


@dataclass
class PESShort:
    """
    Progressive early stopping: all parts first, then the last two anew with Adam, then the head.

    Bai et al. 2021. The optimiser of a stage is made over parts, and takes the place of the one before.
    """

    checked_with: ClassVar[tuple[dict[str, Any], ...]] = ({"first": 1, "second": 1},)

    first: int = parameter(25, "T_1, epochs of all parts", range="[1, inf)")
    second: int = parameter(7, "T_2, epochs of the parts after the first", range="[1, inf)")
    lr: float = parameter(1e-3, "Adam's rate for later parts", range="(0, inf)")

    def setup(self, ctx: StrategyContext) -> None:
        """Make a network."""
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)
        self.number = 0

    def stage(self, epoch: int) -> tuple[int, int]:
        """Return the stage that an epoch belongs to: its first and its last epoch."""
        if epoch <= self.first:
            return 1, min(self.first, self.ctx.epochs)
        if epoch <= self.first + self.second:
            return self.first + 1, min(self.first + self.second, self.ctx.epochs)
        return self.first + self.second + 1, self.ctx.epochs

    def begin_epoch(self, epoch: int) -> None:
        """Enter the stage of this epoch."""
        number = 0 if epoch <= self.first else 1 if epoch <= self.first + self.second else 2
        if number != self.number:
            for part in self._parts(number):
                self.ctx.reset(self.network, part, round=number)
            self._enter(number)

    def step(self, batch: Batch) -> Tensor:
        """Descend on the batch's mean loss."""
        logits = self.network(batch.images)
        self.loss.observe(logits, batch.index)
        return self.ctx.minimise(self.optimizer, self.loss(logits, batch.targets, batch.index).mean())

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits

    def clean_probability(self) -> Tensor:
        """Return the mean probability of the given label over two augmented views."""
        views = [self.ctx.predict(self.network, view="weak", epoch=number).softmax(1) for number in (1, 2)]
        chosen = self.ctx.given_labels[:, None]
        return torch.stack(views).mean(0).gather(1, chosen).squeeze(1)

    def state_dict(self) -> dict[str, Any]:
        """Return the stage."""
        return {"number": self.number}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Make the optimiser of the saved stage again."""
        if state["number"]:
            self._enter(state["number"])

    def _enter(self, number: int) -> None:
        self.number = number
        parts = self._parts(number)
        self.optimizer = self.ctx.optimizer(parts, self.loss, kind="adam", lr=self.lr, scheduled=False)

    def _parts(self, number: int) -> list[nn.Module]:
        stages: list[nn.Module] = self.network.stages()  # type: ignore[operator]
        return stages[-2:] if number == 1 else stages[-1:]


@dataclass
class GLCShort:
    """
    Gold loss correction: a matrix that is estimated on trusted images corrects the loss of all others.

    Ĉ_ij = mean of p(ỹ = j | x) over trusted x of class i, of a network that was trained on the given labels; then the
    loss is −log Σ_i Ĉ_iỹ p_i for given labels, and cross-entropy for trusted ones. Hendrycks et al. 2018, equation 1.
    """

    checked_with: ClassVar[tuple[dict[str, Any], ...]] = ({"warm_up": 1},)

    warm_up: int = parameter(10, "epochs on the given labels", range="[1, inf)")

    def setup(self, ctx: StrategyContext) -> None:
        """Make a network."""
        if not ctx.num_trusted:
            raise UserError("glc_short needs images with trusted labels: --trusted 100 gives it 100.")
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)
        self.C = torch.eye(ctx.num_classes, device=ctx.device)

    def begin_epoch(self, epoch: int) -> None:
        """Estimate the matrix when the warm-up is over."""
        self.correcting = epoch > self.warm_up
        if epoch == self.warm_up + 1:
            p = self.ctx.predict(self.network, source="trusted").softmax(1)
            labels = self.ctx.trusted_labels
            for i in range(self.ctx.num_classes):
                if bool((labels == i).any()):
                    self.C[i] = p[labels == i].mean(0)

    def variant(self, epoch: int) -> bool:
        """Return the phase."""
        return self.correcting

    def passes(self, epoch: int) -> list[Pass]:
        """Return one pass, beside trusted images once the matrix is there."""
        return [Pass(paired=Pass(source="trusted", batch_size=16) if self.correcting else None)]

    def step(self, batch: Batch) -> Tensor:
        """Descend on the corrected loss of given labels and the loss of trusted ones."""
        logits = self.network(batch.images)
        self.loss.observe(logits, batch.index)
        if batch.paired is None:
            return self.ctx.minimise(self.optimizer, self.loss(logits, batch.targets, batch.index).mean())
        corrected = (logits.softmax(1) @ self.C).gather(1, batch.targets[:, None]).clamp_min(1e-8)
        gold = F.cross_entropy(self.network(batch.paired.images), batch.paired.targets)
        return self.ctx.minimise(self.optimizer, gold - corrected.log().mean())

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits

    def state_dict(self) -> dict[str, Any]:
        """Return the matrix."""
        return {"C": self.C}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it, in place."""
        self.C.copy_(state["C"])


@dataclass
class Contrast:
    """
    Cross-entropy on a weak view, and NT-Xent-like agreement of a strong view's projection with the weak one's.

    The network's features go through a head of the strategy's own, which `predict` asks as well, averaged with the
    network's teacher.
    """

    weight: float = parameter(0.5, "of the agreement", range="[0, inf)")
    dim: int = parameter(16, "dimensions of the projection", range="[1, inf)")
    seen: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    def setup(self, ctx: StrategyContext) -> None:
        """Make a network, its teacher, a projection and a classifier on it."""
        self.ctx = ctx
        self.network = ctx.network()
        self.teacher = ctx.teacher(self.network, 0.9)
        width = self.network.head.in_features  # type: ignore[union-attr]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(ctx.seed("projection"))
            self.projection = ctx.module(nn.Linear(width, self.dim))  # type: ignore[arg-type]
            self.classifier = ctx.module(nn.Linear(self.dim, ctx.num_classes))
        self.loss = ctx.loss(self.network)
        groups = [self.network, self.projection, (self.classifier, {"lr_factor": 0.5, "weight_decay": 0.0})]
        self.optimizer = ctx.optimizer(groups, self.loss)

    def passes(self, epoch: int) -> Iterator[Pass]:
        """Yield one pass with a weak and a strong view."""
        yield Pass(views=("weak", "strong"))

    def step(self, batch: Batch) -> Tensor:
        """Descend on the loss and the disagreement."""
        weak, strong = batch.views
        features = self.network.features(weak)  # type: ignore[operator]
        logits = self.network.head(features)  # type: ignore[operator]
        self.loss.observe(logits, batch.index)
        z = F.normalize(self.projection(features), dim=1)
        z_strong = F.normalize(self.projection(self.network.features(strong)), dim=1)  # type: ignore[operator]
        agreement = (z * z_strong).sum(1).mean()
        on_top = self.loss(self.classifier(self.projection(features)), batch.targets, batch.index).mean()
        objective = self.loss(logits, batch.targets, batch.index).mean() + on_top - self.weight * agreement
        return self.ctx.minimise(self.optimizer, objective)

    def predict(self, images: Tensor) -> Tensor:
        """Return the sum of the teacher's logits and those of the classifier on the projection."""
        features = self.network.features(images)  # type: ignore[operator]
        logits: Tensor = self.teacher(images) + self.classifier(self.projection(features))
        return logits
