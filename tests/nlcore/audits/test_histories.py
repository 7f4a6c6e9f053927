"""The histories of several trainings as one."""

from __future__ import annotations

import numpy as np
import pytest

from nlcore.audits.histories import Histories


def test_several_networks_count_by_the_mean_over_those_that_have_seen_the_sample() -> None:
    nan = float("nan")
    several = Histories(4)
    several.add(np.array([[1, nan, 5, nan], [nan, nan, 7, nan]], np.float32))
    several.add(np.array([[3, nan, nan, nan], [2, 4, nan, nan]], np.float32))
    found = several.margins(np.array([0, 0, 0, -9.0]))
    assert found is not None
    # where an epoch shows none: what was held before, or first
    assert found.tolist() == [[2, 4, 5, -9], [1.5, 4, 7, -9]]


def test_without_the_history_of_one_network_there_is_none() -> None:
    several = Histories(2)
    several.add(np.ones((1, 2), np.float32))
    several.add(None)
    assert several.margins(np.zeros(2)) is None


@pytest.mark.parametrize("shape", [(1, 3), (2, 3)])
def test_a_training_that_shows_no_sample_has_no_history(shape: tuple[int, int]) -> None:
    several = Histories(shape[1])
    several.add(np.full(shape, np.nan, np.float32))
    assert several.margins(np.zeros(shape[1])) is None
