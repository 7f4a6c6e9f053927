"""The pictures of a run: ``curves.png`` by epoch, and heat maps of K × K shares."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlcore.parameters import show_value

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from nlcore.rundir.result import Result

SHOWN = 20  # up to so many classes are written out, in a picture or a table
_CURVES = (
    ("test_accuracy", "test accuracy", {"color": "#0072b2", "linewidth": 2.2}),
    ("memorised", "wrong labels memorised", {"color": "#d55e00", "linewidth": 2.2, "linestyle": "--"}),
)


def draw_curves(rows: Sequence[Mapping[str, Any]], result: Result) -> bytes:
    """Return `curves_figure` as a PNG."""
    return as_png(curves_figure(rows, result))


def curves_figure(rows: Sequence[Mapping[str, Any]], result: Result) -> Figure:
    """
    Return test accuracy and the share of wrong labels memorised, by epoch.

    What was not measured is left out; the axis is cut to where the curves are.
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    from nlcore.rundir.picture import Picture

    figure = Picture(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    epochs = [row["epoch"] for row in rows]
    drawn: list[float] = []
    for name, label, style in _CURVES:
        values = [row[name] for row in rows]
        known = [value for value in values if value is not None]
        if known:
            drawn += known
            last = f", {known[-1]:.1%} in the last epoch"
            axes.plot(epochs, values, label=label + last, marker="o", markersize=3, **style)  # type: ignore[arg-type]
    low, high = min(drawn, default=0.0), max(drawn, default=1.0)
    margin = max(0.05 * (high - low), 0.01)
    axes.set_ylim(max(0.0, low - margin), min(1.0, high + margin))
    axes.set_title(_title(result), fontsize=9)
    axes.set_xlabel("epoch")
    axes.set_ylabel("share of images")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(loc="best", frameon=False, fontsize=8)
    return figure


def draw_confusion(shares: NDArray[np.float64], classes: Sequence[str], title: str, columns: str) -> bytes:
    """
    Return the shares of true class i that are j, (K, K), as a PNG.

    Args:
        shares: rows add up to 1.
        classes: the names of the K classes; of more than 20 none is written out.
        title: above the picture.
        columns: what j is: ``given`` or ``predicted``.

    """
    from matplotlib.figure import Figure

    K = len(classes)
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(columns)
    axes.set_ylabel("true")
    if K <= SHOWN:
        axes.set_xticks(range(K), classes, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(K), classes)
        for i in range(K):
            for j in range(K):
                share = shares[i, j]
                if share > 0:
                    colour = "white" if share > 0.5 else "black"
                    axes.text(j, i, f"{100 * share:.1f}", ha="center", va="center", fontsize=7, color=colour)
    return as_png(figure)


def _title(result: Result) -> str:
    """Return what was run: ``gce (q 0.5), standard on digits, symmetric noise 45.0 %, seed 1``."""
    parts = result.components

    def with_options(slot: str) -> str:
        options = {k.partition(".")[2]: v for k, v in result.options.items() if k.partition(".")[0] == slot}
        inside = ", ".join(f"{key} {show_value(value)}" for key, value in options.items())
        return f"{parts[slot]} ({inside})" if inside else parts[slot]

    rate = "" if result.noise_rate is None else f" {result.noise_rate:.1%}"
    first = f"{with_options('loss')}, {with_options('strategy')} on {result.data or parts['dataset']}"
    return f"{first}\n{with_options('noise')} noise{rate}, {parts['architecture']}, seed {result.seed}"


def as_png(figure: Figure) -> bytes:
    """Return a figure as a PNG, drawn without a window system."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    return png.getvalue()
