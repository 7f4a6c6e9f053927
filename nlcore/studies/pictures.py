"""
Pictures of many runs: lines over epochs with bands, and bars with intervals.

With two or more words in ``--by``, each value of the last one has a panel of its own; colours mean the same in all.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlcore.errors import UserError, plural
from nlcore.studies.common import common
from nlcore.studies.direct_labels import SIZE, write_at_ends
from nlcore.studies.groups import Groups, Row, show_key
from nlcore.studies.metrics import Metric, at_the_end, by_epoch
from nlcore.studies.statistics import interval, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito (2008), told apart by the colour-blind, without the yellow, which is faint on white. From the eighth
#: line on they come again in other dashes.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))

#: What a picture can be written as.
SUFFIXES = (".png", ".svg", ".pdf")

_PANELS, _MOST_PANELS = 3, 12  # in a row, and in all


@dataclass(frozen=True)
class _Panel:
    """What is drawn in one place: rows by what they are called there."""

    title: str
    rows: dict[str, Row]


def curves_figure(groups: Groups, metric: Metric) -> Figure:
    """
    Return a metric by epoch, a line for each row: the mean over its runs, with a band of one standard deviation.

    Where runs have diverged the line goes on with the others, and its label says so. The axis is cut to where the
    lines are.
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure, places, styles = _canvas(groups, metric, "mean ± standard deviation over")
    ends: list[list[tuple[float, float, str, str]]] = []
    drawn: list[float] = []
    for axes, panel in places:
        ends.append([])
        for name, row in panel.rows.items():
            points = _by_epoch(row, metric)
            if not points:
                continue
            colour, dashes = styles[name]
            epochs, means, stds = zip(*points, strict=True)
            low = [mean - std for mean, std in zip(means, stds, strict=True)]
            high = [mean + std for mean, std in zip(means, stds, strict=True)]
            axes.fill_between(epochs, low, high, color=colour, alpha=0.18, linewidth=0)
            marker = "o" if len(epochs) < 3 else ""
            axes.plot(epochs, means, color=colour, linestyle=dashes, linewidth=2, marker=marker, markersize=3)
            drawn += [*low, *high]
            ends[-1].append((epochs[-1], means[-1], f"{name}: {metric.show(means[-1])}{_remarks(row)}", colour))
        axes.set_xlabel("epoch", fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if metric.share:
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    _cut(places[0][0], drawn, metric)
    figure.draw_without_rendering()  # so that it is known how high the panels are
    for (axes, _), labels in zip(places, ends, strict=True):
        write_at_ends(axes, labels)
    return figure


def bars_figure(groups: Groups, metric: Metric) -> Figure:
    """Return a bar for each row, the mean over its runs, with its 95 % interval by Student's t and a dot a run."""
    from matplotlib.ticker import PercentFormatter

    figure, places, styles = _canvas(groups, metric, "mean with its 95 % interval over", share_x=True)
    for axes, panel in places:
        names = list(panel.rows)
        for place, row in enumerate(panel.rows.values()):
            values = [value for run in row.runs if (value := at_the_end(run, metric)) is not None]
            if not values:
                continue
            mean, ends = spread(values).mean or 0.0, interval(values)
            axes.barh(place, mean, color=styles[names[place]][0], alpha=0.75, height=0.7)
            axes.plot(values, [place] * len(values), "o", color="black", markersize=2.5, alpha=0.6)
            if ends:
                axes.plot(ends, [place, place], color="black", linewidth=1.2, marker="|", markersize=7)
            axes.annotate(
                f"{metric.show(mean)}{_remarks(row)}",
                (max(*values, *(ends or values)), place),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=SIZE,
                parse_math=False,
            )
        axes.set_yticks(range(len(names)), names, fontsize=SIZE, parse_math=False)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        if metric.share:
            axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    return figure


def drawn_as(figure: Figure, suffix: str) -> bytes:
    """Return a figure as ``.png``, ``.svg`` or ``.pdf``, the same bytes for the same figure."""
    import matplotlib as mpl

    content = io.BytesIO()
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with mpl.rc_context({"svg.hashsalt": "nlcore"}):
        figure.savefig(content, format=suffix.removeprefix("."), dpi=150, metadata=dates.get(suffix))
    return content.getvalue()


def _canvas(
    groups: Groups, metric: Metric, what: str, share_x: bool = False
) -> tuple[Figure, list[tuple[Axes, _Panel]], dict[str, tuple[str, Any]]]:
    """
    Return an empty figure with its title, its panels, and colour and dashes of every name.

    Raises:
        UserError: there are too many to be told apart.

    """
    from nlcore.rundir.picture import Picture

    panels = _panels(groups)
    names = list(dict.fromkeys(name for panel in panels for name in panel.rows))
    most = len(COLOURS) * len(_DASHES)
    if len(names) > most or len(panels) > _MOST_PANELS:
        raise UserError(
            f"by {','.join(groups.by)}: {plural(len(panels), 'panel')} of {plural(len(names), 'name')} are more "
            f"than a picture shows: {_MOST_PANELS} of {most}. Name other words, or a folder with fewer runs."
        )
    styles = {
        name: (COLOURS[place % len(COLOURS)], _DASHES[place // len(COLOURS) % len(_DASHES)])
        for place, name in enumerate(names)
    }
    across = min(len(panels), _PANELS)
    down = math.ceil(len(panels) / across)
    width = 7.5 if across == 1 else 4.2 * across
    height = max(3.2, 0.2 * max(len(panel.rows) for panel in panels) + 1.0)
    figure = Picture(figsize=(width, 0.9 + height * down), layout="constrained")
    grid = list(figure.subplots(down, across, sharex=share_x, sharey=True, squeeze=False).flat)
    for axes in grid[len(panels) :]:
        axes.remove()
    places = list(zip(grid, panels, strict=False))
    counts = {len(row.runs) for row in groups.rows}
    number = f"{metric.about or metric.name}{' (oracle)' if metric.oracle else ''}"
    said = (
        "of one run each"
        if counts == {1}
        else f"{what} {' to '.join(map(str, sorted({min(counts), max(counts)})))} runs"
    )
    title = f"{number} by {' and '.join(groups.by)}: {said}"
    letters = int(12.5 * width)  # of 9 points
    unbroken = common(groups).replace(" ", "\u00a0").replace(",\u00a0", ", ")  # no line ends between word and value
    lines = [*textwrap.wrap(title, letters), *textwrap.wrap(unbroken, letters)]
    figure.suptitle("\n".join(lines).replace("\u00a0", " "), fontsize=9, x=0.02, ha="left", parse_math=False)
    for axes, panel in places:
        axes.set_title(panel.title, fontsize=9, parse_math=False)
        axes.tick_params(labelsize=SIZE)
        axes.grid(alpha=0.3)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure, places, styles


def _panels(groups: Groups) -> list[_Panel]:
    last = groups.across
    by = groups.by[:-1] if last else groups.by
    parts = [
        (f"{groups.by[-1]} {show_key(value)}", [row for row in groups.rows if row.key[-1] == value]) for value in last
    ] or [("", list(groups.rows))]
    plain = [len({_name(row, by, False) for row in rows}) == len(rows) for _, rows in parts]
    return [_Panel(title, {_name(row, by, not all(plain)): row for row in rows}) for title, rows in parts]


def _name(row: Row, by: Sequence[str], with_words: bool) -> str:
    """Return the values by which a row goes; with their words where values alone do not tell rows apart."""
    there = [(word, value) for word, value in zip(by, row.key, strict=False) if value is not None]
    return ", ".join(f"{word} {show_key(value)}" if with_words else show_key(value) for word, value in there) or "–"


def _remarks(row: Row) -> str:
    """Return what must stand beside a name: whether the method was told what nobody knows, and how many diverged."""
    diverged = sum(run.result.status == "diverged" for run in row.runs)
    said = ["oracle"] if any(run.result.oracles for run in row.runs) else []
    said += [f"{diverged} of {len(row.runs)} diverged"] if diverged else []
    return f" ({', '.join(said)})" if said else ""


def _by_epoch(row: Row, metric: Metric) -> list[tuple[int, float, float]]:
    """Return of each epoch that was measured its number, mean and standard deviation (0 of one run)."""
    found: dict[int, list[float]] = {}
    for run in row.runs:
        for line, value in zip(run.metrics, by_epoch(run, metric), strict=True):
            if value is not None:
                found.setdefault(line["epoch"], []).append(value)
    of_each = {epoch: spread(values) for epoch, values in sorted(found.items())}
    return [(epoch, one.mean or 0.0, one.std or 0.0) for epoch, one in of_each.items()]


def _cut(axes: Axes, drawn: Sequence[float], metric: Metric) -> None:
    """Cut the axis, which panels share, to what is drawn."""
    low, high = min(drawn, default=0.0), max(drawn, default=1.0)
    margin = 0.05 * (high - low) or 0.01
    low, high = low - margin, high + margin
    axes.set_ylim(*((max(0.0, low), min(1.0, high)) if metric.share else (low, high)))
