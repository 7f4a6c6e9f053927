"""
Normalised and asymmetric generalised cross-entropy (Zhou et al. 2021, arXiv:2106.03110).

    ℓ(f, y) = α NCE + β AGCE        NCE = log p_y / Σ_j log p_j,  AGCE = [(a + 1)^q − (a + p_y)^q] / q,  p = softmax(f)

The defaults are the authors' for CIFAR-10 (α = 10, β = 0.1, a = 1.8, q = 3 for CIFAR-100), other than those of `agce`
by itself. a and q are allowed as far as float32 reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from nlcore import parameter
from nlcore_builtins.losses.terms import (
    asymmetric_gce,
    distributions,
    log_probabilities,
    normalised_cross_entropy,
    over_labels,
)


@dataclass
class NCEAGCE:
    """
    Normalised cross-entropy and asymmetric generalised cross-entropy.

    ℓ(f, y) = α log p_y / Σ_j log p_j + β [(a + 1)^q − (a + p_y)^q] / q with p = softmax(f). Zhou et al. 2021; the
    defaults are the authors' for CIFAR-10 (α = 10, β = 0.1, a = 1.8, q = 3 for CIFAR-100).
    """

    soft_targets: ClassVar[bool] = True

    alpha: float = parameter(1.0, "α, the weight of the normalised cross-entropy", range="[0, inf)")
    beta: float = parameter(4.0, "β, the weight of the asymmetric generalised cross-entropy", range="[0, inf)")
    a: float = parameter(6.0, "a of the asymmetric term", range="[0.001, 1000]")
    q: float = parameter(1.5, "q of the asymmetric term; 1: mean absolute error", range="(0, 10]")

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K): the mean over labels."""
        log_p = log_probabilities(logits)
        active = normalised_cross_entropy(log_p, distributions(targets, log_p))
        passive = over_labels(lambda log_p: asymmetric_gce(log_p, self.a, self.q), log_p, targets)
        return self.alpha * active + self.beta * passive
