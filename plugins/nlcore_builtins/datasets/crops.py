"""
Photographs as papers cut them: the shorter side to so many pixels, then a square, its place drawn while training.

Sizes and places are those of torchvision's ``Resize(shorter_side)`` and ``CenterCrop(size)`` or ``RandomCrop(size)``;
of a large image only what is seen is resampled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlcore import RunError
from nlcore.contracts import Labels
from nlcore.toolbox import FITS, Fit, Placing, UnreadableError, dropped_warnings
from nlcore_builtins.datasets.decoding import decode

#: Where in the room that is left a square lies, left and top: from 0 to below 1, or None for the centre.
Place = tuple[float, float] | None

#: What to do about an image that cannot be read: any, and one that is trained on.
UNPACK = "Unpack it again."
UNPACK_OR_EXCLUDE = (
    "Unpack it again and go on, or start another run without it: write its id into a file and give nl run that with "
    "--exclude FILE."
)


def cut(image: tuple[int, int], result: tuple[int, int], shorter_side: int, place: Place = None) -> Placing:
    """Return which part of an image of (W, H) is shown in a result of (W, H), see `nlcore.toolbox.Placing`."""
    width, height = image
    if width <= height:
        whole = shorter_side, shorter_side * height // width
    else:
        whole = shorter_side * width // height, shorter_side
    corner = []
    for number, (one, seen) in enumerate(zip(whole, result, strict=True)):
        room = one - seen
        corner.append(round(room / 2) if place is None else int(place[number] * (room + 1)))
    x, y = width / whole[0], height / whole[1]
    (left, top), (wide, high) = corner, result
    return Placing((left * x, top * y, (left + wide) * x, (top + high) * y), result)


def fit(shorter_side: int, place: Place = None) -> Fit:
    """Return how `nlcore.toolbox.read_image` cuts an image, see `cut`."""
    return partial(cut, shorter_side=shorter_side, place=place)


@dataclass(frozen=True)
class Photographs:
    """
    Images that are decoded whenever they are asked for.

    Attributes:
        files: of the N images.
        size: width and height that they are shown in, in pixels.
        shorter_side: what the shorter side of an image is resized to before a square is cut from the centre, at least
            `size`; None: all of it is shown, whatever becomes of its proportions.
        advice: what a user is told to do where one cannot be read.

    """

    files: Sequence[Path]
    size: int
    shorter_side: int | None
    advice: str = UNPACK

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return 3, self.size, self.size

    def __len__(self) -> int:
        return len(self.files)

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """
        Return the images at these positions, uint8 (B, H, W, 3).

        Raises:
            RunError: one cannot be read.

        """
        return self._stacked(indices, [None] * len(indices))

    def each(self, indices: Labels, places: Sequence[Place]) -> Iterator[NDArray[np.uint8] | UnreadableError]:
        """Yield the images at these positions, cut at these places, in order; the reason where one cannot be read."""
        side = self.shorter_side
        fits = [FITS["squash"] if side is None else fit(side, place) for place in places]
        with dropped_warnings:
            yield from decode([self.files[position] for position in indices.tolist()], fits, self.size)

    def _stacked(self, indices: Labels, places: Sequence[Place]) -> NDArray[np.uint8]:
        images = np.empty((len(indices), self.size, self.size, 3), dtype=np.uint8)
        for number, image in enumerate(self.each(indices, places)):
            if isinstance(image, UnreadableError):
                raise RunError(f"The image {self.files[int(indices[number])]} cannot be read: {image}. {self.advice}")
            images[number] = image
        return images


class RandomlyCut(Photographs):
    """The same, cut, and while training squares from anywhere in an image."""

    def fetch_augmented(self, indices: Labels, rng: np.random.Generator) -> NDArray[np.uint8]:
        """
        Return the images at these positions, uint8 (B, H, W, 3), each cut at a place of its own.

        Raises:
            RunError: one cannot be read.

        """
        left_top = rng.random((len(indices), 2))
        return self._stacked(indices, [(left, top) for left, top in left_top.tolist()])
