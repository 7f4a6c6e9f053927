"""A run of a strategy on the toy problem."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from nlcore.config.settings import Settings
from nlcore.contracts import Batch
from nlcore.data.batches import TrainingBatches
from nlcore.data.prepare import TrainingData
from nlcore.testing.toy import CrossEntropy, TinyArchitecture, prepared
from nlcore.training.context import Context, Facts
from nlcore.training.evaluate import Evaluator
from nlcore.training.hardware import resolve_hardware
from nlcore.training.trainer import DivergedError, Row, Trainer


class TinyRun:
    """
    A run of a strategy on the toy, with the engine's own loop.

    Attributes:
        returned: what the steps gave back.
        events: ("begin" and "end" of each step, and what its losses were asked in between) with the loss's identity.

    """

    def __init__(
        self,
        strategy: Any,
        epochs: int,
        data: TrainingData | None = None,
        wrap: Callable[[Context], Any] = lambda ctx: ctx,
        make_loss: Callable[[], Any] | None = None,
    ) -> None:
        data = data or prepared()
        settings = Settings(batch_size=32, epochs=epochs, lr=0.1, lr_schedule="cosine")  # the third batch has 33
        hardware = resolve_hardware("cpu", "fp32", "1")
        batches = TrainingBatches(data, settings.batch_size, settings.seed, hardware.device)
        facts = Facts(data.num_classes, data.image_shape, batches.given, data.declared)
        self.returned: list[Any] = []
        self.events: list[tuple[int, str]] = []
        make_loss = make_loss or functools.partial(CrossEntropy, self.events)
        self.ctx = Context(settings, facts, TinyArchitecture(), make_loss, hardware, batches)
        self.strategy = strategy
        strategy.setup(wrap(self.ctx))
        evaluator = Evaluator(strategy, self.ctx, data, batches.pixels)
        self.trainer = Trainer(_Watched(strategy, self), self.ctx, batches, evaluator, None, settings.seed)

    def train(self, after_epoch: Callable[[], object] = lambda: None, done: int = 0) -> list[Row]:
        """Train all epochs that are left, call `after_epoch` after each and return their metrics."""
        rows: list[Row] = []

        def record(row: Row) -> None:
            rows.append(row)
            after_epoch()

        try:
            self.trainer.run(_Silent(), record, done)
        except DivergedError as error:
            raise AssertionError(f"On the toy problem {error}.") from error
        return rows

    def train_epoch(self, epoch: int) -> float:
        """Train this epoch and no other, and return its mean loss."""
        torch.manual_seed(epoch)
        return self.trainer._train_epoch(epoch, _Silent())[0]


class _Watched:
    """A strategy whose steps are noted; all else is the strategy's own."""

    def __init__(self, strategy: Any, run: TinyRun) -> None:
        self._strategy = strategy
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._strategy, name)

    def step(self, batch: Batch) -> Any:
        """Do the strategy's step."""
        self._run.events.append((0, "begin"))
        self._run.returned.append(self._strategy.step(batch))
        self._run.events.append((0, "end"))
        return self._run.returned[-1]


class _Silent:
    def progress(self, epoch: int, step: int, steps: int, images_per_second: float, elapsed: float) -> None:
        """Say nothing."""

    def epoch(self, row: Row) -> None:
        """Say nothing."""

    def line(self, text: str) -> None:
        """Say nothing."""
