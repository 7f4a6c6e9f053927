"""
TrivialAugment (Müller & Hutter 2021, arXiv:2103.10158, algorithm 1), with its wide space.

    x̃ = o(x; m)        o drawn from 14 operations, m from 31 levels, each as likely; signs are random

The levels are torchvision's. Translations are up to 32 pixels whatever the image's size: where that is the whole of an
image, as for CIFAR-10, the strongest leave it black.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nlcore_builtins.augmentations import magnitudes
from nlcore_builtins.augmentations.ops import apply_each

OPERATIONS = (
    "identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness", "color", "contrast",
    "sharpness", "posterize", "solarize", "autocontrast", "equalize",
)  # fmt: skip
LEVELS = 31


@dataclass
class TrivialAugment:
    """
    Applies one random operation of random magnitude; nothing to tune.

    x̃ = o(x; m), o drawn uniformly from 14 operations, m from 31 levels. Müller & Hutter 2021, algorithm 1.
    """

    space: ClassVar[Literal["uint8"]] = "uint8"

    def draw(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw operations int64 (count,), positions in OPERATIONS, levels int64 (count,) and signs float32 (count,)."""
        return {
            "operation": torch.randint(len(OPERATIONS), (count,), generator=generator),
            "level": torch.randint(LEVELS, (count,), generator=generator),
            "sign": magnitudes.signs((count,), generator),
        }

    def apply(self, images: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
        """Return the changed images, uint8 (B, C, H, W)."""
        operation = draws["operation"]
        scales = magnitudes.wide(LEVELS)
        magnitude = magnitudes.choose(scales, OPERATIONS, operation, draws["level"], draws["sign"])
        return apply_each(images, OPERATIONS, operation, magnitude)
