"""What a notebook shows of a result: small tables as HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def html_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """
    Return a table as HTML, everything in it escaped.

    Args:
        caption: above it.
        columns: the titles; none where the first cell of a row is its title.
        rows: the cells.

    """
    parts = ["<table>", f"<caption>{html.escape(caption)}</caption>"]
    if columns:
        titles = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in columns)
        parts.append(f"<thead><tr>{titles}</tr></thead>")
    parts.append("<tbody>")
    for first, *others in rows:
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in others)
        parts.append(f'<tr><th scope="row">{html.escape(first)}</th>{cells}</tr>')
    return "\n".join([*parts, "</tbody>", "</table>"])
