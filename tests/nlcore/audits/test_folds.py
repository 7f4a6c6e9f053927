"""Parts of a cross-validation: shares of each class, and nothing depends on the order of rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nlcore.audits.folds import stratified_folds, usual_folds


@settings(max_examples=60)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.integers(2, 7), st.integers(0, 3))
def test_each_part_has_its_share_of_each_class_and_rows_may_be_shuffled(
    labels: list[int], folds: int, seed: int
) -> None:
    given = np.array(labels)
    ids = [f"image {number}" for number in range(len(labels))]
    parts = stratified_folds(ids, given, folds, str(seed))
    assert np.ptp(np.bincount(parts, minlength=folds)) <= 1
    for label in set(labels):
        assert np.ptp(np.bincount(parts[given == label], minlength=folds)) <= 1
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = stratified_folds([ids[place] for place in order], given[order], folds, str(seed))
    np.testing.assert_array_equal(shuffled, parts[order])


def test_another_seed_draws_other_parts() -> None:
    ids, given = [str(number) for number in range(100)], np.zeros(100, np.int64)
    assert (stratified_folds(ids, given, 5, "1 1") != stratified_folds(ids, given, 5, "1 2")).any()


def test_large_sets_have_two_parts() -> None:
    assert (usual_folds(2_000), usual_folds(10_000), usual_folds(50_000)) == (5, 5, 3)
