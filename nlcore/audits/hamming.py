"""
All pairs of 64-bit numbers that differ in few bits, without comparing all with all.

Two numbers that differ in at most 7 of 64 bits differ in at most one bit of at least one of four bands of 16 bits. So
each is compared with those whose band is the same or differs in one bit: multi-index hashing (Norouzi, Punjani and
Fleet, Fast search in Hamming space with multi-index hashing, CVPR 2012). Nothing within the radius is missed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

#: The largest radius for which four bands are enough.
MOST_BITS = 7

_BAND = 16
_PAIRS = 500_000  # that lie in memory at a time


def pairs_within(numbers: NDArray[np.uint64], radius: int) -> Iterator[NDArray[np.int64]]:
    """
    Yield the pairs of positions i < j whose numbers differ in at most `radius` bits, some at a time, int64 (P, 2).

    A pair may come again. Of N numbers that are all near to each other there are N² / 2 pairs, which need not lie in
    memory together.

    Args:
        numbers: uint64 (N,).
        radius: within 0..7.

    """
    if not 0 <= radius <= MOST_BITS:
        raise ValueError(f"radius must be within 0..{MOST_BITS}, not {radius}")
    masks = [0] if radius < 64 // _BAND else [0, *(1 << bit for bit in range(_BAND))]
    for band in range(64 // _BAND):
        keys = ((numbers >> np.uint64(_BAND * band)) & np.uint64(2**_BAND - 1)).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        edges = np.searchsorted(keys[order], np.arange(2**_BAND + 1))
        for mask in masks:
            # a pair that differs in this bit is met from the side that has it clear, others from both
            ones = np.flatnonzero((keys & mask) == 0)
            for one, other in _met(ones, order, edges, keys[ones] ^ mask):
                near = (one < other) if mask == 0 else np.ones(len(one), np.bool_)
                near[near] = bits_set(numbers[one[near]] ^ numbers[other[near]]) <= radius
                yield np.sort(np.stack([one[near], other[near]], axis=1), axis=1)


def _met(
    ones: NDArray[np.int64], order: NDArray[np.int64], edges: NDArray[np.int64], keys: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield each of `ones` with all positions that have its key in a band, as two arrays, some at a time."""
    sizes = edges[keys + 1] - edges[keys]
    ends = np.cumsum(sizes)
    start = 0
    while start < len(ones):
        before = ends[start] - sizes[start]
        stop = max(start + 1, int(np.searchsorted(ends, before + _PAIRS, side="right")))
        part = slice(start, stop)
        one = np.repeat(ones[part], sizes[part])
        offsets = np.arange(len(one)) - np.repeat(ends[part] - sizes[part] - before, sizes[part])
        yield one, order[np.repeat(edges[keys[part]], sizes[part]) + offsets]
        start = stop


def bits_set(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return how many bits are set in each number (numpy before 2.0 has no function for it)."""
    fives, threes, ones = (np.uint64(int(pair * 8, 16)) for pair in ("55", "33", "0f"))
    counts = numbers - ((numbers >> np.uint64(1)) & fives)
    counts = (counts & threes) + ((counts >> np.uint64(2)) & threes)
    counts = (counts + (counts >> np.uint64(4))) & ones
    summed: NDArray[np.uint64] = (counts * np.uint64(int("01" * 8, 16))) >> np.uint64(56)
    return summed
