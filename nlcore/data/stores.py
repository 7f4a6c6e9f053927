"""Images behind one interface, whether they lie in memory or are decoded when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlcore.contracts import ImageStore, Labels


@dataclass(frozen=True)
class ArrayStore:
    """Images in memory: uint8 (N, H, W, C)."""

    images: NDArray[np.uint8]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        _, height, width, channels = self.images.shape
        return channels, height, width

    def __len__(self) -> int:
        return len(self.images)

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """Return the images at these positions, uint8 (B, H, W, C)."""
        return self.images[indices]


@dataclass(frozen=True)
class SubsetStore:
    """Some images of another store, in a new order."""

    store: ImageStore
    positions: Labels

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.store.image_shape

    def __len__(self) -> int:
        return len(self.positions)

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """Return the images at these positions, uint8 (B, H, W, C)."""
        return self.store.fetch(self.positions[indices])

    def fetch_augmented(self, indices: Labels, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return them as the store varies them, where it does."""
        inner: Any = self.store
        varied: NDArray[np.uint8] = inner.fetch_augmented(self.positions[indices], rng)
        return varied


@dataclass(frozen=True)
class ReplacedStore:
    """A store with some images replaced by others of the same size (open-set noise)."""

    store: ImageStore
    source: Labels  # (N,), the row of `replacements` shown at each position, -1 for the original image
    replacements: NDArray[np.uint8]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.store.image_shape

    def __len__(self) -> int:
        return len(self.store)

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """Return the images at these positions, uint8 (B, H, W, C)."""
        return self._replaced(self.store.fetch(indices), indices)

    def fetch_augmented(self, indices: Labels, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return them as the store varies them, where it does; those that replace others are as they are."""
        inner: Any = self.store
        return self._replaced(inner.fetch_augmented(indices, rng), indices)

    def _replaced(self, images: NDArray[np.uint8], indices: Labels) -> NDArray[np.uint8]:
        images = images.copy()
        rows = self.source[indices]
        images[rows >= 0] = self.replacements[rows[rows >= 0]]
        return images


def as_store(images: NDArray[np.uint8] | ImageStore) -> ImageStore:
    """Wrap an array as a store; a store is returned as it is."""
    return ArrayStore(images) if isinstance(images, np.ndarray) else images


def varies(store: ImageStore) -> bool:
    """Tell whether a store varies training images itself (`ImageStore.fetch_augmented`)."""
    while isinstance(store, (SubsetStore, ReplacedStore)):
        store = store.store
    return hasattr(store, "fetch_augmented")


def subset(store: ImageStore, positions: Labels) -> ImageStore:
    """Return the images at these positions; an array stays an array, so that it can lie on the training device."""
    if isinstance(store, ArrayStore):
        return ArrayStore(store.images[positions])
    return SubsetStore(store, positions)


def replace(store: ImageStore, positions: Labels, images: NDArray[np.uint8]) -> ImageStore:
    """Return `store` with other images at these positions."""
    if isinstance(store, ArrayStore):
        replaced = store.images.copy()
        replaced[positions] = images
        return ArrayStore(replaced)
    source = np.full(len(store), -1, dtype=np.int64)
    source[positions] = np.arange(len(positions))
    return ReplacedStore(store, source, images)
