"""What a notebook works with: small tables and pictures as HTML, and data frames."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlcore.errors import UserError

if TYPE_CHECKING:
    import pandas


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


def html_picture(png: bytes, about: str, width: int) -> str:
    """
    Return a picture as HTML that holds all of it.

    Args:
        png: its bytes.
        about: what it shows, for those who cannot see it.
        width: in pixels on the page, at most; it is never wider than its place.

    """
    data = base64.b64encode(png).decode("ascii")
    style = f"width: {width}px; max-width: 100%"
    return f'<img alt="{html.escape(about)}" style="{style}" src="data:image/png;base64,{data}"/>'


def as_frame(rows: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """
    Return rows as a DataFrame, a column for each key.

    Raises:
        UserError: pandas is not installed.

    """
    frame: pandas.DataFrame = pandas_package().DataFrame(rows)
    return frame


def pandas_package() -> Any:
    """
    Return the package pandas.

    Raises:
        UserError: it is not installed.

    """
    try:
        import pandas
    except ImportError:
        raise UserError("A data frame needs the package pandas. Type: pip install pandas") from None
    return pandas
