"""
Which given labels are wrong, and how many: from models' predictions alone.

    L = mean P(wrong) of the noise model
    U = 1 − trace of the confident joint of predictions that are calibrated to the given labels

L says that people err as a matrix does, whatever the image, and is too low where they err on hard images; U counts each
of the model's mistakes and is too high. Predictions alone cannot tell more: an ambiguous image that a person got wrong
looks like a hard one. A class that is never predicted has not been learnt: its labels count as right for L. Where the
model contradicts more than 35 % of the labels and U − L is more than 18 points, no number is worth saying.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nlcore.audits.calibration import Scaling, calibrate
from nlcore.audits.confident_joint import calibrated, confidences, count_joint
from nlcore.audits.noise_model import Posterior, noise_posterior, to_fit
from nlcore.audits.predictions import (
    Floats,
    Predicted,
    Product,
    as_array,
    read_labels,
    read_predictions,
    same_shape,
)
from nlcore.contracts.detector import Detection, Detector, LabelEvidence, Rows, row_chunks
from nlcore.errors import UserError
from nlcore.host.registry import registry

#: No estimate where the model contradicts a larger share of the labels, and the interval is wider, than this.
TOO_MANY, TOO_WIDE = 0.35, 0.18


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """
    Which labels are wrong, and how many.

    Attributes:
        score: float64 (N,), by which samples are ranked: the larger, the more suspicious.
        p_wrong: float64 (N,), P(the given label is wrong): the detector's where it gives one, else the noise model's.
        suggested: int64 (N,), the likeliest class besides the given one.
        flagged: bool (N,), the sure list: ``p_wrong > 0.5``, but for classes that are never predicted; or what the
            detector itself calls wrong.
        rate: the share of wrong labels, 0..1, the middle of `interval`: for where one number is needed. None where no
            estimate can be given.
        interval: (L, U), the share of wrong labels is at least L and at most U. None where no estimate can be given.
        reason: why there is no estimate; empty where there is one.
        disagreement: the share of samples for which another class is predicted than the given one.
        never_predicted: the classes that some samples are given, and none is predicted to be: the model has not learnt
            them and cannot tell their labels. They count as right for L, and are not flagged.
        p_guessed: float64 (N,), P(wrong) if a fifth of the errors are guesses on ambiguous images: what a review is
            drawn by.
        detector: the name of the detector that ranks.

    """

    score: Floats = field(repr=False)
    p_wrong: Floats = field(repr=False)
    suggested: NDArray[np.int64] = field(repr=False)
    flagged: NDArray[np.bool_] = field(repr=False)
    rate: float | None
    interval: tuple[float, float] | None
    reason: str
    disagreement: float
    never_predicted: tuple[int, ...]
    p_guessed: Floats = field(repr=False)
    detector: str

    @property
    def order(self) -> NDArray[np.int64]:
        """Return all samples, the most suspicious first, int64 (N,)."""
        return np.argsort(-self.score, kind="stable")

    def expected_precision(self, k: int) -> float | None:
        """
        Return the share of the first `k` of the list that is expected to be wrong, 0..1: their mean P(wrong).

        Over all samples that is the lower bound; at the head of the list it bounds nothing, as labels are there because
        their P(wrong) is high. None where no estimate can be given.

        Raises:
            UserError: `k` is not in 1..N.

        """
        if not 1 <= k <= len(self.score):
            raise UserError(f"The list has {len(self.score):,} samples; ask for the precision at 1 or more, not {k:,}.")
        return None if self.interval is None else float(self.p_wrong[self.order[:k]].mean())


def label_issues(
    labels: ArrayLike,
    probabilities: ArrayLike | None = None,
    *,
    logits: ArrayLike | None = None,
    also: Sequence[ArrayLike] = (),
    features: ArrayLike | None = None,
    margins: ArrayLike | None = None,
    learnt: ArrayLike | None = None,
    detector: str = "noise_model",
    seed: int = 0,
) -> LabelIssues:
    """
    Return which of the given labels are wrong, by predictions of models that were not trained on the sample.

    Arrays may be float32 or memory maps: they are read in pieces and never copied whole. Of large data sets the noise
    model is fitted to a part, chosen by content, so that the order of the rows does not matter.

    Args:
        labels: whole numbers (N,), the given classes 0..K-1.
        probabilities: (N, K), rows sum to 1; or
        logits: (N, K), any log probabilities up to a constant a row.
        also: further models' predictions of the same samples, each (N, K): in-sample ones, those on other features.
            Logits, or probabilities where no value is below 0 and rows sum to 1. Each is scaled to the given labels and
            all are multiplied: a second, different view raises the ranking more than another score does.
        features: (N, D), for detectors that need them.
        margins: (E, N) over epochs, for detectors that need them; see `nlcore.contracts.LabelEvidence`.
        learnt: (E, N) over epochs, for detectors that need them.
        detector: what ranks, as ``nl list-plugins --kind detector`` shows it.
        seed: draws the samples that are fitted to; and for detectors that draw.

    Raises:
        UserError: labels outside the classes, values that are not finite, probabilities that do not sum to 1, shapes
            that do not agree, one class, fewer than five samples, an unknown detector, or one that lacks what it needs;
            a seed below 0.

    """
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise UserError(f"seed = {seed!r}: must be a whole number, 0 or more.")
    models, given = _read(labels, probabilities, logits, also)
    evidence = LabelEvidence(
        given,
        models[0] if len(models) == 1 else multiplied(models, given, seed),
        None if features is None else _for_each(features, len(given), 0, "features"),
        margins=None if margins is None else _for_each(margins, len(given), 1, "margins"),
        learnt=None if learnt is None else _for_each(learnt, len(given), 1, "learnt").astype(bool),
        seed=seed,
    )
    component = _detector(detector, evidence)  # before the work
    return issues_of(fit(evidence), detector, component)


@dataclass(frozen=True, eq=False)
class Fitted:
    """
    What predictions say whatever ranks: detectors that are compared share it.

    Attributes:
        evidence: of N samples.
        posterior: of the noise model.
        interval, reason, disagreement, never_predicted: see `LabelIssues`.

    """

    evidence: LabelEvidence
    posterior: Posterior
    interval: tuple[float, float] | None
    reason: str
    disagreement: float
    never_predicted: tuple[int, ...]


def fit(evidence: LabelEvidence) -> Fitted:
    """Fit the noise model to evidence, and count."""
    found = noise_posterior(evidence)
    upper, disagreement, never = _counted(evidence, found)
    lower = float(found.p_wrong @ ~np.isin(evidence.given, never)) / len(evidence.given)
    reason = ""
    if disagreement > TOO_MANY and upper - lower > TOO_WIDE:
        reason = (
            f"The model predicts another class than the given one for {disagreement:.0%} of the samples: it is too "
            "weak for a number. Use the ranking, or predictions of a better model: pretrained features, larger images."
        )
    interval = None if reason else (lower, max(lower, upper))
    return Fitted(evidence, found, interval, reason, disagreement, never)


def issues_of(fitted: Fitted, detector: str, component: Detector) -> LabelIssues:
    """
    Return what a detector makes of evidence to which the noise model is fitted.

    Args:
        fitted: by `fit`.
        detector: its name.
        component: the detector; the evidence has what it needs.

    """
    found = fitted.posterior
    if detector == "noise_model":
        detection = Detection(found.p_wrong, found.suggested, probability=True)
    else:
        detection = component.detect(fitted.evidence)
    p_wrong = detection.score if detection.probability else found.p_wrong
    known = ~np.isin(fitted.evidence.given, fitted.never_predicted)
    return LabelIssues(
        score=detection.score,
        p_wrong=p_wrong,
        suggested=detection.suggested,
        flagged=(p_wrong > 0.5) & known if detection.flagged is None else detection.flagged,
        rate=None if fitted.interval is None else sum(fitted.interval) / 2,
        interval=fitted.interval,
        reason=fitted.reason,
        disagreement=fitted.disagreement,
        never_predicted=fitted.never_predicted,
        p_guessed=found.p_guessed,
        detector=detector,
    )


def _read(
    labels: ArrayLike, probabilities: ArrayLike | None, logits: ArrayLike | None, also: Sequence[ArrayLike]
) -> tuple[list[Predicted], NDArray[np.int64]]:
    if (probabilities is None) == (logits is None):
        raise UserError("Give either probabilities=, (N, K) with rows that sum to 1, or logits=, (N, K).")
    if probabilities is not None:
        models, names = [read_predictions(probabilities, False, "probabilities")], ["probabilities"]
    else:
        assert logits is not None
        models, names = [read_predictions(logits, True, "logits")], ["logits"]
    for place, one in enumerate(also):
        names.append(f"also[{place}]")
        models.append(read_predictions(one, None, names[-1]))
    same_shape(models, names)
    return models, read_labels(labels, models[0].shape[1], models[0].shape[0])


def multiplied(models: Sequence[Predicted], given: NDArray[np.int64], seed: int) -> Product:
    """Return the product of several models' predictions, each of them brought to the given labels."""
    chosen, weight = to_fit([model.values for model in models], given, seed)
    fits = [calibrate(model[chosen], given[chosen], weight) for model in models]
    return Product(tuple(models), tuple(fit.scale for fit in fits), tuple(fit.offset for fit in fits))


