"""``nl table``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_one_row_for_each_finished_run(nl: Any, tiny: tuple[str, ...]) -> None:
    first = nl("run", *tiny, "--strategy", "co_teaching", "--json").json
    second = nl("run", *tiny, "--seed", "2", "--validation", "0.2", "--json").json
    unfinished = nl("run", *tiny, "--seed", "3", "--json").json
    summary = Path(unfinished["run_dir"]) / "summary.json"
    summary.write_text(json.dumps(json.loads(summary.read_text()) | {"status": "running"}))
    table = nl("table")
    assert table.code == 0
    rows = table.out.splitlines()[1:]
    assert len(rows) == 2
    assert f"{first['test_accuracy']['last']:.2%}" in rows[0]
    assert "oracle: noise rate" in rows[0]
    assert f"{second['test_accuracy']['selected']:.2%}" in rows[1]
    assert "oracle: " not in rows[1]
    assert "1 unfinished run is not shown" in table.err
    assert nl("table", "--json").json == [first, second]


def test_a_diverged_run_is_marked(nl: Any, tiny: tuple[str, ...]) -> None:
    nl("run", *tiny, "--lr", "1e30")
    assert "diverged" in nl("table").out


def test_no_runs(nl: Any, tmp_path: Path) -> None:
    refused = nl("table")
    assert refused.code == 2
    assert "runs" in refused.err


def test_a_broken_summary_is_named_and_hides_no_other(nl: Any, tmp_path: Path) -> None:
    (tmp_path / "runs" / "broken").mkdir(parents=True)
    (tmp_path / "runs" / "broken" / "summary.json").write_text("{")
    table = nl("table")
    assert table.code == 0
    assert "left out" in table.err
    assert "broken" in table.err
