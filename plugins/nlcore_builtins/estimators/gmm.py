"""
A mixture of two Gaussians over the losses (as in DivideMix, Li et al. 2020, arXiv:2002.07394, section 3.1).

    ℓ_i = −log p_i,ỹ scaled to 0..1        w_i = P(smaller mean | ℓ_i)        r = 1 − mean w

Hard samples with right labels have large losses too, so the rate comes out too high at low noise. Where the means of
the components are less than two pooled standard deviations apart, there is one hump and no rate to be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nlcore.contracts import Estimate, Evidence
from nlcore.toolbox import gmm_clean

APART = 2.0  # pooled standard deviations


@dataclass
class GMM:
    """
    Fits two Gaussians to the losses; the one with the larger mean holds the wrong labels.

    r = 1 − mean_i P(smaller mean | ℓ_i). As in DivideMix, Li et al. 2020, section 3.1.
    """

    assumes: ClassVar[str] = (
        "losses have two humps, as after a warm-up and at a high rate; hard samples count as wrong, so a low rate "
        "comes out too high"
    )

    def estimate(self, evidence: Evidence) -> Estimate:
        """Return the rate, None where the losses have one hump."""
        import torch

        losses = given_losses(evidence)
        w = gmm_clean(torch.from_numpy(losses), evidence.seed).double().numpy()
        scaled = (losses - losses.min()) / max(float(np.ptp(losses)), 1e-12)
        low, high = _moments(scaled, w), _moments(scaled, 1 - w)
        if abs(high[0] - low[0]) < APART * np.sqrt((low[1] + high[1]) / 2):
            return Estimate(None, note="not identifiable: the losses have one hump, not two")
        return Estimate(float(1 - w.mean()))


def given_losses(evidence: Evidence) -> NDArray[np.float64]:
    """Return −log p of the given labels, float64 (N,)."""
    chosen = evidence.probabilities[np.arange(len(evidence.given)), evidence.given]
    losses: NDArray[np.float64] = -np.log(np.maximum(chosen, 1e-12))
    return losses


def _moments(x: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[float, float]:
    total = max(float(weight.sum()), 1e-12)
    mean = float((weight * x).sum() / total)
    return mean, float((weight * (x - mean) ** 2).sum() / total)
