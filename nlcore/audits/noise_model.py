"""
The noise model: true classes that are predicted, and given labels that a matrix makes of them.

    P(k | x) = softmax_k(s z_k + b_k)        P(given j | x) = Σ_k P(k | x) T_kj

z are held-out log probabilities, T is row-stochastic. EM, at most 60 rounds, from T with .9 on the diagonal and the s
and b that fit the given labels best:

    E   R_ik ∝ P(k | x_i) T_k,y_i
    M   T_kj ∝ Σ_{i: y_i = j} w_i R_ik + a_kj        (s, b) ← a Newton step on Σ_i w_i Σ_k R_ik log P(k | x_i)

until the mean log likelihood grows by less than 1e-6. The prior a is worth 15 % of a class's mean count but at most 30
samples, .95 of it on the diagonal: without it, T learns what happens by chance, and a stronger one outweighs what many
samples say (40 % wrong of 25,000: average precision .90 with 15 %, .92 with 30 samples).

    P(wrong)_i = 1 − R_i,y_i        suggested: argmax_{k ≠ y_i} R_ik

This is the noise adaptation layer of Goldberger and Ben-Reuven 2017 (also Bekker and Goldberger 2016,
doi:10.1109/ICASSP.2016.7472164) on a network that stays as it is. An error that people make on an ambiguous image looks
to it like a hard image, so its mean P(wrong) is a lower value. Where a share λ of the errors is guessed as an unsure
model would guess, P(given j | x) = Σ_k P(k | x) ((1 − λ) T_kj + λ P(j | x)), and

    P_λ(wrong) = 1 − P(y | x) ((1 − λ) T_yy + λ P(y | x)) / ((1 − λ) Σ_k P(k | x) T_ky + λ P(y | x))

A class prior is no part of it besides: z has learnt the classes' shares, and b mends what it has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.calibration import Scaling, calibrate, newton_step, spread
from nlcore.audits.predictions import Floats
from nlcore.audits.subset import stratified
from nlcore.contracts.detector import LabelEvidence

ROUNDS, ENOUGH = 60, 1e-6
SAMPLES, NUMBERS = 10_000, 1_000_000  # the more of the two is fitted to
PRIOR, PRIOR_MOST, PRIOR_RIGHT = 0.15, 30.0, 0.95
GUESSED = 0.2  # λ, for what a review is drawn by


@dataclass(frozen=True, eq=False)
class NoiseModel:
    """
    A fitted noise model.

    Attributes:
        scaling: s and b.
        transition: T, float64 (K, K), rows are true classes.

    """

    scaling: Scaling
    transition: Floats


@dataclass(frozen=True, eq=False)
class Posterior:
    """
    What the model says of each sample.

    Attributes:
        p_wrong: float64 (N,), P(the given label is wrong).
        p_guessed: float64 (N,), the same where a fifth of the errors is guessed (λ = .2).
        suggested: int64 (N,), the likeliest class besides the given one.
        to_given: the scale and offsets with which the predictions fit the given labels best.
        samples: int64 (n,), those that the model was fitted to.
        weight: float64 (n,), how many samples each of them stands for, 1 on average.

    """

    p_wrong: Floats
    p_guessed: Floats
    suggested: NDArray[np.int64]
    to_given: Scaling
    samples: NDArray[np.int64]
    weight: Floats


def noise_posterior(evidence: LabelEvidence) -> Posterior:
    """
    Fit the noise model, and return what it says of each sample.

    It is fitted to all samples, but to at most 10,000, or a million numbers, whichever is more: a class's share each.

    Args:
        evidence: labels and log probabilities; its seed draws the samples that are fitted to.

    """
    rows = evidence.log_probabilities
    arrays: Any = getattr(rows, "arrays", (rows,))
    samples, weight = to_fit(arrays, evidence.given, evidence.seed)
    z, given = rows[samples], evidence.given[samples]
    to_given = calibrate(z, given, weight)
    model = fit_noise_model(z, given, weight, to_given)
    return Posterior(*explain(model, evidence), to_given, samples, weight)


def to_fit(arrays: Sequence[NDArray[Any]], given: NDArray[np.int64], seed: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the positions of the samples to fit to and their weights; see `nlcore.audits.subset`."""
    return stratified(arrays, given, seed, max(SAMPLES, NUMBERS // arrays[0].shape[1]))


def fit_noise_model(z: Floats, given: NDArray[np.int64], weight: Floats, start: Scaling) -> NoiseModel:
    """
    Return the model that explains the given labels best.

    Args:
        z: float64 (n, K), held-out log probabilities.
        given: int64 (n,).
        weight: float64 (n,), how many samples each stands for, in all n.
        start: the scale and offsets that fit the given labels best.

    """
    n, K = z.shape
    labels = np.zeros((n, K))
    labels[np.arange(n), given] = 1
    prior = np.where(np.eye(K, dtype=bool), PRIOR_RIGHT, (1 - PRIOR_RIGHT) / (K - 1)) * min(PRIOR * n / K, PRIOR_MOST)
    T = np.where(np.eye(K, dtype=bool), 0.9, 0.1 / (K - 1))
    scaling, v = start, spread(z)
    log_p = scaling(z)
    before = -np.inf
    for _ in range(ROUNDS):
        R = np.exp(log_p) * T.T[given]
        total = R.sum(1)
        R /= total[:, None]
        likelihood = float(weight @ np.log(total)) / n
        if likelihood - before < ENOUGH:
            break
        before = likelihood
        T = (R * weight[:, None]).T @ labels + prior
        T /= T.sum(1, keepdims=True)
        scaling, log_p, _gained = newton_step(scaling, z, log_p, R, weight, v)
    return NoiseModel(scaling, T)


def explain(model: NoiseModel, evidence: LabelEvidence) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return P(wrong), the same where errors are guessed, and the likeliest other class of each sample, in one pass."""
    N = len(evidence.given)
    p_wrong, p_guessed, suggested = np.empty(N), np.empty(N), np.empty(N, np.int64)
    T, right = np.ascontiguousarray(model.transition.T), np.diag(model.transition)
    for rows, given, z in evidence.chunks():
        each = np.arange(len(given))
        joint = model.scaling.relative(z)
        joint /= joint.sum(1, keepdims=True)
        own = joint[each, given]
        joint *= T[given]
        explained = joint[each, given]
        joint[each, given] = 0
        others = joint.sum(1)
        p_wrong[rows] = others / (others + explained)
        suggested[rows] = _likeliest(joint, z, given, each)
        guess = (1 - GUESSED) * (others + explained) + GUESSED * own
        p_guessed[rows] = 1 - own * ((1 - GUESSED) * right[given] + GUESSED * own) / guess
    return p_wrong, p_guessed, suggested


def _likeliest(joint: Floats, z: Floats, given: NDArray[np.int64], each: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the largest class besides the given one; where all others have come to nothing, that of z."""
    found: NDArray[np.int64] = joint.argmax(1)
    nothing = found == given
    if nothing.any():
        rest = z[nothing].copy()
        rest[np.arange(len(rest)), given[nothing]] = -np.inf
        found[nothing] = rest.argmax(1)
    return found
