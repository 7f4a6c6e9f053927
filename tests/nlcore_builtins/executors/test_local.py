"""The local executor: what becomes of jobs whose process fails, dies, or is stopped, and what each process gets."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nlcore
from nlcore.contracts import Executor, Job, Outcome

WORKS = """
import os, pathlib, signal, sys, time
from nlcore.contracts import Outcome

def says(job):
    wanted = {name: os.environ.get(name) for name in ("NL_CPUS", "CUDA_VISIBLE_DEVICES")}
    print("no answer")  # what a component prints
    return Outcome("done", message=f"{job.name} {wanted['NL_CPUS']} {wanted['CUDA_VISIBLE_DEVICES']}")

def dies(job):
    if job.name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.name == "left":
        os._exit(7)
    return Outcome("done", message=str(os.getpid()))

def waits(job):
    pathlib.Path(job.name + ".begun").write_text(str(os.getpid()))
    try:
        for _ in range(600):
            time.sleep(0.1)
    except KeyboardInterrupt:
        pathlib.Path(job.name + ".stopped").touch()
        return Outcome("interrupted")
    return Outcome("done")
"""


def jobs(*names: str, threads: int | None = None) -> list[Job]:
    return [Job(name, ({},), Path.cwd(), threads) for name in names]


def outcomes(asked: list[Job], work: str, count: int | None = 1) -> tuple[dict[str, Outcome], list[str]]:
    works = importlib.import_module("works")
    executor: Executor = nlcore.create("executor", "local", jobs=count)
    told: dict[str, Outcome] = {}
    said: list[str] = []
    executor.execute(asked, getattr(works, work), lambda job, outcome: told.update({job.name: outcome}), said.append)
    return told, said


def test_a_process_that_dies_ends_its_job_alone() -> None:
    told, _ = outcomes(jobs("first", "killed", "left", "last"), "dies")
    assert {name: outcome.status for name, outcome in told.items()} == {
        "first": "done",
        "killed": "failed",
        "left": "failed",
        "last": "done",
    }
    assert "SIGKILL" in str(told["killed"].message)
    assert "too little memory" in str(told["killed"].message)
    assert "exit code 7" in str(told["left"].message)


def test_each_process_gets_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    told, _ = outcomes(jobs("a", "b"), "says", 2)
    assert [told[name].message for name in ("a", "b")] == ["a 4 None", "b 4 None"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    told, _ = outcomes(jobs("a", "b", "c"), "says", None)
    assert {str(outcome.message).split()[2] for outcome in told.values()} == {"0", "1"}
    assert {str(outcome.message).split()[1] for outcome in told.values()} == {"4"}


def test_a_run_that_names_its_gpu_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    told, _ = outcomes([Job("a", ({"device": "cuda:1"},), Path.cwd())], "says", 1)
    assert str(told["a"].message).endswith("None")


def test_more_runs_than_processors_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    told, said = outcomes(jobs("a", "b"), "says", 2)
    assert len(told) == 2
    assert "2 runs at a time share 1 processors" in said[0]


def test_runs_that_ask_for_threads_are_fewer_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    local = nlcore.create("executor", "local")
    assert local.at_once(jobs(*"abcdefghij")) == 8
    assert local.at_once(jobs(*"abcdefghij", threads=4)) == 2
    assert local.at_once(jobs("a")) == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a job has a process of its own on Linux")
@pytest.mark.parametrize("end", ["interrupt", "kill the parent", "kill the server"])
def test_whatever_ends_it_what_is_going_on_is_stopped(end: str, tmp_path: Path) -> None:
    program = (
        "import os, pathlib, nlcore, works; from nlcore.contracts import Job\n"
        "jobs = [Job(name, ({},), pathlib.Path.cwd()) for name in ('a', 'b', 'c')]\n"
        "nlcore.create('executor', 'local', jobs=2).execute(jobs, works.waits, lambda *told: print(told), print)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )
    try:
        begun = [tmp_path / f"{name}.begun" for name in ("a", "b")]
        _until(lambda: all(file.exists() and file.read_text() for file in begun))
        if end == "interrupt":
            parent.send_signal(signal.SIGINT)
        elif end == "kill the parent":
            parent.kill()
        else:
            for file in begun:
                os.kill(_parent_of(int(file.read_text())), signal.SIGKILL)
        _until(lambda: all((tmp_path / f"{name}.stopped").exists() for name in ("a", "b")))
        if end != "kill the server":  # there the next job begins
            parent.wait(30)
            assert not (tmp_path / "c.begun").exists()
    finally:
        parent.kill()
        parent.wait()
        left = tmp_path / "c.begun"
        if left.exists() and left.read_text():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(left.read_text()), signal.SIGINT)


def _until(holds: object) -> None:
    assert callable(holds)
    for _ in range(1800):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it took more than three minutes")


def _parent_of(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])
