"""Slurm by submitit's own local executor: jobs, one that dies, one that is preempted; and what is missing here."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import TINY

import nlcore
from nlcore import UserError
from nlcore.contracts import Job, Outcome

pytest.importorskip("submitit", reason="needs submitit: pip install '.[test-all]'")

WORKS = """
import os, pathlib, time
from nlcore.contracts import Outcome

def does(job):
    if job.name == "dies":
        os._exit(3)
    return Outcome("done", message=os.environ.get("NL_MARK"))

def is_preempted(job):
    begun = pathlib.Path(job.folder) / "begun"
    again = begun.exists()
    begun.write_text(str(os.getpid()))
    for _ in range(300 * (not again)):
        time.sleep(0.1)
    return Outcome("done", message="again" if again else "once")

def waits(job):
    with (pathlib.Path(job.folder) / f"{job.name}.begun").open("a") as begun:
        begun.write("begun\\n")
    for _ in range(600):
        if (pathlib.Path(job.folder) / "go").exists():
            return Outcome("done", message=str(os.getpid()))
        time.sleep(0.1)
    return Outcome("failed", message="nobody said go")
"""


def outcomes(work: str, *names: str) -> dict[str, Outcome]:
    told: dict[str, Outcome] = {}
    jobs = [Job(name, ({},), Path.cwd()) for name in names]
    executor = nlcore.create("executor", "slurm", cluster="local")
    function = getattr(importlib.import_module("works"), work)
    executor.execute(jobs, function, lambda job, outcome: told.update({job.name: outcome}), print)
    return told


@pytest.mark.slow
def test_each_job_has_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NL_MARK", "passed on")
    told = outcomes("does", "a", "dies")
    assert told["a"] == Outcome("done", message="passed on")
    assert told["dies"].status == "failed"
    assert "Slurm job" in str(told["dies"].message)


@pytest.mark.slow
def test_a_job_that_is_preempted_is_queued_again(tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def preempt() -> None:
        for _ in range(300):
            if begun.exists() and begun.read_text():
                os.kill(int(begun.read_text()), signal.SIGUSR2)  # as Slurm does before it takes the node away
                return
            time.sleep(0.1)

    killer = threading.Thread(target=preempt)
    killer.start()
    told = outcomes("is_preempted", "a")
    killer.join()
    assert told == {"a": Outcome("done", message="again")}


AGAIN = """
import pathlib, nlcore, works
from nlcore.contracts import Job
jobs = [Job(name, ({},), pathlib.Path.cwd()) for name in ("a", "b")]
nlcore.create("executor", "slurm", cluster="local").execute(jobs, works.waits, lambda *told: None, print)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="which processes are running is known on Linux")
def test_jobs_that_outlive_who_asked_are_waited_for(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", AGAIN], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begun = [tmp_path / "a.begun", tmp_path / "b.begun"]
    _until(lambda: all(file.exists() and file.read_text() for file in begun))
    parent.kill()
    parent.wait()
    told: dict[str, Outcome] = {}
    said: list[str] = []

    def report(sentence: str) -> None:
        said.append(sentence)
        if len(said) == 3:  # two go on, one is submitted
            (tmp_path / "go").touch()

    jobs = [Job(name, ({},), Path.cwd()) for name in ("a", "b", "c")]
    executor = nlcore.create("executor", "slurm", cluster="local")
    waits = importlib.import_module("works").waits
    executor.execute(jobs, waits, lambda job, outcome: told.update({job.name: outcome}), report)
    assert [outcome.status for outcome in told.values()] == ["done"] * 3
    assert [(tmp_path / f"{name}.begun").read_text() for name in "abc"] == ["begun\n"] * 3
    assert [" goes on" in sentence for sentence in said] == [True, True, False]
    assert not list((tmp_path / "slurm").glob("*.job"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="which processes are running is known on Linux")
def test_what_goes_on_is_stopped_with_who_waits_for_it(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", AGAIN], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begun = [tmp_path / "a.begun", tmp_path / "b.begun"]
    _until(lambda: all(file.exists() and file.read_text() for file in begun))
    parent.kill()
    parent.wait()
    numbers = [note.read_text() for note in (tmp_path / "slurm").glob("local-*.job")]
    assert len(numbers) == 2

    def stop(sentence: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nlcore.create("executor", "slurm", cluster="local").execute(
            [Job("a", ({},), Path.cwd())], importlib.import_module("works").waits, print, stop
        )
    running = [Path(f"/proc/{number}/cmdline") for number in numbers]
    _until(lambda: sum(file.exists() and b"submitit" in file.read_bytes() for file in running) == 1)
    (tmp_path / "go").touch()  # for b, which nobody has asked for again
    _until(lambda: len(list((tmp_path / "slurm").glob("*_result.pkl"))) == 1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="which processes are running is known on Linux")
def test_a_study_goes_on_after_kill_9(tmp_path: Path) -> None:
    settings: dict[str, Any] = {**TINY, "executor.cluster": "local", "seed": [1, 2]}
    program = f"import nlcore; nlcore.sweep(executor='slurm', quiet=True, **{settings!r})"
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    notes = tmp_path / "slurm"
    _until(lambda: len([note for note in notes.glob("local-*.job") if note.read_text()]) == 2)
    parent.kill()
    parent.wait()
    study = nlcore.sweep(executor="slurm", quiet=True, **settings)
    assert [result.status for result in study.results] == ["done", "done"], study.states
    assert len(list(notes.glob("*_submitted.pkl"))) == 2  # none was submitted again


def test_a_job_of_slurm_is_looked_up_by_its_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What sacct prints of jobs: one that is queued again, one that has ended, and one that it has forgotten."""
    import submitit

    jobs = [Job(name, ({},), tmp_path) for name in ("queued", "over", "forgotten")]
    executor = nlcore.create("executor", "slurm")
    for number, job in enumerate(jobs, 101):
        executor._note(job).write_text(str(number))
    sacct = "JobID|State|NodeList\n101|REQUEUED|\n102|CANCELLED by 0|node1\n102.batch|CANCELLED|node1\n"
    commands: list[list[str]] = []

    def answers(command: list[str], **more: Any) -> bytes:
        commands.append(command)
        return sacct.encode()

    monkeypatch.setattr(submitit.core.core.subprocess, "check_output", answers)
    assert [(job.name, found.job_id) for job, found in executor._before(jobs)] == [("queued", "101")]
    assert len(commands) == 1


@pytest.mark.slow
def test_a_study_runs() -> None:
    study = nlcore.sweep(executor="slurm", quiet=True, seed=[1, 2], **TINY, **{"executor.cluster": "local"})
    assert [result.status for result in study.results] == ["done", "done"], study.states
    assert [result.seed for result in study.results] == [1, 2]


def test_a_machine_without_slurm_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="there is no command sbatch here"):
        nlcore.create("executor", "slurm").execute([Job("a", ({},), tmp_path)], print, print, print)


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(1800):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it took more than three minutes")
