"""The statistics of tables, against scipy and worked by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from nlcore.studies.statistics import (
    Difference,
    Spread,
    best_of,
    holm,
    interval,
    paired,
    significantly_best,
    spread,
)


def test_mean_and_standard_deviation_with_n_minus_1() -> None:
    """(1 + 2 + 6) / 3 = 3; ((−2)² + (−1)² + 3²) / 2 = 7."""
    found = spread([1.0, 2.0, 6.0])
    assert (found.mean, found.std, found.n) == pytest.approx((3.0, math.sqrt(7), 3))


def test_one_value_has_no_spread_and_none_has_no_mean() -> None:
    assert spread([0.5]) == Spread(0.5, None, 1)
    assert spread([]) == Spread(None, None, 0)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_paired_differences_are_scipys(n: int) -> None:
    rng = np.random.default_rng(n)
    values, others = rng.normal(0.8, 0.02, n), rng.normal(0.79, 0.02, n)
    expected = stats.ttest_rel(values, others)
    low, high = expected.confidence_interval(0.95)
    found = paired(values.tolist(), others.tolist())
    assert found.mean == pytest.approx((values - others).mean())
    assert (found.low, found.high, found.p) == pytest.approx((low, high, expected.pvalue))
    assert found.n == n


def test_the_interval_of_a_mean_is_scipys() -> None:
    values = [0.1, 0.4, 0.35, 0.8]
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert interval(values) == pytest.approx(expected)


@pytest.mark.parametrize(("values", "others"), [([0.5], [0.4]), ([0.5, 0.6], [0.4, 0.5]), ([0.1, 0.7], [0.1, 0.7])])
def test_no_interval_of_one_pair_or_of_differences_that_do_not_vary(values: list[float], others: list[float]) -> None:
    """0.6 − 0.5 and 0.5 − 0.4 differ in their last bit, which is no spread."""
    found = paired(values, others)
    assert (found.low, found.high, found.p) == (None, None, None)
    assert found.mean == pytest.approx(values[0] - others[0])


def test_holm_by_hand() -> None:
    """Of 4: 0.01 · 4, 0.02 · 3 = 0.06, 0.03 · 2 = 0.06, 0.04 · 1, which is not smaller than 0.06 before it."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_rejects_what_its_steps_down_reject() -> None:
    """Holm's own rule: from the smallest on, reject while p ≤ 0.05 / (m − i + 1)."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        p_values = rng.beta(0.3, 3, size=5).tolist()
        steps = [p <= 0.05 / (5 - rank) for rank, p in enumerate(sorted(p_values))]
        rejected = sum(1 for _ in itertools.takewhile(bool, steps))
        assert sum(p <= 0.05 for p in holm(p_values)) == rejected


def difference(p: float | None, mean: float = 0.1) -> Difference:
    """Return a difference with this p-value."""
    return Difference(mean, None, None, p, 3)


def test_the_best_must_be_told_apart_from_every_other() -> None:
    """With two rivals the limit is 0.05 / 2."""
    assert significantly_best([difference(0.025), difference(0.001)])
    assert not significantly_best([difference(0.026), difference(0.001)])
    assert significantly_best([difference(0.05)])


def test_who_cannot_be_told_apart_is_not_best() -> None:
    assert not significantly_best([])
    assert not significantly_best([difference(0.001), None])
    assert not significantly_best([difference(None)])
    assert not significantly_best([difference(0.001, mean=-0.1)])


def test_a_mark_is_wrong_in_at_most_one_of_twenty_tables() -> None:
    """Four equal rows over three seeds: whichever comes out best is hardly ever marked."""
    rng = np.random.default_rng(1)
    marked, tables = 0, 1000
    for _ in range(tables):
        rows = rng.normal(size=(4, 3))
        best = best_of(dict(enumerate(rows.mean(axis=1).tolist())), "higher")
        others = [row for place, row in enumerate(rows) if place != best]
        marked += significantly_best([paired(rows[best].tolist(), row.tolist()) for row in others])
    assert marked / tables <= 0.05


def test_which_way_is_better() -> None:
    assert best_of({3: 0.1, 5: 0.2}, "higher") == 5
    assert best_of({3: 0.1, 5: 0.2}, "lower") == 3
