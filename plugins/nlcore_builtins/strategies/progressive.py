"""
Progressive resizing (Tan & Le 2021, arXiv:2104.00298, section 4, with one step up; widely used since Howard 2018).

    θ ← θ − η ∇_θ (1/B) Σ_i ℓ(f_θ(r(x_i)), y_i)        r scales to s times the size for the first epochs, then x

A convolutional network takes images of any size, and smaller ones cost less: at s = 3/4 about half. Early epochs learn
what is coarse and need no more; the last ones see the images as they will be tested. Unlike in the paper, augmentation
does not grow with the size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import Batch, StrategyContext


@dataclass
class Progressive:
    """
    Standard training that begins on smaller images, which take less time.

    For the first ``until`` of the epochs each batch is scaled to s times its height and width (bilinear, antialiased);
    after that images are taken as they are. For architectures that take any image size. Tan & Le 2021, section 4, with
    one step and without growing augmentation.
    """

    capturable: ClassVar[bool] = True

    scale: float = parameter(0.75, "s, the size of images at first, of their full size", range="(0, 1)")
    until: float = parameter(0.5, "the share of the epochs on smaller images", range="[0, 1]")

    def setup(self, ctx: StrategyContext) -> None:
        """Make one network with its loss and optimiser."""
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)

    def begin_epoch(self, epoch: int) -> None:
        """Say whether this epoch's images are scaled."""
        self.small = epoch <= self.until * self.ctx.epochs

    def variant(self, epoch: int) -> bool:
        """Return whether this epoch's images are scaled: a step is another one then."""
        return self.small

    def step(self, batch: Batch) -> Tensor:
        """Descend on the batch's mean loss."""
        logits = self.network(self._resized(batch.images))
        self.loss.observe(logits, batch.index)
        losses = self.loss(logits, batch.targets, batch.index)
        return self.ctx.minimise(self.optimizer, losses.mean())

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K) for images of full size."""
        logits: Tensor = self.network(images)
        return logits

    def _resized(self, images: Tensor) -> Tensor:
        if not self.small:
            return images
        size = [max(1, round(self.scale * length)) for length in images.shape[2:]]
        return F.interpolate(images, size, mode="bilinear", antialias=True)
