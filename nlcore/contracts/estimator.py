"""What an estimator is: from out-of-sample predictions to the noise rate and the transition matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from nlcore.contracts.dataset import Labels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Evidence:
    """
    What is known of the training samples without their true labels.

    Attributes:
        given: int64 (N,), the given labels.
        probabilities: float64 (N, K), rows sum to 1: what networks predict that have not seen the sample.
        features: float32 (N, D) of the same networks, or None.
        seed: for estimators that draw.

    """

    given: Labels
    probabilities: NDArray[np.float64]
    features: NDArray[np.float32] | None = None
    seed: int = 0

    @property
    def num_classes(self) -> int:
        """K."""
        return int(self.probabilities.shape[1])


@dataclass(frozen=True)
class Estimate:
    """
    What an estimator finds.

    Attributes:
        rate: the fraction of wrong labels, 0..1; None where the evidence does not tell.
        transition: float64 (K, K), row-stochastic: T[i, j] = P(given = j | true = i); None where it gives none.
        note: what a user should know of this estimate, a sentence, or empty.

    """

    rate: float | None
    transition: NDArray[np.float64] | None = None
    note: str = ""


class Estimator(Protocol):
    """
    From out-of-sample predictions to the noise rate and the transition matrix.

    Attributes:
        assumes: a sentence: under what the estimate is right.

    """

    assumes: ClassVar[str]

    def estimate(self, evidence: Evidence) -> Estimate:
        """Return rate and matrix; the same evidence gives the same estimate."""
