"""From dataset and noise to the samples of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import AsGiven, FixedDataset, OnDemand, SomeWrong, make_data, prepared, squares
from numpy.typing import NDArray

from nlcore import UserError
from nlcore.contracts import Data, DatasetContext, Labels, NoiseContext, NoiseInfo, Split
from nlcore.data.prepare import prepare
from nlcore.data.run_data import LabelledImages, RunData


def some_data(count: int = 200, *, truth_known: bool = True, on_demand: bool = False) -> Data:
    images, labels = squares(count)
    shown = OnDemand(images) if on_demand else images
    return make_data(shown, labels, test=squares(8, seed=1), truth_known=truth_known)


def by_id(data: RunData) -> dict[Any, int]:
    """Return the given label of every sample, held out or not."""
    parts = [data.train, data.validation] if data.validation else [data.train]
    pairs = [pair for part in parts for pair in zip(part.ids.tolist(), part.labels.tolist(), strict=True)]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def parts_and_truth(data: RunData) -> list[tuple[LabelledImages, Labels]]:
    """Return training and held-out samples with their true labels, where there are such and they are known."""
    assert data.validation is not None
    assert data.truth.train is not None
    assert data.truth.validation is not None
    return [(data.train, data.truth.train), (data.validation, data.truth.validation)]


# ------------------------------------------------------------------------------------------------- noise


@pytest.mark.parametrize("noise_seed", [0, 1, 12345])
def test_the_noise_stream_depends_on_the_noise_seed_alone(noise_seed: int) -> None:
    data = some_data()
    np.random.seed(noise_seed + 1)
    np.random.rand(3)
    expected = SomeWrong().corrupt(data.train.labels, 4, np.random.default_rng(noise_seed))
    np.testing.assert_array_equal(prepared(data, SomeWrong(), noise_seed).train.labels, expected)


def test_noise_does_not_depend_on_what_is_held_out() -> None:
    without, with_validation = (by_id(prepared(some_data(), SomeWrong(), 3, share)) for share in (0.0, 0.25))
    assert without == with_validation


def test_another_noise_seed_gives_other_labels_and_another_validation_set() -> None:
    one, other = (prepared(some_data(), SomeWrong(), seed, 0.2) for seed in (1, 2))
    assert by_id(one) != by_id(other)
    assert one.validation is not None
    assert other.validation is not None
    assert one.validation.ids.tolist() != other.validation.ids.tolist()


def test_noise_sees_the_labels_ids_images_and_class_names_of_the_dataset() -> None:
    seen: list[tuple[Labels, int, NoiseContext | None]] = []

    class Spy:
        def corrupt(
            self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
        ) -> Labels:
            seen.append((labels.copy(), num_classes, data))
            labels[:] = 0  # what it is given is its own
            return labels

    data = some_data(40)
    result = prepared(data, Spy())
    (labels, num_classes, samples), *others = seen
    assert not others
    np.testing.assert_array_equal(labels, data.train.labels)
    assert num_classes == 4
    assert samples is not None
    assert samples.ids.tolist() == list(range(40))
    assert samples.classes == ("class0", "class1", "class2", "class3")
    np.testing.assert_array_equal(samples.images.fetch(np.arange(40)), data.train.images)
    assert not result.train.labels.any()
    np.testing.assert_array_equal(data.train.labels, np.arange(40) % 4)  # untouched
    assert result.truth.train is not None
    np.testing.assert_array_equal(result.truth.train, np.arange(40) % 4)


def test_the_test_labels_are_never_corrupted() -> None:
    data = some_data()
    test = prepared(data, SomeWrong(1.0)).test
    np.testing.assert_array_equal(test.labels, data.test.labels)
    np.testing.assert_array_equal(test.ids, data.test.ids)


def test_the_wrong_labels_are_counted_over_training_and_validation() -> None:
    data = some_data()
    result = prepared(data, SomeWrong(), noise_seed=3, validation=0.25)
    expected = np.zeros((4, 4), np.int64)
    given = by_id(result)
    for sample, true in zip(data.train.ids.tolist(), data.train.labels.tolist(), strict=True):
        expected[true, given[sample]] += 1
    assert result.truth.confusion is not None
    np.testing.assert_array_equal(result.truth.confusion, expected)
    assert result.truth.confusion.sum() == 200
    assert result.truth.noise_rate == pytest.approx(1 - np.trace(expected) / 200, abs=1e-12)
    assert 0.2 < result.truth.noise_rate < 0.6  # type: ignore[operator]


def test_the_share_of_each_true_class_that_is_given_as_another() -> None:
    clean = np.array([0, 0, 0, 0, 1, 1, 3], np.int64)
    given = np.array([0, 0, 1, 3, 1, 0, 3], np.int64)
    transition = prepared(make_data(squares(7)[0], given, clean=clean, classes=4)).truth.transition
    expected = [[0.5, 0.25, 0, 0.25], [0.5, 0.5, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]  # class 2 has no samples
    np.testing.assert_allclose(transition, expected)  # type: ignore[arg-type]


def test_what_training_is_given_are_the_given_labels_of_what_is_not_held_out() -> None:
    result = prepared(some_data(), SomeWrong(), validation=0.25)
    training = result.training
    assert {field.name for field in fields(training)} == {
        *("images", "given", "num_classes", "mean", "std", "declared"),
        "trusted",  # and what the run tells on purpose
    }
    assert training.trusted is None
    np.testing.assert_array_equal(training.given, result.train.labels)
    np.testing.assert_array_equal(training.images.fetch(np.arange(150)), _images(some_data())[result.train.ids])
    assert (training.num_classes, training.image_shape, len(training)) == (4, (1, 8, 8), 150)


def test_labels_that_come_with_noise_of_their_own_are_measured_against_the_truth() -> None:
    images, clean = squares(8)
    given = clean.copy()
    given[:2] = 3
    result = prepared(make_data(images, given, clean=clean))
    assert result.truth.noise_rate == 2 / 8
    assert result.truth.train is not None
    np.testing.assert_array_equal(result.truth.train, clean)
    np.testing.assert_array_equal(result.train.labels, given)


@dataclass(frozen=True)
class Declaring(SomeWrong):
    def declared(self, num_classes: int) -> NoiseInfo:
        return NoiseInfo(self.rate, np.full((num_classes, num_classes), 1 / num_classes))


def test_what_a_noise_model_declares_is_passed_on() -> None:
    declared = prepared(some_data(), Declaring(0.3)).declared
    assert declared is not None
    assert declared.rate == 0.3
    assert declared.transition is not None
    assert declared.transition.shape == (4, 4)
    assert prepared(some_data(), SomeWrong()).declared is None


def test_nothing_is_declared_of_labels_that_come_with_noise_of_their_own() -> None:
    data = some_data()
    wrong = replace(data, train=replace(data.train, labels=np.roll(data.train.labels, 1)))
    assert prepared(wrong, Declaring(0.0)).declared is None
    assert prepared(wrong, Declaring(0.0)).truth.noise_rate == 1


def test_the_noise_in_words() -> None:
    every_label = prepared(some_data(), Declaring(1.0))
    assert every_label.noise_in_words == "100.00% declared, 100.00% of the labels wrong"
    assert prepared(some_data(), AsGiven()).noise_in_words == "0.00% of the labels wrong"
    unknown = prepared(some_data(truth_known=False), Declaring(1.0))
    assert unknown.noise_in_words == "how many labels are wrong is unknown"


@dataclass(frozen=True)
class GoesByNames(SomeWrong):
    def declared(self, num_classes: int, classes: tuple[str, ...] | None = None) -> NoiseInfo:
        return NoiseInfo(self.rate if classes == ("class0", "class1", "class2", "class3") else 0.0)


def test_a_noise_model_that_goes_by_the_names_of_the_classes_is_told_them() -> None:
    declared = prepared(some_data(), GoesByNames(0.3)).declared
    assert declared is not None
    assert declared.rate == 0.3


def test_a_noise_model_that_needs_another_dataset_knows_where_to_look() -> None:
    seen: list[NoiseContext] = []

    class Spy(AsGiven):
        def replace_images(self, data: NoiseContext, rng: np.random.Generator) -> tuple[Labels, NDArray[np.uint8]]:
            seen.append(data)
            return np.array([2]), np.zeros((1, 8, 8, 1), np.uint8)

    result = prepared(some_data(), Spy())
    assert seen[0].source is not None
    assert seen[0].directory == seen[0].source.directory
    assert result.truth.num_open_set == 1


def test_where_the_truth_is_unknown_all_that_needs_it_is_none() -> None:
    result = prepared(some_data(truth_known=False), Declaring(), validation=0.25)
    assert result.truth.train is None
    assert result.truth.validation is None
    assert result.truth.confusion is None
    assert result.truth.noise_rate is None
    assert result.declared is None
    assert result.truth.transition is None
    assert result.truth.num_open_set is None


# -------------------------------------------------------------------------------------------- validation


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_validation_takes_the_same_share_of_every_given_label(share: float) -> None:
    everything = np.array(list(by_id(prepared(some_data(), SomeWrong())).values()))
    result = prepared(some_data(), SomeWrong(), validation=share)
    assert result.validation is not None
    for label in range(4):
        held_out = int((result.validation.labels == label).sum())
        assert abs(held_out - share * (everything == label).sum()) <= 0.5


def test_train_and_validation_are_disjoint_complete_and_fit_together() -> None:
    data = some_data()
    result = prepared(data, SomeWrong(), validation=0.3)
    assert result.validation is not None
    assert sorted([*result.train.ids.tolist(), *result.validation.ids.tolist()]) == list(range(200))
    for part, true in parts_and_truth(result):
        assert len(part) == len(part.images) == len(part.ids)
        np.testing.assert_array_equal(part.images.fetch(np.arange(len(part))), _images(data)[part.ids])
        np.testing.assert_array_equal(true, data.train.labels[part.ids])


def test_without_validation_nothing_is_held_out() -> None:
    result = prepared(some_data(), SomeWrong())
    assert result.validation is None
    assert result.train.ids.tolist() == list(range(200))


def test_which_samples_are_held_out_is_drawn_and_not_the_first_ones() -> None:
    validation = prepared(some_data(), validation=0.5).validation
    assert validation is not None
    assert 80 < validation.ids.mean() < 120
    assert validation.ids.tolist() != list(range(100))


# ---------------------------------------------------------------------------------------------- open-set


@dataclass(frozen=True)
class FromElsewhere(AsGiven):
    def replace_images(self, data: NoiseContext, rng: np.random.Generator) -> tuple[Labels, NDArray[np.uint8]]:
        positions = rng.permutation(len(data.ids))[:30]
        return positions, np.full((30, 8, 8, 1), 255, np.uint8)


@pytest.mark.parametrize("on_demand", [False, True])
def test_replaced_images_are_shown_and_belong_to_no_class(on_demand: bool) -> None:
    result = prepared(some_data(on_demand=on_demand), FromElsewhere(), validation=0.25)
    assert result.validation is not None
    original = _images(some_data())
    replaced = 0
    for part, true in parts_and_truth(result):
        elsewhere = true == -1
        replaced += int(elsewhere.sum())
        shown = part.images.fetch(np.arange(len(part)))
        assert (shown[elsewhere] == 255).all()
        np.testing.assert_array_equal(shown[~elsewhere], original[part.ids[~elsewhere]])
        np.testing.assert_array_equal(part.labels, part.ids % 4)  # the given labels stay
    assert replaced == 30
    assert result.truth.noise_rate == 30 / 200  # whatever is given for them is wrong
    assert result.truth.confusion is not None
    assert result.truth.confusion.sum() == 170  # of no class, so in no row


def test_replacing_images_leaves_the_dataset_as_it_was() -> None:
    data = some_data()
    before, clean = _images(data).copy(), data.train.labels.copy()
    prepared(data, FromElsewhere())
    np.testing.assert_array_equal(data.train.images, before)
    assert data.train.clean is not None
    np.testing.assert_array_equal(data.train.clean, clean)


def test_replacing_images_does_not_move_the_noise() -> None:
    class Both(FromElsewhere):
        def corrupt(
            self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
        ) -> Labels:
            return SomeWrong().corrupt(labels, num_classes, rng, data)

    np.testing.assert_array_equal(
        prepared(some_data(), Both()).train.labels, prepared(some_data(), SomeWrong()).train.labels
    )


# ------------------------------------------------------------------------------------------- fingerprint


def reordered(data: Data, order: Labels) -> Data:
    train = data.train
    return replace(data, train=Split(_images(data)[order], train.labels[order], train.ids[order], None))


def test_the_fingerprint_of_labels_depends_on_neither_order_nor_split() -> None:
    data = some_data()
    order = np.random.default_rng(0).permutation(200)
    fingerprint = prepared(data).labels_sha256
    assert len(fingerprint) == 64
    assert prepared(reordered(data, order)).labels_sha256 == fingerprint
    assert prepared(data, validation=0.3).labels_sha256 == fingerprint
    assert prepared(data, validation=0.3, noise_seed=2).labels_sha256 == fingerprint


def test_the_fingerprint_of_labels_changes_with_a_label_and_with_an_id() -> None:
    data = some_data()
    labels = data.train.labels.copy()
    labels[17] = (labels[17] + 1) % 4
    ids = data.train.ids.copy()
    ids[17] = 1000
    swapped = data.train.labels.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    changed = [
        replace(data, train=replace(data.train, **change))
        for change in ({"labels": labels}, {"ids": ids}, {"labels": swapped})
    ]
    fingerprints = {prepared(one).labels_sha256 for one in (data, *changed)}
    assert len(fingerprints) == 4


def test_ids_may_be_names() -> None:
    data = some_data(20)
    names = np.array([f"folder/image{number}.png" for number in range(20)])
    result = prepared(replace(data, train=replace(data.train, ids=names)), validation=0.4)
    assert result.validation is not None
    assert sorted([*result.train.ids, *result.validation.ids]) == sorted(names)
    assert len(result.labels_sha256) == 64


# -------------------------------------------------------------------------------------- bad data and noise


def _images(data: Data) -> NDArray[np.uint8]:
    images = data.train.images
    assert isinstance(images, np.ndarray)
    return images


NUMBER, TYPE = "differ in number", "are not uint8"
INCONSISTENT: dict[str, tuple[Callable[[Any], Split], str]] = {
    "too few labels": (lambda split: replace(split, labels=split.labels[1:]), NUMBER),
    "too few ids": (lambda split: replace(split, ids=split.ids[1:]), NUMBER),
    "too few true labels": (lambda split: replace(split, clean=np.zeros(3, np.int64)), NUMBER),
    "a label too high": (lambda split: replace(split, labels=split.labels + 1), r"within 0\.\.3"),
    "a negative label": (lambda split: replace(split, labels=split.labels - 1), r"within 0\.\.3"),
    "labels of another type": (lambda split: replace(split, labels=split.labels / 1), r"not int64 within 0\.\.3"),
    "true labels too high": (lambda split: replace(split, clean=np.full(len(split.ids), 4)), r"within -1\.\.3"),
    "nothing": (lambda split: Split(split.images[:0], split.labels[:0], split.ids[:0], None), "is empty"),
    "images of floats": (lambda split: replace(split, images=split.images / 255), TYPE),
    "images without channels": (lambda split: replace(split, images=split.images[..., 0]), TYPE),
    "images of three channels": (lambda split: replace(split, images=np.repeat(split.images, 3, 3)), "do not fit"),
}


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("name", INCONSISTENT)
def test_a_dataset_that_does_not_fit_together_is_refused(name: str, part: str) -> None:
    data = some_data(20)
    change, match = INCONSISTENT[name]
    changed: dict[str, Any] = {part: change(getattr(data, part))}
    with pytest.raises(UserError, match=match):
        prepared(replace(data, **changed))


@pytest.mark.parametrize("given", [{"mean": (0.5, 0.5, 0.5)}, {"std": (0.2, 0.2, 0.2)}, {"std": (0.0,)}])
def test_a_normalisation_that_does_not_fit_the_images_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="do not fit images of 1 channels"):
        prepared(replace(some_data(20), **given))


@pytest.mark.parametrize(
    ("returned", "match"),
    [
        (lambda labels: labels[:-1], "returned int64"),
        (lambda labels: labels.astype(np.int32), "returned int32"),
        (lambda labels: labels * 1.0, "returned float64"),
        (lambda labels: labels + 1, "outside 0..3"),
        (lambda labels: labels - 1, "outside 0..3"),
    ],
    ids=["shorter", "int32", "float", "too high", "negative"],
)
def test_noise_that_returns_no_labels_is_refused(returned: Callable[[Labels], Any], match: str) -> None:
    class Wrong:
        def corrupt(
            self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
        ) -> Labels:
            result: Labels = returned(labels)
            return result

    with pytest.raises(UserError, match=f"Wrong {match}|Wrong returned labels {match}"):
        prepared(some_data(20), Wrong())


# ------------------------------------------------------------------------------------------------- trusted


def with_trusted(data: Data, count: int, noise_seed: int = 1, validation: float = 0.0) -> RunData:
    source = DatasetContext(Path("nowhere"), download=False)
    options: dict[str, Any] = {"noise_seed": noise_seed, "validation": validation, "trusted": count}
    return prepare(FixedDataset(data), SomeWrong(), source, **options)


def test_trusted_samples_are_taken_out_of_training_with_their_true_labels() -> None:
    data = some_data()
    result, without = with_trusted(data, 20, validation=0.25), prepared(data, SomeWrong(), validation=0.25)
    assert result.trusted is not None
    assert result.validation is not None
    told = result.trusted.ids
    assert np.bincount(result.trusted.labels).tolist() == [5, 5, 5, 5]
    np.testing.assert_array_equal(result.trusted.labels, data.train.labels[told])
    ids = np.concatenate([told, result.train.ids, result.validation.ids])
    assert sorted(ids.tolist()) == data.train.ids.tolist()
    before = by_id(without)
    assert by_id(result) == {key: label for key, label in before.items() if key not in told}  # the noise is the same
    np.testing.assert_array_equal(result.trusted.images.fetch(np.arange(20)), _images(data)[told])
    assert result.training.trusted is result.trusted


def test_which_are_trusted_is_drawn_by_the_noise_seed() -> None:
    one, again, other = (with_trusted(some_data(), 20, seed).trusted for seed in (1, 1, 2))
    assert one is not None
    assert again is not None
    assert other is not None
    assert one.ids.tolist() == again.ids.tolist() != other.ids.tolist()


def test_a_dataset_may_bring_trusted_samples_of_its_own() -> None:
    images, labels = squares(12, seed=7)
    data = replace(some_data(truth_known=False), trusted=Split(images, labels, np.arange(12) + 1000, None))
    result = with_trusted(data, 8)
    assert result.trusted is not None
    assert (result.trusted.ids >= 1000).all()
    assert len(result.train) == 200
    assert result.fingerprint != with_trusted(replace(data, trusted=None), 0).fingerprint


def test_more_than_there_are_and_unknown_truth_are_refused() -> None:
    with pytest.raises(UserError, match="trusted = 300: there are only 200"):
        with_trusted(some_data(), 300)
    with pytest.raises(UserError, match="trusted = 3: the true labels of this dataset are not known"):
        with_trusted(some_data(truth_known=False), 3)
