"""
Forgetting events (Toneva et al. 2019, arXiv:1812.05159, section 3).

    score = #{epochs t: y predicted at t, and not at t + 1}        of samples that were never predicted right: E

A training of E epochs cannot forget a label more than E/2 times, so those never learnt come first, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nlcore.contracts import Detection, LabelEvidence
from nlcore.toolbox import margin_and_other


@dataclass
class Forgetting:
    """
    Ranks by how often a training forgets the given label again; labels that it never learns come first.

    score = #{t: y predicted at t, and not at t + 1}, E where it never was. Toneva et al. 2019, section 3.
    """

    needs: ClassVar[tuple[str, ...]] = ("learnt",)

    def detect(self, evidence: LabelEvidence) -> Detection:
        """Return the counts."""
        assert evidence.learnt is not None
        learnt = np.asarray(evidence.learnt, dtype=bool)
        forgotten = (learnt[:-1] & ~learnt[1:]).sum(0).astype(np.float64)
        score = np.where(learnt.any(0), forgotten, float(len(learnt)))
        return Detection(score, margin_and_other(evidence)[1])
