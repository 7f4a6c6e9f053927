"""
Random crop, horizontal flip and normalisation, for a whole batch at once with independent draws for each image.

Padded images are looked at through a view of all their windows, (flip, image, dy, dx, C, H, W), which copies nothing;
one indexed read then crops and flips the batch. For given draws the result equals torchvision's functional ``crop`` of
the zero-padded image followed by ``hflip``, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore.contracts import Augmentation


@dataclass(frozen=True)
class Draws:
    """
    The random part of an augmentation.

    Attributes:
        dy: int64 (M,), rows cut off at the top of the padded image, 0..2·padding.
        dx: int64 (M,), columns cut off at its left.
        flip: int64 (M,), 1 where the crop is flipped.

    """

    dy: Tensor
    dx: Tensor
    flip: Tensor

    @classmethod
    def sample(cls, count: int, augmentation: Augmentation, generator: torch.Generator) -> Draws:
        """Draw offsets uniformly and flips with probability 1/2 (never where the augmentation has none)."""
        dy, dx = torch.randint(2 * augmentation.padding + 1, (2, count), generator=generator)
        return cls(dy, dx, torch.randint(1 + augmentation.flip, (count,), generator=generator))

    def to(self, device: torch.device) -> Draws:
        """Return the draws on `device`."""
        return Draws(self.dy.to(device), self.dx.to(device), self.flip.to(device))

    def __getitem__(self, part: slice) -> Draws:
        return Draws(self.dy[part], self.dx[part], self.flip[part])


def windows(images: Tensor, augmentation: Augmentation) -> Tensor:
    """
    Return the view of all crops: (1 or 2, N, 2p+1, 2p+1, C, H, W) over a padded (and a flipped) copy.

    Args:
        images: uint8 (N, H, W, C).
        augmentation: padding p, and whether there is a flipped copy.

    """
    _, height, width, _ = images.shape
    padding = augmentation.padding
    padded = F.pad(images, (0, 0, padding, padding, padding, padding))
    copies = torch.stack([padded, padded.flip(2)]) if augmentation.flip else padded[None]
    return copies.unfold(2, height, 1).unfold(3, width, 1)


def crop_and_flip(view: Tensor, index: Tensor, draws: Draws) -> Tensor:
    """Return the crops of the images at `index`, flipped where drawn: uint8 (B, C, H, W) in channels_last."""
    # A flipped crop is the mirrored crop of the flipped image.
    mirrored = view.shape[3] - 1 - draws.dx
    dx = torch.where(draws.flip == 1, mirrored, draws.dx)
    return view[draws.flip, index, draws.dy, dx].contiguous(memory_format=torch.channels_last)


class Normalise:
    """(x / 255 − mean) / std per channel, as one multiply-add: uint8 (B, C, H, W) to float32."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        m = torch.tensor(mean, dtype=torch.float64).view(1, -1, 1, 1)
        s = torch.tensor(std, dtype=torch.float64).view(1, -1, 1, 1)
        self._shift = (-m / s).float().to(device)
        self._scale = (1 / (255 * s)).float().to(device)

    def __call__(self, images: Tensor) -> Tensor:
        """Return normalised float32 images of the same layout."""
        return torch.addcmul(self._shift, images.float(), self._scale)
