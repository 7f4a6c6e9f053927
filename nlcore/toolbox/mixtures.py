"""
Mixtures of two components, fitted to all training losses: which samples belong to the one with small losses.

    gmm_clean   ℓ̂ = (ℓ − min ℓ) / (max ℓ − min ℓ) ~ Σ_k π_k N(μ_k, σ_k²)      P(clean | ℓ̂): the smaller μ_k
    bmm_noisy   ℓ̂ = (ℓ − q₅) / (q₉₅ − q₅)         ~ Σ_k π_k Beta(α_k, β_k)    P(noisy | ℓ̂): the larger mean

The first is DivideMix' (Li, Socher, Hoi 2020, arXiv:2002.07394, section 3.1) with scikit-learn's mixture, the second
Arazo et al. 2019 (arXiv:1904.11238, section 3), where q_p is the p-th percentile and EM goes

    E   r_ik ∝ π_k Beta(ℓ̂_i; α_k, β_k)
    M   m_k, s_k² = mean and variance weighted by r_ik,  α_k = m_k (m_k (1 − m_k) / s_k² − 1),
        β_k = α_k (1 − m_k) / m_k,  π_k = mean_i r_ik

ten times, from (α, β) = (1, 2) and (2, 1) with equal weights.

Deviations from the authors' code of the second: it looks posteriors up in a table of 100 losses, here they are worked
out for each one. Both hold the posterior constant above the loss where it is largest, as two components that overlap
would otherwise call the very largest losses clean; here it is also held constant below the loss where it is smallest,
where a wide noisy component would otherwise call the very smallest losses noisy.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nlcore.errors import RunError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Array = NDArray[np.float64]

EPS = 1e-4  # how near to 0 and 1 a loss and a posterior of the beta mixture may come


def gmm_clean(losses: Tensor, seed: int) -> Tensor:
    """
    Return how likely each sample belongs to the Gaussian with the smaller mean, float32 (N,), 0..1.

    At most ten EM iterations, tolerance 1e-2, variances of at least 5e-4, as in DivideMix. Where all losses are equal,
    as they are for fewer than two samples, nothing tells clean from noisy and all are 1.

    Args:
        losses: float (N,), finite, on any device; the result is on the same one.
        seed: any integer, such as ``ctx.generator("gmm", epoch).initial_seed()``; it draws the starting point.

    Raises:
        RunError: a loss is NaN or infinite.

    """
    import torch
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    values = _finite(losses)
    if len(values) < 2 or values.min() == values.max():
        return torch.ones(len(values), device=losses.device)
    scaled = ((values - values.min()) / (values.max() - values.min()))[:, None]
    mixture = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # ten iterations are the method, converged or not
        mixture.fit(scaled)
    clean = mixture.predict_proba(scaled)[:, mixture.means_.argmin()]
    return torch.from_numpy(clean).float().to(losses.device)


def bmm_noisy(losses: Tensor) -> Tensor:
    """
    Return how likely each sample belongs to the beta component with the larger mean, float32 (N,), 1e-4..1 − 1e-4.

    The mixture is fitted to the losses between the 5th and the 95th percentile; those outside count as on the edge. The
    result never falls as the loss grows. Where no two losses between the percentiles differ, as with very few samples,
    nothing tells clean from noisy and all are 1e-4.

    Args:
        losses: float (N,), finite, on any device; the result is on the same one.

    Raises:
        RunError: a loss is NaN or infinite.

    """
    import numpy as np
    import torch

    values = _finite(losses)
    low, high = np.percentile(values, (5, 95)) if len(values) else (0.0, 0.0)
    middle = (values >= low) & (values <= high)
    if len(np.unique(values[middle])) < 2:
        return torch.full((len(values),), EPS, device=losses.device)
    scaled = ((values - low) / (high - low)).clip(EPS, 1 - EPS)
    betas = _fit_betas(scaled[middle])
    noisy = _sigmoid(betas.log_odds(betas.monotone(scaled)))
    return torch.from_numpy(noisy.clip(EPS, 1 - EPS)).float().to(losses.device)


def _finite(losses: Tensor) -> Array:
    import numpy as np

    values: Array = losses.detach().cpu().double().numpy()
    broken = int((~np.isfinite(values)).sum())
    if broken:
        raise RunError(
            f"{broken} of {len(values)} training losses are NaN or infinite, so no mixture can be fitted to them: "
            "training diverged; a lower --lr may help."
        )
    return values


@dataclass(frozen=True)
class _Betas:
    """Two beta components, that of clean samples first: α, β and weights π, each (2,)."""

    alpha: Array
    beta: Array
    weight: Array

    def log_odds(self, x: Array) -> Array:
        """Return log P(second) − log P(first) for losses in (0, 1)."""
        import numpy as np

        (a0, a1), (b0, b1) = self.alpha, self.beta
        normaliser = _log_beta(a0, b0) - _log_beta(a1, b1) + math.log(self.weight[1] / self.weight[0])
        odds: Array = normaliser + (a1 - a0) * np.log(x) + (b1 - b0) * np.log1p(-x)
        return odds

    def monotone(self, x: Array) -> Array:
        """Return losses moved to where the posterior turns, if they lie beyond, so that it never falls."""
        rise, fall = self.alpha[1] - self.alpha[0], self.beta[1] - self.beta[0]
        if rise > 0 and fall > 0:  # largest at the turn
            return x.clip(max=rise / (rise + fall))
        if rise < 0 and fall < 0:  # smallest at the turn
            return x.clip(min=rise / (rise + fall))
        return x


def _fit_betas(x: Array) -> _Betas:
    import numpy as np

    betas = _Betas(np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.array([0.5, 0.5]))
    for _ in range(10):
        second = _sigmoid(betas.log_odds(x)).clip(1e-12, 1 - 1e-12)
        shares = np.stack([1 - second, second])
        weight = shares.mean(1)
        mean = (shares * x).mean(1) / weight
        variance = (shares * (x - mean[:, None]) ** 2).mean(1) / weight
        variance = variance.clip(1e-6)  # a component on a single value stays a density
        alpha = mean * (mean * (1 - mean) / variance - 1)
        betas = _Betas(alpha, alpha * (1 - mean) / mean, weight)
    order = (betas.alpha / (betas.alpha + betas.beta)).argsort()  # by mean
    return _Betas(betas.alpha[order], betas.beta[order], betas.weight[order])


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _sigmoid(x: Array) -> Array:
    import numpy as np

    return 0.5 * (1 + np.tanh(x / 2))  # no overflow
