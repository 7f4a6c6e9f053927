"""Instance-dependent noise: its rate, and the shape of its probabilities, on images that make them visible."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import nlcore
from nlcore.contracts import NoiseContext
from nlcore.data.stores import ArrayStore


def corrupt(labels: Any, data: Any, classes: int = 10, seed: int = 1, rate: float = 0.4) -> NDArray[np.int64]:
    """Return the given labels."""
    model = nlcore.create("noise", "instance_dependent", rate=rate)
    given: NDArray[np.int64] = model.corrupt(labels, classes, np.random.default_rng(seed), data)
    return given


def one_pixel(values: Any) -> NDArray[np.uint8]:
    """Return black images whose first pixel has these values."""
    images = np.zeros((len(values), 2, 2, 1), np.uint8)
    images[:, 0, 0, 0] = values
    return images


def mean_of_truncated_normal(rate: float) -> float:
    """Return the mean of N(rate, 0.1²) on [0, 1], by adding up a fine grid."""
    q = (np.arange(200_000) + 0.5) / 200_000
    density = np.exp(-(((q - rate) / 0.1) ** 2) / 2)
    return float((q * density).sum() / density.sum())


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.4, 0.97])
def test_the_rate_is_the_declared_one(rate: float, labels: Any, samples: Any) -> None:
    info = nlcore.create("noise", "instance_dependent", rate=rate).declared(10)
    assert info.rate == pytest.approx(mean_of_truncated_normal(rate), abs=1e-8)
    assert info.transition is None
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 4, 4, 3), dtype=np.uint8)
    given = corrupt(labels, samples(len(labels), images=images), rate=rate)
    sigma = math.sqrt(info.rate * (1 - info.rate) / len(labels))
    for k in range(10):  # whatever the class
        assert np.mean(given[labels == k] != k) == pytest.approx(info.rate, abs=5 * sigma * math.sqrt(10))
    assert np.mean(given != labels) == pytest.approx(info.rate, abs=5 * sigma)


def test_black_images_flip_to_all_other_classes_alike(labels: Any, samples: Any, counted: Any) -> None:
    """Where x W = 0, the softmax over the nine others is uniform."""
    counts = counted(labels, corrupt(labels, samples(len(labels))))
    p = mean_of_truncated_normal(0.4) / 9
    off = counts[~np.eye(10, dtype=bool)]
    assert (np.abs(off - 5000 * p) <= 5 * math.sqrt(5000 * p * (1 - p))).all()


def test_the_log_odds_are_linear_in_the_raw_pixel() -> None:
    """
    With one pixel x of 1 or 2, log P(j) − log P(k) = x (W_j − W_k) among the wrong labels of a class.

    So it is twice as large for x = 2; pixels scaled to 0..1 would leave both near 0, and normalised ones not double it.
    """
    count, odds = 200_000, {}
    for x in (1, 2):
        data = NoiseContext(np.arange(count), ArrayStore(one_pixel(np.full(count, x))), ("a", "b", "c", "d"))
        given = corrupt(np.zeros(count, np.int64), data, classes=4, seed=5, rate=0.9)
        shares = np.bincount(given, minlength=4)[1:] / count
        assert shares.min() > 0.001  # enough of each for the bounds below
        odds[x] = np.log(shares[0] / shares[1:])
        error = 5 * np.sqrt(1 / (count * shares[0]) + 1 / (count * shares[1:]))
        if x == 1:
            first_error = error
    assert np.abs(odds[1]).max() > 0.5
    assert (np.abs(odds[2] - 2 * odds[1]) <= error + 2 * first_error).all()


def test_every_class_has_its_own_matrix() -> None:
    """CIFAR-N's code has one for all: there, the same image would go to the same classes whatever its label is."""
    images = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    data = NoiseContext(np.arange(4000), ArrayStore(np.repeat(images, 4000, axis=0)), tuple("abcdefghij"))
    given = corrupt(np.arange(4000) % 10, data)
    labels = np.arange(4000) % 10
    favourites = [np.bincount(given[(labels == k) & (given != k)], minlength=10).argmax() for k in range(10)]
    assert len(set(favourites)) > 2  # with one matrix, its largest entry, or the second largest for that class itself


def test_raw_pixels_leave_nearly_one_target_for_an_image() -> None:
    """The softmax is saturated, so that nearly all wrong labels of an image shown again and again agree."""
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    data = NoiseContext(np.arange(4000), ArrayStore(np.repeat(images, 200, axis=0)), tuple("abcdefghij"))
    labels = np.zeros(4000, np.int64)
    given = corrupt(labels, data).reshape(20, 200)
    wrong = [row[row != 0] for row in given]
    agreeing = [np.bincount(row).max() / len(row) for row in wrong]
    assert np.mean(agreeing) > 0.95
    assert len({np.bincount(row).argmax() for row in wrong}) > 1  # and it depends on the image


def test_the_seed_decides(samples: Any) -> None:
    labels = np.arange(3000) % 10
    images = np.random.default_rng(0).integers(0, 256, (3000, 2, 2, 3), dtype=np.uint8)
    data = samples(3000, images=images)
    first = corrupt(labels, data)
    np.random.seed(7)
    assert np.array_equal(corrupt(labels, data), first)
    assert not np.array_equal(corrupt(labels, data, seed=2), first)


class Counting:
    """A store that notes how many images are asked for at a time."""

    image_shape = (3, 4, 4)

    def __init__(self, count: int) -> None:
        self.count, self.asked = count, [0]

    def __len__(self) -> int:
        return self.count

    def fetch(self, indices: Any) -> NDArray[np.uint8]:
        """Return grey images."""
        self.asked.append(len(indices))
        return np.full((len(indices), 4, 4, 3), 7, np.uint8)


def test_images_are_read_in_batches() -> None:
    store = Counting(50_000)
    corrupt(np.arange(50_000) % 2, NoiseContext(np.arange(50_000), store, ("a", "b")), classes=2)
    assert max(store.asked) <= 1_000
    assert sum(store.asked) == 50_000


def test_what_cannot_be(samples: Any) -> None:
    with pytest.raises(nlcore.UserError, match="images"):
        corrupt(np.arange(10), None)
    with pytest.raises(ValueError, match="2 classes"):
        corrupt(np.zeros(3, np.int64), samples(3), classes=1)
    with pytest.raises(ValueError, match=r"0\.\.9"):
        corrupt(np.array([10]), samples(1))
    for rate in (0.0, 1.0):
        with pytest.raises(nlcore.ParameterError, match=r"noise\.rate"):
            nlcore.create("noise", "instance_dependent", rate=rate)
