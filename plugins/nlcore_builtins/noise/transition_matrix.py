"""
Noise by a given transition matrix (Patrini et al. 2017, arXiv:1609.03683): each label is drawn from its class's row.

    T[i, j] = P(given = j | true = i)        a fraction 1 − tr T / K ends up wrong, for balanced classes
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlcore import UserError, parameter
from nlcore.contracts import Labels, NoiseContext, NoiseInfo
from nlcore_builtins.noise.drawing import checked
from nlcore_builtins.transition import read_transition


@dataclass(frozen=True)
class TransitionMatrix:
    """
    Noise by a transition matrix from a file: each label is drawn from its class's row, by itself.

    T[i, j] = P(given = j | true = i), as .npy, .npz or .csv; rows sum to 1. What a run writes (its labels.npz holds the
    realised ``transition``) can be given here, too. Patrini et al. 2017.
    """

    file: str | None = parameter(None, "the matrix, .npy, .npz or .csv", path=True)

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """
        Return the given labels, int64 (N,), as a new array.

        Args:
            labels: true labels, int64 (N,), 0..K-1.
            num_classes: K.
            rng: the only source of randomness; one draw for each label.
            data: not used.

        Raises:
            UserError: no file, or not a row-stochastic matrix for K classes.
            ValueError: labels outside 0..K-1.

        """
        given = checked(labels, num_classes)
        T = self._read(num_classes)
        u = rng.random(len(given))
        for i in range(num_classes):
            mine = np.flatnonzero(labels == i)
            cumulative = np.cumsum(T[i])
            given[mine] = np.searchsorted(cumulative / cumulative[-1], u[mine], side="right")
        return given

    def declared(self, num_classes: int) -> NoiseInfo:
        """
        Return the expected fraction of wrong labels for balanced classes and T.

        Raises:
            UserError: as `corrupt`.

        """
        T = self._read(num_classes)
        return NoiseInfo(float(1 - np.trace(T) / num_classes), T)

    def _read(self, num_classes: int) -> NDArray[np.float64]:
        if not self.file:
            raise UserError("transition_matrix: which one? Give its file: --noise.file T.csv (or .npy, .npz).")
        return read_transition(self.file, num_classes)
