"""Horizontal flips against torchvision's."""

from __future__ import annotations

import pytest
import torch
from augmented import generator, images
from nlcore_builtins.augmentations.flip import Flip
from scipy import stats
from torchvision.transforms.v2 import functional as F


def test_flips_what_was_drawn() -> None:
    """Flipped where the draw says so, else the same."""
    batch = images(2)
    found = Flip().apply(batch, {"flip": torch.tensor([True, False])})
    assert torch.equal(found, torch.stack([F.horizontal_flip(batch[0]), batch[1]]))


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
def test_probability(p: float) -> None:
    """As often as p says."""
    flips = int(Flip(p=p).draw(10_000, generator())["flip"].sum())
    assert stats.binomtest(flips, 10_000, p).pvalue > 1e-4
