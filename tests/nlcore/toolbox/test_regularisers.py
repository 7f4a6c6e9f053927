"""Penalties on predictions against their formulas in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import softmax

from nlcore.toolbox import neg_entropy, prior_penalty

LOGITS = 3 * torch.randn(6, 5, generator=torch.Generator().manual_seed(14), dtype=torch.float64)


def test_neg_entropy_is_the_mean_of_p_log_p() -> None:
    p = softmax(LOGITS.numpy(), axis=1)
    assert neg_entropy(LOGITS).item() == pytest.approx((p * np.log(p)).sum(1).mean(), rel=1e-12)


def test_neg_entropy_lies_between_minus_log_k_and_0() -> None:
    assert neg_entropy(torch.zeros(3, 5)).item() == pytest.approx(-math.log(5), rel=1e-6)
    assert neg_entropy(torch.eye(5) * 500).item() == 0


@pytest.mark.parametrize("prior", [[0.2] * 5, [0.5, 0.2, 0.15, 0.1, 0.05]])
def test_prior_penalty_is_the_divergence_of_the_mean_prediction(prior: list[float]) -> None:
    mean, pi = softmax(LOGITS.numpy(), axis=1).mean(0), np.array(prior)
    expected = (pi * np.log(pi / mean)).sum()
    assert prior_penalty(LOGITS, torch.tensor(prior, dtype=torch.float64)).item() == pytest.approx(expected, rel=1e-12)


def test_the_prior_is_uniform_unless_given() -> None:
    uniform = torch.full((5,), 0.2, dtype=torch.float64)
    assert prior_penalty(LOGITS).item() == pytest.approx(prior_penalty(LOGITS, uniform).item(), rel=1e-12)


def test_prior_penalty_vanishes_where_the_mean_prediction_is_the_prior() -> None:
    pi = torch.tensor([0.7, 0.2, 0.1])
    assert prior_penalty(pi.log().repeat(4, 1), pi).item() == pytest.approx(0, abs=1e-6)


def test_a_class_without_prior_adds_nothing() -> None:
    logits, pi = torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0.5, 0.5, 0.0])
    mean = softmax([2.0, 1.0, 0.0])
    expected = 0.5 * math.log(0.5 / mean[0]) + 0.5 * math.log(0.5 / mean[1])
    assert prior_penalty(logits, pi).item() == pytest.approx(expected, rel=1e-6)


def test_a_class_that_nothing_predicts_gives_a_finite_penalty_with_a_gradient() -> None:
    logits = torch.tensor([[0.0, -400.0], [0.0, -400.0]], requires_grad=True)  # exp(−400) is 0 in float32
    penalty = prior_penalty(logits)
    assert penalty.item() == pytest.approx(0.5 * math.log(0.5) + 0.5 * (math.log(0.5) + 400), rel=1e-6)
    (gradient,) = torch.autograd.grad(penalty, logits)
    # d/dz_bc of −Σ_c π_c log mean_b p_bc, for two equal rows: (p_c − π_c) / B
    torch.testing.assert_close(gradient, torch.tensor([[0.25, -0.25], [0.25, -0.25]]))
