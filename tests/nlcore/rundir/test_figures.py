"""Figures of predictions, against scipy, scikit-learn and their definitions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, precision_score, recall_score

from nlcore.rundir.figures import BINS, calibration, figures, interval_in_words, wilson

CLASSES = ("a", "b", "c", "d")


@given(st.integers(1, 100_000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_wilsons_interval_is_scipys(counts: tuple[int, int]) -> None:
    right, count = counts
    expected = binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert wilson(right, count) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_of_nothing_nothing_is_known() -> None:
    assert wilson(0, 0) is None


def test_an_interval_is_said_in_percent() -> None:
    assert interval_in_words((0.894, 0.9284)) == "89.4 to 92.8%"


def test_figures_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 500).astype(np.float32)
    labels = rng.integers(0, 3, 500)  # no image of d
    found = figures(CLASSES, probabilities, labels)
    predicted = probabilities.argmax(1)
    assert np.array_equal(found.confusion, confusion_matrix(labels, predicted, labels=range(4)))
    assert (found.count, found.right) == (500, int((labels == predicted).sum()))
    content = json.loads(json.dumps(found.to_json()))
    assert content["accuracy"] == pytest.approx(np.mean(labels == predicted))
    present = labels != 3
    recalls = recall_score(labels, predicted, labels=range(3), average=None)
    assert [one["recall"] for one in content["per_class"][:3]] == pytest.approx(list(recalls))
    precisions = precision_score(labels, predicted, labels=range(4), average=None)
    assert [one["precision"] for one in content["per_class"]] == pytest.approx(list(precisions))
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        assert content["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert content["per_class"][3] == {
        "name": "d", "count": 0, "accuracy": None, "recall": None, "interval": None, "precision": 0.0
    }  # fmt: skip
    assert present.all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_the_calibration_error_is_that_of_its_definition(seed: int, count: int) -> None:
    """Guo et al. 2017, equations 1 to 3: bins ((m − 1) / M, m / M], one after the other."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(4, 0.5), count).astype(np.float32)
    labels = rng.integers(0, 4, count)
    confidence, right = probabilities.max(1).astype(float), probabilities.argmax(1) == labels
    expected = 0.0
    for m in range(BINS):
        inside = (confidence > m / BINS) & (confidence <= (m + 1) / BINS)
        if inside.any():
            expected += inside.sum() / count * abs(right[inside].mean() - confidence[inside].mean())
    assert calibration(probabilities, labels).ece == pytest.approx(expected, abs=1e-9)


def test_a_sure_and_right_model_is_calibrated() -> None:
    sure = np.eye(4, dtype=np.float32)
    assert calibration(sure, np.arange(4)).ece == 0
    assert calibration(sure, np.arange(4)[::-1].copy()).ece == 1
