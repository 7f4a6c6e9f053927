"""The tracker ``csv``: metrics.csv beside metrics.jsonl."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from nlcore_builtins.trackers.csv_table import CsvTable
from tracking import run_and_resume, tell


def read(run_dir: Path) -> list[dict[str, str]]:
    """Return the lines of the table."""
    with (run_dir / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_run_that_is_resumed_has_each_epoch_once() -> None:
    result = run_and_resume("csv")
    expected = [{name: "" if value is None else str(value) for name, value in row.items()} for row in result.metrics]
    assert read(result.run_dir) == expected
    assert [row["epoch"] for row in expected] == ["1", "2"]


def test_an_epoch_that_was_not_saved_is_written_anew(tmp_path: Path) -> None:
    tell(CsvTable(), tmp_path, 0, {1: 0.25, 2: 0.5, 3: 0.75}, None)
    tell(CsvTable(), tmp_path, 1, {2: 0.5625, 3: 0.625}, "done")
    assert (tmp_path / "metrics.csv").read_text() == (
        "epoch,test_accuracy,memorised,lr\n1,0.25,,0.1\n2,0.5625,,0.1\n3,0.625,,0.1\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


def test_a_metric_that_comes_later_gets_a_column(tmp_path: Path) -> None:
    tracker: Any = CsvTable()
    tracker.start(tmp_path, {}, 0)
    tracker.epoch({"epoch": 1, "lr": 0.1})
    tracker.epoch({"epoch": 2, "lr": 0.1, "selection_auc": 0.5})
    assert read(tmp_path) == [
        {"epoch": "1", "lr": "0.1", "selection_auc": ""},
        {"epoch": "2", "lr": "0.1", "selection_auc": "0.5"},
    ]
