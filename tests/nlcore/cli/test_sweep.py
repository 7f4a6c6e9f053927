"""``nl sweep``: what is missing is computed, told and found again; slips are refused before anything starts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COMMON = ("--dataset", "digits", "--architecture.width", "4", "--epochs", "1", "--threads", "1", "--device", "cpu")

HERE = """
from nlcore import Component, hookimpl
from nlcore.contracts import Outcome

NLCORE_API = 1


class Here:
    '''Computes in this process; runs of seed 2 fail.'''

    def execute(self, jobs, work, ended, report):
        for job in jobs:
            ended(job, Outcome('failed', message='the node is gone') if 'seed 2' in job.name else work(job))


@hookimpl
def nl_executors():
    return [Component('here', f'{__name__}:Here', 'Here.')]
"""


@pytest.mark.slow
def test_each_combination_is_run_once_and_found_again(nl: Any) -> None:
    asked = ("sweep", *COMMON, "--loss", "cross_entropy,gce", "--seed", "1-2")
    done = nl(*asked)
    assert (done.code, done.out.splitlines()[0]) == (0, "4 runs: 4 done")
    assert "4/4" in done.err
    found = [json.loads(path.read_text()) for path in Path("runs").glob("*/summary.json")]
    assert sorted((one["loss"], one["seed"]) for one in found) == [
        (loss, seed) for loss in ("cross_entropy", "gce") for seed in (1, 2)
    ]
    before = {path: path.stat().st_mtime_ns for path in Path("runs").glob("*/*")}
    again = nl(*asked)
    assert (again.code, again.out.splitlines()[0]) == (0, "4 runs: 4 done")
    assert "4 of 4 runs done already" in again.err
    assert {path: path.stat().st_mtime_ns for path in Path("runs").glob("*/*")} == before
    more = nl("sweep", *COMMON, "--loss", "gce", "--seed", "2,3", "--dry-run", "--json").json
    assert [run["status"] for run in more["runs"]] == ["done", "missing"]


@pytest.mark.slow
def test_what_stands_for_other_settings_may_vary(nl: Any, tiny: tuple[str, ...]) -> None:
    swept = nl("sweep", *tiny, "--epochs", "2", "--scale", "0.5,1")
    assert swept.code == 0, swept.err
    assert swept.out.splitlines()[-1] == "nl table runs --by epochs"
    for seed in ("1", "2"):
        assert nl("noise", "--dataset", "digits", "--noise-seed", seed, "--out", f"labels{seed}").code == 0
    swept = nl("sweep", *tiny, "--labels", "labels1/labels.csv,labels2/labels.csv", "--runs-dir", "of-files")
    assert swept.code == 0, swept.err
    assert swept.out.splitlines()[-1] == "nl table of-files --by noise.file"


def test_a_run_by_itself_is_one_of_the_study(nl: Any) -> None:
    assert nl("run", *COMMON, "--seed", "2", "--quiet").code == 0
    done = nl("sweep", *COMMON, "--seed", "1-2", "--dry-run")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [["seed", "1", "missing"], ["seed", "2", "done"]]
    assert lines[-1].startswith("2 runs: 1 done, 1 missing; about")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--loss", "gce,elrr"), "loss elrr: There is no loss 'elrr'. Did you mean 'elr'"),
        (("--noise.rate", "0.2,1.5"), "noise.rate = 1.5: must be a number in [0, 1]"),
        (("--loss", "gce,elr", "--loss.q", "0.5,0.7"), "Settings that go together are [[cell]] tables"),
        (("--los", "gce,elr"), "Did you mean --loss"),
        (("--executor", "locl"), "Did you mean 'local'"),
        (("--executor.jobs", "0"), "executor.jobs = 0: must be a whole number at least 1"),
        (("--noise.rate", "0.2,0.20"), "These are the same run"),
        (("none.toml",), "There is no study none.toml"),
    ],
)
def test_slips_are_refused_before_anything_starts(words: tuple[str, ...], said: str, nl: Any) -> None:
    done = nl("sweep", *COMMON, *words)
    assert done.code == 2
    assert said in done.err
    assert not Path("runs").exists()


@pytest.mark.slow
def test_what_fails_and_what_diverges_is_told_with_what_repeats_it(
    nl: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "here.py").write_text(HERE)
    monkeypatch.setenv("NL_PLUGIN_PATH", str(tmp_path / "here.py"))
    done = nl("sweep", *COMMON, "--executor", "here", "--lr", "0.1,1e30", "--seed", "1-2")
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0] == "4 runs: 1 done, 1 diverged, 2 failed"
    assert "failed: lr 0.1, seed 2: the node is gone" in lines
    diverged = next(number for number, line in enumerate(lines) if line.startswith("diverged: lr 1e30, seed 1: "))
    words = lines[diverged + 1].split()
    assert words[:4] == ["nl", "--plugin", str(tmp_path / "here.py"), "run"]
    assert dict(zip(words[4::2], words[5::2], strict=True)) == {
        **dict(zip(COMMON[::2], COMMON[1::2], strict=True)),
        "--lr": "1e30",
        "--seed": "1",
    }


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_study_that_is_stopped_goes_on_without_losing_an_epoch(end: signal.Signals, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "nlcore", "sweep", "--dataset", "digits", "--architecture.width", "4"]
    words += ["--epochs", "4", "--loss", "gce", "--seed", "1-2", "--device", "cpu", "--executor.jobs", "2"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    runs = tmp_path / "runs"
    _until(lambda: any(len(_epochs(run)) >= 2 for run in runs.glob("*")))
    process.send_signal(end)
    process.wait(60)
    if end == signal.SIGINT:
        assert process.returncode == 130
    _until(lambda: all(_status(run) in ("interrupted", "done") for run in runs.glob("*")))
    before = {run: _epochs(run) for run in runs.glob("*")}
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("2 runs: 2 done")
    assert len(list(runs.glob("*"))) == 2
    for run, lines in before.items():
        assert _epochs(run)[: len(lines)] == lines


def _epochs(run: Path) -> list[tuple[float, float]]:
    """Return loss and accuracy of the epochs that are done."""
    try:
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    except (OSError, ValueError):  # not there yet, or just being written
        return []
    return [(row["train_loss"], row["test_accuracy"]) for row in rows]


def _status(run: Path) -> str:
    try:
        return str(json.loads((run / "summary.json").read_text())["status"])
    except (OSError, ValueError):
        return "none"


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it took more than a minute")
