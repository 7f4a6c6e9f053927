"""
Weights that grow at the start of training.

    linear    w(t) = min(max(t / T, 0), 1)                      DivideMix' λ_u (Li et al. 2020, arXiv:2002.07394)
    sigmoid   w(t) = exp(−5 (1 − min(max(t / T, 0), 1))²)       ELR+ (Liu et al. 2020, arXiv:2007.00151), following
                                                                Laine, Aila 2017, arXiv:1610.02242
"""

from __future__ import annotations

import math


def rampup(t: float, length: float) -> float:
    """
    Return t / length, at least 0 and at most 1.

    Args:
        t: the time since the ramp began, in epochs (fractions count) or steps; before it, negative.
        length: how long the ramp takes, in the same unit; with 0 or less it jumps from 0 to 1 at t = 0.

    """
    if length <= 0:
        return float(t >= 0)
    return min(max(t / length, 0.0), 1.0)


def sigmoid_rampup(t: float, length: float) -> float:
    """
    Return exp(−5 (1 − r)²) with r = `rampup` (t, length): from e⁻⁵ = 0.0067 to 1, steepest at 0.68 of the length.

    Args:
        t: the time since the ramp began, in epochs (fractions count) or steps.
        length: how long the ramp takes, in the same unit.

    """
    return math.exp(-5 * (1 - rampup(t, length)) ** 2)
