"""
Random boxes of image files (Szegedy et al. 2015, arXiv:1409.4842, section 6; as torchvision draws them).

    w = √(s r) √(HW), h = √(s / r) √(HW)        s ~ U(smallest, 1), log r ~ U(log 3/4, log 4/3); its place uniform

The first of ten such boxes that fits is taken; where none does, the largest one in the centre whose ratio is allowed.
It is what the augmentation ``resized_crop`` does with images that have one size already.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from nlcore.toolbox import Fit, Placing

ATTEMPTS = 10
RATIO = 4 / 3  # the widest box; 1 / RATIO the narrowest


def draw_boxes(count: int, smallest: float, rng: np.random.Generator) -> list[Fit]:
    """
    Return for each of so many images, whose sizes need not be known, how a box of it is shown.

    Args:
        count: how many.
        smallest: share of an image's area that a box has at least, in (0, 1].
        rng: of it are all draws.

    """
    shares = rng.uniform(smallest, 1, (count, ATTEMPTS)).tolist()
    ratios = np.exp(rng.uniform(-math.log(RATIO), math.log(RATIO), (count, ATTEMPTS))).tolist()
    places = rng.random((count, 2)).tolist()
    return [partial(box, shares=s, ratios=r, place=p) for s, r, p in zip(shares, ratios, places, strict=True)]


def box(
    image: tuple[int, int],
    result: tuple[int, int],
    shares: Sequence[float],
    ratios: Sequence[float],
    place: Sequence[float],
) -> Placing:
    """
    Return which box of an image is shown.

    Args:
        image: width and height of the image, in pixels.
        result: width and height that the box is resized to.
        shares: of the image's area, one for each attempt.
        ratios: of the box's width to its height, one for each attempt.
        place: where in the room that is left its left and upper edges lie, in [0, 1).

    """
    width, height = image
    for share, ratio in zip(shares, ratios, strict=True):
        w, h = (round(math.sqrt(share * width * height * one)) for one in (ratio, 1 / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(place[0] * (width - w + 1)), int(place[1] * (height - h + 1))
            return Placing((left, top, left + w, top + h), result)
    w, h = min(width, round(height * RATIO)), min(height, round(width * RATIO))
    left, top = (width - w) // 2, (height - h) // 2
    return Placing((left, top, left + w, top + h), result)