def _counted(evidence: LabelEvidence, found: Posterior) -> tuple[float, float, tuple[int, ...]]:
    """Return U, the share of other predictions than the given class, and the classes that are never predicted."""
    given, K = evidence.given[found.samples], evidence.num_classes
    p = _Calibrated(evidence.log_probabilities, found.to_given, found.samples)
    C = count_joint(given, p, confidences(given, p))
    U = 1 - float(np.trace(calibrated(C, np.bincount(evidence.given, minlength=K))))
    other = [found.weight[part] @ (p[part].argmax(1) != given[part]) for part in row_chunks(*p.shape)]
    predicted = np.zeros(K, bool)
    for part in row_chunks(*p.shape):
        predicted[evidence.log_probabilities[found.samples[part]].argmax(1)] = True
    never = np.flatnonzero(~predicted & (np.bincount(given, minlength=K) > 0))
    return U, float(sum(other) / len(given)), tuple(never.tolist())


@dataclass(frozen=True, eq=False)
class _Calibrated:
    """The probabilities of some samples, scaled to the given labels, by slices."""

    log_probabilities: Rows
    to_given: Scaling
    samples: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.samples), self.log_probabilities.shape[1]

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Floats:
        found: Floats = np.exp(self.to_given(self.log_probabilities[self.samples[rows]]))
        return found


def _for_each(values: ArrayLike, length: int, axis: int, name: str) -> NDArray[Any]:
    array = as_array(values, name)
    wanted = "(N, D)" if axis == 0 else "(epochs, N)"
    if array.ndim != 2 or array.shape[axis] != length:
        raise UserError(f"{name} has the shape {array.shape}; give {wanted} with N = {length:,}, the number of labels.")
    if array.dtype.kind not in "fiub":
        raise UserError(f"{name} is {array.dtype}; give numbers.")
    if any(not np.isfinite(array[rows]).all() for rows in row_chunks(*array.shape)):
        raise UserError(f"{name} has values that are NaN or infinite; every value must be finite.")
    return array


def _detector(name: str, evidence: LabelEvidence) -> Detector:
    component: Detector = registry().create("detector", name, {})
    missing = evidence.missing(component.needs)
    if missing:
        raise UserError(f"The detector {name} needs {' and '.join(missing)}; give {missing[0]}=.")
    return component
