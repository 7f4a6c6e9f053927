"""
Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/): momentum whose steps are orthogonal matrices.

    M ← μ M + G                       for a convolution's filters W (O, I, h, w) with gradient G
    X ← (G + μ M) / ‖G + μ M‖         as a matrix of O rows and I h w columns
    X ← a X + b A X + c A² X          three times, with A = X Xᵀ: its singular values come near 1
    W ← √O W / ‖W‖ − η √max(1, O / I h w) X

All directions that the gradients agree on are then followed equally far, not the few strongest ones, and a step of rate
η turns filters by about η, however large the gradient is: good rates are about a tenth of SGD's. That filters keep
their length, as in airbench94_muon (https://github.com/KellerJordan/cifar10-airbench), changes nothing that a network
computes where batch normalisation follows; else they would grow, and turn ever less. Biases, batch normalisation and
linear layers are trained by SGD, at the same rate.

Unlike in airbench94_muon, steps have the factor √max(1, O / I h w). It is more than 1 only where there are more filters
than numbers in each: √(64 / 27) = 1.54 for a stem of 64 filters 3×3 on RGB, √2 for a 1×1 convolution that doubles the
channels. There, the stem is frozen and SGD has Nesterov's momentum; here the stem is trained like all filters, and SGD
has plain momentum.

torch's own Muon takes matrices only and computes in bfloat16 on any hardware.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nlcore import parameter
from nlcore_builtins.optimizers.sgd import FusedSGD

_A, _B, _C = 3.4445, -4.7750, 2.0315  # Jordan et al.: steepest at 0 while singular values end between 0.7 and 1.2
_STEPS = 3  # as in airbench94_muon


@dataclass
class Muon:
    """
    Orthogonal steps for the filters of convolutions, SGD for biases, normalisation and linear layers.

    Filters keep their length. Good rates are about a tenth of SGD's. Jordan et al. 2024.
    """

    lr: float = parameter(0.01, "η, the learning rate of filters and of all else", range="(0, inf)")
    momentum: float = parameter(0.9, "μ, the momentum; Nesterov's for filters", range="[0, 1)")
    weight_decay: float = parameter(5e-4, "weight decay of all but filters", range="[0, inf)")

    def make(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Return an optimiser over these groups."""
        return OrthogonalSGD(groups, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay, fused=True)


class OrthogonalSGD(FusedSGD):
    """SGD that is given, for the filters of convolutions, orthogonal steps in place of gradients."""

    def __init__(self, groups: Iterable[dict[str, Any]], **options: Any) -> None:
        """
        Split each group into filters, which are all tensors (O, I, h, w), and the rest.

        Args:
            groups: of parameters, as for any optimiser; each may have its own options.
            options: those of `torch.optim.SGD`, for both. ``momentum`` is μ, and always Nesterov's for filters,
                which have no weight decay.

        """
        parted = []
        for group in groups:
            own = {**options, **group}
            filters = [p for p in group["params"] if p.ndim == 4]
            rest = [p for p in group["params"] if p.ndim != 4]
            if filters:  # what SGD is given has its momentum already
                mu = own.get("momentum", 0.0)
                bare = {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0}  # and its length is kept
                parted.append({**own, "params": filters, "mu": mu, **bare})
            if rest:
                parted.append({**own, "params": rest})
        super().__init__(parted, **options)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Do a step; afterwards the filters' ``grad`` holds what they were moved by, before η."""
        for group in self.param_groups:
            if "mu" in group:
                for filters in group["params"]:
                    if filters.grad is not None:
                        filters.mul_(len(filters) ** 0.5 / (filters.norm() + 1e-7))
                        self._orthogonalise(filters.grad, self.state[filters], group["mu"])
        return super().step(closure)

    def _orthogonalise(self, grad: Tensor, state: dict[str, Tensor], mu: float) -> None:
        """Replace a gradient (O, I, h, w) by √max(1, O / I h w) X."""
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(grad)
        momentum = state["momentum_buffer"].mul_(mu).add_(grad)
        step = orthogonal(grad.add(momentum, alpha=mu).flatten(1))
        scale = max(1.0, step.shape[0] / step.shape[1]) ** 0.5
        grad.copy_(step.view(grad.shape) * scale)


def orthogonal(matrix: Tensor) -> Tensor:
    """
    Return about U Vᵀ for a matrix U S Vᵀ, by three Newton–Schulz steps of fifth order.

    Args:
        matrix: (R, C), float32.

    Returns:
        (R, C). Singular values of at least 3 % of the Frobenius norm come to lie between 0.68 and 1.21; smaller ones
        grow by a factor of up to 41.

    """
    x = matrix / (matrix.norm() + 1e-7)
    wide = x if x.shape[0] <= x.shape[1] else x.T
    # All steps are X ← p(A) X with polynomials of one symmetric A, so they commute: what they multiply X by is worked
    # out on the small matrix A, and X, which may be nine times as long, is multiplied once.
    gram = wide @ wide.T
    factor = p = _polynomial(gram)
    for _ in range(_STEPS - 1):
        gram = p @ gram @ p
        p = _polynomial(gram)
        factor = p @ factor
    wide = torch.mm(factor, wide)
    return wide if x.shape[0] <= x.shape[1] else wide.T.contiguous()


def _polynomial(gram: Tensor) -> Tensor:
    """Return a + b A + c A²."""
    p: Tensor = torch.addmm(gram, gram, gram, beta=_B, alpha=_C)
    p.diagonal().add_(_A)
    return p
