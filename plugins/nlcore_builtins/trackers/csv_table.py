"""A table of the metrics, ``metrics.csv``, in the run's directory."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlcore_builtins.trackers.shown import replace


@dataclass
class CsvTable:
    """
    Writes ``metrics.csv`` into the run's directory: a line for each epoch, a column for each metric.

    What is unknown is left empty. A run that is resumed goes on in the same file, without an epoch twice.
    """

    def start(self, run_dir: Path, config: Mapping[str, Any], done: int) -> None:
        """Read what is there already, up to epoch `done`."""
        self._file = run_dir / "metrics.csv"
        self._rows: list[Mapping[str, Any]] = []
        if self._file.exists():
            with self._file.open(encoding="utf-8", newline="") as file:
                self._rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= done]

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Write the table with another line."""
        self._rows.append(row)
        columns = dict.fromkeys(name for one in self._rows for name in one)
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")  # None is written as nothing
        writer.writeheader()
        writer.writerows(self._rows)
        replace(self._file, text.getvalue())

    def end(self, summary: Mapping[str, Any]) -> None:
        """Do nothing: the table is complete after each epoch."""
