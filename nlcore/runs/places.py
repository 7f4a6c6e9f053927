"""Where the processes of a run are, how they meet, and how all but the first learn what to do."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist

from nlcore.config.launched import launched
from nlcore.errors import UserError
from nlcore.training.processes import Processes

PATIENCE = datetime.timedelta(days=1)  # the first process may have something to estimate first
_TO_CONNECT = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Place:
    """
    Where a process of a run is.

    Attributes:
        host, port: where the first one waits for the others; empty where a launcher knows.
        first: the rank of the first process on this machine.
        local_rank: which one of its machine's this is.
        nodes: how many machines there are.
        here: how many processes each has.
        on_gpu: whether each has a GPU.
        patience: how long one waits for another.

    """

    host: str = ""
    port: int = 0
    first: int = 0
    local_rank: int = 0
    nodes: int = 1
    here: int = 1
    on_gpu: bool = False
    patience: datetime.timedelta = PATIENCE

    @property
    def processes(self) -> Processes:
        """The processes as seen from here."""
        return Processes(self.first + self.local_rank, self.here * self.nodes, self.local_rank, self.here)


def find_place(devices: int, num_nodes: int, on_gpu: bool, patience: datetime.timedelta) -> tuple[Place, Any]:
    """Return where this process is, and the store where the first one awaits those that it starts."""
    place = Place(nodes=num_nodes, here=devices, on_gpu=on_gpu, patience=patience)
    if launched():
        rank, local = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
        return replace(place, first=rank - local, local_rank=local), None
    if num_nodes == 1:
        store = dist.TCPStore("127.0.0.1", 0, devices, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
        return replace(place, host="127.0.0.1", port=store.port), store
    host, port, number = (os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK"))
    if not (host and port.isdigit() and number.isdigit() and int(number) < num_nodes):
        raise UserError(
            f"num_nodes = {num_nodes}: start the same command on each machine with MASTER_ADDR (the first machine's "
            f"address), MASTER_PORT (a free port there) and NODE_RANK (0 to {num_nodes - 1}) set, or use torchrun."
        )
    found = replace(place, host=host, port=int(port), first=int(number) * devices)
    return found, open_store(found, found.processes) if number == "0" else None  # others may come before the data do


def open_store(place: Place, processes: Processes) -> Any:
    """
    Return where the first process of several machines awaits the others.

    Raises:
        UserError: it cannot be reached, or the port is taken.

    """
    first = processes.rank == 0
    try:
        return dist.TCPStore(place.host, place.port, processes.count, first, _TO_CONNECT, wait_for_workers=False)  # type: ignore[attr-defined]
    except (RuntimeError, ValueError) as error:
        what = "cannot listen there" if first else "nobody listens there"
        raise UserError(
            f"MASTER_ADDR = {place.host}, MASTER_PORT = {place.port}: {what}. Give the first machine's address and a "
            "port that is free on it, and start the same command there, with NODE_RANK=0."
        ) from error


def meet(place: Place, store: Any, number: int) -> None:
    """Meet the others, for the time of this number."""
    processes = place.processes
    if place.on_gpu:
        torch.cuda.set_device(place.local_rank)
    where: dict[str, Any] = {}
    if store is not None:
        if processes.rank:
            store.set(f"{number}/here/{processes.rank}", "")
            store.wait([f"{number}/go"], PATIENCE)
        own = dist.PrefixStore(str(number), store)  # type: ignore[attr-defined]
        where = {"store": own, "rank": processes.rank, "world_size": processes.count}
    dist.init_process_group("cpu:gloo,cuda:nccl" if place.on_gpu else "gloo", timeout=place.patience, **where)


def follow(processes: Processes) -> Any:
    """Call what the first process says until it says what all ends with."""
    while True:
        function, told = processes.shared(_said_by_the_first)
        if function is None:
            return told
        function(processes, *told)


def _said_by_the_first() -> tuple[Callable[..., object] | None, Any]:
    raise AssertionError("Only the first process says what is done.")
