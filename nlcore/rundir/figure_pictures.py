"""The pictures of `nl evaluate`: the confusion matrix, calibration by confidence, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nlcore.rundir.figures import BINS, interval_in_words, wilson
from nlcore.rundir.plots import SHOWN, as_png

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nlcore.rundir.figures import Figures

COLUMNS, ROWS = 8, 5  # of the sheet of mistakes
_LETTERS = 16  # of a class name, beneath an image
_BLUE, _ORANGE = "#0072b2", "#d55e00"


def draw_counts(figures: Figures, title: str, rows: str) -> bytes:
    """
    Return the confusion matrix as a PNG: counts, coloured by their share of the row; of many classes colours alone.

    Args:
        figures: to draw.
        title: above the picture.
        rows: what labels are: ``true`` or ``given``.

    """
    from matplotlib.figure import Figure

    counts, classes = figures.confusion, figures.classes
    size = min(12.0, max(5.0, 0.5 * len(classes) + 2.5)) if len(classes) <= SHOWN else 7.0
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.add_subplot()
    shares = counts / counts.sum(axis=1, keepdims=True).clip(1)
    figure.colorbar(axes.imshow(shares, cmap="Blues", vmin=0, vmax=1), ax=axes, label=f"share of the {rows} class")
    axes.set_title(title, fontsize=9, wrap=True)
    axes.set_xlabel("predicted")
    axes.set_ylabel(rows)
    if len(classes) <= SHOWN:
        axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(classes)), classes)
        for i, j in zip(*counts.nonzero(), strict=True):
            colour = "white" if shares[i, j] > 0.5 else "black"
            axes.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", fontsize=7, color=colour)
    return as_png(figure)


def draw_reliability(figures: Figures, title: str) -> bytes:
    """Return a PNG of accuracy by confidence with 95 % intervals, and of how many images have which confidence."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    found = figures.calibration
    figure = Figure(figsize=(5.5, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot((0, 1), (0, 1), color="grey", linestyle="--", linewidth=1, label="accuracy = confidence")
    filled = found.counts.nonzero()[0]
    right = (found.accuracy * found.counts).round().astype(int)
    ends = [wilson(int(right[m]), int(found.counts[m])) or (0.0, 1.0) for m in filled]
    errors = [
        [max(0.0, found.accuracy[m] - low) for m, (low, _) in zip(filled, ends, strict=True)],
        [max(0.0, high - found.accuracy[m]) for m, (_, high) in zip(filled, ends, strict=True)],
    ]
    upper.errorbar(
        found.confidence[filled], found.accuracy[filled], yerr=errors, color=_BLUE, marker="o", markersize=4,
        linewidth=1.5, elinewidth=1, capsize=2, label=f"ECE {100 * found.ece:.2f} points",
    )  # fmt: skip
    upper.set_title(title, fontsize=9, wrap=True)
    upper.set_ylabel("accuracy")
    upper.set_ylim(0, 1)
    upper.legend(loc="upper left", frameon=False, fontsize=8)
    lower.bar([(m + 0.5) / BINS for m in range(BINS)], found.counts, width=0.9 / BINS, color=_BLUE)
    lower.set_ylabel("images")
    lower.set_xlabel("confidence (largest probability)")
    lower.set_xlim(0, 1)
    for axis in (upper.yaxis, lower.xaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    return as_png(figure)


def draw_mistakes(images: Sequence[NDArray[np.uint8]], words: Sequence[str], title: str) -> bytes:
    """
    Return a sheet of at most 40 images as a PNG.

    Args:
        images: uint8 (H, W, C), of any sizes.
        words: what stands beneath each.
        title: above the picture.

    """
    from matplotlib.figure import Figure

    rows = max(1, -(-len(images) // COLUMNS))
    figure = Figure(figsize=(11, 0.5 + 1.75 * rows), layout="constrained")
    figure.suptitle(title, fontsize=9)
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, image, text in zip(grid.flat, images, words, strict=False):
        axes.imshow(image if image.shape[2] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=255)
        axes.text(0.5, -0.04, text, transform=axes.transAxes, ha="center", va="top", fontsize=7, color=_ORANGE)
    return as_png(figure)


def mistake_in_words(label: str, predicted: str, probability: float, rows: str) -> str:
    """Return what stands beneath a mistake: its label, and what was predicted instead."""
    said = "is" if rows == "true" else "given"
    return f"{said} {_short(label)}\n{_short(predicted)} {probability:.0%}"


def headline(figures: Figures, against: str) -> str:
    """Return the accuracy with its interval and what it was measured against, for the terminal and titles."""
    interval = wilson(figures.right, figures.count)
    known = f" (95% interval {interval_in_words(interval)})" if interval else ""
    return f"accuracy {figures.right / figures.count:.2%}{known} against {against}"


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"
