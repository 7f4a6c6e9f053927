"""How long a run takes, from its first steps."""

from __future__ import annotations

import time

import pytest
import torch
from helpers import NetArchitecture, make_data, make_trainer, prepared, squares
from nlcore_builtins.strategies.standard import Standard
from torch import nn

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


class SlowBody(NetArchitecture):
    """A batch takes the body 20 ms longer."""

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a network."""
        network = super().build(num_classes, image_shape)
        network.get_submodule("conv").register_forward_pre_hook(lambda part, given: time.sleep(0.02))
        return network


def test_features_that_are_computed_once_count_once_and_the_epochs_of_the_head_do_not() -> None:
    data = prepared(make_data(*squares(640), test=squares(640, seed=1)))
    head = make_trainer(NeverSteps(), data, SlowBody(), epochs=1000, freeze="all")
    seconds = seconds_of_run(head)
    assert seconds is not None
    assert seconds >= 20 * 0.02  # twenty batches of 64
    then = seconds_of_run(make_trainer(Standard(), data, SlowBody(), epochs=11, freeze=1, batch_size=64))
    assert then is not None
    assert then >= 20 * 0.02 + 10 * 10 * 0.02  # ten epochs of ten steps


class NeverSteps(Standard):
    """Is never asked for a step."""

    def step(self, batch: Batch) -> torch.Tensor:
        """Refuse."""
        raise AssertionError
