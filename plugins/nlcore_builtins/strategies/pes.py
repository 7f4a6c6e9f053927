"""
PES, progressive early stopping (Bai et al. 2021, arXiv:2106.15853), the variant with cross-entropy.

Later parts of a network f = f_L ∘ … ∘ f_1 fit wrong labels sooner than earlier ones, and are stopped sooner:

    T_1 epochs    all parts are trained, with the run's optimiser
    T_2 epochs    the last block and the head are drawn anew and trained by Adam; those before stay as they are
    T_3 epochs    the head is drawn anew and trained by Adam; all others stay as they are
    the rest      all parts are trained, with the run's optimiser, on C = {i : argmax p(x_i) = ỹ_i}, chosen every epoch:
                  mean_b ω_ỹ ℓ(f(x_b), ỹ_b),      ω_c = mean_k(n_k) / n_c for n_c samples of C that are labelled c

The learning-rate schedule is that of a run without the T_2 + T_3 epochs, as in the authors' code, where these are not
counted; a run of 200 epochs there is one of 212 here.

Deviations from the released code: there the optimiser is made before the parts are drawn anew and goes on with the old
ones, so that the last block and the head are never trained again after their few epochs; here all parts are, as the
paper has it. There the samples are chosen by their augmented images, here by plain ones. The mean is over the batch,
not divided by the sum of the weights ω, whose mean over C is 1. As there, parts that stay are in training mode: their
batch normalisation goes on estimating the statistics of fixed weights. Where C is smaller than a batch, all samples are
taken, with weights of 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nlcore import parameter
from nlcore.contracts import Batch, Pass, StrategyContext
from nlcore_builtins.strategies.empty_classes import EmptyClasses

CONFIDENT = 3  # the last of four stages, which are numbered from 0


@dataclass
class PES:
    """
    Stops the parts of a network progressively early, then trains all of it on the samples that it is confident of.

    All parts for T_1 epochs, the last block and the head anew for T_2, the head anew for T_3; then all parts on the
    samples whose predicted class is the given one, with balanced classes. Bai et al. 2021.
    """

    capturable: ClassVar[bool] = True
    chooses_samples: ClassVar[str] = "once all parts have stopped early"
    not_frozen: ClassVar[str] = "it draws the network's weights anew"
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = (
        {"first": 1, "second": 1, "third": 1},
        {"first": 1, "second": 0, "third": 0},
    )

    first: int = parameter(25, "T_1, epochs of all parts", range="[1, inf)", epochs=True)
    second: int = parameter(7, "T_2, epochs of the last block and the head", range="[0, inf)", epochs=True)
    third: int = parameter(5, "T_3, epochs of the head", range="[0, inf)", epochs=True)
    refine_lr: float = parameter(1e-4, "the learning rate of Adam in these T_2 + T_3", range="(0, inf)")

    def setup(self, ctx: StrategyContext) -> None:
        """Make one network with its loss and optimiser."""
        self.ctx = ctx
        self.network: Any = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)
        self.number = 0
        self.indices: Tensor | None = None
        self.weight = torch.ones(ctx.num_classes, device=ctx.device)
        self.trust = torch.ones(ctx.num_samples, device=ctx.device)
        self.told = False
        self.classes = EmptyClasses(ctx, "pes")
        early = self.first + self.second + self.third
        if ctx.epochs <= early:
            ctx.report(f"pes: the run ends before samples are chosen, which is after epoch {early}.")

    def stage(self, epoch: int) -> tuple[int, int]:
        """
        Return a first and a last epoch for the schedule.

        Before and after the T_2 + T_3 epochs they are such that it is where it would be had these not been.
        """
        refinement = self.second + self.third
        if epoch <= self.first:
            return 1, max(self.ctx.epochs - refinement, min(self.first, self.ctx.epochs))
        if epoch <= self.first + refinement:  # Adam's rate follows no schedule
            return self.first + 1, self.first + refinement
        return refinement + 1, self.ctx.epochs

    def begin_epoch(self, epoch: int) -> None:
        """Enter the stage of this epoch, and choose the samples."""
        number = self._number(epoch)
        if number != self.number:
            for part in self._parts(number):
                self.ctx.reset(self.network, part, round=number)
            self._enter(number)
        if number == CONFIDENT:
            self._choose()

    def variant(self, epoch: int) -> int:
        """Return the number of the stage."""
        return self.number

    def passes(self, epoch: int) -> list[Pass]:
        """Return one pass over all samples or the chosen ones."""
        return [Pass(indices=self.indices)]

    def step(self, batch: Batch) -> Tensor:
        """Descend on the batch's mean loss, weighted by class."""
        logits = self.network(batch.images)
        self.loss.observe(logits, batch.index)
        losses = self.loss(logits, batch.targets, batch.index)
        return self.ctx.minimise(self.optimizer, (self.weight[batch.targets] * losses).mean())

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits

    def clean_probability(self) -> Tensor | None:
        """Return p(ỹ | x) as samples were last chosen by, (N,); None before."""
        return self.trust if self.number == CONFIDENT else None

    def state_dict(self) -> dict[str, Any]:
        """Return the stage, and what the samples were chosen by."""
        return {"number": self.number, "trust": self.trust}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them; the stage's optimiser is made again."""
        self.trust.copy_(state["trust"])
        self._enter(state["number"])

    def _number(self, epoch: int) -> int:
        ends = (self.first, self.first + self.second, self.first + self.second + self.third)
        return sum(epoch > end for end in ends)

    def _parts(self, number: int) -> list[nn.Module]:
        """Return what a stage draws anew."""
        parts: list[nn.Module] = self.network.stages()
        return {1: parts[-2:], 2: parts[-1:]}.get(number, [])

    def _enter(self, number: int) -> None:
        """Free what the stage trains and make its optimiser."""
        parts = self._parts(number)
        self.network.requires_grad_(not parts)
        for part in parts:
            part.requires_grad_(True)
        if parts:
            self.optimizer = self.ctx.optimizer(parts, self.loss, kind="adam", lr=self.refine_lr, scheduled=False)
        elif self.number in (1, 2):  # Adam has taken the place of the run's
            self.optimizer = self.ctx.optimizer(self.network, self.loss)
        self.number = number

    def _choose(self) -> None:
        """Choose the samples that are predicted as they are labelled, and weigh their classes."""
        labels, classes = self.ctx.given_labels, self.ctx.num_classes
        p = self.ctx.predict(self.network).softmax(1)
        self.trust.copy_(p.gather(1, labels[:, None]).squeeze(1))
        chosen = p.argmax(1) == labels
        enough = int(chosen.sum()) >= self.ctx.batch_size
        if not enough and not self.told:
            self.ctx.report(
                "pes: fewer samples than a batch were predicted as labelled; such an epoch takes all of them."
            )
            self.told = True
        elif enough:
            self.classes.look(labels[chosen])
        counts = torch.bincount(labels[chosen], minlength=classes).float()
        balanced = torch.where(counts > 0, counts.mean() / counts.clamp(min=1), 0.0)
        self.weight.copy_(balanced if enough else torch.ones(classes))
        self.indices = chosen.nonzero().flatten().cpu() if enough else None
