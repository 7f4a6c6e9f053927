"""
Importance reweighting (Liu & Tao 2016, arXiv:1411.7718; for K classes as Xia et al. 2019, arXiv:1906.00189, have it).

    ℓ(f, y) = −β log p_y                          p = softmax(f),  T_ij = P(given = j | true = i)
    β = P(true = y | x) / P(given = y | x) = p_y / Σ_i p_i T_iy, a constant

The network predicts the true class. Weighted with β, samples that were drawn with given labels count as ones drawn with
true labels would, for any loss; here it is cross-entropy. A label that another class explains better weighs less. As
β ≤ 1 / T_yy, the diagonal of T must be positive.

Liu & Tao treat two classes: P(given = y | x) comes from a density estimate and β from it and the two flip rates. With
K classes and a network, both probabilities are the network's own, of the same step. T is found as in forward
correction: by default it is the identity for ``warm_up`` epochs, in which β is 1 and this is cross-entropy, and then
row i is the network's posterior at an anchor point of class i. Xia et al. train for 20 epochs first and take the epoch
that is best on noisy validation data; here ``warm_up`` is ours, fits a training of 20 epochs, and its last epoch is
taken. A class that the network does not predict by then gets small weights and may never be learned: a longer warm-up
helps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nlcore import UserError, parameter
from nlcore.contracts import LossContext
from nlcore_builtins.losses.terms import log_probabilities, of_label
from nlcore_builtins.transition import at_anchors, first_transition

#: log 0: what T excludes costs more than any logit brings, and stays finite.
_NEVER = -1e6


@dataclass
class ImportanceReweighting:
    """
    Cross-entropy weighted with how much likelier the label is as a true one than as a given one.

    ℓ(f, y) = −β log p_y with β = p_y / Σ_i p_i T_iy, held constant, and T_ij = P(given = j | true = i). Liu & Tao 2016.
    Estimated, T is found after ``warm_up`` epochs of cross-entropy from an anchor point of each class: a run of no more
    epochs is cross-entropy to its end. Known, it is what the noise model declares: an oracle.
    """

    soft_targets: ClassVar[bool] = True
    capturable: ClassVar[bool] = True

    transition: str = parameter(
        "estimated",
        "T: estimated; known, from the noise model, an oracle; or a .npy, .npz or .csv",
        path=True,
        keywords=("estimated", "known"),
    )
    warm_up: int = parameter(5, "epochs of cross-entropy before T is estimated", range="[0, inf)", epochs=True)
    percentile: float = parameter(
        97.0, "where a class's anchor point stands among all images; 100: the most likely one", range="[0, 100]"
    )

    @property
    def until(self) -> tuple[int, str]:
        """For how many epochs it is something simpler, and what."""
        return (self.warm_up if self.transition == "estimated" else 0, "cross-entropy")

    def setup(self, ctx: LossContext) -> None:
        """
        Find T, float64 (K, K); the identity where it is to be estimated.

        Raises:
            UserError: there is no such matrix, or by it some label is never right.

        """
        T = first_transition(self.transition, ctx)
        never = np.flatnonzero(T.diagonal() == 0)
        if len(never):
            raise UserError(
                f"loss.transition = {self.transition}: the entry in row {never[0]}, column {never[0]} is 0, so label "
                f"{never[0]} would never be right and β = p_y / Σ_i p_i T_iy has no bound. Give a matrix with a "
                "positive diagonal."
            )
        self.log_T = _log(T).to(ctx.device)

    def begin_epoch(self, epoch: int, epochs: int, predict: Callable[[], Tensor]) -> None:
        """Estimate T when the warm-up is over."""
        if self.transition == "estimated" and epoch == self.warm_up + 1:
            self.log_T.copy_(_log(at_anchors(predict(), self.percentile)))

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """
        Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K).

        Raises:
            RuntimeError: there is no T yet.

        """
        if not hasattr(self, "log_T"):
            raise RuntimeError("Importance reweighting needs a transition matrix: call setup(ctx) first.")
        log_p = log_probabilities(logits)
        log_T = self.log_T.to(log_p.dtype)
        if not targets.is_floating_point():
            log_p_y = of_label(log_p, targets)
            log_given = torch.logsumexp(log_p + log_T.T[targets], dim=1)
            return -(log_p_y - log_given).exp().detach() * log_p_y
        beta = (log_p - torch.logsumexp(log_p[:, :, None] + log_T, dim=1)).exp().detach()
        return -(targets.to(log_p.dtype) * beta * log_p).sum(1)

    def state_dict(self) -> dict[str, Tensor]:
        """Return log T."""
        return {"log_T": self.log_T}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore log T."""
        self.log_T.copy_(state["log_T"])


def _log(T: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(T)).log().clamp(min=_NEVER)
