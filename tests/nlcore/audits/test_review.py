"""A review says how many labels are wrong, with its error; a control how good the list is."""

from __future__ import annotations

import numpy as np
import pytest
from audit_data import pair, simulated

from nlcore import UserError, label_issues
from nlcore.audits.review import draw_control, draw_review, list_quality, reviewed_rate


def test_the_rate_is_unbiased_and_its_error_is_told() -> None:
    known = simulated(pair(8, 0.1), size=4000, clear=1.8)
    issues = label_issues(known.given, logits=known.log_p)
    wrong, rate = known.wrong, known.wrong.mean()
    reviews = [draw_review(issues, 100, seed) for seed in range(300)]
    found = [reviewed_rate(review, wrong[review.samples]) for review in reviews]
    values = np.array([one.value for one in found])
    error_of_the_mean = values.std() / np.sqrt(len(values))
    assert values.mean() == pytest.approx(rate, abs=3.5 * error_of_the_mean)
    assert np.mean([one.error for one in found]) == pytest.approx(values.std(), rel=0.15)
    assert np.mean([one.low <= rate <= one.high for one in found]) >= 0.90
    at_random = np.sqrt(rate * (1 - rate) / 100)
    assert values.std() < 0.75 * at_random


def test_it_is_unbiased_where_the_model_is_wrong() -> None:
    rng = np.random.default_rng(3)
    known = simulated(pair(4, 0.1), size=1000)
    issues = label_issues(known.given, logits=known.log_p)
    wrong = rng.random(1000) < 0.3  # nothing that the model knows of
    reviews = [draw_review(issues, 100, seed) for seed in range(400)]
    values = np.array([reviewed_rate(review, wrong[review.samples]).value for review in reviews])
    assert values.mean() == pytest.approx(wrong.mean(), abs=3.5 * values.std() / 20)


def test_a_sample_is_looked_at_once() -> None:
    known = simulated(pair(4, 0.1), size=60)
    review = draw_review(label_issues(known.given, logits=known.log_p), 100)
    assert len(set(review.samples.tolist())) == len(review.samples)
    assert review.draws.sum() == 100
    assert (draw_review(label_issues(known.given, logits=known.log_p), 100).samples == review.samples).all()


def test_the_control_tells_precision_and_recall() -> None:
    known = simulated(pair(6, 0.15), size=4000, clear=2)
    issues = label_issues(known.given, logits=known.log_p)
    wrong = known.wrong
    precision, recall = wrong[issues.flagged].mean(), issues.flagged[wrong].mean()
    covered = []
    for seed in range(100):
        control = draw_control(issues, 100, seed)
        assert issues.flagged[control].sum() == 50
        found = list_quality(issues, control, wrong[control])
        assert found is not None
        covered.append(
            (found.precision.low <= precision <= found.precision.high, found.recall.low <= recall <= found.recall.high)
        )
    assert np.mean(covered, axis=0) == pytest.approx([0.95, 0.97], abs=0.06)


def test_nothing_is_told_without_a_list() -> None:
    known = simulated(np.eye(3), size=200, clear=8)
    issues = label_issues(known.given, logits=known.log_p)
    control = draw_control(issues, 20)
    assert list_quality(issues, control, np.zeros(len(control))) is None


def test_wrong_answers_are_said() -> None:
    known = simulated(pair(3, 0.1), size=200)
    issues = label_issues(known.given, logits=known.log_p)
    review = draw_review(issues, 10)
    with pytest.raises(UserError, match="3 answers for"):
        reviewed_rate(review, [True, False, True])
    with pytest.raises(UserError, match="draw at least 2"):
        draw_review(issues, 1)
