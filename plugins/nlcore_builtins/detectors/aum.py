"""
Area under the margin (Pleiss, Zhang, Elenberg, Weinberger 2020, arXiv:2001.10528, section 3).

    AUM_i = mean over epochs of (z_y − max_{k ≠ y} z_k)        score = −AUM

The margins are those of a network that is trained on the sample. The authors' threshold from samples of a made-up class
is left out, as these would have to be trained on: it ranks only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlcore.contracts import Detection, LabelEvidence
from nlcore.toolbox import margin_and_other


@dataclass
class AUM:
    """
    Ranks by the mean margin of the given label over the epochs of a training.

    score = −mean over epochs of (z_y − max_{k ≠ y} z_k). Pleiss et al. 2020, section 3.
    """

    needs: ClassVar[tuple[str, ...]] = ("margins",)

    def detect(self, evidence: LabelEvidence) -> Detection:
        """Return the scores, in logits."""
        assert evidence.margins is not None
        return Detection(-evidence.margins.mean(0, dtype="float64"), margin_and_other(evidence)[1])
