"""The sheet of training images with given and true labels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from helpers import OnDemand, SomeWrong, make_data, prepared, squares
from matplotlib.patches import Rectangle
from nlcore_builtins.noise.symmetric import Symmetric
from numpy.typing import NDArray
from PIL import Image

from nlcore.data.run_data import RunData
from nlcore.rundir.samples import COLUMNS, ROWS, draw_samples, samples_figure

ALL = COLUMNS * ROWS


def some(count: int = 20, channels: int = 1, **more: Any) -> RunData:
    """Return squares of which a third of the labels are wrong."""
    images, labels = squares(count, channels=channels)
    return prepared(make_data(images, labels, **more), SomeWrong(0.3))


def beneath(data: RunData, seed: int = 1) -> list[str]:
    """Return what stands beneath each image."""
    (axes,) = samples_figure(data, seed).axes
    return [text.get_text() for text in axes.texts]


def sheet(data: RunData) -> NDArray[np.uint8]:
    """Return the pixels of all images together."""
    (axes,) = samples_figure(data, 1).axes
    pixels = axes.images[0].get_array()
    assert pixels is not None
    return np.asarray(pixels)


def test_each_image_has_its_given_label_and_the_true_one_where_that_is_wrong() -> None:
    data = some()
    assert data.truth.train is not None
    pairs = list(zip(data.train.labels.tolist(), data.truth.train.tolist(), strict=True))
    expected = [f"class{given}" + (f"\ntruly class{true}" if given != true else "") for given, true in pairs]
    assert beneath(data) == expected
    (axes,) = samples_figure(data, 1).axes
    frames = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    wrong = [number for number, (given, true) in enumerate(pairs) if given != true]
    assert 0 < len(wrong) < len(pairs)
    for frame, number in zip(frames, wrong, strict=True):
        left, top = (round(value + 0.5) for value in frame.get_xy())
        assert (left, top) == (10 * (number % COLUMNS), 11 * (number // COLUMNS))  # 8 pixels, and 2 and 3 between them
    assert axes.get_title() == f"20 of 20 training images: {len(wrong)} wrongly labelled ({len(wrong) / 20:.1%} of all)"


@pytest.mark.parametrize("channels", [1, 3])
def test_the_images_are_those_of_the_samples(channels: int) -> None:
    data = some(channels=channels, mean=(0.4,) * channels, std=(0.25,) * channels)
    images, _ = squares(20, channels=channels)
    found = sheet(data)
    for number, image in enumerate(images):
        top, left = 11 * (number // COLUMNS), 10 * (number % COLUMNS)
        assert np.array_equal(found[top : top + 8, left : left + 8], np.broadcast_to(image, (8, 8, 3)))


def test_of_many_images_forty_are_drawn_and_no_others_are_read() -> None:
    images, labels = squares(1000)
    store = OnDemand(images)
    data = prepared(make_data(store, labels))
    before = store.fetched
    drawn = beneath(data, seed=1)
    assert store.fetched - before == len(drawn) == ALL
    assert drawn == beneath(data, seed=1)
    assert drawn != beneath(data, seed=2)


@pytest.mark.slow
def test_as_many_are_wrong_as_the_noise_rate_says() -> None:
    """Though sheet and noise have the same seed: within four standard deviations over 20 sheets."""
    images, labels = squares(1000)
    rate, wrong = 0.375, 0  # half of the labels redrawn from four classes
    for seed in range(20):
        data = prepared(make_data(images, labels), Symmetric(rate=0.5), noise_seed=seed)
        wrong += sum("truly" in words for words in beneath(data, seed))
    assert wrong / (20 * ALL) == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / (20 * ALL)))


def test_what_is_unknown_is_not_claimed() -> None:
    data = some(truth_known=False)
    assert beneath(data) == [f"class{label}" for label in data.train.labels]
    (axes,) = samples_figure(data, 1).axes
    assert axes.get_title() == "20 of 20 training images with their given labels"
    assert len(axes.patches) == 0


def test_images_of_no_class_and_long_names() -> None:
    images, labels = squares(4)
    data = make_data(images, labels, clean=np.array([0, -1, 2, 3]))
    named = data.__class__(data.train, data.test, ("a", "a name of some length", "c", "d"), data.mean, data.std)
    assert beneath(prepared(named)) == ["a", "a name of som…\nof no class", "c", "d"]


def test_it_is_a_picture() -> None:
    with Image.open(io.BytesIO(draw_samples(some(), 1))) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500
