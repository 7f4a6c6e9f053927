"""
A review of about a hundred samples, which says how many labels are wrong: predictions alone cannot.

    q_i = .9 √(P_i (1 − P_i)) / Σ √(P (1 − P)) + .1 / N        m samples are drawn by q, with replacement
    r = mean P + (1/m) Σ_d (x_d − P_d) / (N q_d)                x: 1 where the reviewer says that the label is wrong
    standard error: the deviation of the m terms / √m

P is the noise model's P(wrong) where a fifth of the errors is guessed. The difference estimator (Särndal, Swensson and
Wretman, Model Assisted Survey Sampling, 1992, chapter 6) has no bias whatever P is, and the least variance for
q ∝ √(P (1 − P)) where P is right; the uniform tenth keeps a label that the model is sure of, and wrong about, from
counting more than tenfold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nlcore.audits.label_issues import LabelIssues
from nlcore.audits.predictions import Floats
from nlcore.errors import UserError

UNIFORM = 0.1
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Review:
    """
    The samples that a reviewer looks at.

    Attributes:
        samples: int64 (n,), positions, each once, in an order that says nothing.
        draws: int64 (n,), how often each was drawn.
        term: float64 (n,), how much each moves the rate if its label is wrong: 1 / (N q).
        expected: float64 (n,), P(wrong) of each.
        mean: mean P(wrong) of all samples.

    """

    samples: NDArray[np.int64]
    draws: NDArray[np.int64]
    term: Floats
    expected: Floats
    mean: float


@dataclass(frozen=True)
class Estimated:
    """
    A share with its error.

    Attributes:
        value: 0..1.
        error: its standard error.
        low, high: the ends of the 95 % interval.

    """

    value: float
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class ListQuality:
    """
    How good a list of wrong labels is.

    Attributes:
        precision: the share of the list that is wrong.
        recall: the share of the wrong labels that is on the list; its interval goes from the lowest precision with the
            most wrong labels elsewhere to the highest with the fewest.

    """

    precision: Estimated
    recall: Estimated


def draw_review(issues: LabelIssues, count: int = 100, seed: int = 0) -> Review:
    """
    Draw samples for a review.

    Args:
        issues: of N samples.
        count: m, how many draws; a sample that is drawn twice is looked at once.
        seed: draws them.

    Raises:
        UserError: fewer than two.

    """
    if count < 2:
        raise UserError(f"A review of {count} samples has no error to be told; draw at least 2, better 100.")
    P = issues.p_guessed
    spread = np.sqrt(P * (1 - P))
    total = spread.sum()
    N = len(P)
    q = (1 - UNIFORM) * (spread / total if total > 0 else np.full(N, 1 / N)) + UNIFORM / N
    rng = np.random.default_rng(seed)
    drawn, draws = np.unique(rng.choice(N, count, p=q / q.sum()), return_counts=True)
    order = rng.permutation(len(drawn))
    samples = drawn[order]
    return Review(samples, draws[order], 1 / (N * q[samples]), P[samples], float(P.mean()))


def reviewed_rate(review: Review, wrong: ArrayLike) -> Estimated:
    """
    Return the share of wrong labels among all samples.

    Args:
        review: what was drawn.
        wrong: bool (n,), for each of ``review.samples`` whether its label is wrong.

    Raises:
        UserError: not one answer for each sample.

    """
    x = _answers(wrong, len(review.samples))
    terms = np.repeat(review.mean + (x - review.expected) * review.term, review.draws)
    m = len(terms)
    error = float(terms.std(ddof=1) / np.sqrt(m))
    value = float(terms.mean())
    half = quantile(m - 1) * error
    return Estimated(min(1.0, max(0.0, value)), error, max(0.0, value - half), min(1.0, value + half))


def draw_control(issues: LabelIssues, count: int = 40, seed: int = 0) -> NDArray[np.int64]:
    """
    Draw samples for a blind control, positions int64 (n,): half of those on the list, half of those that are not.

    They are mixed, so that the reviewer cannot tell which is which. Where a half has fewer samples, all are drawn.

    Args:
        issues: whose `flagged` is the list.
        count: how many in all.
        seed: draws them.

    """
    rng = np.random.default_rng(seed)
    halves = [np.flatnonzero(issues.flagged), np.flatnonzero(~issues.flagged)]
    drawn = [rng.choice(half, min(len(half), count // 2), replace=False) for half in halves]
    return rng.permutation(np.concatenate(drawn))


def list_quality(issues: LabelIssues, control: NDArray[np.int64], wrong: ArrayLike) -> ListQuality | None:
    """
    Return precision and recall of the list; None where no sample of the list, or none besides, was looked at.

    Args:
        issues: whose `flagged` is the list.
        control: what `draw_control` gave.
        wrong: bool (n,), for each of the control whether its label is wrong.

    Raises:
        UserError: not one answer for each sample.

    """
    x = _answers(wrong, len(control))
    listed = issues.flagged[control]
    if listed.all() or not listed.any():
        return None
    precision, missed = _share(x[listed]), _share(x[~listed])
    size, rest = int(issues.flagged.sum()), int((~issues.flagged).sum())

    def recall(precise: float, others: float) -> float:
        found = size * precise
        return found / (found + rest * others) if found + rest * others > 0 else 1.0

    value = recall(precision.value, missed.value)
    low, high = recall(precision.low, missed.high), recall(precision.high, missed.low)
    return ListQuality(precision, Estimated(value, (high - low) / (2 * quantile(len(control) - 1)), low, high))


def _share(x: Floats) -> Estimated:
    """Return a share with Wilson's interval (1927)."""
    n, value, z = len(x), float(x.mean()), 1.959964
    middle = (value + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(value * (1 - value) / n + z**2 / (4 * n**2))
    error = float(np.sqrt(value * (1 - value) / n))
    return Estimated(value, error, max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def quantile(freedom: int) -> float:
    """Return how many standard errors the 95 % interval reaches to each side, by Student's t with such freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(max(1, freedom), (1 + LEVEL) / 2))


def _answers(wrong: ArrayLike, count: int) -> Floats:
    x = np.asarray(wrong)
    if x.shape != (count,):
        raise UserError(f"There are {x.size} answers for {count} samples; give whether each label is wrong, in order.")
    return x.astype(bool).astype(np.float64)
