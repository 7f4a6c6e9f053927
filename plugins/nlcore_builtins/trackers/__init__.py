"""The trackers that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl

NLCORE_API = 1


@hookimpl
def nl_trackers() -> list[Component]:
    """Return the built-in trackers."""
    return [
        Component(
            "tensorboard",
            "nlcore_builtins.trackers.tensorboard:TensorBoard",
            "Curves in TensorBoard, written beside the run's files.",
        ),
    ]
