"""
Confident learning (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068).

    t_j = mean of p_j over the samples with y = j        C_ji = #{y = j, i = argmax over {l : p_l ≥ t_l} of p_l}
    flagged: for each i ≠ j, of the samples with y = j the C_ji with the largest p_i − p_j, but none predicted to be y
    score = (1 − p_y + max_{k ≠ y} p_k) / 2

Pruning by noise rate, ranked by the normalised margin: the defaults of the authors' package. Probabilities are taken as
they are; where a network is too sure of itself the margins saturate, and too many labels are flagged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nlcore.contracts import Detection, LabelEvidence, Rows
from nlcore.toolbox import found_by_noise_rate, margin_and_other


@dataclass
class ConfidentLearning:
    """
    Flags as many samples of each pair of classes as confident predictions count, and ranks by the normalised margin.

    score = (1 − p_y + max_{k ≠ y} p_k) / 2. Northcutt et al. 2021.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    def detect(self, evidence: LabelEvidence) -> Detection:
        """Return scores and what is pruned by noise rate."""
        other = margin_and_other(evidence)[1]
        score = np.empty(len(evidence.given))
        for rows, given, log_p in evidence.chunks():
            each, p = np.arange(len(given)), np.exp(log_p)
            score[rows] = (1 - p[each, given] + p[each, other[rows]]) / 2
        flagged = found_by_noise_rate(evidence.given, _Probabilities(evidence.log_probabilities))
        return Detection(score, other, flagged=flagged)


@dataclass(frozen=True, eq=False)
class _Probabilities:
    """The probabilities whose logarithms these are, by rows."""

    logarithms: Rows

    @property
    def shape(self) -> tuple[int, int]:
        return self.logarithms.shape

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.exp(self.logarithms[rows])
        return found
