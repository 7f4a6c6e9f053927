"""
Horizontal flips.

    x̃(y, x) = x(y, W − 1 − x) with probability p, else x(y, x)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nlcore import parameter


@dataclass
class Flip:
    """Flips images horizontally with probability p."""

    space: ClassVar[Literal["uint8"]] = "uint8"

    p: float = parameter(0.5, "probability of a flip", range="[0, 1]")

    def draw(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw which images are flipped, bool (count,)."""
        return {"flip": torch.rand(count, generator=generator) < self.p}

    def apply(self, images: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
        """Return the images (B, C, H, W), some flipped, in the dtype they come in."""
        flipped = draws["flip"].nonzero().flatten().to(images.device, non_blocking=True)
        images = images.clone()
        images[flipped] = images[flipped].flip(3)
        return images
