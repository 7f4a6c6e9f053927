"""
Cross-entropy weighted by class (Cui et al. 2019, arXiv:1901.05555, eq. 8 and section 4).

    ℓ(f, y) = −w_y log p_y        w_k ∝ (1 − β) / (1 − β^n_k), Σ_k w_k = K;  p = softmax(f), n_k labels of class k

(1 − β^n) / (1 − β) is the effective number of n images, each of which overlaps with others. β = 0 gives cross-entropy;
the nearer to 1, the nearer are the weights to 1 / n_k. β = 0.999 is one of the four values that the authors try.

A weight does not bring more images of a rare class: with few of them its gradients come seldom and are large. Balanced
sampling (``--sampling balanced``) and logit adjustment do the same in other ways; one of the three is enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nlcore import parameter
from nlcore.contracts import LossContext
from nlcore_builtins.losses.terms import cross_entropy, distributions, log_probabilities


@dataclass
class ClassWeighted:
    """
    Cross-entropy in which the labels of rare classes weigh more, by the effective number of their images.

    ℓ(f, y) = −w_y log p_y, w_k ∝ (1 − β) / (1 − β^n_k) with Σ_k w_k = K, p = softmax(f) and n_k given labels of class
    k. Cui et al. 2019. Only classes that have labels count: K is their number, and one without weighs nothing.
    """

    soft_targets: ClassVar[bool] = True
    capturable: ClassVar[bool] = True

    beta: float = parameter(0.999, "β; 0 gives cross-entropy, nearly 1 weights of 1 / n", range="[0, 1)")

    def setup(self, ctx: LossContext) -> None:
        """Count the given labels: w, float64 (K,)."""
        counts = torch.bincount(ctx.given_labels.cpu(), minlength=ctx.num_classes).double()
        log_beta = math.log(self.beta) if self.beta else -math.inf
        weights = -1 / torch.expm1(counts.clamp(min=1) * log_beta)  # (1 − β) falls out where they come to their sum
        weights[counts == 0] = 0
        self.weights = ((counts > 0).sum() * weights / weights.sum()).to(ctx.device)

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """
        Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K).

        Raises:
            RuntimeError: nothing has been counted yet.

        """
        if not hasattr(self, "weights"):
            raise RuntimeError("Weights of classes need the given labels: call setup(ctx) first.")
        log_p = log_probabilities(logits)
        return cross_entropy(log_p, distributions(targets, log_p) * self.weights.to(log_p.dtype))
