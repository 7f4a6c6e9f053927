"""
The noise model (Bekker and Goldberger 2016, doi:10.1109/ICASSP.2016.7472164; Goldberger and Ben-Reuven 2017).

    P(k | x) = softmax_k(s z_k + b_k)        P(given j | x) = Σ_k P(k | x) T_kj
    P(wrong) = 1 − P(y | x) T_yy / Σ_k P(k | x) T_ky

z are held-out log probabilities; s, b and T are fitted by EM, with a prior on T. In the papers the model is a layer
that is trained with its network; here the network stays as it is. All of it stands in
``nlcore/audits/noise_model.py``, as every estimate of how many labels are wrong needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlcore.contracts import Detection, LabelEvidence
from nlcore.toolbox import noise_posterior


@dataclass
class NoiseModel:
    """
    Fits how true classes become given labels, and gives the posterior probability that a label is wrong.

    P(wrong) = 1 − P(y | x) T_yy / Σ_k P(k | x) T_ky. Bekker and Goldberger 2016.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    def detect(self, evidence: LabelEvidence) -> Detection:
        """Return P(wrong) and the likeliest other class."""
        found = noise_posterior(evidence)
        return Detection(found.p_wrong, found.suggested, probability=True)
