"""
Random crop and horizontal flip (He et al. 2016, arXiv:1512.03385, section 4.2).

    x ← the H × W window of x, padded with p zeros on each side, at a random place; then mirrored with probability 1/2

Padded images and their mirror images are looked at through a view of all their windows, (mirrored, image, dy, dx, C,
H, W), which copies nothing; one indexed read then crops and flips the batch. For given draws the result equals
torchvision's functional ``crop`` of the zero-padded image followed by ``hflip``, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import Draws


@dataclass
class CropFlip:
    """
    Shifts each image by up to ``padding`` pixels (zeros come in), and mirrors it with probability 1/2.

    The augmentation that CIFAR-10 is usually trained with. He et al. 2016, section 4.2.
    """

    space: ClassVar[Literal["uint8"]] = "uint8"

    padding: int = parameter(4, "pixels that an image may be shifted by, in each direction", range="[0, inf)")
    flip: bool = parameter(True, "whether images may be mirrored, left to right")

    def draw(self, count: int, generator: torch.Generator) -> Draws:
        """Draw offsets dy, dx uniformly from 0..2p, and flips with probability 1/2: int64 (count,) each."""
        dy, dx = torch.randint(2 * self.padding + 1, (2, count), generator=generator)
        return {"dy": dy, "dx": dx, "flip": torch.randint(1 + self.flip, (count,), generator=generator)}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Return the crops of uint8 (B, C, H, W), mirrored where drawn."""
        index = torch.arange(len(images), device=images.device)
        return self.gather(self.prepare(images.permute(0, 2, 3, 1)), index, draws)

    def prepare(self, images: Tensor) -> Tensor:
        """Return the view of all crops, (1 or 2, N, 2p+1, 2p+1, C, H, W), over padded copies of uint8 (N, H, W, C)."""
        _, height, width, _ = images.shape
        p = self.padding
        padded = F.pad(images, (0, 0, p, p, p, p))
        copies = torch.stack([padded, padded.flip(2)]) if self.flip else padded[None]
        return copies.unfold(2, height, 1).unfold(3, width, 1)

    def gather(self, prepared: Tensor, index: Tensor, draws: Draws) -> Tensor:
        """Return the crops of the images at `index`, mirrored where drawn: uint8 (B, C, H, W)."""
        dy, dx, flip = (draws[name].to(index.device, non_blocking=True) for name in ("dy", "dx", "flip"))
        dx = torch.where(flip == 1, 2 * self.padding - dx, dx)  # a mirrored crop is a crop of the mirrored image
        return prepared[flip, index, dy, dx].contiguous(memory_format=torch.channels_last)
