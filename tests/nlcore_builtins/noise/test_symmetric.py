"""Symmetric noise: how many labels are redrawn, from what, and what is declared of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import nlcore

N, K = 50_000, 10
LABELS: NDArray[np.int64] = np.tile(np.arange(K), N // K)


def corrupt(labels: NDArray[np.int64], classes: int, seed: int, **params: Any) -> NDArray[np.int64]:
    """Return the given labels for a seed."""
    result: NDArray[np.int64] = nlcore.create("noise", "symmetric", **params).corrupt(
        labels, classes, np.random.default_rng(seed)
    )
    return result


def realised(given: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the counts [true, given], (K, K)."""
    counts = np.zeros((K, K), dtype=np.int64)
    np.add.at(counts, (LABELS, given), 1)
    return counts


@pytest.mark.parametrize("redraw", ["inclusive", "exclusive"])
@pytest.mark.parametrize(("samples", "rate"), [(1000, 0.2), (1000, 0.5), (997, 0.37), (3, 0.3), (7, 1.0)])
def test_exact_number_is_redrawn(samples: int, rate: float, redraw: str) -> None:
    """Among a million million classes a redrawn label is never the old one again, so that each one shows."""
    labels = np.zeros(samples, dtype=np.int64)
    given = corrupt(labels, 10**12, 1, rate=rate, redraw=redraw)
    assert np.count_nonzero(given) == int(samples * rate)


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8, 1.0])
def test_exclusive_never_gives_the_true_class(rate: float) -> None:
    """All that are redrawn are wrong: int(N r) of them, exactly."""
    for seed in range(3):
        assert np.count_nonzero(corrupt(LABELS, K, seed, rate=rate, redraw="exclusive") != LABELS) == int(N * rate)


def test_two_classes_exclusive_flips() -> None:
    """With two classes there is one other."""
    labels = np.array([0, 1, 1, 0, 1], dtype=np.int64)
    assert corrupt(labels, 2, 1, rate=1.0, redraw="exclusive").tolist() == [1, 0, 0, 1, 0]


@pytest.mark.parametrize("draws", ["exact", "independent"])
@pytest.mark.parametrize("redraw", ["inclusive", "exclusive"])
@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_realised_rates_follow_the_declared_transition(rate: float, redraw: str, draws: str) -> None:
    """Each of the K × K counts is binomial with 5,000 trials and T's probability; five deviations are allowed."""
    info = nlcore.create("noise", "symmetric", rate=rate, redraw=redraw, draws=draws).declared(K)
    counts = realised(corrupt(LABELS, K, 7, rate=rate, redraw=redraw, draws=draws))
    T, trials = info.transition, N // K
    allowed = 5 * np.sqrt(trials * T * (1 - T))
    assert (np.abs(counts - trials * T) <= allowed).all()
    wrong = 1 - np.trace(counts) / N
    assert abs(wrong - info.rate) <= 5 * math.sqrt(info.rate * (1 - info.rate) / N)


def test_inclusive_and_exclusive_differ() -> None:
    """50 % over ten classes: 45 % wrong for the one, 50 % for the other; that is 22 deviations apart."""
    wrong = {
        redraw: np.mean(corrupt(LABELS, K, 3, rate=0.5, redraw=redraw) != LABELS)
        for redraw in ("inclusive", "exclusive")
    }
    assert wrong["inclusive"] == pytest.approx(0.45, abs=0.007)
    assert wrong["exclusive"] == 0.5


def test_defaults() -> None:
    """Half of the labels, redrawn from all classes, a fixed number of them."""
    expected = corrupt(LABELS, K, 3, rate=0.5, redraw="inclusive", draws="exact")
    assert np.array_equal(corrupt(LABELS, K, 3), expected)


def test_independent_draws_vary_in_number() -> None:
    """The number of wrong labels over 300 seeds has the binomial's mean and variance, N r and N r (1 − r)."""
    labels, rate = np.zeros(1000, dtype=np.int64), 0.3
    numbers = [
        np.count_nonzero(corrupt(labels, K, seed, rate=rate, redraw="exclusive", draws="independent"))
        for seed in range(300)
    ]
    variance = 1000 * rate * (1 - rate)
    assert np.mean(numbers) == pytest.approx(1000 * rate, abs=5 * math.sqrt(variance / 300))
    assert np.var(numbers, ddof=1) == pytest.approx(variance, rel=5 * math.sqrt(2 / 299))


