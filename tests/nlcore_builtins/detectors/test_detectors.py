"""Every detector beside its equation, written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from audit_data import Known, auroc, pair, simulated

import nlcore
from nlcore.contracts import Detection, LabelEvidence

KNOWN = simulated(pair(5, 0.15), size=600, clear=2)
EACH = np.arange(600)


def detect(name: str, known: Known = KNOWN, **more: Any) -> Detection:
    parameters = {key: more.pop(key) for key in ("k",) if key in more}
    found: Detection = nlcore.create("detector", name, **parameters).detect(
        LabelEvidence(known.given, known.log_p, **more)
    )
    return found


def others(values: Any) -> Any:
    """Return the values without that of the given label, which is −∞."""
    rest = values.copy()
    rest[EACH, KNOWN.given] = -np.inf
    return rest


def test_noise_model_by_bayes() -> None:
    joint = np.exp(KNOWN.log_p) * pair(5, 0.15).T[KNOWN.given]
    exact = 1 - joint[EACH, KNOWN.given] / joint.sum(1)
    found = detect("noise_model")
    assert found.probability
    assert abs(found.score - exact).mean() < 0.04
    assert (found.suggested == others(joint).argmax(1))[exact > 0.5].mean() > 0.95


def test_margin() -> None:
    found = detect("margin")
    expected = others(KNOWN.log_p).max(1) - KNOWN.log_p[EACH, KNOWN.given]
    assert found.score == pytest.approx(expected)
    assert found.flagged is not None
    assert (found.flagged == (KNOWN.log_p.argmax(1) != KNOWN.given)).all()
    assert (found.suggested == others(KNOWN.log_p).argmax(1)).all()


def test_self_confidence() -> None:
    assert detect("self_confidence").score == pytest.approx(-KNOWN.log_p[EACH, KNOWN.given])


def test_confident_learning() -> None:
    p = np.exp(KNOWN.log_p)
    found = detect("confident_learning")
    assert found.score == pytest.approx((1 - p[EACH, KNOWN.given] + others(p).max(1)) / 2)
    assert found.flagged is not None
    t = np.array([p[KNOWN.given == j, j].mean() for j in range(5)])
    sure = [(np.flatnonzero(row >= t), row) for row in p]
    confident = np.array([c[row[c].argmax()] if len(c) else -1 for c, row in sure])
    off = np.array([[((KNOWN.given == j) & (confident == i)).sum() for i in range(5)] for j in range(5)])
    scaled = off / off.sum(1, keepdims=True) * np.bincount(KNOWN.given)[:, None]
    assert found.flagged.sum() == pytest.approx(scaled.sum() - np.trace(scaled), abs=0.1 * found.flagged.sum())
    assert KNOWN.wrong[found.flagged].mean() > 3 * KNOWN.wrong.mean()


def test_confident_learning_flags_what_cleanlab_does() -> None:
    theirs = pytest.importorskip("cleanlab.filter", reason="cleanlab is not installed").find_label_issues
    expected = theirs(KNOWN.given, np.exp(KNOWN.log_p), n_jobs=1)
    found = detect("confident_learning").flagged
    assert found is not None
    assert (found != expected).sum() <= 0.02 * expected.sum()


def test_knn_counts_votes() -> None:
    from sklearn.neighbors import NearestNeighbors

    x = np.exp(KNOWN.log_p).astype(np.float32)
    near = NearestNeighbors(n_neighbors=7, metric="cosine").fit(x).kneighbors(return_distance=False)
    votes = np.stack([(KNOWN.given[near] == c).mean(1) for c in range(5)], 1)
    found = detect("knn", features=x, k=7)
    expected = others(votes).max(1) - votes[EACH, KNOWN.given]
    assert (abs(found.score - expected) < 1e-9).mean() > 0.95  # equally near neighbours may differ
    assert detect("knn", features=x, k=10_000).score.shape == (600,)


def test_loss_gmm_takes_in_sample_predictions_where_there_are_any() -> None:
    from sklearn.mixture import GaussianMixture

    sure = simulated(pair(5, 0.15), size=600, clear=3).log_p
    losses = np.sort(-sure[EACH, KNOWN.given])
    scaled = ((losses - losses.min()) / np.ptp(losses))[:, None]
    mixture = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=0).fit(scaled)
    expected = mixture.predict_proba(scaled)[:, mixture.means_.argmax()]
    found = detect("loss_gmm", in_sample=sure)
    assert np.sort(found.score) == pytest.approx(np.sort(expected), abs=1e-5)
    assert (detect("loss_gmm").score != found.score).any()


def test_aum() -> None:
    margins = np.random.default_rng(0).standard_normal((7, 600)).astype(np.float32)
    assert detect("aum", margins=margins).score == pytest.approx(-margins.astype(float).mean(0), abs=1e-6)


def test_forgetting() -> None:
    learnt = np.zeros((6, 600), bool)
    learnt[:, 1] = [1, 0, 1, 0, 1, 1]  # twice
    learnt[:, 2] = True
    learnt[:, 3] = [0, 0, 0, 0, 0, 1]
    learnt[:, 4] = [1, 1, 1, 1, 1, 0]
    assert detect("forgetting", learnt=learnt).score[:5].tolist() == [6, 2, 0, 0, 1]


@pytest.mark.parametrize("name", ["noise_model", "margin", "self_confidence", "confident_learning", "loss_gmm"])
def test_wrong_labels_come_first(name: str) -> None:
    assert auroc(KNOWN.wrong, detect(name).score) > 0.9
