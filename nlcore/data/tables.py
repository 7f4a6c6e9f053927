"""CSV files as people and spreadsheets write them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nlcore.errors import UserError
from nlcore.textfiles import read_text

#: What tools write where a value is missing; a class may well be called none.
MISSING = frozenset(["NaN", "nan", "NAN", "NA", "N/A", "n/a", "<NA>", "#N/A", "None", "NULL", "null", "NaT"])

_SEPARATORS = ",;\t|"  # spreadsheets save with what their language has
_SHOWN = 10  # of the places where a value is missing


def read_table(
    path: Path, needed: Sequence[str], advice: str, also: Sequence[str] = (), spaced: bool = False
) -> list[tuple[str, Mapping[str, str]]]:
    """
    Return the rows of a CSV file whose first line names the columns: where each is, and its fields by column.

    Titles of columns that are asked for are taken without regard to case. Lines of nothing but separators are passed
    over.

    Args:
        path: the file, UTF-8 or UTF-16, with commas, semicolons, tabs or bars.
        needed: the columns that must be there, each once; in any order, and there may be more.
        advice: what to do where there is no such file.
        also: columns that may be there.
        spaced: spaces around fields are no part of them; of an id they may be.

    Raises:
        UserError: no file, no text, no valid CSV, a column that is missing.

    """
    return parse_table(path, table_text(path, advice), needed, also, spaced)


def path_in_table(table: Path, written: str) -> Path:
    """
    Return the path of a file that a table names: absolute, or relative to the table's folder.

    Windows' backslashes are read as slashes where there is no file otherwise, and spaces around a path are none of it.
    """
    path = written.strip()
    if "\\" in path and not os.path.exists(table.parent / path):
        path = path.replace("\\", "/")
    return Path(path)


def refuse_missing(path: Path, what: str, values: Iterable[tuple[int | str, str]], where: str = "line") -> None:
    """
    Check that no value of a column is missing: empty, or one of `MISSING`.

    Args:
        path: the file.
        what: what the values are, in a word.
        values: each with its line.
        where: what the numbers count.

    Raises:
        UserError: some are, by their lines.

    """
    missing = [f"{where} {line} ({value or 'empty'})" for line, value in values if not value or value in MISSING]
    if missing:
        more = f", and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        raise UserError(
            f"{path}: there is no {what} in {', '.join(missing[:_SHOWN])}{more}. Fill it in or remove the {where}; "
            "what is really called so needs another name."
        )


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
    path: Path, text: str, needed: Sequence[str], also: Sequence[str] = (), spaced: bool = False
) -> list[tuple[str, Mapping[str, str]]]:
    """Return the rows of a text, as `read_table` does; `path` is for messages."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)
    skip = spaced and separator != "\t"  # so that a quote may follow
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=skip, strict=True)
    rows: list[tuple[str, Mapping[str, str]]] = []
    line = 1
    try:
        written = next((titles for fields in reader if any(titles := [field.strip() for field in fields])), [])
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
            rows.append((where, dict(zip(titles, map(str.strip, fields) if spaced else fields, strict=True))))
    except csv.Error as error:
        raise UserError(f"{path}, line {line}: no valid CSV: {error}.") from None
    return rows
