"""
PENCIL (Yi & Wu 2019, arXiv:1903.07788).

    ℓ(f_i, ŷ_i) = KL(p_i ‖ y_i) / K − α log y_{i, ŷ_i} + β H(p_i) / K       p_i = softmax(f_i),  y_i = softmax(ỹ_i)
    KL(p ‖ y) = Σ_k p_k log(p_k / y_k),   H(p) = −Σ_k p_k log p_k
    ỹ_i ← ỹ_i − λ ∂L/∂ỹ_i,   L the mean of ℓ over a batch                   ỹ_i = 10 · onehot(ŷ_i) at first

Each sample's label is a distribution y_i that is learned beside the network. It moves from the given label ŷ_i to what
the network predicts, while α holds it back and β makes predictions sure. Three stages:

    1   cross-entropy on the given labels, with a high learning rate
    2   ℓ as above; the network and ỹ are learned
    3   KL(p_i ‖ y_i) / K only; ỹ stays, and the network learns from the corrected labels

The stages end at shares of the run here, so that it suits a short run and a long one: those of the authors' 70, 200 and
320 epochs. Their network is trained at a rate of 0.06 that is constant until stage 3, where it is 0.2, and a tenth and
a hundredth of it in the second and the last third. That is ``--lr 0.06 --lr-schedule step --lr-milestones 0.75,0.875``:
the step from 0.06 to 0.2 is this loss's (``finish``). λ is the rate of plain gradient descent on ỹ, which no schedule
changes. It goes with a mean over the authors' batches of 128.

Deviations from the authors' code. It takes the softmax of y a second time in the term of α, which then is no longer
the paper's cross-entropy. The last two rates come out as 0 there, by a division of integers, so that two thirds of
stage 3 train nothing. The defaults are the code's, of one setting on CIFAR-10; α, β and λ depend on the noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import LossContext
from nlcore_builtins.losses.terms import log_probabilities, of_label

_SURE = 10.0  # how sure the labels are at first


@dataclass
class Pencil:
    """
    Learns a distribution over labels for each sample beside the network.

    ℓ(f, ŷ) = KL(p ‖ y) / K − α log y_ŷ + β H(p) / K with y = softmax(ỹ), and ỹ learned for each training sample by
    gradient descent of rate λ. Before it comes cross-entropy, afterwards KL(p ‖ y) / K with the y that was found. Yi &
    Wu 2019. For CIFAR-100 a larger λ is needed, as the gradient of ỹ has a factor 1 / K.
    """

    capturable: ClassVar[bool] = True
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = (
        {"start": 0.0, "end": 1.0},
        {"start": 0.0, "end": 0.0},
        {"start": 0.002, "end": 0.5},
    )

    alpha: float = parameter(0.4, "α, how much the given label holds the learned one", range="[0, inf)")
    beta: float = parameter(0.1, "β, the weight of the predictions' entropy", range="[0, inf)")
    lam: float = parameter(600.0, "λ, the learning rate of the labels", range="[0, inf)")
    start: float = parameter(0.22, "where stage 2 starts, a share of the epochs", range="[0, 1]")
    end: float = parameter(0.625, "where stage 2 ends, a share of the epochs", range="[0, 1]")
    finish: float = parameter(10 / 3, "what multiplies the network's learning rate in stage 3", range="[0, inf)")

    def setup(self, ctx: LossContext) -> None:
        """Make ỹ, float32 (N, K), of the given labels."""
        self.y = _SURE * F.one_hot(ctx.given_labels, ctx.num_classes).float()
        self.y.requires_grad_()
        self.epochs = 0
        self.stage = 1

    def begin_epoch(self, epoch: int, epochs: int, predict: Any) -> None:
        """Set the stage."""
        self.epochs = epochs
        self.stage = self.variant(epoch)

    def variant(self, epoch: int) -> int:
        """Return the stage, 1 to 3."""
        if epoch <= self.start * self.epochs:
            return 1
        return 2 if epoch <= self.end * self.epochs else 3

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """
        Return the losses (B,) for logits (B, K), targets int64 (B,) and positions int64 (B,).

        Raises:
            RuntimeError: there are no learned labels yet, or no index to look them up with.

        """
        if index is None or not hasattr(self, "y"):
            raise RuntimeError("PENCIL learns a label for each sample: call setup(ctx) first and give index.")
        log_p = log_probabilities(logits)
        if self.stage == 1:
            return -of_label(log_p, targets)
        y = self.y if self.stage == 2 else self.y.detach()
        log_y = F.log_softmax(y[index].to(log_p.dtype), dim=1)
        p, K = log_p.exp(), log_p.shape[1]
        divergence = (p * (log_p - log_y)).sum(1) / K
        if self.stage == 3:
            return divergence
        entropy = -(p * log_p).sum(1) / K
        return divergence - self.alpha * of_label(log_y, targets) + self.beta * entropy

    def lr_scale(self, epoch: int) -> float:
        """Return what multiplies the network's learning rate."""
        return self.finish if self.variant(epoch) == 3 else 1.0

    def param_groups(self) -> list[dict[str, Any]]:
        """Return ỹ with its learning rate, for plain gradient descent."""
        return [{"params": [self.y], "lr": self.lam, "momentum": 0.0, "weight_decay": 0.0, "scheduled": False}]

    def state_dict(self) -> dict[str, Tensor]:
        """Return ỹ."""
        return {"y": self.y.detach()}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore ỹ."""
        self.y.copy_(state["y"])
