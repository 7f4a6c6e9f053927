"""The executors that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl

NLCORE_API = 1


@hookimpl
def nl_executors() -> list[Component]:
    """Return the built-in executors."""
    package = "nlcore_builtins.executors"
    return [
        Component("local", f"{package}.local:Local", "Processes on this machine, each with its share of it."),
        Component("slurm", f"{package}.slurm:Slurm", "Jobs of a Slurm cluster, queued again when they are preempted."),
        Component("ray", f"{package}.ray:Ray", "Tasks of a Ray cluster, or of Ray on this machine."),
    ]
