"""
How strong the operations of ops.py are at each level.

The scales are those of AutoAugment and RandAugment, and TrivialAugment's wide ones, divided as torchvision does.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SIGNED = frozenset({
    "shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness", "color", "contrast", "sharpness",
})  # fmt: skip
"""The operations whose magnitude takes a random sign."""


def standard(levels: int, height: int, width: int) -> dict[str, Tensor]:
    """
    Return the scales (levels,) of AutoAugment and RandAugment, by operation.

    Cubuk et al. 2019, table 6; there translations are up to 150 pixels of 331, here so much of the image's size.
    """
    to_point_nine, slopes = torch.linspace(0.0, 0.9, levels), torch.linspace(0.0, 0.3, levels)
    return {
        "shear_x": slopes,
        "shear_y": slopes,
        "translate_x": torch.linspace(0.0, 150 / 331 * width, levels),
        "translate_y": torch.linspace(0.0, 150 / 331 * height, levels),
        "rotate": torch.linspace(0.0, 30.0, levels),
        "brightness": to_point_nine,
        "color": to_point_nine,
        "contrast": to_point_nine,
        "sharpness": to_point_nine,
        "posterize": _bits(levels, 4),
        "solarize": torch.linspace(1.0, 0.0, levels),
    }


def wide(levels: int) -> dict[str, Tensor]:
    """Return the scales (levels,) of TrivialAugment's wide space, by operation; translations are in pixels."""
    to_one = torch.linspace(0.0, 0.99, levels)
    pixels = torch.linspace(0.0, 32.0, levels)
    return {
        "shear_x": to_one,
        "shear_y": to_one,
        "translate_x": pixels,
        "translate_y": pixels,
        "rotate": torch.linspace(0.0, 135.0, levels),
        "brightness": to_one,
        "color": to_one,
        "contrast": to_one,
        "sharpness": to_one,
        "posterize": _bits(levels, 6),
        "solarize": torch.linspace(1.0, 0.0, levels),
    }


def choose(
    scales: Mapping[str, Tensor], names: tuple[str, ...], operation: Tensor, level: Tensor, sign: Tensor
) -> Tensor:
    """
    Return the magnitudes (B,) of operations (B,) at levels (B,); 0 for operations without a scale.

    Args:
        scales: by operation, (levels,) each.
        names: the operations that `operation` counts.
        operation: int64 (B,), positions in `names`.
        level: int64 (B,), positions in the scales.
        sign: −1 or 1 (B,); counts for operations in SIGNED only.

    """
    nothing = torch.zeros_like(scales["rotate"])
    magnitude = torch.stack([scales.get(name, nothing) for name in names])[operation, level]
    signed = torch.tensor([name in SIGNED for name in names])[operation]
    return torch.where(signed, sign * magnitude, magnitude)


def signs(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw −1 or 1, float32, each with probability 1/2."""
    return 1.0 - 2.0 * torch.randint(2, shape, generator=generator)


def _bits(levels: int, fewer: int) -> Tensor:
    """Return how many bits posterize keeps: from 8 at level 0 down to 8 − fewer."""
    return (8 - torch.arange(levels) / ((levels - 1) / fewer)).round()
