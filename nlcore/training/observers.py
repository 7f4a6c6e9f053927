"""Who is told how training goes: a list of observers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

#: The metrics of an epoch: numbers by name, None where something is unknown.
Row = dict[str, Any]

#: Is shown a network's predictions for the training samples of a step: logits (B, K), detached, and positions (B,).
Watcher: TypeAlias = "Callable[[Tensor, Tensor], None]"


@dataclass(frozen=True)
class Start:
    """
    What is said of a run before its first epoch.

    Attributes:
        plan: what will happen, in words, by topic; empty where nobody asked for it.
        epochs: how many there will be in the end.
        done: how many are done already.
        images_evaluated: how many images are evaluated after each epoch.
        hints: what would take less time; empty on a GPU.
        watch: has a watcher called in every step. It may write into tensors of its own, and nothing else: a step may be
            captured.

    """

    plan: Mapping[str, str]
    epochs: int
    done: int
    images_evaluated: int
    hints: tuple[str, ...] = ()
    watch: Callable[[Watcher], None] = lambda watcher: None


class Observer:
    """Is told how training goes. Each method does nothing here; an observer has those that it cares about."""

    def start(self, start: Start) -> None:
        """Before the first epoch."""

    def progress(self, epoch: int, step: int, steps: int, images_per_second: float, elapsed: float) -> None:
        """About once a second within an epoch: `step` of its `steps` are done, `elapsed` seconds after it began."""

    def epoch(self, row: Row) -> None:
        """After each epoch, with its metrics."""

    def line(self, text: str) -> None:
        """Whatever else there is to say."""

    def end(self, summary: Mapping[str, Any]) -> None:
        """When it is over, however it ended, with the content of ``summary.json``."""
