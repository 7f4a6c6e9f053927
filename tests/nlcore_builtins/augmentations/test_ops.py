"""Batched operations against torchvision's, image by image, called as its policies call them."""

from __future__ import annotations

import pytest
import torch
from augmented import generator, images, one
from nlcore_builtins.augmentations.ops import GEOMETRIC, OTHERS, POINTWISE, apply_each

MAGNITUDES = {
    "identity": [0.0],
    "shear_x": [0.0, 0.1, -0.1, 0.29, -0.3, 0.7, -0.99],
    "shear_y": [0.0, 0.1, -0.1, 0.29, -0.3, 0.7, -0.99],
    "translate_x": [0.0, 1.0, -1.0, 4.7, -4.7, 14.0, -32.0],
    "translate_y": [0.0, 1.0, -1.0, 4.7, -4.7, 14.0, -32.0],
    "rotate": [0.0, 7.0, -7.0, 30.0, -30.0, 90.0, -135.0],
    "brightness": [0.0, 0.3, -0.3, 0.9, -0.99],
    "color": [0.0, 0.3, -0.3, 0.9, -0.99],
    "contrast": [0.0, 0.3, -0.3, 0.9, -0.99],
    "sharpness": [0.0, 0.3, -0.3, 0.9, -0.99],
    "posterize": [8.0, 7.0, 4.0, 2.0],
    "solarize": [1.0, 2 / 3, 0.5, 0.1, 0.0],
    "autocontrast": [0.0],
    "equalize": [0.0],
    "invert": [0.0],
}
NAMES = tuple(MAGNITUDES)


def batched(batch: torch.Tensor, name: str, magnitude: torch.Tensor) -> torch.Tensor:
    """Apply one operation to every image."""
    return apply_each(batch, NAMES, torch.full((len(batch),), NAMES.index(name)), magnitude)


def test_every_operation_is_tested() -> None:
    """No operation is left out below."""
    assert set(NAMES) == {"identity", *GEOMETRIC, *POINTWISE, *OTHERS}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_equals_torchvision(name: str, channels: int) -> None:
    """At most 1/255 apart where values are computed; the same source pixels where they are moved."""
    choices = torch.tensor(MAGNITUDES[name])
    batch = images(6 * len(choices), channels)
    magnitude = choices.repeat_interleave(6)
    before = batch.clone()
    found = batched(batch, name, magnitude)
    expected = torch.stack([one(image, name, m) for image, m in zip(batch, magnitude.tolist(), strict=True)])
    assert found.dtype == torch.uint8
    assert found.shape == batch.shape
    assert torch.equal(batch, before)
    if name in GEOMETRIC:
        assert torch.equal(found, expected)
    else:
        assert (found.int() - expected.int()).abs().max() <= 1
        # Where an image is flat, the exact value is a whole number and the last bit decides which side it is cut to.
        assert (found != expected).float().mean() < 0.02


@pytest.mark.parametrize("name", [name for name in NAMES if name != "identity"])
def test_something_changes(name: str) -> None:
    """No operation is the identity on dim coloured noise."""
    batch = images(2)[1:]
    assert not torch.equal(batched(batch, name, torch.tensor(MAGNITUDES[name][-1:])), batch)


def test_each_image_has_its_own_operation() -> None:
    """A batch of mixed operations equals a loop over its images."""
    random = generator()
    batch = images(90)
    operation = torch.randint(len(NAMES), (90,), generator=random)
    magnitude = torch.tensor([MAGNITUDES[NAMES[number]][-1] for number in operation])
    found = apply_each(batch, NAMES, operation, magnitude)
    for row in range(90):
        alone = apply_each(batch[row : row + 1], NAMES, operation[row : row + 1], magnitude[row : row + 1])
        expected = one(batch[row], NAMES[operation[row]], float(magnitude[row]))
        assert torch.equal(found[row], alone[0])
        assert (found[row].int() - expected.int()).abs().max() <= 1


def test_sharpness_leaves_tiny_images() -> None:
    """Without a pixel that has eight neighbours there is nothing to smooth, as in torchvision."""
    batch = images(2)[:, :, :2]
    assert torch.equal(batched(batch, "sharpness", torch.tensor([0.9, -0.9])), batch)
