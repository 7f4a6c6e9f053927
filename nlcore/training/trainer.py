"""
One loop for every method.

    for epoch in the epochs that are left:
        losses, strategy and augmentations begin the epoch
        for batch in the strategy's passes:
            set learning rates; strategy.step(batch); average weights
            about once a second: read the loss, stop where it is not finite, tell the observers
        evaluate with the averaged weights
        tell the observers the epoch's metrics

A strategy says what an epoch iterates and what a step does. The loop never asks the device for a value within a step:
losses are summed there and read about once a second.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nlcore.config.settings import TrainingSettings
from nlcore.contracts import Batch, Pass, Strategy
from nlcore.data.batches import TrainingBatches
from nlcore.data.seeds import derive_seed
from nlcore.errors import RunError
from nlcore.training.capture import StepCapture
from nlcore.training.context import Context
from nlcore.training.ema import WeightEMA
from nlcore.training.evaluate import Evaluator
from nlcore.training.frozen import FrozenBodies
from nlcore.training.hardware import Hardware
from nlcore.training.observers import Observer, Row
from nlcore.training.schedules import schedule

READ_OUT_SECONDS = 1.0


class DivergedError(Exception):
    """The loss became NaN or infinite in this epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"the loss became NaN or infinite in epoch {epoch}")
        self.epoch = epoch


@dataclass(frozen=True)
class Final:
    """
    What is measured at the end.

    Attributes:
        memorisation: over all training samples, see `nlcore.training.evaluate.memorisation`.
        confusion: counts [true, predicted] of the test images.
        probabilities: of the test images, (N, K).

    """

    memorisation: Mapping[str, float | None]
    confusion: NDArray[np.int64]
    probabilities: NDArray[np.float32]


