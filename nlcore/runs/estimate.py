"""How long a run takes, from the first steps of its first epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass

from nlcore.training.observers import Observer
from nlcore.training.trainer import DivergedError, Trainer

LONG_ENOUGH = 3.0  # seconds of steps that are timed


@dataclass
class EpochSeconds:
    """
    The seconds of an epoch, estimated from its steps but the first ones, which wait for the libraries' set-up.

    Attributes:
        images_evaluated: how many images are evaluated after each epoch.

    """

    images_evaluated: int
    _first: tuple[int, float] | None = None

    def after(self, step: int, steps: int, elapsed: float, images_per_second: float) -> float | None:
        """
        Return the seconds of a whole epoch, evaluation included; None while too little is known.

        Args:
            step: how many steps are done,
            steps: of how many,
            elapsed: in so many seconds,
            images_per_second: and at this rate.

        """
        if self._first is None:
            self._first = step, elapsed
            return None
        first, before = self._first
        if elapsed - before <= LONG_ENOUGH or step <= first:
            return None
        step_seconds = (elapsed - before) / (step - first)
        images = images_per_second * elapsed / step  # in a step
        evaluation = self.images_evaluated / images * step_seconds / 3  # forward alone, in larger batches
        return steps * step_seconds + evaluation


class _EnoughStepsError(Exception):
    """Enough steps have been timed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class _Watch(Observer):
    def __init__(self, images_evaluated: int) -> None:
        self._estimate = EpochSeconds(images_evaluated)

    def progress(self, epoch: int, step: int, steps: int, images_per_second: float, elapsed: float) -> None:
        """Stop once the epoch's length is known."""
        seconds = self._estimate.after(step, steps, elapsed, images_per_second)
        if seconds is not None:
            raise _EnoughStepsError(seconds)


def seconds_of_run(trainer: Trainer) -> float | None:
    """
    Return roughly how many seconds a run would take, by training for some; None where its loss is not finite.

    Later phases of a method may take longer than its first epoch. The trainer is of no use afterwards.
    """
    first, epochs = trainer.frozen.epochs + 1, trainer.settings.epochs
    features = trainer.frozen.seconds() if first > 1 else 0.0
    if first > epochs:
        return features  # beside them a head is trained in no time
    watch = _Watch(trainer.evaluator.images_per_epoch)
    seconds = 0.0
    try:
        with trainer.hardware.computing():
            for _ in range(2):  # short epochs are timed as a whole, the second time without the set-up
                start = time.perf_counter()
                trainer.train_epoch(first, [watch])
                trainer.evaluator.epoch()
                seconds = time.perf_counter() - start
                if seconds > LONG_ENOUGH:
                    break
    except _EnoughStepsError as enough:
        seconds = enough.seconds
    except DivergedError:
        return None
    return features + (epochs - first + 1) * seconds
