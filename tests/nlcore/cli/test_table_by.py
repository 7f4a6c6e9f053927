"""``nl table --by``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run, make_study

CE, GCE = [0.50, 0.52, 0.51], [0.60, 0.63, 0.60]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder of six runs of two losses."""
    make_study(tmp_path / "runs", {"cross_entropy": CE, "gce": GCE})
    return tmp_path / "runs"


def test_last_and_mean_of_the_last_ten_are_shown(nl: Any, runs: Path) -> None:
    shown = nl("table", str(runs), "--by", "loss")
    assert (shown.code, shown.err) == (0, "")
    assert "last: test accuracy of the last epoch" in shown.out
    assert "mean_last_10: mean test accuracy of the last ten epochs" in " ".join(shown.out.split())


def test_a_baseline_and_a_metric(nl: Any, runs: Path) -> None:
    shown = nl("table", str(runs), "--by", "loss", "--baseline", "cross_entropy", "--metric", "last").out
    assert "+10.00 [7.52, 12.48]" in shown
    assert "mean_last_10" not in shown


@pytest.mark.parametrize(
    ("name", "begins"),
    [("t.md", "All runs"), ("t.tex", "% \\use"), ("t.csv", "loss,metric"), ("t.json", "{"), ("t.html", "<div")],
)
def test_a_file_has_the_format_of_its_suffix(name: str, begins: str, nl: Any, runs: Path, tmp_path: Path) -> None:
    written = nl("table", str(runs), "--by", "loss", "-o", str(tmp_path / name))
    assert (written.code, written.out) == (0, "")
    assert (tmp_path / name).read_text().startswith(begins)
    assert str(tmp_path / name) in written.err


def test_format_wins_over_the_suffix_and_json_is_json(nl: Any, runs: Path, tmp_path: Path) -> None:
    nl("table", str(runs), "--by", "loss", "--format", "csv", "-o", str(tmp_path / "t.txt"))
    assert (tmp_path / "t.txt").read_text().startswith("loss,metric")
    assert nl("table", str(runs), "--by", "loss", "--json").json["by"] == ["loss"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", ""), "--by '': must be a word"),
        (("--by", "loss", "--metric", ","), "--metric ',': must be a word"),
        (("--by", "loss", "--baseline", ""), "There are cross_entropy, gce"),
        (("--by", "los"), "Did you mean 'loss'"),
        (("--by", "loss", "--baseline", "elr"), "There are cross_entropy, gce"),
        (("--by", "loss", "--metric", "lst"), "metric lst: the runs have no such number"),
        (("--by", "loss", "-o", "missing/t.md"), "there is no folder missing"),
        (("--by", "loss", "-o", "."), "this is a folder"),
        (("--by", "loss", "--wide"), "--by goes without --wide"),
        (("--baseline", "gce"), "add --by"),
        (("-o", "t.md"), "add --by"),
    ],
)
def test_bad_input_is_refused(words: tuple[str, ...], said: str, nl: Any, runs: Path) -> None:
    refused = nl("table", str(runs), *words)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
    assert "Traceback" not in refused.err


def test_rows_that_would_be_averaged_silently_are_refused(nl: Any, runs: Path) -> None:
    refused = nl("table", str(runs), "--by", "noise.rate")
    assert refused.code == 2
    assert "Give by = noise.rate,loss," in refused.err


def test_what_is_left_out_is_said(nl: Any, runs: Path) -> None:
    make_run(runs, [0.5], result={"status": "running"})
    (make_run(runs, [0.5]) / "config.toml").unlink()
    shown = nl("table", str(runs), "--by", "loss")
    assert shown.code == 0
    assert "1 unfinished run left out" in shown.err
    assert "config.toml cannot be read" in shown.err


def test_no_finished_runs(nl: Any, tmp_path: Path) -> None:
    refused = nl("table", str(tmp_path), "--by", "loss")
    assert refused.code == 2
    assert "There are no finished runs" in refused.err


def test_torch_is_not_imported(runs: Path) -> None:
    """A table over a thousand runs must print at once."""
    program = f"""
import sys
sys.argv = ["nl", "table", {str(runs)!r}, "--by", "loss", "--baseline", "gce", "--json"]
from nlcore.cli import main
try:
    main()
except SystemExit as stop:
    assert stop.code == 0, stop.code
print([name for name in ("torch", "matplotlib", "sklearn", "pandas", "scipy.stats") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    table, imported = done.stdout.splitlines()
    assert len(json.loads(table)["rows"]) == 4
    assert imported == "[]"
