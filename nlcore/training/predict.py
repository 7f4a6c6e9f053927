"""The one loop that predicts: for strategies, for the evaluator, for trained models."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def in_batches(function: Callable[[Tensor], Tensor], batches: Iterable[Tensor]) -> Tensor:
    """
    Return what `function` gives for all batches, one after the other, without gradients.

    Args:
        function: of normalised images (B, C, H, W) to (B, ...).
        batches: of images; there is at least one.

    """
    with torch.no_grad():
        return torch.cat([function(images) for images in batches])
