"""Slurm by submitit's own local executor: jobs, one that dies, one that is preempted; and what is missing here."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import threading
import time
from pathlib import Path

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


@pytest.mark.slow
def test_a_study_runs() -> None:
    study = nlcore.sweep(executor="slurm", quiet=True, seed=[1, 2], **TINY, **{"executor.cluster": "local"})
    assert [result.status for result in study.results] == ["done", "done"], study.states
    assert [result.seed for result in study.results] == [1, 2]


def test_a_machine_without_slurm_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="there is no command sbatch here"):
        nlcore.create("executor", "slurm").execute([Job("a", ({},), tmp_path)], print, print, print)
