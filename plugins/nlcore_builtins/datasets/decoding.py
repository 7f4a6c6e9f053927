"""
Images that are decoded from files: all of them once; where memory cannot hold them, again when they are asked for.

Worker threads decode; what they return comes in order, whatever thread was first.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nlcore import RunError
from nlcore.contracts import Labels
from nlcore.toolbox import Background, Fit, ImageFile, UnreadableError, collected_warnings, dropped_warnings, read_image
from nlcore_builtins.datasets.random_box import draw_boxes

CHUNK = 256  # images that are decoded before the first of them is taken: what lies in memory is bounded by it


class Item(NamedTuple):
    """An image as it is listed: its file, its id (a relative path) and the name of its class."""

    path: ImageFile
    id: str
    label: str


@dataclass(frozen=True)
class DecodingStore:
    """
    Images that are decoded whenever they are asked for.

    Attributes:
        paths: of the N files.
        size: width and height that they are resized to, in pixels.
        background: what lies behind transparent parts, and in margins.
        fit: how they come to that size.

    """

    paths: Sequence[ImageFile]
    size: int
    background: Background
    fit: Fit

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return 3, self.size, self.size

    def __len__(self) -> int:
        return len(self.paths)

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """
        Return the images at these positions, uint8 (B, H, W, 3).

        Raises:
            RunError: a file that could be read before can no longer be.

        """
        return self._decoded(indices, [self.fit] * len(indices))

    def _decoded(self, indices: Labels, fits: Sequence[Fit]) -> NDArray[np.uint8]:
        images = np.empty((len(indices), self.size, self.size, 3), dtype=np.uint8)
        chosen = [self.paths[position] for position in indices.tolist()]
        with dropped_warnings:  # they were told when the images were looked at
            for number, image in enumerate(decode(chosen, fits, self.size, self.background)):
                if isinstance(image, UnreadableError):
                    raise RunError(f"The image {chosen[number]} can no longer be read: {image}.")
                images[number] = image
        return images


@dataclass(frozen=True)
class BoxesStore(DecodingStore):
    """
    The same, and for training a box of each image at random, cut from the file itself.

    Attributes:
        smallest: share of an image's area that a box has at least.

    """

    smallest: float

    def fetch_augmented(self, indices: Labels, rng: np.random.Generator) -> NDArray[np.uint8]:
        """
        Return boxes of the images at these positions, uint8 (B, H, W, 3).

        Raises:
            RunError: a file that could be read before can no longer be.

        """
        return self._decoded(indices, draw_boxes(len(indices), self.smallest, rng))


@dataclass(frozen=True)
class Seen:
    """
    What was seen when all images were looked at.

    Attributes:
        images: uint8 (N, H, W, 3), None where they are not kept.
        sums: int64 (N, 2, 3), of each image's values and of their squares.
        digests: of each image's pixels, SHA-256.
        reasons: why an image cannot be read, by position.
        empty: the positions of images of one colour only.
        warnings: what was warned of while an image was read, by position.

    """

    images: NDArray[np.uint8] | None
    sums: NDArray[np.int64]
    digests: list[bytes]
    reasons: dict[int, str]
    empty: list[int]
    warnings: dict[int, str]


def look_at(
    items: Sequence[Item],
    size: int,
    background: Background,
    fit: Fit,
    keep: bool,
    progress: Callable[[int, int, str], None],
) -> Seen:
    """
    Decode every image once and return what was seen.

    Args:
        items: the images.
        size: width and height that they are resized to, in pixels.
        background: what lies behind transparent parts, and in margins.
        fit: how they come to that size.
        keep: whether the decoded images are kept.
        progress: is told how many are decoded, of how many, and what.

    """
    count = len(items)
    images = np.zeros((count, size, size, 3), dtype=np.uint8) if keep else None
    seen = Seen(images, np.zeros((count, 2, 3), dtype=np.int64), [b""] * count, {}, [], {})
    with collected_warnings() as warned:
        for number, image in enumerate(decode([item.path for item in items], [fit] * count, size, background)):
            progress(number + 1, count, "images decoded")
            if isinstance(image, UnreadableError):
                seen.reasons[number] = str(image)
                continue
            if images is not None:
                images[number] = image
            pixels = image.reshape(-1, 3)
            sums, squares = pixels.sum(0, dtype=np.int64), np.square(pixels, dtype=np.int32).sum(0, dtype=np.int64)
            seen.sums[number] = sums, squares
            seen.digests[number] = hashlib.sha256(image.tobytes()).digest()
            if np.array_equal(squares * len(pixels), sums**2):  # no variance
                seen.empty.append(number)
    told = {number: warned[item.path] for number, item in enumerate(items) if item.path in warned}
    seen.warnings.update({number: text for number, text in told.items() if number not in seen.reasons})
    return seen


def moments(sums: NDArray[np.int64], count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and std of values scaled to 0..1 from their sums and sums of squares, (2, 3)."""
    mean, square = sums / (count * 255.0 ** np.array([[1], [2]]))
    std = np.sqrt(np.maximum(square - mean**2, 0)).clip(min=1 / 255)  # images of one colour have none
    return tuple(mean.tolist()), tuple(std.tolist())


def decode(
    paths: Sequence[ImageFile], fits: Sequence[Fit], size: int, background: Background = "white"
) -> Iterator[NDArray[np.uint8] | UnreadableError]:
    """Yield the images (size, size, 3) in order, decoded by threads; where one cannot be read, the reason."""

    def one(path: ImageFile, fit: Fit) -> NDArray[np.uint8] | UnreadableError:
        try:
            return read_image(path, (3, size, size), background, fit)
        except UnreadableError as error:
            return error

    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(min(cpus, 16)) as pool:
        for start in range(0, len(paths), CHUNK):
            part = slice(start, start + CHUNK)
            yield from pool.map(one, paths[part], fits[part])
