"""Ramps against their formulas."""

from __future__ import annotations

import math

import pytest

from nlcore.toolbox import rampup, sigmoid_rampup


@pytest.mark.parametrize(("t", "weight"), [(-3, 0), (0, 0), (4, 0.25), (7.5, 0.46875), (16, 1), (100, 1)])
def test_a_linear_ramp_stays_within_0_and_1(t: float, weight: float) -> None:
    assert rampup(t, 16) == weight


@pytest.mark.parametrize(
    ("t", "weight"), [(-3, math.exp(-5)), (0, math.exp(-5)), (8, math.exp(-1.25)), (16, 1), (99, 1)]
)
def test_a_sigmoid_ramp_goes_from_exp_minus_5_to_1(t: float, weight: float) -> None:
    assert sigmoid_rampup(t, 16) == pytest.approx(weight, rel=1e-12)


def test_a_ramp_without_length_is_a_step() -> None:
    assert [rampup(t, 0) for t in (-0.5, 0, 0.5)] == [0, 1, 1]
    assert sigmoid_rampup(0, 0) == 1
