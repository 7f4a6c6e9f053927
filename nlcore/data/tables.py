"""CSV files as people and spreadsheets write them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from nlcore.errors import UserError
from nlcore.textfiles import read_text

_SEPARATORS = ",;\t"  # spreadsheets save with what their language has


def read_table(
    path: Path, needed: Sequence[str], advice: str, also: Sequence[str] = ()
) -> list[tuple[str, Mapping[str, str]]]:
    """
    Return the rows of a CSV file whose first line names the columns: where each is, and its fields by column.

    Titles of columns that are asked for are taken without regard to case. Lines of nothing but separators are passed
    over.

    Args:
        path: the file, UTF-8 or UTF-16, with commas, semicolons or tabs.
        needed: the columns that must be there, each once; in any order, and there may be more.
        advice: what to do where there is no such file.
        also: columns that may be there.

    Raises:
        UserError: no file, no text, no valid CSV, a column that is missing.

    """
    return parse_table(path, table_text(path, advice), needed, also)


def table_text(path: Path, advice: str) -> str:
    """
    Return the text of a table.

    Raises:
        UserError: no file, or no text.

    """
    try:
        return read_text(path)
    except FileNotFoundError:
        raise UserError(f"There is no file {path}. {advice}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text in UTF-8 or UTF-16. Save it as CSV in UTF-8.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


def parse_table(
    path: Path, text: str, needed: Sequence[str], also: Sequence[str] = ()
) -> list[tuple[str, Mapping[str, str]]]:
    """Return the rows of a text, as `read_table` does; `path` is for messages."""
    first = text.partition("\n")[0].partition("\r")[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[tuple[str, Mapping[str, str]]] = []
    line = 1
    try:
        written = [title.strip() for title in next(reader, [])]
        titles = [title.casefold() if title.casefold() in (*needed, *also) else title for title in written]
        missing = [name for name in needed if titles.count(name) != 1]
        if missing:
            columns = f"the column{'s' * (len(needed) > 1)} {', '.join(needed)}{', each once' * (len(needed) > 1)}"
            raise UserError(f"{path}: the first line must name {columns}; wrong: {', '.join(missing)}.")
        twice = [title for title in dict.fromkeys(titles) if title and titles.count(title) > 1]
        if twice:
            raise UserError(f"{path}: two columns are called {twice[0]}. Rename or remove one.")
        line = reader.line_num + 1
        for fields in reader:
            where, line = f"line {line}", reader.line_num + 1
            if not any(field.strip() for field in fields):  # spreadsheets end with rows of nothing but separators
                continue
            if len(fields) != len(titles):
                raise UserError(
                    f"{path}, {where}: {len(fields)} fields, where the first line has {len(titles)}. Put a field that "
                    "holds the separator into double quotes."
                )
            rows.append((where, dict(zip(titles, fields, strict=True))))
    except csv.Error as error:
        raise UserError(f"{path}, line {line}: no valid CSV: {error}.") from None
    return rows
