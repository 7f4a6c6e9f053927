"""Which labels are wrong: on simulations whose posterior is exact, in odd cases, and for wrong input."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audit_data import Known, auroc, average_precision, pair, simulated
from hypothesis import given, settings
from hypothesis import strategies as st

import nlcore
from nlcore import LabelIssues, UserError, label_issues


def exact_posterior(known: Known, transition: Any) -> Any:
    """P(wrong) by Bayes' rule with the true matrix."""
    joint = np.exp(known.log_p) * transition.T[known.given]
    return 1 - joint[np.arange(len(joint)), known.given] / joint.sum(1)


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_the_noise_model_is_nearly_the_exact_posterior(rate: float) -> None:
    T = pair(6, rate)
    known = simulated(T, 8000)
    found = label_issues(known.given, logits=known.log_p)
    exact = exact_posterior(known, T)
    assert abs(found.p_wrong - exact).mean() < 0.02
    assert average_precision(known.wrong, found.score) > average_precision(known.wrong, exact) - 0.02  # the prior on T
    assert found.interval is not None
    assert found.interval[0] == pytest.approx(rate, abs=0.02)
    assert found.interval[0] <= found.interval[1]


def test_scale_and_class_offsets_of_the_logits_do_not_matter() -> None:
    known = simulated(pair(5, 0.1))
    plain = label_issues(known.given, logits=known.log_p)
    other = label_issues(known.given, logits=7 * known.log_p + np.array([3.0, 0, -2, 1, 0]))
    assert auroc(known.wrong, other.score) == pytest.approx(auroc(known.wrong, plain.score), abs=0.003)
    assert other.p_wrong == pytest.approx(plain.p_wrong, abs=0.02)


def test_suggestions_are_the_true_labels_of_what_is_flagged() -> None:
    known = simulated(pair(5, 0.1))
    found = label_issues(known.given, logits=known.log_p)
    right = (found.suggested == known.true)[found.flagged & known.wrong]
    assert right.mean() > 0.95
    assert (found.suggested != known.given).all()
    assert (found.flagged == (found.p_wrong > 0.5)).all()


def test_labels_that_are_all_right() -> None:
    known = simulated(np.eye(4), clear=4)
    found = label_issues(known.given, logits=known.log_p)
    assert found.interval is not None
    assert found.interval[0] < 0.005
    assert found.flagged.mean() < 0.001


def test_the_order_of_the_rows_does_not_matter() -> None:
    known = simulated(pair(4, 0.15), size=3000)
    p = np.exp(known.log_p)
    order = np.random.default_rng(5).permutation(len(p))
    one, other = label_issues(known.given, p), label_issues(known.given[order], p[order])
    assert other.p_wrong == pytest.approx(one.p_wrong[order], abs=1e-9)
    assert (other.suggested == one.suggested[order]).all()
    assert other.interval == pytest.approx(one.interval, abs=1e-9)


@pytest.mark.slow
def test_the_order_does_not_matter_where_a_part_is_fitted_to() -> None:
    known = simulated(pair(60, 0.1), size=30_000)  # more than a million numbers
    order = np.random.default_rng(5).permutation(len(known.given))
    z = known.log_p.astype(np.float32)
    one, other = label_issues(known.given, logits=z), label_issues(known.given[order], logits=z[order])
    assert other.p_wrong == pytest.approx(one.p_wrong[order], abs=1e-9)
    assert other.interval == pytest.approx(one.interval, abs=1e-9)
    again = label_issues(known.given, logits=z, seed=1)
    assert (again.p_wrong != one.p_wrong).any()
    assert again.interval == pytest.approx(one.interval, abs=0.01)


def test_a_rare_class_keeps_its_labels() -> None:
    rng = np.random.default_rng(0)
    true = np.repeat(np.arange(4), [600, 600, 600, 60])
    given = np.where(rng.random(len(true)) < 0.09, (true + rng.integers(1, 4, len(true))) % 4, true)
    prior = np.log(np.bincount(true) / len(true))
    z = 2.5 * (2.5 * np.eye(4)[true] + rng.standard_normal((len(true), 4))) + prior
    found = label_issues(given, logits=z)
    assert (given != true)[found.order[:50]].mean() >= 0.9
    rare = given == 3
    assert found.p_wrong[rare].mean() == pytest.approx((given != true)[rare].mean(), abs=0.1)


def test_a_class_that_is_never_predicted_is_not_accused() -> None:
    rng = np.random.default_rng(0)
    true = np.repeat(np.arange(4), [600, 600, 600, 60])
    given = np.where(rng.random(len(true)) < 0.09, (true + rng.integers(1, 4, len(true))) % 4, true)
    z = 2.5 * (
        2.5 * np.eye(4)[true % 3] + rng.standard_normal((len(true), 4))
    )  # which takes the rare class for the first
    z[:, 3] -= 12
    found = label_issues(given, logits=z)
    assert found.never_predicted == (3,)
    assert not found.flagged[given == 3].any()
    assert found.interval is not None
    assert found.interval[0] <= (given != true).mean() + 0.02


