"""
Forward correction (Patrini et al. 2017, arXiv:1609.03683, theorem 2).

    ℓ→(f, y) = −log Σ_i p_i T_iy        p = softmax(f),  T_ij = P(given = j | true = i)

The network predicts the true class; T carries its prediction over to the given label. So its minimiser over all
functions is the one of cross-entropy on true labels.

T is estimated by default: training begins with cross-entropy (T = I) for ``warm_up`` epochs. Then row i becomes the
network's posterior at an anchor point of class i, the training image (not augmented) at the 97th percentile of p_i, as
in the authors' code for CIFAR-10 (100, the most likely image, for CIFAR-100); posteriors sum to 1 by themselves. The
authors train a first network to its end, estimate T with it and begin anew with a second one; here the same network
goes on. So ``warm_up`` is ours, and fits a training of 20 epochs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from nlcore import UserError, parameter
from nlcore.contracts import LossContext
from nlcore_builtins.transition import at_anchors, first_transition

#: log 0: what T excludes costs more than any logit brings, and stays finite.
_NEVER = -1e6


@dataclass
class ForwardCorrection:
    """
    Cross-entropy on what the transition matrix makes of the prediction.

    ℓ(f, y) = −log Σ_i p_i T_iy with p = softmax(f) and T_ij = P(given = j | true = i). Patrini et al. 2017, theorem 2.
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
            UserError: there is no such matrix, or it rules given labels out that there are.

        """
        T = first_transition(self.transition, ctx)
        given = torch.bincount(ctx.given_labels.cpu(), minlength=ctx.num_classes).numpy()
        ruled_out = np.flatnonzero((T.sum(0) == 0) & (given > 0))
        if len(ruled_out):
            raise UserError(
                f"loss.transition = {self.transition}: column {ruled_out[0]} is 0, so no sample would have that label, "
                f"but {given[ruled_out[0]]:,} have. Give a matrix that allows it."
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
            raise RuntimeError("Forward correction needs a transition matrix: call setup(ctx) first.")
        log_p = F.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)
        log_T = self.log_T.to(log_p.dtype)
        if not targets.is_floating_point():
            return -torch.logsumexp(log_p + log_T.T[targets], dim=1)
        log_given = torch.logsumexp(log_p[:, :, None] + log_T, dim=1)
        return -(targets.to(log_p.dtype) * log_given).sum(1)

    def state_dict(self) -> dict[str, Tensor]:
        """Return log T."""
        return {"log_T": self.log_T}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore log T."""
        self.log_T.copy_(state["log_T"])


def _log(T: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(T)).log().clamp(min=_NEVER)
