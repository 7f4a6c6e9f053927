"""Several annotators whose matrices are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from audit_data import simulated
from hypothesis import given, settings
from hypothesis import strategies as st

from nlcore import UserError
from nlcore.audits.annotators import Votes, consensus, majority, read_votes, votes_of_table


def answers(true: Any, transitions: Any, rng: np.random.Generator) -> Any:
    """Draw what each annotator says of each sample, (N, A)."""
    K = transitions.shape[1]
    draws = rng.random((len(true), len(transitions), 1))
    said: Any = (draws > transitions[:, true].cumsum(2).swapaxes(0, 1)).sum(2).clip(max=K - 1)
    return said


def matrices(rights: list[float], K: int) -> Any:
    """Return T of annotators that are right in these shares of the cases, and else say any other class."""
    return np.stack([right * np.eye(K) + (1 - right) / (K - 1) * (1 - np.eye(K)) for right in rights])


def test_matrices_prior_and_classes_of_dawid_and_skene() -> None:
    rng = np.random.default_rng(0)
    true = rng.choice(3, 6000, p=[0.6, 0.3, 0.1])
    T = matrices([0.9, 0.7, 0.6, 0.5, 0.8], 3)
    T[1] = [[0.5, 0.5, 0], [0.1, 0.9, 0], [0.3, 0, 0.7]]  # one that errs by class
    votes = votes_of_table(answers(true, T, rng), 3)
    found = consensus(votes)
    assert abs(found.transitions - T).max() < 0.06
    assert found.probabilities.mean(0) == pytest.approx([0.6, 0.3, 0.1], abs=0.02)
    by_bayes = np.log([0.6, 0.3, 0.1]) + sum(
        np.log(np.maximum(T[a], 1e-300))[:, votes.label[votes.annotator == a]].T for a in range(5)
    )
    best = (by_bayes.argmax(1) == true).mean()
    assert (found.labels == true).mean() > best - 0.005
    assert (found.labels == true).mean() > (majority(votes) == true).mean() + 0.01
    for one, share in zip(found.quality, (answers_right(votes, true)), strict=True):
        assert one is not None
        assert one.value == pytest.approx(share, abs=0.02)
        assert one.low <= one.value <= one.high
        assert one.high - one.low == pytest.approx(2 * 1.96 * one.error, rel=0.05)


def answers_right(votes: Votes, true: Any) -> list[float]:
    """Return the share of each annotator's labels that is right."""
    right = votes.label == true[votes.sample]
    return [float(right[votes.annotator == a].mean()) for a in range(votes.shape[1])]


def test_a_model_is_one_more_voter_and_as_sure_as_it_is_right() -> None:
    known = simulated(np.eye(5), size=4000, clear=1.5)
    votes = votes_of_table(answers(known.true, matrices([0.7, 0.6], 5), np.random.default_rng(1)), 5)
    without = (consensus(votes).labels == known.true).mean()
    for log_p in (known.log_p, np.log(np.exp(5 * known.log_p) / np.exp(5 * known.log_p).sum(1, keepdims=True))):
        found = consensus(votes, log_p)
        assert (found.labels == known.true).mean() > without + 0.1
        sure = found.probabilities.max(1)
        assert sure.mean() == pytest.approx((found.labels == known.true).mean(), abs=0.02)  # calibrated
    noise = np.random.default_rng(2).standard_normal((4000, 5))
    useless = consensus(votes, noise - np.logaddexp.reduce(noise, axis=1, keepdims=True))
    assert (useless.labels == known.true).mean() > without - 0.01


def test_those_that_need_another_label_come_first() -> None:
    known = simulated(np.eye(5), size=2000, clear=1.5)
    votes = votes_of_table(answers(known.true, matrices([0.7, 0.6], 5), np.random.default_rng(1)), 5)
    found = consensus(votes, known.log_p)
    wrong = (found.labels != known.true)[found.worth_another]
    assert wrong[:200].mean() > 3 * wrong.mean()


def test_annotators_with_few_labels_and_none() -> None:
    rng = np.random.default_rng(4)
    true = rng.integers(0, 3, 900)
    table = answers(true, matrices([0.8, 0.8, 0.8, 0.8], 3), rng).astype(float)
    table[3:, 2] = np.nan
    table[:, 3] = -1
    found = consensus(votes_of_table(table, 3))
    assert found.quality[3] is None
    few, many = found.quality[2], found.quality[0]
    assert few is not None
    assert many is not None
    assert few.high - few.low > 5 * (many.high - many.low)
    assert np.diagonal(found.transitions[3]) == pytest.approx(0.8, abs=0.12)  # as all together


def test_majority_counts() -> None:
    votes = votes_of_table([[0, 1, 1], [2, 2, 0], [1, -1, -1], [2, 0, 1]], 3)
    assert majority(votes).tolist() == [1, 2, 1, 0]


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 5), st.integers(2, 6))
def test_whatever_comes_gives_probabilities(seed: int, size: int, annotators: int, K: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(-1, K, (size, annotators))
    table[:, 0] = rng.integers(0, K, size)
    log_p = np.log(rng.dirichlet(np.full(K, 0.1), size) + 1e-12)
    for found in (consensus(votes_of_table(table, K)), consensus(votes_of_table(table, K), log_p)):
        assert found.probabilities.sum(1) == pytest.approx(np.ones(size))
        assert np.isfinite(found.transitions).all()
        assert sorted(found.worth_another.tolist()) == list(range(size))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: votes_of_table([0, 1, 2], 3), "one row per sample, A annotators"),
        (lambda: votes_of_table([[0, 1], [2]], 3), "labels: give numbers, in rows of one length"),
        (lambda: votes_of_table([["cat", "dog"]], 3), "labels: give numbers"),
        (lambda: votes_of_table([[0, 1], [3, 1]], 3), "label is 3 in row 2"),
        (lambda: votes_of_table(np.array([[0, 1], [-1, np.nan]]), 3), "1 sample of 2 have no label"),
        (lambda: read_votes([0, 0], [0, 5], [1, 1], (1, 2, 2)), "annotator is 5 in row 1"),
        (lambda: read_votes([0, 0], [0], [1, 1], (1, 2, 2)), "one of each for every label"),
        (lambda: consensus(votes_of_table([[0, 1]], 2), np.zeros((2, 2))), r"give \(N, K\)"),
    ],
)
def test_what_is_wrong_is_said(make: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()
