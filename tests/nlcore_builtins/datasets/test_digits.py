"""The digits that come with scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import nlcore
from nlcore.contracts import Data, DatasetContext


@pytest.fixture(scope="module")
def data() -> Data:
    return nlcore.create("dataset", "digits").load(DatasetContext(Path("nowhere"), download=False))  # type: ignore[no-any-return]


def test_every_image_and_label_is_that_of_scikit_learn(data: Data) -> None:
    bundle = load_digits()
    for split in (data.train, data.test):
        assert isinstance(split.images, np.ndarray)
        assert split.images.dtype == np.uint8
        assert split.images.shape == (len(split.ids), 8, 8, 1)
        assert split.labels.dtype == np.int64
        np.testing.assert_array_equal(split.labels, bundle.target[split.ids])
        scaled = bundle.images[split.ids] * 255 / 16
        assert np.abs(split.images[..., 0] - scaled).max() <= 0.5


def test_values_are_from_0_to_255(data: Data) -> None:
    assert isinstance(data.train.images, np.ndarray)
    assert (data.train.images.min(), data.train.images.max()) == (0, 255)
    assert len(np.unique(data.train.images)) == 17  # as many as there are in scikit-learn's


def test_the_split_is_stratified_disjoint_and_complete(data: Data) -> None:
    assert len(data.train.ids) == 1442
    assert len(data.test.ids) == 355
    assert sorted([*data.train.ids, *data.test.ids]) == list(range(1797))
    in_all, in_test = (np.bincount(labels) for labels in (load_digits().target, data.test.labels))
    np.testing.assert_array_equal(in_test, in_all // 5)


def test_in_each_class_every_fifth_image_is_tested(data: Data) -> None:
    target, tested = load_digits().target, set(data.test.ids.tolist())
    for digit in range(10):
        members = [number for number, label in enumerate(target) if label == digit]
        assert [number in tested for number in members] == [rank % 5 == 4 for rank in range(len(members))]


def test_labels_are_true_and_classes_are_named_by_their_digit(data: Data) -> None:
    assert data.classes == tuple("0123456789")
    for split in (data.train, data.test):
        assert split.clean is not None
        np.testing.assert_array_equal(split.clean, split.labels)


def test_normalisation_is_that_of_the_training_images(data: Data) -> None:
    values = load_digits().images[data.train.ids] / 16
    assert data.mean == pytest.approx((values.mean(),), abs=1e-3)
    assert data.std == pytest.approx((values.std(),), abs=1e-3)


def test_digits_are_shifted_by_one_pixel_and_never_mirrored() -> None:
    from nlcore.config.experiment import resolve

    for slot in ("augmentation", "strong"):
        params = resolve({"dataset": "digits"})[slot].params
        assert (params["padding"], params["flip"]) == (1, False)


def test_what_suits_digits_is_taken_unless_something_else_is_said(tmp_path: Path) -> None:
    from nlcore.config.experiment import resolve

    assert resolve({"dataset": "digits"})["architecture"].params["width"] == 16
    assert resolve({"dataset": "digits", "architecture.width": 4})["architecture"].params["width"] == 4
    assert resolve({"dataset": "cifar10"})["architecture"].params["width"] == 64
