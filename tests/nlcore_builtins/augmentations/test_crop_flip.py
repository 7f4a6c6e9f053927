"""Crop, flip and normalisation, against torchvision."""

from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

import pytest
import scipy.stats
import torch
import torchvision.transforms.functional as v1
import torchvision.transforms.v2.functional as v2
from torch import Tensor

import nlcore
from nlcore.contracts import Draws
from nlcore.data.device_images import Asked, DeviceImages
from nlcore.data.stores import ArrayStore
from nlcore.data.views import Normalise, View

CPU = torch.device("cpu")

# height, width, channels, padding
SHAPES = [(32, 32, 3, 4), (7, 5, 1, 2), (5, 9, 3, 1), (8, 8, 1, 1), (6, 4, 3, 0)]


def some_images(count: int, height: int, width: int, channels: int) -> Tensor:
    random = torch.Generator().manual_seed(7)
    return torch.randint(256, (count, height, width, channels), dtype=torch.uint8, generator=random)


def all_cells(padding: int, flips: tuple[int, ...] = (0, 1)) -> Draws:
    sides = range(2 * padding + 1)
    dy, dx, flip = torch.tensor(list(itertools.product(sides, sides, flips))).unbind(1)
    return {"dy": dy, "dx": dx, "flip": flip}


def crop_flip(padding: int = 4, flip: bool = True) -> Any:
    return nlcore.create("augmentation", "crop_flip", padding=padding, flip=flip)


def crop(augmentation: Any, images: Tensor, index: Tensor, draws: Draws) -> Tensor:
    """Return crops of images (N, H, W, C) as from a training set on the device."""
    crops: Tensor = augmentation.gather(augmentation.prepare(images), index, draws)
    return crops


def draw(count: int, seed: int, **parameters: Any) -> Draws:
    draws: Draws = crop_flip(**parameters).draw(count, torch.Generator().manual_seed(seed))
    return draws


def by_torchvision(library: ModuleType, image: Tensor, padding: int, dy: int, dx: int, flip: int) -> Tensor:
    """Return the crop of one (C, H, W) image."""
    height, width = image.shape[1:]
    cropped: Tensor = library.crop(library.pad(image, [padding], fill=0), dy, dx, height, width)
    return library.hflip(cropped) if flip else cropped


@pytest.mark.parametrize("library", [v1, v2], ids=["v1", "v2"])
@pytest.mark.parametrize(("height", "width", "channels", "padding"), SHAPES)
def test_every_cell_is_the_crop_and_flip_of_torchvision(
    library: ModuleType, height: int, width: int, channels: int, padding: int
) -> None:
    images, draws = some_images(2, height, width, channels), all_cells(padding)
    for number in range(2):
        result = crop(crop_flip(padding), images, torch.full_like(draws["dy"], number), draws)
        cells = zip(draws["dy"].tolist(), draws["dx"].tolist(), draws["flip"].tolist(), strict=True)
        expected = [by_torchvision(library, images[number].permute(2, 0, 1), padding, *cell) for cell in cells]
        assert len(expected) == 2 * (2 * padding + 1) ** 2
        assert result.dtype == torch.uint8
        assert torch.equal(result, torch.stack(expected))


@pytest.mark.parametrize(("height", "width", "channels", "padding"), SHAPES)
def test_without_a_flip_every_cell_is_the_crop_of_torchvision(
    height: int, width: int, channels: int, padding: int
) -> None:
    images, draws = some_images(1, height, width, channels), all_cells(padding, flips=(0,))
    result = crop(crop_flip(padding, flip=False), images, torch.zeros_like(draws["dy"]), draws)
    cells = zip(draws["dy"].tolist(), draws["dx"].tolist(), strict=True)
    expected = [by_torchvision(v2, images[0].permute(2, 0, 1), padding, *cell, 0) for cell in cells]
    assert torch.equal(result, torch.stack(expected))


def test_each_image_of_a_batch_has_a_crop_of_its_own() -> None:
    images = some_images(50, 8, 8, 3)
    draws = draw(50, 1)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(2))
    result = crop(crop_flip(), images, order, draws)
    for row, number in enumerate(order.tolist()):
        cell = int(draws["dy"][row]), int(draws["dx"][row]), int(draws["flip"][row])
        assert torch.equal(result[row], by_torchvision(v2, images[number].permute(2, 0, 1), 4, *cell))


