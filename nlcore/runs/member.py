"""
A process of a run that another one has started: ``python -m nlcore.runs.member``.

It reads its place from stdin, does what the first process says, and ends when stdin does. It writes nothing.
"""

from __future__ import annotations

import itertools
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from typing import IO

import torch.distributed as dist

from nlcore.runs.places import Place, follow, meet, open_store
from nlcore.training.processes import LostProcessError

_PREFIX = re.compile(r"\[rank\d+\]: ?(\[W.*)?")  # what torch puts before errors, and its own warnings


class Member:
    """A process that was started here."""

    def __init__(self, place: Place) -> None:
        self._rank = place.processes.rank
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `end`)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "nlcore.runs.member"],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert self._process.stdin is not None
        pickle.dump(place, self._process.stdin)
        self._process.stdin.flush()

    def fate(self, seconds: float) -> str:
        """Return how the process has ended, empty where it goes on after so many seconds."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return ""
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").splitlines()
        said = [line.strip() for line in (_PREFIX.sub("", line) for line in lines) if line.strip()]
        words = f": {said[-1]}" if said else ""
        who = f"Process {self._rank + 1} of this run"
        if code < 0:
            return f"{who} was ended by {signal.Signals(-code).name}{words or '.'}"
        return f"{who} has ended{words or f': exit code {code}'}"

    def end(self) -> None:
        """End it; it has nothing to lose."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._output.close()


def main() -> None:
    """Be a process of a run until the first one ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of them; the first one decides
    stdin = os.fdopen(0, "rb", buffering=0)
    place: Place = pickle.load(stdin)
    threading.Thread(target=_end_with, args=[stdin], daemon=True).start()
    try:
        _be_a_member(place)
    except LostProcessError as error:
        print(error, file=sys.stderr)
    except BaseException:  # the first process says it
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)  # Python's own way out takes down a broken connection's threads, which may abort and hide the reason


def _be_a_member(place: Place) -> None:
    processes = place.processes
    store = open_store(place, processes)
    for number in itertools.count():
        meet(place, store, number)
        follow(processes)
        dist.destroy_process_group()


def _end_with(stdin: IO[bytes]) -> None:
    while stdin.read(1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
