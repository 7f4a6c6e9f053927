"""The picture of a run."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nlcore.rundir.plots import draw_curves

BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)


def coloured(png: bytes, colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return which pixels of a picture, (H, W), have just this colour."""
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        same: NDArray[np.bool_] = np.asarray(image.convert("RGB")) == colour
    return np.asarray(same.all(axis=2))


def rows(memorised: list[float | None]) -> list[dict[str, Any]]:
    """Return the metrics of as many epochs."""
    return [{"epoch": n, "test_accuracy": 0.1 * n, "memorised": value} for n, value in enumerate(memorised, start=1)]


@pytest.mark.parametrize(("memorised", "both"), [([0.1, 0.2, 0.3], True), ([0.1], True), ([None, None, None], False)])
def test_what_was_measured_is_drawn_and_nothing_else(memorised: list[float | None], both: bool) -> None:
    png = draw_curves(rows(memorised), "gce, standard on digits")
    assert coloured(png, BLUE).sum() > 50
    assert (coloured(png, ORANGE).sum() > 50) == both
    assert coloured(png, ORANGE).any() == both


def test_accuracy_has_the_same_axis_in_every_picture() -> None:
    """0 lies at the bottom of the picture and 1 at its top, whatever was measured."""
    low, high = (
        np.flatnonzero(
            coloured(draw_curves([{"epoch": 1, "test_accuracy": value, "memorised": None}], ""), BLUE).any(1)
        )
        for value in (0.0, 1.0)
    )
    assert low.max() > high.min() + 300
