"""Which samples are trusted: as many of each class as there are, at random."""

from __future__ import annotations

import numpy as np
import pytest

from nlcore.data.splits import evenly, k_folds

LABELS = np.repeat(np.arange(4), [50, 50, 50, 3])


@pytest.mark.parametrize(("count", "expected"), [(8, [2, 2, 2, 2]), (15, [4, 4, 4, 3]), (153, [50, 50, 50, 3])])
def test_classes_take_turns(count: int, expected: list[int]) -> None:
    assert np.bincount(LABELS[evenly(LABELS, count, 1)]).tolist() == expected


def test_what_is_left_over_goes_to_classes_at_random() -> None:
    chosen = [LABELS[evenly(LABELS, 1, seed)].item() for seed in range(100)]
    assert set(chosen) == {0, 1, 2, 3}


def test_labels_of_no_class_are_left_out() -> None:
    labels = np.where(np.arange(20) < 10, -1, 2)
    assert evenly(labels, 30, 1).tolist() == list(range(10, 20))
    assert len(evenly(np.full(3, -1), 2, 1)) == 0


def test_every_sample_of_a_class_is_as_likely_as_any_other() -> None:
    drawn = np.concatenate([evenly(LABELS, 4, seed) for seed in range(2_000)])
    counts = np.bincount(drawn, minlength=len(LABELS))[:50]
    assert counts.sum() == 2_000
    assert abs(counts - 40).max() < 5 * np.sqrt(40)


def test_folds_have_the_same_shares_of_given_labels_and_each_sample_once() -> None:
    folds = k_folds(LABELS, 5, 1)
    assert np.sort(np.concatenate(folds)).tolist() == list(range(len(LABELS)))
    for fold in folds:
        assert np.bincount(LABELS[fold], minlength=4)[:3].tolist() == [10, 10, 10]
    assert {len(fold) for fold in folds} == {30, 31}
    assert any((one != other).any() for one, other in zip(folds[:3], k_folds(LABELS, 5, 2)[:3], strict=True))
    assert [len(fold) for fold in k_folds(np.array([0, 1]), 3, 1)] == [1, 1, 0]
