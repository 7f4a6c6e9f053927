"""How good a list is: against scikit-learn."""

from __future__ import annotations

import audit_data
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import nlcore
from nlcore import UserError
from nlcore.audits.evidence import HISTORY, Predictions
from nlcore.audits.samples import Samples
from nlcore.audits.scoring import BY_HEART, Scores, average_precision, check_detectors, figures, score
from nlcore.contracts import Data, Split
from nlcore.data.stores import ArrayStore


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40))
def test_average_precision_is_scikit_learns_with_ties_too(rows: list[tuple[int, bool]]) -> None:
    score, wrong = np.array([float(one) for one, _ in rows]), np.array([one for _, one in rows])
    if wrong.any():
        assert average_precision(score, wrong) == pytest.approx(audit_data.average_precision(wrong, score))


def test_figures_of_a_list() -> None:
    known = audit_data.simulated(audit_data.pair(4, 0.1), 600)
    issues = nlcore.label_issues(known.given, logits=known.log_p)
    found = figures(issues, known.given, known.true)
    assert found.auroc == pytest.approx(audit_data.auroc(known.wrong, issues.score))
    assert found.average_precision == pytest.approx(audit_data.average_precision(known.wrong, issues.score))
    hits = known.wrong & issues.flagged
    assert (found.flagged, found.recall) == (issues.flagged.sum(), hits.sum() / known.wrong.sum())
    assert found.precision == pytest.approx(hits.sum() / issues.flagged.sum())
    assert found.at[50] == known.wrong[issues.order[:50]].mean()


def test_a_detector_that_lacks_what_it_needs_is_refused_with_what_to_do() -> None:
    check_detectors(["noise_model", "margin"], {})
    check_detectors(["knn"], {"features"})
    check_detectors(["aum", "forgetting"], HISTORY)
    with pytest.raises(UserError, match=r"knn needs features.*--features FILE"):
        check_detectors(["noise_model", "knn"], HISTORY)
    with pytest.raises(UserError, match=r"aum needs the history.*let it train networks itself"):
        check_detectors(["aum"], {"features"})


def _samples(given: NDArray[np.int64], classes: int) -> Samples:
    """Return samples of no images, which scores do not look at."""
    count = len(given)
    images = ArrayStore(np.zeros((count, 2, 2, 1), np.uint8))
    split = Split(images, given, np.arange(count), None)
    names = tuple(f"class {k}" for k in range(classes))
    data = Data(split, split, names, (0.5,), (0.5,))
    ids = tuple(f"{number:04}" for number in range(count))
    return Samples(ids, given, None, images, [b""] * count, None, np.ones(count, bool), names, data)


def scored(
    *views: NDArray[np.float64], given: NDArray[np.int64], detectors: tuple[str, ...] = ("noise_model",)
) -> Scores:
    """Return scores of these views; a second one is of networks that were trained on the sample."""
    folds = np.zeros(len(given), np.int64)
    predictions = Predictions(tuple(view.astype(np.float32) for view in views), folds, in_sample=len(views) > 1)
    return score(predictions, _samples(given, 4), detectors, 0)


def test_predictions_that_were_learnt_by_heart_are_left_out_and_others_are_not() -> None:
    """Networks that say each given label again are certain and know nothing."""
    known = audit_data.simulated(audit_data.pair(4, 0.1), 2000)
    by_heart = np.where(np.eye(4, dtype=bool)[known.given], -0.01, -6.0)
    alone, heart = scored(known.log_p, given=known.given), scored(known.log_p, by_heart, given=known.given)
    assert heart.warnings == (BY_HEART,)
    np.testing.assert_array_equal(heart.issues[0].score, alone.issues[0].score)
    blurred = known.log_p + np.random.default_rng(1).normal(size=known.log_p.shape)
    both = scored(blurred, known.log_p, given=known.given)
    assert not both.warnings
    less = scored(blurred, given=known.given)
    found = [audit_data.average_precision(known.wrong, one.issues[0].score) for one in (both, less)]
    assert found[0] > found[1]


def test_labels_of_a_class_that_was_not_learnt_are_not_judged_and_the_others_are_as_without_them() -> None:
    known = audit_data.simulated(audit_data.pair(4, 0.1), 2000)
    log_p = known.log_p.copy()
    log_p[:, 3] -= 40
    found = scored(log_p, given=known.given, detectors=("noise_model", "margin"))
    assert "1 class: class 3" in found.warnings[0]
    np.testing.assert_array_equal(found.judged, known.given != 3)
    alone = nlcore.label_issues(known.given[found.judged], logits=log_p[found.judged].astype(np.float32))
    assert found.issues[0].interval == alone.interval
    for issues in found.issues:
        assert len(issues.score) == found.judged.sum()
        np.testing.assert_array_equal(issues.p_wrong, alone.p_wrong)


def test_networks_that_have_learnt_one_class_only_leave_a_list_and_say_so() -> None:
    known = audit_data.simulated(audit_data.pair(4, 0.1), 400)
    log_p = known.log_p.copy()
    log_p[:, 1:] -= 40
    found = scored(log_p, given=known.given)
    assert "3 classes: class 1, class 2, class 3" in found.warnings[0]
    assert found.judged.all()


def test_detectors_that_are_compared_find_what_each_finds_alone() -> None:
    known = audit_data.simulated(audit_data.pair(4, 0.1), 600)
    names = ("noise_model", "margin", "confident_learning", "loss_gmm")
    together = scored(known.log_p, given=known.given, detectors=names)
    for name, one in zip(names, together.issues, strict=True):
        alone = nlcore.label_issues(known.given, logits=known.log_p.astype(np.float32), detector=name)
        np.testing.assert_array_equal(one.score, alone.score)
        np.testing.assert_array_equal(one.flagged, alone.flagged)
        assert one.interval == alone.interval