def test_a_second_view_raises_the_ranking() -> None:
    known = simulated(pair(5, 0.1), clear=1.5)
    rng = np.random.default_rng(8)
    views = [1.5 * (1.5 * np.eye(5)[known.true] + rng.standard_normal((len(known.true), 5))) for _ in range(2)]
    alone = label_issues(known.given, logits=views[0])
    probabilities = np.exp(views[1]) / np.exp(views[1]).sum(1, keepdims=True)
    for second in (views[1], probabilities, 9 * views[1]):
        both = label_issues(known.given, logits=views[0], also=[second])
        assert average_precision(known.wrong, both.score) > average_precision(known.wrong, alone.score) + 0.1
    useless = label_issues(known.given, logits=views[0], also=[rng.standard_normal((len(known.true), 5))])
    loss = average_precision(known.wrong, alone.score) - average_precision(known.wrong, useless.score)
    assert loss < 0.01


def test_no_number_where_the_model_is_too_weak() -> None:
    rng = np.random.default_rng(0)
    given = rng.integers(0, 10, 2000)
    weak = label_issues(given, logits=np.eye(10)[given] * 0.5 + rng.standard_normal((2000, 10)))
    assert weak.disagreement > 0.35
    assert (weak.interval, weak.rate, weak.expected_precision(10)) == (None, None, None)
    assert "too weak" in weak.reason


def test_expected_precision_is_the_mean_of_p_wrong() -> None:
    known = simulated(pair(5, 0.1))
    found = label_issues(known.given, logits=known.log_p)
    top = np.sort(found.p_wrong)[::-1]
    assert found.expected_precision(200) == pytest.approx(top[:200].mean())
    assert found.expected_precision(200) == pytest.approx(known.wrong[found.order[:200]].mean(), abs=0.05)
    for k in (0, 5000):
        with pytest.raises(UserError, match="list has 4,000 samples"):
            found.expected_precision(k)


@pytest.mark.parametrize("detector", ["noise_model", "margin", "self_confidence", "confident_learning", "loss_gmm"])
def test_any_detector_ranks(detector: str) -> None:
    known = simulated(pair(5, 0.1))
    found = label_issues(known.given, logits=known.log_p, detector=detector)
    assert auroc(known.wrong, found.score) > 0.9
    assert found.detector == detector
    if detector == "noise_model":
        evidence = nlcore.contracts.LabelEvidence(known.given, known.log_p)
        by_name = nlcore.create("detector", detector).detect(evidence)
        assert by_name.score == pytest.approx(found.score, abs=1e-6)


def test_a_detector_says_what_it_lacks() -> None:
    known = simulated(pair(3, 0.1), size=100)
    with pytest.raises(UserError, match="knn needs features; give features="):
        label_issues(known.given, logits=known.log_p, detector="knn")
    with pytest.raises(UserError, match="nosuch"):
        label_issues(known.given, logits=known.log_p, detector="nosuch")


