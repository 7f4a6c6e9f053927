"""Views of samples by their features: what scikit-learn fits, what is known in closed form, and measured data."""

from __future__ import annotations

import time

import audit_data
import numpy as np
import pytest

import nlcore
from nlcore.audits import linear
from nlcore.audits.folds import stratified_folds
from nlcore.audits.linear import views_of_features


def made(size: int = 400, width: int = 6, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return features of Gaussian classes, and labels."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, size)
    return rng.normal(size=(size, width)) + 1.5 * np.eye(classes, width)[y], y.astype(np.int64)


def test_the_linear_view_is_scikit_learns_logistic_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr(linear, "PENALTIES", (0.03,))
    monkeypatch.setattr(linear, "STEPS", 1_000)
    monkeypatch.setattr(linear, "GRADIENT", 1e-7)
    x, y = made()
    folds = np.arange(len(x)) % 2
    found = views_of_features(x, y, folds, 3).linear
    z = (x - x.mean(0)) / x.std(0)
    for fold in (0, 1):
        held, rest = folds == fold, folds != fold
        model = LogisticRegression(C=1 / (0.03 * rest.sum()), tol=1e-8, max_iter=10_000).fit(z[rest], y[rest])
        np.testing.assert_allclose(found[held], model.predict_log_proba(z[held]), atol=2e-3)


def test_neighbours_vote_and_a_sample_never_for_itself() -> None:
    """Two far clusters, one label in the first is wrong: its neighbours all say so."""
    rng = np.random.default_rng(0)
    true = np.repeat([0, 1], 60)
    x = rng.normal(size=(120, 3)) * 0.05 + np.where(true[:, None] == 0, 1.0, -1.0)
    y = true.astype(np.int64).copy()
    y[7] = 1
    votes = np.exp(views_of_features(x, y, stratified_folds([*map(str, range(120))], y, 4, "0"), 2).neighbours)
    np.testing.assert_allclose(votes.sum(1), 1, atol=1e-5)
    assert votes[7, 0] > 0.9
    assert (votes.argmax(1) == true).all()


def test_features_that_say_nothing_leave_the_classes_shares() -> None:
    y = np.repeat([0, 1], [800, 200]).astype(np.int64)
    views = views_of_features(np.random.default_rng(0).normal(size=(1000, 2)), y, np.arange(1000) % 5, 2)
    for view in (views.linear, views.neighbours):
        assert abs(np.exp(view)[:, 1].mean() - 0.2) < 0.05


def test_a_class_that_is_not_in_the_other_folds_is_unlikely_and_not_impossible() -> None:
    x, y = made(60)
    y[:1] = 3
    views = views_of_features(x, y, np.arange(60) % 3, 4)
    assert np.isfinite(views.linear).all()
    assert np.isfinite(views.neighbours).all()
    assert views.neighbours[0, 3] < np.log(0.1)


@pytest.mark.slow
def test_planted_errors_are_found_by_both_views_and_in_seconds() -> None:
    data, features = audit_data.measured("planted_1.npz"), audit_data.measured("planted_features.npz")["features"]
    given, wrong = data["given"].astype(np.int64), data["given"] != data["true"]
    began = time.process_time()
    views = views_of_features(features, given, data["fold"].astype(np.int64), 10)
    assert time.process_time() - began < 30
    one = nlcore.label_issues(given, logits=views.linear)
    both = nlcore.label_issues(given, logits=views.linear, also=[views.neighbours])
    assert audit_data.average_precision(wrong, one.score) >= 0.745
    assert audit_data.average_precision(wrong, both.score) >= 0.775


@pytest.mark.slow
def test_the_rare_class_does_not_fill_the_list() -> None:
    """Classes from 200 to 20 images, 9 % of the labels wrong: cleanlab's best score finds 36 wrong ones of 50."""
    data, features = audit_data.measured("planted_1.npz"), audit_data.measured("planted_features.npz")["features"]
    true = data["true"].astype(np.int64)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        counts = np.round(200 * 10 ** -np.linspace(0, 1, 10)).astype(int)
        kept = np.concatenate([rng.permutation(np.flatnonzero(true == k))[: counts[k]] for k in range(10)])
        given = true[kept].copy()
        changed = rng.permutation(len(kept))[: round(0.09 * len(kept))]
        given[changed] = (given[changed] + rng.integers(1, 10, len(changed))) % 10
        views = views_of_features(features[kept], given, stratified_folds([*map(str, kept)], given, 5, "1"), 10)
        first = nlcore.label_issues(given, logits=views.linear, also=[views.neighbours]).order[:50]
        assert (given != true[kept])[first].sum() >= 40
        assert np.bincount(given[first], minlength=10).max() <= 15
