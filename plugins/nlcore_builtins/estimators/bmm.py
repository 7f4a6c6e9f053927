"""
A mixture of two beta distributions over the losses (Arazo et al. 2019, arXiv:1904.11238, section 3.1).

    ℓ_i = −log p_i,ỹ scaled to 0..1        r = mean_i P(larger mean | ℓ_i)

Beta densities fit skewed losses better than Gaussians; what is said of the mixture of Gaussians holds here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlcore.contracts import Estimate, Evidence
from nlcore.toolbox import bmm_noisy
from nlcore_builtins.estimators.gmm import given_losses


@dataclass
class BMM:
    """
    Fits two beta distributions to the losses; the one with the larger mean holds the wrong labels.

    r = mean_i P(larger mean | ℓ_i). Arazo et al. 2019, section 3.1.
    """

    assumes: ClassVar[str] = (
        "losses have two humps, as after a warm-up and at a high rate; hard samples count as wrong, so a low rate "
        "comes out too high"
    )

    def estimate(self, evidence: Evidence) -> Estimate:
        """Return the rate."""
        import torch

        return Estimate(float(bmm_noisy(torch.from_numpy(given_losses(evidence))).mean()))
