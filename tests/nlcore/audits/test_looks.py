"""What images look like: averages, and hashes against scipy's cosine transform."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.fft import dctn

from nlcore.audits import looks as module
from nlcore.audits.looks import look
from nlcore.contracts import Labels


def noise(count: int, height: int, width: int, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """Return images of random pixels."""
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), dtype=np.uint8)


def test_the_small_picture_averages_blocks() -> None:
    images = noise(3, 32, 64)
    blocks = images.reshape(3, 16, 2, 16, 4, 3).astype(float).mean(axis=(2, 4))
    assert np.abs(look(images).small - blocks).max() <= 0.51  # rounded


@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 47), (1, 1), (100, 30)])
def test_any_size_keeps_its_brightness(height: int, width: int) -> None:
    images = noise(4, height, width)
    means = look(images).small.mean(axis=(1, 2, 3))
    assert means == pytest.approx(images.mean(axis=(1, 2, 3)), abs=0.6)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_hash_has_the_lowest_frequencies_above_their_median(channels: int) -> None:
    images = noise(5, 32, 32, channels)
    weights = np.array([0.299, 0.587, 0.114]) if channels == 3 else np.ones(1)
    for image, number in zip(images, look(images).hashes.tolist(), strict=True):
        low = dctn(image.astype(float) @ weights, type=2)[:8, :8]  # each row and column twice as large
        above = (low > np.median(low.ravel()[1:])).ravel()[1:]
        assert [bool(number >> bit & 1) for bit in range(63)] == above.tolist()
        assert number < 2**63


def test_digests_and_one_colour() -> None:
    images = noise(3, 8, 8)
    images[1] = [10, 20, 30]
    seen = look(images)
    assert seen.digests == [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
    assert seen.one_colour.tolist() == [False, True, False]


@dataclass(frozen=True)
class Counting:
    """A store that counts what it is asked for."""

    images: NDArray[np.uint8]
    asked: list[int]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return 3, 8, 8

    def __len__(self) -> int:
        return len(self.images)

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """Return images."""
        self.asked.extend(indices.tolist())
        return self.images[indices]


def test_a_store_is_read_once_and_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", 4 * 8 * 8 * 3)
    images = noise(10, 8, 8)
    store = Counting(images, [])
    told: list[tuple[int, int]] = []
    seen = look(store, lambda done, total, what: told.append((done, total)))
    whole = look(images)
    assert store.asked == list(range(10))
    assert told == [(4, 10), (8, 10), (10, 10)]
    assert seen.digests == whole.digests
    assert np.array_equal(seen.hashes, whole.hashes)
    assert np.array_equal(seen.small, whole.small)


def test_looks_are_put_together() -> None:
    one, other = noise(2, 8, 8), noise(3, 8, 8, seed=1)
    both, whole = look(one) + look(other), look(np.concatenate([one, other]))
    assert both.digests == whole.digests
    assert np.array_equal(both.hashes, whole.hashes)
    assert np.array_equal(both.one_colour, whole.one_colour)
