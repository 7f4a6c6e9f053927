"""
Co-teaching (Han et al. 2018, arXiv:1804.06872, algorithm 1).

    R(T) = 1 − τ min(T / T_k, 1)                                  the share of a batch that is kept in epoch T
    D̄_f = the R(T) B samples of smallest ℓ(f, ·),  D̄_g likewise      each network picks for the other:
    f descends on the mean loss over D̄_g, g on that over D̄_f

The forget rate τ defaults to the *declared* fraction of wrong labels, which nobody knows in practice: the run is then
marked as an oracle; ``auto`` has it estimated. Deviations from the authors' code: it divides the loss of the kept
samples by their number twice and trains with Adam; here the mean is taken once and the optimiser is the run's. There R
moves by τ / (T_k − 1) an epoch, from 1 − τ / (T_k − 1) in the first to 1 − τ in epoch T_k − 1; here by the paper's
τ / T_k, to 1 − τ in epoch T_k. Predictions are the first network's, as a published accuracy is one network's. A loss
with a memory has one for each network, of that network's predictions for all samples of the batch; samples are ranked
by the whole loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nlcore import parameter
from nlcore.contracts import Batch, StrategyContext
from nlcore_builtins.strategies.rates import resolve_rate


@dataclass
class CoTeaching:
    """
    Two networks that pick small-loss samples for each other.

    In epoch T each network picks the R(T) = 1 − τ min(T / T_k, 1) of a batch with the smallest loss, and the other one
    trains on them. Han et al. 2018, algorithm 1. The first network predicts.
    """

    capturable: ClassVar[bool] = True

    forget_rate: float | Literal["auto"] | None = parameter(
        None, "τ, the share forgotten in the end; none: the declared noise rate, an oracle", range="[0, 1)"
    )
    num_gradual: int = parameter(10, "T_k, the epochs until τ is reached", range="[1, inf)", epochs=True)

    def setup(self, ctx: StrategyContext) -> None:
        """
        Make two networks, each with its loss and optimiser.

        Raises:
            UserError: no forget rate is given and the noise model declares none.

        """
        self.ctx = ctx
        self.tau = resolve_rate(self.forget_rate, ctx, "forget_rate")
        self.networks = [ctx.network() for _ in range(2)]
        self.losses = [ctx.loss(network) for network in self.networks]
        self.optimizers = [ctx.optimizer(*pair) for pair in zip(self.networks, self.losses, strict=True)]
        self.kept = torch.ones(2, ctx.num_samples, device=ctx.device)
        self.counts = torch.zeros(ctx.batch_size + 2, device=ctx.device)  # a batch may take a last single sample in

    def begin_epoch(self, epoch: int) -> None:
        """Set R(T) B, the number of samples to keep of a batch, for every B."""
        keep = 1 - self.tau * min(epoch / self.num_gradual, 1)
        counts = [max(1, int(keep * size)) for size in range(len(self.counts))]
        self.counts.copy_(torch.tensor(counts))

    def step(self, batch: Batch) -> Tensor:
        """Let each network descend on the samples that the other one picks."""
        count = self.counts[len(batch.index)]
        losses, picked = [], []
        for network, loss in zip(self.networks, self.losses, strict=True):
            logits = network(batch.images)
            loss.observe(logits, batch.index)
            losses.append(loss(logits, batch.targets, batch.index))
            rank = losses[-1].detach().argsort().argsort()
            picked.append((rank < count).float())
        self.kept[:, batch.index] = torch.stack(picked)
        means = [
            self.ctx.minimise(self.optimizers[own], (losses[own] * picked[1 - own]).sum() / count) for own in (0, 1)
        ]
        return (means[0] + means[1]) / 2

    def predict(self, images: Tensor) -> Tensor:
        """Return the first network's logits (B, K)."""
        logits: Tensor = self.networks[0](images)
        return logits

    def clean_probability(self) -> Tensor:
        """Return for each sample the share of the networks that picked it last: 0, 1/2 or 1, (N,)."""
        return self.kept.mean(0)

    def state_dict(self) -> dict[str, Tensor]:
        """Return which samples each network picked last."""
        return {"kept": self.kept}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore which samples each network picked last."""
        self.kept.copy_(state["kept"])
