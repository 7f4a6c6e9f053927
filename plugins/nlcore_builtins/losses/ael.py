"""
Asymmetric exponential loss (Zhou et al. 2021, arXiv:2106.03110).

    ℓ(f, y) = exp(−p_y / a)        p = softmax(f);  a → ∞, shifted and scaled: 1 − p_y

It is never below exp(−1 / a), which a fitted sample costs. a = 2.5 is the authors' for CIFAR-10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nlcore import parameter
from nlcore_builtins.losses.terms import log_probabilities, over_labels


@dataclass
class AEL:
    """
    Asymmetric exponential loss: robust as long as the true class is the most frequent label.

    ℓ(f, y) = exp(−p_y / a) with p = softmax(f). Zhou et al. 2021; the default is the authors' for CIFAR-10.
    """

    soft_targets: ClassVar[bool] = True

    a: float = parameter(2.5, "a; the larger, the more like mean absolute error", range="[0.001, 1000]")

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K): the mean over labels."""
        return over_labels(lambda log_p: torch.exp(-log_p.exp() / self.a), log_probabilities(logits), targets)
