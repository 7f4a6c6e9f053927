"""
NCR, neighbour consistency regularisation (Iscen et al. 2022, arXiv:2202.02200, equations 3 and 4).

With features v_i (what the head takes) and logits z_i of a batch of m images, and NN_k(i) the k others of the batch
that are most similar to i:

    s_ij = max(0, cos(v_i, v_j)),  s̄_ij = s_ij / Σ_{l ∈ NN_k(i)} s_il
    L_NCR = (1/m) Σ_i KL( σ(z_i / T) ‖ Σ_{j ∈ NN_k(i)} s̄_ij σ(z_j / T) )        σ the softmax
    L = (1 − α) mean_i ℓ(z_i, ỹ_i) + α L_NCR

after e epochs with ℓ alone, in which features become worth comparing. The gradient goes through both sides of the
divergence and through the similarities. A batch needs several images of a class: with 100 classes it should have 1,024.
ℓ is the run's loss: the paper has results with ELR too.

Deviations from the released code: it turns the divergence round and multiplies it by T², which weighs it four times as
much at the T = 2 of all its settings; here it is the paper's. An image that resembles no other (s_ij = 0 for all j) has
no neighbours and adds nothing to L_NCR, where the released code divides by 0. k is at most m − 1. The authors choose α,
k and e for each dataset and noise rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import Batch, StrategyContext


@dataclass
class NCR:
    """
    A loss, and the divergence of each prediction from those of the nearest neighbours in the batch.

    (1 − α) ℓ + α KL(p_i ‖ Σ_j s̄_ij p_j), neighbours and their weights s̄ by the cosine of features. Iscen et al. 2022.
    """

    capturable: ClassVar[bool] = True
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = ({"warm_up": 1},)

    alpha: float = parameter(0.9, "α, the weight of consistency against the loss", range="[0, 1]")
    k: int = parameter(10, "k, how many neighbours in the batch", range="[1, inf)")
    temperature: float = parameter(2.0, "T, that softens predictions to be compared", range="(0, inf)")
    warm_up: int = parameter(10, "e, epochs with the loss alone", range="[0, inf)", epochs=True)

    def setup(self, ctx: StrategyContext) -> None:
        """Make one network with its loss and optimiser."""
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)
        self.comparing = False
        if ctx.epochs <= self.warm_up:
            ctx.report("ncr: the run ends within its warm-up (--strategy.warm_up), so neighbours are never compared")

    def begin_epoch(self, epoch: int) -> None:
        """Enter the phase of this epoch."""
        self.comparing = epoch > self.warm_up

    def variant(self, epoch: int) -> bool:
        """Return the phase: whether neighbours are compared."""
        return self.comparing

    def step(self, batch: Batch) -> Tensor:
        """Descend on the batch's mean loss, after the warm-up on that and the inconsistency of neighbours."""
        features = self.network.features(batch.images)  # type: ignore[operator]
        logits = self.network.head(features)  # type: ignore[operator]
        self.loss.observe(logits, batch.index)
        objective = self.loss(logits, batch.targets, batch.index).mean()
        if self.comparing:
            inconsistency = neighbour_divergence(features, logits, self.k, self.temperature).mean()
            objective = (1 - self.alpha) * objective + self.alpha * inconsistency
        return self.ctx.minimise(self.optimizer, objective)

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits


def neighbour_divergence(features: Tensor, logits: Tensor, k: int, temperature: float) -> Tensor:
    """
    Return KL(σ(z_i / T) ‖ Σ_j s̄_ij σ(z_j / T)) of each sample, (B,); 0 where it has no neighbour.

    Args:
        features: v, float (B, D).
        logits: z, float (B, K).
        k: how many neighbours; B − 1 where that is less.
        temperature: T.

    """
    size = len(features)
    unit = F.normalize(features.float())
    others = 1 - torch.eye(size, device=features.device)
    nearest = ((unit @ unit.T).relu() * others).topk(min(k, size - 1))
    similarity = torch.zeros_like(others).scatter(1, nearest.indices, nearest.values)
    total = similarity.sum(1, keepdim=True)
    log_p = (logits.float() / temperature).log_softmax(1)
    q = (similarity / total.clamp(min=1e-12)) @ log_p.exp()
    divergence = (log_p.exp() * (log_p - q.clamp(min=1e-12).log())).sum(1)
    return divergence * (total.squeeze(1) > 0)
