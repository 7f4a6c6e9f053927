"""``nl report``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run, make_study


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of four runs, and go to the folder around it."""
    monkeypatch.chdir(tmp_path)
    make_study(tmp_path / "runs", {"cross_entropy": [0.4, 0.5], "gce": [0.6, 0.7]})
    return tmp_path / "runs"


def page(nl: Any, *words: str) -> str:
    """Return the page that the command writes."""
    written = nl("report", *words, "-o", "page.html")
    assert (written.code, written.out) == (0, ""), written.err
    assert "written: page.html\n" in written.err
    return Path("page.html").read_text(encoding="utf-8")


def test_a_page_is_written_and_named(nl: Any, runs: Path) -> None:
    written = nl("report")
    assert (written.code, written.out, written.err) == (0, "", "written: report.html\n")
    assert "<title>Report: runs</title>" in Path("report.html").read_text(encoding="utf-8")


def test_the_options_are_those_of_tables(nl: Any, runs: Path) -> None:
    said = page(nl, "runs", "--by", "loss", "--baseline", "cross_entropy", "--metric", "last")
    assert ">+20.00</td>" in said  # 0.65 − 0.45; both pairs differ by the same, so that there is no interval
    assert '<th scope="col">mean_last_10</th>' not in said
    typed = "nl report runs --by loss --baseline cross_entropy --metric last -o page.html"
    assert f"<code>{typed}</code>" in said


def test_rows_that_are_not_possible_are_single_runs_and_that_is_said(nl: Any, runs: Path) -> None:
    make_run(runs, [0.5], loss="gce", seed=1)
    written = nl("report")
    assert written.code == 0
    assert "Each run is a row. " in written.err
    assert "twice: run-0002 and run-0004" in written.err
    assert "Each run is a row." in Path("report.html").read_text(encoding="utf-8")


def test_what_is_left_out_is_said_on_the_page_and_here(nl: Any, runs: Path) -> None:
    make_run(runs, [0.5], result={"status": "running"})
    (make_run(runs, [0.5]) / "config.toml").unlink()
    written = nl("report")
    said = Path("report.html").read_text(encoding="utf-8")
    assert "1 unfinished run left out" in written.err
    assert "1 unfinished" in said
    for text in (written.err, said):
        assert "config.toml cannot be read" in text


@pytest.mark.slow
def test_the_command_that_repeats_a_run_is_accepted(nl: Any, runs: Path) -> None:
    said = page(nl)
    command = said.partition("<pre>")[2].partition("</pre>")[0]
    assert command.startswith("nl run runs/run-0000/config.toml")
    planned = nl(*shlex.split(command)[1:], "--dry-run")
    assert planned.code == 0, planned.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "a.pdf"), "a page's name ends in .html, .htm; for instance a.html"),
        (("-o", "missing/a.html"), "there is no folder missing"),
        (("--by", "losss"), "Did you mean 'loss'"),
        (("--by", ","), "--by ',': must be a word"),
        (("--by", "noise.rate"), "Give by = noise.rate,loss"),
        (("--baseline", "elr"), "There are cross_entropy, gce"),
        (("--metric", "lst"), "metric lst"),
        (("nowhere",), "There is no folder nowhere"),
    ],
)
def test_bad_input_is_refused(words: tuple[str, ...], said: str, nl: Any, runs: Path) -> None:
    refused = nl("report", *words)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
    assert not list(runs.parent.glob("*.html"))
