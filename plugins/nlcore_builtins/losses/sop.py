"""
Sparse over-parameterisation (Liu et al. 2022, arXiv:2202.14026, as in the authors' released code).

    ℓ(f_i, y_i) = −log s_{i, y_i} + Σ_k (z_ik + U_ik − V_ik − y_ik)²        y_i one-hot, z_i the predicted class one-hot
    s_i = [p_i + U_i − stop(V_i)] kept above 1e-4 and scaled to sum 1       p_i = softmax(f_i)
    U_ik = min(u_i², 1) y_ik,   V_ik = min(v_ik², 1) (1 − y_ik)             u (N, 1) and v (N, K) are learned

What is wrong in a label is learned beside the network: for a wrong label u_i² grows and explains it, so the network
need not. Starting from almost 0 and squared, u and v stay sparse. The cross-entropy trains the network and u; the
squared error, in which z is a constant, trains u and v. That is so in the released code; in the paper each of u and v
has one of the two. The authors' other terms, consistency between views and class balance (SOP+), are left out.

u and v begin at N(0, 1e-8²) and are trained by plain gradient descent with learning rates of their own, 10 by default:
no momentum, no weight decay, and no schedule, as in the authors' code. The gradient is of the mean over a batch: the
rates go with the authors' batches of 128. Their rates (lr_u, lr_v), by table A.1 of the paper:

    noise        CIFAR-10    CIFAR-100
    symmetric     10,  10      1,  10
    asymmetric    10, 100      1, 100    in the released code 0.1, 100 for CIFAR-100
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import LossContext
from nlcore_builtins.losses.terms import distributions

_EPSILON = 1e-4
_STD = 1e-8


@dataclass
class SOP:
    """
    Learns what is wrong in each label beside the network.

    ℓ(f, y) = −log s_y + ‖z + U − V − y‖² with s ∝ softmax(f) + U − V, y and the predicted class z one-hot, U = u² y and
    V = v² (1 − y), for u and v learned for each training sample with learning rates of their own, which no schedule
    changes. Liu et al. 2022, as in the authors' code; the defaults are theirs for CIFAR-10 with symmetric noise. For
    asymmetric noise they take lr_v 100; for CIFAR-100 lr_u 1, and under asymmetric noise 0.1 in the released code.
    """

    capturable: ClassVar[bool] = True

    lr_u: float = parameter(10.0, "learning rate of u, one number for each sample", range="[0, inf)")
    lr_v: float = parameter(10.0, "learning rate of v, one number for each sample and class", range="[0, inf)")

    def setup(self, ctx: LossContext) -> None:
        """Draw u, float32 (N, 1), and v, float32 (N, K)."""
        u = torch.randn(ctx.num_samples, 1, generator=ctx.generator)
        v = torch.randn(ctx.num_samples, ctx.num_classes, generator=ctx.generator)
        self.u = (_STD * u).to(ctx.device).requires_grad_()
        self.v = (_STD * v).to(ctx.device).requires_grad_()

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """
        Return the losses (B,) for logits (B, K), targets int64 (B,) and positions int64 (B,).

        Raises:
            RuntimeError: u and v are not there yet, or there is no index to look them up with.

        """
        if index is None or not hasattr(self, "u"):
            raise RuntimeError("SOP learns numbers for each sample: call setup(ctx) first and give index.")
        p = F.softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)
        y, z = distributions(targets, p), distributions(p.argmax(1), p)
        U, V = self._learned(y, index)
        s_y = _s(p, U, V).gather(1, targets[:, None]).squeeze(1)
        return -torch.log(s_y.clamp(min=_EPSILON)) + ((z + U - V - y) ** 2).sum(1)

    def corrected(self, logits: Tensor, targets: Tensor, index: Tensor) -> Tensor:
        """Return s, the predictions that explain the given labels, (B, K), rows sum to 1; V is held fixed in it."""
        p = F.softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)
        return _s(p, *self._learned(distributions(targets, p), index))

    def _learned(self, y: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return U and V, (B, K) each, of one-hot labels y."""
        U = (self.u[index].to(y.dtype) ** 2).clamp(max=1) * y
        V = (self.v[index].to(y.dtype) ** 2).clamp(max=1) * (1 - y)
        return U, V

    def param_groups(self) -> list[dict[str, Any]]:
        """Return u and v, each with its learning rate."""
        plain = {"momentum": 0.0, "weight_decay": 0.0, "scheduled": False}
        return [{"params": [self.u], "lr": self.lr_u, **plain}, {"params": [self.v], "lr": self.lr_v, **plain}]

    def state_dict(self) -> dict[str, Tensor]:
        """Return u and v."""
        return {"u": self.u.detach(), "v": self.v.detach()}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore u and v."""
        self.u.copy_(state["u"])
        self.v.copy_(state["v"])


def _s(p: Tensor, U: Tensor, V: Tensor) -> Tensor:
    s = (p + U - V.detach()).clamp(min=_EPSILON)
    return s / s.sum(1, keepdim=True)
