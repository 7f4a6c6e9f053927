"""
SimCLR's augmentation for CIFAR-10 (Chen et al. 2020, arXiv:2002.05709, appendices A and B.9: no blur).

    x̃ = grey(jitter(flip(crop(x))))        flip with probability 1/2, jitter 4/5, grey 1/5

The jitter's four changes come in random order: brightness, contrast and saturation with factors from
U(max(0, 1 − 0.8 s), 1 + 0.8 s), hue moved by U(−0.2 s, 0.2 s) of the circle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nlcore import parameter
from nlcore_builtins.augmentations import jitter
from nlcore_builtins.augmentations.flip import Flip
from nlcore_builtins.augmentations.resized_crop import ResizedCrop, crop_boxes, enlarge

CHANGES = (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)


@dataclass
class SimCLR:
    """
    Crops, flips, jitters colours and sometimes takes them away, as SimCLR does on CIFAR-10.

    x̃ = grey(jitter(flip(crop(x)))). Chen et al. 2020, appendix A, without blur.
    """

    space: ClassVar[Literal["unit"]] = "unit"

    s: float = parameter(0.5, "strength of the colour jitter; 1 is ImageNet's", range="[0, 2.5]")

    def draw(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """
        Draw for `count` images.

        Besides what ResizedCrop and Flip draw: `jitter` and `grey` bool (count,); `order` int64 (count, 4), which of
        CHANGES comes when; `strength` float32 (count, 4), the factors of brightness, contrast and saturation and the
        shift of hue.
        """
        draws = ResizedCrop().draw(count, generator) | Flip().draw(count, generator)
        spread = torch.tensor([0.8, 0.8, 0.8, 0.2]) * self.s
        low, high = torch.tensor([1.0, 1, 1, 0]) - spread, torch.tensor([1.0, 1, 1, 0]) + spread
        low[:3].clamp_(min=0)
        return draws | {
            "jitter": torch.rand(count, generator=generator) < 0.8,
            "order": torch.rand(count, 4, generator=generator).argsort(1),
            "strength": low + (high - low) * torch.rand(count, 4, generator=generator),
            "grey": torch.rand(count, generator=generator) < 0.2,
        }

    def apply(self, images: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
        """Return the changed images, float32 (B, C, H, W) in 0..1."""
        images = Flip().apply(enlarge(images, crop_boxes(draws, *images.shape[-2:])), draws)
        for turn in draws["order"].unbind(1):
            for number, change in enumerate(CHANGES):
                rows = (draws["jitter"] & (turn == number)).nonzero()[:, 0]
                if len(rows):
                    where = rows.to(images.device, non_blocking=True)
                    strength = draws["strength"][rows, number].to(images.device, non_blocking=True)
                    images[where] = change(images[where], strength[:, None, None, None])
        grey = draws["grey"].to(images.device, non_blocking=True)
        return torch.where(grey[:, None, None, None], jitter.grey(images), images)
