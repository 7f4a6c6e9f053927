"""Where labels at the ends of lines go."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlcore.studies.direct_labels import apart


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.01, 0.2))
def test_places_are_apart_in_order_and_inside(wanted: Sequence[float], distance: float) -> None:
    places = apart(sorted(wanted), distance)
    gap = min(distance, 1 / max(1, len(wanted) - 1))
    assert all(high - low >= gap - 1e-9 for low, high in itertools.pairwise(places))
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)


def test_places_that_are_apart_stay_and_others_share_the_way() -> None:
    assert apart([0.2, 0.8], 0.1) == pytest.approx([0.2, 0.8])
    assert apart([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])
    assert apart([1.0, 1.0], 0.1) == pytest.approx([0.9, 1.0])
