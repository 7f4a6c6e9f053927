"""
A process that computes one job after the other: ``python -m nlcore_builtins.executors.server``.

It reads `work`, then jobs from stdin, and writes an outcome to stdout for each, all pickled. On Linux each job has a
fork of this process, which has imported what jobs need: it starts at once, its memory is its own, and what kills it
ends that job alone. Elsewhere, where a fork of a process with torch in it is not safe, jobs are computed here.

When whoever asked is gone, stdin ends; the job that is going on is then stopped as by Ctrl-C.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import select
import signal
import sys
import threading
import warnings
from typing import BinaryIO, NoReturn

from nlcore.contracts import Job, Outcome, Work

_FORKS = sys.platform == "linux"


def main() -> None:
    """Serve until stdin ends."""
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a component prints is no answer
    if _FORKS:
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    try:
        work: Work = pickle.load(asked)
        while True:
            job: Job = pickle.load(asked)
            pickle.dump(_in_a_fork(work, job, asked) if _FORKS else work(job), answers)
            answers.flush()
    except (EOFError, BrokenPipeError):
        return


def _in_a_fork(work: Work, job: Job, asked: BinaryIO) -> Outcome:
    """Compute a job in a child, and import what it has imported, for the next one."""
    told, tells = os.pipe()
    leash, holds = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told)
        os.close(holds)
        _child(work, job, tells, leash)
    os.close(tells)
    os.close(leash)
    with os.fdopen(told, "rb") as answer:
        ready, _, _ = select.select([answer, asked], [], [])
        if asked in ready:  # nothing is asked before the answer: it has ended
            os.close(holds)
            holds = -1
        content = answer.read()
    _, status = os.waitpid(child, 0)
    if holds >= 0:
        os.close(holds)
    if not content:
        return Outcome("failed", message=how_it_ended(os.waitstatus_to_exitcode(status)))
    outcome, modules = pickle.loads(content)
    for name in modules:
        with contextlib.suppress(Exception):  # a module of a single file, say: the next job loads it itself
            importlib.import_module(name)
    assert isinstance(outcome, Outcome)
    return outcome


def _child(work: Work, job: Job, tells: int, leash: int) -> NoReturn:
    """Compute a job and tell its outcome; stop as by Ctrl-C when the other end of the leash is let go."""
    before = set(sys.modules)
    outcome = Outcome("interrupted")
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=_stop_when_let_go, args=(leash,), daemon=True).start()
        outcome = work(job)
    except KeyboardInterrupt:
        pass
    finally:
        with os.fdopen(tells, "wb") as stream:
            pickle.dump((outcome, sorted(set(sys.modules) - before)), stream)
        os._exit(0)


def _stop_when_let_go(leash: int) -> None:
    os.read(leash, 1)
    os.kill(os.getpid(), signal.SIGINT)


def how_it_ended(code: int) -> str:
    """Return in words what a process has ended with: an exit code, or the negative number of a signal."""
    if code >= 0:
        return f"its process ended with exit code {code}"
    often = ": often there was too little memory; try fewer --executor.jobs" if -code == signal.SIGKILL else ""
    return f"its process was killed by {signal.Signals(-code).name}{often}"


if __name__ == "__main__":
    main()
