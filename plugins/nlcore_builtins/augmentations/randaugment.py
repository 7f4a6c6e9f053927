"""
RandAugment (Cubuk et al. 2020, arXiv:1909.13719, section 3).

    x̃ = o_n(… o_1(x))        o_i drawn from 14 operations, each as likely, all at magnitude m; signs are random

m counts as torchvision's RandAugment does with its 31 levels, 0 to 30; the operations and scales are those, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nlcore import parameter
from nlcore_builtins.augmentations import magnitudes
from nlcore_builtins.augmentations.ops import apply_each

OPERATIONS = (
    "identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness", "color", "contrast",
    "sharpness", "posterize", "solarize", "autocontrast", "equalize",
)  # fmt: skip
LEVELS = 31


@dataclass
class RandAugment:
    """
    Applies n random operations, all of the same magnitude.

    x̃ = o_n(… o_1(x)), o_i drawn uniformly from 14 operations. Cubuk et al. 2020, section 3.
    """

    space: ClassVar[Literal["uint8"]] = "uint8"

    n: int = parameter(2, "operations for each image", range="[1, inf)")
    m: int = parameter(10, "magnitude; 30 is the strongest", range="[0, 30]")

    def draw(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw operations int64 (count, n), positions in OPERATIONS, and signs float32 (count, n)."""
        operation = torch.randint(len(OPERATIONS), (count, self.n), generator=generator)
        return {"operation": operation, "sign": magnitudes.signs((count, self.n), generator)}

    def apply(self, images: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
        """Return the changed images, uint8 (B, C, H, W)."""
        scales = magnitudes.standard(LEVELS, *images.shape[-2:])
        for operation, sign in zip(draws["operation"].unbind(1), draws["sign"].unbind(1), strict=True):
            level = torch.full_like(operation, self.m)
            magnitude = magnitudes.choose(scales, OPERATIONS, operation, level, sign)
            images = apply_each(images, OPERATIONS, operation, magnitude)
        return images
