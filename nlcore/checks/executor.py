"""What holds for executors, which compute jobs that take no time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nlcore.contracts import Job, Outcome


def computes_each_job_once(cls: type) -> None:
    """It calls the work for each job and tells of each once, whether it has come out or not."""
    told: list[tuple[str, str]] = []

    def ended(job: Job, outcome: Outcome) -> None:
        told.append((job.name, outcome.status))

    cls().execute(_jobs("done", "failed", "diverged"), _does_as_named, ended, _ignored)
    assert sorted(told) == [("diverged", "diverged"), ("done", "done"), ("failed", "failed")], f"it told {told}"


def goes_on_after_a_process_that_dies(cls: type) -> None:
    """A job whose process dies has failed, and the others are computed."""
    told: dict[str, Outcome] = {}

    def ended(job: Job, outcome: Outcome) -> None:
        told[job.name] = outcome

    cls().execute(_jobs("dies", "done"), _does_as_named, ended, _ignored)
    assert {name: outcome.status for name, outcome in told.items()} == {"dies": "failed", "done": "done"}, f"{told}"
    assert told["dies"].message, "it does not say why the job has failed"


CHECKS = (computes_each_job_once, goes_on_after_a_process_that_dies)


def _jobs(*names: str) -> list[Job]:
    return [Job(name, ({"asked_by": os.getpid()},), Path.cwd()) for name in names]


def _does_as_named(job: Job) -> Outcome:
    """Have the outcome that the job is named by."""
    if job.name != "dies":
        return Outcome(job.name)
    if job.layers[0]["asked_by"] == os.getpid():  # this process is worth more than the check
        return Outcome("failed", message="The process that asks computes, too.")
    os._exit(3)


def _ignored(*args: Any) -> None:
    """Take whatever is told."""
