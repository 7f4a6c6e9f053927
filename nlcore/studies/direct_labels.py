"""Labels at the ends of lines, none over another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The size of text beside lines and bars, in points.
SIZE = 8.0


def write_at_ends(axes: Axes, labels: Sequence[tuple[float, float, str, str]]) -> None:
    """Write labels (x, y, text, colour) to the right of the lines that end there, none over another."""
    height = axes.get_window_extent().height / axes.figure.dpi * 72
    to_axes: Callable[[tuple[float, float]], Any] = (axes.transData + axes.transAxes.inverted()).transform
    ordered = sorted(labels, key=lambda label: label[1])
    wanted = [float(to_axes((x, y))[1]) for x, y, _, _ in ordered]
    for (x, y, text, colour), place in zip(ordered, apart(wanted, 1.35 * SIZE / height), strict=True):
        axes.annotate(
            text,
            (x, y),
            xytext=(1.03, place),
            textcoords="axes fraction",
            va="center",
            fontsize=SIZE,
            color=colour,
            annotation_clip=False,
            parse_math=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "alpha": 0.5,
                "linewidth": 0.8,
                "shrinkA": 1,
                "shrinkB": 2,
                "relpos": (0, 0.5),
            },
        )


def apart(wanted: Sequence[float], distance: float) -> list[float]:
    """
    Return places from 0 to 1 that are at least `distance` apart and as near to those wanted as can be.

    Least squares under order is isotonic regression of what is left when the distances are taken off.

    Args:
        wanted: in ascending order.
        distance: between neighbours; less where there is no room for so much.

    """
    from sklearn.isotonic import isotonic_regression

    if not wanted:
        return []
    distance = min(distance, 1 / max(1, len(wanted) - 1))
    free = isotonic_regression(
        [place - number * distance for number, place in enumerate(wanted)],
        y_min=0.0,
        y_max=1 - distance * (len(wanted) - 1),
    )
    return [float(place) + number * distance for number, place in enumerate(free)]
