"""What an optimiser is: how gradients become steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch


class Optimizer(Protocol):
    """
    Makes torch optimisers with its own hyper-parameters.

    Attributes:
        lr: the learning rate, a parameter whose default is the optimiser's own good one; ``--lr`` sets it. The run's
            schedule multiplies it.

    The torch optimiser may have ``ascend()``: then each step is taken twice. After the first gradients ``ascend`` moves
    the weights, after the second ``step`` moves them back and takes the step (sharpness-aware minimisation).

    Optional:
        ``setup(ctx)`` is called before `make` with the strategy's context, for what a rule has to know of the run:
        ``ctx.estimated_noise()``, ``ctx.report(text)``.
    """

    lr: float

    def make(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """
        Return a torch optimiser over these parameter groups.

        Args:
            groups: as torch takes them. A group may have options of its own, which go before this optimiser's: an
                ``lr``, a ``weight_decay``; options that the optimiser does not know (``scheduled``) are kept in the
                group and mean nothing to it.

        """
