"""
Your own images, listed in a CSV with the columns path and label.

    path,label
    photos/1.jpg,cat
    photos/2.jpg,dog

Paths are relative to the CSV's folder. Other columns are passed over. Labels are names of classes, or numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from nlcore import UserError, parameter
from nlcore.contracts import Data, DataSource
from nlcore_builtins.datasets.own import Item, OwnImages, shorten


@dataclass(frozen=True)
class CsvTable(OwnImages):
    """
    Your own images, listed in a CSV with the columns path and label; one for training and one for testing, or one.

    Every image is read before training, turned upright, converted to RGB and resized. No noise is added unless asked
    for. True labels are unknown: what needs them is null.
    """

    train: str = parameter("", "the CSV of path and label, paths relative to its folder", path=True)
    test: str | None = parameter(None, "another one to test on; none: part of the first is split off", path=True)

    def load(self, source: DataSource) -> Data:
        """
        Return train and test.

        Raises:
            UserError: no such file, a column or value that is missing, classes that do not agree, unreadable images.

        """
        if not self.train:
            raise UserError("csv: give the table of your images with --dataset.train PATH.")
        train = _read(Path(self.train).expanduser())
        test = None if self.test is None else _read(Path(self.test).expanduser())
        both = {item.path for item in train} & {item.path for item in test or []}
        notes = [f"{len(both):,} images are in both tables: what is tested has been trained on"] if both else []
        return self.assemble(train, test, source, notes)


def _read(table: Path) -> list[Item]:
    """Return the images that a CSV lists, in its order; ids are paths as they stand there."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            return list(_items(table, csv.DictReader(file, strict=True)))
    except FileNotFoundError:
        raise UserError(f"There is no file {table}.") from None
    except OSError as error:
        raise UserError(f"{table} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{table} is no text in UTF-8. Save it as CSV in UTF-8.") from None
    except csv.Error as error:
        raise UserError(f"{table} is no valid CSV: {error}.") from None


def _items(table: Path, rows: csv.DictReader[str]) -> Iterator[Item]:
    columns = [column.strip() for column in rows.fieldnames or []]
    rows.fieldnames = columns
    missing = [column for column in ("path", "label") if column not in columns]
    if missing:
        there = f"has the columns {shorten(columns)}" if columns else "is empty"
        raise UserError(
            f"{table} has no column {' and no column '.join(missing)}: its first line {there}. It must name the "
            "columns path and label, separated by a comma."
        )
    lines: dict[str, int] = {}
    for row in rows:
        path, label = ((row[column] or "").strip() for column in ("path", "label"))
        if not path or not label:
            raise UserError(f"{table}, line {rows.line_num}: there is no {'label' if path else 'path'}.")
        name = PurePath(path).as_posix()
        if name in lines:
            raise UserError(f"{table}, line {rows.line_num}: {name} stands in line {lines[name]} already.")
        lines[name] = rows.line_num
        yield Item(table.parent / path, name, label)
    if not lines:
        raise UserError(f"{table} lists no images: it has no line after the first.")
