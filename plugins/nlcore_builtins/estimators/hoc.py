"""
High-order consensuses (Zhu, Song, Liu 2021, arXiv:2102.05291, section 4).

    c¹_j = P(ỹ = j) = Σ_i π_i T_ij
    c²_jk = P(ỹ = j, ỹ¹ = k) = Σ_i π_i T_ij T_ik                       ỹ¹, ỹ² the labels of the two nearest neighbours
    c³_jkl = P(ỹ = j, ỹ¹ = k, ỹ² = l) = Σ_i π_i T_ij T_ik T_il
    π, T minimise ‖c¹ − ĉ¹‖² + ‖c² − ĉ²‖² + ‖c³ − ĉ³‖²

The frequencies ĉ are counted over all samples, neighbours by cosine similarity of features. π and the rows of T are
softmaxes of free numbers, which Adam fits from a T that keeps most labels. No network is trained on the noise rate, and
no probability has to be calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nlcore import parameter
from nlcore.contracts import Estimate, Evidence


@dataclass
class HOC:
    """
    Counts how often a sample and its two nearest neighbours have which labels, and solves for prior and matrix.

    P(ỹ, ỹ¹, ỹ²) = Σ_i π_i T_iỹ T_iỹ¹ T_iỹ². Zhu et al. 2021, section 4.
    """

    assumes: ClassVar[str] = (
        "a sample and its two nearest neighbours are of one true class, and their labels became wrong independently"
    )

    steps: int = parameter(1500, "of the solver", range="[1, inf)")

    def estimate(self, evidence: Evidence) -> Estimate:
        """Return rate and matrix; nothing where there are no features."""
        if evidence.features is None:
            return Estimate(None, note="it needs features, and there are none")
        K = evidence.num_classes
        labels = torch.from_numpy(evidence.given)
        counted = consensuses(labels, nearest(torch.from_numpy(evidence.features), 2), K)
        pi, T = self._solve(counted, K)
        return Estimate(float(pi @ (1 - T.diagonal())), T.numpy())

    def _solve(self, counted: tuple[Tensor, Tensor, Tensor], K: int) -> tuple[Tensor, Tensor]:
        rows = (4.0 * torch.eye(K, dtype=torch.float64)).requires_grad_()
        prior = torch.zeros(K, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([rows, prior], lr=0.1)
        for _ in range(self.steps):
            T, pi = rows.softmax(1), prior.softmax(0)
            expected = (
                pi @ T,
                torch.einsum("i,ij,ik->jk", pi, T, T),
                torch.einsum("i,ij,ik,il->jkl", pi, T, T, T),
            )
            objective = torch.stack([(a - b).square().sum() for a, b in zip(expected, counted, strict=True)]).sum()
            optimizer.zero_grad()
            torch.autograd.backward(objective * K)
            optimizer.step()
        return prior.softmax(0).detach(), rows.softmax(1).detach()


def nearest(features: Tensor, k: int, chunk: int = 512) -> Tensor:
    """Return the k nearest other samples of each by cosine similarity, int64 (N, k), the nearest first."""
    z = torch.nn.functional.normalize(features.float(), dim=1)
    found = []
    for start in range(0, len(z), chunk):
        similarity = z[start : start + chunk] @ z.T
        own = torch.arange(len(similarity))
        similarity[own, start + own] = -2  # nobody is a neighbour of its own
        found.append(similarity.topk(k, dim=1).indices)
    return torch.cat(found)


def consensuses(labels: Tensor, neighbours: Tensor, K: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return how often labels, pairs and triples of labels occur: float64 (K,), (K, K), (K, K, K)."""
    first, second = labels[neighbours[:, 0]], labels[neighbours[:, 1]]
    triples = torch.bincount((labels * K + first) * K + second, minlength=K**3).double().view(K, K, K) / len(labels)
    return triples.sum((1, 2)), triples.sum(2), triples
