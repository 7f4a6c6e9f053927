"""The one loop that predicts, for strategies, for the evaluator, for trained models; and how much it takes at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

_VALUES = 2_000 * 3 * 32 * 32  # in the images of a batch: what a network makes of them on its way takes many times that


def in_batches(function: Callable[[Tensor], Tensor], batches: Iterable[Tensor]) -> Tensor:
    """
    Return what `function` gives for all batches, one after the other, without gradients.

    Args:
        function: of normalised images (B, C, H, W) to (B, ...).
        batches: of images; there is at least one.

    """
    with torch.no_grad():
        return torch.cat([function(images) for images in batches])


def at_once(most: int, values: int) -> int:
    """
    Return how many images are predicted together.

    Args:
        most: of small ones; of larger ones as many as take the memory of 2,000 of 32×32 pixels in colour.
        values: how many numbers an image has.

    """
    return max(1, min(most, _VALUES // values))
