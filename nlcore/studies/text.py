"""
A table as plain text of at most 80 columns.

Where all columns do not fit beside each other, the first words of ``--by`` stand above the rows that share them, and
the table goes on below with other numbers, as it takes the fewest lines. So no word and no number is ever folded.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence

from nlcore.studies.layout import GAP, WIDTH, Block, Layout, lines_of


def as_text(layout: Layout) -> str:
    """Return plain text of at most 80 columns; a ``*`` marks the best."""
    parts = [_folded(f"all runs: {layout.common}")]
    for block in layout.blocks:
        first, *more = _tables(block)
        parts += [f"{_folded(f'{block.caption}:')}\n{first}", *more]
    notes = [*layout.notes, *([f"*: {layout.best}"] if layout.best else [])]
    parts.append("\n".join(map(_folded, [*(f"{letter}: {text}" for letter, text in layout.marked), *notes])))
    return "\n\n".join(parts) + "\n"


def _folded(text: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _tables(block: Block) -> list[str]:
    """Return a block as one table, or as several: in the way that takes the fewest lines."""
    from rich.cells import cell_len

    lines = lines_of(block)
    widths = [max(map(cell_len, column)) for column in zip(block.columns, *lines, strict=True)]

    def line(cells: Sequence[str], places: Sequence[int], indent: str) -> str:
        padded = []
        for place in places:
            space = " " * (widths[place] - cell_len(cells[place]))
            padded.append(cells[place] + space if place < block.labels else space + cells[place])
        return (indent + (" " * GAP).join(padded)).rstrip()

    def table(above: int, numbers: Sequence[int]) -> str:
        indent, places = " " * GAP * bool(above), [*range(above, block.labels), *numbers]
        found = [line(block.columns, places, indent)]
        for shared, rows in itertools.groupby(lines, lambda cells: cells[:above]):
            words = [f"{word} {value.rstrip()}" for word, value in zip(block.columns, shared, strict=False)]
            found += [_folded(", ".join(words))] * bool(above)
            found += [line(cells, places, indent) for cells in rows]
        return "\n".join(found)

    ways = [
        [table(above, numbers) for numbers in parts]
        for above in range(block.labels + 1)
        if (parts := _parts(widths, block.labels, above))
    ]
    return min(ways, key=lambda tables: "\n\n".join(tables).count("\n"))


def _parts(widths: Sequence[int], labels: int, above: int) -> list[list[int]]:
    """
    Return the places of the numbers that fit beside the labels, table by table; none where not even one does.

    Args:
        widths: of the columns.
        labels: how many columns at the left say which row it is.
        above: how many of these stand above the rows.

    """
    beside = sum(widths[above:labels]) + GAP * (labels - above) + GAP * bool(above)
    if above < labels and beside + max(widths[labels:]) > WIDTH:
        return []
    parts: list[list[int]] = []
    room = 0
    for place in range(labels, len(widths)):
        if widths[place] > room:
            parts.append([])
            room = WIDTH - beside
        parts[-1].append(place)
        room -= widths[place] + GAP
    return parts
