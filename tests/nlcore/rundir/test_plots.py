"""The pictures of a run."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nlcore.rundir.plots import curves_figure, draw_curves
from nlcore.rundir.result import Result

BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)


RUN = Result(
    run_dir=Path("run"),
    status="done",
    components={
        "loss": "gce",
        "strategy": "standard",
        "dataset": "digits",
        "noise": "symmetric",
        "architecture": "net",
    },
    seed=1,
    noise_seed=1,
    epochs=3,
    noise_rate=0.45,
    options={"loss.q": 0.3},
)


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
    png = draw_curves(rows(memorised), RUN)
    assert coloured(png, BLUE).sum() > 50
    assert (coloured(png, ORANGE).sum() > 50) == both
    assert coloured(png, ORANGE).any() == both


def test_a_short_run_fills_the_picture() -> None:
    """Two points that are a hundredth apart lie far from each other: the axis is cut to where the curves are."""
    few = [{"epoch": n, "test_accuracy": value, "memorised": None} for n, value in ((1, 0.50), (2, 0.51))]
    found = np.flatnonzero(coloured(draw_curves(few, RUN), BLUE).any(1))
    assert found.max() - found.min() > 150


def test_the_title_says_what_was_run() -> None:
    figure = curves_figure(rows([0.1]), RUN)
    title, (axes,) = figure.axes[0].get_title(), figure.axes
    assert title == "gce (q 0.3), standard on digits\nsymmetric noise 45.0%, net, seed 1"
    called = curves_figure(rows([0.1]), replace(RUN, data="photos")).axes[0].get_title()
    assert called.startswith("gce (q 0.3), standard on photos\n")
    assert axes.get_ylabel() == "share of images"
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "test accuracy, 10.0% in the last epoch",
        "wrong labels memorised, 10.0% in the last epoch",
    ]
