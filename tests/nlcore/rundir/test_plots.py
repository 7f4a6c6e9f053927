"""The pictures of a run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nlcore.rundir.plots import draw_confusion, draw_curves
from nlcore.rundir.result import Result

RESULT = Result(
    run_dir=Path("runs/one"),
    status="done",
    components={"dataset": "d", "noise": "n", "architecture": "a", "loss": "l", "strategy": "s"},
    seed=1,
    noise_seed=1,
    epochs=3,
)

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
    png = draw_curves(rows(memorised), RESULT)
    assert coloured(png, BLUE).sum() > 50
    assert (coloured(png, ORANGE).sum() > 50) == both
    assert coloured(png, ORANGE).any() == both


def height(png: bytes) -> int:
    """Return how many rows of a picture the rising curve of the test accuracy takes, right of its legend."""
    found = np.flatnonzero(coloured(png, BLUE)[:, 300:].any(axis=1))
    return int(found.max() - found.min())


def test_the_axis_is_cut_to_where_the_curves_are() -> None:
    """Accuracies from 0.90 to 0.94 rise through most of the picture, as those from 0.1 to 0.9 do."""
    wide, narrow = (
        draw_curves([{"epoch": n, "test_accuracy": v, "memorised": None} for n, v in enumerate(values, 1)], RESULT)
        for values in ((0.1, 0.5, 0.9), (0.90, 0.92, 0.94))
    )
    assert height(narrow) > 0.6 * height(wide)


@pytest.mark.parametrize("classes", [4, 100])
def test_a_confusion_matrix_is_dark_where_shares_are_high(classes: int) -> None:
    """On the diagonal for the identity, and beside it for the next class."""
    pictures = []
    for matrix in (np.eye(classes), np.roll(np.eye(classes), 1, axis=1)):
        png = draw_confusion(matrix, [f"class {k}" for k in range(classes)], "title", "given")
        pictures.append(np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=np.float64))
    same, moved = pictures
    assert same.shape == moved.shape
    assert same.min() < 100
    assert (same != moved).any()
    # The dark cells of the identity lie on a line that falls from left to right.
    rows, columns = np.nonzero(same[150:800, 150:800] < 80)
    if classes == 4:
        assert np.corrcoef(rows, columns)[0, 1] > 0.7
