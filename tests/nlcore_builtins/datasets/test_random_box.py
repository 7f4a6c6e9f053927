"""Random boxes of files: drawn as the augmentation draws them, cut from the file, and in training alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.augmentations.resized_crop import crop_boxes
from nlcore_builtins.datasets.random_box import box, draw_boxes
from numpy.typing import NDArray
from PIL import Image

import nlcore
from nlcore import UserError
from nlcore.audits.samples import load_samples
from nlcore.config.experiment import resolve
from nlcore.contracts import Data, DatasetContext
from nlcore.data import stores
from nlcore.runs.terminal import Terminal

SHAPES = pytest.mark.parametrize("shape", [(500, 375), (40, 300), (16, 16)])


def photos(folder: Path, count: int = 6) -> Path:
    """Write images of two classes that say where a pixel was: red across, green down."""
    y, x = np.mgrid[:120, :200]
    image = Image.fromarray(np.stack([x, 2 * y, 0 * x], axis=-1).astype(np.uint8))
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            image.save(folder / name / f"{number}.png")
    return folder


def load(folder: Path, **parameters: Any) -> Data:
    dataset = nlcore.create("dataset", "image_folder", folder=str(folder), size=16, **parameters)
    return dataset.load(DatasetContext(folder, download=False))  # type: ignore[no-any-return]


@SHAPES
def test_boxes_are_those_of_the_augmentation_for_the_same_draws(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    share, log_ratio = rng.uniform(0.08, 1, (200, 10)), rng.uniform(-np.log(4 / 3), np.log(4 / 3), (200, 10))
    place = rng.random((200, 2))
    draws = {"area": share, "log_ratio": log_ratio, "place": place[:, ::-1].copy()}  # there top before left
    top, left, high, wide = crop_boxes(
        {k: torch.from_numpy(v) for k, v in draws.items()}, shape[1], shape[0]
    ).T.tolist()
    expected = [(x, y, x + w, y + h) for x, y, w, h in zip(left, top, wide, high, strict=True)]
    ratio = np.exp(log_ratio)
    found = [box(shape, (16, 16), share[n], ratio[n], place[n]).box for n in range(200)]
    assert found == expected


@SHAPES
def test_boxes_lie_within_and_have_the_law_that_was_asked_for(shape: tuple[int, int]) -> None:
    width, height = shape
    boxes = np.array([fit(shape, (16, 16)).box for fit in draw_boxes(4000, 0.25, np.random.default_rng(1))])
    left, top, right, bottom = boxes.T
    assert left.min() >= 0 <= top.min()
    assert right.max() <= width
    assert bottom.max() <= height
    if shape == (500, 375):  # where nearly every first box fits: uniform on 0.25..1, less those that do not
        small = ((right - left) * (bottom - top) / (width * height) < 0.5).mean()
        assert small > 1 / 3
        centre = (left / np.maximum(width - (right - left), 1)).mean()
        assert centre == pytest.approx(0.5, abs=5 * np.sqrt(1 / 12 / 4000))


@pytest.mark.parametrize("memory", [2.0, 0.0], ids=["in memory", "on demand"])
def test_training_sees_boxes_of_the_files_and_testing_whole_images(memory: float, tmp_path: Path) -> None:
    place: Any = {"test_folder": str(photos(tmp_path / "test")), "memory": memory}
    data = load(photos(tmp_path / "photos"), random_box=0.1, **place)
    store: Any = stores.as_store(data.train.images)
    assert stores.varies(store)
    assert not stores.varies(stores.as_store(data.test.images))
    positions = np.arange(len(store))
    plain, whole = store.fetch(positions), load(tmp_path / "photos", **place)
    np.testing.assert_array_equal(plain, stores.as_store(whole.train.images).fetch(positions))
    assert isinstance(data.test.images, np.ndarray) == (memory > 0)
    seen = store.fetch_augmented(positions, np.random.default_rng(3)).astype(float)
    np.testing.assert_array_equal(seen, store.fetch_augmented(positions, np.random.default_rng(3)))
    for image, fit in zip(seen, draw_boxes(len(positions), 0.1, np.random.default_rng(3)), strict=True):
        left, top, right, bottom = fit((200, 120), (16, 16)).box
        centres = (np.arange(16) + 0.5) / 16
        inner = slice(2, -2)  # beyond the edge there is nothing to average with
        across, down = left + (right - left) * centres - 0.5, 2 * (top + (bottom - top) * centres - 0.5)
        np.testing.assert_allclose(image[inner, inner, 0], np.tile(across, (16, 1))[inner, inner], atol=1)
        np.testing.assert_allclose(image[inner, inner, 1], np.tile(down, (16, 1)).T[inner, inner], atol=2)


def test_an_audit_trains_on_boxes_of_all_images(tmp_path: Path) -> None:
    """Those that were only split off to be tested on are among them."""
    folder = photos(tmp_path / "photos")
    given = {"dataset": "image_folder", "dataset.folder": str(folder), "dataset.size": 16, "dataset.random_box": 0.1}
    samples = load_samples(resolve(given), Terminal(quiet=True))
    assert len(samples) == 12
    images: Any = samples.images
    assert stores.varies(images)
    seen = images.fetch_augmented(np.arange(12), np.random.default_rng(0))
    whole = images.fetch(np.arange(12))
    assert all((one != other).any() for one, other in zip(seen, whole, strict=True))


def test_a_small_box_keeps_the_detail_of_the_file(tmp_path: Path) -> None:
    """Stripes that vanish at the size that is trained on are there in a box of a hundredth of the area."""
    stripes = np.tile(np.where(np.arange(320) % 16 < 8, 0, 255).astype(np.uint8)[None, :, None], (320, 1, 3))
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.fromarray(stripes).save(tmp_path / name / f"{number}.jpg", quality=95)
    store: Any = stores.as_store(load(tmp_path, random_box=0.01).train.images)

    def contrast(images: NDArray[np.uint8]) -> float:
        return float(np.std(images, axis=2).max())

    assert contrast(store.fetch(np.arange(4))) < 30
    seen = np.concatenate([store.fetch_augmented(np.arange(4), np.random.default_rng(seed)) for seed in range(30)])
    assert contrast(seen) > 100


def test_a_share_that_is_none_is_refused() -> None:
    for share in (0.0, 1.5):
        with pytest.raises(UserError, match="random_box"):
            nlcore.create("dataset", "image_folder", random_box=share)
