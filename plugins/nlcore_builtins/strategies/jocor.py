"""
JoCoR, joint training with co-regularisation (Wei et al. 2020, arXiv:2003.02752, eq. 1 to 5 and algorithm 1).

    ℓ_i = (1 − λ) [ℓ(f₁(x_i), y_i) + ℓ(f₂(x_i), y_i)] + λ [KL(p₁ ‖ p₂) + KL(p₂ ‖ p₁)]
    R(T) = 1 − min(T τ / T_k, τ)                              the share of a batch that is kept in epoch T
    both networks descend on the mean of ℓ_i over the R(T) B samples of smallest ℓ_i

with p = softmax f(x_i). The gradient goes through both sides of both divergences, and one optimiser trains both
networks. The forget rate τ defaults to the *declared* fraction of wrong labels, which nobody knows in practice: the run
is then marked as an oracle. The authors halve the rate of asymmetric noise; the declared fraction counts all samples
and is half of it already where half of the classes are flipped.

The right λ depends on the network and its optimiser. The authors' README names 0.5 to 0.9, for CIFAR-10 0.9, and 0.65
with 80 % noise, for Adam and a small network; their code has 0.1 where nothing is said. At 0.9 labels have a tenth of
their weight, and large steps of SGD may drive both networks to one constant prediction, on which they agree. Hence Adam
and λ = 0.5 here.

Deviations from the authors' code: there R is 1 in the first epoch and moves by τ / (T_k − 1); here by the paper's
τ / T_k. There Adam's β₁ falls from 0.9 to 0.1 when its rate begins to; here the optimiser and the schedule are the
run's. Predictions are the first network's, as a published accuracy is one network's. The run's loss stands in for
cross-entropy; one with a memory has one for each network, of that network's predictions for all samples of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nlcore import parameter
from nlcore.contracts import Batch, StrategyContext
from nlcore_builtins.strategies.rates import resolve_rate


@dataclass
class JoCoR:
    """
    Two networks that are trained as one: on small losses, and to agree with each other.

    Both descend on (1 − λ) [ℓ(f₁) + ℓ(f₂)] + λ [KL(p₁ ‖ p₂) + KL(p₂ ‖ p₁)] of the samples of a batch for which it is
    smallest. Wei et al. 2020, algorithm 1. The first network predicts.
    """

    capturable: ClassVar[bool] = True
    defaults: ClassVar[Mapping[str, object]] = {"optimizer": "adam"}

    lam: float = parameter(0.5, "λ, the weight of agreement; labels have 1 − λ", range="[0, 1)")
    forget_rate: float | Literal["auto"] | None = parameter(
        None, "τ, the share forgotten in the end; none: the declared noise rate, an oracle", range="[0, 1)"
    )
    num_gradual: int = parameter(10, "T_k, the epochs until τ is reached", range="[1, inf)", epochs=True)

    def setup(self, ctx: StrategyContext) -> None:
        """
        Make two networks, each with its loss, and one optimiser.

        Raises:
            UserError: no forget rate is given and the noise model declares none.

        """
        self.ctx = ctx
        self.tau = resolve_rate(self.forget_rate, ctx, "forget_rate")
        self.networks = [ctx.network() for _ in range(2)]
        self.losses = [ctx.loss(network) for network in self.networks]
        self.optimizer = ctx.optimizer(self.networks, self.losses)
        self.kept = torch.ones(ctx.num_samples, device=ctx.device)
        self.counts = torch.zeros(ctx.batch_size + 2, device=ctx.device)  # a batch may take a last single sample in

    def begin_epoch(self, epoch: int) -> None:
        """Set R(T) B, the number of samples to keep of a batch, for every B."""
        keep = 1 - self.tau * min(epoch / self.num_gradual, 1)
        counts = [max(1, int(keep * size)) for size in range(len(self.counts))]
        self.counts.copy_(torch.tensor(counts))

    def step(self, batch: Batch) -> Tensor:
        """Let both networks descend on the mean joint loss of the samples for which it is smallest."""
        count = self.counts[len(batch.index)]
        logits, losses = [], []
        for network, loss in zip(self.networks, self.losses, strict=True):
            logits.append(network(batch.images))
            loss.observe(logits[-1], batch.index)
            losses.append(loss(logits[-1], batch.targets, batch.index))
        joint = (1 - self.lam) * (losses[0] + losses[1]) + self.lam * symmetric_kl(*logits)
        picked = (joint.detach().argsort().argsort() < count).float()
        self.kept[batch.index] = picked
        return self.ctx.minimise(self.optimizer, (joint * picked).sum() / count)

    def predict(self, images: Tensor) -> Tensor:
        """Return the first network's logits (B, K)."""
        logits: Tensor = self.networks[0](images)
        return logits

    def clean_probability(self) -> Tensor:
        """Return for each sample whether it was trained on when it was seen last: 0 or 1, float (N,)."""
        return self.kept

    def state_dict(self) -> dict[str, Tensor]:
        """Return which samples were picked last."""
        return {"kept": self.kept}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore which samples were picked last."""
        self.kept.copy_(state["kept"])


def symmetric_kl(first: Tensor, second: Tensor) -> Tensor:
    """Return KL(p₁ ‖ p₂) + KL(p₂ ‖ p₁) = Σ_c (p₁ − p₂) (log p₁ − log p₂) of logits (B, K), for each sample (B,)."""
    log_p, log_q = first.log_softmax(1), second.log_softmax(1)
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(1)
