"""
How an image of any shape comes to a given size: squashed, cut off at two sides, or with margins.

Only geometry: `nlcore.data.image_files.read_image` resamples as it is told here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

#: Width and height in pixels.
Size: TypeAlias = tuple[int, int]


class Placing(NamedTuple):
    """
    Where an image's pixels go.

    Attributes:
        box: left, top, right and bottom of the part that is shown, in pixels of the image.
        size: what that part is resized to; the same as the result's, or smaller where margins remain.
        corner: left and top of it in the result.

    """

    box: tuple[float, float, float, float]
    size: Size
    corner: Size = (0, 0)

    @property
    def reduction(self) -> Literal[1, 2, 4, 8]:
        """How much smaller an image may be decoded: it stays at least twice as large as what comes of it."""
        left, top, right, bottom = self.box
        times = min((right - left) // (2 * self.size[0]), (bottom - top) // (2 * self.size[1]))
        return 8 if times >= 8 else 4 if times >= 4 else 2 if times >= 2 else 1

    def within(self, image: Size, smaller: Size) -> Placing:
        """Return the same for a smaller version of the image."""
        (width, height), (left, top, right, bottom) = image, self.box
        x, y = smaller
        return self._replace(box=(left * x / width, top * y / height, right * x / width, bottom * y / height))


#: Tells for an image's size and the size that it is to have where its pixels go.
Fit: TypeAlias = Callable[[Size, Size], Placing]


def squash(image: Size, result: Size) -> Placing:
    """Show all of an image, whatever becomes of its proportions."""
    return Placing((0, 0, *image), result)


def crop(image: Size, result: Size) -> Placing:
    """
    Keep the proportions and cut off what sticks out, on both sides alike.

    The sizes are rounded as torchvision's ``Resize(S)`` and ``CenterCrop(S)`` do it, so that the same pixels come out.
    """
    (width, height), (wide, high) = image, result
    wider = width * high > wide * height
    whole = (width * high // height, high) if wider else (wide, height * wide // width)
    left, top = (round((one - other) / 2) for one, other in zip(whole, result, strict=True))
    x, y = width / whole[0], height / whole[1]
    return Placing((left * x, top * y, (left + wide) * x, (top + high) * y), result)


def pad(image: Size, result: Size) -> Placing:
    """Keep the proportions and show all of an image, in the middle between margins, as Pillow's ``ImageOps.pad``."""
    (width, height), (wide, high) = image, result
    wider = width * high > wide * height
    size = (wide, max(round(height / width * wide), 1)) if wider else (max(round(width / height * high), 1), high)
    left, top = (round((one - other) / 2) for one, other in zip(result, size, strict=True))
    return Placing((0, 0, *image), size, (left, top))


#: The three ways by their names.
FITS: Mapping[str, Fit] = {"squash": squash, "crop": crop, "pad": pad}
