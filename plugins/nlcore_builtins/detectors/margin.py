"""
The margin of logits.

    score = max_{k ≠ y} log p_k − log p_y        suggested: the k

Differences of log probabilities are differences of logits, so nothing saturates where a network is too sure of itself,
as p_y − max p_k does at ±1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlcore.contracts import Detection, LabelEvidence
from nlcore.toolbox import margin_and_other


@dataclass
class Margin:
    """
    Ranks by how far the likeliest other class is ahead of the given one.

    score = max_{k ≠ y} log p_k − log p_y; above 0 where another class is predicted.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    def detect(self, evidence: LabelEvidence) -> Detection:
        """Return the margins; those above 0 are flagged."""
        margin, other = margin_and_other(evidence)
        return Detection(-margin, other, flagged=margin < 0)
