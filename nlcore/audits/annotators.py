"""
Several annotators: what the images truly are, and how good each annotator is.

    R_ik ∝ P(k | x_i) Π_a T⁽ᵃ⁾_k,y_ia        T⁽ᵃ⁾_kj ∝ Σ_{i: y_ia = j} R_ik + c T̄_kj        a is row-stochastic
    without a model: P(k | x) = π_k        with one: P(k | x) = softmax_k(s z_k + b_k), fitted to R

EM of Dawid and Skene (1979, doi:10.2307/2346806), and with a model beside the annotators that of Raykar et al. (2010,
JMLR 11); the model stays as it is here, but for scale and offsets: it is one more voter, and as sure as it is right. T̄
is the matrix of all annotators together, with the prior of `nlcore.audits.noise_model`; c = 5 samples a class lean
annotators with few labels on it. Without a model z = 0, so that softmax b is π. EM starts from the shares of votes.

Annotators are taken to err independently of each other. People err on the same images, so their quality comes out a
point or two too high, and its interval is of chance alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nlcore.audits.calibration import Scaling, calibrate, newton_step, spread
from nlcore.audits.noise_model import ENOUGH, PRIOR, PRIOR_MOST, PRIOR_RIGHT, ROUNDS
from nlcore.audits.predictions import Floats, as_floats, log_softmax
from nlcore.audits.review import Estimated
from nlcore.errors import UserError, plural

LEAN = 5.0


@dataclass(frozen=True, eq=False)
class Votes:
    """
    Who said what, one row a label.

    Attributes:
        sample: int64 (M,), 0..N-1.
        annotator: int64 (M,), 0..A-1.
        label: int64 (M,), 0..K-1.
        shape: (N, A, K).

    """

    sample: NDArray[np.int64]
    annotator: NDArray[np.int64]
    label: NDArray[np.int64]
    shape: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Consensus:
    """
    What the images probably are.

    Attributes:
        labels: int64 (N,), the likeliest class.
        probabilities: float64 (N, K), of the true class.
        transitions: float64 (A, K, K), of each annotator: T[k, j] = P(says j | is k).
        quality: of each annotator, the share of its labels that is right, with an interval; None where it gave none.
        worth_another: int64 (N,), all samples, those first whose consensus is least certain.

    """

    labels: NDArray[np.int64]
    probabilities: Floats
    transitions: Floats
    quality: list[Estimated | None]
    worth_another: NDArray[np.int64]


def votes_of_table(labels: ArrayLike, num_classes: int) -> Votes:
    """
    Return the votes of a table with a row for each sample and a column for each annotator.

    Args:
        labels: (N, A), whole numbers; below 0 or NaN where an annotator has not labelled the sample.
        num_classes: K.

    Raises:
        UserError: another shape, no numbers, or labels outside the classes.

    """
    table = as_floats(labels, "labels")
    if table.ndim != 2:
        raise UserError(f"The labels have the shape {table.shape}; give (N, A): one row per sample, A annotators.")
    there = ~np.isnan(table) & (table >= 0)
    sample, annotator = np.nonzero(there)
    return read_votes(sample, annotator, table[there], (*table.shape, num_classes))


def read_votes(sample: ArrayLike, annotator: ArrayLike, label: ArrayLike, shape: tuple[int, int, int]) -> Votes:
    """
    Return the votes of a long table, looked through.

    Args:
        sample: (M,), 0..N-1.
        annotator: (M,), 0..A-1.
        label: (M,), 0..K-1.
        shape: (N, A, K).

    Raises:
        UserError: no numbers, numbers that are outside, or a sample without labels.

    """
    columns: list[NDArray[np.int64]] = []
    for name, values, limit in zip(("sample", "annotator", "label"), (sample, annotator, label), shape, strict=True):
        column = as_floats(values, name)
        wrong = np.flatnonzero(~((column >= 0) & (column < limit) & (column == np.round(column))))
        if len(wrong):
            raise UserError(
                f"{name} is {column[wrong[0]]:g} in row {wrong[0]}; give whole numbers from 0 to {limit - 1}."
            )
        columns.append(column.astype(np.int64))
    if len({len(column) for column in columns}) > 1:
        raise UserError("sample, annotator and label have other lengths; give one of each for every label.")
    without = int((np.bincount(columns[0], minlength=shape[0]) == 0).sum())
    if without:
        raise UserError(f"{plural(without, 'sample')} of {shape[0]:,} have no label of any annotator; leave them out.")
    return Votes(columns[0], columns[1], columns[2], shape)


def majority(votes: Votes) -> NDArray[np.int64]:
    """Return the class with most votes, int64 (N,); of several the first."""
    found: NDArray[np.int64] = _shares(votes).argmax(1)
    return found


def consensus(votes: Votes, log_probabilities: Floats | None = None) -> Consensus:
    """
    Return what the images probably are, by their annotators and, where there is one, by a model beside them.

    Args:
        votes: who said what.
        log_probabilities: float64 (N, K), of a model that has not seen the sample; None: Dawid and Skene.

    Raises:
        UserError: predictions of another shape.

    """
    from scipy.sparse import csr_array

    N, A, K = votes.shape
    z = np.zeros((N, K)) if log_probabilities is None else log_probabilities
    if z.shape != (N, K):
        raise UserError(f"The predictions have the shape {z.shape}; give (N, K) = {(N, K)}.")
    M, ones = np.arange(len(votes.sample)), np.ones(len(votes.sample))
    to_sample = csr_array((ones, (votes.sample, M)), shape=(N, len(M)))
    to_says = csr_array((ones, (votes.annotator * K + votes.label, M)), shape=(A * K, len(M)))
    R = _shares(votes)
    weight, v = np.ones(N), spread(z)
    scaling = Scaling(0.0, np.zeros(K)) if log_probabilities is None else calibrate(z, R.argmax(1), weight)
    log_p, before = scaling(z), -np.inf
    T = np.empty((A, K, K))
    for _ in range(ROUNDS):
        T = _transitions((to_says @ R[votes.sample]).reshape(A, K, K).swapaxes(1, 2))
        scaling, log_p, _gained = newton_step(scaling, z, log_p, R, weight, v)
        joint = log_p + to_sample @ np.log(T)[votes.annotator, :, votes.label]
        R = np.exp(log_softmax(joint))
        likelihood = float(np.logaddexp.reduce(joint, axis=1).mean())
        if likelihood - before < ENOUGH:
            break
        before = likelihood
    right = R[votes.sample, votes.label]
    quality = [_quality(right[votes.annotator == a]) for a in range(A)]
    return Consensus(R.argmax(1), R, T, quality, np.argsort(R.max(1), kind="stable"))


def _shares(votes: Votes) -> Floats:
    N, _, K = votes.shape
    counts = np.bincount(votes.sample * K + votes.label, minlength=N * K).reshape(N, K)
    shares: Floats = counts / counts.sum(1, keepdims=True)
    return shares


def _transitions(counts: Floats) -> Floats:
    """Return T of each annotator, float64 (A, K, K), of how often it said j of what is k."""
    K = counts.shape[1]
    together = counts.sum(0)
    worth = min(PRIOR * float(together.sum()) / K, PRIOR_MOST)
    prior = worth * np.where(np.eye(K, dtype=bool), PRIOR_RIGHT, (1 - PRIOR_RIGHT) / (K - 1))
    pooled = together + prior
    T: Floats = counts + LEAN * pooled / pooled.sum(1, keepdims=True)
    T /= T.sum(2, keepdims=True)
    return T


def _quality(right: Floats) -> Estimated | None:
    """Return the mean probability that its labels are right, with the 95 % interval of a beta distribution."""
    from scipy.special import betaincinv

    n = len(right)
    if not n:
        return None
    value = float(right.mean())
    a, b = n * value + 0.5, n * (1 - value) + 0.5  # Jeffreys
    low, high = float(betaincinv(a, b, 0.025)), float(betaincinv(a, b, 0.975))
    return Estimated(value, float(np.sqrt(value * (1 - value) / n)), min(low, value), max(high, value))
