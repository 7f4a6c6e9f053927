"""
One loop for every method.

A strategy says what an epoch iterates and what a step does; the loop feeds it, sets learning rates, averages weights,
watches for divergence and measures. It never asks the device for a value within a step: losses are summed there and
read about once a second.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from nlcore.contracts import Batch, Pass, Strategy
from nlcore.data.batches import TrainingBatches
from nlcore.data.seeds import key
from nlcore.training.capture import Recorder
from nlcore.training.context import Context
from nlcore.training.ema import Average
from nlcore.training.evaluate import Evaluator

Row = dict[str, Any]

READ_OUT_SECONDS = 1.0


class DivergedError(Exception):
    """The loss became NaN or infinite in this epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"the loss became NaN or infinite in epoch {epoch}")
        self.epoch = epoch


class Watcher(Protocol):
    """Who is told how training goes: the terminal."""

    def progress(self, epoch: int, step: int, steps: int, images_per_second: float, elapsed: float) -> None:
        """About once a second within an epoch."""

    def epoch(self, row: Row) -> None:
        """After each epoch, with its metrics."""

    def line(self, text: str) -> None:
        """Whatever else there is to say."""


@dataclass
class Trainer:
    """Everything that is trained and everything that trains it."""

    strategy: Strategy
    ctx: Context
    batches: TrainingBatches
    evaluator: Evaluator
    average: Average | None
    seed: int
    recorder: Recorder | None = None
    steps: int = 0  # that were done in this process

    def run(self, watcher: Watcher, record: Callable[[Row], None], done: int = 0) -> None:
        """
        Train for all epochs that are left.

        Args:
            watcher: is told how it goes.
            record: gets the metrics of each epoch when all of it, evaluation included, is over.
            done: how many epochs are done already; their state has been restored.

        Raises:
            DivergedError: the loss became NaN or infinite; the epoch is not recorded.

        """
        device = self.ctx.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            for epoch in range(done + 1, self.ctx.epochs + 1):
                torch.manual_seed(key(self.seed, "epoch", epoch))  # for dropout and the like
                row = self._epoch(epoch, watcher)
                record(row)
                watcher.epoch(row)

    def state_dict(self) -> dict[str, Any]:
        """Return all that training needs to go on after an epoch: tensors and primitives."""
        strategy = self.strategy.state_dict() if hasattr(self.strategy, "state_dict") else {}
        average = self.average.state_dict() if self.average else None
        return {"strategy": strategy, **self.ctx.state_dict(), "average": average}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned. The strategy comes first: it may make optimisers anew."""
        if hasattr(self.strategy, "load_state_dict"):
            self.strategy.load_state_dict(state["strategy"])
        self.ctx.load_state_dict(state)
        if self.average:
            self.average.load_state_dict(state["average"])

    def averaged(self) -> AbstractContextManager[None]:
        """Let the networks have the weights that are evaluated and saved."""
        return self.average.swapped_in() if self.average else nullcontext()

    def _epoch(self, epoch: int, watcher: Watcher) -> Row:
        start = time.perf_counter()
        loss, images, lr = self._train_epoch(epoch, watcher)
        trained = time.perf_counter()
        with self.averaged():
            measured = self.evaluator.epoch()
        evaluated = time.perf_counter()
        return {
            "epoch": epoch,
            "train_loss": loss,
            **measured,
            "lr": lr,
            "seconds_train": round(trained - start, 3),
            "seconds_evaluation": round(evaluated - trained, 3),
            "images_per_second": round(images / (trained - start), 1),
        }

    def _train_epoch(self, epoch: int, watcher: Watcher) -> tuple[float, int, float]:
        """Return the epoch's mean loss, the number of training images it took, and its last learning rate."""
        self.ctx.begin_epoch(epoch)
        if hasattr(self.strategy, "begin_epoch"):
            self.strategy.begin_epoch(epoch)
        if self.recorder:
            self.recorder.begin_epoch(epoch, watcher.line)
        do = self.recorder.step if self.recorder else self.strategy.step
        passes = list(self.strategy.passes(epoch)) if hasattr(self.strategy, "passes") else [Pass()]
        steps = sum(len(self.batches.lengths(walk)) for walk in passes)
        total = torch.zeros((), device=self.ctx.device)
        images = count = 0
        lr = 0.0
        start = read = time.perf_counter()
        for step, batch in enumerate(self._walk(passes, epoch)):
            lr = self.ctx.schedule(epoch, (epoch - 1 + step / steps) / self.ctx.epochs)
            total += do(batch) * len(batch.index)
            if self.average:
                self.average.update()
            self.steps += 1
            count += len(batch.index)
            images += _images(batch)
            now = time.perf_counter()
            if now - read > READ_OUT_SECONDS or step == steps - 1:
                if not math.isfinite(total.item()):
                    raise DivergedError(epoch)
                now = read = time.perf_counter()  # after the device has caught up
                watcher.progress(epoch, step + 1, steps, images / (now - start), now - start)
        return total.item() / max(count, 1), images, lr

    def _walk(self, passes: list[Pass], epoch: int) -> Iterator[Batch]:
        first = 0
        for number, walk in enumerate(passes):
            yield from self.batches.walk(walk, epoch, str(number), first)
            first += len(self.batches.lengths(walk))


def _images(batch: Batch) -> int:
    return len(batch.index) * len(batch.views) + (_images(batch.beside) if batch.beside else 0)
