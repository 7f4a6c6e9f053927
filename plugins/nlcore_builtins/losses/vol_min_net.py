"""
VolMinNet (Li et al. 2021, arXiv:2102.02400).

    ℓ(f, y) = −log Σ_i p_i T_iy,  plus λ log |det T| once a step        p = softmax(f)
    T_ij = A_ij / Σ_k A_ik,  A_ii = 1,  A_ij = σ(W_ij) for i ≠ j        W (K, K) is learned

The network predicts the true class and T_ij = P(given = j | true = i) carries its prediction over to the given label.
Many pairs of network and T explain the given labels alike; among them the T whose rows span the smallest volume is the
right one if the classes are scattered sufficiently, and no anchor points are needed. As σ < 1, no entry of a row of T
is larger than the one on its diagonal.

W begins with −2 everywhere: so T_ii is 0.48 for 10 classes at first. It is trained by the network's optimiser with a
rate of its own, which follows the run's schedule, and without weight decay, as in the authors' code for CIFAR-10.
There, W is trained by Adam for MNIST and CIFAR-100, and begins with −4.5 for CIFAR-100 (T_ii 0.48 again); here the
run's optimiser trains it always. The epoch that is evaluated there is the best one on noisy validation data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import LossContext
from nlcore_builtins.losses.terms import log_probabilities


@dataclass
class VolMinNet:
    """
    Learns the transition matrix beside the network, as the one of smallest volume.

    ℓ(f, y) = −log Σ_i p_i T_iy plus λ log |det T|, with T_ij ∝ σ(W_ij) and T_ii ∝ 1 in each row, and W learned with a
    rate of its own. Li et al. 2021; the defaults are theirs for CIFAR-10, with a learning rate of 0.01 for the network
    too. For CIFAR-100 they begin with W = −4.5.
    """

    soft_targets: ClassVar[bool] = True
    capturable: ClassVar[bool] = True

    lam: float = parameter(1e-4, "λ, the weight of log |det T|", range="[0, inf)")
    lr_transition: float = parameter(0.01, "learning rate of W, from which T is made", range="[0, inf)")
    first: float = parameter(
        -2.0, "what W is at first; the lower, the nearer T begins to the identity", range="(-inf, inf)"
    )

    def setup(self, ctx: LossContext) -> None:
        """Make W, float32 (K, K); its diagonal has no effect."""
        K = ctx.num_classes
        self.W = torch.full((K, K), self.first, device=ctx.device).requires_grad_()
        self.diagonal = torch.eye(K, dtype=torch.bool, device=ctx.device)

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """
        Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K).

        Raises:
            RuntimeError: there is no W yet.

        """
        if not hasattr(self, "W"):
            raise RuntimeError("VolMinNet learns a transition matrix: call setup(ctx) first.")
        log_p = log_probabilities(logits)
        log_T = self._log_transition().to(log_p.dtype)
        if not targets.is_floating_point():
            return -torch.logsumexp(log_p + log_T.T[targets], dim=1)
        log_given = torch.logsumexp(log_p[:, :, None] + log_T, dim=1)
        return -(targets.to(log_p.dtype) * log_given).sum(1)

    def penalty(self, network: nn.Module) -> Tensor:
        """Return λ log |det T|, a scalar."""
        volume: Tensor = torch.linalg.slogdet(self.transition()).logabsdet
        return self.lam * volume

    def transition(self) -> Tensor:
        """Return T, float32 (K, K), its rows summing to 1."""
        return self._log_transition().exp()

    def param_groups(self) -> list[dict[str, Any]]:
        """Return W with its learning rate."""
        return [{"params": [self.W], "lr": self.lr_transition, "weight_decay": 0.0}]

    def state_dict(self) -> dict[str, Tensor]:
        """Return W."""
        return {"W": self.W.detach()}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore W."""
        self.W.copy_(state["W"])

    def _log_transition(self) -> Tensor:
        log_A = torch.where(self.diagonal, 0.0, F.logsigmoid(self.W))
        return log_A - log_A.logsumexp(1, keepdim=True)
