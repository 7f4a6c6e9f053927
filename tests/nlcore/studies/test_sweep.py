"""A study in Python: its results, its table, its picture, and what is asked for again."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from helpers import TINY
from made_runs import make_run

import nlcore
from nlcore import UserError
from nlcore.contracts import Outcome
from nlcore.rundir.result import Result
from nlcore.studies.grid import Cell
from nlcore.studies.study import State
from nlcore.studies.sweep import Study, find

ASKED: dict[str, Any] = {**TINY, "loss": ["cross_entropy", "gce"], "seed": range(1, 3), "quiet": True}


@pytest.mark.slow
def test_a_study_gives_results_table_and_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    study = nlcore.sweep(**ASKED)
    assert repr(study) == "Study: 4 runs: 4 done, in runs"
    assert [(one.components["loss"], one.seed) for one in study.results] == [
        (loss, seed) for loss in ("cross_entropy", "gce") for seed in (1, 2)
    ]
    records = json.loads(study.table(baseline="cross_entropy", metrics=["last"], format="json"))
    rows = {row["words"]["loss"]: row for row in records["rows"]}
    last = [one.test_accuracy["last"] or 0.0 for one in study.results]
    assert rows["gce"]["mean"] == pytest.approx((last[2] + last[3]) / 2)
    assert rows["gce"]["difference"] == pytest.approx((last[2] + last[3] - last[0] - last[1]) / 2)
    assert len(study.plot().axes[0].lines) >= 2
    again = nlcore.sweep(**ASKED)
    assert [one.run_dir.name for one in again.results] == [one.run_dir.name for one in study.results]

    without = builtins.__import__

    def no_pandas(name: str, *args: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return without(name, *args)

    monkeypatch.setattr(builtins, "__import__", no_pandas)
    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    with pytest.raises(UserError, match="pip install pandas"):
        study.frame()


def test_slips_are_refused_before_anything_starts() -> None:
    with pytest.raises(UserError, match=r"noise.rate = 2.*\[0, 1\]"):
        nlcore.sweep(**{**ASKED, "noise.rate": [0.1, 2]})
    with pytest.raises(UserError, match="There is no executor 'cloud'"):
        nlcore.sweep(**ASKED, executor="cloud")
    with pytest.raises(UserError, match="no value in its list"):
        nlcore.sweep(**{**ASKED, "seed": []})
    assert not Path("runs").exists()


def test_a_notebook_shows_how_far_each_run_is(tmp_path: Path) -> None:
    layers = ({"loss": "gce", "runs_dir": "my runs"},)
    done = Result.read(make_run(tmp_path, [0.25], loss="gce"))
    failed = Outcome("failed", None, "<b>no memory</b>")
    states = (State(Cell({"loss": "gce"}, layers), done), State(Cell({"loss": "<i>"}, layers), None, failed))
    root = ElementTree.fromstring(Study(states)._repr_html_())
    assert root.findtext("caption") == "Study: 2 runs: 1 done, 1 failed, in my runs"
    rows = [[cell.text for cell in row] for row in root.iterfind("tbody/tr")]
    assert rows == [["loss gce", "done", "25.00%", None], ["loss <i>", "failed", None, "<b>no memory</b>"]]


def test_a_notebook_shows_the_first_runs_of_many(tmp_path: Path) -> None:
    states = tuple(State(Cell({"seed": seed}, ({"seed": seed},)), None) for seed in range(30))
    root = ElementTree.fromstring(Study(states)._repr_html_())
    assert str(root.findtext("caption")).endswith("30 missing, in runs; the first 20 runs")
    assert len(root.findall("tbody/tr")) == 20


def test_rows_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(
        "[grid]\nseed = [1, 2]\nnoise.rate = [0.5]\n[[cell]]\nloss = 'gce'\n[[cell]]\nloss = {name = 'gce', q = 0.5}\n"
    )
    study = Study(tuple(find(tmp_path / "study.toml", {"dataset": "digits"}, {})))
    assert study.by == ("loss.q",)
