"""What an executor is: where the runs of a study are computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias


@dataclass(frozen=True)
class Job:
    """
    A run that is to be computed; it can be pickled.

    Attributes:
        name: what tells it from the study's other runs: ``loss gce, seed 2``.
        layers: of settings, as ``nl run`` takes them.
        folder: the working directory that paths in the settings are relative to.
        threads: how many CPU threads were asked for; None where that is left to the machine.
        epochs: how many the run has.

    """

    name: str
    layers: tuple[Mapping[str, Any], ...]
    folder: Path
    threads: int | None = None
    epochs: int = 1


@dataclass(frozen=True)
class Outcome:
    """
    What became of a job.

    Attributes:
        status: ``done``, ``diverged``, ``interrupted`` or ``failed``.
        run_dir: the run's directory, where it came so far that it has one.
        message: why it is not done.

    """

    status: str
    run_dir: Path | None = None
    message: str | None = None


#: Computes a job in the process that calls it. It can be pickled, and raises KeyboardInterrupt alone.
Work: TypeAlias = Callable[[Job], Outcome]


class Executor(Protocol):
    """
    Computes the runs of a study somewhere: on this machine, on a cluster.

    All that a run leaves is in its directory, under a folder that whoever computes it and whoever asks for it both see.
    An executor's constructor takes its parameters; they are given as ``--executor.NAME``.

    Optional:
        ``at_once(jobs) -> int``: how many of them are computed at the same time, for an estimate of how long they take.
    """

    def execute(
        self, jobs: Sequence[Job], work: Work, ended: Callable[[Job, Outcome], None], report: Callable[[str], None]
    ) -> None:
        """
        Compute each job once, with ``work(job)``, and tell what became of it.

        Args:
            jobs: at least one.
            work: to be called in a process that sees the same folders as this one.
            ended: to be called in this process, as each job ends; a job whose process dies has `failed`, and the
                others go on.
            report: takes a sentence to the user.

        Raises:
            KeyboardInterrupt: it was stopped. The runs that were going on have been stopped, too.
            UserError: nothing can be computed there, and what to do about it.

        """
