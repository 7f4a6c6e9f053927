"""
Two functions under cleanlab's names, with its arguments and their meaning (version 2.9)::

    from nlcore.compat.cleanlab import find_label_issues, get_label_quality_scores

Confident learning (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068), written from its definitions; see
`nlcore.audits.pruning`. Large arrays and memory maps are read in pieces. `n_jobs` and `verbose` are taken and change
nothing. Left out are ``multi_label=True`` and labels that are no whole numbers. For lists that hold more wrong labels,
and for how many there are, use `nlcore.label_issues`.

Two differences: of counts with equal remainders others may be rounded up, which moves a label in some hundred. And with
``prune_by_noise_rate``, `num_to_remove_per_class` is of given classes, as documented there; cleanlab 2.9 takes it for
the classes that samples truly are.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nlcore.audits.confident_joint import calibrated, confidences, confident_classes, count_joint
from nlcore.audits.predictions import Floats, as_floats, read_labels, read_predictions
from nlcore.audits.pruning import Mask, by_class, by_noise_rate, predicted_as_given, to_prune, whole
from nlcore.contracts.detector import row_chunks
from nlcore.errors import UserError, did_you_mean

PRUNING = ("prune_by_noise_rate", "prune_by_class", "both")
FILTERS = (*PRUNING, "confident_learning", "predicted_neq_given", "low_normalized_margin", "low_self_confidence")
METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
SMALLEST = 1e-6
_LOGITS = "For logits: nlcore.label_issues(labels, logits=...)."


def find_label_issues(
    labels: ArrayLike,
    pred_probs: ArrayLike,
    *,
    return_indices_ranked_by: str | None = None,
    rank_by_kwargs: Mapping[str, Any] | None = None,
    filter_by: str = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: Sequence[int] | None = None,
    min_examples_per_class: int = 1,
    confident_joint: NDArray[Any] | None = None,
    n_jobs: int | None = None,
    verbose: bool = False,
    multi_label: bool = False,
) -> NDArray[Any]:
    """
    Return which labels are probably wrong: bool (N,), or their positions int64 (n,), the most suspicious first.

    Args:
        labels: whole numbers (N,), 0..K-1.
        pred_probs: (N, K), rows sum to 1, of models that have not seen the sample.
        return_indices_ranked_by: ``self_confidence``, ``normalized_margin`` or ``confidence_weighted_entropy``: return
            positions in the order of this score. None: return a mask.
        rank_by_kwargs: of `get_label_quality_scores`, such as ``{"adjust_pred_probs": True}``.
        filter_by: ``prune_by_noise_rate``: of each pair of classes as many as the confident joint counts, by p of the
            other class less p of the given one. ``prune_by_class``: of each class as many, by p of the given one.
            ``both``: what both find. ``confident_learning``: what the joint counts off its diagonal.
            ``predicted_neq_given``: what is predicted to be of another class. ``low_normalized_margin`` and
            ``low_self_confidence``: by that score, as many as ``confident_learning`` finds.
        frac_noise: the share of the counts to take, 0..1, for pruning.
        num_to_remove_per_class: how many to take of each given class, (K,), for pruning.
        min_examples_per_class: how many samples a class keeps at least, for pruning.
        confident_joint: (K, K), counts with given classes as rows, in place of those of the predictions.
        n_jobs: taken and not used: there is nothing to gain by several processes.
        verbose: taken and not used.
        multi_label: not supported.

    Raises:
        UserError: input that is not of this form.

    """
    p, given = _read(labels, pred_probs, multi_label)
    _check_choices(filter_by, return_indices_ranked_by, frac_noise, num_to_remove_per_class)
    K = p.shape[1]
    if filter_by in PRUNING:
        if confident_joint is None:
            C = _joint(given, p)
        else:
            C = as_floats(confident_joint, "confident_joint")
            if C.shape != (K, K):
                raise UserError(f"confident_joint has the shape {C.shape}; with {K} classes give {K} × {K}.")
        counts = to_prune(C, min_examples_per_class, frac_noise)
        if num_to_remove_per_class is not None:
            counts = _scaled_to(counts, given, num_to_remove_per_class)
        found = np.ones(len(given), bool)
        if filter_by != "prune_by_class":
            found &= by_noise_rate(given, p, counts, min_examples_per_class)
        if filter_by != "prune_by_noise_rate":
            found &= by_class(given, p, counts, min_examples_per_class)
        found &= ~predicted_as_given(given, p)
    elif filter_by == "predicted_neq_given":
        found = ~predicted_as_given(given, p)
    else:
        found = _off_diagonal(given, p) & ~predicted_as_given(given, p)
        if filter_by != "confident_learning":
            score = _scores(given, p, filter_by.removeprefix("low_"), adjust=False)
            lowest = np.argsort(score, kind="stable")[: int(found.sum())]
            found = np.zeros(len(given), bool)
            found[lowest] = True
    if return_indices_ranked_by is None:
        return found
    score = get_label_quality_scores(given, p, method=return_indices_ranked_by, **(rank_by_kwargs or {}))
    positions = np.flatnonzero(found)
    return positions[np.argsort(score[positions], kind="stable")]


def get_label_quality_scores(
    labels: ArrayLike, pred_probs: ArrayLike, *, method: str = "self_confidence", adjust_pred_probs: bool = False
) -> Floats:
    """
    Return how good each given label is, float64 (N,), 0..1: the lower, the more suspicious.

    Args:
        labels: whole numbers (N,), 0..K-1.
        pred_probs: (N, K), rows sum to 1, of models that have not seen the sample.
        method: ``self_confidence``: p_y. ``normalized_margin``: (p_y − max_{k ≠ y} p_k + 1) / 2.
            ``confidence_weighted_entropy``: log(1 + e) / e with e = −Σ_k p_k log p_k / (p_y log K).
        adjust_pred_probs: take p_k − t_k + max t, scaled to sum to 1, for p_k: t_k is the mean p_k of the samples that
            are given k, so that no class is ranked lower for being predicted with less confidence.

    Raises:
        UserError: input that is not of this form.

    """
    p, given = _read(labels, pred_probs, multi_label=False)
    _check_method(method)
    if adjust_pred_probs and method == "confidence_weighted_entropy":
        raise UserError("adjust_pred_probs goes with self_confidence and normalized_margin alone.")
    return _scores(given, p, method, adjust_pred_probs)


def _scores(given: NDArray[np.int64], p: NDArray[Any], method: str, adjust: bool) -> Floats:
    t = _thresholds(given, p) if adjust else np.zeros(p.shape[1])
    score = np.empty(len(given))
    for rows in row_chunks(*p.shape):
        chunk, each = p[rows] - t + t.max(), np.arange(rows.stop - rows.start)
        if adjust:
            chunk /= chunk.sum(1, keepdims=True)
        own = chunk[each, given[rows]]
        if method == "self_confidence":
            score[rows] = own
        elif method == "normalized_margin":
            chunk[each, given[rows]] = -np.inf
            score[rows] = (own - chunk.max(1) + 1) / 2
        else:
            entropy = -(chunk * np.log(np.where(chunk > 0, chunk, 1))).sum(1) / np.log(p.shape[1])
            e = entropy / np.maximum(own, SMALLEST)
            score[rows] = np.log1p(e) / np.maximum(e, SMALLEST)
    return score


def _thresholds(given: NDArray[np.int64], p: NDArray[Any]) -> Floats:
    """Return the mean p_k of the samples that are given k, float64 (K,); 2 for a class without samples."""
    t = confidences(given, p)
    return np.maximum(np.where(np.isfinite(t), t, 2.0), 2 * SMALLEST)


def _joint(given: NDArray[np.int64], p: NDArray[Any]) -> Floats:
    """Return the confident joint, scaled to the given counts, in whole numbers."""
    counts = np.bincount(given, minlength=p.shape[1])
    C = count_joint(given, p, _thresholds(given, p))
    return whole(calibrated(C, counts) * len(given)).astype(np.float64)


def _off_diagonal(given: NDArray[np.int64], p: NDArray[Any]) -> Mask:
    """Return which samples are predicted with confidence to be of another class, bool (N,)."""
    t = _thresholds(given, p)
    found = np.empty(len(given), bool)
    for rows in row_chunks(*p.shape):
        confident = confident_classes(p[rows], t)
        found[rows] = (confident >= 0) & (confident != given[rows])
    return found


def _scaled_to(counts: NDArray[np.int64], given: NDArray[np.int64], removed: Sequence[int]) -> NDArray[np.int64]:
    """Return counts of which as many are off the diagonal as shall be removed of each given class."""
    K = len(counts)
    wanted = as_floats(removed, "num_to_remove_per_class")
    if wanted.shape != (K,) or (wanted < 0).any():
        raise UserError(f"num_to_remove_per_class has the shape {wanted.shape}; give a number for each of {K} classes.")
    off = counts.astype(np.float64)
    np.fill_diagonal(off, 0)
    off *= (wanted / np.maximum(off.sum(1), 1e-12))[:, None]
    np.fill_diagonal(off, np.bincount(given, minlength=K) - wanted)
    return whole(off)


def _read(labels: ArrayLike, pred_probs: ArrayLike, multi_label: bool) -> tuple[NDArray[Any], NDArray[np.int64]]:
    if multi_label:
        raise UserError("multi_label=True is not supported here: each sample has one label.")
    p = read_predictions(pred_probs, False, "pred_probs", advice=_LOGITS).values
    return p, read_labels(labels, p.shape[1], p.shape[0])


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise UserError(f"{method!r} is no score; there are {', '.join(METHODS)}.{did_you_mean(method, METHODS)}")


def _check_choices(filter_by: str, ranked_by: str | None, share: float, removed: Sequence[int] | None) -> None:
    if filter_by not in FILTERS:
        raise UserError(f"filter_by={filter_by!r}: there are {', '.join(FILTERS)}.{did_you_mean(filter_by, FILTERS)}")
    if ranked_by is not None:
        _check_method(ranked_by)
    if filter_by not in PRUNING and removed is not None:
        raise UserError(f"num_to_remove_per_class goes with filter_by = {', '.join(PRUNING)} alone.")
    if filter_by not in PRUNING and share != 1.0:
        warnings.warn(f"frac_noise changes nothing with filter_by={filter_by!r}.", stacklevel=3)
