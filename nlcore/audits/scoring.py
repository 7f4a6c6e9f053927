"""What detectors make of predictions, and how good their lists are where the true labels are known."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.data_checks import Finding
from nlcore.audits.evidence import Predictions
from nlcore.audits.label_issues import Fitted, LabelIssues, fit, issues_of, multiplied
from nlcore.audits.outliers import outliers
from nlcore.audits.predictions import FEWEST, Predicted, read_labels
from nlcore.audits.samples import Samples
from nlcore.contracts import LabelEvidence, Labels
from nlcore.errors import UserError, plural
from nlcore.host.registry import registry

#: Networks that contradict fewer of their own labels than this share of those that are wrong at least know them by
#: heart. Where they have learnt all right labels and no wrong one, the two are about the same.
FEW = 0.8

#: Each image is compared with all others: of more than so many, for minutes.
COMPARED = 10_000

#: At these depths of a list precision is told.
DEPTHS = (50, 100, 200, 500, 1_000, 2_000, 5_000)
BY_HEART = (
    "The networks have learnt labels by heart, so what they predict for their own training samples is left out. Fewer "
    "--epochs or a robust --loss find more."
)
_FEATURES = ("features", "give an architecture with pretrained weights, or --features FILE")
_HISTORY = (
    "the history of a training",
    "let it train networks itself, without pretrained weights, --features and --probabilities, or give --run a run "
    "that was trained with --histories",
)
#: What detectors need in words, and how to have it.
_HOW = {"features": _FEATURES, "margins": _HISTORY, "learnt": _HISTORY}


@dataclass(frozen=True)
class Figures:
    """
    How good a detector is, as the true labels are known.

    Attributes:
        detector: its name.
        average_precision: of its ranking, 0..1.
        auroc: of its ranking, 0..1.
        flagged: how many labels it calls wrong.
        precision: the share of those that are wrong; None where there are none.
        recall: the share of the wrong labels that it calls wrong.
        suggestion: the share of those it calls wrong whose suggested label is the true one; None where there are none.
        at: the share of wrong labels among the first of its list, by how many.

    """

    detector: str
    average_precision: float
    auroc: float
    flagged: int
    precision: float | None
    recall: float
    suggestion: float | None
    at: Mapping[int, float]


def check_detectors(names: Sequence[str], known: Collection[str]) -> None:
    """
    See that an audit has what detectors need, before any training.

    Args:
        names: of the detectors.
        known: what it will know besides labels and log probabilities: attributes of `nlcore.contracts.LabelEvidence`.

    Raises:
        UserError: it has not.

    """
    for name in names:
        needs = registry().create("detector", name).needs
        missing = [need for need in needs if need not in known]
        if missing:
            what, how = _HOW.get(missing[0], (missing[0], "use it from Python, nlcore.label_issues"))
            raise UserError(
                f"The detector {name} needs {what}, which this audit does not have: {how}, or leave it out."
            )


@dataclass(frozen=True, eq=False)
class Scores:
    """
    What detectors make of the samples that can be judged, in their order.

    Attributes:
        judged: bool (N,), whether each sample of the audit is.
        issues: one for each detector, of those that are judged.
        warnings: what is to be known of it, a sentence each.

    """

    judged: NDArray[np.bool_]
    issues: Sequence[LabelIssues]
    warnings: tuple[str, ...]


def score(
    predictions: Predictions,
    samples: Samples,
    detectors: Sequence[str],
    seed: int,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Scores:
    """
    Return what each detector makes of the samples that can be judged.

    Predictions for samples that networks were trained on raise the ranking unless they have been learnt by heart: where
    these contradict clearly fewer labels than are wrong at least, they are left out. They only rank: they have seen the
    labels, so that with them too few seem to be wrong. How many there are, how likely each is and which classes have
    been learnt is said by held-out predictions alone. Labels of classes that have not been learnt are not judged.

    Args:
        predictions: for all samples.
        samples: of the audit.
        detectors: their names, the one that ranks first.
        seed: draws the samples that are fitted to.
        progress: is told how many fits and detectors are done, of how many, and what.

    Raises:
        UserError: labels of one class alone.

    """
    judged = samples.judged
    steps = _Steps(2 + len(detectors), progress)
    found = _judge(predictions, samples.given, judged, detectors, seed, steps)
    never = found.issues[0].never_predicted
    learnt = judged & ~np.isin(samples.given, never)
    if never and len(np.unique(samples.given[learnt])) > 1 and learnt.sum() >= FEWEST:
        found = _judge(predictions, samples.given, learnt, detectors, seed, steps)
    steps.end()
    said = (predictions.warning, *found.warnings, unlearnt_in_words(samples.classes, never))
    return replace(found, warnings=tuple(one for one in said if one))


class _Steps:
    """Counts fits and detectors, for a bar."""

    def __init__(self, total: int, progress: Callable[[int, int, str], None]) -> None:
        self._total, self._progress = total, progress

    def done(self, count: int) -> None:
        self._progress(min(count, self._total - 1), self._total, "fits and detectors")

    def end(self) -> None:
        self._progress(self._total, self._total, "")


def _judge(
    predictions: Predictions,
    labels: Labels,
    judged: NDArray[np.bool_],
    detectors: Sequence[str],
    seed: int,
    steps: _Steps,
) -> Scores:
    """Return what detectors make of these samples."""
    steps.done(0)
    given = read_labels(labels[judged], predictions.views[0].shape[1], int(judged.sum()))
    models = [Predicted(view if judged.all() else view[judged], logits=True) for view in predictions.views]
    evidence = LabelEvidence(
        given,
        models[0],
        None if predictions.features is None else predictions.features[judged],
        margins=None if predictions.margins is None else predictions.margins[:, judged],
        learnt=None if predictions.margins is None else predictions.margins[:, judged] > 0,
        seed=seed,
    )
    if not predictions.in_sample:
        together = evidence if len(models) == 1 else _multiplied(evidence, models)
        return Scores(judged, _ranked(fit(together), detectors, steps), ())
    fitted = fit(evidence)
    (alone,) = _ranked(fitted, ["noise_model"], steps)
    known = ~np.isin(given, alone.never_predicted)
    contradicted = float((predictions.views[1][judged].argmax(1) != given).mean())
    by_heart = contradicted < FEW * float(alone.p_wrong @ known) / len(given)
    if not by_heart:
        fitted = fit(_multiplied(evidence, models))
    never = tuple(sorted({*alone.never_predicted, *fitted.never_predicted}))
    ranked = [_as_likely_as(alone, replace(one, never_predicted=never)) for one in _ranked(fitted, detectors, steps)]
    return Scores(judged, ranked, (BY_HEART,) if by_heart else ())


def _multiplied(evidence: LabelEvidence, models: Sequence[Predicted]) -> LabelEvidence:
    return replace(evidence, log_probabilities=multiplied(models, evidence.given, evidence.seed))


def _ranked(fitted: Fitted, detectors: Sequence[str], steps: _Steps) -> list[LabelIssues]:
    found = []
    for number, name in enumerate(detectors):
        steps.done(2 + number)
        found.append(issues_of(fitted, name, registry().create("detector", name)))
    return found


def unlearnt_in_words(classes: Sequence[str], never: Sequence[int]) -> str:
    """Return what is to be known of classes that are never predicted; empty where there are none."""
    if not never:
        return ""
    names = ", ".join(classes[k] for k in never[:10]) + (", ..." if len(never) > 10 else "")
    return (
        f"No image is predicted to be of {plural(len(never), 'class', 'classes')}: {names}. The networks have not "
        "learnt them, so their labels are not judged; pretrained features help."
    )


def far_from_all(predictions: Predictions, samples: Samples) -> list[Finding]:
    """Return the images that are far from all others in feature space, where features are known and not too many."""
    if predictions.features is None or len(samples) > COMPARED:
        return []
    found = outliers(predictions.features)
    places = [place for place in np.argsort(found.rank, kind="stable").tolist() if found.flagged[place]]
    if not places:
        return []
    count = plural(len(places), "image is", "images are")
    perhaps = "perhaps it belongs" if len(places) == 1 else "perhaps they belong"
    words = f"{count} far from all others in feature space: {perhaps} to no class."
    lines = tuple(f"{samples.ids[place]} ({samples.classes[samples.given[place]]})" for place in places)
    return [Finding("far", "note", words, tuple((samples.ids[place],) for place in places), lines)]


def depths(count: int) -> tuple[int, ...]:
    """Return at which depths of a list of so many the precision is told."""
    return tuple(depth for depth in DEPTHS if depth <= count)


def figures(issues: LabelIssues, given: Labels, true: Labels) -> Figures:
    """
    Return how good a detector's list is.

    Args:
        issues: of N samples.
        given: int64 (N,).
        true: int64 (N,), -1 for none of the classes.

    """
    wrong, flagged = given != true, issues.flagged
    hits = wrong[issues.order]
    found = int((wrong & flagged).sum())
    count = int(flagged.sum())
    return Figures(
        detector=issues.detector,
        average_precision=average_precision(issues.score, wrong),
        auroc=_auroc(issues.score, wrong),
        flagged=count,
        precision=found / count if count else None,
        recall=found / int(wrong.sum()),
        suggestion=float((issues.suggested == true)[flagged].mean()) if count else None,
        at={depth: float(hits[:depth].mean()) for depth in depths(len(given))},
    )


def average_precision(score: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    """Return Σ ΔR P over the distinct scores, the largest first, R and P being recall and precision there."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    found = np.cumsum(wrong[order])[last]
    return float((np.diff(found, prepend=0) * found / (last + 1)).sum() / found[-1])


def _auroc(score: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    """Return the probability that a wrong label has a larger score than a right one, ties counting one half."""
    from scipy.stats import rankdata

    bad, good = int(wrong.sum()), int((~wrong).sum())
    if not bad or not good:
        return float("nan")
    return float((rankdata(score)[wrong].sum() - bad * (bad + 1) / 2) / (bad * good))


def _as_likely_as(alone: LabelIssues, ranked: LabelIssues) -> LabelIssues:
    """Return a ranking with the interval and the probabilities of held-out predictions: its n-th gets their n-th."""
    p_wrong = np.empty_like(alone.p_wrong)
    p_wrong[np.lexsort((alone.p_wrong, ranked.p_wrong))] = np.sort(alone.p_wrong)
    by_probability = np.array_equal(ranked.flagged, ranked.p_wrong > 0.5)  # and not a list that a detector makes
    return replace(
        ranked,
        p_wrong=p_wrong,
        p_guessed=alone.p_guessed,
        flagged=p_wrong > 0.5 if by_probability else ranked.flagged,
        interval=alone.interval,
        rate=alone.rate,
        reason=alone.reason,
        disagreement=alone.disagreement,
    )
