"""Rows against each other: the difference to a baseline, and which one is best."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run, make_study
from scipy import stats

from nlcore.errors import ParameterError, UserError
from nlcore.studies.comparison import BASELINE, Compared, compare, read_baseline
from nlcore.studies.groups import Groups, group
from nlcore.studies.metrics import metric_of_runs
from nlcore.studies.read import read_runs

CE, GCE, ELR = [0.50, 0.52, 0.51], [0.60, 0.63, 0.60], [0.55, 0.50, 0.56]


def compared(
    folder: Path, by: str, baseline: str | None = None, metric: str = "last"
) -> dict[tuple[Any, ...], Compared]:
    """Return one number of every row, by the row's key."""
    runs = read_runs(folder).runs
    groups = group(runs, by.split(","))
    against = read_baseline(baseline, groups) if baseline else None
    return {one.row.key: one for one in compare(groups, metric_of_runs(metric, runs), against)}


def grouped(folder: Path, by: str) -> Groups:
    """Return the runs of a folder in rows."""
    return group(read_runs(folder).runs, by.split(","))


def test_differences_are_of_equal_seeds_and_adjusted_over_the_rows(tmp_path: Path) -> None:
    make_study(tmp_path, {"cross_entropy": CE, "gce": GCE, "elr": ELR})
    found = compared(tmp_path, "loss", "cross_entropy")
    for loss, values in (("gce", GCE), ("elr", ELR)):
        difference, expected = found[loss,].difference, stats.ttest_rel(values, CE)
        assert difference is not None
        assert (difference.n, difference.p) == pytest.approx((3, expected.pvalue))
        assert (difference.low, difference.high) == pytest.approx(tuple(expected.confidence_interval()))
    small, large = (stats.ttest_rel(values, CE).pvalue for values in (GCE, ELR))
    assert (found["gce",].p_holm, found["elr",].p_holm) == pytest.approx((2 * small, max(large, 2 * small)))
    assert found["cross_entropy",].no_difference == BASELINE


def test_only_seeds_that_both_have_are_paired(tmp_path: Path) -> None:
    make_study(tmp_path, {"cross_entropy": [0.5, 0.5], "gce": [0.6, 0.7, 0.9]})
    found = compared(tmp_path, "loss", "cross_entropy")["gce",]
    assert found.spread.n == 3
    assert found.difference is not None
    assert (found.difference.n, found.difference.mean) == pytest.approx((2, 0.15))


def test_no_difference_where_labels_are_others_than_the_baselines(tmp_path: Path) -> None:
    make_study(tmp_path, {"cross_entropy": CE}, labels="a")
    make_study(tmp_path, {"gce": GCE}, labels="b")
    found = compared(tmp_path, "loss", "cross_entropy")["gce",]
    assert found.difference is None
    assert found.no_difference == "trained on other labels than the baseline"
    assert not found.significant


def test_no_difference_without_common_seeds(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5], loss="cross_entropy", seed=1)
    make_run(tmp_path, [0.5], loss="gce", seed=2)
    found = compared(tmp_path, "loss", "cross_entropy")["gce",]
    assert found.no_difference == "no run of the same seeds as the baseline's"


def test_the_baseline_is_that_of_the_same_circumstances(tmp_path: Path) -> None:
    for rate, base in ((0.2, 0.8), (0.5, 0.6)):
        make_run(tmp_path, [base], loss="cross_entropy", noise__rate=rate)
        make_run(tmp_path, [base + 0.1 * rate], loss="gce", noise__rate=rate)
    make_run(tmp_path, [0.3], loss="gce", noise__rate=0.8)
    found = compared(tmp_path, "loss,loss.q,noise.rate", "cross_entropy")
    means = {key: one.difference.mean for key, one in found.items() if one.difference}
    assert means == pytest.approx({("gce", 0.7, 0.2): 0.02, ("gce", 0.7, 0.5): 0.05})
    assert found["gce", 0.7, 0.8].no_difference == "there is no cross_entropy to hold it against"


def test_a_baseline_of_several_words(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5], loss="gce", loss__q=0.3)
    make_run(tmp_path, [0.6], loss="gce", loss__q=0.7)
    make_run(tmp_path, [0.7], loss="mae")
    groups = grouped(tmp_path, "loss,loss.q")
    with pytest.raises(UserError, match=r"row loss gce, loss\.q 0\.3 or .* Say which: loss=gce,loss\.q=0\.3\."):
        compare(groups, metric_of_runs("last", ()), read_baseline("gce", groups))
    found = compared(tmp_path, "loss,loss.q", "loss=gce,loss.q=0.3")["mae", None].difference
    assert found is not None
    assert found.mean == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        ("", "baseline: name a value of loss. There are cross_entropy, gce"),
        ("ce", "no run has loss ce. Did you mean 'cross_entropy'? There are cross_entropy, gce"),
        ("strategy=standard", "baseline strategy=standard: strategy is not in by, where there is loss"),
        ("loss=elr", "no run has loss elr. There are"),
    ],
)
def test_a_baseline_that_is_not_there(baseline: str, said: str, tmp_path: Path) -> None:
    make_study(tmp_path, {"cross_entropy": CE, "gce": GCE})
    with pytest.raises(ParameterError) as refused:
        read_baseline(baseline, grouped(tmp_path, "loss"))
    assert said in str(refused.value)


def test_the_best_is_marked_where_its_difference_to_each_other_row_is_significant(tmp_path: Path) -> None:
    """Against cross-entropy p is 0.0031, which is below 0.05 / 2 for two rivals; against ELR it depends on ELR."""
    make_study(tmp_path / "apart", {"cross_entropy": CE, "gce": GCE, "elr": [0.50, 0.53, 0.50]})
    make_study(tmp_path / "near", {"cross_entropy": CE, "gce": GCE, "elr": ELR})
    assert stats.ttest_rel(GCE, CE).pvalue < 0.025 < stats.ttest_rel(GCE, ELR).pvalue
    apart, near = (compared(tmp_path / name, "loss") for name in ("apart", "near"))
    assert [one.best for one in near.values()] == [False, False, True]
    assert not any(one.significant for one in near.values())
    assert not apart["gce",].significant  # differences to ELR are 0.1 three times: nothing is known of their spread


def test_lower_is_better_where_it_is(tmp_path: Path) -> None:
    for loss, values in (("cross_entropy", [0.50, 0.52, 0.51]), ("gce", [0.10, 0.15, 0.11])):
        for seed, value in enumerate(values, start=1):
            make_run(tmp_path, [0.5], loss=loss, seed=seed, result={"memorisation": {"memorised": value}})
    found = compared(tmp_path, "loss", metric="memorised")
    assert found["gce",].significant
    assert not found["cross_entropy",].best


def test_the_best_is_looked_for_in_each_column(tmp_path: Path) -> None:
    for rate, better, worse in ((0.2, "gce", "mae"), (0.5, "mae", "gce")):
        make_study(tmp_path, {better: [0.9, 0.91], worse: [0.5, 0.52]}, noise__rate=rate)
    best = [key for key, one in compared(tmp_path, "loss,noise.rate").items() if one.best]
    assert best == [("gce", 0.2), ("mae", 0.5)]


def test_a_diverged_run_counts_with_its_last_epoch_or_not_at_all(tmp_path: Path) -> None:
    make_run(tmp_path, [0.4], seed=1)
    make_run(tmp_path, [0.2], seed=2, result={"status": "diverged"})
    make_run(tmp_path, [], seed=3, result={"status": "diverged"})
    (found,) = compared(tmp_path, "loss").values()
    assert (found.spread.mean, found.spread.n) == pytest.approx((0.3, 2))
