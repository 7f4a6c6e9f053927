"""Squares from photographs: the same pixels as torchvision's Resize, CenterCrop and crop on Pillow images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_archives import photograph
from nlcore_builtins.datasets.crops import Photographs, RandomlyCut, cut
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import v2

from nlcore import RunError

SIZES = [(20, 14), (14, 20), (16, 16), (41, 30), (90, 13), (5, 7), (1, 40)]


def resized(path: Path, shorter_side: int) -> Image.Image:
    image: Image.Image = v2.functional.resize(Image.open(path), [shorter_side])
    return image


def same(found: NDArray[np.uint8], expected: Image.Image) -> None:
    difference = np.abs(found.astype(int) - np.asarray(expected).astype(int))
    assert difference.max() <= 1  # of a rounding; a place that is off by a pixel would differ by far more in noise


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("shorter_side", [12, 16, 31])
def test_the_centre_is_torchvisions(size: tuple[int, int], shorter_side: int, tmp_path: Path) -> None:
    path = photograph(tmp_path / "a.png", size=size)
    (found,) = Photographs([path], 12, shorter_side).fetch(np.array([0]))
    same(found, v2.functional.center_crop(resized(path, shorter_side), [12, 12]))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_without_a_shorter_side_all_of_an_image_is_shown(size: tuple[int, int], tmp_path: Path) -> None:
    path = photograph(tmp_path / "a.png", size=size)
    (found,) = Photographs([path], 12, None).fetch(np.array([0]))
    same(found, v2.functional.resize(Image.open(path), [12, 12]))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_while_training_a_square_lies_anywhere(size: tuple[int, int], tmp_path: Path) -> None:
    path = photograph(tmp_path / "a.png", size=size)
    whole = resized(path, 16)
    store = RandomlyCut([path], 12, 16)
    found = store.fetch_augmented(np.zeros(40, dtype=np.int64), np.random.default_rng(3))
    u = np.random.default_rng(3).random((40, 2))
    left, top = np.floor(u * (np.array(whole.size) - 12 + 1)).astype(int).T
    for image, x, y in zip(found, left.tolist(), top.tolist(), strict=True):
        same(image, whole.crop((x, y, x + 12, y + 12)))
    assert len({image.tobytes() for image in found}) > 5


def test_every_place_is_drawn_equally_often_and_none_lies_outside() -> None:
    places = np.linspace(0, 1, 5_000, endpoint=False).tolist()
    lefts = [cut((16, 16), (12, 12), 16, (u, u)).box[0] for u in places]
    assert np.unique(lefts, return_counts=True)[1].tolist() == [1000] * 5
    assert (min(lefts), max(lefts)) == (0, 4)


def test_an_image_that_cannot_be_read_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    good = photograph(tmp_path / "good.jpg")
    store = Photographs([good, tmp_path / "broken.jpg"], 12, 12)
    with pytest.raises(RunError, match=r"broken\.jpg cannot be read: .*\. Unpack it again\.$"):
        store.fetch(np.array([0, 1]))
