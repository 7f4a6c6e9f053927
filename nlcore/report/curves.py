"""Curves for a page: pictures of many runs as SVG that stands in HTML and takes its colours from there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from nlcore.errors import UserError
from nlcore.studies.groups import Groups
from nlcore.studies.metrics import Metric, metric_of_epochs
from nlcore.studies.pictures import COLOURS, curves_figure, drawn_as
from nlcore.studies.read import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The curves of every report; another metric of the table has some as well where it was measured in every epoch.
USUAL = ("test_accuracy", "memorised")

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_REFERENCE = re.compile(r"#([\w-]+)")
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")


@dataclass(frozen=True)
class Curves:
    """
    A picture.

    Attributes:
        title: what it shows.
        about: what is the same in all its runs.
        svg: the element; its letters are drawn. Empty where nothing could be drawn.
        why_not: why not, else empty.

    """

    title: str
    about: str = ""
    svg: str = ""
    why_not: str = ""


def curves_of(groups: Groups, metrics: Sequence[Metric], runs: Sequence[Run]) -> list[Curves]:
    """Return the usual curves, and those of metrics that were measured in every epoch."""
    found = []
    for name in dict.fromkeys((*USUAL, *(metric.name for metric in metrics))):
        try:
            metric = metric_of_epochs(name, runs)
        except UserError:  # it is known at the end alone, or was not measured
            continue
        try:
            figure = curves_figure(groups, metric)
        except UserError as error:
            found.append(Curves(metric.about or name, why_not=str(error)))
            continue
        title, _, about = figure.get_suptitle().partition("\n")
        figure.suptitle("")  # it stands above the picture, where it can be read aloud and searched
        found.append(Curves(title, about.replace("\n", " "), inline(figure, title, f"curves{len(found)}")))
    return found


def inline(figure: Figure, title: str, prefix: str) -> str:
    """
    Return a figure as an ``svg`` element for a page.

    Black is the page's text colour, white is left out, and each of `nlcore.studies.pictures.COLOURS` is a variable of
    the page's style, ``--c0`` and so on.

    Args:
        figure: drawn in black on white, in these colours.
        title: what is read aloud in its place.
        prefix: of ids, which must differ between the pictures of a page.

    """
    source = _COMMENT.sub("", drawn_as(figure, ".svg").decode())  # comments repeat what was written
    root = ElementTree.fromstring(source)
    for parent in root.iter():
        for child in [one for one in parent if _local(one.tag) in ("metadata", "style")]:
            parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        attributes = {_local(name): value for name, value in element.attrib.items()}
        element.attrib.clear()
        for name, value in attributes.items():
            if name == "id":
                element.set(name, f"{prefix}-{value}")
            elif name == "style":
                element.set(name, _COLOUR.sub(lambda found: _variable(found[0]), value))
            elif name in ("href", "clip-path"):
                element.set(name, _REFERENCE.sub(rf"#{prefix}-\1", value))
            else:
                element.set(name, value)
        element.text = element.tail = None
    root.set("role", "img")
    root.set("aria-label", title)
    for name in ("version", "width", "height"):
        root.attrib.pop(name, None)
    root.set("style", f"min-width: {int(figure.get_figwidth() * 0.85 * 96)}px")
    return ElementTree.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _variable(colour: str) -> str:
    if colour == "#000000":
        return "currentColor"
    if colour == "#ffffff":
        return "none"
    return f"var(--c{COLOURS.index(colour)}, {colour})" if colour in COLOURS else colour
