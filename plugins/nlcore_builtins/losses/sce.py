"""
Symmetric cross-entropy (Wang et al. 2019, arXiv:1908.06112).

    ℓ(f, y) = α CE + β RCE        CE = −Σ_k y_k log p_k,  RCE = −Σ_k p_k log y_k,  p = softmax(f),  log 0 := A

For one label RCE = −A (1 − p_y). The authors and their code differ: they name A = −4 (issue 5 of
https://github.com/YisenWang/symmetric_cross_entropy_for_noisy_labels), while the code clamps labels at 1e-4, so that A
is log 1e-4 = −9.21, the default here. With −4 the robust term weighs less than half. α = 0.1 and β = 1 are the authors'
for CIFAR-10 (6 and 0.1 for CIFAR-100). Their code clamps p at 1e-7, too, where it then loses its gradient; here nothing
needs it. For soft targets A is the least that log y_k can be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from nlcore import parameter
from nlcore_builtins.losses.terms import (
    LOG_ZERO,
    cross_entropy,
    distributions,
    log_probabilities,
    reverse_cross_entropy,
)


@dataclass
class SCE:
    """
    Symmetric cross-entropy: cross-entropy, and the same with label and prediction exchanged.

    ℓ(f, y) = −α Σ_k y_k log p_k − β Σ_k p_k log y_k with p = softmax(f) and log 0 := A. Wang et al. 2019; the
    defaults are the authors' for CIFAR-10 (α = 6 and β = 0.1 for CIFAR-100).
    """

    soft_targets: ClassVar[bool] = True

    alpha: float = parameter(0.1, "α, the weight of the cross-entropy", range="[0, inf)")
    beta: float = parameter(1.0, "β, the weight of the reverse cross-entropy", range="[0, inf)")
    A: float = parameter(LOG_ZERO, "A, what log 0 is taken for; log 1e-4 in the authors' code", range="(-inf, 0)")

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K)."""
        log_p = log_probabilities(logits)
        y = distributions(targets, log_p)
        return self.alpha * cross_entropy(log_p, y) + self.beta * reverse_cross_entropy(log_p, y, self.A)
