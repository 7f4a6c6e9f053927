"""
A mixture of two Gaussians over the losses (DivideMix: Li, Socher, Hoi 2020, arXiv:2002.07394, section 3.1).

    ℓ_i = −log p_i,y scaled to 0..1        P(wrong)_i = 1 − P(smaller mean | ℓ_i)

Losses are those of in-sample predictions, as in the paper, or of held-out ones where there are no others. The posterior
need not rise with the loss, and hard samples with right labels have large losses, so it calls far too many labels wrong
at low noise: a comparison, and no way to rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nlcore.contracts import Detection, LabelEvidence, row_chunks
from nlcore.toolbox import gmm_clean, margin_and_other


@dataclass
class LossGMM:
    """
    Fits two Gaussians to the losses; the one with the larger mean holds the wrong labels.

    P(wrong)_i = 1 − P(smaller mean | ℓ_i). Li et al. 2020, section 3.1.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    def detect(self, evidence: LabelEvidence) -> Detection:
        """Return the posterior of the component with the larger mean."""
        import torch

        rows_of = evidence.log_probabilities if evidence.in_sample is None else evidence.in_sample
        losses = np.empty(len(evidence.given))
        for rows in row_chunks(*rows_of.shape):
            given = evidence.given[rows]
            losses[rows] = -rows_of[rows][np.arange(len(given)), given]
        order = np.argsort(losses, kind="stable")  # so that the mixture starts alike whatever the order of the samples
        wrong = np.empty_like(losses)
        wrong[order] = 1 - gmm_clean(torch.from_numpy(losses[order]), evidence.seed).double().numpy()
        return Detection(wrong, margin_and_other(evidence)[1], probability=True)
