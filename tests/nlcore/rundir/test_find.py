"""Runs are found by their paths and by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlcore.errors import UserError
from nlcore.rundir.find import find_run, run_names, short_name

NAMES = ["digits-gce-seed1-0a1b2c3d", "digits-gce-seed1-0a1b2c3d-2", "digits-elr-seed1-99887766", "mine", "mine-too"]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder of runs, and of what is none."""
    for name in NAMES:
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "summary.json").write_text("{}")
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "file.txt").write_text("")
    return tmp_path / "runs"


def test_only_runs_are_listed(runs: Path) -> None:
    assert run_names(runs) == sorted(NAMES)
    assert run_names(runs / "nowhere") == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mine", "mine"),
        ("mine-too", "mine-too"),
        ("mine-", "mine-too"),
        ("99887766", "digits-elr-seed1-99887766"),
        ("digits-elr", "digits-elr-seed1-99887766"),
        ("0a1b2c3d", "digits-gce-seed1-0a1b2c3d"),
        ("0a1b2c3d-2", "digits-gce-seed1-0a1b2c3d-2"),
        ("runs/99887766", "digits-elr-seed1-99887766"),
        ("runs/mine", "mine"),
    ],
)
def test_a_run_is_found_by_path_name_beginning_or_end(text: str, name: str, runs: Path) -> None:
    assert find_run(text).resolve() == runs / name
    assert find_run(runs / name) == runs / name


def test_names_are_looked_up_in_the_folder_that_is_said(runs: Path) -> None:
    runs.rename(runs.with_name("elsewhere"))
    assert find_run("mine", "elsewhere") == Path("elsewhere/mine")
    assert find_run(Path("elsewhere/99887766")) == Path("elsewhere/digits-elr-seed1-99887766")
    with pytest.raises(UserError, match="none in runs is called so"):
        find_run("mine")


def test_a_path_goes_before_a_name(runs: Path) -> None:
    Path("mine").mkdir()
    assert find_run("mine") == Path("runs/mine")  # the folder here is no run
    Path("mine/summary.json").write_text("{}")
    assert find_run("mine") == Path("mine")


def test_several_runs_of_such_a_name_are_listed(runs: Path) -> None:
    with pytest.raises(UserError, match="3 runs in runs begin or end with 'digits'") as caught:
        find_run("digits")
    assert all(name in str(caught.value) for name in NAMES[:3])


@pytest.mark.parametrize(
    "text", ["nowhere", "runs/nowhere", "", ".", "..", "/", "runs", "runs/notes", "x" * 5000, "a\0b"]
)
def test_what_is_no_run_is_refused(text: str, runs: Path) -> None:
    with pytest.raises(UserError, match="is no run"):
        find_run(text)


def test_a_folder_of_runs_is_no_run(runs: Path) -> None:
    with pytest.raises(UserError, match=r"It holds runs: say which, as runs/digits-elr-seed1-99887766\."):
        find_run("runs")


def test_a_short_name_is_found_again(runs: Path) -> None:
    names = run_names(runs)
    assert [short_name(name, NAMES) for name in NAMES] == ["0a1b2c3d", "0a1b2c3d-2", "99887766", "mine", "mine-too"]
    for name in names:
        assert find_run(short_name(name, names)).name == name
