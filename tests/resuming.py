"""A run that is stopped after any epoch and goes on from its state ends with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun


def copied(state: Any) -> Any:
    """Return a state as it is now, with tensors of its own."""
    if isinstance(state, dict):
        return {key: copied(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(copied(value) for value in state)
    return state.clone() if isinstance(state, Tensor) else state


def assert_resumes(make: Callable[[], TinyRun]) -> None:
    """Check it for every epoch; `make` makes the same run each time."""
    straight, saved = make(), []
    straight.train(lambda: saved.append(copied(straight.trainer.state_dict())))
    for done, state in enumerate(saved[:-1], start=1):
        resumed = make()
        resumed.trainer.load_state_dict(state)
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())