def test_all_cells_are_drawn_equally_often() -> None:
    draws = draw(162 * 400, 3)
    cells = (draws["dy"] * 9 + draws["dx"]) * 2 + draws["flip"]
    counts = torch.bincount(cells, minlength=162)
    assert len(counts) == 162
    assert scipy.stats.chisquare(counts.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("part", ["dy", "dx", "flip"])
def test_the_draws_of_neighbouring_images_are_independent(part: str) -> None:
    drawn = draw(40_000, 4)[part]
    sides = int(drawn.max()) + 1
    table = torch.bincount(drawn[0::2] * sides + drawn[1::2], minlength=sides**2).view(sides, sides)
    assert scipy.stats.chi2_contingency(table.numpy()).pvalue > 1e-3


def test_nothing_is_drawn_where_there_is_nothing_to_draw() -> None:
    draws = draw(100, 5, padding=0, flip=False)
    assert not draws["dy"].any()
    assert not draws["dx"].any()
    assert not draws["flip"].any()


def test_a_batch_of_its_own_is_cropped_as_a_training_set_is() -> None:
    images, draws = some_images(10, 8, 6, 3), draw(10, 6)
    applied = crop_flip().apply(images.permute(0, 3, 1, 2), draws)
    assert torch.equal(applied, crop(crop_flip(), images, torch.arange(10), draws))


@pytest.mark.parametrize(
    ("mean", "std"), [((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)), ((0.3,), (0.37,))], ids=["rgb", "grey"]
)
def test_normalise_agrees_with_torchvision(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    values = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(2, len(mean), 16, 16)
    result = Normalise(mean, std, CPU)(values)
    expected = v2.normalize(v2.to_dtype(values, torch.float32, scale=True), list(mean), list(std))
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, expected, atol=1e-6, rtol=0)


def test_crops_are_in_channels_last_before_and_after_normalising() -> None:
    crops = crop(crop_flip(2), some_images(4, 6, 5, 3), torch.arange(4), draw(4, 8, padding=2))
    assert crops.shape == (4, 3, 6, 5)
    assert crops.is_contiguous(memory_format=torch.channels_last)
    normalised = Normalise((0.5,) * 3, (0.25,) * 3, CPU)(crops)
    assert normalised.is_contiguous(memory_format=torch.channels_last)


def test_plain_images_are_in_channels_last() -> None:
    store = ArrayStore(some_images(4, 6, 5, 3).numpy())
    (plain,) = DeviceImages(store, Normalise((0.5,) * 3, (0.25,) * 3, CPU), CPU).plain(torch.tensor([2, 0]), 2)
    assert plain.shape == (2, 3, 6, 5)
    assert plain.is_contiguous(memory_format=torch.channels_last)


def test_images_are_padded_before_they_are_normalised() -> None:
    mean, std = (0.5, 0.25, 0.1), (0.2, 0.4, 0.5)
    images = some_images(1, 6, 6, 3)
    on_device = DeviceImages(ArrayStore(images.numpy()), Normalise(mean, std, CPU), CPU)
    corner = {name: torch.tensor([0]) for name in ("dy", "dx", "flip")}
    ((_, views),) = on_device.in_order(torch.tensor([0]), [1], [Asked(View([crop_flip(2)], ["crop_flip"]), [corner])])
    (result,) = views[0]
    for channel in range(3):
        black = (0 - mean[channel]) / std[channel]
        outside = torch.cat([result[channel, :2].flatten(), result[channel, :, :2].flatten()])
        torch.testing.assert_close(outside, torch.full_like(outside, black), atol=1e-6, rtol=0)
    padded = v2.pad(images[0].permute(2, 0, 1), [2], fill=0)
    expected = v2.normalize(v2.to_dtype(padded, torch.float32, scale=True), list(mean), list(std))[:, :6, :6]
    torch.testing.assert_close(result, expected, atol=1e-6, rtol=0)
