"""No augmentation: every view is the image as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from nlcore.contracts import Draws


@dataclass
class NoAugmentation:
    """Leaves images as they are."""

    space: ClassVar[Literal["uint8"]] = "uint8"

    def draw(self, count: int, generator: torch.Generator) -> Draws:
        """Draw nothing."""
        return {}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Return the images."""
        return images
