"""
Progressive resizing (Tan & Le 2021, arXiv:2104.00298, section 4, with one step up; widely used since Howard 2018).

    x ← r(x)        r scales to s times the size for the first epochs; after them x stays as it is

A convolutional network takes images of any size, and smaller ones cost less: at s = 3/4 about half. Early epochs learn
what is coarse and need no more; the last ones see the images as they will be tested. Unlike in the paper, augmentation
does not grow with the size. As it changes images only, it goes with every strategy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import Draws


@dataclass
class Progressive:
    """
    Begins on smaller images, which take less time.

    For the first ``until`` of the epochs each batch is scaled to s times its height and width (bilinear, antialiased);
    after that images are taken as they are. For architectures that take any image size: ``--augmentation
    crop_flip+progressive``. Tan & Le 2021, section 4, with one step and without growing augmentation.
    """

    space: ClassVar[Literal["normalised"]] = "normalised"

    scale: float = parameter(0.75, "s, the size of images at first, of their full size", range="(0, 1)")
    until: float = parameter(0.5, "the share of the epochs on smaller images", range="[0, 1]")
    _small: bool = field(default=False, init=False, repr=False, compare=False)

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Decide whether this epoch's images are scaled."""
        self._small = epoch <= self.until * epochs

    def draw(self, count: int, generator: torch.Generator) -> Draws:
        """Draw nothing: all images are treated alike."""
        return {}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Return the images, float32 (B, C, H, W), at s times their size where the epoch is an early one."""
        if not self._small:
            return images
        size = [max(1, round(self.scale * length)) for length in images.shape[2:]]
        return F.interpolate(images, size, mode="bilinear", antialias=True)
