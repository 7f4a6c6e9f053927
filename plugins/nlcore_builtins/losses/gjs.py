"""
Generalised Jensen-Shannon divergence of a label and several predictions (Englesson & Azizpour 2021, arXiv:2105.04522).

    ℓ = [π_1 KL(y ‖ m) + Σ_v π_v KL(p_v ‖ m)] / Z        m = π_1 y + Σ_v π_v p_v,  π_v = (1 − π_1) / V
    Z = −(1 − π_1) log(1 − π_1)                          p_v = softmax f(x_v), x_v the V views of an image

With V = 1 it is `jensen_shannon`. More predictions add their own divergence from each other: the network is held to the
label and to be consistent. The views are those of the run's weak augmentation; the authors have RandAugment and cutout
in both (``--augmentation crop_flip+randaugment+cutout --augmentation.n 1 --augmentation.m 3``). They take π_1 0.3 for
CIFAR-10 with 20 % symmetric and 40 % asymmetric noise, 0.1 for 80 %, and 0.5 for CIFAR-100.

A strategy that asks for the views is `standard`. Under any other the loss is given one prediction, and is
`jensen_shannon`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nlcore import parameter
from nlcore_builtins.losses.terms import distributions, log_probabilities


@dataclass
class GJS:
    """
    Jensen-Shannon divergence of a label and the predictions for several views: noise robustness and consistency.

    ℓ = [π_1 KL(y ‖ m) + Σ_v π_v KL(p_v ‖ m)] / Z with m = π_1 y + Σ_v π_v p_v and equal π_v. Englesson & Azizpour 2021;
    the defaults are the authors' for CIFAR-10 with 20 % symmetric noise.
    """

    soft_targets: ClassVar[bool] = True

    pi1: float = parameter(0.3, "π_1, the weight of the label", range="[0.001, 1)")
    predictions: int = parameter(2, "V, the views of an image, whose predictions share the rest", range="[1, 16]")

    @property
    def views(self) -> int:
        """How many views of an image the loss is given the logits of."""
        return self.predictions

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, V, K), or (B, K), and targets int64 (B,) or float (B, K)."""
        several = logits if logits.ndim == 3 else logits[:, None]
        count = several.shape[1]
        log_p = log_probabilities(several.flatten(0, 1)).view(several.shape)
        y = distributions(targets, log_p[:, 0])
        log_y = y.clamp(min=torch.finfo(y.dtype).tiny).log()
        log_1, log_v = math.log(self.pi1), math.log1p(-self.pi1) - math.log(count)
        log_m = torch.cat([log_1 + log_y[:, None], log_v + log_p], dim=1).logsumexp(1)
        of_label = (y * (log_y - log_m)).sum(1)
        of_views = (log_p.exp() * (log_p - log_m[:, None])).sum((1, 2)) / count
        divergence: Tensor = self.pi1 * of_label + (1 - self.pi1) * of_views
        return divergence / (-(1 - self.pi1) * math.log1p(-self.pi1))
