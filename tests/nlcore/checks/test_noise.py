"""Each check of noise models finds one that breaks its rule."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nlcore import parameter
from nlcore.checks import NotApplicable, noise
from nlcore.contracts import NoiseInfo


@dataclass
class Good:
    """Labels move on by one."""

    rate: float = parameter(0.3, "fraction that moves", range="[0, 1]")

    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        """Return given labels."""
        return np.where(rng.random(len(labels)) < self.rate, (labels + 1) % num_classes, labels)

    def declared(self, num_classes: int) -> NoiseInfo:
        """Return rate and matrix."""
        return NoiseInfo(self.rate, (1 - self.rate) * np.eye(num_classes) + self.rate * self.shift(num_classes))

    def shift(self, num_classes: int) -> Any:
        """Return where labels go."""
        return np.roll(np.eye(num_classes), 1, axis=1)

    def replace_images(self, data: Any, rng: Any) -> Any:
        """Return black images for three samples."""
        return np.array([3, 1, 2]), np.zeros((3, 8, 8, 3), dtype=np.uint8)


class TooHigh(Good):
    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        return labels + 1


class Floats(Good):
    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        return labels.astype(np.float64)


class InPlace(Good):
    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        labels[:10] = 0
        return labels.copy()


class SameArray(Good):
    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        return labels


class Paints(Good):
    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        data.images.store.images[0] = 0
        return labels.copy()


class DrawsFromNumpy(Good):
    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        return np.where(np.random.random(len(labels)) < self.rate, 0, labels)


class DrawsFromPython(Good):
    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        return np.where(random.random() < np.linspace(0, 1, len(labels)), 0, labels)


class NeverNone(Good):
    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        return np.where(rng.random(len(labels)) < self.rate + 0.1, 0, labels)


class Transposed(Good):
    def shift(self, num_classes: int) -> Any:
        return super().shift(num_classes).T


class NotStochastic(Good):
    def shift(self, num_classes: int) -> Any:
        return 2 * super().shift(num_classes)


class SaysPercent(Good):
    def declared(self, num_classes: int) -> NoiseInfo:
        return NoiseInfo(30.0)


class SaysLess(Good):
    def declared(self, num_classes: int) -> NoiseInfo:
        return NoiseInfo(0.25)


class RateBesideMatrix:
    """It replaces no images: those count for the rate and not for the matrix."""

    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        return Good().corrupt(labels, num_classes, rng, data)

    def declared(self, num_classes: int) -> NoiseInfo:
        return NoiseInfo(0.2, Good().declared(num_classes).transition)


class FloatImages(Good):
    def replace_images(self, data: Any, rng: Any) -> Any:
        return np.arange(3), np.zeros((3, 8, 8, 3))


class Twice(Good):
    def replace_images(self, data: Any, rng: Any) -> Any:
        return np.array([1, 1]), np.zeros((2, 8, 8, 3), dtype=np.uint8)


class Replaces(Good):
    """A tenth of the images is of no class, and that is declared as wrong."""

    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        return labels.copy()

    def replace_images(self, data: Any, rng: Any) -> Any:
        count = len(data.ids) // 10
        return rng.permutation(len(data.ids))[:count], np.zeros((count, 8, 8, 3), dtype=np.uint8)

    def declared(self, num_classes: int) -> NoiseInfo:
        return NoiseInfo(0.1, np.eye(num_classes))


class ForgetsThem(Replaces):
    def declared(self, num_classes: int) -> NoiseInfo:
        return NoiseInfo(0.0, np.eye(num_classes))


BROKEN: list[tuple[Any, type, str]] = [
    (noise.gives_labels_within_range, TooHigh, "the label 10, outside 0..9"),
    (noise.gives_labels_within_range, Floats, "float64"),
    (noise.leaves_its_input_untouched, InPlace, "changes the labels"),
    (noise.leaves_its_input_untouched, SameArray, "the array that it is given"),
    (noise.leaves_its_input_untouched, Paints, "images"),
    (noise.same_generator_gives_same_labels, DrawsFromNumpy, "rng alone"),
    (noise.same_generator_gives_same_labels, DrawsFromPython, "rng alone"),
    (noise.rate_zero_is_the_identity, NeverNone, "With rate = 0 it changes"),
    (noise.declares_what_it_does, Transposed, "labels of class 0 become"),
    (noise.declares_what_it_does, NotStochastic, "sum to 1"),
    (noise.declares_what_it_does, SaysPercent, "30.0"),
    (noise.declares_what_it_does, SaysLess, "declared are 12,500"),
    (noise.declares_what_it_does, RateBesideMatrix, "0.2000, but by its transition matrix 0.3000"),
    (noise.declares_what_it_does, ForgetsThem, "declared are 0"),
    (noise.replaces_images_of_its_samples, FloatImages, "float64"),
    (noise.replaces_images_of_its_samples, Twice, "different"),
]


@pytest.mark.parametrize(("check", "cls", "words"), BROKEN)
def test_refuses(check: Any, cls: type, words: str, refuses: Any) -> None:
    refuses(check, cls, words)


def test_every_check_refuses_something() -> None:
    assert {check for check, _, _ in BROKEN} == set(noise.CHECKS)


def test_lets_a_good_one_pass() -> None:
    for check in noise.CHECKS:
        check(Good)
        check(Replaces)


def test_global_generators_are_left_as_they_were() -> None:
    before = np.random.get_state(legacy=False)["state"]["key"].copy(), random.getstate()
    noise.same_generator_gives_same_labels(Good)
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], before[0])
    assert random.getstate() == before[1]


@dataclass
class OnlyCorrupts:
    """Has no rate, declares nothing, replaces nothing."""

    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        """Return a copy."""
        return labels.copy()


@pytest.mark.parametrize(
    "check", [noise.rate_zero_is_the_identity, noise.declares_what_it_does, noise.replaces_images_of_its_samples]
)
def test_does_not_apply(check: Any) -> None:
    with pytest.raises(NotApplicable):
        check(OnlyCorrupts)
