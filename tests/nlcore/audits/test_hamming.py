"""Pairs of near numbers, against comparing all with all."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nlcore.audits import hamming
from nlcore.audits.hamming import MOST_BITS, bits_set, pairs_within

NUMBERS = st.integers(0, 2**64 - 1)


def brute(numbers: list[int], radius: int) -> list[list[int]]:
    """Return the pairs within a radius by comparing all with all."""
    count = len(numbers)
    return [
        [i, j] for i in range(count) for j in range(i + 1, count) if (numbers[i] ^ numbers[j]).bit_count() <= radius
    ]


def found(numbers: NDArray[np.uint64], radius: int) -> list[list[int]]:
    """Return the pairs within a radius, each once and sorted."""
    parts = [*pairs_within(numbers, radius)]
    return [list(pair) for pair in sorted({(int(i), int(j)) for part in parts for i, j in part})]


@given(st.lists(NUMBERS, max_size=20))
def test_bits_are_counted(numbers: list[int]) -> None:
    counts = bits_set(np.array(numbers, dtype=np.uint64))
    assert counts.tolist() == [number.bit_count() for number in numbers]


@given(st.data(), st.integers(0, MOST_BITS))
def test_no_pair_is_missed_and_none_is_too_far(data: st.DataObject, radius: int) -> None:
    numbers: list[int] = data.draw(st.lists(NUMBERS, min_size=1, max_size=8))
    for _ in range(
        data.draw(st.integers(0, 20))
    ):  # changed in some bits, so that pairs lie on both sides of the radius
        number = data.draw(st.sampled_from(numbers))
        for bit in data.draw(st.lists(st.integers(0, 63), max_size=9)):
            number ^= 1 << bit
        numbers.append(number)
    assert found(np.array(numbers, dtype=np.uint64), radius) == brute(numbers, radius)


@pytest.mark.parametrize("count", [0, 1])
def test_there_are_no_pairs_of_fewer_than_two(count: int) -> None:
    assert found(np.zeros(count, np.uint64), 7) == []


def test_what_does_not_lie_in_memory_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamming, "_PAIRS", 3)
    numbers = [0, 1, 3, 0, 2**63, 2**40, 2**64 - 1, 1]
    assert found(np.array(numbers, dtype=np.uint64), 2) == brute(numbers, 2)


@pytest.mark.parametrize("radius", [-1, MOST_BITS + 1])
def test_a_radius_that_could_miss_pairs_is_refused(radius: int) -> None:
    with pytest.raises(ValueError, match=r"within 0\.\.7"):
        next(pairs_within(np.zeros(2, np.uint64), radius))


def test_100_000_numbers_need_no_matrix() -> None:
    """All pairs are 5,000,000,000; 1,000 of the numbers are others with 7 bits changed, and are found."""
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 2**64, 100_000, dtype=np.uint64)
    for place in range(1_000):
        bits = rng.choice(64, 7, replace=False)
        numbers[50_000 + place] = numbers[place] ^ np.bitwise_or.reduce(np.uint64(1) << bits.astype(np.uint64))
    tracemalloc.start()
    pairs = found(numbers, 7)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [[place, 50_000 + place] for place in range(1_000)] == pairs
    assert peak < 100_000_000
