"""Cutout against DeVries & Taylor 2017: a square around a uniform centre, cut off at the border."""

from __future__ import annotations

import pytest
import torch
from augmented import generator
from nlcore_builtins.augmentations.cutout import Cutout
from scipy import stats


@pytest.mark.parametrize(
    ("centre", "rows", "columns"),
    [((0.5, 0.5), (8, 24), (12, 28)), ((0.0, 0.0), (0, 8), (0, 8)), ((1 - 2**-24, 0.5), (23, 32), (12, 28))],
)
def test_square_is_zero_and_cut_off_at_the_border(
    centre: tuple[float, float], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    """Rows y − 8 … y + 7 and columns x − 8 … x + 7 of an image of 32 × 40 pixels."""
    expected = torch.ones(1, 3, 32, 40)
    expected[..., rows[0] : rows[1], columns[0] : columns[1]] = 0
    found = Cutout().apply(torch.ones(1, 3, 32, 40), {"centre": torch.tensor([centre])})
    assert torch.equal(found, expected)


def test_the_last_pixel_is_inside() -> None:
    """The largest draw is the last pixel where float32 would round it up to the next, too."""
    draws = {"centre": torch.full((1, 2), 1 - 2**-24)}
    found = Cutout(size=1).apply(torch.ones(1, 1, 100, 100), draws)
    assert found.sum() == 100 * 100 - 1
    assert found[0, 0, 99, 99] == 0


def test_centres_are_uniform() -> None:
    """χ² over the 64 pixels of an 8 × 8 image."""
    draws = Cutout().draw(20_000, generator())
    covered = Cutout(size=1).apply(torch.ones(20_000, 1, 8, 8), draws) == 0
    assert stats.chisquare(covered.sum(0).flatten().numpy()).pvalue > 1e-4
