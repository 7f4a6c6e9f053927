"""
What several losses are made of: predictions in enough digits, and the terms that the combined losses add up.

Each takes log p = log softmax(f), (B, K), and target distributions y (B, K), and returns (B,) unless it says otherwise;
all are finite, with finite gradients, whatever the logits.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

#: What log 0 is taken for in the reverse cross-entropy: the authors' code puts 1e-4 in the place of a label's zeros.
LOG_ZERO = math.log(1e-4)


def log_probabilities(logits: Tensor) -> Tensor:
    """Return log p (B, K) of logits (B, K), in at least float32; float64 is kept."""
    return F.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)


def distributions(targets: Tensor, like: Tensor) -> Tensor:
    """Return y (B, K) in the dtype of `like` (B, K): float targets (B, K) as they are, labels int64 (B,) one-hot."""
    if targets.is_floating_point():
        return targets.to(like.dtype)
    return torch.zeros_like(like).scatter_(1, targets[:, None], 1.0)  # F.one_hot reads the labels first, on a CPU


def of_label(log_p: Tensor, targets: Tensor) -> Tensor:
    """Return log p_y (B,) for labels int64 (B,)."""
    return log_p.gather(1, targets[:, None]).squeeze(1)


def over_labels(loss: Callable[[Tensor], Tensor], log_p: Tensor, targets: Tensor) -> Tensor:
    """
    Return ℓ(log p_y) for labels int64 (B,), and its mean Σ_k y_k ℓ(log p_k) over labels for float targets y (B, K).

    Args:
        loss: ℓ, which maps log probabilities of any shape to losses of the same shape, one by one.
        log_p: log p, (B, K).
        targets: labels or distributions over them.

    """
    if targets.is_floating_point():
        return (targets.to(log_p.dtype) * loss(log_p)).sum(1)
    return loss(of_label(log_p, targets))


def cross_entropy(log_p: Tensor, y: Tensor) -> Tensor:
    """Return CE = −Σ_k y_k log p_k."""
    return -(y * log_p).sum(1)


def normalised_cross_entropy(log_p: Tensor, y: Tensor) -> Tensor:
    """Return NCE = Σ_k y_k log p_k / Σ_j log p_j, the cross-entropy's share of that of all labels (Ma et al. 2020)."""
    return (y * log_p).sum(1) / log_p.sum(1)


def reverse_cross_entropy(log_p: Tensor, y: Tensor, A: float = LOG_ZERO) -> Tensor:
    """Return RCE = −Σ_k p_k max(log y_k, A), which is −A (1 − p_y) for one label (Wang et al. 2019)."""
    return -(log_p.exp() * y.log().clamp(min=A)).sum(1)


def mean_absolute_error(log_p: Tensor, y: Tensor) -> Tensor:
    """Return MAE = ½ Σ_k |p_k − y_k|, which is 1 − p_y for one label."""
    # As both sum to 1 this is what p has too much. It keeps its digits where p_y is near 1.
    return F.relu(log_p.exp() - y).sum(1)


def focal(log_p: Tensor, gamma: float) -> Tensor:
    """Return −(1 − p_k)^γ log p_k for every class k, (B, K) (Lin et al. 2017)."""
    # expm1 keeps the digits of 1 − p where p is near 1. Never quite 0: there the slope of x^γ is infinite for γ < 1.
    rest = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
    return -rest.pow(gamma) * log_p


def asymmetric_gce(log_p: Tensor, a: float, q: float) -> Tensor:
    """Return AGCE = [(a + 1)^q − (a + p)^q] / q for log p of any shape, in the same (Zhou et al. 2021)."""
    # (a + p) / (a + 1) = 1 − (1 − p) / (a + 1), so that nothing cancels where a is large, q small or p near 1.
    rest = -torch.expm1(log_p)
    q = max(q, SMALLEST_Q)
    highest: float = (a + 1) ** q
    return -highest * torch.expm1(q * torch.log1p(-rest / (a + 1))) / q


#: (x^q − 1) / q is log x up to a factor 1 + q log x / 2. Here that is 1 to the last digit of float64, and a smaller q
#: would be lost in float32, whose numbers end at 1e-38.
SMALLEST_Q = 1e-20
