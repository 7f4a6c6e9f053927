"""A run of a strategy on the toy problem."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from nlcore.config.settings import TrainingSettings
from nlcore.contracts import Architecture, Batch
from nlcore.data.run_data import RunData
from nlcore.data.views import View
from nlcore.errors import RunError
from nlcore.host.registry import registry
from nlcore.testing.toy import CrossEntropy, TinyArchitecture, declared_noise, prepared
from nlcore.training.build import Components, Idle, wire, wire_for_prediction
from nlcore.training.context import Context
from nlcore.training.hardware import resolve_hardware
from nlcore.training.observers import Observer, Row
from nlcore.training.processes import ALONE, Processes
from nlcore.training.trainer import DivergedError

#: 97 images in batches of 32: a last single one joins the batch before it.
SETTINGS: Mapping[str, Any] = {"batch_size": 32, "lr_schedule": "cosine"}


class TinyRun:
    """
    A run of a strategy on the toy, with the engine's own loop: 97 images of four classes, a fifth of the labels wrong.

    Attributes:
        strategy: set up.
        ctx: the engine's context.
        trainer: the engine's loop.
        returned: what the steps gave back.
        events: ("begin" and "end" of each step, and what its losses were asked in between) with the loss's identity.

    """

    def __init__(
        self,
        strategy: Any,
        epochs: int,
        data: RunData | None = None,
        wrap: Callable[[Context], Any] = lambda ctx: ctx,
        make_loss: Callable[[], Any] | None = None,
        precision: str = "fp32",
        optimizer: Any = None,
        architecture: Architecture | None = None,
        processes: Processes = ALONE,
        epoch_batches: int | None = None,
    ) -> None:
        """
        Set the strategy up.

        Args:
            strategy: an instance.
            epochs: how many `train` trains.
            data: other data than the toy's.
            wrap: what the strategy is given in place of the context.
            make_loss: makes other losses than the toy's cross-entropy.
            precision: ``fp32`` or ``bf16``.
            optimizer: an instance; SGD at a rate of 0.1 where None.
            architecture: another than the toy's.
            processes: that train together.
            epoch_batches: batches in an epoch; all where None.

        """
        self.returned: list[Any] = []
        self.events: list[tuple[int, str]] = []
        known = registry()
        weak = known.create("augmentation", "crop_flip", {"padding": 1, "flip": False})
        strong = [weak, known.create("augmentation", "cutout", {"size": 2})]
        components = Components(
            strategy=_Watched(strategy, self),
            architecture=architecture or TinyArchitecture(),
            make_loss=make_loss or functools.partial(CrossEntropy, self.events),
            optimizer=optimizer or known.create("optimizer", "sgd", {"lr": 0.1}),
            views={"weak": View([weak], ["crop_flip"]), "strong": View(strong, ["crop_flip", "cutout"])},
        )
        settings = TrainingSettings(epochs=epochs, epoch_batches=epoch_batches, **SETTINGS)
        hardware = resolve_hardware("cpu", precision, "1", processes=processes)
        self.strategy = strategy
        self._data = data or prepared()
        self.trainer = wire(components, settings, self._data, hardware, wrap=wrap, estimate=declared_noise)
        self.ctx = self.trainer.ctx

    def train(self, after_epoch: Callable[[], object] = lambda: None, done: int = 0) -> list[Row]:
        """Train all epochs that are left, call `after_epoch` after each and return their metrics."""
        notes = _Notes(after_epoch)
        try:
            self.trainer.run([notes], done)
        except DivergedError as error:
            raise AssertionError(f"On the toy problem {error}.") from error
        except RunError as error:  # what the engine refuses of a component
            raise AssertionError(str(error)) from error
        return notes.rows

    def loaded(self, strategy: Any) -> Any:
        """Return this strategy, set up as a trained model is, with the weights of the run and nothing else of it."""
        tensors = {
            f"{name}.{key}": value for name, one in self.ctx.saved.items() for key, value in one.state_dict().items()
        }
        optimizer = registry().create("optimizer", "sgd")
        components = Components(strategy, TinyArchitecture(), Idle, optimizer, {})
        settings = self.trainer.settings
        wire_for_prediction(components, settings, self._data.training, tensors, "cpu", declared_noise)
        return strategy

    def train_epoch(self, epoch: int) -> float:
        """Train this epoch and no other, and return its mean loss."""
        return self.trainer.train_epoch(epoch)[0]


class _Watched:
    """A strategy whose steps are noted; all else is the strategy's own."""

    def __init__(self, strategy: Any, run: TinyRun) -> None:
        self._strategy = strategy
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._strategy, name)

    def setup(self, ctx: Any) -> None:
        """Set the strategy up."""
        self._strategy.setup(ctx)

    def step(self, batch: Batch) -> Any:
        """Do the strategy's step."""
        self._run.events.append((0, "begin"))
        self._run.returned.append(self._strategy.step(batch))
        self._run.events.append((0, "end"))
        return self._run.returned[-1]

    def predict(self, images: Any) -> Any:
        """Predict."""
        return self._strategy.predict(images)


class _Notes(Observer):
    def __init__(self, after_epoch: Callable[[], object]) -> None:
        self.rows: list[Row] = []
        self._after_epoch = after_epoch

    def epoch(self, row: Row) -> None:
        """Note the metrics."""
        self.rows.append(row)
        self._after_epoch()
