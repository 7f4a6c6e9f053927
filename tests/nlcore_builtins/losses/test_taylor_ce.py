"""Taylor cross-entropy against Feng et al. 2020 in float64: ℓ = Σ_{i=1..t} (1 − p_y)^i / i."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from formulas import Array, Case, agree, draw, labels, p_of

import nlcore


def formula(log_p: Array, y: Array, t: int) -> Array:
    """Return the first terms of the series, one after the other."""
    rest = 1 - np.exp((y * log_p).sum(1))
    result: Array = np.zeros_like(rest)
    for i in range(1, t + 1):
        result += rest**i / i
    return result


@labels
@pytest.mark.parametrize("t", [1, 2, 6, 40])
def test_value_and_gradient(case: Case, t: int) -> None:
    agree(nlcore.create("loss", "taylor_ce", t=t), lambda log_p, y: formula(log_p, y, t), case)


def test_default_has_two_terms() -> None:
    """A label held for impossible costs 1 + 1/2."""
    losses = nlcore.create("loss", "taylor_ce")(torch.tensor([[50.0, -50.0]] * 2), torch.tensor([0, 1]))
    np.testing.assert_allclose(losses.numpy(), [0, 1.5], rtol=1e-6)


def test_one_term_is_mean_absolute_error() -> None:
    logits, targets = draw()
    losses = nlcore.create("loss", "taylor_ce", t=1)(logits, targets)
    np.testing.assert_allclose(losses.numpy(), 1 - p_of(logits, targets), rtol=1e-12)


def test_many_terms_are_cross_entropy() -> None:
    """For t → ∞, ℓ → −log p: what is missing after t terms is less than (1 − p)^t / p."""
    p = torch.tensor([[0.05, 0.95], [0.5, 0.5], [0.9, 0.1]], dtype=torch.float64)
    losses = nlcore.create("loss", "taylor_ce", t=1000)(p.log(), torch.tensor([0, 0, 0]))
    np.testing.assert_allclose(losses.numpy(), -np.log([0.05, 0.5, 0.9]), rtol=1e-12)


@pytest.mark.parametrize("t", [0, -1, 2.5, 1001, "abc"])
def test_wrong_parameters(t: object) -> None:
    """It counts terms."""
    with pytest.raises(nlcore.ParameterError, match=r"loss\.t"):
        nlcore.create("loss", "taylor_ce", t=t)
