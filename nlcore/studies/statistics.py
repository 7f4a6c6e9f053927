"""
The statistics of a table: mean and spread over runs, paired differences, Holm's adjustment, and which one is best.

Everything is of plain numbers, in the unit in which they come.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: The level of every test, and the intervals' other side: 95 %.
LEVEL = 0.05


@dataclass(frozen=True)
class Spread:
    """
    Values of several runs.

    Attributes:
        mean: their mean; None where there is no value.
        std: their standard deviation, with n − 1 below the line; None of fewer than two.
        n: how many there are.

    """

    mean: float | None
    std: float | None
    n: int


@dataclass(frozen=True)
class Difference:
    """
    How much larger values are than others that they are paired with.

    Attributes:
        mean: of the differences.
        low, high: the ends of the 95 % interval of the mean; None of fewer than two pairs, and where all
            differences are the same, which says nothing of how they vary.
        p: of the two-sided paired t-test; None where there is no interval.
        n: how many pairs there are.

    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Return mean and standard deviation."""
    mean = statistics.fmean(values) if values else None
    return Spread(mean, statistics.stdev(values) if len(values) > 1 else None, len(values))


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean of values by Student's t, None where they do not vary."""
    found = _student(values)
    return None if found is None else found[:2]


def paired(values: Sequence[float], others: Sequence[float]) -> Difference:
    """
    Return the mean of the differences `values` − `others` with its interval and the paired t-test (Student 1908).

    Args:
        values: at least one.
        others: as many, each the partner of the value in its place.

    """
    differences = [value - other for value, other in zip(values, others, strict=True)]
    size = max(map(abs, (*values, *others)))
    found = _student(differences, size)
    low, high, p = (None, None, None) if found is None else found
    return Difference(statistics.fmean(differences), low, high, p, len(differences))


def _student(values: Sequence[float], size: float = 0.0) -> tuple[float, float, float] | None:
    """
    Return the 95 % interval of the mean and the p-value of its being 0; None where the values do not vary.

    `size` is that of the numbers which the values are differences of: differences of rounding do not count.
    """
    n = len(values)
    if n < 2 or max(values) - min(values) <= 1e-12 * max(size, *map(abs, values)):
        return None
    from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

    mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(n)
    half = float(stdtrit(n - 1, 1 - LEVEL / 2)) * error
    return mean - half, mean + half, 2 * float(stdtr(n - 1, -abs(mean) / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """
    Return p-values adjusted for being several, in the order given (Holm 1979).

    The i-th smallest of m is multiplied by m − i + 1, is no smaller than those before it, and at most 1.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def significantly_best(differences: Sequence[Difference | None]) -> bool:
    """
    Return whether the best of a column is so significantly.

    It is where its paired difference to each of the other k − 1 rows has p ≤ 0.05 / (k − 1). A row that is not truly
    the only best one has a rival at least as good, so it passes with probability at most 0.025 / (k − 1); any of k does
    with at most 5 % (Bonferroni).

    Args:
        differences: to each other row, above 0 where the best one is better; None where two cannot be paired, which
            counts as not told apart.

    """
    limit = LEVEL / max(1, len(differences))
    return bool(differences) and all(
        one is not None and one.p is not None and one.mean > 0 and one.p <= limit for one in differences
    )


def best_of(means: Mapping[int, float], better: str) -> int:
    """Return the place of the best of at least one mean; `better` is ``higher`` or ``lower``."""
    return (max if better == "higher" else min)(means, key=means.__getitem__)
