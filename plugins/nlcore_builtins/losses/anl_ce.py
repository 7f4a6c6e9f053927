"""
Active negative loss with cross-entropy (Ye et al. 2023, NeurIPS, section 3; ANL-CE).

    ℓ(f, y) = α NCE + β NNCE,  and  δ Σ|θ| over all weights, once a step
    NCE  = log p_y / Σ_k log p_k                                 p = softmax(f)
    NNCE = 1 − (A + log p_y) / Σ_k (A + log p_k)                 A = −log p_min, p kept above p_min = 1e-7

The L1 term takes the place of weight decay: the authors train with a weight decay of 0, so give ``--weight-decay 0``.
Their defaults elsewhere: α = 10, β = 1, δ = 5e-7 for CIFAR-100.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from nlcore import parameter
from nlcore_builtins.losses.terms import distributions, log_probabilities, normalised_cross_entropy

_A = -math.log(1e-7)


@dataclass
class ANLCE:
    """
    Normalised cross-entropy, its complement over the other classes, and an L1 norm of the weights.

    ℓ(f, y) = α log p_y / Σ_k log p_k + β [1 − (A + log p_y) / Σ_k (A + log p_k)] with p = softmax(f), at least 1e-7 in
    the second term, and A = −log 1e-7; each step adds δ Σ|θ|. Ye et al. 2023; the defaults are the authors' for
    CIFAR-10. The L1 norm replaces weight decay: train with --weight-decay 0, as they do.
    """

    soft_targets: ClassVar[bool] = True
    capturable: ClassVar[bool] = True

    alpha: float = parameter(5.0, "α, the weight of normalised cross-entropy", range="[0, inf)")
    beta: float = parameter(5.0, "β, the weight of normalised negative cross-entropy", range="[0, inf)")
    delta: float = parameter(5e-5, "δ, the weight of the L1 norm of all network weights", range="[0, inf)")

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K)."""
        log_p = log_probabilities(logits)
        y = distributions(targets, log_p)
        nce = normalised_cross_entropy(log_p, y)
        above = _A + log_p.clamp(min=-_A)
        nnce = 1 - (y * above).sum(1) / above.sum(1)
        return self.alpha * nce + self.beta * nnce

    def penalty(self, network: nn.Module) -> Tensor:
        """Return δ Σ|θ|, a scalar."""
        return self.delta * torch.stack([weights.abs().sum() for weights in network.parameters()]).sum()
