"""What stands under cleanlab's names, beside cleanlab itself and by its definitions."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from audit_data import pair, simulated
from hypothesis import given, settings
from hypothesis import strategies as st

from nlcore import UserError
from nlcore.compat.cleanlab import FILTERS, METHODS, PRUNING, find_label_issues, get_label_quality_scores


@functools.cache
def case(K: int, size: int, seed: int) -> tuple[Any, Any]:
    known = simulated(0.5 * pair(K, 0.2) + 0.5 * ((0.8 * np.eye(K)) + 0.2 / K), size, clear=1.7, seed=seed)
    return known.given, np.exp(known.log_p)


CASES = [(2, 400, 0), (3, 1000, 1), (7, 2000, 2), (10, 5000, 3)]


def cleanlab(module: str) -> Any:
    return pytest.importorskip(f"cleanlab.{module}", reason="cleanlab is not installed: it comes with nlcore[test-all]")


@pytest.mark.parametrize("size", CASES)
@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.filterwarnings("ignore:May not flag all label issues")
def test_the_same_labels_are_found(filter_by: str, size: tuple[int, int, int]) -> None:
    labels, p = case(*size)
    settings: list[dict[str, Any]] = [{}]
    if filter_by in PRUNING:
        settings += [{"frac_noise": 0.5}, {"min_examples_per_class": size[1] // size[0]}]
        settings += [{"confident_joint": np.eye(size[0], dtype=int) * 40 + 3}]
    if filter_by == "prune_by_class":
        settings += [{"num_to_remove_per_class": [3] * size[0]}]
    for given_settings in settings:
        arguments = {"filter_by": filter_by, "n_jobs": 1, **given_settings}
        theirs = cleanlab("filter").find_label_issues(labels, p, **arguments)
        ours = find_label_issues(labels, p, **arguments)
        assert (ours != theirs).sum() <= max(2, 0.02 * theirs.sum()), arguments  # what is rounded from a tie


@pytest.mark.parametrize("size", CASES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("adjust", [False, True])
def test_the_same_scores(method: str, adjust: bool, size: tuple[int, int, int]) -> None:
    if adjust and method == "confidence_weighted_entropy":
        pytest.skip("cleanlab does not adjust it")
    labels, p = case(*size)
    theirs = cleanlab("rank").get_label_quality_scores(labels, p, method=method, adjust_pred_probs=adjust)
    assert get_label_quality_scores(labels, p, method=method, adjust_pred_probs=adjust) == pytest.approx(theirs)


@pytest.mark.parametrize("method", METHODS)
def test_positions_are_sorted_by_score(method: str) -> None:
    labels, p = case(7, 2000, 2)
    found = find_label_issues(labels, p, return_indices_ranked_by=method)
    mask = find_label_issues(labels, p)
    assert sorted(found.tolist()) == np.flatnonzero(mask).tolist()
    assert (np.diff(get_label_quality_scores(labels, p, method=method)[found]) >= 0).all()
    if method != "confidence_weighted_entropy":
        adjusted = find_label_issues(
            labels, p, return_indices_ranked_by=method, rank_by_kwargs={"adjust_pred_probs": True}
        )
        score = get_label_quality_scores(labels, p, method=method, adjust_pred_probs=True)
        assert (np.diff(score[adjusted]) >= 0).all()


def test_by_definition() -> None:
    labels, p = case(3, 1000, 1)
    each = np.arange(len(labels))
    own = p[each, labels]
    rest = p.copy()
    rest[each, labels] = -np.inf
    assert get_label_quality_scores(labels, p) == pytest.approx(own)
    assert get_label_quality_scores(labels, p, method="normalized_margin") == pytest.approx((own - rest.max(1) + 1) / 2)
    e = -(p * np.log(p)).sum(1) / np.log(3) / own
    weighted = get_label_quality_scores(labels, p, method="confidence_weighted_entropy")
    assert weighted == pytest.approx(np.log(1 + e) / e)
    assert (find_label_issues(labels, p, filter_by="predicted_neq_given") == (p.argmax(1) != labels)).all()
    both = find_label_issues(labels, p, filter_by="both")
    by_rate, by_class = (find_label_issues(labels, p, filter_by=f"prune_by_{one}") for one in ("noise_rate", "class"))
    assert (both == by_rate & by_class).all()
    removed = find_label_issues(labels, p, filter_by="prune_by_class", num_to_remove_per_class=[4, 0, 2])
    assert np.bincount(labels[removed], minlength=3).tolist() == [4, 0, 2]
    lowest = np.sort(own[labels == 0])[:4]
    assert np.sort(own[removed & (labels == 0)]) == pytest.approx(lowest)


def test_float32_and_memory_maps(tmp_path: Any) -> None:
    labels, p = case(7, 2000, 2)
    np.save(tmp_path / "p.npy", p.astype(np.float32))
    mapped = np.load(tmp_path / "p.npy", mmap_mode="r")
    assert (find_label_issues(labels, mapped) != find_label_issues(labels, p)).sum() <= 2
    assert get_label_quality_scores(labels, mapped) == pytest.approx(get_label_quality_scores(labels, p), abs=1e-6)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(2, 8), st.integers(5, 60), st.sampled_from(FILTERS), st.floats(0.01, 3))
def test_whatever_comes_gives_a_mask(seed: int, K: int, size: int, filter_by: str, sure: float) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1], rng.integers(0, K, size - 2)])
    p = rng.dirichlet(np.full(K, sure), size)
    found = find_label_issues(labels, p, filter_by=filter_by)
    assert found.dtype == bool
    assert found.shape == (size,)
    assert not (found & (p.argmax(1) == labels))[np.sort(p, 1)[:, -1] - np.sort(p, 1)[:, -2] > 1e-5].any() or (
        filter_by.startswith("low_")
    )
    for method in METHODS:
        score = get_label_quality_scores(labels, p, method=method)
        assert ((score >= 0) & (score <= 1 + 1e-9)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filter_by": "prune_by_clas"}, "Did you mean 'prune_by_class'"),
        ({"return_indices_ranked_by": "margin"}, "is no score"),
        ({"filter_by": "predicted_neq_given", "num_to_remove_per_class": [1, 1]}, "goes with filter_by"),
        ({"num_to_remove_per_class": [1, 1, 1]}, "a number for each of 2 classes"),
        ({"confident_joint": np.eye(3)}, "confident_joint has the shape"),
        ({"confident_joint": [[1, 2], [3]]}, "confident_joint: give numbers, in rows of one length"),
        ({"num_to_remove_per_class": [1, "many"]}, "num_to_remove_per_class: give numbers"),
        ({"multi_label": True}, "multi_label"),
    ],
)
def test_what_is_wrong_is_said(arguments: Any, message: str) -> None:
    labels, p = case(2, 400, 0)
    with pytest.raises(UserError, match=message):
        find_label_issues(labels, p, **arguments)


def test_wrong_input_is_said() -> None:
    labels, p = case(2, 400, 0)
    with pytest.raises(UserError, match=r"pred_probs sums to .*nlcore\.label_issues\(labels, logits="):
        find_label_issues(labels, p * 2)
    with pytest.raises(UserError, match="pred_probs: the rows are of different lengths"):
        find_label_issues(labels, [*p[:-1].tolist(), [1.0]])
    with pytest.raises(UserError, match="are outside 0"):
        get_label_quality_scores(labels + 1, p)
    with pytest.raises(UserError, match="adjust_pred_probs goes with"):
        get_label_quality_scores(labels, p, method="confidence_weighted_entropy", adjust_pred_probs=True)
    with pytest.warns(UserWarning, match="frac_noise changes nothing"):
        find_label_issues(labels, p, filter_by="predicted_neq_given", frac_noise=0.5)
