"""A cluster that Slurm manages, by submitit: a job for each run, which is queued again when it is preempted."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from nlcore import UserError, parameter
from nlcore.contracts import Job, Outcome, Work
from nlcore_builtins.installed import require

POLL_SECONDS = 2.0


@dataclass
class Slurm:
    """
    Submits a job for each run to Slurm, and waits for them.

    A job that is preempted, or whose time is over, is queued again and goes on after its last epoch. This machine and
    the nodes must see the same folders. Needs the package submitit.
    """

    checked_with: ClassVar = ({"cluster": "local"},)

    partition: str | None = parameter(None, "where jobs are submitted to; none: the cluster's usual one")
    minutes: int = parameter(60, "time of a job; what is not done by then is queued again", range="[1, inf)")
    gpus: int = parameter(0, "GPUs of a job", range="[0, inf)")
    cpus: int = parameter(1, "processors of a job", range="[1, inf)")
    memory: float | None = parameter(None, "memory of a job in GB; none: the cluster's usual one", range="(0, inf)")
    logs: str = parameter("slurm", "folder for what jobs print")
    cluster: Literal["slurm", "local"] = parameter("slurm", "local: processes on this machine, to try it out")

    def __post_init__(self) -> None:
        """
        Find before any work is done that it cannot be used.

        Raises:
            NotInstalledError: submitit is not installed.

        """
        require("executor", "slurm", "submitit")

    def at_once(self, jobs: Sequence[Job]) -> int:
        """Return the number of jobs: how many the cluster computes at a time, it does not say."""
        return len(jobs)

    def execute(
        self, jobs: Sequence[Job], work: Work, ended: Callable[[Job, Outcome], None], report: Callable[[str], None]
    ) -> None:
        """Submit the jobs, look every two seconds which have ended, and cancel what is left if it is stopped."""
        function = Resumable(work)
        submitted = [(job, self._executor().submit(function, job)) for job in jobs]
        report(f"{len(submitted)} jobs submitted: {', '.join(str(job.job_id) for _, job in submitted)}")
        try:
            while submitted:
                for pair in [pair for pair in submitted if pair[1].done()]:
                    submitted.remove(pair)
                    ended(pair[0], _outcome(pair[1]))
                time.sleep(POLL_SECONDS if submitted else 0)
        finally:
            for _, left in submitted:
                left.cancel()

    def _executor(self) -> Any:
        import submitit

        if self.cluster == "slurm" and shutil.which("sbatch") is None:
            raise UserError("executor slurm: there is no command sbatch here. Type this on a machine of the cluster.")
        executor = submitit.AutoExecutor(folder=self.logs, cluster=self.cluster)
        asked = {
            "timeout_min": self.minutes,
            "gpus_per_node": self.gpus,
            "cpus_per_task": self.cpus,
            "mem_gb": self.memory,
            "slurm_partition": self.partition,
            "name": "nlcore",
        }
        executor.update_parameters(**{name: value for name, value in asked.items() if value is not None})
        return executor


class Resumable:
    """Work that can be queued again: a run goes on by itself."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def __call__(self, job: Job) -> Outcome:
        """Compute a job beside the main thread, which submitit's signals are for; it ends with that, at any moment."""
        found: list[Outcome] = []
        thread = threading.Thread(target=lambda: found.append(self.work(job)), daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(1.0)
        return found[0] if found else Outcome("failed", message="it ended without an outcome")

    def checkpoint(self, job: Job) -> Any:
        """Return what is to be queued again."""
        import submitit

        return submitit.helpers.DelayedSubmission(self, job)


def _outcome(submitted: Any) -> Outcome:
    """Return what a job has left, or why it has left nothing."""
    import submitit

    try:
        found = submitted.result()
    except submitit.core.utils.UncompletedJobError as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else "it left no result"
        return Outcome("failed", message=f"Slurm job {submitted.job_id}: {first}")
    except submitit.core.utils.FailedJobError as error:
        return Outcome("failed", message=f"Slurm job {submitted.job_id}: {str(error).strip().splitlines()[-1]}")
    return found if isinstance(found, Outcome) else Outcome("failed", message=f"it gave {found!r:.100}")
