"""
Normalised cross-entropy and mean absolute error, an active passive loss (Ma et al. 2020, arXiv:2006.13554).

    ℓ(f, y) = α NCE + β MAE        NCE = Σ_k y_k log p_k / Σ_j log p_j,  MAE = ½ Σ_k |p_k − y_k|,  p = softmax(f)

For one label MAE is 1 − p_y, as in the authors' code, with which their α = β = 1 for CIFAR-10 and α = 10, β = 1 for
CIFAR-100 were found (β = 0.1 there in the code of Ye et al. 2023); others' have 2 − 2 p_y. Whatever the prediction,
Σ_k ℓ(f, k) = α + β (K − 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from nlcore import parameter
from nlcore_builtins.losses.terms import distributions, log_probabilities, mean_absolute_error, normalised_cross_entropy


@dataclass
class NCEMAE:
    """
    Active passive loss: normalised cross-entropy to fit by, mean absolute error to stay robust.

    ℓ(f, y) = α Σ_k y_k log p_k / Σ_j log p_j + β ½ Σ_k |p_k − y_k| with p = softmax(f). Ma et al. 2020; the defaults
    are the authors' for CIFAR-10 (α = 10 and β = 1 for CIFAR-100).
    """

    soft_targets: ClassVar[bool] = True

    alpha: float = parameter(1.0, "α, the weight of the normalised cross-entropy", range="[0, inf)")
    beta: float = parameter(1.0, "β, the weight of the mean absolute error, 1 − p_y", range="[0, inf)")

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K)."""
        log_p = log_probabilities(logits)
        y = distributions(targets, log_p)
        return self.alpha * normalised_cross_entropy(log_p, y) + self.beta * mean_absolute_error(log_p, y)
