"""A cluster that Slurm manages, by submitit: a job for each run, which is queued again when it is preempted."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from nlcore import UserError, parameter
from nlcore.contracts import Job, Outcome, Work
from nlcore_builtins.installed import require

POLL_SECONDS = 2.0
IN_CLUSTER = ("PENDING", "RUNNING", "REQUEUED", "COMPLETING")  # as sacct has it; no job that it has forgotten


@dataclass
class Slurm:
    """
    Submits a job for each run to Slurm, and waits for them.

    A job that is preempted, or whose time is over, is queued again and goes on after its last epoch. Jobs outlive a
    process here that is killed: the same command waits for those that are still in the cluster. This machine and the
    nodes must see the same folders. Needs the package submitit.
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
        """
        Submit the jobs, look every two seconds which have ended, and cancel what is left if it is stopped.

        A job that was submitted before, by a process that was killed, and is still in the cluster is waited for.
        """
        executor, function = self._executor(), Resumable(work)
        going: list[tuple[Job, Any]] = []
        try:
            for job, before in self._before(jobs):
                going.append((job, before))
                report(f"{job.name}: job {before.job_id}, submitted before, goes on")
            new = [job for job in jobs if job.name not in {one.name for one, _ in going}]
            for job in new:
                going.append((job, _submitted(executor, function, job)))
                self._note(job).write_text(str(going[-1][1].job_id))
            if new:
                report(f"submitted as job {', '.join(str(one.job_id) for _, one in going[-len(new) :])}")
            while going:
                for pair in [pair for pair in going if pair[1].done()]:
                    going.remove(pair)
                    self._note(pair[0]).unlink(missing_ok=True)
                    ended(pair[0], _outcome(pair[1]))
                time.sleep(POLL_SECONDS if going else 0)
        finally:
            for job, left in going:
                left.cancel(check=False)
                self._note(job).unlink(missing_ok=True)

    def _note(self, job: Job) -> Path:
        """Return the file that the number of a job stands in while it is in the cluster."""
        import submitit

        folder: Path = submitit.core.utils.JobPaths.get_first_id_independent_folder(self.logs)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{self.cluster}-{hashlib.sha256(repr(job).encode()).hexdigest()[:16]}.job"

    def _before(self, jobs: Sequence[Job]) -> list[tuple[Job, Any]]:
        """Return the jobs that were submitted before and have not ended, each as it was submitted."""
        import submitit

        noted = [(job, note.read_text()) for job in jobs if (note := self._note(job)).exists()]
        known = [(job, number) for job, number in noted if number.isdigit()]
        if self.cluster == "local":
            alive = [(job, number, _Survivor(int(number))) for job, number in known]
            return [
                (job, submitit.LocalJob(self.logs, number, process=process))
                for job, number, process in alive
                if process.poll() is None
            ]
        found = [(job, submitit.SlurmJob(self.logs, number)) for job, number in known]  # asked for all at once
        return [(job, one) for job, one in found if one.state in IN_CLUSTER and not one.done()]

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


@dataclass
class _Survivor:
    """A process of submitit's local executor that has outlived who began it; on Linux, where it can be known."""

    pid: int

    def poll(self) -> int | None:
        """Return None while it is running."""
        try:
            return None if b"submitit" in Path(f"/proc/{self.pid}/cmdline").read_bytes() else 0
        except OSError:
            return 0

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is running."""
        if self.poll() is None:
            os.kill(self.pid, number)


def _submitted(executor: Any, function: Resumable, job: Job) -> Any:
    """
    Return a job as it is in the cluster.

    Raises:
        UserError: the cluster does not take it.

    """
    import submitit

    try:
        return executor.submit(function, job)
    except submitit.core.utils.FailedJobError as error:
        raise UserError(f"executor slurm: the job is not taken: {str(error).strip().splitlines()[-1]}") from None


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
