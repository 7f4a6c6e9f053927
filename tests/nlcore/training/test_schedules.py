"""Learning rate schedules, against torch's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from nlcore import ParameterError
from nlcore.config.settings import TrainingSettings
from nlcore.training.schedules import schedule


def ours(name: str, **settings: Any) -> Callable[[float], float]:
    """Return the factor as a function of what is done, of a run with the learning rate 1."""
    return schedule(TrainingSettings(lr_schedule=name, **settings), 1.0)  # type: ignore[arg-type]


def by_torch(name: str, steps: int, lowest: float = 0.0, milestones: tuple[float, ...] = (0.5, 0.75)) -> list[float]:
    """Return torch's learning rate at each of `steps` steps, of a run with the learning rate 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler: lr_scheduler.LRScheduler
    if name == "constant":
        scheduler = lr_scheduler.ConstantLR(optimizer, factor=1.0)
    elif name == "step":
        scheduler = lr_scheduler.MultiStepLR(optimizer, [round(share * steps) for share in milestones], gamma=0.1)
    elif name == "cosine":
        scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps, eta_min=lowest)
    elif name == "linear":
        scheduler = lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=lowest, total_iters=steps)
    else:
        scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=steps)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no optimiser steps between
            scheduler.step() if len(rates) < steps else None
    return rates


@pytest.mark.parametrize("steps", [4, 20, 600])
@pytest.mark.parametrize("name", ["constant", "step", "cosine", "linear"])
def test_the_learning_rate_of_every_step_is_that_of_torch(name: str, steps: int) -> None:
    factor = ours(name)
    assert [factor(step / steps) for step in range(steps)] == pytest.approx(by_torch(name, steps), abs=1e-9)


@pytest.mark.parametrize("name", ["cosine", "linear"])
def test_the_learning_rate_may_end_above_zero_as_with_torch(name: str) -> None:
    factor = ours(name, lr_min=0.1)
    assert [factor(step / 50) for step in range(50)] == pytest.approx(by_torch(name, 50, lowest=0.1), abs=1e-9)
    assert factor(1.0) == pytest.approx(0.1)


def test_the_lowest_learning_rate_is_a_rate_and_no_factor() -> None:
    assert 0.02 * schedule(TrainingSettings(lr_schedule="cosine", lr_min=0.005), 0.02)(1.0) == pytest.approx(0.005)


def test_milestones_may_be_chosen_as_with_torch() -> None:
    factor = ours("step", lr_milestones="0.3,0.6,0.8")
    by_steps = by_torch("step", 20, milestones=(0.3, 0.6, 0.8))
    assert [factor(step / 20) for step in range(20)] == pytest.approx(by_steps, rel=1e-9)


@pytest.mark.parametrize("milestones", ["", "half", "0.5,", "0.75,0.5", "0.5,0.5", "0,0.5", "0.5,1", "0.5;0.75"])
def test_milestones_that_are_no_ascending_shares_are_refused(milestones: str) -> None:
    with pytest.raises(ParameterError, match="must be ascending shares of the training, between 0 and 1"):
        ours("step", lr_milestones=milestones)


def test_a_lowest_learning_rate_above_the_run_s_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"lr_min = 0\.2: must be at most the learning rate, 0\.1\."):
        schedule(TrainingSettings(lr_schedule="cosine", lr_min=0.2), 0.1)


@pytest.mark.parametrize("steps", [2_000, 8_000])
def test_one_cycle_has_the_shape_of_torch(steps: int) -> None:
    # Torch reaches its peak at step 0.3 T − 1 and its end at T − 1; taken as a share of T − 1 steps the peak lies up to
    # 0.7 / (T − 1) before ours, and no schedule rises faster than 0.96 (π / 2) / 0.3 < 5.1.
    factor = ours("one_cycle")
    by_steps = by_torch("one_cycle", steps)
    assert [factor(step / (steps - 1)) for step in range(steps)] == pytest.approx(by_steps, abs=5.1 * 0.7 / (steps - 1))


def test_one_cycle_begins_peaks_and_ends_where_torch_does() -> None:
    one_cycle = ours("one_cycle")
    by_steps = by_torch("one_cycle", 1_000)
    assert one_cycle(0.0) == pytest.approx(by_steps[0], rel=1e-9)
    assert one_cycle(0.3) == pytest.approx(max(by_steps), rel=1e-9)
    assert one_cycle(1.0) == pytest.approx(by_steps[-1], rel=1e-6)
    assert one_cycle(1.0) < one_cycle(0.0) < one_cycle(0.1) < one_cycle(0.3) > one_cycle(0.6)


def test_step_follows_he_et_al() -> None:
    # 64,000 iterations on CIFAR-10, divided by ten at 32,000 and 48,000 (He et al. 2016, section 4.2).
    step = ours("step")
    assert [0.1 * step(i / 64_000) for i in (0, 31_999, 32_000, 47_999, 48_000, 63_999)] == pytest.approx(
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    )
