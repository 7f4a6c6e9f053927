"""
What the list reaches on measured predictions whose wrong labels are known.

``cifar10n_aggre.npz``: logits of 25,000 images of CIFAR-10 that a CNN was not trained on, with their places among the
training images; the labels are those of CIFAR-10N. ``planted_1.npz``: logits of 2,000 images of CIFAR-10 by logistic
regression on features of a pretrained network, 8 % of the labels planted; ``planted_features.npz``: those features.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from audit_data import auroc, average_precision, cifar10n, measured

import nlcore
from nlcore.audits.annotators import consensus, majority, votes_of_table
from nlcore.audits.outliers import outliers


@functools.cache
def aggre() -> tuple[Any, Any, Any]:
    data = measured("cifar10n_aggre.npz")
    index = data["index"]
    return data["logits"], cifar10n("aggre_label", index), cifar10n("clean_label", index)


def planted() -> tuple[Any, Any, Any]:
    data = measured("planted_1.npz")
    return data["logits"], data["given"].astype(np.int64), data["true"].astype(np.int64)


def cleanlab_scores(given: Any, z: Any) -> list[Any]:
    rank = pytest.importorskip("cleanlab.rank", reason="cleanlab is not installed: it comes with nlcore[test-all]")
    p = np.exp(z.astype(np.float64) - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    methods = ("self_confidence", "normalized_margin")
    return [-rank.get_label_quality_scores(given, p, method=method) for method in methods]


@pytest.mark.slow
def test_labels_by_people() -> None:
    z, given, true = aggre()
    wrong = given != true
    found = nlcore.label_issues(given, logits=z)
    assert auroc(wrong, found.score) >= 0.933
    assert average_precision(wrong, found.score) >= 0.675
    assert wrong[found.flagged].mean() >= 0.80
    assert found.flagged[wrong].mean() >= 0.33
    assert (found.suggested == true)[found.flagged].mean() >= 0.65
    assert found.interval is not None
    assert found.interval[0] <= wrong.mean() + 0.02
    assert found.interval[1] == pytest.approx(wrong.mean(), abs=0.03)


def test_planted_labels() -> None:
    z, given, true = planted()
    wrong = given != true
    found = nlcore.label_issues(given, logits=z)
    assert average_precision(wrong, found.score) >= 0.745
    assert wrong[found.order[:100]].mean() >= 0.81
    assert wrong[found.flagged].mean() >= 0.66
    assert found.flagged[wrong].mean() >= 0.60
    assert (found.suggested == true)[found.flagged].mean() >= 0.64
    assert found.interval is not None
    assert found.interval[0] <= wrong.mean() + 0.02


@pytest.mark.parametrize("data", [aggre, planted])
def test_not_below_the_better_score_of_cleanlab(data: Any) -> None:
    z, given, true = data()
    ours = average_precision(given != true, nlcore.label_issues(given, logits=z).score)
    assert ours >= max(average_precision(given != true, score) for score in cleanlab_scores(given, z))


def test_labels_of_cifar_10_itself() -> None:
    z, _given, true = aggre()
    found = nlcore.label_issues(true, logits=z)
    assert found.interval is not None
    assert found.interval[0] < 0.01 + 0.02  # the model has learnt other labels than these


def test_three_annotators_and_a_model() -> None:
    z, _given, true = aggre()
    index = measured("cifar10n_aggre.npz")["index"]
    labels = np.stack([cifar10n(f"random_label{place}", index) for place in (1, 2, 3)], 1)
    votes = votes_of_table(labels, 10)
    z = z.astype(np.float64)
    log_p = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    voted, by_annotators, with_model = majority(votes), consensus(votes).labels, consensus(votes, log_p).labels
    assert (by_annotators == true).mean() > (voted == true).mean() + 0.005
    assert (with_model == true).mean() > (by_annotators == true).mean() + 0.02
    module = pytest.importorskip("cleanlab.multiannotator", reason="cleanlab is not installed")
    theirs = module.get_label_quality_multiannotator(
        labels, np.exp(log_p), verbose=False, return_detailed_quality=False, return_annotator_stats=False
    )
    assert (with_model == true).mean() > (theirs["label_quality"]["consensus_label"].to_numpy() == true).mean()


@pytest.mark.slow
def test_a_class_of_which_there_are_few_is_far() -> None:
    features = measured("planted_features.npz")["features"].astype(np.float32)
    true = planted()[2]
    module = pytest.importorskip("cleanlab.outlier", reason="cleanlab is not installed")
    ours, theirs = [], []
    for outside in range(10):
        kept = np.concatenate([np.flatnonzero(true == k)[: 20 if k == outside else 200] for k in range(10)])
        far = true[kept] == outside
        ours.append(auroc(far, outliers(features[kept]).distance))
        theirs.append(auroc(far, -module.OutOfDistribution().fit_score(features=features[kept], verbose=False)))
    assert float(np.mean(ours)) > max(0.7, float(np.mean(theirs)))
