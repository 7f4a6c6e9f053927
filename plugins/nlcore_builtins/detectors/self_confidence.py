"""
Self-confidence (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068).

    score = −log p_y

The order is that of 1 − p_y, and stays one where p_y is so near to 0 or 1 that 1 − p_y no longer changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nlcore.contracts import Detection, LabelEvidence
from nlcore.toolbox import margin_and_other


@dataclass
class SelfConfidence:
    """
    Ranks by how unlikely the given label is predicted to be.

    score = −log p_y, the order of 1 − p_y. Northcutt et al. 2021.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    def detect(self, evidence: LabelEvidence) -> Detection:
        """Return the scores; it flags nothing by itself."""
        score = np.empty(len(evidence.given))
        for rows, given, log_p in evidence.chunks():
            score[rows] = -log_p[np.arange(len(given)), given]
        return Detection(score, margin_and_other(evidence)[1])
