"""
Votes of the nearest neighbours (SimiFeat-V: Zhu, Dong, Liu 2022, arXiv:2110.06283, section 3).

    v_c = #{j ∈ kNN(i), y_j = c} / k        score = max_{c ≠ y} v_c − v_y        suggested: the c

Neighbours by cosine similarity of features, never the sample itself. Flagged where another class has more votes than
the given one. Of equally many votes, the class that the held-out predictions hold likelier is suggested. The authors
repeat the vote over random subsets, which is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nlcore import parameter
from nlcore.contracts import Detection, LabelEvidence
from nlcore.toolbox import knn_votes


@dataclass
class KNN:
    """
    Ranks by how many of the nearest neighbours in feature space have another label.

    score = max_{c ≠ y} v_c − v_y, v the shares of the neighbours' labels. Zhu et al. 2022, section 3.
    """

    needs: ClassVar[tuple[str, ...]] = ("features",)

    k: int = parameter(10, "how many neighbours vote; fewer where there are not so many", range="[1, inf)")

    def detect(self, evidence: LabelEvidence) -> Detection:
        """Return the difference of the votes, −1..1."""
        import torch

        assert evidence.features is not None
        N, K = len(evidence.given), evidence.num_classes
        k = min(self.k, N - 1)
        features = torch.from_numpy(np.ascontiguousarray(evidence.features, dtype=np.float32))
        votes = knn_votes(features, torch.from_numpy(evidence.given), k, K).double().numpy() / k
        score, suggested = np.empty(N), np.empty(N, np.int64)
        for rows, given, log_p in evidence.chunks():
            each, v = np.arange(len(given)), votes[rows]
            own = v[each, given]
            likelier = np.exp(log_p) / (2 * k)  # less than one vote
            rest = v + likelier
            rest[each, given] = -np.inf
            suggested[rows] = rest.argmax(1)
            score[rows] = v[each, suggested[rows]] - own
        return Detection(score, suggested, flagged=score > 0)
