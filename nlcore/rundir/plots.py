"""``curves.png``: test accuracy and the fraction of wrong labels memorised, by epoch."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any


def draw_curves(rows: Sequence[Mapping[str, Any]], title: str) -> bytes:
    """Return the metrics of a run as a PNG; what was not measured is left out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    epochs = [row["epoch"] for row in rows]
    for name, label, style in (
        ("test_accuracy", "test accuracy", {"color": "#0072b2", "linewidth": 2.2}),
        ("memorised", "wrong labels memorised", {"color": "#d55e00", "linewidth": 2.2, "linestyle": "--"}),
    ):
        values = [row[name] for row in rows]
        if any(value is not None for value in values):
            axes.plot(epochs, values, label=label, marker="o", markersize=3, **style)  # type: ignore[arg-type]
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("epoch")
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(loc="best", frameon=False)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    return png.getvalue()
