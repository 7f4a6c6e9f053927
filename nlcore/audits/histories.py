"""Histories of trainings: of each sample the margins that they went through, see `nlcore.runs.margins`."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from nlcore.runs.margins import Matrix


def shown_in_each_epoch(margins: Matrix | None) -> bool:
    """Return whether each epoch of a training, (E, N), has shown some sample; not where none was recorded."""
    return margins is not None and not bool(np.isnan(margins).all(1).any())


class Histories:
    """
    The histories of several trainings as one: the mean over those that have seen the sample.

    A network that an epoch did not show a sample is taken to hold of it what it held before.
    """

    def __init__(self, samples: int) -> None:
        self._sums: NDArray[np.float64] | None = None
        self._counts = np.zeros(samples)
        self.complete = True

    def add(self, margins: Matrix | None) -> None:
        """Take the margins of one training, (E, N); None where they were not recorded."""
        if margins is None:
            self.complete = False
            return
        held = margins.copy()
        for before, row in itertools.pairwise(held):
            np.copyto(row, before, where=np.isnan(row))
        for after, row in itertools.pairwise(held[::-1]):  # before it was shown for the first time
            np.copyto(row, after, where=np.isnan(row))
        seen = ~np.isnan(held[0])
        if self._sums is None:
            self._sums = np.zeros(held.shape)
        self._sums[:, seen] += held[:, seen]
        self._counts += seen

    def margins(self, otherwise: NDArray[np.floating]) -> Matrix | None:
        """
        Return the mean margins, float32 (E, N), or None where a training has recorded none.

        Args:
            otherwise: (N,), for samples that no network was trained on.

        """
        if self._sums is None or not self.complete or not self._counts.any():
            return None
        mean = self._sums / np.maximum(self._counts, 1)
        found: Matrix = np.where(self._counts > 0, mean, otherwise).astype(np.float32)
        return found