@dataclass
class Trainer:
    """
    Trains a strategy for the epochs that are left and evaluates it after each.

    Attributes:
        strategy: set up.
        ctx: what it was set up with.
        batches: the training set.
        evaluator: measures after each epoch.
        settings: of the run.
        lr: the run's learning rate, which the schedule multiplies.
        hardware: what is computed on.
        frozen: freezes the networks' bodies in the first epochs, where that was asked.
        average: of the weights, or None.
        capture: does the steps where they are captured and replayed, or None.
        steps: that were done in this process.

    """

    strategy: Strategy
    ctx: Context
    batches: TrainingBatches
    evaluator: Evaluator
    settings: TrainingSettings
    lr: float
    hardware: Hardware
    frozen: FrozenBodies
    average: WeightEMA | None = None
    capture: StepCapture | None = None
    steps: int = 0

    def __post_init__(self) -> None:
        """Make the schedule, which checks what it is made of."""
        self._schedule = schedule(self.settings, self.lr)
        self._told_of_views = getattr(self.strategy, "asks_for_strong", False)  # then it was said before

    def run(self, observers: Sequence[Observer], done: int = 0) -> None:
        """
        Train for all epochs that are left.

        Args:
            observers: are told how it goes, in this order; the metrics of an epoch come when all of it, evaluation
                included, is over.
            done: how many epochs are done already; their state has been restored.

        Raises:
            DivergedError: the loss became NaN or infinite; the epoch is not told.
            RunError: an epoch in which nothing was trained.

        """
        device = self.ctx.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            for epoch in range(done + 1, self.settings.epochs + 1):
                row = self._epoch(epoch, observers)
                for observer in observers:
                    observer.epoch(row)

    def train_epoch(self, epoch: int, observers: Sequence[Observer] = ()) -> tuple[float, int, float]:
        """Train one epoch; return its mean loss, the number of images it took, and its last learning rate."""
        torch.manual_seed(derive_seed(self.settings.seed, "epoch", epoch))  # for dropout and the like
        self.frozen.begin_epoch(epoch)
        self.batches.begin_epoch(epoch, self.settings.epochs)
        self.ctx.begin_epoch(epoch)
        if hasattr(self.strategy, "begin_epoch"):
            self.strategy.begin_epoch(epoch)
        if self.capture:
            self.capture.begin_epoch(epoch, lambda text: _tell(observers, text))
        passes = list(self.strategy.passes(epoch)) if hasattr(self.strategy, "passes") else [Pass()]
        self.frozen.check(passes)
        self._agree(passes, epoch)
        steps = self._count(passes, epoch, observers)
        total = torch.zeros((), device=self.ctx.device)
        images = count = 0
        lr = 0.0
        start = read = time.perf_counter()
        for step, batch in enumerate(self._iterate(passes, epoch)):
            lr = self._set_rates(epoch, step / steps)
            total += self._step(batch) * len(batch.index)
            if self.average:
                self.average.update()
            self.steps += 1
            count += len(batch.index)
            images += _images(batch)
            now = time.perf_counter()
            if now - read > READ_OUT_SECONDS or step == steps - 1:
                finite = math.isfinite(total.item())
                # several processes stop at the same step, and no two of them read at the same one before the last
                if not finite and (self.hardware.processes.count == 1 or step == steps - 1):
                    raise DivergedError(epoch)
                now = read = time.perf_counter()  # after the device has caught up
                for observer in observers:
                    observer.progress(epoch, step + 1, steps, images / (now - start), now - start)
        return total.item() / count, images, lr

    def final(self) -> Final:
        """Return what is measured once all epochs are done; every process of a run must ask for it."""
        self.frozen.begin_epoch(self.settings.epochs)  # all may have been done before this process began
        with self.averaged():
            memorisation = self.evaluator.final()
            if not self.evaluator.test_confusion.any():  # all epochs were done before this process began
                self.evaluator.test()
            probabilities = self.evaluator.test_probabilities()
        return Final(memorisation, self.evaluator.test_confusion, probabilities)

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

    @property
    def num_weights(self) -> int:
        """How many weights all networks have."""
        return sum(p.numel() for network in self.ctx.networks.values() for p in network.parameters())

    def _epoch(self, epoch: int, observers: Sequence[Observer]) -> Row:
        self.frozen.begin_epoch(epoch)  # features are computed once, and no epoch's seconds
        start = time.perf_counter()
        loss, images, lr = self.train_epoch(epoch, observers)
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

    def _step(self, batch: Batch) -> Tensor:
        """Do a step, of which some optimisers want two halves, and return its loss."""
        loss: Any = self.capture.step(batch) if self.capture else self.strategy.step(batch)
        if self.ctx.optimizers.twice:
            with self.ctx.optimizers.second_half(
                self.ctx.losses, [*self.ctx.networks.values(), *self.ctx.modules.values()]
            ):
                self.strategy.step(batch)
        if not isinstance(loss, Tensor) or loss.ndim or loss.requires_grad:
            found = f"{tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            attached = " with its graph" if isinstance(loss, Tensor) and loss.requires_grad else ""
            raise RunError(
                f"The strategy {type(self.strategy).__name__}: step() returned {found}{attached}; it must return the "
                "mean loss as a detached scalar tensor, as ctx.minimise(optimizer, objective) does."
            )
        return loss

    def _set_rates(self, epoch: int, done_of_epoch: float) -> float:
        """Set the learning rates for a moment within an epoch; return the first optimiser's."""
        first, last = (self.strategy if hasattr(self.strategy, "stage") else self.frozen).stage(epoch)
        factor = self._schedule((epoch - first + done_of_epoch) / (last - first + 1))
        if self.settings.lr_warmup:
            factor *= min(1.0, (epoch - first + done_of_epoch) / self.settings.lr_warmup)
        return self.ctx.optimizers.set_rates(factor, epoch)

    def _count(self, passes: list[Pass], epoch: int, observers: Sequence[Observer]) -> int:
        """Return the number of steps; say where a pass has no samples, and stop where none has."""
        lengths = [len(self.batches.lengths(one)) for one in passes]
        if not sum(lengths):
            raise RunError(
                f"The strategy {type(self.strategy).__name__} has nothing to train on in epoch {epoch}: its passes "
                "have no samples."
            )
        if not self._told_of_views and self.batches.strong_is_weak and any(map(_asks_for_strong, passes)):
            self._told_of_views = True
            _tell(observers, f"epoch {epoch}: the strong view is the weak one; --strong gives it other augmentations")
        for number, length in enumerate(lengths, start=1):
            if not length:
                _tell(observers, f"epoch {epoch}: pass {number} of {len(passes)} has no samples")
        return sum(lengths)

    def _agree(self, passes: list[Pass], epoch: int) -> None:
        """Stop where several processes are about to train on other samples."""
        processes = self.hardware.processes
        if processes.count > 1 and not processes.agree(
            hashlib.sha256("".join(map(_samples, passes)).encode()).hexdigest()
        ):
            raise RunError(
                f"The strategy {type(self.strategy).__name__} chose other samples in another process in epoch {epoch}. "
                "Draw from ctx.generator(purpose, epoch) alone: other generators differ between processes."
            )

    def _iterate(self, passes: list[Pass], epoch: int) -> Iterator[Batch]:
        first = 0
        for number, one in enumerate(passes):
            yield from self.batches.iterate(one, epoch, str(number), first)
            first += len(self.batches.lengths(one))


def _tell(observers: Sequence[Observer], text: str) -> None:
    for observer in observers:
        observer.line(text)


def _samples(one: Pass) -> str:
    """Return which samples a pass takes, as text."""
    chosen = "all" if one.indices is None else hashlib.sha256(one.indices.cpu().numpy().tobytes()).hexdigest()
    paired = _samples(one.paired) if one.paired else ""
    return f"{one.source} {one.batch_size} {one.shuffle} {one.view_names} {chosen} ({paired})"


def _asks_for_strong(one: Pass) -> bool:
    return "strong" in one.view_names or (one.paired is not None and _asks_for_strong(one.paired))


def _images(batch: Batch) -> int:
    return len(batch.index) * len(batch.views) + (_images(batch.paired) if batch.paired else 0)
