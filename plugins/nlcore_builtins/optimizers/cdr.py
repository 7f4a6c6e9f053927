"""
CDR, robust early-learning (Xia et al. 2021, https://openreview.net/forum?id=Eql5b1_hTE4).

    s_i = |g_i θ_i|                                                    how critical a weight is; g the batch's gradient
    h_i = (1 − τ) g_i for the (1 − τ) m weights of largest s_i, else 0                                m weights in all
    v ← μ v + h + w θ        θ ← θ − η v

Early in training, few weights are enough to fit right labels, and the others fit wrong ones. So in each step only the
critical weights follow the gradient; the others decay. The more labels are wrong (τ), the fewer are critical, and the
factor 1 − τ makes steps less bold. With τ = 0 this is SGD.

τ is the share of wrong labels, which nobody knows in practice; with ``auto`` it is estimated. Judged are the weights of
linear layers and convolutions, all of an optimiser by one threshold; biases, normalisation and what losses learn beside
the network (plain tensors, no ``nn.Parameter``) get their gradients as they are. This and the next points are as in the
authors' code: weights decay by w θ, where the paper has the sign of θ in place of θ; and with momentum, which the paper
leaves out, a weight that is not critical in a step goes on with what it gained in earlier ones. There, the share of
critical weights was meant to fall from 1 in the first epochs, which has no effect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nlcore import parameter
from nlcore.contracts import StrategyContext


@dataclass
class CDR:
    """
    SGD in which only critical weights follow the gradient, and the others decay.

    Critical are the share 1 − τ of weights with the largest |g θ|; their gradients are multiplied by 1 − τ and those of
    the others by 0. τ is the share of wrong labels. Xia et al. 2021; the defaults are the authors', with batches of 32
    to 64, but for τ, which they tell the method.
    """

    lr: float = parameter(0.01, "η, the learning rate", range="(0, inf)")
    tau: float | Literal["auto"] = parameter(
        0.2, "τ, the share of wrong labels, and of weights that do not follow; auto: as estimated", range="[0, 1)"
    )
    momentum: float = parameter(0.9, "μ, the momentum", range="[0, 1)")
    weight_decay: float = parameter(1e-3, "w, the weight decay", range="[0, inf)")

    def __post_init__(self) -> None:
        """Take τ, which `setup` has estimated where that is asked."""
        self.share = 0.0 if self.tau == "auto" else self.tau

    def setup(self, ctx: StrategyContext) -> None:
        """Have the share of wrong labels estimated where that is asked."""
        if self.tau == "auto":
            self.share = ctx.estimated_noise().rate
            ctx.report(
                f"tau: {self.share:.4f}, estimated by the confident joint from samples held out in turn; a network "
                "that is often wrong makes it too high"
            )

    def make(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Return an optimiser over these groups."""
        options = {"lr": self.lr, "momentum": self.momentum, "weight_decay": self.weight_decay}
        return CriticalSGD(groups, self.share, fused=True, **options)


class CriticalSGD(torch.optim.SGD):
    """SGD that is given the gradients of critical weights, times 1 − τ, and of the others none."""

    def __init__(self, groups: Iterable[Any], tau: float, **options: Any) -> None:
        """
        Take the groups as SGD does.

        Args:
            groups: parameters or groups of them, as for any optimiser.
            tau: τ, the share of weights that are not critical.
            options: those of `torch.optim.SGD`.

        """
        super().__init__(groups, **options)
        self.tau = tau

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Do a step; afterwards ``grad`` of the weights that were judged holds (1 − τ) g or 0."""
        judged = [p for group in self.param_groups for p in group["params"] if _is_judged(p)]
        if judged and self.tau:
            scores = [(p.grad * p).abs() for p in judged]
            threshold = self._threshold(torch.cat([score.flatten() for score in scores]))
            for p, score in zip(judged, scores, strict=True):
                p.grad.mul_((1 - self.tau) * (score >= threshold))
        return super().step(closure)

    def _threshold(self, scores: Tensor) -> Tensor:
        """Return the smallest score of the max(1, ⌊(1 − τ) m⌋) largest ones: 0-dimensional, on their device."""
        critical = max(1, int((1 - self.tau) * len(scores)))
        return scores.topk(len(scores) - critical + 1, largest=False, sorted=False).values.max()


def _is_judged(p: Tensor) -> bool:
    return isinstance(p, nn.Parameter) and p.ndim in (2, 4) and p.grad is not None
