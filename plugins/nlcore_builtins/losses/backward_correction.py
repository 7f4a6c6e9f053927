"""
Backward correction (Patrini et al. 2017, arXiv:1609.03683, theorem 1).

    ℓ←(f, y) = Σ_j (T⁻¹)_yj ℓ(f, j)        ℓ(f, j) = −log p_j,  p = softmax(f),  T_ij = P(given = j | true = i)

Over the labels that T gives for a true class its mean is the cross-entropy of that class: Σ_y T_iy ℓ←(f, y) = ℓ(f, i).
The weights T⁻¹ are partly negative, so it would have no lower bound: as in the authors' code p is kept above 1e-7,
which bounds ℓ by 16.1. Where T is nearly singular the weights are so large that training follows them downwards and
learns nothing, as an early estimate showed; a T whose condition number is above 100 is refused.

T is estimated by default: training begins with cross-entropy (T = I) for ``warm_up`` epochs. Then row i becomes the
network's posterior at an anchor point of class i, the training image (not augmented) at the 97th percentile of p_i, as
in the authors' code for CIFAR-10 (100, the most likely image, for CIFAR-100); posteriors sum to 1 by themselves. The
authors train a first network to its end, estimate T with it and begin anew with a second one; here the same network
goes on. So ``warm_up`` is ours, and fits a training of 20 epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from nlcore import RunError, UserError, parameter
from nlcore.contracts import LossContext
from nlcore_builtins.transition import at_anchors, first_transition

_MIN_LOG_P = math.log(1e-7)

#: An estimate's errors come out of the inversion up to as many times larger: beyond this the weights say nothing.
_MAX_CONDITION = 100.0


@dataclass
class BackwardCorrection:
    """
    Cross-entropy weighted so that its mean over wrong labels is that of the right one.

    ℓ(f, y) = −Σ_j (T⁻¹)_yj log p_j with p = softmax(f) and T_ij = P(given = j | true = i). Patrini et al. 2017, theorem
    1. Estimated, T is found after ``warm_up`` epochs of cross-entropy from an anchor point of each class: a run of no
    more epochs is cross-entropy to its end. Known, it is what the noise model declares: an oracle. A T that is nearly
    singular (condition number above 100) ends the run, as the weights of its inverse would run away with it.
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
        Find T and invert it, float64 (K, K); the identity where it is to be estimated.

        Raises:
            UserError: there is no such matrix, or its condition number is above 100.

        """
        T = first_transition(self.transition, ctx)
        if _condition(T) > _MAX_CONDITION:
            raise UserError(
                f"loss.transition = {self.transition}: this matrix cannot be inverted safely: some of its rows say "
                f"almost the same of different classes (its condition number is {_condition(T):.4g}, above "
                f"{_MAX_CONDITION:g}). Use --loss forward_correction, which needs no inverse."
            )
        self.T_inverse = torch.from_numpy(np.linalg.inv(T)).to(ctx.device)

    def begin_epoch(self, epoch: int, epochs: int, predict: Callable[[], Tensor]) -> None:
        """
        Estimate T when the warm-up is over.

        Raises:
            RunError: the condition number of what was estimated is above 100.

        """
        if self.transition == "estimated" and epoch == self.warm_up + 1:
            T = at_anchors(predict(), self.percentile)
            if _condition(T) > _MAX_CONDITION:
                raise RunError(
                    f"The transition matrix estimated after {self.warm_up} epochs cannot be inverted safely: the "
                    f"network does not tell all classes apart yet (its condition number is {_condition(T):.4g}, above "
                    f"{_MAX_CONDITION:g}). Give a longer --loss.warm_up, or use --loss forward_correction, which "
                    "needs no inverse."
                )
            self.T_inverse.copy_(torch.from_numpy(np.linalg.inv(T)))

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """
        Return the losses (B,) for logits (B, K) and targets int64 (B,) or float (B, K).

        Raises:
            RuntimeError: there is no T yet.

        """
        if not hasattr(self, "T_inverse"):
            raise RuntimeError("Backward correction needs a transition matrix: call setup(ctx) first.")
        log_p = F.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)
        T_inverse = self.T_inverse.to(log_p.dtype)
        if targets.is_floating_point():
            weights = (targets.to(log_p.dtype)[:, :, None] * T_inverse).sum(1)  # no matmul: autocast would round it
        else:
            weights = T_inverse[targets]
        return -(weights * log_p.clamp(min=_MIN_LOG_P)).sum(1)

    def state_dict(self) -> dict[str, Tensor]:
        """Return T⁻¹."""
        return {"T_inverse": self.T_inverse}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore T⁻¹."""
        self.T_inverse.copy_(state["T_inverse"])


def _condition(T: NDArray[np.float64]) -> float:
    """Return the condition number of T, its largest singular value over its smallest; inf where there is no inverse."""
    return float(np.linalg.cond(T))
