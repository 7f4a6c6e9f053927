"""
Tables in text files as spreadsheets and other tools write them: rows of fields, each with its line.

UTF-8 or UTF-16, with or without a byte order mark, line ends of any system. Fields are separated by a comma, a
semicolon, a tab or a bar: by what splits the first line into most. All rows have as many fields as the first one; a row
that has not would be read wrongly, and is refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nlcore import UserError
from nlcore.toolbox import read_text

SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
SHOWN = 10  # of a list of mistakes


class Row(NamedTuple):
    """The fields of a row, without the spaces around them, and the line that it begins in, from 1."""

    line: int
    fields: list[str]


def read_rows(path: Path, separator: str | None = None) -> tuple[list[Row], str]:
    """
    Return the rows of a table that hold anything, and the separator.

    Args:
        path: the file.
        separator: one character; None to find it out.

    Raises:
        UserError: no such file, no text, or rows of different lengths, which are named by their lines.

    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text in UTF-8 or UTF-16. Save it as CSV in UTF-8.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', error)}.") from None
    if "\0" in text:
        raise UserError(f"{path} is no text: it holds zero bytes. Save it as CSV in UTF-8.")
    try:
        used = separator or _separator(text)
        rows = _rows(text, used)
    except csv.Error as error:
        raise UserError(f"{path} is no valid CSV: {error}.") from None
    wrong = [f"line {row.line}: {_count(row)}" for row in rows if len(row.fields) != len(rows[0].fields)]
    if wrong:
        raise UserError(
            f"{path}: {shorten(wrong)}; the first line has {len(rows[0].fields)}. Fields are separated by "
            f"{SEPARATORS.get(used, repr(used))}; put one that holds it into double quotes."
        )
    return rows, used


def shorten(words: Sequence[str], separator: str = ", ") -> str:
    """Return the first words of a list as text, and how many more there are."""
    more = f"{separator}and {len(words) - SHOWN:,} more" if len(words) > SHOWN else ""
    return separator.join(words[:SHOWN]) + more


def _separator(text: str) -> str:
    """Return what splits the first line that holds anything into most fields; a comma where nothing does."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(SEPARATORS, key=lambda one: len(next(_reader(first, one, strict=False), [])))


def _rows(text: str, separator: str) -> list[Row]:
    reader, line, rows = _reader(text, separator, strict=True), 1, []
    for fields in reader:
        row = Row(line, [field.strip() for field in fields])
        line = reader.line_num + 1
        if any(row.fields):  # spreadsheets end with rows of nothing but separators
            rows.append(row)
    return rows


def _reader(text: str, separator: str, strict: bool) -> Any:
    lines = io.StringIO(text, newline="")
    return csv.reader(lines, delimiter=separator, skipinitialspace=separator != "\t", strict=strict)


def _count(row: Row) -> str:
    return "1 field" if len(row.fields) == 1 else f"{len(row.fields)} fields"
