"""A Ray cluster, or this machine alone: a task for each run; what a lost node computed goes on elsewhere."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nlcore import UserError, parameter
from nlcore.contracts import Job, Outcome, Work
from nlcore_builtins.installed import require

CONNECT_SECONDS = 10.0
LOST_NODES = 5  # so often a run is begun elsewhere before it counts as failed
_ADDRESS = re.compile(r"(?:ray://)?(?P<host>[\w.-]+):(?P<port>\d{1,5})\Z")


@dataclass
class Ray:
    """
    Has the runs computed as tasks of Ray, each with the processors and GPUs that it asks for.

    When a node is lost, its runs go on after their last epoch on another one. The nodes must see the same folders and
    have the same packages. Needs the package ray.
    """

    address: str | None = parameter(None, "of a cluster, HOST:PORT or ray://HOST:PORT, or auto; none: this machine")
    cpus: float = parameter(1.0, "processors of a run", range="(0, inf)")
    gpus: float = parameter(0.0, "GPUs of a run; a part of one is shared", range="[0, inf)")
    memory: float | None = parameter(None, "memory of a run in GB, for it to be placed; none: any", range="(0, inf)")

    def __post_init__(self) -> None:
        """
        Find before any work is done that it cannot be used.

        Raises:
            NotInstalledError: ray is not installed.

        """
        require("executor", "ray", "ray")

    def execute(
        self, jobs: Sequence[Job], work: Work, ended: Callable[[Job, Outcome], None], report: Callable[[str], None]
    ) -> None:
        """Compute the jobs as tasks; those of lost nodes are begun again elsewhere."""
        import ray

        began_it = not ray.is_initialized()
        if began_it:
            self._connect(ray)
        self._check_resources(ray)
        memory = {} if self.memory is None else {"memory": self.memory * 1e9}
        task = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0, **memory)(work)
        going = {task.remote(job): job for job in jobs}
        lost: dict[str, int] = {}
        try:
            while going:
                (first, *_), _ = ray.wait(list(going), num_returns=1)
                job = going.pop(first)
                outcome = _outcome(ray, first)
                if outcome is None:
                    lost[job.name] = lost.get(job.name, 0) + 1
                    if lost[job.name] <= LOST_NODES:
                        report(f"{job.name}: its node was lost; it goes on elsewhere")
                        going[task.remote(job)] = job
                        continue
                    outcome = Outcome("failed", message=f"its node was lost, {LOST_NODES} times")
                ended(job, outcome)
        finally:
            for reference in going:
                ray.cancel(reference)
            ray.wait(list(going), num_returns=len(going), timeout=60) if going else None
            if began_it:
                ray.shutdown()

    def _connect(self, ray: Any) -> None:
        """
        Connect to the cluster, or begin one on this machine.

        Raises:
            UserError: nobody listens there.

        """
        found = _ADDRESS.match(self.address or "")
        if self.address not in (None, "auto") and not found:
            raise UserError(f"executor.address = {self.address}: must be HOST:PORT, ray://HOST:PORT or auto.")
        if found:
            try:
                socket.create_connection((found["host"], int(found["port"])), CONNECT_SECONDS).close()
            except (OSError, OverflowError) as error:
                raise UserError(
                    f"executor.address = {self.address}: nobody listens there ({error}). 'ray status' on the cluster's "
                    "first machine says its address."
                ) from None
        passed = {key: value for key, value in os.environ.items() if key.startswith("NL_") or key == "PYTHONPATH"}
        passed["NL_CPUS"] = str(max(1, int(self.cpus)))
        options: dict[str, Any] = {
            "runtime_env": {"env_vars": passed},
            "log_to_driver": False,
            "logging_level": "ERROR",
        }
        if self.address is None:
            options |= {"address": "local", "include_dashboard": False}
        else:
            options["address"] = self.address
        try:
            ray.init(**options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UserError(f"executor ray: no cluster at {self.address}: {str(error).splitlines()[0]}") from None

    def _check_resources(self, ray: Any) -> None:
        """
        Find that no node could ever compute a run, for which Ray would wait for ever.

        Raises:
            UserError: none could.

        """
        wanted = {"CPU": self.cpus, "GPU": self.gpus}
        for node in ray.nodes():
            if node["Alive"] and all(node["Resources"].get(name, 0.0) >= value for name, value in wanted.items()):
                return
        raise UserError(
            f"executor ray: no node has {self.cpus:g} processors and {self.gpus:g} GPUs; ask for less with "
            "--executor.cpus and --executor.gpus."
        )


def _outcome(ray: Any, reference: Any) -> Outcome | None:
    """Return what a task has left; None where its node was lost."""
    errors = ray.exceptions
    try:
        found = ray.get(reference)
    except (errors.NodeDiedError, errors.OwnerDiedError, errors.ObjectLostError):
        return None
    except errors.WorkerCrashedError as error:
        return Outcome("failed", message=f"its process was killed: {str(error).splitlines()[0]}")
    except errors.RayError as error:
        return Outcome("failed", message=str(error).splitlines()[0])
    return found if isinstance(found, Outcome) else Outcome("failed", message=f"it gave {found!r:.100}")
