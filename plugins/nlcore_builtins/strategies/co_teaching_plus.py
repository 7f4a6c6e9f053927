"""
Co-teaching+ (Yu et al. 2019, arXiv:1901.04215, algorithm 1).

    λ(e) = 1 − min(e τ / E_k, τ)                              the share that is kept in epoch e
    D̄' = {i in D̄ : argmax f(x_i) ≠ argmax g(x_i)}             the samples of a batch that the networks disagree on
    D̄'_f = the λ(e) |D̄'| samples of D̄' of smallest ℓ(f, ·),  D̄'_g likewise      each network picks for the other:
    f descends on the mean loss over D̄'_g, g on that over D̄'_f

Before epoch E_i, D̄' is the whole batch, which is co-teaching. The forget rate τ defaults to the *declared* fraction of
wrong labels, which nobody knows in practice: the run is then marked as an oracle. Where the networks agree on a whole
batch, nothing is learned from it: its gradient is zero, though momentum and weight decay go on.

The optimiser decides: late in training few samples are left in D̄', so steps are small batches', which suit Adam, the
authors' choice and the default here, and not SGD at a large rate.

Deviations from the authors' code, which differs from the paper: it takes cross-entropy of *probabilities* as if they
were logits, divides the loss of the kept samples by their number twice, loses one sample of D̄' where sample 0 of the
data set is in it, and for part of the run descends on all samples of a batch without disagreement. There λ moves by
τ / (E_k − 1) an epoch; here by the paper's τ / E_k. As there, ⌊λ(e) |D̄'|⌋ samples are kept, but where that is none,
one here and all of D̄' there. There Adam's β₁ falls from 0.9 to 0.1 when its rate begins to; here the optimiser and the
schedule are the run's. A second schedule of λ, which forgets up to 2 τ, is left out, as in their runs. Predictions are
the first network's, as a published accuracy is one network's. A loss with a memory has one for each network, of that
network's predictions for all samples of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from nlcore import parameter
from nlcore.contracts import Batch, StrategyContext
from nlcore_builtins.strategies.rates import resolve_rate


@dataclass
class CoTeachingPlus:
    """
    Two networks that pick small-loss samples for each other, among those on which they disagree.

    From epoch E_i on, only samples of a batch for which the networks predict different classes count; before it all do,
    as in co-teaching. Yu et al. 2019, algorithm 1. The first network predicts.
    """

    capturable: ClassVar[bool] = True
    checked_with: ClassVar[tuple[Mapping[str, Any], ...]] = ({"init_epoch": 2},)
    defaults: ClassVar[Mapping[str, object]] = {"optimizer": "adam"}

    init_epoch: int = parameter(
        20, "E_i, the first epoch of disagreement; 0 and 1: from the start", range="[0, inf)", epochs=True
    )
    forget_rate: float | Literal["auto"] | None = parameter(
        None, "τ, the share forgotten in the end; none: the declared noise rate, an oracle", range="[0, 1)"
    )
    num_gradual: int = parameter(10, "E_k, the epochs until τ is reached", range="[1, inf)", epochs=True)

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
        if self.init_epoch > ctx.epochs:
            ctx.report(
                f"co_teaching_plus: disagreement would begin in epoch {self.init_epoch} of {ctx.epochs}; "
                "until then it is co_teaching"
            )

    def begin_epoch(self, epoch: int) -> None:
        """Set the phase and λ(e) n, the number of samples to keep of n, for every n."""
        self.disagreeing = epoch >= self.init_epoch
        keep = 1 - self.tau * min(epoch / self.num_gradual, 1)
        counts = [max(1, int(keep * size)) for size in range(len(self.counts))]
        self.counts.copy_(torch.tensor(counts))

    def variant(self, epoch: int) -> bool:
        """Return whether only disagreement counts."""
        return self.disagreeing

    def step(self, batch: Batch) -> Tensor:
        """Let each network descend on the samples that the other one picks."""
        logits, losses = [], []
        for network, loss in zip(self.networks, self.losses, strict=True):
            logits.append(network(batch.images))
            loss.observe(logits[-1], batch.index)
            losses.append(loss(logits[-1], batch.targets, batch.index))
        if self.disagreeing:
            among = logits[0].argmax(1) != logits[1].argmax(1)
            count = self.counts.take(among.sum())
        else:
            among = torch.ones_like(batch.index, dtype=torch.bool)
            count = self.counts[len(batch.index)]
        ranks = [loss.detach().masked_fill(~among, torch.inf).argsort().argsort() for loss in losses]
        picked = [((rank < count) & among).float() for rank in ranks]
        self.kept[:, batch.index] = torch.where(among, torch.stack(picked), self.kept[:, batch.index])
        means = [
            self.ctx.minimise(self.optimizers[own], (losses[own] * picked[1 - own]).sum() / count) for own in (0, 1)
        ]
        return (means[0] + means[1]) / 2

    def predict(self, images: Tensor) -> Tensor:
        """Return the first network's logits (B, K)."""
        logits: Tensor = self.networks[0](images)
        return logits

    def clean_probability(self) -> Tensor:
        """Return the share of the networks that picked a sample when they disagreed on it last: 0, 1/2 or 1, (N,)."""
        return self.kept.mean(0)

    def state_dict(self) -> dict[str, Tensor]:
        """Return which samples each network picked last."""
        return {"kept": self.kept}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore which samples each network picked last."""
        self.kept.copy_(state["kept"])
