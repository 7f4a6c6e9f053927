"""How long a run takes, from its first steps."""

from __future__ import annotations

import time

import pytest
import torch
from helpers import make_data, make_trainer, prepared, squares
from nlcore_builtins.strategies.standard import Standard

from nlcore.contracts import Batch
from nlcore.runs.estimate import EpochSeconds, seconds_of_run


def test_an_epoch_is_its_steps_and_the_evaluation_at_a_third_of_a_step() -> None:
    seconds = EpochSeconds(images_evaluated=1_200)
    assert seconds.after(1, 100, 10.0, 2.0) is None  # ten seconds of set-up
    assert seconds.after(11, 100, 12.0, 18.0) is None  # two seconds of steps are too few
    images = 22.0 * 15.0 / 21
    assert seconds.after(21, 100, 15.0, 22.0) == pytest.approx(100 * 0.25 + 1_200 / images * 0.25 / 3)


class Slow(Standard):
    """A step takes 20 ms longer."""

    def step(self, batch: Batch) -> torch.Tensor:
        """Wait, then train."""
        time.sleep(0.02)
        return super().step(batch)


def test_a_run_is_so_many_epochs() -> None:
    data = prepared(make_data(*squares(80)))
    five = make_trainer(Slow(), data, epochs=50, batch_size=8)
    seconds = seconds_of_run(five)
    assert seconds is not None
    assert seconds >= 50 * 10 * 0.02


def test_a_loss_that_is_not_finite_gives_no_estimate() -> None:
    assert seconds_of_run(make_trainer(Standard(), prepared(make_data(*squares(80))), epochs=2, lr=1e30)) is None
