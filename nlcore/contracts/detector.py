"""What a detector is: from predictions, features and histories to how suspicious each given label is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from nlcore.contracts.dataset import Labels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: About how many numbers of a large array are worked on at once: 2 MB of float64.
_AT_ONCE = 1 << 18


class Rows(Protocol):
    """Log probabilities (N, K): an array, or what is indexed like one and works its rows out when asked for them."""

    @property
    def shape(self) -> tuple[int, int]:
        """(N, K)."""

    def __getitem__(self, rows: slice | NDArray[np.int64], /) -> NDArray[np.float64]:
        """Return the rows of a slice, or at positions int64 (n,): float64 (n, K), their exponentials sum to 1."""


@dataclass(frozen=True, eq=False)
class LabelEvidence:
    """
    What is known of samples whose labels may be wrong.

    Histories are of the epochs of a training that has seen the sample: E epochs, one row each.

    Attributes:
        given: int64 (N,), the given labels, 0..K-1.
        log_probabilities: (N, K), of models that have not seen the sample. It may be far larger than memory allows:
            go through it by `chunks`.
        features: float (N, D), any precision, or None.
        in_sample: log probabilities (N, K) of models that were trained on the sample, or None.
        margins: float (E, N), logit of the given label less the largest other one, or None.
        learnt: bool (E, N), whether the given label was predicted, or None.
        seed: for detectors that draw.

    """

    given: Labels
    log_probabilities: Rows
    features: NDArray[np.floating] | None = None
    in_sample: Rows | None = None
    margins: NDArray[np.floating] | None = None
    learnt: NDArray[np.bool_] | None = None
    seed: int = 0

    @property
    def num_classes(self) -> int:
        """K."""
        return self.log_probabilities.shape[1]

    def chunks(self) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.float64]]]:
        """Yield which rows, their given labels int64 (n,) and log probabilities float64 (n, K), a few MB at a time."""
        for rows in row_chunks(*self.log_probabilities.shape):
            yield rows, self.given[rows], self.log_probabilities[rows]

    def missing(self, needs: Sequence[str]) -> list[str]:
        """Return which of the names of attributes are None here."""
        return [name for name in needs if getattr(self, name) is None]


def row_chunks(length: int, width: int) -> Iterator[slice]:
    """Yield slices that go through `length` rows of `width` numbers, a few MB of float64 at a time."""
    step = max(1, _AT_ONCE // max(1, width))
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


@dataclass(frozen=True, eq=False)
class Detection:
    """
    What a detector finds.

    Attributes:
        score: float64 (N,), finite: the larger, the more suspicious is the given label.
        suggested: int64 (N,), for each sample the likeliest class besides the given one.
        probability: whether the score is P(the given label is wrong), 0..1; where not, it only ranks.
        flagged: bool (N,), the labels that the method itself calls wrong; None where it only ranks, and where the
            score is a probability and those above one half are meant.

    """

    score: NDArray[np.float64]
    suggested: NDArray[np.int64]
    probability: bool = False
    flagged: NDArray[np.bool_] | None = None


class Detector(Protocol):
    """
    From predictions, features and histories to how suspicious each given label is.

    Rows are samples in no particular order: sorted otherwise, each sample gets the same score, but for rounding and for
    what is drawn.

    Attributes:
        needs: the attributes of `LabelEvidence` beyond labels and log probabilities that it cannot do without, such as
            ``("features",)``; empty where it needs none.

    """

    needs: ClassVar[tuple[str, ...]]

    def detect(self, evidence: LabelEvidence) -> Detection:
        """Return scores and suggestions; the evidence has what the detector `needs`, and stays as it is."""
