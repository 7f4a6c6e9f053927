"""On this machine: some processes at a time, each with its share of the processors, or a GPU of its own."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nlcore import parameter
from nlcore.contracts import Job, Outcome, Work
from nlcore_builtins.executors.server import how_it_ended


@dataclass
class Local:
    """
    Computes runs in processes on this machine.

    Without `jobs`, as many at a time as there are GPUs; where there is none, as many as processors (or as many as
    have the threads that the runs ask for). Each gets its share of the processors and, of several GPUs, one. What
    kills a process, too little memory say, ends that run alone.
    """

    jobs: int | None = parameter(None, "runs at a time; none: a GPU or a processor for each", range="[1, inf)")

    def at_once(self, jobs: Sequence[Job]) -> int:
        """Return how many of these jobs are computed at the same time."""
        from nlcore.toolbox import available_cpus

        usual = len(_gpus(jobs)) or max(1, available_cpus() // _threads(jobs))
        return min(self.jobs or usual, len(jobs))

    def execute(
        self, jobs: Sequence[Job], work: Work, ended: Callable[[Job, Outcome], None], report: Callable[[str], None]
    ) -> None:
        """Compute each job in a process that is one of `at_once`."""
        from nlcore.toolbox import available_cpus

        cpus, count, gpus = available_cpus(), self.at_once(jobs), _gpus(jobs)
        share = max(cpus // count, _threads(jobs))
        if count * _threads(jobs) > cpus:
            report(f"{count} runs at a time share {cpus} processors: each waits for the others. --executor.jobs")
        todo: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            todo.put(job)
        told: queue.SimpleQueue[tuple[Job, Outcome]] = queue.SimpleQueue()
        servers = [_Server(_environment(share, gpus, number), work, todo, told) for number in range(count)]
        try:
            for server in servers:
                server.start()
            for _ in jobs:
                ended(*told.get())
        finally:
            for server in servers:
                server.stop()
            for server in servers:
                server.join()
            while not told.empty():
                ended(*told.get())


class _Server(threading.Thread):
    """Takes jobs and has a process compute them; where that dies, the next job gets another one."""

    def __init__(
        self,
        environment: Mapping[str, str],
        work: Work,
        todo: queue.SimpleQueue[Job],
        told: queue.SimpleQueue[tuple[Job, Outcome]],
    ) -> None:
        super().__init__(daemon=True)
        self._environment = environment
        self._work = work
        self._todo, self._told = todo, told
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        """Ask for one job after the other."""
        while not self._stopped.is_set():
            try:
                job = self._todo.get_nowait()
            except queue.Empty:
                break
            self._told.put((job, self._ask(job)))
        self.stop()
        if self._process:
            _ended(self._process)

    def stop(self) -> None:
        """Let go of the process: it stops what it is doing and ends."""
        self._stopped.set()
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError):  # it is gone already
                self._process.stdin.close()

    def _ask(self, job: Job) -> Outcome:
        try:
            process = self._process = self._process or self._begin()
            assert process.stdin
            assert process.stdout
            if self._stopped.is_set():  # while it was starting
                self.stop()
            pickle.dump(job, process.stdin)
            process.stdin.flush()
            outcome = pickle.load(process.stdout)
            assert isinstance(outcome, Outcome)
            return outcome
        except (OSError, EOFError, pickle.UnpicklingError, ValueError) as error:
            gone, self._process = self._process, None
            why = _ended(gone) if gone else f"no process could start: {error}"
            return Outcome("interrupted") if self._stopped.is_set() else Outcome("failed", message=why)

    def _begin(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "nlcore_builtins.executors.server"]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(self._environment),
            start_new_session=True,  # Ctrl-C is for whoever asks, who then lets go of this process
        )
        assert process.stdin
        pickle.dump(self._work, process.stdin)
        return process


def _ended(process: subprocess.Popen[bytes]) -> str:
    """Wait until a process has ended, and return how."""
    for stream in (process.stdin, process.stdout):
        if stream:
            with contextlib.suppress(OSError):  # what was not written yet
                stream.close()
    return how_it_ended(process.wait())


def _environment(share: int, gpus: Sequence[str], number: int) -> dict[str, str]:
    """Return the environment of a process that has its share of the machine."""
    found = {**os.environ, "NL_CPUS": str(share)}
    found.setdefault("OMP_NUM_THREADS", str(share))
    if len(gpus) > 1:
        found["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    return found


def _threads(jobs: Sequence[Job]) -> int:
    return max(job.threads or 1 for job in jobs)


def _gpus(jobs: Sequence[Job]) -> list[str]:
    """Return the GPUs that can be shared out, as CUDA_VISIBLE_DEVICES names them; none where runs say which one."""
    import torch

    asked = {str(layer["device"]) for job in jobs for layer in job.layers if "device" in layer}
    if not torch.cuda.is_available() or not asked <= {"auto", "cuda"}:
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]
