"""Each check of datasets finds one that breaks its rule."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from helpers import OnDemand, make_data, squares

from nlcore.checks import dataset
from nlcore.contracts import Data, DatasetContext, Split


def good() -> Data:
    """Return two splits that fit."""
    images, labels = squares(40)
    return make_data(images, labels, test=squares(20, seed=1))


class Good:
    """A dataset that fits, with what a subclass changes of it."""

    data: ClassVar[dict[str, Any]] = {}
    train: ClassVar[dict[str, Any]] = {}

    def load(self, source: DatasetContext) -> Data:
        """Return train and test."""
        data = good()
        return replace(data, train=replace(data.train, **self.train), **self.data)


class FloatImages(Good):
    train: ClassVar = {"images": np.zeros((40, 8, 8, 1))}


class ChannelsFirst(OnDemand):
    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C), which is wrong."""
        return (8, 8, 1)


class WrongStore(Good):
    train: ClassVar = {"images": ChannelsFirst(squares(40)[0])}
    data: ClassVar = {"fingerprint": "x"}


class NoFingerprint(Good):
    train: ClassVar = {"images": OnDemand(squares(40)[0])}


class Empty(Good):
    train: ClassVar = {"images": np.zeros((0, 8, 8, 1), dtype=np.uint8)}


class OtherSizes(Good):
    train: ClassVar = {"images": np.zeros((40, 9, 9, 1), dtype=np.uint8)}


class Int32Labels(Good):
    train: ClassVar = {"labels": squares(40)[1].astype(np.int32)}


class LabelsFromOne(Good):
    train: ClassVar = {"labels": squares(40)[1] + 1}


class OneLabelLess(Good):
    train: ClassVar = {"labels": squares(40)[1][1:]}


class CleanOutside(Good):
    train: ClassVar = {"clean": squares(40)[1] - 2}


class SameIds(Good):
    train: ClassVar = {"ids": np.zeros(40, dtype=np.int64)}


class FloatIds(Good):
    train: ClassVar = {"ids": np.linspace(0, 1, 40)}


class FewIds(Good):
    train: ClassVar = {"ids": np.arange(3)}


class Shuffled(Good):
    turns: ClassVar = itertools.count()

    def load(self, source: DatasetContext) -> Data:
        data = good()
        order = np.random.default_rng(next(self.turns)).permutation(40)
        images = np.asarray(data.train.images)
        return replace(data, train=Split(images[order], data.train.labels[order], data.train.ids[order], None))


class Flickers(Shuffled):
    def load(self, source: DatasetContext) -> Data:
        data = good()
        return replace(
            data, train=replace(data.train, images=np.asarray(data.train.images) + np.uint8(next(self.turns)))
        )


class OneClass(Good):
    data: ClassVar = {"classes": ("all",)}


class SameNames(Good):
    data: ClassVar = {"classes": ("a", "b", "b", "c")}


class NumbersForNames(Good):
    data: ClassVar = {"classes": (1, 2, 3, 4)}


class ClassWithoutSamples(Good):
    data: ClassVar = {"classes": ("a", "b", "c", "d", "e")}


class ThreeMeans(Good):
    data: ClassVar = {"mean": (0.5, 0.5, 0.5)}


class MeanOf255(Good):
    data: ClassVar = {"mean": (127.0,)}


class NoSpread(Good):
    data: ClassVar = {"std": (0.0,)}


class NoData(Good):
    def load(self, source: DatasetContext) -> Any:
        return squares(40)


BROKEN: list[tuple[Any, type, str]] = [
    (dataset.images_are_uint8, FloatImages, "float64"),
    (dataset.images_are_uint8, WrongStore, "image_shape"),
    (dataset.images_are_uint8, NoFingerprint, "fingerprint"),
    (dataset.images_are_uint8, Empty, "no images"),
    (dataset.images_are_uint8, OtherSizes, "differ in size"),
    (dataset.images_are_uint8, NoData, "tuple, not nlcore.contracts.Data"),
    (dataset.labels_are_int64_classes, Int32Labels, "int32"),
    (dataset.labels_are_int64_classes, LabelsFromOne, r"within 1\.\.4, not 0\.\.3"),
    (dataset.labels_are_int64_classes, OneLabelLess, r"\(39,\)"),
    (dataset.labels_are_int64_classes, CleanOutside, "clean lie within -2"),
    (dataset.ids_are_unique, SameIds, "share an id"),
    (dataset.ids_are_unique, FloatIds, "float64"),
    (dataset.ids_are_unique, FewIds, r"\(3,\)"),
    (dataset.order_is_stable, Shuffled, "loaded again, (labels|ids)"),
    (dataset.order_is_stable, Flickers, "loaded again, images"),
    (dataset.classes_are_named, OneClass, "1 classes"),
    (dataset.classes_are_named, SameNames, "one name"),
    (dataset.classes_are_named, NumbersForNames, "no texts"),
    (dataset.classes_are_named, ClassWithoutSamples, r"class 4 \(e\)"),
    (dataset.normalisation_fits_the_channels, ThreeMeans, "3 values for images of 1 channels"),
    (dataset.normalisation_fits_the_channels, MeanOf255, "divide by 255"),
    (dataset.normalisation_fits_the_channels, NoSpread, "is 0"),
]


@pytest.mark.parametrize(("check", "cls", "words"), BROKEN)
def test_refuses(check: Any, cls: type, words: str, refuses: Any) -> None:
    refuses(check, cls, words)


def test_every_check_refuses_something() -> None:
    assert {check for check, _, _ in BROKEN} == set(dataset.CHECKS)


class GoodStore(Good):
    """Images on demand, ids that are texts, true labels that are unknown."""

    train: ClassVar = {
        "images": OnDemand(squares(40)[0]),
        "ids": np.array([f"{number}.png" for number in range(40)]),
        "clean": None,
    }
    data: ClassVar = {"fingerprint": "x"}


@pytest.mark.parametrize("cls", [Good, GoodStore])
def test_lets_good_ones_pass(cls: type) -> None:
    for check in dataset.CHECKS:
        check(cls)
