"""
Cutout (DeVries & Taylor 2017, arXiv:1708.04552, section 3).

    x̃(p) = 0 for ‖p − c‖_∞ in a square around c, else x(p)        c drawn uniformly from the pixels

The square may reach over the border. 0 is the mean of normalised images, as in the authors' code, so it comes last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nlcore import parameter


@dataclass
class Cutout:
    """
    Covers a square at a random place with the mean colour.

    The centre is any pixel of the image; what reaches over the border is cut off. DeVries & Taylor 2017, section 3.
    """

    space: ClassVar[Literal["normalised"]] = "normalised"

    size: int = parameter(16, "side of the square in pixels", range="[1, inf)")

    def draw(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw the centres (y, x), float32 (count, 2), as shares of height and width in [0, 1)."""
        return {"centre": torch.rand(count, 2, generator=generator)}

    def apply(self, images: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
        """Return the images with their squares, float32 (B, C, H, W)."""
        height, width = images.shape[-2:]
        centre = (draws["centre"].double() * torch.tensor([height, width])).long()  # float32 might round up to H
        start = (centre - self.size // 2).to(images.device, non_blocking=True)
        rows = self._covered(start[:, 0], height)
        columns = self._covered(start[:, 1], width)
        return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0)

    def _covered(self, start: Tensor, length: int) -> Tensor:
        """Return which of `length` rows or columns the squares cover, bool (B, length)."""
        distance = torch.arange(length, device=start.device) - start[:, None]
        return (distance >= 0) & (distance < self.size)
