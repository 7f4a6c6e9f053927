"""What is measured, against numbers counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers import AsGiven, OnDemand, make_data, make_trainer, prepared
from numpy.typing import NDArray
from sklearn import metrics
from torch import Tensor

from nlcore.contracts import Batch, Labels, NoiseContext, StrategyContext
from nlcore.data.run_data import RunData
from nlcore.training.evaluate import Evaluator, balanced_accuracy, memorisation, opinion_metrics
from nlcore.training.predict import at_once

# ------------------------------------------------------------------------------------------- memorisation

#   sample      0  1  2  3  4  5  6  7  8  9
CLEAN = [0, 0, 1, 1, 2, 2, 0, 1, 2, -1]
GIVEN = [0, 0, 1, 1, 2, 0, 1, 2, 2, 1]  # wrong: 5, 6, 7 and 9, which is of no class
PREDICTED = [0, 1, 1, 1, 0, 0, 0, 0, 2, 1]
# Rightly labelled are 0, 1, 2, 3, 4 and 8; predicted as labelled 0, 2, 3 and 8: 4 of 6. Of the four wrong ones 5 and 9
# are predicted as given, 6 as it is, and 7 as neither.


def array(values: list[int]) -> Labels:
    return np.array(values, dtype=np.int64)


def test_memorisation_by_hand() -> None:
    row = memorisation(array(PREDICTED), array(GIVEN), array(CLEAN))
    assert row == {"clean_accuracy": 4 / 6, "memorised": 2 / 4, "corrected": 1 / 4}


def test_memorisation_of_some_samples_by_hand() -> None:
    positions = array([9, 6, 5, 1, 0])
    row = memorisation(array(PREDICTED)[positions], array(GIVEN)[positions], array(CLEAN)[positions])
    assert row == {"clean_accuracy": 1 / 2, "memorised": 2 / 3, "corrected": 1 / 3}


def test_memorisation_is_unknown_where_the_truth_is() -> None:
    row = memorisation(array(PREDICTED), array(GIVEN), None)
    assert row == {"clean_accuracy": None, "memorised": None, "corrected": None}


def test_memorisation_without_wrong_labels_has_nothing_to_memorise() -> None:
    row = memorisation(array([0, 1, 1]), array([0, 1, 0]), array([0, 1, 0]))
    assert row == {"clean_accuracy": 2 / 3, "memorised": None, "corrected": None}


def test_memorisation_where_every_label_is_wrong() -> None:
    row = memorisation(array([0, 1]), array([0, 1]), array([1, 0]))
    assert row == {"clean_accuracy": None, "memorised": 1.0, "corrected": 0.0}


# ------------------------------------------------------------------------------------- balanced accuracy


def test_balanced_accuracy_is_the_mean_over_the_classes_that_there_are() -> None:
    labels, predicted = array([0, 0, 0, 1, 3, 3]), array([0, 1, 2, 1, 3, 0])  # 1/3, 1, and 1/2; none is of class 2
    confusion = metrics.confusion_matrix(labels, predicted, labels=range(4))
    assert balanced_accuracy(confusion) == pytest.approx((1 / 3 + 1 + 1 / 2) / 3)


# ----------------------------------------------------------------------- right labels told from wrong ones


def test_selection_and_correction_are_measured_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(3)
    true = rng.integers(-1, 4, 500)
    given = np.where((rng.random(500) < 0.4) | (true < 0), (true + 1) % 4, true)
    probability = np.round(np.clip(0.3 * (given == true) + 0.8 * rng.random(500), 0, 1), 1)  # with ties
    suggested = rng.integers(0, 4, 500)
    right, chosen = given == true, probability > 0.5
    assert opinion_metrics(probability, suggested, given, true) == pytest.approx(
        {
            "selection_auc": metrics.roc_auc_score(right, probability),
            "selection_precision": metrics.precision_score(right, chosen),
            "selection_recall": metrics.recall_score(right, chosen),
            "correction_accuracy": metrics.accuracy_score(true, suggested),
        }
    )


NOTHING_KNOWN = dict.fromkeys(("selection_auc", "selection_precision", "selection_recall", "correction_accuracy"))


def test_selection_and_correction_are_unknown_where_the_truth_or_the_opinion_is() -> None:
    probability, labels = np.array([0.9, 0.1]), array([0, 1])
    assert opinion_metrics(probability, labels, labels, None) == NOTHING_KNOWN
    assert opinion_metrics(None, None, labels, labels) == NOTHING_KNOWN


def test_where_every_label_is_right_there_is_no_order_to_measure() -> None:
    labels = array([0, 1, 2, 3])
    row = opinion_metrics(np.array([0.9, 0.8, 0.2, 0.7]), None, labels, labels)
    assert row == NOTHING_KNOWN | {"selection_precision": 1.0, "selection_recall": 3 / 4}


def test_a_method_that_chooses_nothing_has_no_precision() -> None:
    row = opinion_metrics(np.array([0.2, 0.3, 0.1]), None, array([0, 1, 2]), array([0, 1, 1]))
    assert row == NOTHING_KNOWN | {"selection_auc": 1.0, "selection_recall": 0.0}


# ---------------------------------------------------------------------------------------------- evaluator


class Reads:
    """A strategy that predicts what is written in an image: its value, as a class. Notes what it looked at."""

    def __init__(self) -> None:
        self.looked: list[int] = []
        self.sizes: list[int] = []
        self.gradients: set[bool] = set()

    def setup(self, ctx: StrategyContext) -> None:
        """Do nothing."""

    def step(self, batch: Batch) -> Tensor:
        return torch.zeros(())

    def predict(self, images: Tensor) -> Tensor:
        self.gradients.add(torch.is_grad_enabled())
        written = (images[:, :, 0, 0] * 255).round().long()  # mean 0, std 1
        self.sizes.append(len(images))
        self.looked += (written[:, 1] * 256 + written[:, 2]).tolist()
        return torch.nn.functional.one_hot(written[:, 0], 4).float()


def written(predicted: NDArray[Any]) -> NDArray[np.uint8]:
    """Return 1×1 images: what is predicted for each, and its number in two bytes."""
    numbers = np.arange(len(predicted))
    pixels = np.stack([predicted, numbers // 256, numbers % 256], axis=1)
    return pixels.astype(np.uint8)[:, None, None, :]


class Wrong(AsGiven):
    """Moves the label of every third sample on by one."""

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        given = labels.copy()
        given[::3] = (given[::3] + 1) % num_classes
        return given


def problem(
    count: int, *, validation: float = 0.0, truth_known: bool = True, on_demand: bool = False
) -> tuple[RunData, Labels, Labels, Labels]:
    """Return data, and by id the true and the given label and what is predicted."""
    rng = np.random.default_rng(5)
    clean, predicted = rng.integers(4, size=(2, count)).astype(np.int64)
    test_labels, test_predicted = array([0, 1, 2, 3, 0]), array([0, 1, 2, 0, 1])  # three of five
    images = written(predicted)
    data = make_data(
        OnDemand(images) if on_demand else images,
        clean,
        test=(written(test_predicted), test_labels),
        truth_known=truth_known,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        classes=4,
    )
    given = Wrong().corrupt(clean, 4, rng)
    return prepared(data, Wrong(), validation=validation), clean, given, predicted


def make_evaluator(data: RunData, seed: int = 1) -> tuple[Evaluator, Reads]:
    strategy = Reads()
    shifts_and_flips = {"padding": 1, "flip": True}  # of training images alone
    return make_trainer(strategy, data, seed=seed, augmentation=shifts_and_flips).evaluator, strategy


def expected_memorisation(clean: Labels, given: Labels, predicted: Labels) -> dict[str, float]:
    """Count sample by sample."""
    right = [p == g for c, g, p in zip(clean, given, predicted, strict=True) if c == g]
    as_given = [p == g for c, g, p in zip(clean, given, predicted, strict=True) if c != g]
    as_it_is = [p == c for c, g, p in zip(clean, given, predicted, strict=True) if c != g]
    shares = [sum(counted) / len(counted) for counted in (right, as_given, as_it_is)]
    return dict(zip(("clean_accuracy", "memorised", "corrected"), shares, strict=True))


@pytest.mark.parametrize("on_demand", [False, True])
def test_an_epoch_is_measured_on_test_and_training_images(on_demand: bool) -> None:
    data, clean, given, predicted = problem(600, on_demand=on_demand)
    evaluator, strategy = make_evaluator(data)
    row = evaluator.epoch()
    assert row.pop("test_accuracy") == 3 / 5
    assert row.pop("test_balanced_accuracy") == (1 / 2 + 1 + 1 + 0) / 4
    assert row.pop("validation_accuracy") is None
    assert row == pytest.approx(expected_memorisation(clean, given, predicted) | NOTHING_KNOWN)
    assert len(strategy.looked) == evaluator.images_per_epoch == 605
    assert strategy.gradients == {False}


def test_validation_accuracy_is_that_on_the_given_labels_held_out() -> None:
    data, clean, given, predicted = problem(200, validation=0.25)
    assert data.validation is not None
    held_out, kept = data.validation.ids, data.train.ids
    row = make_evaluator(data)[0].epoch()
    assert row.pop("validation_accuracy") == pytest.approx(float((predicted[held_out] == given[held_out]).mean()))
    expected = expected_memorisation(clean[kept], given[kept], predicted[kept])
    assert {key: row[key] for key in expected} == pytest.approx(expected)
    assert row["test_accuracy"] == 3 / 5


def test_where_the_truth_is_unknown_only_accuracies_are_measured() -> None:
    data, _, given, predicted = problem(200, validation=0.25, truth_known=False)
    evaluator, _ = make_evaluator(data)
    row = evaluator.epoch()
    assert data.validation is not None
    held_out = data.validation.ids
    assert row == {
        "test_accuracy": 3 / 5,
        "test_balanced_accuracy": 5 / 8,
        "clean_accuracy": None,
        "memorised": None,
        "corrected": None,
        "validation_accuracy": pytest.approx(float((predicted[held_out] == given[held_out]).mean())),
        **NOTHING_KNOWN,
    }
    assert evaluator.final() == {"clean_accuracy": None, "memorised": None, "corrected": None}


def test_after_an_epoch_the_same_two_thousand_are_looked_at_whatever_the_seed() -> None:
    data, clean, given, predicted = problem(2_500)
    samples = []
    for seed in (1, 2):
        evaluator, strategy = make_evaluator(data, seed)
        for _ in range(2):
            row = evaluator.epoch()
            chosen = strategy.looked[5:]
            samples.append(chosen)
            strategy.looked.clear()
            expected = expected_memorisation(clean[chosen], given[chosen], predicted[chosen])
            assert {key: row[key] for key in expected} == pytest.approx(expected)
        assert evaluator.images_per_epoch == 2_005
    assert all(chosen == samples[0] for chosen in samples)
    assert len(set(samples[0])) == 2_000
    assert samples[0] != list(range(2_000))  # a sample, not the first ones
    assert abs(np.mean(samples[0]) - 1249.5) < 50


def test_at_the_end_all_training_images_are_looked_at() -> None:
    data, clean, given, predicted = problem(2_500)
    evaluator, strategy = make_evaluator(data)
    assert evaluator.final() == pytest.approx(expected_memorisation(clean, given, predicted))
    assert sorted(strategy.looked) == list(range(2_500))


def test_images_are_looked_at_unaugmented_and_a_few_hundred_at_a_time() -> None:
    data, *_ = problem(1_100)
    evaluator, strategy = make_evaluator(data)
    evaluator.final()
    assert strategy.looked == list(range(1_100))  # a padded or shifted image would read zero
    assert max(strategy.sizes) <= 500


@pytest.mark.parametrize(("side", "sizes"), [(32, [90]), (224, [40, 40, 10]), (1024, [1] * 3)])
def test_of_large_images_fewer_are_looked_at_at_a_time(side: int, sizes: list[int]) -> None:
    """As many as have the pixels of 2,000 of 32×32, which is as many as the smallest GPUs have room for."""
    images = np.zeros((sum(sizes), side, side, 3), np.uint8)
    labels = np.arange(len(images)) % 2
    data = make_data(images, labels, mean=(0.0,) * 3, std=(1.0,) * 3, classes=4)
    evaluator, strategy = make_evaluator(prepared(data))
    evaluator.test()
    assert strategy.sizes == sizes
    strategy.sizes.clear()
    evaluator.test_probabilities()
    assert strategy.sizes == sizes


@pytest.mark.parametrize(("side", "count"), [(28, 2_000), (32, 2_000), (64, 500), (160, 80), (224, 40), (2_048, 1)])
def test_on_a_gpu_as_many_are_looked_at_as_take_the_memory_of_two_thousand_small_ones(side: int, count: int) -> None:
    assert at_once(2_000, 3 * side**2) == count


def test_networks_are_in_evaluation_mode_while_measured_and_as_before_after() -> None:
    modes: list[bool] = []

    class Looks(Reads):
        def setup(self, ctx: StrategyContext) -> None:
            self.network = ctx.network()

        def predict(self, images: Tensor) -> Tensor:
            modes.append(self.network.training)
            return super().predict(images)

    data, *_ = problem(100)
    strategy = Looks()
    make_trainer(strategy, data).evaluator.epoch()
    assert modes
    assert not any(modes)
    assert strategy.network.training


def test_counts_of_the_test_images_are_those_of_the_last_epoch() -> None:
    evaluator, _ = make_evaluator(problem(100)[0])
    for _ in range(2):
        evaluator.epoch()
    expected = metrics.confusion_matrix([0, 1, 2, 3, 0], [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(evaluator.test_confusion, expected)


class Judges(Reads):
    """Holds every second given label for right, and class 2 for the label of everything."""

    def setup(self, ctx: StrategyContext) -> None:
        self.count = ctx.num_samples

    def clean_probability(self) -> Tensor:
        return (torch.arange(self.count) % 2).float()

    def suggested_labels(self) -> Tensor:
        return torch.full((self.count,), 2)


def test_what_a_strategy_thinks_of_the_given_labels_is_measured() -> None:
    data, clean, given, _ = problem(600)
    row = make_trainer(Judges(), data).evaluator.epoch()
    right, chosen = clean == given, np.arange(600) % 2 == 1
    assert {key: row[key] for key in NOTHING_KNOWN} == pytest.approx(
        {
            "selection_auc": metrics.roc_auc_score(right, chosen),
            "selection_precision": metrics.precision_score(right, chosen),
            "selection_recall": metrics.recall_score(right, chosen),
            "correction_accuracy": float((clean == 2).mean()),
        }
    )
