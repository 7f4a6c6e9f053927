"""
CORES² (Cheng et al. 2021, arXiv:2010.02347): confidence regularisation and a sample sieve.

    ℓ(f_i, y_i) = v_i [CE(f_i, y_i) − β Σ_k π_k CE(f_i, k)]        π: how often each label is given
    v_i = 1 if CE(f_i, y_i) ≤ (1/K) Σ_k CE(f_i, k), else 0         from epoch ``sieve`` + 1 on; 1 before
    CE(f, k) = −log p_k,  p = softmax(f);  −log(p_k + 1e-8) in the sums over k

The regulariser makes predictions confident; a label that fits worse than a label does on average is then sieved out.
The constant 1e-8 is that of the authors' code: without it the subtracted term, and so the loss, has no bound.

Deviations from the authors' code: it divides a batch's sum by the number of samples that pass the sieve; here, as in
the paper's objective, a sample that is sieved out counts with a loss of 0, so that each sample's loss is its own. It
computes π anew in each epoch from the samples that passed; here π is that of all given labels. The authors' second
phase (consistency training on what was sieved out, CORES²⋆) is a strategy of its own and not part of this loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import LossContext

_EPSILON = 1e-8


@dataclass
class CORES:
    """
    Cross-entropy that rewards confidence, and leaves out labels that fit worse than the average one.

    ℓ(f, y) = v [CE(f, y) − β Σ_k π_k CE(f, k)] with π the share of each given label; v is 0 where CE(f, y) is above the
    mean of CE(f, k) over all k, after ``sieve`` epochs. Cheng et al. 2021. β is 0 for ``warm_up`` epochs
    and grows to its full value over ``ramp``; the learning rate is divided by 1 + β. The defaults are the authors', for
    100 epochs: a run of 20 ends before the sieve and at a third of β, so shorten --loss.warm_up, --loss.ramp and
    --loss.sieve for one.
    """

    soft_targets: ClassVar[bool] = True
    capturable: ClassVar[bool] = True

    beta: float = parameter(2.0, "β, the weight of the regulariser in the end", range="[0, inf)")
    warm_up: int = parameter(10, "epochs without the regulariser", range="[0, inf)", epochs=True)
    ramp: int = parameter(30, "epochs in which β grows after the warm-up", range="[2, inf)", epochs=True)
    sieve: int = parameter(31, "epochs without the sieve", range="[0, inf)", epochs=True)

    @property
    def until(self) -> tuple[int, str]:
        """For how many epochs it is something simpler, and what."""
        return (self.warm_up, "cross-entropy") if self.warm_up >= self.sieve else (self.sieve, "without its sieve")

    def setup(self, ctx: LossContext) -> None:
        """Make π, float32 (K,), and the epoch's coefficients: β, a scalar, and whether to sieve, bool."""
        counts = torch.bincount(ctx.given_labels, minlength=ctx.num_classes)
        self.prior = (counts / ctx.num_samples).to(ctx.device)
        self.weight = torch.zeros((), device=ctx.device)
        self.sieving = torch.zeros((), dtype=torch.bool, device=ctx.device)

    def begin_epoch(self, epoch: int, epochs: int, predict: Callable[[], Tensor]) -> None:
        """Set β and whether to sieve."""
        self.weight.fill_(self._beta(epoch))
        self.sieving.fill_(epoch > self.sieve)

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """
        Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K).

        Raises:
            RuntimeError: the share of each label is not known yet.

        """
        if not hasattr(self, "prior"):
            raise RuntimeError("CORES needs the share of each given label: call setup(ctx) first.")
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        targets = targets.to(logits.dtype) if targets.is_floating_point() else targets
        own = F.cross_entropy(logits, targets, reduction="none")
        all_labels = -torch.log(F.softmax(logits, dim=1) + _EPSILON)
        sieved = self.sieving & (own > all_labels.mean(1))
        loss = own - self.weight * (self.prior.to(logits.dtype) * all_labels).sum(1)
        return torch.where(sieved, 0.0, loss)

    def lr_scale(self, epoch: int) -> float:
        """Return 1 / (1 + β)."""
        return 1 / (1 + self._beta(epoch))

    def _beta(self, epoch: int) -> float:
        return self.beta * min(max((epoch - 1 - self.warm_up) / (self.ramp - 1), 0.0), 1.0)
