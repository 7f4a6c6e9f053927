"""Balanced classes: each equally often in an epoch, with draws that an epoch, a resumed run and all processes share."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from helpers import prepared, squares
from hypothesis import given
from hypothesis import strategies as some

from nlcore.contracts import Data, Labels, Pass, Split
from nlcore.data.balanced import balanced_positions
from nlcore.data.batches import TrainingBatches
from nlcore.data.views import PLAIN

CPU = torch.device("cpu")


@given(some.lists(some.integers(0, 6), min_size=1, max_size=80), some.integers(1, 120), some.integers(0, 2**31))
def test_classes_and_their_samples_differ_by_one_at_most(labels: list[int], number: int, seed: int) -> None:
    given_labels = torch.tensor(labels)
    drawn = balanced_positions(given_labels, number, torch.Generator().manual_seed(seed))
    assert len(drawn) == number
    by_class = given_labels[drawn].bincount(minlength=7)[sorted(set(labels))]
    assert by_class.sum() == number
    assert by_class.max() - by_class.min() <= 1
    by_sample = torch.bincount(drawn, minlength=len(labels))
    for label in set(labels):
        times = by_sample[given_labels == label]
        assert times.max() - times.min() <= 1


def test_a_large_class_shows_others_in_the_next_epoch() -> None:
    """Of 90 samples 50 are drawn: each with probability 5/9, so that 45 of them are new to the second half."""
    labels = torch.tensor([0] * 90 + [1] * 10)
    random = torch.Generator().manual_seed(0)
    seen = torch.stack([torch.bincount(balanced_positions(labels, 100, random), minlength=100) for _ in range(400)])
    assert (seen[:, 90:] == 5).all()
    assert seen[:, :90].max() == 1
    share = seen[:, :90].double().mean(0)
    assert (share - 5 / 9).abs().max() < 5 * np.sqrt(5 / 9 * 4 / 9 / 400)


def batches_of(labels: Labels, seed: int = 1) -> TrainingBatches:
    images, _ = squares(len(labels))
    part = Split(images, labels, np.arange(len(labels)), None)
    data = prepared(Data(part, part, ("a", "b", "c"), (0.0,), (1.0,), "content"))
    return TrainingBatches(data.training, {"weak": PLAIN, "strong": PLAIN}, 8, seed, CPU, balanced=True)


def epoch(number: int, seed: int = 1, shuffle: bool = True) -> list[int]:
    labels = np.repeat([0, 1, 2], [40, 16, 4])
    walk = batches_of(labels, seed).iterate(Pass(shuffle=shuffle), number, "0")
    return [position for batch in walk for position in batch.index.tolist()]


def test_an_epoch_is_as_long_as_ever_and_drawn_by_its_number_and_the_seed() -> None:
    first = epoch(1)
    assert Counter(np.repeat([0, 1, 2], [40, 16, 4])[first].tolist()) == {0: 20, 1: 20, 2: 20}
    assert epoch(1) == first  # what a resumed run or another process draws
    assert epoch(2) != first
    assert epoch(1, seed=2) != first


def test_classes_are_mixed_even_where_nothing_is_shuffled() -> None:
    """Of 59 neighbours two thirds differ, 39.3 on average in random order; in that of the classes it would be 2."""
    labels = np.repeat([0, 1, 2], [40, 16, 4])[epoch(1, shuffle=False)]
    assert int((np.diff(labels) != 0).sum()) == pytest.approx(40, abs=20)


def test_a_pass_over_chosen_samples_is_left_as_it_is() -> None:
    labels = np.repeat([0, 1, 2], [40, 16, 4])
    walk = batches_of(labels).iterate(Pass(indices=torch.arange(12)), 1, "0")
    assert sorted(position for batch in walk for position in batch.index.tolist()) == list(range(12))
