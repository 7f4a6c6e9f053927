"""``samples.png``: a sheet of training images with their given labels, and the true ones where those differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nlcore.rundir.plots import as_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from nlcore.contracts import Labels
    from nlcore.data.run_data import RunData

COLUMNS, ROWS = 8, 5
_WRONG = "#d55e00"
_STREAM = 40  # of random numbers: with the noise's own, the images drawn would be those with a new label
_WIDTH, _ABOVE = 9.0, 0.45  # inches
_LETTERS = 14  # of a class name, beneath an image


def draw_samples(data: RunData, seed: int) -> bytes:
    """
    Return `samples_figure` as a PNG.

    Args:
        data: of a run.
        seed: of the draw, at least 0.

    """
    return as_png(samples_figure(data, seed))


def samples_figure(data: RunData, seed: int) -> Figure:
    """
    Return a sheet of 40 training images, or of all where there are fewer.

    They are drawn evenly, so about as many of them are wrong as the noise rate says. Beneath each stands its given
    label. Where that is wrong, the true one stands there too and the image is framed; where the truth is unknown,
    nothing is.

    Args:
        data: of a run.
        seed: of the draw, at least 0.

    """
    from matplotlib.patches import Rectangle

    from nlcore.rundir.picture import Picture

    rng = np.random.default_rng([seed, _STREAM])
    chosen: Labels = np.sort(rng.permutation(len(data.train))[: COLUMNS * ROWS])
    given = data.train.labels[chosen]
    true = given if data.truth.train is None else data.truth.train[chosen]
    sheet, pitch, size = _side_by_side(data.train.images.fetch(chosen))
    height = 0.96 * _WIDTH * sheet.shape[0] / sheet.shape[1]
    figure = Picture(figsize=(_WIDTH, height + _ABOVE))
    axes = figure.add_axes((0.02, 0, 0.96, height / (height + _ABOVE)))
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(_title(data, int((given != true).sum()), len(chosen)), fontsize=10)
    for number in range(len(chosen)):
        top, left = pitch[0] * (number // COLUMNS), pitch[1] * (number % COLUMNS)
        wrong = given[number] != true[number]
        words = _name(data, given[number]) + (f"\n{_truth(data, true[number])}" if wrong else "")
        colour = _WRONG if wrong else "black"
        middle, below = left + (size[1] - 1) / 2, top + size[0] * 1.04 - 0.5
        axes.text(middle, below, words, ha="center", va="top", fontsize=7, color=colour)
        if wrong:
            axes.add_patch(Rectangle((left - 0.5, top - 0.5), size[1], size[0], fill=False, edgecolor=colour, lw=2))
    return figure


def _side_by_side(images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[int, int], tuple[int, int]]:
    """
    Return images, uint8 (M, H, W, C), in rows on white with room for two lines beneath each.

    Returns:
        The sheet, uint8 (., ., 3); how far images are apart, in pixels down and across; and their size, (H, W).

    """
    count, height, width, channels = images.shape
    pitch = (height + max(3, round(0.4 * max(height, width))), width + max(1, round(0.25 * width)))
    rows = -(-count // COLUMNS)
    sheet = np.full((rows * pitch[0], COLUMNS * pitch[1] - (pitch[1] - width), 3), 255, dtype=np.uint8)
    for number, image in enumerate(images):
        top, left = pitch[0] * (number // COLUMNS), pitch[1] * (number % COLUMNS)
        sheet[top : top + height, left : left + width] = image if channels == 3 else image[:, :, :1]
    return sheet, pitch, (height, width)


def _truth(data: RunData, label: int) -> str:
    return f"truly {_name(data, label)}" if label >= 0 else "of no class"


def _name(data: RunData, label: int) -> str:
    name = data.classes[label]
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"


def _title(data: RunData, wrong: int, shown: int) -> str:
    sheet = f"{shown} of {len(data.train):,} training images"
    if data.truth.noise_rate is None:
        return f"{sheet} with their given labels"
    return f"{sheet}: {wrong} wrongly labelled ({data.truth.noise_rate:.1%} of all)"
