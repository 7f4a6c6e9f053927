"""
Every estimator on a simulation whose noisy posterior is known exactly.

z ~ N(s e_y, I) in ten dimensions for ten equally likely classes; P(y | z) = softmax(s z) is exact, s set so that the
most likely class is right in a given share of the cases. Given labels are drawn by T, so P(ỹ | z) = P(y | z) T is exact
too.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

import nlcore
from nlcore.contracts import Estimate, Evidence

N, K = 20_000, 10
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Simulated:
    """A simulation: what an estimator sees, and what is true."""

    clean: Matrix  # P(y | z)
    evidence: Evidence
    T: Matrix
    rate: float


def symmetric(rate: float) -> Matrix:
    """Return T of labels that are redrawn from all classes."""
    return (1 - rate) * np.eye(K) + rate / K


def pair(rate: float) -> Matrix:
    """Return T of labels that are taken for the next class."""
    return (1 - rate) * np.eye(K) + rate * np.roll(np.eye(K), 1, axis=1)


@functools.cache
def simulate(name: str, rate: float, accuracy: float) -> Simulated:
    rng = np.random.default_rng(0)
    true = np.arange(N) % K
    scale = {0.9: 3.03, 1.0: 12.0}[accuracy]
    z = scale * np.eye(K)[true] + rng.standard_normal((N, K))
    scores = np.exp(scale * (z - z.max(1, keepdims=True)))
    clean = scores / scores.sum(1, keepdims=True)
    assert np.mean(clean.argmax(1) == true) == pytest.approx(accuracy, abs=0.01)
    T = {"symmetric": symmetric, "pair": pair}[name](rate)
    given = (rng.random(N)[:, None] > T[true].cumsum(1)).sum(1).clip(max=K - 1)
    evidence = Evidence(given.astype(np.int64), clean @ T, z.astype(np.float32), seed=1)
    return Simulated(clean, evidence, T, float(np.mean(given != true)))


def estimate(name: str, evidence: Evidence, **parameters: object) -> Estimate:
    found: Estimate = nlcore.create("estimator", name, **parameters).estimate(evidence)
    return found


CASES = [("symmetric", 0.2), ("symmetric", 0.5), ("symmetric", 0.8), ("pair", 0.2), ("pair", 0.4)]


@pytest.mark.parametrize("accuracy", [0.9, 1.0])
@pytest.mark.parametrize(("noise", "rate"), CASES)
def test_anchors_give_the_matrix_of_an_exact_posterior(noise: str, rate: float, accuracy: float) -> None:
    known = simulate(noise, rate, accuracy)
    found = estimate("anchors", known.evidence, percentile=100.0)
    assert found.transition is not None
    assert abs(found.transition - known.T).sum(1).mean() <= 0.02
    assert found.rate == pytest.approx(known.rate, abs=0.02)


@pytest.mark.parametrize(("accuracy", "within"), [(0.9, 0.05), (1.0, 0.005)])
@pytest.mark.parametrize(("noise", "rate"), CASES)
def test_the_confident_joint_gives_the_rate(noise: str, rate: float, accuracy: float, within: float) -> None:
    known = simulate(noise, rate, accuracy)
    found = estimate("confident_joint", known.evidence)
    assert found.rate == pytest.approx(known.rate, abs=within)
    assert found.transition is not None
    assert abs(found.transition - known.T).sum(1).mean() <= (
        0.25 if accuracy < 1 else 0.08
    )  # 0.05 is what 2,000 draws a row leave


@pytest.mark.parametrize("accuracy", [0.9, 1.0])
@pytest.mark.parametrize(("noise", "rate"), CASES)
def test_agreement_is_exact_for_a_known_accuracy_and_bounds_the_rate_without(
    noise: str, rate: float, accuracy: float
) -> None:
    known = simulate(noise, rate, accuracy)
    of_clean = Evidence(known.evidence.given, known.clean)  # a network that has not learnt the noise
    bound = estimate("agreement", of_clean)
    assert bound.rate is not None
    assert bound.rate >= known.rate - 0.005
    assert "upper bound" in bound.note
    truly = float(np.mean(known.clean.argmax(1) == np.arange(N) % K))
    assert estimate("agreement", of_clean, accuracy=truly).rate == pytest.approx(known.rate, abs=0.01)


@pytest.mark.parametrize("name", ["anchors", "dual_t"])
@pytest.mark.parametrize(("classes", "percentile"), [(10, 97.0), (100, 100.0)])
def test_of_many_classes_the_most_likely_sample_is_the_anchor(name: str, classes: int, percentile: float) -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(classes, 0.1), 1_000)
    evidence = Evidence(rng.integers(0, classes, 1_000), p)
    found, wanted = estimate(name, evidence).transition, estimate(name, evidence, percentile=percentile).transition
    other = estimate(name, evidence, percentile=197.0 - percentile).transition
    assert found is not None
    assert np.array_equal(found, np.asarray(wanted))
    assert not np.array_equal(found, np.asarray(other))


def test_dual_t_is_the_anchors_times_the_counts() -> None:
    known = simulate("symmetric", 0.5, 0.9)
    counts = np.zeros((K, K))
    np.add.at(counts, (known.evidence.probabilities.argmax(1), known.evidence.given), 1)
    anchors = estimate("anchors", known.evidence).transition
    assert anchors is not None
    found = estimate("dual_t", known.evidence)
    np.testing.assert_allclose(found.transition, anchors @ (counts / counts.sum(1, keepdims=True)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("noise", "rate"), CASES)
def test_dual_t_is_right_for_a_network_that_is_sure_of_the_true_class(noise: str, rate: float) -> None:
    known = simulate(noise, rate, 1.0)
    found = estimate("dual_t", Evidence(known.evidence.given, known.clean))
    assert found.rate == pytest.approx(known.rate, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "rate"), [case for case in CASES if case[1] < 0.8])  # few labels are right then
def test_neighbours_of_one_class_give_rate_and_matrix(noise: str, rate: float) -> None:
    known = simulate(noise, rate, 1.0)
    few = np.arange(N // 4)
    evidence = Evidence(
        known.evidence.given[few],
        known.evidence.probabilities[few],
        known.evidence.features[few],  # type: ignore[index]
    )
    found = estimate("hoc", evidence)
    assert found.rate == pytest.approx(known.rate, abs=0.02)
    assert found.transition is not None
    assert abs(found.transition - known.T).sum(1).mean() <= 0.2  # counting with known true classes leaves 0.08


def test_without_features_there_are_no_neighbours() -> None:
    known = simulate("symmetric", 0.5, 1.0)
    found = estimate("hoc", Evidence(known.evidence.given, known.evidence.probabilities))
    assert found.rate is None
    assert "features" in found.note


@pytest.mark.parametrize("name", ["gmm", "bmm"])
def test_mixtures_are_right_where_the_losses_have_two_humps(name: str) -> None:
    known = simulate("symmetric", 0.5, 1.0)
    assert estimate(name, Evidence(known.evidence.given, known.clean * 0.999 + 1e-4)).rate == pytest.approx(
        known.rate, abs=0.01
    )


def test_one_hump_is_said_to_tell_nothing() -> None:
    known = simulate("symmetric", 0.2, 0.9)
    without_noise = Evidence((np.arange(N) % K).astype(np.int64), known.clean)
    found = estimate("gmm", without_noise)
    assert found.rate is None
    assert "not identifiable" in found.note


def test_a_class_that_nobody_is_confident_of_keeps_its_labels() -> None:
    p = np.tile([0.6, 0.4, 0.0], (30, 1))
    given = np.array([0] * 20 + [1] * 10)
    found = estimate("confident_joint", Evidence(given, p))
    assert found.transition is not None
    np.testing.assert_allclose(found.transition[2], [0, 0, 1])
    np.testing.assert_allclose(found.transition.sum(1), 1)