P = np.full((6, 3), 1 / 3)
Y = [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("labels", "arguments", "message"),
    [
        ([0, 1, 3, 0, 1, 2], {"probabilities": P}, "1 label of 6 are outside|outside 0..2, the first one 3 in row 2"),
        ([0, 1, -1, 0, 1, 2], {"probabilities": P}, "outside 0..2"),
        (Y, {"probabilities": P * 1.2}, "sums to 1.2 in row 0, not to 1"),
        (Y, {"probabilities": P - [0.5, -0.25, -0.25]}, "has -0.167 in row 0; probabilities are 0..1"),
        (Y, {"probabilities": np.where(np.arange(6)[:, None] == 4, np.nan, P)}, "NaN or infinite in row 4"),
        (Y, {"logits": np.where(np.arange(6)[:, None] == 5, np.inf, P)}, "NaN or infinite in row 5"),
        (Y, {"logits": P[:5]}, "6 labels and 5 rows"),
        (Y, {"logits": P[0]}, r"shape \(3,\)"),
        (Y, {"logits": P[:, :1]}, r"K > 1"),
        (Y, {"logits": P, "also": [P[:, :2]]}, r"also\[0\] is \(6, 2\), and logits \(6, 3\)"),
        (Y, {"logits": P, "also": [P[:, :2] * np.inf]}, r"also\[0\] has a value that is NaN or infinite"),
        ([1] * 6, {"logits": P}, "All labels are of class 1"),
        ([0, 1], {"logits": P[:2]}, "There are 2 samples"),
        ([], {"logits": np.empty((0, 3))}, "There are 0 samples"),
        ([0.5] * 6, {"logits": P}, "whole numbers"),
        (list("abcabc"), {"logits": P}, "whole numbers"),
        (Y, {"logits": np.array([list("abc")] * 6)}, "give numbers"),
        ([Y], {"logits": P}, "one for each sample"),
        (Y, {}, "Give either"),
        (Y, {"logits": P, "probabilities": P}, "Give either"),
        (Y, {"logits": P, "features": np.ones((5, 2))}, "features has the shape"),
        (Y, {"logits": P, "margins": np.ones((6, 2))}, r"give \(epochs, N\)"),
        ([0, 1, 2, 0, 1, [2]], {"logits": P}, "labels: the rows are of different lengths"),
        (Y, {"probabilities": [*P[:5].tolist(), [1.0]]}, "probabilities: the rows are of different lengths"),
        (Y, {"logits": P, "also": [[*P[:5].tolist(), [1.0]]]}, r"also\[0\]: the rows are of different lengths"),
        (Y, {"logits": P, "features": [*P[:5].tolist(), [1.0]]}, "features: the rows are of different lengths"),
        (Y, {"logits": P, "features": [["a"]] * 6}, "features is <U1; give numbers"),
        (Y, {"logits": P, "seed": -1}, "seed = -1: must be a whole number, 0 or more"),
        (Y, {"logits": P, "seed": "one"}, "seed = 'one': must be a whole number"),
        (Y, {"logits": P, "features": np.full((6, 2), np.nan)}, "features has values that are NaN"),
    ],
)
def test_what_is_wrong_is_said(labels: Any, arguments: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        label_issues(labels, **arguments)


def assert_whole(found: LabelIssues, labels: Any, K: int) -> None:
    assert np.isfinite(found.score).all()
    assert ((found.p_wrong >= 0) & (found.p_wrong <= 1)).all()
    assert ((found.p_guessed >= -1e-12) & (found.p_guessed <= 1 + 1e-12)).all()
    assert ((found.suggested != labels) & (found.suggested >= 0) & (found.suggested < K)).all()
    if found.interval is not None:
        assert 0 <= found.interval[0] <= found.interval[1] <= 1
        assert found.rate == pytest.approx(sum(found.interval) / 2)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    K=st.integers(2, 12),
    size=st.integers(5, 80),
    scale=st.sampled_from([0.0, 1e-6, 1.0, 30.0, 1e6]),
    learnt=st.booleans(),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
)
def test_whatever_comes_gives_whole_numbers(
    seed: int, K: int, size: int, scale: float, learnt: bool, dtype: str
) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1], rng.integers(0, K, size - 2)])
    z = (scale * (rng.standard_normal((size, K)) + 3 * learnt * np.eye(K)[labels])).clip(-6e4, 6e4).astype(dtype)
    assert_whole(label_issues(labels, logits=z), labels, K)
    p = np.exp(z.astype(float) - z.max(1, keepdims=True))
    p = (p / p.sum(1, keepdims=True)).astype(dtype)  # down to exact zeros and ones
    assert_whole(label_issues(labels, p, also=[z]), labels, K)


def test_certain_predictions() -> None:
    known = simulated(pair(4, 0.1), size=1000, clear=4)
    certain = np.eye(4)[known.log_p.argmax(1)]
    found = label_issues(known.given, certain)
    assert auroc(known.wrong, found.score) > 0.95
    assert found.interval is not None
    assert found.interval[0] == pytest.approx(0.1, abs=0.03)


def test_a_class_that_nobody_was_given() -> None:
    known = simulated(pair(4, 0.1), size=1000)
    found = label_issues(known.given, logits=np.column_stack([known.log_p, np.full(1000, -20.0)]))
    assert auroc(known.wrong, found.score) > 0.95
    assert (found.suggested != 4).all()


@pytest.mark.slow
def test_time_and_memory(tmp_path: Path) -> None:
    known = simulated(pair(10, 0.1), size=50_000)
    z = known.log_p.astype(np.float32)
    label_issues(known.given[:100], logits=z[:100])
    begin = time.process_time()
    label_issues(known.given, logits=z)
    assert time.process_time() - begin < 3

    rng = np.random.default_rng(0)
    big = np.lib.format.open_memmap(tmp_path / "p.npy", "w+", np.float32, (200_000, 100))
    labels = rng.integers(0, 100, len(big))
    for start in range(0, len(big), 20_000):
        part = rng.random((20_000, 100), dtype=np.float32)
        part[np.arange(20_000), labels[start : start + 20_000]] += 20
        big[start : start + 20_000] = part / part.sum(1, keepdims=True)
    tracemalloc.start()
    label_issues(labels, np.load(tmp_path / "p.npy", mmap_mode="r"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < big.nbytes  # which does not grow with the rows: 70 MB are the 10,000 that are fitted to


def test_importing_nlcore_does_not_import_numpy() -> None:
    code = "import sys, nlcore; print('numpy' in sys.modules, nlcore.label_issues.__name__, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "label_issues", "True"]
