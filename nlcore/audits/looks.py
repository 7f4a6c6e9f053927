"""
What an image looks like, in a few bytes: a digest of its pixels, a hash that survives small changes, a small picture.

    c = D g Dᵀ,  bit_uv = [c_uv > median of c],  (u, v) ≠ (0, 0)

g is the grey image averaged to 32 × 32, D the first 8 rows of its discrete cosine transform: the perceptual hash of
Zauner, Implementation and benchmarking of perceptual image hash functions, 2010. The signs of low frequencies stay what
they are when an image is compressed, resized or made a little brighter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlcore.contracts import ImageStore
from nlcore.data.stores import as_store

SIDE = 16  # of the small picture, in pixels
_HASHED = 32  # the side that is transformed
_LOW = 8  # frequencies kept in each direction
_CHUNK_BYTES = 8_000_000  # of pixels that lie in memory at a time

_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class Looks:
    """
    What N images look like.

    Attributes:
        digests: of each image's pixels, 16 bytes.
        hashes: uint64 (N,), 63 bits that are nearly the same for images that look nearly the same.
        small: uint8 (N, 16, 16, C), each image averaged to this size.
        one_colour: bool (N,), whether all pixels of an image are the same.

    """

    digests: list[bytes]
    hashes: NDArray[np.uint64]
    small: NDArray[np.uint8]
    one_colour: NDArray[np.bool_]

    def __add__(self, other: Looks) -> Looks:
        """Return the looks of these images and, after them, of others with as many channels."""
        return Looks(
            self.digests + other.digests,
            np.concatenate([self.hashes, other.hashes]),
            np.concatenate([self.small, other.small]),
            np.concatenate([self.one_colour, other.one_colour]),
        )


def look(
    images: NDArray[np.uint8] | ImageStore, progress: Callable[[int, int, str], None] = lambda done, total, what: None
) -> Looks:
    """
    Return what images look like; each is read once.

    Args:
        images: uint8 (N, H, W, C) with C = 1 or 3, or a store.
        progress: is told how many are done, of how many, and what.

    """
    store = as_store(images)
    count, (channels, height, width) = len(store), store.image_shape
    rows, columns = _averages(SIDE, height), _averages(SIDE, width)
    down, across = (_cosines() @ _averages(_HASHED, side) for side in (height, width))
    looks = Looks(
        digests=[],
        hashes=np.empty(count, np.uint64),
        small=np.empty((count, SIDE, SIDE, channels), np.uint8),
        one_colour=np.empty(count, np.bool_),
    )
    step = max(1, _CHUNK_BYTES // (height * width * channels))
    for start in range(0, count, step):
        chunk = slice(start, min(start + step, count))
        pixels = np.ascontiguousarray(store.fetch(np.arange(chunk.start, chunk.stop)))
        looks.digests.extend(hashlib.blake2b(image, digest_size=16).digest() for image in pixels)
        looks.one_colour[chunk] = (pixels == pixels[:, :1, :1]).all(axis=(1, 2, 3))
        planes = pixels.astype(np.float32).transpose(0, 3, 1, 2)
        grey = np.tensordot(_GREY, planes, (0, 1)) if channels == 3 else planes[:, 0]
        looks.hashes[chunk] = _bits(down @ grey @ across.T)
        looks.small[chunk] = np.rint(rows @ planes @ columns.T).transpose(0, 2, 3, 1)
        progress(chunk.stop, count, "images compared")
    return looks


def _averages(side: int, pixels: int) -> NDArray[np.float32]:
    """Return the matrix (side, pixels) that averages a line of pixels to `side` parts of equal length."""
    edges = np.linspace(0, pixels, side + 1)
    starts = np.arange(pixels)
    covered = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return (covered.clip(min=0) * (side / pixels)).astype(np.float32)


def _cosines() -> NDArray[np.float32]:
    """Return the first rows of the discrete cosine transform (type II), (8, 32)."""
    frequencies, places = np.arange(_LOW)[:, None], np.arange(_HASHED) + 0.5
    return np.cos(np.pi / _HASHED * frequencies * places).astype(np.float32)


def _bits(coefficients: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return the hashes (B,) of the lowest coefficients, (B, 8, 8); the first is the brightness and left out."""
    flat = coefficients.reshape(len(coefficients), -1)[:, 1:]
    above = flat > np.median(flat, axis=1, keepdims=True)
    hashes: NDArray[np.uint64] = (above.astype(np.uint64) << np.arange(flat.shape[1], dtype=np.uint64)).sum(1)
    return hashes
