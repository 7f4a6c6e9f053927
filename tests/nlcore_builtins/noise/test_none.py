"""No added noise."""

from __future__ import annotations

import numpy as np

import nlcore

LABELS = np.array([2, 0, 1, 1, 2], dtype=np.int64)


def test_labels_stay() -> None:
    """The given labels are a copy, so that changing one array does not change the other."""
    given = nlcore.create("noise", "none").corrupt(LABELS, 3, np.random.default_rng(1))
    assert given.dtype == np.int64
    assert np.array_equal(given, LABELS)
    assert not np.shares_memory(given, LABELS)


def test_draws_nothing() -> None:
    """The generator is where it was."""
    rng = np.random.default_rng(1)
    nlcore.create("noise", "none").corrupt(LABELS, 3, rng)
    assert rng.random() == np.random.default_rng(1).random()


def test_declares_no_wrong_labels() -> None:
    """A rate of 0 and the identity."""
    info = nlcore.create("noise", "none").declared(4)
    assert info.rate == 0
    assert np.array_equal(info.transition, np.eye(4))
