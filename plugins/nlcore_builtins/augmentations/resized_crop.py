"""
Random resized crops (Szegedy et al. 2015, arXiv:1409.4842, section 6; as torchvision draws them).

    w = √(s r) √(HW), h = √(s / r) √(HW)        s ~ U(scale, 1), log r ~ U(log 3/4, log 4/3); its place uniform

The first of ten such boxes that fits is taken; where none does, the largest one in the centre whose ratio is allowed.
It is enlarged to the image's size again, bilinearly. A box is never larger than the image, so that there is nothing to
smooth: the same pixels come out with and without antialiasing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter

ATTEMPTS = 10
RATIO = 4 / 3  # the widest box; 1 / RATIO the narrowest


@dataclass
class ResizedCrop:
    """Cuts out a box of random size, ratio and place and enlarges it to the image's size."""

    space: ClassVar[Literal["uint8"]] = "uint8"

    scale: float = parameter(0.08, "smallest share of the image's area; the largest is 1", range="(0, 1]")

    def draw(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw shares of the area and logarithms of ratios, float32 (count, 10), and places (count, 2) in [0, 1)."""
        area = torch.empty(count, ATTEMPTS).uniform_(self.scale, 1, generator=generator)
        log_ratio = torch.empty(count, ATTEMPTS).uniform_(-math.log(RATIO), math.log(RATIO), generator=generator)
        return {"area": area, "log_ratio": log_ratio, "place": torch.rand(count, 2, generator=generator)}

    def apply(self, images: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
        """Return the enlarged boxes, uint8 (B, C, H, W)."""
        boxes = crop_boxes(draws, *images.shape[-2:])
        return enlarge(images.float(), boxes).round_().to(torch.uint8)


def crop_boxes(draws: Mapping[str, Tensor], height: int, width: int) -> Tensor:
    """Return the boxes (top, left, height, width) int64 (B, 4) on the CPU that were drawn for images of this size."""
    area = draws["area"].double() * height * width
    ratio = draws["log_ratio"].double().exp()
    w, h = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()
    fits = (w > 0) & (w <= width) & (h > 0) & (h <= height)
    first = fits.long().argmax(1, keepdim=True)
    size = torch.stack([h, w], 2).gather(1, first[:, :, None].expand(-1, -1, 2))[:, 0]
    full = torch.tensor([height, width])
    corner = (draws["place"].double() * (full - size + 1)).long()
    largest = torch.tensor([min(height, round(width * RATIO)), min(width, round(height * RATIO))])
    some = fits.any(1, keepdim=True)
    return torch.where(some, torch.cat([corner, size], 1), torch.cat([(full - largest) // 2, largest]))


def enlarge(images: Tensor, boxes: Tensor) -> Tensor:
    """Return the boxes (top, left, height, width) (B, 4) of float32 images (B, C, H, W), enlarged to (B, C, H, W)."""
    boxes = boxes.to(images.device, torch.float32, non_blocking=True)
    height, width = images.shape[-2:]
    y = _coordinates(boxes[:, 0], boxes[:, 2], height)[:, :, None].expand(-1, -1, width)
    x = _coordinates(boxes[:, 1], boxes[:, 3], width)[:, None, :].expand(-1, height, -1)
    return F.grid_sample(images, torch.stack([x, y], 3), padding_mode="border", align_corners=False)


def _coordinates(start: Tensor, length: Tensor, full: int) -> Tensor:
    """Return where the pixels of an axis come from, (B, full), in grid_sample's units: −1 and 1 are the outer edges."""
    position = (torch.arange(full, device=start.device) + 0.5) * (length[:, None] / full) - 0.5
    position = torch.minimum(position.clamp(min=0), length[:, None] - 1)  # the box's edge, not what lies beyond
    return (2 * (start[:, None] + position) + 1) / full - 1
