"""SimCLR's augmentation against torchvision's functions, image by image, and against its laws."""

from __future__ import annotations

import itertools

import pytest
import torch
from augmented import generator, images
from nlcore_builtins.augmentations import jitter
from nlcore_builtins.augmentations.resized_crop import crop_boxes
from nlcore_builtins.augmentations.simclr import SimCLR
from scipy import stats
from torchvision.transforms.v2 import functional as F

THEIRS = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)


@pytest.mark.parametrize("channels", [1, 3])
def test_equals_torchvision_image_by_image(channels: int) -> None:
    """Crop, flip, the four changes in the drawn order, grey."""
    batch = images(60, channels) / 255
    draws = SimCLR().draw(60, generator())
    found = SimCLR().apply(batch, draws)
    boxes = crop_boxes(draws, *batch.shape[-2:])
    for row in range(60):
        x = F.resized_crop(batch[row], *boxes[row].tolist(), list(batch.shape[-2:]))
        x = F.horizontal_flip(x) if draws["flip"][row] else x
        for number in draws["order"][row].tolist() if draws["jitter"][row] else []:
            x = THEIRS[number](x, float(draws["strength"][row, number]))
        x = F.rgb_to_grayscale(x, channels) if draws["grey"][row] else x
        torch.testing.assert_close(found[row], x, rtol=0, atol=1e-4)


@pytest.mark.parametrize("shift", [-0.5, -0.1, 0.0, 0.03, 0.5])
def test_hue_equals_torchvisions(shift: float) -> None:
    """Also for grey pixels, which have no hue, and for black ones."""
    batch = torch.cat([images(12), torch.zeros(1, 3, 32, 28, dtype=torch.uint8)]) / 255
    found = jitter.hue(batch, torch.full((13, 1, 1, 1), shift))
    torch.testing.assert_close(found, F.adjust_hue(batch, shift), rtol=0, atol=2e-6)


@pytest.mark.parametrize("s", [0.0, 0.5, 2.0])
def test_strengths_are_uniform(s: float) -> None:
    """Factors in max(0, 1 ± 0.8 s), shifts in ± 0.2 s."""
    strength = SimCLR(s=s).draw(5000, generator())["strength"]
    for column, (centre, spread) in enumerate([(1, 0.8 * s)] * 3 + [(0, 0.2 * s)]):
        low, high = max(centre - spread, 0) if centre else -spread, centre + spread
        if s:
            uniform = stats.uniform(low, high - low)
            assert stats.kstest(strength[:, column].numpy(), uniform.cdf).pvalue > 1e-4
        else:
            assert (strength[:, column] == centre).all()


def test_probabilities_and_orders() -> None:
    """Jitter in 4 of 5 images, grey in 1 of 5, flip in half of them, each of the 24 orders as often."""
    draws = SimCLR().draw(12_000, generator())
    for name, p in (("jitter", 0.8), ("grey", 0.2), ("flip", 0.5)):
        assert stats.binomtest(int(draws[name].sum()), 12_000, p).pvalue > 1e-4
    orders = [tuple(order) for order in draws["order"].tolist()]
    assert stats.chisquare([orders.count(order) for order in itertools.permutations(range(4))]).pvalue > 1e-4
