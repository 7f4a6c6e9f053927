"""
PES-semi (Bai et al. 2021, arXiv:2106.15853): progressive early stopping, then MixMatch.

    T_1 epochs    all parts are trained, with the run's optimiser
    T_2 epochs    the head is drawn anew and trained by Adam; all others stay as they are
    the rest      X = {i : argmax p(x_i) = ỹ_i}, chosen every epoch, U = the others; for each batch, in two views,

    q = sharpen(½ Σ_m p(u_m), T)
    x' = λ' x + (1 − λ') x_π,  t' = λ' t + (1 − λ') t_π    λ' = max(λ, 1 − λ), λ ~ Beta(α, α); t of ỹ, ỹ, q, q
    L = mean_X −Σ_c ω_c t'_c log p_c + λ_u r(e) mean_U mean_c (p_c − t'_c)²
    ω_c = min(mean_k(n_k) / n_c, 3) for n_c samples of X that are labelled c, 0 for a class of which there are none

with r(e) growing from 0 to 1 over `ramp` epochs, and another α in the second half of the run. An epoch has N / B steps:
a batch of B has B / 2 samples of U where these are more than those of X, else as large a share as they have of all. The
authors take λ_u from 5 (CIFAR-10N) over 15 and 50 to 150, by dataset and noise.

The learning-rate schedule is that of a run without the T_2 epochs, as in the authors' code, where these are not
counted; a run of 300 epochs there is one of 305 here. As there, q is predicted in training mode, so that running
statistics are not those of mixed images alone. Deviations: there the optimiser is made before the head is drawn anew
and goes on with the old one, so that the new head is never trained after its T_2 epochs; here it is. There samples are
chosen by augmented images, here by plain ones. Where X is smaller than half a batch, all samples are trained on as they
are labelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import Batch, Pass, StrategyContext
from nlcore.toolbox import beta, guess, mix_halves, rampup, repeated, sharpen, soft_cross_entropy, squared_error
from nlcore_builtins.losses.cross_entropy import CrossEntropy
from nlcore_builtins.strategies.empty_classes import EmptyClasses

SEMI = 2  # the last of three stages, which are numbered from 0


@dataclass
class PESSemi:
    """
    Stops the head of a network early, then trains by MixMatch, the samples it is confident of being the labelled ones.

    All parts for T_1 epochs, the head anew for T_2; then labelled are those whose predicted class is the given one, and
    the others are guessed. Bai et al. 2021.
    """

    capturable: ClassVar[bool] = True
    no_history: ClassVar[str] = "once samples are chosen its network sees mixtures of images"
    chooses_samples: ClassVar[str] = "once all parts have stopped early"
    not_frozen: ClassVar[str] = "it draws the network's weights anew"
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = ({"first": 1, "second": 1}, {"first": 1, "second": 0})

    first: int = parameter(20, "T_1, epochs of all parts", range="[1, inf)", epochs=True)
    second: int = parameter(5, "T_2, epochs of the head", range="[0, inf)", epochs=True)
    refine_lr: float = parameter(1e-4, "the learning rate of Adam in these T_2", range="(0, inf)")
    temperature: float = parameter(0.5, "T of sharpening", range="(0, 1]")
    alpha: float = parameter(4.0, "α of the Beta distribution", range="(0, inf)")
    alpha_late: float = parameter(0.75, "α in the second half of the run", range="(0, inf)")
    lambda_u: float = parameter(5.0, "λ_u, the weight of the unlabelled half", range="[0, inf)")
    ramp: int = parameter(16, "epochs in which λ_u grows", range="[0, inf)", epochs=True)

    def setup(self, ctx: StrategyContext) -> None:
        """Make one network with its loss and optimiser, and tables for what an epoch draws for its steps."""
        self.ctx = ctx
        self.network: Any = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)
        self.number = 0
        self.of_epoch = Pass()
        self.class_weight = torch.ones(ctx.num_classes, device=ctx.device)
        self.lam, self.weight, self.order = (torch.empty(0, device=ctx.device) for _ in range(3))
        self.trust = torch.ones(ctx.num_samples, device=ctx.device)
        self.predicted = ctx.given_labels.clone()
        self.told = False
        self.classes = EmptyClasses(ctx, "pes_semi")
        early = self.first + self.second
        if ctx.epochs <= early:
            ctx.report(f"pes_semi: the run ends before samples are chosen, which is after epoch {early}.")

    def refuses(self, loss: Any) -> str | None:
        """Return why losses other than cross-entropy make no sense."""
        if isinstance(loss, CrossEntropy):
            return None
        return "PES-semi minimises an objective of its own, in which another loss has no place; use cross_entropy."

    def stage(self, epoch: int) -> tuple[int, int]:
        """
        Return a first and a last epoch for the schedule.

        Before and after the T_2 epochs they are such that it is where it would be had these not been.
        """
        if epoch <= self.first:
            return 1, max(self.ctx.epochs - self.second, min(self.first, self.ctx.epochs))
        if epoch <= self.first + self.second:  # Adam's rate follows no schedule
            return self.first + 1, self.first + self.second
        return self.second + 1, self.ctx.epochs

    def begin_epoch(self, epoch: int) -> None:
        """Enter the stage of this epoch; choose the samples, and draw their order, λ and partners."""
        number = (epoch > self.first) + (epoch > self.first + self.second)
        if number != self.number:
            if number == 1:
                self.ctx.reset(self.network, self.network.stages()[-1], round=1)
            self._enter(number)
        if number < SEMI:
            return
        random = self.ctx.generator("pes_semi", epoch)
        steps, since = self.ctx.steps(), epoch - 1 - self.first - self.second
        self.of_epoch = self._choose(steps, random)
        weight = [self.lambda_u * rampup(since + step / steps, self.ramp) for step in range(steps)]
        self.weight.resize_(steps).copy_(torch.tensor(weight))
        alpha = self.alpha if epoch <= self.ctx.epochs / 2 else self.alpha_late
        self.lam.resize_(steps).copy_(beta(alpha, steps, random))
        size = 2 * (self.ctx.batch_size + 1)  # a batch may take a last single sample in
        self.order.resize_(steps, size).copy_(torch.rand(steps, size, generator=random))

    def variant(self, epoch: int) -> tuple[int, int | None]:
        """Return the number of the stage and the size of its labelled half."""
        return self.number, self.of_epoch.batch_size

    def passes(self, epoch: int) -> list[Pass]:
        """Return one pass, over all samples or over X beside U."""
        return [self.of_epoch]

    def step(self, batch: Batch) -> Tensor:
        """Descend on the loss, once samples are chosen on that of MixMatch."""
        if len(batch.views) == 1:
            logits = self.network(batch.images)
            self.loss.observe(logits, batch.index)
            return self.ctx.minimise(self.optimizer, self.loss(logits, batch.targets, batch.index).mean())
        x, u, size = batch.views, batch.paired.views if batch.paired else (), 2 * len(batch.index)
        given = F.one_hot(batch.targets, self.ctx.num_classes).float()
        guessed = sharpen(guess(self.network, u), self.temperature) if u else given[:0]
        images, targets = mix_halves(x, given, u, guessed, batch.row(self.order), batch.row(self.lam))
        logits = self.network(images)
        supervised = soft_cross_entropy(logits[:size], self.class_weight * targets[:size])
        unlabelled = batch.row(self.weight) * squared_error(logits[size:], targets[size:])
        return self.ctx.minimise(self.optimizer, supervised + unlabelled)

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits

    def clean_probability(self) -> Tensor | None:
        """Return p(ỹ | x) as samples were last chosen by, (N,); None before."""
        return self.trust if self.number == SEMI else None

    def suggested_labels(self) -> Tensor | None:
        """Return what was predicted as samples were last chosen, int64 (N,); None before."""
        return self.predicted if self.number == SEMI else None

    def state_dict(self) -> dict[str, Any]:
        """Return the stage, and what the samples were chosen by."""
        return {"number": self.number, "trust": self.trust, "predicted": self.predicted}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them; the stage's optimiser is made again."""
        self.trust.copy_(state["trust"])
        self.predicted.copy_(state["predicted"])
        self._enter(state["number"])

    def _enter(self, number: int) -> None:
        """Free what the stage trains and make its optimiser."""
        head = self.network.stages()[-1]
        self.network.requires_grad_(number != 1)
        head.requires_grad_(True)
        if number == 1:
            self.optimizer = self.ctx.optimizer(head, self.loss, kind="adam", lr=self.refine_lr, scheduled=False)
        elif self.number == 1:  # Adam has taken the place of the run's
            self.optimizer = self.ctx.optimizer(self.network, self.loss)
        self.number = number

    def _choose(self, steps: int, random: torch.Generator) -> Pass:
        """Divide the samples, weigh the classes of X, and return the pass over X beside U."""
        labels, size = self.ctx.given_labels, self.ctx.batch_size
        p = self.ctx.predict(self.network).softmax(1)
        self.predicted.copy_(p.argmax(1))
        self.trust.copy_(p.gather(1, labels[:, None]).squeeze(1))
        chosen = self.predicted == labels
        labelled, rest = chosen.nonzero().flatten(), (~chosen).nonzero().flatten()
        if len(labelled) < max(2, size // 2):
            if not self.told:
                self.ctx.report(
                    "pes_semi: for an epoch with fewer than half a batch of labelled samples all are labelled."
                )
            self.told = True
            return Pass()
        self.classes.look(labels[labelled])
        counts = torch.bincount(labels[labelled], minlength=self.ctx.num_classes).float()
        balanced = (counts.mean() / counts.clamp(min=1)).clamp(max=3)
        self.class_weight.copy_(torch.where(counts > 0, balanced, 0.0))
        others = size // 2 if len(rest) > len(labelled) else size * len(rest) // self.ctx.num_samples
        others = others if others > 1 else 0  # a batch of one would join the one before
        paired = Pass(repeated(rest, steps * others, random), others, views=2, shuffle=False) if others else None
        own = size - others
        return Pass(repeated(labelled, steps * own, random), own, views=2, shuffle=False, paired=paired)
