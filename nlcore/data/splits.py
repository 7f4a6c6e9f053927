"""Which samples are taken out of a training set: held out for validation, trusted, or a part of several in turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nlcore.contracts import Labels
from nlcore.data.seeds import derive_seed


def held_out(given: Labels, fraction: float, noise_seed: int) -> Labels:
    """Return the sorted positions held out for validation: the same share of each given label, at random."""
    rng = np.random.default_rng(derive_seed(noise_seed, "validation"))
    found = []
    for label in np.unique(given):
        members = np.flatnonzero(given == label)
        found.append(rng.permutation(members)[: round(fraction * len(members))])
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)


def k_folds(given: Labels, folds: int, seed: int) -> list[Labels]:
    """
    Return the sorted positions of each of `folds` parts of a training set, drawn with the same shares of given labels.

    Args:
        given: int64 (N,), the given labels.
        folds: 2 or more; parts may be empty where there are fewer samples than that.
        seed: of the draws.

    """
    rng = np.random.default_rng(derive_seed(seed, f"{folds} folds"))
    part = np.empty(len(given), np.int64)
    turn = 0
    for label in np.unique(given):
        members = rng.permutation(np.flatnonzero(given == label))
        part[members] = (np.arange(len(members)) + turn) % folds
        turn += len(members)  # so that the parts are of one size, too
    return [np.flatnonzero(part == number) for number in range(folds)]


def evenly(labels: Labels, count: int, noise_seed: int) -> Labels:
    """
    Return `count` sorted positions at random, as many of each class as there are.

    Args:
        labels: int64 (N,); those below 0 do not count.
        count: how many; fewer are returned where there are no more.
        noise_seed: of the draws.

    """
    rng = np.random.default_rng(derive_seed(noise_seed, "trusted"))
    turns: list[NDArray[np.floating]] = [np.empty(0)]
    members = [np.empty(0, np.int64)]
    for label in np.unique(labels[labels >= 0]):
        of_class = rng.permutation(np.flatnonzero(labels == label))
        members.append(of_class)
        turns.append(np.arange(len(of_class)) + rng.random())  # classes take turns, in an order that is drawn
    order = np.argsort(np.concatenate(turns), kind="stable")
    chosen: Labels = np.sort(np.concatenate(members)[order[:count]])
    return chosen
