"""
Changes of uint8 images that look at a pixel's value alone, as tables.

    y(p) = T[x(p)]          T uint8 (B, C, 256), a table for each image and channel; C 1 where the channels share it

Each function returns the tables; `look_up` applies them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

TablesOf = Callable[[Tensor, Tensor], Tensor]
"""From images uint8 (B, C, H, W) and magnitudes float64 (B,) on the CPU to tables uint8 (B, C or 1, 256)."""


def look_up(images: Tensor, tables: Tensor) -> Tensor:
    """Return images uint8 (B, C, H, W) with every value replaced by its entry in the tables (B, C or 1, 256)."""
    values = images.flatten(2).long()
    return tables.expand(-1, images.shape[1], -1).gather(2, values).view(images.shape)


def brightness_table(images: Tensor, magnitude: Tensor) -> Tensor:
    """T[v] = (1 + m) v."""
    return _uint8(_levels(images) * spread(1 + magnitude, images, 3))


def contrast_table(images: Tensor, magnitude: Tensor) -> Tensor:
    """T[v] = (1 + m) v − m μ, μ the mean grey value of the image."""
    mean = grey(images).mean((2, 3))[:, :, None]
    return _uint8(_levels(images) * spread(1 + magnitude, images, 3) + spread(-magnitude, images, 3) * mean)


def posterize_table(images: Tensor, magnitude: Tensor) -> Tensor:
    """T[v]: the m highest bits of v, m cut to a whole number in 0..8."""
    mask = ((255 << (8 - magnitude.long())) & 255).to(torch.uint8)[:, None, None]
    return torch.arange(256, dtype=torch.uint8, device=images.device) & mask.to(images.device, non_blocking=True)


def solarize_table(images: Tensor, magnitude: Tensor) -> Tensor:
    """T[v] = 255 − v where v ≥ 255 m, else v."""
    levels = _levels(images)
    threshold = spread(255 * magnitude, images, 3)
    return torch.where(levels >= threshold, 255 - levels, levels).to(torch.uint8)


def invert_table(images: Tensor, magnitude: Tensor) -> Tensor:
    """T[v] = 255 − v, whatever m is."""
    return (255 - _levels(images)).to(torch.uint8).expand(len(images), 1, 256)


def autocontrast_table(images: Tensor, magnitude: Tensor) -> Tensor:
    """T[v] = 255 (v − min) / (max − min) for each channel, v where the channel has one value; whatever m is."""
    values = images.flatten(2)
    low, high = values.amin(2, keepdim=True).float(), values.amax(2, keepdim=True).float()
    levels = _levels(images)
    scale = ((high - low) * (1 / 255)).clamp(min=1 / 255)
    return _uint8(torch.where(high > low, (levels - low) / scale, levels))


def equalize_table(images: Tensor, magnitude: Tensor) -> Tensor:
    """
    T[v] = ⌊(n(< v) + ⌊s/2⌋) / s⌋ for each channel, s = ⌊n(< max) / 255⌋, n counts pixels; whatever m is.

    v stays where s is 0. The rounding is that of Pillow's `ImageOps.equalize`.
    """
    values = images.flatten(2).long()
    counts = torch.zeros(*images.shape[:2], 256, dtype=torch.int32, device=images.device)
    counts.scatter_add_(2, values, torch.ones_like(values, dtype=torch.int32))
    below = counts.cumsum(2, dtype=torch.int32) - counts
    step = below.gather(2, values.amax(2, keepdim=True)) // 255
    equalized = (below + step // 2) // step.clamp(min=1)
    return torch.where(step > 0, equalized.clamp(max=255), _levels(images).int()).to(torch.uint8)


def grey(images: Tensor) -> Tensor:
    """Return grey values in whole numbers, float32 (B, 1, H, W), of images uint8 (B, C, H, W)."""
    values = images.float()
    if images.shape[1] == 1:
        return values
    red, green, blue = values[:, :1], values[:, 1:2], values[:, 2:]
    return (0.2989 * red + 0.587 * green + 0.114 * blue).floor()


def spread(values: Tensor, images: Tensor, dimensions: int) -> Tensor:
    """Return values (B,) as float32 (B, 1, …) of so many dimensions on the images' device."""
    return values.float().view(-1, *[1] * (dimensions - 1)).to(images.device, non_blocking=True)


def _levels(images: Tensor) -> Tensor:
    return torch.arange(256, dtype=torch.float32, device=images.device)


def _uint8(values: Tensor) -> Tensor:
    return values.clamp(0, 255).to(torch.uint8)
