"""
ELR+ (Liu, Niles-Weed, Razavian, Fernandez-Granda 2020, arXiv:2007.00151): eq. 6 and 9 of ELR, for two networks.

Two networks f_k, each with a weight average f̄_k and a memory t_k of targets, which the other one's average writes:

    t_ki ← β t_ki + (1 − β) softmax f̄_k̄(x_i)          0 at first; x_i is not mixed
    x̃ = λ' x_i + (1 − λ') x_j,  q = λ' t_ki + (1 − λ') t_kj      λ' = max(l, 1 − l), l ~ Beta(α, α); j a permutation
    L_k = λ' ℓ(f_k(x̃), ỹ_i) + (1 − λ') ℓ(f_k(x̃), ỹ_j) + λ c log(1 − ⟨softmax f_k(x̃), q⟩)
    θ̄_k ← γ r θ̄_k + (1 − γ r) θ_k                      after each step of f_k

In an epoch all of f_1's steps come first, then all of f_2's, each with batches of its own. Both predict: the sum of
their logits. Mixing losses instead of labels is the same for cross-entropy, ℓ of the paper, and lets ℓ be the run's.

r and c are the released code's: r = exp(−5 (1 − t / T_γ)²) until epoch T_γ and 1 from there on, t the epoch with its
fraction, so that averages begin as the networks themselves; c likewise until T_λ. Its 40,000 steps for r are 102 epochs
of CIFAR, and c has as many for CIFAR-100, none for CIFAR-10. As there, averages stay in training mode, so that it does
not matter which running statistics they have, and p is kept within [1e-4, 1 − 1e-4] in the regulariser. Deviation: for
100 classes the code multiplies labels by q and scales them to sum 1, which the paper does not have; left out.

The authors' (β, λ) are (0.7, 3) for CIFAR-10, (0.9, 1) there under asymmetric noise, and (0.9, 7) for CIFAR-100.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from nlcore import parameter
from nlcore.contracts import Batch, Pass, StrategyContext
from nlcore.toolbox import beta as draw_beta
from nlcore.toolbox import mix, mixup_pairs, sigmoid_rampup
from nlcore_builtins.losses.elr import ELR

_EPSILON = 1e-4


@dataclass
class ELRPlus:
    """
    Early-learning regularisation of two networks with mixup, each held to what the other's average predicted before.

    Adds λ log(1 − ⟨p, q⟩) to the loss of mixed images, q a running mean over epochs of what the weight average of the
    other network says of them. Liu et al. 2020. Both networks predict.
    """

    capturable: ClassVar[bool] = True
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = ({"ema_ramp": 1, "lam_ramp": 2},)

    beta: float = parameter(0.7, "β, how much of the memory of targets stays each time", range="[0, 1)")
    lam: float = parameter(3.0, "λ, the weight of the regulariser", range="[0, inf)")
    alpha: float = parameter(1.0, "α of mixup's Beta distribution; 0: no mixup", range="[0, inf)")
    gamma: float = parameter(0.997, "γ, the decay of the weight averages", range="[0, 1)")
    ema_ramp: int = parameter(102, "T_γ, epochs until γ is reached; 0: from the start", range="[0, inf)", epochs=True)
    lam_ramp: int = parameter(0, "T_λ, epochs until λ is reached; 0: from the start", range="[0, inf)", epochs=True)

    @property
    def no_history(self) -> str:
        """Why its steps tell nothing of single samples."""
        return "its networks see mixtures of images" if self.alpha > 0 else ""

    def refuses(self, loss: Any) -> str | None:
        """Return why it makes no sense with the loss elr."""
        if isinstance(loss, ELR):
            return "elr_plus has ELR's regulariser itself, so it would be added twice; --loss cross_entropy is ELR+."
        return None

    def setup(self, ctx: StrategyContext) -> None:
        """Make two networks with their losses, optimisers and averages, and the memories t, float32 (2, N, K)."""
        self.ctx = ctx
        self.networks = [ctx.network() for _ in range(2)]
        self.losses = [ctx.loss(network) for network in self.networks]
        self.optimizers = [ctx.optimizer(*pair) for pair in zip(self.networks, self.losses, strict=True)]
        self.averages = [ctx.teacher(network, self.gamma) for network in self.networks]
        self.t = torch.zeros(2, ctx.num_samples, ctx.num_classes, device=ctx.device)
        self.mixing, self.order, self.r, self.c = (torch.empty(0, device=ctx.device) for _ in range(4))
        self.ramping = self.ema_ramp > 0
        if ctx.epochs < max(self.ema_ramp, self.lam_ramp):
            reached = f"γ {self.gamma * sigmoid_rampup(ctx.epochs, self.ema_ramp):.3g}"
            reached += f" and λ {self.lam * sigmoid_rampup(ctx.epochs, self.lam_ramp):.3g}"
            ctx.report(f"elr_plus: the run ends before the ramps do; they end at {reached}.")

    def begin_epoch(self, epoch: int) -> None:
        """Draw λ' and partners for every step, and work r and c out."""
        steps, size = self.ctx.steps(), self.ctx.batch_size + 1  # a batch may take a last single sample in
        random = self.ctx.generator("elr_plus", epoch)
        drawn = draw_beta(self.alpha, 2 * steps, random) if self.alpha else torch.ones(2 * steps)
        self.mixing.resize_(2 * steps).copy_(drawn.maximum(1 - drawn))
        self.order.resize_(2 * steps, size).copy_(torch.rand(2 * steps, size, generator=random))
        times = [epoch - 1 + (step + 1) / steps for step in range(steps)] * 2  # both networks are equally old
        self.r.resize_(2 * steps).copy_(torch.tensor([sigmoid_rampup(time, self.ema_ramp) for time in times]))
        self.c.resize_(2 * steps).copy_(torch.tensor([sigmoid_rampup(time, self.lam_ramp) for time in times]))
        self.ramping = epoch <= self.ema_ramp

    def variant(self, epoch: int) -> bool:
        """Return whether r is below 1."""
        return self.ramping

    def passes(self, epoch: int) -> list[Pass]:
        """Return one pass for each network."""
        return [Pass(label=0), Pass(label=1)]

    def step(self, batch: Batch) -> Tensor:
        """Train the network that the pass names, and let its average follow."""
        own, index = batch.label, batch.index
        network, loss, average = self.networks[own], self.losses[own], self.averages[own]
        mixing, partner = batch.row(self.mixing), mixup_pairs(batch.row(self.order), len(index))
        if self.ctx.half != 2:  # of a step that is taken twice, the second half has the first one's targets
            with torch.no_grad():
                said = self.averages[1 - own](batch.images).softmax(1)
                self.t[own][index] = self.beta * self.t[own][index] + (1 - self.beta) * said
        t = self.t[own][index]
        logits = network(mix(batch.images, partner, mixing))
        loss.observe(logits, index)  # as λ' ≥ 1/2, the sample itself weighs more
        losses = mixing * loss(logits, batch.targets, index)
        losses = losses + (1 - mixing) * loss(logits, batch.targets[partner], index[partner])
        p = logits.softmax(1).clamp(_EPSILON, 1 - _EPSILON)
        regulariser = torch.log(1 - (p * mix(t, partner, mixing)).sum(1))
        objective = (losses + self.lam * batch.row(self.c) * regulariser).mean()
        value = self.ctx.minimise(self.optimizers[own], objective)
        if self.ramping and self.ctx.half != 1:  # the average followed with γ; as far as r again makes that γ r
            _pull(average, network, 1 - batch.row(self.r))
        return value

    def predict(self, images: Tensor) -> Tensor:
        """Return the sum of both networks' logits, (B, K)."""
        logits: Tensor = self.networks[0](images) + self.networks[1](images)
        return logits

    def clean_probability(self) -> Tensor | None:
        """Return the given labels' share of the targets, (N,), 1 for samples not seen yet; None before the first."""
        found = self._targets()
        if found is None:
            return None
        share = found.gather(1, self.ctx.given_labels[:, None]).squeeze(1)
        return share.clamp(0, 1).nan_to_num(1.0)

    def suggested_labels(self) -> Tensor | None:
        """Return the classes of the largest targets, int64 (N,), given labels for samples not seen yet."""
        found = self._targets()
        return None if found is None else torch.where(found[:, 0].isnan(), self.ctx.given_labels, found.argmax(1))

    def state_dict(self) -> dict[str, Tensor]:
        """Return the memories."""
        return {"t": self.t}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the memories."""
        self.t.copy_(state["t"])

    def _targets(self) -> Tensor | None:
        """Return the mean of both memories scaled to sum 1, (N, K), NaN for samples that are in none yet."""
        total = self.t.sum((0, 2))
        return self.t.sum(0) / total[:, None] if bool(total.any()) else None


@torch.no_grad()
def _pull(average: torch.nn.Module, network: torch.nn.Module, share: Tensor) -> None:
    """Move an average's weights towards its network's by a share, a tensor without dimensions."""
    for mean, weight in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(weight, share)
