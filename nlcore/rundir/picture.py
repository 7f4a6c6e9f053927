"""A figure that a notebook shows."""

from __future__ import annotations

from matplotlib.figure import Figure

from nlcore.rundir.plots import as_png

_PIXELS = 96  # an inch, on the page


class Picture(Figure):
    """
    A matplotlib figure that a notebook shows as a picture.

    IPython knows how to draw a figure only once pyplot is imported, and writes ``<Figure size 750x410 with 1 Axes>``
    until then.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the figure as a PNG, and how wide it is to be shown: sharp on dense screens, no wider than a page."""
        return as_png(self), {"width": round(_PIXELS * self.get_figwidth())}
