"""
Peer loss (Liu & Guo 2020, arXiv:1910.03231, with the weight α).

    ℓ(f_i, y_i) = CE(f_i, y_i) − α CE(f_{n1}, y_{n2})        n1, n2: two random samples, drawn apart from each other
    CE(f, y) = −log(p_y + 1e-5)                              p = softmax(f)

A label that has nothing to do with the image is held against the network: agreeing with it blindly does not pay. The
constant 1e-5 is that of the authors' code; without it the subtracted term, and so the loss, has no bound.

What is drawn: for each sample and epoch the label of a random training sample, y_{n2}. The random image is not drawn
apart: sample i carries the peer term of its own image, CE(f_i, y_{n2(i)}). In the mean over a batch this is the
authors' sum with n1 a permutation of the batch, in another order: the terms have the same distribution and their mean
the same expectation. But a sample's loss is its own, so that it can be weighted, selected and mixed, and no second
forward pass is needed (the authors draw a second batch of images).

The weight α grows with the epochs. The authors' code has a list of it for 340 epochs, six straight pieces from 0 to 5
(20 for sparse noise) after 20 epochs without, but trains for 300: α ends at 4.31 (15.96). Here it is one straight line
with the ends of that list, which stands at 4.36 in epoch 300. As there, the learning rate is divided by 1 + α.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import LossContext
from nlcore_builtins.losses.terms import distributions

_EPSILON = 1e-5


@dataclass
class Peer:
    """
    Cross-entropy minus that of a random label, which takes away what can be gained without looking.

    ℓ(f_i, y_i) = CE(f_i, y_i) − α CE(f_i, y_n) with CE(f, y) = −log(p_y + 1e-5) and y_n the label of a random training
    sample, drawn anew in each epoch. Liu & Guo 2020. α is 0 for ``warm_up`` epochs and grows to its full value
    over ``ramp``; the learning rate is divided by 1 + α. The defaults are those of the authors' list of α for 340
    epochs, of which they train 300: a run of 20 is cross-entropy, so give a shorter --loss.warm_up and --loss.ramp for
    one, and a smaller --loss.alpha.
    """

    soft_targets: ClassVar[bool] = True
    capturable: ClassVar[bool] = True

    alpha: float = parameter(5.0, "α, the weight of the peer term in the end", range="[0, inf)")
    warm_up: int = parameter(20, "epochs without the peer term", range="[0, inf)", epochs=True)
    ramp: int = parameter(320, "epochs in which α grows after the warm-up", range="[1, inf)", epochs=True)

    @property
    def until(self) -> tuple[int, str]:
        """For how many epochs it is something simpler, and what."""
        return (self.warm_up, "cross-entropy")

    def setup(self, ctx: LossContext) -> None:
        """Make α, a scalar, and the random labels, int64 (N,)."""
        self.given = ctx.given_labels
        self.generator = ctx.generator
        self.weight = torch.zeros((), device=ctx.device)
        self.peers = ctx.given_labels.clone()

    def begin_epoch(self, epoch: int, epochs: int, predict: Callable[[], Tensor]) -> None:
        """Set α and draw the epoch's random labels."""
        self.weight.fill_(self._alpha(epoch))
        drawn = torch.randint(len(self.given), (len(self.given),), generator=self.generator)
        self.peers.copy_(self.given[drawn.to(self.given.device)])

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """
        Return the losses (B,) for logits (B, K), targets int64 (B,) or float (B, K) and positions int64 (B,).

        Raises:
            RuntimeError: no labels are drawn yet, or there is no index to look them up with.

        """
        if index is None or not hasattr(self, "peers"):
            raise RuntimeError("Peer loss draws a label for each sample: call setup(ctx) first and give index.")
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        minus_log_p = -torch.log(F.softmax(logits, dim=1) + _EPSILON)
        own = (distributions(targets, minus_log_p) * minus_log_p).sum(1)
        return own - self.weight * minus_log_p.gather(1, self.peers[index][:, None]).squeeze(1)

    def lr_scale(self, epoch: int) -> float:
        """Return 1 / (1 + α)."""
        return 1 / (1 + self._alpha(epoch))

    def _alpha(self, epoch: int) -> float:
        return self.alpha * min(max((epoch - 1 - self.warm_up) / self.ramp, 0.0), 1.0)
