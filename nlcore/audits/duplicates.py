"""
Images that occur more than once: the same pixels, and nearly the same picture.

Two pictures are nearly the same where their hashes differ in at most 7 of 63 bits and their small pictures correlate:

    r = ⟨a, b⟩ / (‖a‖ ‖b‖) ≥ 0.9

a and b are what is left of the small pictures without each channel's mean and its slope in both directions, so that two
skies are not one picture. Images that are near to one image are one group, though they need not be near to each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.hamming import pairs_within
from nlcore.audits.looks import SIDE, Looks

#: Bits of the hash that may differ, and the least correlation. Among CIFAR-10's 60,000 images 575 pairs are so near,
#: none with different labels (8 of 828 pairs at 0.7); 99.9 % of 5,000 of them are found again as JPEG of quality 60,
#: all but one from quality 75, all when resized by 0.9 and back or made 5 % brighter.
BITS = 7
CORRELATION = 0.9

_CHUNK = 20_000  # pairs that are compared at a time


@dataclass(frozen=True)
class Duplicates:
    """
    Which of N images are the same.

    Attributes:
        same: int64 (N,), the group of images with the same pixels: the position of its first.
        near: int64 (N,), the group of images that look nearly the same, those with the same pixels among them: the
            position of its first.

    """

    same: NDArray[np.int64]
    near: NDArray[np.int64]


def find_duplicates(looks: Looks) -> Duplicates:
    """
    Return which images are the same. Images of one colour are near to those with the same pixels only.

    Of images with the same hash that are in one group already, the first is compared with all others for all of them:
    thousands of frames of one scene are a few comparisons each.
    """
    firsts: dict[bytes, int] = {}
    same = np.array([firsts.setdefault(digest, place) for place, digest in enumerate(looks.digests)], dtype=np.int64)
    compared = np.flatnonzero((same == np.arange(len(same))) & ~looks.one_colour)
    sorted_ = compared[np.argsort(looks.hashes[compared], kind="stable")]
    neighbours = np.stack([sorted_[:-1], sorted_[1:]], axis=1)
    alike = looks.hashes[neighbours[:, 0]] == looks.hashes[neighbours[:, 1]]
    near = _joined(same, looks.small, neighbours[alike])
    keys = np.stack([looks.hashes[compared], near[compared].astype(np.uint64)], axis=1)
    chosen = compared[np.sort(np.unique(keys, axis=0, return_index=True)[1])]
    for pairs in pairs_within(looks.hashes[chosen], BITS):
        near = _joined(near, looks.small, chosen[pairs])
    return Duplicates(same, near)


def find_alike(features: NDArray[np.float32], cosine: float) -> NDArray[np.int64]:
    """
    Return the pairs of positions i < j whose features point the same way, int64 (P, 2), sorted.

    Every pair is compared, a block at a time: N² D operations, and memory for one block.

    Args:
        features: float (N, D), as a network gives them.
        cosine: the least cosine of the angle between two, within (0, 1].

    """
    count, block = len(features), 2048
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = (features / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    found = [np.empty((0, 2), np.int64)]
    for top in range(0, count, block):
        for left in range(top, count, block):
            one, other = np.nonzero(unit[top : top + block] @ unit[left : left + block].T >= cosine)
            pairs = np.stack([one + top, other + left], axis=1)
            found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def join(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    Return the groups that pairs join, int64 (count,): of each position the first of its group.

    Args:
        count: how many positions there are.
        pairs: int64 (P, 2), positions.

    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), np.bool_), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, group = connected_components(links, directed=False)
    _, first = np.unique(group, return_index=True)
    groups: NDArray[np.int64] = first[group].astype(np.int64)
    return groups


def _joined(groups: NDArray[np.int64], small: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return groups (N,) with those of pairs joined whose small pictures correlate."""
    for start in range(0, len(pairs), _CHUNK):
        part = pairs[start : start + _CHUNK]
        part = part[groups[part[:, 0]] != groups[part[:, 1]]]
        near = part[_correlations(small, part) >= CORRELATION]
        if len(near):
            grouped = np.stack([groups, np.arange(len(groups))], axis=1)
            groups = join(len(groups), np.concatenate([near, grouped]))
    return groups


def _correlations(small: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return how pairs of small pictures correlate, (P,); 0 where one has nothing but a slope."""
    line = np.linspace(-1, 1, SIDE)
    down, across = np.meshgrid(line, line, indexing="ij")
    planes = np.stack([np.ones_like(down), down, across]).reshape(3, -1)  # orthogonal to each other
    slopes = (planes / np.linalg.norm(planes, axis=1, keepdims=True)).astype(np.float32)

    def level(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        planes = pictures.reshape(-1, SIDE**2, small.shape[3]).transpose(0, 2, 1).astype(np.float32)
        flat: NDArray[np.float32] = (planes - planes @ slopes.T @ slopes).reshape(
            len(pictures), SIDE**2 * small.shape[3]
        )
        return flat

    one, other = level(small[pairs[:, 0]]), level(small[pairs[:, 1]])
    size = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: NDArray[np.float32] = (one * other).sum(1) / np.maximum(size, 1.0)
    return found
