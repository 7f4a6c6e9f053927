"""
Bringing predictions to labels: one scale and an offset a class, which minimise the cross-entropy.

    p_ik = softmax_k(s z_ik + b_k)        max_{s ≥ 0, b}  Σ_i w_i Σ_k R_ik log p_ik − ½ b² − ½ (s v)²

Temperature scaling (Guo et al. 2017, arXiv:1706.04599) with class offsets. R are labels, one-hot or as probabilities.
The small penalty keeps s and b finite where all predictions are right or a class has no labels, and is nothing beside a
hundred samples; v, the spread of z, makes it independent of the unit of z. The problem is concave, so Newton's method
finds its one solution: with m_i = Σ_k p_ik z_ik and W the weights,

    ∇_s = Σ_i w_i Σ_k (R_ik − p_ik) z_ik                    ∇_b = Σ_i w_i (R_i − p_i)
    −H_ss = Σ_i w_i (Σ_k p_ik z_ik² − m_i²)     −H_sb = Σ_i w_i p_i (z_i − m_i)     −H_bb = diag Σ_i w_i p_i − Pᵀ W P
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.predictions import Floats, log_softmax

ROUNDS = 50


@dataclass(frozen=True, eq=False)
class Scaling:
    """
    A fitted scale and offsets.

    Attributes:
        scale: s, at least 0.
        offset: b, float64 (K,).

    """

    scale: float
    offset: Floats

    def __call__(self, z: Floats) -> Floats:
        """Return log probabilities, float64 (n, K)."""
        return log_softmax(self.scale * z + self.offset)

    def relative(self, z: Floats) -> Floats:
        """Return probabilities divided by the row's largest, float64 (n, K)."""
        found = self.scale * z
        found += self.offset
        found -= found.max(1, keepdims=True)
        return np.exp(found, out=found)


def calibrate(z: Floats, given: NDArray[np.int64], weight: Floats) -> Scaling:
    """
    Return the scale and offsets with which predictions fit given labels best.

    Args:
        z: float64 (n, K), log probabilities.
        given: int64 (n,).
        weight: float64 (n,), how many samples each stands for.

    """
    targets = np.zeros_like(z)
    targets[np.arange(len(z)), given] = 1
    v = spread(z)
    scaling = Scaling(1 / v, np.zeros(z.shape[1]))
    log_p = scaling(z)
    for _ in range(ROUNDS):
        following, log_p, gained = newton_step(scaling, z, log_p, targets, weight, v)
        scaling = following
        if gained < 1e-9 * len(z):
            break
    return scaling


def spread(z: Floats) -> float:
    """Return the root mean square of z about the means of its rows; 1 where there is none."""
    return float(np.sqrt(np.mean((z - z.mean(1, keepdims=True)) ** 2))) or 1.0


def newton_step(
    scaling: Scaling, z: Floats, log_p: Floats, targets: Floats, weight: Floats, v: float
) -> tuple[Scaling, Floats, float]:
    """
    Return better scale and offsets, their log probabilities, and by how much the objective has grown.

    Args:
        scaling: where to start from.
        z: float64 (n, K).
        log_p: float64 (n, K), what `scaling` gives for z.
        targets: R, float64 (n, K), rows sum to 1.
        weight: float64 (n,).
        v: the spread of z.

    """
    weighted = np.exp(log_p)
    K = z.shape[1]
    H = np.empty((K + 1, K + 1))
    H[1:, 1:] = weighted.T @ (weighted * -weight[:, None])
    m = np.einsum("ik,ik->i", weighted, z)
    weighted *= weight[:, None]
    H[1:, 1:] += np.diag(weighted.sum(0) + 1)
    gradient_b = weight @ targets - weighted.sum(0) - scaling.offset
    moment = weighted * z
    gradient_s = weight @ np.einsum("ik,ik->i", targets, z) - moment.sum() - scaling.scale * v**2
    H[0, 1:] = H[1:, 0] = moment.sum(0) - m @ weighted
    H[0, 0] = np.einsum("ik,ik->", moment, z) - weight @ m**2 + v**2
    gradient = np.concatenate([[gradient_s], gradient_b])
    direction = np.linalg.solve(H, gradient)
    before = _objective(scaling, log_p, targets, weight, v)
    for halvings in range(12):  # a whole step may go too far
        step = direction / 2**halvings
        following = Scaling(max(0.0, scaling.scale + float(step[0])), scaling.offset + step[1:])
        log_q = following(z)
        gained = _objective(following, log_q, targets, weight, v) - before
        if gained >= 0:
            return following, log_q, gained
    return scaling, log_p, 0.0


def _objective(scaling: Scaling, log_p: Floats, targets: Floats, weight: Floats, v: float) -> float:
    fit = float(weight @ np.einsum("ik,ik->i", targets, log_p))
    return fit - 0.5 * float(scaling.offset @ scaling.offset) - 0.5 * (scaling.scale * v) ** 2
