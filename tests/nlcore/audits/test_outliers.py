"""What is far from all others in feature space."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from audit_data import auroc

from nlcore import UserError
from nlcore.audits.outliers import outliers


def features(outside: int, seed: int = 0) -> Any:
    """Return five clusters, and as many points that belong to none as asked for, which come last."""
    rng = np.random.default_rng(seed)
    centres = 4 * rng.standard_normal((5, 32))
    inside = np.repeat(centres, 100, axis=0) + rng.standard_normal((500, 32))
    return np.concatenate([inside, 4 * rng.standard_normal((outside, 32))]).astype(np.float32)


def test_what_belongs_nowhere_is_far() -> None:
    x = features(15)
    far = np.arange(len(x)) >= 500
    found = outliers(x)
    assert auroc(far, found.distance) > 0.99
    assert found.flagged[far].mean() > 0.9
    assert found.flagged[~far].mean() < 0.02


def test_the_distance_is_that_of_the_kth_neighbour() -> None:
    from sklearn.neighbors import NearestNeighbors

    x = features(5)
    theirs = NearestNeighbors(n_neighbors=8, metric="cosine").fit(x.astype(np.float64)).kneighbors()[0][:, 7]
    found = outliers(x, neighbours=8)
    assert found.distance == pytest.approx(theirs, abs=1e-5)
    assert found.rank == pytest.approx([(theirs >= one).mean() for one in theirs], abs=0.005)


def test_a_handful_of_one_kind_do_not_vouch_for_each_other() -> None:
    x = features(0)
    strange = 6 * np.random.default_rng(9).standard_normal((1, 32)) + 0.1 * np.ones((8, 1))
    found = outliers(np.concatenate([x, strange]))
    assert found.flagged[500:].all()


def test_the_order_does_not_matter() -> None:
    x = features(10)
    order = np.random.default_rng(1).permutation(len(x))
    assert outliers(x[order]).distance == pytest.approx(outliers(x).distance[order], abs=1e-6)


@pytest.mark.parametrize("x", [np.ones((20, 4)), np.eye(3), np.zeros((3, 1))])
def test_odd_features_give_whole_numbers(x: Any) -> None:
    found = outliers(x)
    assert np.isfinite(found.distance).all()
    assert ((found.rank > 0) & (found.rank <= 1)).all()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones(5), "give \\(N, D\\)"),
        ([[1.0, 2], [1], [0, 1]], "features: the rows are of different lengths"),
        ([["a", "b"]] * 3, "give numbers"),
        (np.ones((2, 5)), "at least three images"),
        (np.array([[1.0, 2], [np.nan, 1], [0, 1]]), "NaN or infinite in row 1"),
    ],
)
def test_what_is_wrong_is_said(x: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        outliers(x)
