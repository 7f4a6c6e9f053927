"""CORES² against Cheng et al. 2021 in float64: v [CE(f, y) − β Σ_k π_k CE(f, k)]."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

import nlcore
from nlcore.training.bound_loss import LossSetup

B, K, N = 6, 5, 80
GIVEN = (torch.arange(N) % 8).clamp(max=4)  # half of the labels are 4, the others 1/8 each
PRIOR = np.array([1, 1, 1, 1, 4]) / 8


def set_up(**params: Any) -> Any:
    """Return the loss before its first epoch."""
    loss = nlcore.create("loss", "cores", **params)
    loss.setup(LossSetup(K, N, GIVEN, torch.device("cpu"), torch.Generator(), lambda: None))
    return loss


def never() -> torch.Tensor:
    """It needs no predictions."""
    raise AssertionError("asked for predictions")


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float64 (B, K) and labels (B,), of which some fit and some do not."""
    random = torch.Generator().manual_seed(36)
    logits = 3 * torch.randn(B, K, generator=random, dtype=torch.float64)
    return logits, torch.where(torch.arange(B) % 2 == 0, logits.argmax(1), logits.argmin(1))


def formula(f: Any, y: Any, beta: float, sieve: bool) -> Any:
    """Return the loss for logits (B, K) and labels (B,)."""
    own = -log_softmax(f, axis=1)[np.arange(len(f)), y]
    each = -np.log(softmax(f, axis=1) + 1e-8)
    passed = (own <= each.mean(1)) if sieve else np.ones(len(f))
    return passed * (own - beta * each @ PRIOR)


@pytest.mark.parametrize(
    ("dtype", "result", "tolerance"),
    [
        (torch.bfloat16, torch.float32, 5e-6),
        (torch.float32, torch.float32, 5e-6),
        (torch.float64, torch.float64, 1e-12),
    ],
)
@pytest.mark.parametrize(("epoch", "sieve"), [(31, False), (32, True)])
def test_value(dtype: torch.dtype, result: torch.dtype, tolerance: float, epoch: int, sieve: bool) -> None:
    """The formula before the sieve and with it, with the arithmetic of float32 or better."""
    loss = set_up(beta=1.5, warm_up=0, ramp=2)
    loss.begin_epoch(epoch, 99, never)
    logits, targets = draw()
    logits = logits.to(dtype)
    losses = loss(logits, targets)
    expected = formula(logits.double().numpy(), targets.numpy(), 1.5, sieve)
    assert losses.dtype == result
    np.testing.assert_allclose(losses.double().numpy(), expected, rtol=tolerance, atol=tolerance)
    assert (expected == 0).sum() == (3 if sieve else 0)


def test_the_sieve_begins_when_the_authors_does() -> None:
    """They count epochs from 0 and keep all while `epoch <= 30` (loss.py of their code)."""
    loss = set_up(beta=0.0)
    logits, targets = draw()
    for theirs in range(100):
        loss.begin_epoch(theirs + 1, 100, never)
        left_out = (loss(logits, targets) == 0).sum().item()
        assert left_out == (0 if theirs <= 30 else 3)


def test_gradient() -> None:
    """∂ℓ/∂f = p − y − β Σ_k π_k p_k / (p_k + 1e-8) (p − k) for what passes, 0 for what is sieved out."""
    loss = set_up(beta=0.5, warm_up=0, ramp=2)
    loss.begin_epoch(32, 99, never)
    logits, targets = draw()
    logits.requires_grad_()
    loss(logits, targets).sum().backward()
    p = softmax(logits.detach().numpy(), axis=1)
    expected = p - np.eye(K)[targets]
    for k in range(K):
        own = p[:, k : k + 1]
        expected -= 0.5 * PRIOR[k] * own / (own + 1e-8) * (p - np.eye(K)[k])
    expected[1::2] = 0
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), expected, atol=1e-12)
    assert torch.autograd.gradcheck(lambda f: loss(f, targets), logits)


def test_without_regulariser_and_sieve_it_is_cross_entropy() -> None:
    """β = 0, and whatever β in the first 10 epochs."""
    logits, targets = draw()
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    for loss, epoch in ((set_up(beta=0.0), 30), (set_up(), 1), (set_up(), 11)):
        loss.begin_epoch(epoch, 100, never)
        torch.testing.assert_close(loss(logits, targets), expected, rtol=0, atol=0)
        assert loss.lr_scale(epoch) == 1.0


def test_soft_targets() -> None:
    """A distribution over labels has their mean cross-entropy."""
    loss = set_up(beta=1.0, warm_up=0, ramp=2)
    loss.begin_epoch(5, 99, never)
    logits, _ = draw()
    y = np.random.default_rng(1).dirichlet(np.ones(K), B)
    f = logits.numpy()
    expected = -(y * log_softmax(f, axis=1)).sum(1) + np.log(softmax(f, axis=1) + 1e-8) @ PRIOR
    np.testing.assert_allclose(loss(logits, torch.from_numpy(y)).numpy(), expected, rtol=1e-6)


def test_beta_follows_the_authors_schedule_and_divides_the_learning_rate() -> None:
    """0 for 10 epochs, 0 to 2 over 30, then 2."""
    betas = np.concatenate([np.zeros(10), np.linspace(0, 2, 30), np.full(60, 2)])
    loss = set_up()
    for epoch, beta in enumerate(betas, start=1):
        loss.begin_epoch(epoch, 100, never)
        assert loss.weight.item() == pytest.approx(beta)
        assert loss.lr_scale(epoch) == pytest.approx(1 / (1 + beta))


def test_extreme_logits() -> None:
    """The regulariser is bounded by −log 1e-8 = 18.4, so that confidence does not pay without end."""
    loss = set_up(warm_up=0, ramp=2)
    loss.begin_epoch(5, 99, never)
    logits = (2e4 * torch.eye(K) - 1e4).requires_grad_()
    losses = loss(logits, torch.arange(K))
    losses.sum().backward()
    np.testing.assert_allclose(losses.detach().numpy(), -2 * -np.log(1e-8) * (1 - PRIOR), rtol=1e-5)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_without_setup() -> None:
    """The share of each label is not known."""
    with pytest.raises(RuntimeError, match="setup"):
        nlcore.create("loss", "cores")(*draw())
