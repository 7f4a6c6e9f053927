"""Duplicates: made copies are found, other images are not, and groups are what pairs join."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from nlcore.audits.duplicates import find_alike, find_duplicates, join
from nlcore.audits.looks import look


def scenes(count: int, side: int = 32, seed: int = 0) -> NDArray[np.uint8]:
    """Return images of smooth random shapes, as photographs are at this size."""
    small = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC)) for one in small])


def as_jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return an image after saving as JPEG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def resized(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Return an image after making it smaller and large again."""
    height, width, _ = image.shape
    small = Image.fromarray(image).resize((round(width * factor), round(height * factor)), Image.Resampling.BILINEAR)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))


def brighter(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Return an image that is brighter."""
    return (image * factor).clip(0, 255).astype(np.uint8)


def changed(image: NDArray[np.uint8], how: str) -> NDArray[np.uint8]:
    """Return a copy of an image that was saved, resized or made brighter."""
    what, _, amount = how.partition(" ")
    if what == "jpeg":
        return as_jpeg(image, int(amount))
    return resized(image, float(amount)) if what == "resize" else brighter(image, float(amount))


CHANGES = ("jpeg 60", "jpeg 75", "jpeg 95", "resize 0.9", "brightness 1.05")


def test_the_same_pixels_are_one_group() -> None:
    images = scenes(6)
    images[4] = images[1]
    images[5] = images[1]
    assert find_duplicates(look(images)).same.tolist() == [0, 1, 2, 3, 1, 1]
    assert find_duplicates(look(images)).near.tolist() == [0, 1, 2, 3, 1, 1]


@pytest.mark.parametrize("how", CHANGES)
def test_changed_copies_are_found_and_nothing_else(how: str) -> None:
    images = scenes(200)
    copies = np.stack([changed(image, how) for image in images])
    found = find_duplicates(look(np.concatenate([images, copies])))
    assert (found.near[200:] == np.arange(200)).mean() >= 0.98
    assert found.near[:200].tolist() == list(range(200))  # no two scenes are one


def test_images_of_one_colour_are_near_to_the_same_colour_only() -> None:
    images = np.zeros((4, 8, 8, 3), np.uint8)
    images[1], images[2], images[3] = 1, 200, 200
    found = find_duplicates(look(images))
    assert found.near.tolist() == found.same.tolist() == [0, 1, 2, 2]


def test_two_skies_are_not_one_picture() -> None:
    """The same slope of brightness with a small dark thing on one and a bright one on the other."""
    rows = np.linspace(120, 230, 32)[:, None, None]
    skies = np.repeat(np.broadcast_to(rows, (32, 32, 3))[None], 2, axis=0).astype(np.uint8)
    skies[0, 14:18, 12:20] = 20
    skies[1, 14:18, 12:20] = 255
    assert find_duplicates(look(skies)).near.tolist() == [0, 1]


def test_thousands_of_frames_of_one_scene_are_one_group() -> None:
    """All pairs, 12,500,000, would take minutes to compare."""
    rng = np.random.default_rng(0)
    frames = np.repeat(scenes(1) // 2, 5_000, axis=0) + rng.integers(0, 3, (5_000, 32, 32, 3), dtype=np.uint8)
    others = scenes(100, seed=1)
    found = find_duplicates(look(np.concatenate([others, frames])))
    assert np.bincount(found.near)[100] >= 4_990
    assert found.near[:100].tolist() == list(range(100))


def test_there_may_be_no_images() -> None:
    found = find_duplicates(look(np.zeros((0, 8, 8, 3), np.uint8)))
    assert found.same.shape == found.near.shape == (0,)


@given(st.integers(1, 12), st.data())
def test_groups_are_what_pairs_join(count: int, data: st.DataObject) -> None:
    places = st.integers(0, count - 1)
    pairs = data.draw(st.lists(st.tuples(places, places), max_size=15))
    expected = list(range(count))
    for _ in range(count):  # the smallest number spreads along pairs, one step a round
        for one, other in pairs:
            expected[one] = expected[other] = min(expected[one], expected[other])
    assert join(count, np.array(pairs, dtype=np.int64).reshape(-1, 2)).tolist() == expected


def test_features_that_point_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3_000, 8)).astype(np.float32)
    features[2_900] = 3 * features[17]  # the length does not count
    features[5] = 0
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    close = np.triu(unit @ unit.T >= 0.95, k=1)
    assert find_alike(features, 0.95).tolist() == np.argwhere(close).tolist()
    assert [17, 2_900] in find_alike(features, 0.999).tolist()


@pytest.mark.cifar10
@pytest.mark.slow
def test_cifar10s_near_duplicates_have_the_same_label(cifar10_dir: Path) -> None:
    """A pair that is near by accident has another label nine times out of ten; of 300 pairs and more none has."""
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    rows = [np.fromfile(cifar10_dir / "cifar-10-batches-bin" / name, np.uint8).reshape(-1, 3_073) for name in names]
    labels = np.concatenate(rows)[:, 0]
    near = find_duplicates(look(np.concatenate(rows)[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))).near
    copies = np.flatnonzero(near != np.arange(len(near)))
    assert len(copies) > 300
    assert (labels[copies] == labels[near[copies]]).all()
