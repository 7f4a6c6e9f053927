"""
Changes of colour of float32 images (B, C, H, W) in 0..1, each image with a strength of its own (B, 1, 1, 1).

    brightness f x · contrast f x + (1 − f) mean(grey(x)) · saturation f x + (1 − f) grey(x) · hue h(x) + δ mod 1

Results are cut to 0..1. Grey images have neither saturation nor hue: these leave them as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Return f x."""
    return (images * factor).clamp_(0, 1)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Return f x + (1 − f) μ, μ the mean grey value of each image."""
    mean = grey(images).mean((1, 2, 3), keepdim=True)
    return (images * factor + (1 - factor) * mean).clamp_(0, 1)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Return f x + (1 − f) grey(x)."""
    if images.shape[1] == 1:
        return images
    return (images * factor + (1 - factor) * grey(images)).clamp_(0, 1)


def hue(images: Tensor, shift: Tensor) -> Tensor:
    """Return the images with hues moved by a share of the circle, −0.5..0.5; value and saturation (HSV) stay."""
    if images.shape[1] == 1:
        return images
    high, low = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    chroma = high - low
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    unit = torch.where(chroma > 0, chroma, 1)
    sixths = torch.where(
        high == red,
        (green - blue) / unit,
        torch.where(high == green, 2 + (blue - red) / unit, 4 + (red - green) / unit),
    )
    sixths = sixths + 6 * shift
    # f(k) = V − C max(0, min(1, k, 4 − k)), k = (n + 6 hue) mod 6, n = 5, 3, 1 for red, green, blue
    n = torch.arange(5, 0, -2, device=images.device).view(1, 3, 1, 1)
    k = (n + sixths).remainder(6)
    return high - chroma * torch.minimum(k, 4 - k).clamp(0, 1)


def grey(images: Tensor) -> Tensor:
    """Return 0.2989 R + 0.587 G + 0.114 B, (B, 1, H, W)."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    return 0.2989 * red + 0.587 * green + 0.114 * blue
