"""
AutoAugment's policy for CIFAR-10 (Cubuk et al. 2019, arXiv:1805.09501, table 7).

    x̃ = o_2(o_1(x))        (o_1, o_2) one of 25 pairs, each as likely; o_i with probability p_i, at level m_i

Signs are random. Levels and their scales are torchvision's, 0 to 9; the paper's cropping, flipping and Cutout are not
part of it.
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
    "identity", "shear_y", "translate_x", "translate_y", "rotate", "brightness", "color", "contrast", "sharpness",
    "posterize", "solarize", "autocontrast", "equalize", "invert",
)  # fmt: skip
LEVELS = 10

# (operation, p, level) twice; level 0 for operations that have none.
POLICIES: tuple[tuple[tuple[str, float, int], tuple[str, float, int]], ...] = (
    (("invert", 0.1, 0), ("contrast", 0.2, 6)),
    (("rotate", 0.7, 2), ("translate_x", 0.3, 9)),
    (("sharpness", 0.8, 1), ("sharpness", 0.9, 3)),
    (("shear_y", 0.5, 8), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.5, 0), ("equalize", 0.9, 0)),
    (("shear_y", 0.2, 7), ("posterize", 0.3, 7)),
    (("color", 0.4, 3), ("brightness", 0.6, 7)),
    (("sharpness", 0.3, 9), ("brightness", 0.7, 9)),
    (("equalize", 0.6, 0), ("equalize", 0.5, 0)),
    (("contrast", 0.6, 7), ("sharpness", 0.6, 5)),
    (("color", 0.7, 7), ("translate_x", 0.5, 8)),
    (("equalize", 0.3, 0), ("autocontrast", 0.4, 0)),
    (("translate_y", 0.4, 3), ("sharpness", 0.2, 6)),
    (("brightness", 0.9, 6), ("color", 0.2, 8)),
    (("solarize", 0.5, 2), ("invert", 0.0, 0)),
    (("equalize", 0.2, 0), ("autocontrast", 0.6, 0)),
    (("equalize", 0.2, 0), ("equalize", 0.6, 0)),
    (("color", 0.9, 9), ("equalize", 0.6, 0)),
    (("autocontrast", 0.8, 0), ("solarize", 0.2, 8)),
    (("brightness", 0.1, 3), ("color", 0.7, 0)),
    (("solarize", 0.4, 5), ("autocontrast", 0.9, 0)),
    (("translate_y", 0.9, 9), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.9, 0), ("solarize", 0.8, 3)),
    (("equalize", 0.8, 0), ("invert", 0.1, 0)),
    (("translate_y", 0.7, 9), ("autocontrast", 0.9, 0)),
)


@dataclass
class AutoAugmentCIFAR10:
    """
    Applies one of the 25 pairs of operations that AutoAugment found on CIFAR-10.

    x̃ = o_2(o_1(x)), o_i with probability p_i at level m_i. Cubuk et al. 2019, table 7.
    """

    space: ClassVar[Literal["uint8"]] = "uint8"

    def draw(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw positions in POLICIES int64 (count,), what takes place bool (count, 2), signs float32 (count, 2)."""
        policy = torch.randint(len(POLICIES), (count,), generator=generator)
        probability = torch.tensor([[p for _, p, _ in pair] for pair in POLICIES])[policy]
        return {
            "policy": policy,
            "active": torch.rand(count, 2, generator=generator) < probability,
            "sign": magnitudes.signs((count, 2), generator),
        }

    def apply(self, images: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
        """Return the changed images, uint8 (B, C, H, W)."""
        scales = magnitudes.standard(LEVELS, *images.shape[-2:])
        for position in range(2):
            parts = [pair[position] for pair in POLICIES]
            operation = torch.tensor([OPERATIONS.index(name) for name, _, _ in parts])[draws["policy"]]
            operation = operation * draws["active"][:, position]  # 0 is the identity
            level = torch.tensor([level for _, _, level in parts])[draws["policy"]]
            magnitude = magnitudes.choose(scales, OPERATIONS, operation, level, draws["sign"][:, position])
            images = apply_each(images, OPERATIONS, operation, magnitude)
        return images
