"""What holds for estimators, on labels of which a fifth is wrong."""

from __future__ import annotations

import numpy as np

from nlcore.contracts import Estimate, Evidence

K, N = 4, 400


def says_what_it_assumes(cls: type) -> None:
    """``assumes`` is a sentence: under what the estimate is right."""
    assumes = getattr(cls, "assumes", None)
    assert isinstance(assumes, str), "It has no assumes: a sentence that says under what its estimate is right."
    assert len(assumes) > 10, f"assumes = {assumes!r} is no sentence."


def gives_a_rate_and_a_matrix(cls: type) -> None:
    """The rate is a number from 0 to 1 or None, the matrix (K, K) with rows that sum to 1, or None."""
    found = cls().estimate(_evidence())
    assert isinstance(found, Estimate), f"estimate gives {type(found).__name__}, not nlcore.contracts.Estimate."
    if found.rate is not None:
        assert 0 <= found.rate <= 1, f"rate = {found.rate}, not within 0 and 1."
    if found.transition is not None:
        T = np.asarray(found.transition)
        assert T.shape == (K, K), f"transition is {T.shape}, not {(K, K)}."
        assert (T >= -1e-9).all(), "transition has entries below 0."
        assert np.allclose(T.sum(1), 1, atol=1e-6), "The rows of transition do not sum to 1: true classes are the rows."


def takes_what_is_there(cls: type) -> None:
    """Without features, with a class that nobody was given, and with certain predictions, it gives an answer."""
    whole = _evidence()
    certain = np.eye(K)[whole.probabilities.argmax(1)]
    few = np.where(whole.given == K - 1, 0, whole.given)
    for evidence in (
        Evidence(whole.given, whole.probabilities),
        Evidence(few, whole.probabilities, whole.features),
        Evidence(whole.given, certain, whole.features),
    ):
        found = cls().estimate(evidence)
        assert found.rate is None or np.isfinite(found.rate), "The rate is not finite."


def same_evidence_same_estimate(cls: type) -> None:
    """The same evidence gives the same estimate, and stays as it was."""
    evidence = _evidence()
    before = (evidence.given.copy(), evidence.probabilities.copy())
    one, other = cls().estimate(evidence), cls().estimate(evidence)
    assert one.rate == other.rate, "The same evidence gives another rate: draw from evidence.seed alone."
    kept = (evidence.given == before[0]).all() and (evidence.probabilities == before[1]).all()
    assert kept, "estimate changes the evidence that it is given."


CHECKS = (says_what_it_assumes, gives_a_rate_and_a_matrix, takes_what_is_there, same_evidence_same_estimate)


def _evidence() -> Evidence:
    rng = np.random.default_rng(1)
    true = np.arange(N) % K
    features = (2 * np.eye(K)[true] + 0.5 * rng.standard_normal((N, K))).astype(np.float32)
    scores = np.exp(2 * features.astype(np.float64))
    given = np.where(rng.random(N) < 0.2, (true + rng.integers(1, K, N)) % K, true)
    return Evidence(given.astype(np.int64), scores / scores.sum(1, keepdims=True), features, seed=1)
