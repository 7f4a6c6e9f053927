"""Random resized crops against torchvision's."""

from __future__ import annotations

import pytest
import torch
from augmented import generator, images
from nlcore_builtins.augmentations.resized_crop import ResizedCrop, crop_boxes
from scipy import stats
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("antialias", [False, True])
def test_pixels_equal_torchvisions(antialias: bool, channels: int) -> None:
    """Each image's box, enlarged, to 1/255; a box is never reduced, so antialiasing changes nothing."""
    batch = images(60, channels)
    draws = ResizedCrop().draw(60, generator())
    found = ResizedCrop().apply(batch, draws)
    boxes = crop_boxes(draws, *batch.shape[-2:]).tolist()
    expected = [
        F.resized_crop(image, *box, list(batch.shape[-2:]), antialias=antialias)
        for image, box in zip(batch, boxes, strict=True)
    ]
    assert (found.int() - torch.stack(expected).int()).abs().max() <= 1


@pytest.mark.parametrize(("height", "width"), [(32, 32), (32, 24), (20, 32)])
def test_boxes_have_torchvisions_law(height: int, width: int) -> None:
    """Kolmogorov-Smirnov on top, left, height and width against torchvision's own draws."""
    torch.manual_seed(3)
    reference = v2.RandomResizedCrop((height, width))
    image = torch.empty(1, height, width)
    theirs = [reference.make_params([image]) for _ in range(3000)]
    ours = crop_boxes(ResizedCrop().draw(3000, generator()), height, width)
    for column, name in enumerate(("top", "left", "height", "width")):
        assert stats.ks_2samp(ours[:, column].numpy(), [box[name] for box in theirs]).pvalue > 1e-4


@pytest.mark.parametrize(("height", "width"), [(32, 32), (10, 40), (41, 11)])
def test_largest_box_in_the_centre_where_none_fits(height: int, width: int) -> None:
    """Torchvision's way out, met by asking for a share of 1 with ratios that do not fit."""
    draws = {"area": torch.ones(1, 10), "log_ratio": torch.full((1, 10), 0.28), "place": torch.zeros(1, 2)}
    image = torch.empty(1, height, width)
    reference = v2.RandomResizedCrop((height, width), scale=(1.0, 1.0))
    reference._log_ratio = draws["log_ratio"][0, :2]
    expected = reference.make_params([image])
    names = ("top", "left", "height", "width")
    assert crop_boxes(draws, height, width)[0].tolist() == [expected[name] for name in names]


def test_scale_is_the_smallest_share() -> None:
    """With scale 1 and square images the box is as large as the ratio allows, with 0.5 never below half."""
    boxes = crop_boxes(ResizedCrop(scale=0.5).draw(2000, generator()), 1000, 1000)
    share = boxes[:, 2] * boxes[:, 3] / 1e6
    assert 0.498 < share.min() < 0.51
    assert share.max() > 0.9
