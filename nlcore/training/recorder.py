"""
Recording a step once and replaying it.

A modern GPU is done with a batch of small images before the processor has told it all of what to do with them. A
recorded step (a CUDA graph) is told as a whole. It does the same operations on the same memory every time: whatever is
to change from step to step must be in tensors that stay where they are. Strategies and losses promise that with
``capturable = True``; steps of others are run one by one, as always.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from nlcore.roles import Batch
from nlcore.training.context import Context

WARM_UP = 3  # steps run one by one before one is recorded: they make the optimiser's state and choose kernels

_STATEFUL = ("setup", "begin_epoch", "observe", "penalty", "param_groups")


class Recording(Protocol):
    """A step on its way to being replayed. Each method does the step once."""

    def warm_up(self, step: Callable[[], Tensor]) -> Tensor:
        """Do the step as the recording will, and return its loss."""

    def record(self, step: Callable[[], Tensor]) -> Tensor:
        """Record the step and do it; return its loss, in memory that each replay writes anew. Raise if it cannot be."""

    def replay(self) -> None:
        """Do what was recorded."""


class CudaGraph:
    """A recording on a GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._graph = torch.cuda.CUDAGraph()

    def warm_up(self, step: Callable[[], Tensor]) -> Tensor:
        """Do the step on a stream of its own, as CUDA asks of what is to be recorded."""
        with torch.cuda.device(self._device):
            here, aside = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
            aside.wait_stream(here)
            with torch.cuda.stream(aside):
                loss = step()
            here.wait_stream(aside)
        return loss

    def record(self, step: Callable[[], Tensor]) -> Tensor:
        """Record the step, which does nothing yet, and replay it."""
        with torch.cuda.device(self._device):
            here = torch.cuda.current_stream()
            try:
                with torch.cuda.graph(self._graph):
                    loss = step()
            except BaseException:
                torch.cuda.set_stream(here)  # a recording that fails leaves us on its stream
                raise
        self.replay()
        return loss

    def replay(self) -> None:
        """Do what was recorded."""
        self._graph.replay()


@dataclass
class _Known:
    """What is known of steps on batches of one shape."""

    recording: Recording
    done: int = 0  # steps of this shape, up to the recorded one
    batch: Batch | None = None  # whose tensors every replay reads
    loss: Tensor | None = None


class Recorder:
    """Does a strategy's steps, from a recording where there is one."""

    def __init__(self, strategy: Any, ctx: Context, new_recording: Callable[[], Recording]) -> None:
        """
        Record nothing yet.

        Args:
            strategy: set up; its losses are those of `ctx`.
            ctx: tells when networks, losses or optimisers are made anew, which ends all recordings.
            new_recording: makes an empty recording.

        """
        self._strategy = strategy
        self._ctx = ctx
        self._new_recording = new_recording
        self._known: dict[Hashable, _Known] = {}
        self._variant: tuple[Any, ...] = ()
        self._made = ctx.made
        self.refusal: str | None = None
        ctx.tensor_rates = True

    def begin_epoch(self, epoch: int, say: Callable[[str], None]) -> None:
        """
        Ask the methods what they do in this epoch; call it after they have begun it themselves.

        Args:
            epoch: that begins.
            say: is told, once, why steps are run one by one.

        """
        self._say = say
        losses = [bound.loss for bound in self._ctx.losses]
        for part in (self._strategy, *losses):
            if not may_be_recorded(part):
                self._give_up(f"{type(part).__name__} does not declare capturable")
        variant = tuple(getattr(part, "variant", _none)(epoch) for part in (self._strategy, *losses))
        if variant != self._variant:
            self._known.clear()  # each recording keeps the memory of a whole step
        self._variant = variant

    def step(self, batch: Batch) -> Tensor:
        """Do the strategy's step and return its loss; read it before the next one."""
        if self.refusal:
            return self._alone(batch)
        if self._made != self._ctx.made:
            self._known.clear()
            self._made = self._ctx.made
        shapes = _shapes(batch)
        if shapes not in self._known:
            self._known[shapes] = _Known(self._new_recording())
        known = self._known[shapes]
        if known.batch is not None and known.loss is not None:
            for own, new in zip(_tensors(known.batch), _tensors(batch), strict=True):
                own.copy_(new)
            known.recording.replay()
            return known.loss
        known.done += 1
        if known.done <= WARM_UP:
            return known.recording.warm_up(lambda: self._alone(batch))
        mine = _copied(batch)
        try:
            known.loss = known.recording.record(lambda: self._alone(mine))
        except RuntimeError as error:
            self._give_up(str(error).strip().partition("\n")[0] or type(error).__name__)
            return self._alone(batch)
        known.batch = mine
        return known.loss

    def _alone(self, batch: Batch) -> Tensor:
        loss: Tensor = self._strategy.step(batch)
        return loss

    def _give_up(self, reason: str) -> None:
        if not self.refusal:
            self._say(f"Steps are run one by one and not from a recording: {reason}.")
        self.refusal = reason
        self._known.clear()


def may_be_recorded(part: Any) -> bool:
    """Tell whether a strategy or loss promises that its part of a step can be recorded; a loss without state does."""
    stateful = any(hasattr(part, method) for method in _STATEFUL)
    return bool(getattr(part, "capturable", not stateful))


def _none(epoch: int) -> None:
    """Return what a method says of an epoch that has nothing to say."""


def _tensors(batch: Batch) -> Iterator[Tensor]:
    yield from (*batch.views, batch.targets, batch.index, batch.step)
    if batch.beside:
        yield from _tensors(batch.beside)


def _shapes(batch: Batch) -> Hashable:
    beside = _shapes(batch.beside) if batch.beside else None
    return repr(batch.label), tuple(view.shape for view in batch.views), beside


def _copied(batch: Batch) -> Batch:
    return replace(
        batch,
        views=tuple(view.clone() for view in batch.views),
        targets=batch.targets.clone(),
        index=batch.index.clone(),
        step=batch.step.clone(),
        beside=_copied(batch.beside) if batch.beside else None,
    )
