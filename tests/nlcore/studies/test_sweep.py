"""A study in Python: its results, its table, its picture, and what is asked for again."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import TINY

import nlcore
from nlcore import UserError

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
