"""What holds for detectors, on labels of which a fifth is wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from nlcore.contracts import Detection, LabelEvidence

K, N, EPOCHS = 4, 400, 6


def says_what_it_needs(cls: type) -> None:
    """``needs`` is a tuple of names of attributes of LabelEvidence, empty where it needs nothing more."""
    needs = getattr(cls, "needs", None)
    assert isinstance(needs, tuple), (
        "It has no needs: a tuple such as ('features',), or () where it needs nothing more."
    )
    optional = {field.name for field in dataclasses.fields(LabelEvidence) if field.default is None}
    unknown = [name for name in needs if name not in optional]
    assert not unknown, f"needs = {needs}: {unknown[0]!r} is none of {', '.join(sorted(optional))}."


def scores_each_label(cls: type) -> None:
    """It gives a finite score and a suggestion for each sample, a class besides the given one."""
    evidence, _wrong = _evidence()
    _looked_at(cls().detect(evidence), evidence)


def ranks_wrong_labels_first(cls: type) -> None:
    """Where wrong labels are plain to see, they have larger scores than right ones, by and large."""
    evidence, wrong = _evidence()
    score = cls().detect(evidence).score
    above = (score[wrong][:, None] > score[~wrong]).mean() + (score[wrong][:, None] == score[~wrong]).mean() / 2
    assert above > 0.6, f"A wrong label is above a right one in {above:.0%} of the cases; larger scores are suspicious."


def same_evidence_same_scores(cls: type) -> None:
    """The same evidence gives the same scores, and stays as it was."""
    evidence, _wrong = _evidence()
    before = [np.copy(array) for array in _arrays(evidence)]
    one, other = cls().detect(evidence), cls().detect(evidence)
    assert (one.score == other.score).all(), "The same evidence gives other scores: draw from evidence.seed alone."
    kept = all(np.array_equal(a, b) for a, b in zip(before, _arrays(evidence), strict=True))
    assert kept, "detect changes the evidence that it is given."


def order_does_not_matter(cls: type) -> None:
    """Samples in another order get the same scores, but for rounding."""
    evidence, _wrong = _evidence()
    order = np.random.default_rng(2).permutation(N)
    found, other = cls().detect(evidence), cls().detect(_taken(evidence, order))
    same = np.allclose(found.score[order], other.score, rtol=1e-6, atol=1e-8)
    assert same, "Samples in another order get other scores: choose by what is in a row, not by where it stands."


def takes_what_is_there(cls: type) -> None:
    """
    It gives scores whatever there is.

    A class may have no samples, predictions may be certain, labels all as predicted, classes two, and samples five.
    """
    whole, _wrong = _evidence()
    log_p = np.asarray(whole.log_probabilities[:])
    certain = np.log(np.where(np.eye(K, dtype=bool)[log_p.argmax(1)], 1 - 3e-12, 1e-12))
    two = log_p[:, :2] - np.logaddexp(log_p[:, :1], log_p[:, 1:2])
    for evidence in (
        dataclasses.replace(whole, given=np.where(whole.given == K - 1, 0, whole.given)),
        dataclasses.replace(whole, log_probabilities=certain),
        dataclasses.replace(whole, given=log_p.argmax(1)),
        dataclasses.replace(whole, given=whole.given % 2, log_probabilities=two),
        _taken(whole, np.arange(5)),
    ):
        _looked_at(cls().detect(evidence), evidence)


CHECKS = (
    says_what_it_needs,
    scores_each_label,
    ranks_wrong_labels_first,
    same_evidence_same_scores,
    order_does_not_matter,
    takes_what_is_there,
)


def _looked_at(found: Detection, evidence: LabelEvidence) -> None:
    size = (len(evidence.given),)
    assert isinstance(found, Detection), f"detect gives {type(found).__name__}, not nlcore.contracts.Detection."
    assert found.score.shape == size, f"score is {found.score.shape}, not {size}."
    assert np.isfinite(found.score).all(), "A score is NaN or infinite."
    assert found.suggested.shape == size, f"suggested is {found.suggested.shape}, not {size}."
    inside = (found.suggested >= 0) & (found.suggested < evidence.num_classes)
    assert inside.all(), f"suggested has classes outside 0..{evidence.num_classes - 1}."
    assert (found.suggested != evidence.given).all(), "suggested has the given label; it is the likeliest other class."
    if found.probability:
        within = (found.score >= 0) & (found.score <= 1)
        assert within.all(), "probability is set, and a score is not within 0 and 1."
    if found.flagged is not None:
        assert found.flagged.shape == size, f"flagged is {found.flagged.shape}, not {size}."
        assert found.flagged.dtype == bool, f"flagged is {found.flagged.dtype}, not bool."


def _evidence() -> tuple[LabelEvidence, NDArray[np.bool_]]:
    """Return evidence, and which labels are wrong; no two samples are alike."""
    rng = np.random.default_rng(1)
    true = np.arange(N) % K
    given = np.where(rng.random(N) < 0.2, (true + rng.integers(1, K, N)) % K, true).astype(np.int64)
    features = (2 * np.eye(K)[true] + 0.5 * rng.standard_normal((N, K))).astype(np.float32)
    z = 2 * features.astype(np.float64)
    log_p = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    each, rest = np.arange(N), log_p.copy()
    rest[each, given] = -np.inf
    margins = (log_p[each, given] - rest.max(1)) + rng.standard_normal((EPOCHS, N))
    return LabelEvidence(given, log_p, features, log_p, margins, margins > 0, seed=1), given != true


def _taken(evidence: LabelEvidence, rows: NDArray[np.int64]) -> LabelEvidence:
    """Return the evidence of some samples."""
    assert evidence.features is not None
    assert evidence.margins is not None
    assert evidence.learnt is not None
    log_p = evidence.log_probabilities[rows]
    margins, learnt = evidence.margins[:, rows], evidence.learnt[:, rows]
    return LabelEvidence(evidence.given[rows], log_p, evidence.features[rows], log_p, margins, learnt, evidence.seed)


def _arrays(evidence: LabelEvidence) -> list[NDArray[np.generic]]:
    values = [getattr(evidence, field.name) for field in dataclasses.fields(evidence)]
    return [value for value in values if isinstance(value, np.ndarray)]
