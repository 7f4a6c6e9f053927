"""What strategies that choose among the labels say of classes of which none is left."""

from __future__ import annotations

import torch
from torch import Tensor

from nlcore.contracts import StrategyContext


class EmptyClasses:
    """Says once where a class has no sample among those that are trained on: what is not shown is not learnt again."""

    def __init__(self, ctx: StrategyContext, strategy: str) -> None:
        self._ctx, self._strategy, self._told = ctx, strategy, False

    def look(self, labels: Tensor) -> None:
        """Look at the labels that are trained with, int64 (n,)."""
        missing = int((torch.bincount(labels, minlength=self._ctx.num_classes) == 0).sum())
        if missing and not self._told:
            self._told = True
            self._ctx.report(
                f"{self._strategy}: no sample of {missing} of the {self._ctx.num_classes} classes was chosen in an "
                "epoch, and training goes on without them. A longer warm-up may help."
            )
