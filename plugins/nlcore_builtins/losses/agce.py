"""
Asymmetric generalised cross-entropy (Zhou et al. 2021, arXiv:2106.03110).

    ℓ(f, y) = [(a + 1)^q − (a + p_y)^q] / q        p = softmax(f);  a → 0: GCE,  q = 1 or a → ∞, scaled: 1 − p_y

The defaults are the authors' for CIFAR-10. a and q are allowed as far as float32 reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from nlcore import parameter
from nlcore_builtins.losses.terms import asymmetric_gce, log_probabilities, over_labels


@dataclass
class AGCE:
    """
    Asymmetric generalised cross-entropy: robust as long as the true class is the most frequent label.

    ℓ(f, y) = [(a + 1)^q − (a + p_y)^q] / q with p = softmax(f). Zhou et al. 2021; the defaults are the authors' for
    CIFAR-10.
    """

    soft_targets: ClassVar[bool] = True

    a: float = parameter(0.6, "a; towards 0: generalised cross-entropy", range="[0.001, 1000]")
    q: float = parameter(0.6, "q; 1: mean absolute error", range="(0, 10]")

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K): the mean over labels."""
        return over_labels(lambda log_p: asymmetric_gce(log_p, self.a, self.q), log_probabilities(logits), targets)
