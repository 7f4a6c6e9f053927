"""Cross-entropy against −Σ_k y_k log p_k in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

import nlcore

B, K = 6, 5


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float64 (B, K) and labels (B,)."""
    random = torch.Generator().manual_seed(11)
    logits = 3 * torch.randn(B, K, generator=random, dtype=torch.float64)
    return logits, torch.randint(K, (B,), generator=random)


@pytest.mark.parametrize(
    ("dtype", "result", "tolerance"),
    [
        (torch.bfloat16, torch.float32, 1e-6),
        (torch.float16, torch.float32, 1e-6),
        (torch.float32, torch.float32, 1e-6),
        (torch.float64, torch.float64, 1e-13),
    ],
)
def test_value(dtype: torch.dtype, result: torch.dtype, tolerance: float) -> None:
    """Whatever the logits' dtype, the arithmetic is float32's or better: bf16 would be off by 1e-2."""
    logits, targets = draw()
    logits = logits.to(dtype)
    losses = nlcore.create("loss", "cross_entropy")(logits, targets)
    expected = -log_softmax(logits.double().numpy(), axis=1)[np.arange(B), targets.numpy()]
    assert losses.dtype == result
    assert losses.shape == (B,)
    np.testing.assert_allclose(losses.double().numpy(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_soft_targets(dtype: torch.dtype) -> None:
    """Float targets (B, K) are distributions; their dtype need not be the logits'."""
    logits, _ = draw()
    rng = np.random.default_rng(2)
    t = rng.dirichlet(np.ones(K), B)
    losses = nlcore.create("loss", "cross_entropy")(logits, torch.from_numpy(t).to(dtype))
    expected = -(t * log_softmax(logits.numpy(), axis=1)).sum(1)
    np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-6)


def test_gradient_is_prediction_minus_label() -> None:
    """The closed form of ∂ℓ/∂f: p − y."""
    logits, targets = draw()
    logits.requires_grad_()
    nlcore.create("loss", "cross_entropy")(logits, targets).sum().backward()
    assert logits.grad is not None
    expected = softmax(logits.detach().numpy(), axis=1) - np.eye(K)[targets.numpy()]
    np.testing.assert_allclose(logits.grad.numpy(), expected, atol=1e-14)


def test_uniform_prediction_costs_log_k() -> None:
    """An untrained network that knows nothing starts at log K, 2.3026 for ten classes."""
    losses = nlcore.create("loss", "cross_entropy")(torch.zeros(1, 10), torch.tensor([3]))
    np.testing.assert_allclose(losses.numpy(), [2.302585], rtol=1e-6)


def test_extreme_logits() -> None:
    """Twenty thousand apart, the loss is that difference, and its gradient at most 1."""
    logits = torch.tensor([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0]], requires_grad=True)
    losses = nlcore.create("loss", "cross_entropy")(logits, torch.tensor([0, 1]))
    losses.sum().backward()
    assert losses.tolist() == [0.0, 2e4]
    assert logits.grad is not None
    assert logits.grad.tolist() == [[0, 0, 0], [1, -1, 0]]
