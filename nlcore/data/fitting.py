"""
How an image of any shape comes to a given size: squashed, cut off at two sides, or with margins.

Only geometry: `nlcore.data.image_files.read_image` resamples as it is told here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

#: Width and height in pixels.
Size: TypeAlias = tuple[int, int]

#: Pixels up to which all of an image is resized before a part of it is cut out, so that the part's edges have
#: neighbours; of a longer image, which would take ever more memory, the part is cut out first, to whole pixels.
_MOST = 4_000_000


class Placing(NamedTuple):
    """
    Where an image's pixels go.

    Attributes:
        box: left, top, right and bottom of the part that is resized, in whole pixels of the image.
        size: what that part is resized to.
        corner: left and top of it in the result: above 0 where margins remain, below where something is cut off.

    """

    box: tuple[int, int, int, int]
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
        return self._replace(box=_covered(self.box, image, smaller))


def _covered(box: tuple[int, int, int, int], image: Size, other: Size) -> tuple[int, int, int, int]:
    """Return the whole pixels that a box of an image covers where it has another size."""
    (left, top, right, bottom), (x, y), (width, height) = box, other, image
    return left * x // width, top * y // height, -(-right * x // width), -(-bottom * y // height)


def cut(image: Size, whole: Size, result: Size, corner: Size) -> Placing:
    """
    Show a part of an image that has been resized.

    Args:
        image: width and height of the image.
        whole: what all of it is resized to.
        result: width and height of the part.
        corner: left and top of the part.

    """
    (left, top), (wide, high) = corner, result
    if whole[0] * whole[1] <= _MOST:
        return Placing((0, 0, *image), whole, (-left, -top))
    return Placing(_covered((left, top, left + wide, top + high), whole, image), result)


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
    return cut(image, whole, result, (left, top))


def pad(image: Size, result: Size) -> Placing:
    """Keep the proportions and show all of an image, in the middle between margins, as Pillow's ``ImageOps.pad``."""
    (width, height), (wide, high) = image, result
    wider = width * high > wide * height
    size = (wide, max(round(height / width * wide), 1)) if wider else (max(round(width / height * high), 1), high)
    left, top = (round((one - other) / 2) for one, other in zip(result, size, strict=True))
    return Placing((0, 0, *image), size, (left, top))


#: The three ways by their names.
FITS: Mapping[str, Fit] = {"squash": squash, "crop": crop, "pad": pad}
