"""
Your own images, listed in a CSV with the columns path and label.

    path,label
    photos/1.jpg,cat
    photos/2.jpg,dog

Paths are relative to the CSV's folder. Other columns are passed over. Labels are names of classes, or numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nlcore import UserError, parameter
from nlcore.contracts import Data, DatasetContext
from nlcore.toolbox import path_in_table, refuse_missing
from nlcore_builtins.datasets.decoding import Item
from nlcore_builtins.datasets.own import OwnImages
from nlcore_builtins.tables import SEPARATORS, Row, read_rows, shorten


@dataclass(frozen=True)
class CsvTable(OwnImages):
    """
    Your own images, listed in a CSV with the columns path and label; one for training and one for testing, or one.

    Every image is read before training, turned upright, converted to RGB and resized. No noise is added unless asked
    for. True labels are unknown: what needs them is null.
    """

    train: str = parameter("", "the CSV of path and label, paths relative to its folder", path=True)
    test: str | None = parameter(None, "another one to test on; none: part of the first is split off", path=True)
    path_column: str = parameter("path", "name of the column of paths")
    label_column: str = parameter("label", "name of the column of labels")
    separator: str | None = parameter(None, "what separates fields, one character or tab; none: found out", commas=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.path_column == self.label_column:
            raise ValueError(f"path_column and label_column are both {self.path_column!r}: name two columns")
        if self.separator is not None and (len(self._separated_by()) != 1 or self.separator in '"\r\n\0 '):
            raise ValueError(f"separator = {self.separator!r}: must be one character, as in ; or |, or tab")

    def load(self, source: DatasetContext) -> Data:
        """
        Return train and test.

        Raises:
            UserError: no such file, a column or value that is missing, rows that do not have the first line's shape,
                classes that do not agree, unreadable images.

        """
        notes: list[str] = []
        train, test = self._in_order(self._table(), notes), None
        if self.test is not None:
            test = self._in_order(Path(self.test), notes)
        both = {item.path for item in train} & {item.path for item in test or []}
        if both:
            notes.append(f"{len(both):,} images are in both tables: what is tested has been trained on")
        return self.assemble(train, test, source, notes)

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """
        Return the tables and the images that they list; of these only the tables are opened.

        Raises:
            UserError: as `load`, for the tables.

        """
        tables = [self._table(), *([] if self.test is None else [Path(self.test)])]
        items = [item for table in tables for item in self._list(table, [])]
        return [*tables, *(item.path for item in items if isinstance(item.path, Path))]

    def _in_order(self, table: Path, notes: list[str]) -> list[Item]:
        """Return the images that a CSV lists, sorted by id, so that the order of its rows changes no number."""
        return sorted(self._list(table, notes), key=lambda item: item.id)

    def _table(self) -> Path:
        if not self.train:
            raise UserError("csv: give the table of your images with --dataset.train PATH.")
        return Path(self.train)

    def _separated_by(self) -> str:
        return {"tab": "\t", "\\t": "\t"}.get(self.separator or "", self.separator or "")

    def _list(self, table: Path, notes: list[str]) -> list[Item]:
        """Return the images that a CSV lists, in its order; ids are paths as they stand there."""
        rows, separator = read_rows(table, self._separated_by() or None)
        if not rows:
            raise UserError(f"{table} is empty. Its first line must name a column of paths and one of labels.")
        if self.separator is None and separator != ",":
            notes.append(f"{table}: fields are separated by {SEPARATORS[separator]}")
        columns, rows = rows[0].fields, rows[1:]
        paths, labels = (
            _column(table, columns, name, option)
            for name, option in ((self.path_column, "path_column"), (self.label_column, "label_column"))
        )
        if not rows:
            raise UserError(f"{table} lists no images: it has no line after the first.")
        refuse_missing(table, "path", [(row.line, row.fields[paths]) for row in rows])
        refuse_missing(table, "label", [(row.line, row.fields[labels]) for row in rows])
        named = [path_in_table(table, row.fields[paths]) for row in rows]
        items = [
            Item(table.parent / path, path.as_posix(), row.fields[labels])
            for path, row in zip(named, rows, strict=True)
        ]
        _check_unique(table, items, rows)
        turned = sum("\\" in row.fields[paths] and "\\" not in item.id for row, item in zip(rows, items, strict=True))
        if turned:
            notes.append(f"{table}: {turned:,} paths are written with backslashes, which are read as slashes")
        return items


def _column(table: Path, columns: Sequence[str], name: str, option: str) -> int:
    """Return where a column stands: by its name, else by its name in another case."""
    found = [number for number, column in enumerate(columns) if column == name]
    found = found or [number for number, column in enumerate(columns) if column.casefold() == name.casefold()]
    if len(found) > 1:
        raise UserError(f"{table} has {len(found)} columns called {name}: rename all but one.")
    if not found:
        raise UserError(
            f"{table} has no column {name}: its first line has the columns {shorten(columns)}. Name the right one "
            f"with --dataset.{option} NAME; --dataset.separator says what stands between fields."
        )
    return found[0]


def _check_unique(table: Path, items: Sequence[Item], rows: Sequence[Row]) -> None:
    lines: dict[str, int] = {}
    for item, row in zip(items, rows, strict=True):
        if item.id in lines:
            raise UserError(f"{table}, line {row.line}: {item.id} stands in line {lines[item.id]} already.")
        lines[item.id] = row.line
