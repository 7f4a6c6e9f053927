"""
The processes of a run: how they start and end.

The first process is the one that the user started. It starts the others on its machine, tells them functions to call,
and ends them. Where ``torchrun``, or the same command on several machines, has started the others, they wait for the
first one's word in the same way.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.distributed as dist

from nlcore.config.launched import launched
from nlcore.errors import RunError, UserError
from nlcore.rundir.result import Result
from nlcore.runs.member import Member
from nlcore.runs.places import PATIENCE, Place, find_place, follow, meet, open_store
from nlcore.training.processes import ALONE, LostProcessError, Processes

_GRACE = 5.0  # seconds in which a process that has failed ends


@dataclass
class Team:
    """
    The processes of a run, seen from one that the user, or a launcher, has started.

    Attributes:
        place: of this process; None where it is alone.
        processes: all of them.

    """

    place: Place | None = None
    processes: Processes = ALONE
    _store: Any = None
    _members: list[Member] = field(default_factory=list)
    _round: int = 0
    _joined: bool = False
    _busy: bool = False  # whether the others have been told something
    _over: bool = False

    def tell(self, function: Callable[..., object], *args: Any) -> None:
        """Let the others call ``function(processes, *args)``, which must be found by import; this one goes on."""
        if self.place is not None:
            self._join()
            self._busy = True
            self.processes.shared(lambda: (function, args))

    def rest(self) -> None:
        """Let the others, who have done what they were told, wait until they are told something again."""
        if self._joined:
            self.processes.shared(lambda: (None, None))
            dist.destroy_process_group()
            self._joined, self._round = False, self._round + 1

    def follow(self) -> Result:
        """
        Do what the first process says; return its result.

        Raises:
            RunError: it has none.

        """
        self._join()
        result: Result | None = follow(self.processes)
        if result is None:
            raise RunError("The first process of this run could not go on; it says why.")
        return result

    def release(self, result: Result) -> Result:
        """Let the others end with this result, and return it."""
        if result.status in ("done", "diverged") or not self._busy:
            self._end(result)
        return result

    def close(self) -> None:
        """End the processes that were started here, and let others end."""
        if self.processes.rank == 0 and not self._busy:
            self._end(None)
        for member in self._members:
            member.end()
        if self._joined:
            dist.destroy_process_group()

    def why_lost(self) -> str:
        """Return what has become of the processes that were started here."""
        end = time.monotonic() + _GRACE
        found = [member.fate(max(0.0, end - time.monotonic())) for member in self._members]
        return next((fate for fate in found if fate), "Another process of this run has ended.")

    def _end(self, result: Result | None) -> None:
        """Tell the result to processes that were not started here; the others are ended from here."""
        if self.processes.count > len(self._members) + 1 and not self._over:
            self._join()
            self._over = True
            self.processes.shared(lambda: (None, result))

    def _join(self) -> None:
        if self._joined:
            return
        assert self.place is not None
        if self._store is None and self.place.host:
            self._store = open_store(self.place, self.processes)
        with self.processes.reaching():
            if self.processes.rank == 0 and self._store is not None:
                self._await_others()
            meet(self.place, self._store, self._round)
        self._joined = True

    def _await_others(self) -> None:
        """Wait until all have come, and let them meet."""
        for rank in range(1, self.processes.count):
            while not self._store.check([f"{self._round}/here/{rank}"]):
                for fate in (member.fate(0) for member in self._members):
                    if fate:
                        raise LostProcessError(fate)
                time.sleep(0.02)
        self._store.set(f"{self._round}/go", "")


@contextlib.contextmanager
def team(devices: int, num_nodes: int, device: str, patience: datetime.timedelta = PATIENCE) -> Iterator[Team]:
    """
    Have the processes of a run inside.

    Args:
        devices: how many on each machine.
        num_nodes: how many machines.
        device: as ``--device``.
        patience: how long one waits for another before it is given up.

    Raises:
        UserError: several machines of which nothing says how they find each other.

    """
    if devices * num_nodes == 1:
        yield Team()
        return
    if dist.is_initialized():
        raise UserError("torch.distributed is in use in this process already; a run in several processes needs it.")
    on_gpu = not device.startswith("cpu") and torch.cuda.is_available()
    found, store = find_place(devices, num_nodes, on_gpu, patience)
    made = Team(found, found.processes, store)
    made.processes.why_lost = made.why_lost
    try:
        if not launched():
            made._members = [Member(replace(found, local_rank=number)) for number in range(1, devices)]
        yield made
    finally:
        made.close()
