"""Which runs make a row where nobody has said it."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_runs import make_run, make_study

from nlcore.errors import UserError
from nlcore.report.rows import Rows, rows_of
from nlcore.studies.read import read_runs


def rows(folder: Path, *by: str) -> Rows:
    """Return the rows of a folder's runs."""
    return rows_of(read_runs(folder).runs, by)


def test_all_that_runs_differ_in_tells_rows_apart_what_is_compared_first(tmp_path: Path) -> None:
    for rate in (0.2, 0.5):
        make_study(tmp_path, {"gce": [0.5, 0.6], "mae": [0.5, 0.6]}, noise__rate=rate)
    found = rows(tmp_path)
    assert found.groups.by == ("loss", "noise.rate")
    assert [len(row.runs) for row in found.groups.rows] == [2, 2, 2, 2]
    assert found.why_single == ""


def test_runs_that_differ_in_seeds_alone_are_one_row(tmp_path: Path) -> None:
    make_study(tmp_path, {"gce": [0.5, 0.6, 0.7]})
    assert [row.key for row in rows(tmp_path).groups.rows] == [("gce",)]


def test_each_run_is_a_row_where_no_others_are_possible(tmp_path: Path) -> None:
    """The same seeds twice: nothing that is known tells the runs apart."""
    for accuracy in (0.5, 0.6):
        make_run(tmp_path, [accuracy])
    found = rows(tmp_path)
    assert [row.key for row in found.groups.rows] == [("run-0000",), ("run-0001",)]
    assert "seed 1, noise seed 1 twice" in found.why_single


def test_what_was_asked_for_is_refused_where_it_is_not_possible(tmp_path: Path) -> None:
    make_study(tmp_path, {"gce": [0.5], "mae": [0.5]})
    with pytest.raises(UserError, match=r"Give by = noise\.rate,loss"):
        rows(tmp_path, "noise.rate")


def test_a_name_that_cannot_be_shown_is_written_out(tmp_path: Path) -> None:
    for accuracy in (0.5, 0.6):
        make_run(tmp_path, [accuracy])
    (tmp_path / "run-0001").rename(tmp_path / "run\x1b[31m\udcff")
    assert ("run\\x1b[31m\\udcff",) in [row.key for row in rows(tmp_path).groups.rows]
