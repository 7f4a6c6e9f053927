"""
Capturing a step once and replaying it.

A modern GPU is done with a batch of small images before the processor has told it all of what to do with them. A
captured step (a CUDA graph) is told as a whole. It does the same operations on the same memory every time: whatever is
to change from step to step must be in tensors that stay where they are. Strategies and losses promise that with
``capturable = True``; steps of others are run one by one, as always.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from nlcore.contracts import Batch
from nlcore.training.context import Context

WARM_UP = 3  # steps run one by one before one is captured: they make the optimiser's state and choose kernels

_STATEFUL = ("setup", "begin_epoch", "observe", "penalty", "param_groups")


class Graph(Protocol):
    """A step on its way to being replayed. Each method does the step once."""

    def warm_up(self, step: Callable[[], Tensor]) -> Tensor:
        """Do the step as the captured one will, and return its loss."""

    def capture(self, step: Callable[[], Tensor]) -> Tensor:
        """Capture the step and do it; return its loss, in memory that each replay writes. Raise if it cannot be."""

    def replay(self) -> None:
        """Do what was captured."""


class CudaGraph:
    """A graph on a GPU, on a stream that all captures of a run share."""

    def __init__(self, stream: torch.cuda.Stream) -> None:
        self._stream = stream
        self._graph = torch.cuda.CUDAGraph()

    def warm_up(self, step: Callable[[], Tensor]) -> Tensor:
        """Do the step on the captures' stream, as CUDA asks of what is to be captured."""
        here = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            loss = step()
        here.wait_stream(self._stream)
        return loss

    def capture(self, step: Callable[[], Tensor]) -> Tensor:
        """Capture the step, which does nothing yet, and replay it."""
        with torch.cuda.device(self._stream.device):
            here = torch.cuda.current_stream()
            try:
                with torch.cuda.graph(self._graph, stream=self._stream):
                    loss = step()
            except BaseException:
                torch.cuda.set_stream(here)  # a capture that fails leaves us on its stream
                raise
        self.replay()
        return loss

    def replay(self) -> None:
        """Do what was captured."""
        self._graph.replay()


@dataclass
class _Known:
    """What is known of steps on batches of one shape."""

    graph: Graph
    warm: int = 0  # steps that were run one by one
    ready: tuple[Batch, Tensor] | None = None  # once captured: what every replay reads, and the loss it writes


class StepCapture:
    """Does a strategy's steps, from a capture where there is one."""

    def __init__(self, strategy: Any, ctx: Context, new_graph: Callable[[], Graph]) -> None:
        """
        Capture nothing yet.

        Args:
            strategy: set up; its losses are those of `ctx`.
            ctx: tells when networks, losses or optimisers are made anew, which ends all captures.
            new_graph: makes an empty graph.

        """
        self._strategy = strategy
        self._ctx = ctx
        self._new_graph = new_graph
        self._known: dict[Hashable, _Known] = {}
        self._variant: tuple[Any, ...] = ()
        self._revision = ctx.revision
        self.refusal: str | None = None
        ctx.optimizers.lr_as_tensor = True

    def begin_epoch(self, epoch: int, say: Callable[[str], None]) -> None:
        """
        Ask the methods what they do in this epoch; call it after they have begun it themselves.

        Args:
            epoch: that begins.
            say: is told, once, why steps are run one by one.

        """
        self._say = say
        parts = (self._strategy, *(bound.loss for bound in self._ctx.losses))
        reason = next(filter(None, map(self._against, (*parts, *self._ctx.networks.values()))), None)
        if reason:
            self._give_up(reason)
            return
        variant = tuple(getattr(part, "variant", _none)(epoch) for part in parts)
        if variant != self._variant:
            self._known.clear()  # each captured step keeps the memory of a whole step
        self._variant = variant

    def step(self, batch: Batch) -> Tensor:
        """Do the strategy's step and return its loss; read it before the next one."""
        if self.refusal:
            return self._alone(batch)
        if self._revision != self._ctx.revision:
            self._known.clear()
            self._revision = self._ctx.revision
        shapes = _shapes(batch)
        try:
            known = self._known.get(shapes)
        except TypeError:
            self._give_up("a pass has a label that cannot be hashed")
            return self._alone(batch)
        if known is None:
            known = self._known[shapes] = _Known(self._new_graph())
        if known.ready:
            for own, new in zip(_tensors(known.ready[0]), _tensors(batch), strict=True):
                own.copy_(new)
            known.graph.replay()
            return known.ready[1]
        if known.warm < WARM_UP:
            known.warm += 1
            return known.graph.warm_up(lambda: self._alone(batch))
        loss = self._capture(known, batch)
        if isinstance(loss, Tensor):
            return loss
        del known  # with all that the step had made: it needs the memory again
        self._give_up(loss)
        return self._alone(batch)

    def _capture(self, known: _Known, batch: Batch) -> Tensor | str:
        """Capture a step and do it; return its loss, or in words why it cannot be captured."""
        mine = _copied(batch)
        try:
            loss = known.graph.capture(lambda: self._alone(mine))
        except RuntimeError as error:
            return _first_line(error.__context__ or error)  # the end of a capture that failed raises once more
        known.ready = mine, loss
        return loss

    def _alone(self, batch: Batch) -> Tensor:
        loss: Tensor = self._strategy.step(batch)
        return loss

    def _against(self, part: Any) -> str | None:
        """Return why a strategy, loss or network must not be captured, None where nothing speaks against it."""
        name, device = type(part).__name__, self._ctx.device
        if self._ctx.optimizers.twice:
            return "the optimiser takes each step twice"
        if isinstance(part, torch.nn.Module):
            return None if getattr(part, "capturable", True) else "the network declares that it is not capturable"
        if not may_be_captured(part):
            return f"{name} does not declare capturable"
        for key, value in getattr(part, "__dict__", {}).items():  # the device would read such a number once and keep it
            if isinstance(value, Tensor) and value.ndim == 0 and value.device != device:
                return f"{name}.{key} lies on {value.device} and not on {device}"
        return None

    def _give_up(self, reason: str) -> None:
        if not self.refusal:
            self._say(f"Steps are run one by one and not from a capture: {reason}.")
        self.refusal = reason
        self._known.clear()


def may_be_captured(part: Any) -> bool:
    """Tell whether a strategy or loss promises that its part of a step can be captured; a loss without state does."""
    stateful = any(hasattr(part, method) for method in _STATEFUL)
    return bool(getattr(part, "capturable", not stateful))


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _none(epoch: int) -> None:
    """Return what a method says of an epoch that has nothing to say."""


def _tensors(batch: Batch) -> Iterator[Tensor]:
    yield from (*batch.views, batch.targets, batch.index, batch.step)
    if batch.paired:
        yield from _tensors(batch.paired)


def _shapes(batch: Batch) -> Hashable:
    paired = _shapes(batch.paired) if batch.paired else None
    return batch.label, tuple(view.shape for view in batch.views), paired


def _copied(batch: Batch) -> Batch:
    return replace(
        batch,
        views=tuple(view.clone() for view in batch.views),
        targets=batch.targets.clone(),
        index=batch.index.clone(),
        step=batch.step.clone(),
        paired=_copied(batch.paired) if batch.paired else None,
    )