@pytest.mark.parametrize(
    ("redraw", "rate", "classes", "wrong"),
    [
        ("inclusive", 0.5, 10, 0.45),
        ("inclusive", 0.2, 10, 0.18),
        ("inclusive", 0.8, 100, 0.792),
        ("inclusive", 1.0, 4, 0.75),
        ("exclusive", 0.5, 10, 0.5),
        ("exclusive", 0.2, 100, 0.2),
        ("exclusive", 1.0, 4, 1.0),
        ("inclusive", 0.0, 3, 0.0),
        ("exclusive", 0.0, 3, 0.0),
        ("exclusive", 0.0, 1, 0.0),
    ],
)
def test_declared(redraw: str, rate: float, classes: int, wrong: float) -> None:
    """Rows are distributions with the same share of wrong labels, spread evenly."""
    info = nlcore.create("noise", "symmetric", rate=rate, redraw=redraw).declared(classes)
    T = info.transition
    assert info.rate == pytest.approx(wrong, abs=1e-12)
    assert T.shape == (classes, classes)
    assert (T >= 0).all()
    np.testing.assert_allclose(T.sum(1), np.ones(classes), atol=1e-12)
    np.testing.assert_allclose(np.diag(T), np.full(classes, 1 - wrong), atol=1e-12)
    off = T[~np.eye(classes, dtype=bool)]
    np.testing.assert_allclose(off, np.full(len(off), wrong / max(classes - 1, 1)), atol=1e-12)


@pytest.mark.parametrize("draws", ["exact", "independent"])
@pytest.mark.parametrize("redraw", ["inclusive", "exclusive"])
def test_input_is_untouched(redraw: str, draws: str) -> None:
    """Labels may lie in memory that cannot be written."""
    labels = LABELS[:200].copy()
    labels.flags.writeable = False
    given = corrupt(labels, K, 1, rate=0.9, redraw=redraw, draws=draws)
    assert given.dtype == np.int64
    assert given.flags.writeable
    assert not np.shares_memory(given, labels)
    assert np.array_equal(labels, LABELS[:200])
    assert not np.array_equal(given, labels)


@pytest.mark.parametrize("draws", ["exact", "independent"])
@pytest.mark.parametrize("redraw", ["inclusive", "exclusive"])
def test_the_generator_decides(redraw: str, draws: str) -> None:
    """The same generator gives the same labels, whatever numpy's global state; another one gives others."""
    params = {"rate": 0.5, "redraw": redraw, "draws": draws}
    np.random.seed(1)
    first = corrupt(LABELS, K, 5, **params)
    np.random.seed(2)
    assert np.array_equal(corrupt(LABELS, K, 5, **params), first)
    assert not np.array_equal(corrupt(LABELS, K, 6, **params), first)


@pytest.mark.parametrize("draws", ["exact", "independent"])
@pytest.mark.parametrize("redraw", ["inclusive", "exclusive"])
def test_rate_zero_changes_nothing(redraw: str, draws: str) -> None:
    """Not even with one class, where there is no other to draw."""
    assert np.array_equal(corrupt(LABELS, K, 1, rate=0.0, redraw=redraw, draws=draws), LABELS)
    one = np.zeros(5, dtype=np.int64)
    assert np.array_equal(corrupt(one, 1, 1, rate=0.0, redraw=redraw, draws=draws), one)


@pytest.mark.parametrize("draws", ["exact", "independent"])
def test_rate_one_redraws_all(draws: str) -> None:
    """Exclusive noise leaves no label right; inclusive one a tenth, and what is given tells nothing of the truth."""
    assert (corrupt(LABELS, K, 1, rate=1.0, redraw="exclusive", draws=draws) != LABELS).all()
    counts = realised(corrupt(LABELS, K, 1, rate=1.0, redraw="inclusive", draws=draws))
    assert (np.abs(counts - 500) <= 5 * math.sqrt(5000 * 0.1 * 0.9)).all()


def test_no_labels() -> None:
    """An empty set stays one."""
    assert corrupt(np.zeros(0, dtype=np.int64), K, 1).shape == (0,)


@pytest.mark.parametrize("label", [-1, 3])
@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_labels_outside_the_classes(label: int, rate: float) -> None:
    """A label that is none of the classes has no row in T."""
    with pytest.raises(ValueError, match=r"0\.\.2"):
        corrupt(np.array([0, label, 2], dtype=np.int64), 3, 1, rate=rate)


def test_exclusive_noise_of_one_class() -> None:
    """There is no other class to draw."""
    with pytest.raises(ValueError, match="2 classes"):
        corrupt(np.zeros(4, dtype=np.int64), 1, 1, rate=0.5, redraw="exclusive")


@pytest.mark.parametrize(
    "params",
    [
        {"rate": 1.5},
        {"rate": -0.1},
        {"rate": "abc"},
        {"rate": float("nan")},
        {"rate": None},
        {"redraw": "both"},
        {"draws": "some"},
        {"fraction": 0.5},
    ],
)
def test_wrong_parameters(params: dict[str, object]) -> None:
    """The error names the parameter."""
    with pytest.raises(nlcore.ParameterError, match=rf"noise\.{next(iter(params))}"):
        nlcore.create("noise", "symmetric", **params)
