"""
Joint optimisation (Tanaka et al. 2018, arXiv:1803.11364).

    L = mean_i −Σ_k q_ik log p_ik  +  α Σ_k π_k log(π_k / p̄_k)  +  β mean_i H(p_i)        p̄ = mean_i p_i,  π_k = 1/K
    q_i ← the mean of p_i over the last 10 epochs        after each epoch from ``start`` on; the given label before

A high learning rate keeps a network from learning wrong labels by heart. So in the first step it is trained at one, and
labels and weights are optimised in turn; α keeps predictions from falling into one class and β makes them sure. In the
second step a new network is trained on the labels q that were found, without the two terms.

The rate of the first step is constant whatever the run's schedule says; the schedule begins with the second step. For
high noise the authors take a lower rate than 0.1 and larger α and β (0.08, 1.2 and 0.8 for 70 % symmetric noise), for
40 % asymmetric noise 0.03, 0.8 and 0.4. They train both steps for 200 and 120 epochs and correct labels after 70; here
these are shares of the run, so that they suit a short run and a long one. p is what training steps predict, on
augmented images. The paper has KL(q ‖ p) in place of the cross-entropy, which has the same gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import Batch, StrategyContext
from nlcore.toolbox import neg_entropy, prior_penalty


@dataclass
class JointOptimisation:
    """
    Trains at a high rate and puts mean predictions in the place of labels, then trains a new network on these.

    L = mean −Σ_k q_k log p_k + α KL(π ‖ mean p) + β mean H(p) with q the mean of p over the last epochs; afterwards the
    first term alone. Tanaka et al. 2018; α and β are those of the authors' code.
    """

    capturable: ClassVar[bool] = True
    no_history: ClassVar[str] = "it puts predictions in the place of labels"
    not_frozen: ClassVar[str] = "it draws the network's weights anew"

    alpha: float = parameter(1.0, "α, the weight of KL(π ‖ mean p)", range="[0, inf)")
    beta: float = parameter(0.5, "β, the weight of the entropy of predictions", range="[0, inf)")
    window: int = parameter(10, "epochs whose predictions are averaged", range="[1, inf)", epochs=True)
    start: float = parameter(0.22, "where labels are corrected first, a share of the epochs", range="[0, 1]")
    first: float = parameter(0.625, "where the second step begins, a share of the epochs", range="[0, 1]")

    def __post_init__(self) -> None:
        """
        Check the parameters together.

        Raises:
            ValueError: the second step begins before labels are corrected.

        """
        if self.start > self.first:
            raise ValueError(f"start = {self.start} must be at most first = {self.first}: labels are corrected before.")

    def setup(self, ctx: StrategyContext) -> None:
        """Make a network, a loss and an optimiser for each step, and the labels q, float32 (N, K)."""
        self.ctx = ctx
        self.network = ctx.network()
        self.losses = [ctx.loss(self.network) for _ in range(2)]  # so that a memory of the first network ends with it
        self.optimizer = ctx.optimizer(self.network, self.losses[0], scheduled=False)
        self.q = F.one_hot(ctx.given_labels, ctx.num_classes).float()
        self.predicted = torch.zeros_like(self.q)
        self.past = torch.zeros(self.window, *self.q.shape, device=ctx.device)
        self.corrected = self.second = False
        if ctx.epochs <= self._last(self.start):
            ctx.report("joint_optimisation: the run ends before labels are corrected")

    def begin_epoch(self, epoch: int) -> None:
        """Correct the labels with what the epoch before predicted; begin the second step when it is time."""
        if epoch > 1 and not self.second:
            self.past[epoch % self.window].copy_(self.predicted)
            self.predicted.zero_()
            if epoch > self._last(self.start):
                total = self.past.sum(0)  # an epoch that there was not, or that left a sample out, is 0 in it
                seen = total.sum(1, keepdim=True)
                self.q.copy_(torch.where(seen > 0, total / seen, self.q))
                self.corrected = True
        if epoch > self._last(self.first) and not self.second:
            self.ctx.reset(self.network, round=1)
            self._begin_second()

    def variant(self, epoch: int) -> bool:
        """Return whether this is the second step."""
        return self.second

    def stage(self, epoch: int) -> tuple[int, int]:
        """Return the first and the last epoch of the step that an epoch belongs to."""
        last = self._last(self.first)
        return (1, last) if epoch <= last else (last + 1, self.ctx.epochs)

    def step(self, batch: Batch) -> Tensor:
        """Descend on the loss of the labels q, in the first step with both terms."""
        logits = self.network(batch.images)
        loss = self.losses[self.second]
        loss.observe(logits, batch.index)
        objective = loss(logits, self.q[batch.index], batch.index).mean()
        if not self.second:
            self.predicted[batch.index] = logits.detach().softmax(1).float()
            objective = objective + self.alpha * prior_penalty(logits) - self.beta * neg_entropy(logits)
        return self.ctx.minimise(self.optimizer, objective)

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits

    def clean_probability(self) -> Tensor | None:
        """Return q of the given label, (N,)."""
        if not self.corrected:
            return None
        return self.q.gather(1, self.ctx.given_labels[:, None]).squeeze(1).clamp(0, 1)

    def suggested_labels(self) -> Tensor | None:
        """Return the largest q's label, int64 (N,)."""
        return self.q.argmax(1) if self.corrected else None

    def refuses(self, loss: Any) -> str | None:
        """Return why a loss that takes labels only makes no sense."""
        if getattr(loss, "soft_targets", False):
            return None
        return "corrected labels are distributions, and this loss takes labels only; use cross_entropy."

    def state_dict(self) -> dict[str, Any]:
        """Return the labels, the predictions they are made of, and the step."""
        tables = {"q": self.q, "predicted": self.predicted, "past": self.past}
        return {**tables, "corrected": self.corrected, "second": self.second}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them, and make the second step's optimiser again."""
        for table, saved in ((self.q, "q"), (self.predicted, "predicted"), (self.past, "past")):
            table.copy_(state[saved])
        self.corrected = state["corrected"]
        if state["second"]:
            self._begin_second()

    def _last(self, share: float) -> int:
        """Return the last epoch before a share of the run; there is always one."""
        return max(1, int(share * self.ctx.epochs))

    def _begin_second(self) -> None:
        self.second = True
        self.optimizer = self.ctx.optimizer(self.network, self.losses[1])
