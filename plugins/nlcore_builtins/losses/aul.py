"""
Asymmetric unhinged loss (Zhou et al. 2021, arXiv:2106.03110).

    ℓ(f, y) = [(a − p_y)^q − (a − 1)^q] / q        p = softmax(f);  q = 1 or a → ∞, scaled: 1 − p_y

q is the paper's p. It is called AUE in the authors' code, and the defaults are theirs for CIFAR-10. a and q are allowed
as far as float32 reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nlcore import parameter
from nlcore_builtins.losses.terms import SMALLEST_Q, log_probabilities, over_labels


@dataclass
class AUL:
    """
    Asymmetric unhinged loss: robust as long as the true class is the most frequent label.

    ℓ(f, y) = [(a − p_y)^q − (a − 1)^q] / q with p = softmax(f). Zhou et al. 2021, where q is called p; the defaults are
    the authors' for CIFAR-10.
    """

    soft_targets: ClassVar[bool] = True

    a: float = parameter(5.5, "a; the larger, the more like mean absolute error", range="[1.001, 1000]")
    q: float = parameter(3.0, "q; 1: mean absolute error", range="(0, 10]")

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K): the mean over labels."""
        return over_labels(self._of, log_probabilities(logits), targets)

    def _of(self, log_p: Tensor) -> Tensor:
        # a − p = (a − 1) + (1 − p), so that nothing cancels where a is large, q small or p near 1.
        rest = -torch.expm1(log_p)
        q = max(self.q, SMALLEST_Q)
        lowest: float = (self.a - 1) ** q
        return lowest * torch.expm1(q * torch.log1p(rest / (self.a - 1))) / q
