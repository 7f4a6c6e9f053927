"""
What the tests of losses without state share: samples, and the comparison of a loss with a formula in float64.

A formula takes log p and target distributions y, (B, K), and returns (B,), in numpy. Gradients are compared with its
central differences in the longest float there is, so that no derivative is worked out here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax

B, K = 6, 5

Array = NDArray[np.floating[Any]]
Formula = Callable[[Array, Array], Array]


def draw(seed: int = 14) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float64 (B, K) and labels (B,)."""
    random = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(B, K, generator=random, dtype=torch.float64)
    return logits, torch.randint(K, (B,), generator=random)


def extreme() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits of ±10,000, float64, sure of one class or of none, with every label."""
    sure = 2e4 * torch.eye(K, dtype=torch.float64) - 1e4
    torn = torch.tensor([[1e4, 1e4, -1e4, 0, 0]], dtype=torch.float64).expand(K, K)
    logits = torch.cat([sure.repeat_interleave(K, 0), torn, torch.full((K, K), 1e4), torch.full((K, K), -1e4)])
    return logits, torch.arange(K).repeat(len(logits) // K)


def log_p(logits: torch.Tensor) -> Array:
    """Return log softmax in float64."""
    result: Array = log_softmax(logits.detach().double().numpy(), axis=1)
    return result


def p_of(logits: torch.Tensor, targets: torch.Tensor) -> Array:
    """Return the labels' probabilities (B,) in float64."""
    result: Array = np.exp(log_p(logits))[np.arange(len(logits)), targets.numpy()]
    return result


@dataclass(frozen=True)
class Case:
    """Logits of a dtype, and targets, for which a loss must agree with its formula."""

    dtype: torch.dtype
    samples: str

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (B, K) and targets int64 (B,) or float (B, K)."""
        logits, targets = extreme() if "extreme" in self.samples else draw()
        if "soft" in self.samples:
            soft = np.random.default_rng(2).dirichlet(np.ones(logits.shape[1]), len(logits))
            return logits.to(self.dtype), torch.from_numpy(soft)
        return logits.to(self.dtype), targets

    def __str__(self) -> str:
        """Return its name in the list of tests."""
        return f"{str(self.dtype).removeprefix('torch.')} {self.samples}"


DTYPES = (torch.bfloat16, torch.float16, torch.float32, torch.float64)


def cases(*samples: str) -> pytest.MarkDecorator:
    """Parametrise a test with all dtypes of these samples; float16 ends at 65,504, and ±10,000 is within it."""
    each = [Case(dtype, name) for dtype, name in itertools.product(DTYPES, samples)]
    return pytest.mark.parametrize("case", each, ids=str)


labels = cases("labels", "extreme labels")
labels_and_soft_targets = cases("labels", "extreme labels", "soft", "extreme soft")


def agree(loss: Any, formula: Formula, case: Case, scale: float = 1) -> None:
    """
    Compare values and gradients of a loss with its formula.

    Whatever the logits' dtype, values have float32's digits or better; a gradient is rounded to the logits' dtype.
    `scale` is the size of the numbers that a loss or its slope is made of.
    """
    logits, targets = case.draw()
    logits.requires_grad_()
    losses = loss(logits, targets)
    losses.sum().backward()
    f = logits.detach().double().numpy().astype(np.longdouble)
    y = targets.numpy() if targets.is_floating_point() else np.eye(f.shape[1])[targets.numpy()]
    expected, gradient = formula(log_softmax(f, axis=1), y), differences(formula, f, y)
    exact = case.dtype == torch.float64
    assert losses.dtype == (torch.float64 if exact else torch.float32)
    tolerance = 1e-12 if exact else 4e-6
    np.testing.assert_allclose(losses.detach().double().numpy(), expected, rtol=tolerance, atol=tolerance * scale)
    assert logits.grad is not None
    tolerance = {torch.float64: 1e-7, torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1e-2}[case.dtype]
    assert logits.grad.isfinite().all()
    np.testing.assert_allclose(logits.grad.double().numpy(), gradient, rtol=tolerance, atol=tolerance * scale)


def differences(formula: Formula, f: Array, y: Array, h: float = 1e-5) -> Array:
    """Return ∂ℓ/∂f (B, K) by central differences."""
    result = np.empty_like(f)
    for k in range(f.shape[1]):
        step = h * np.eye(f.shape[1], dtype=f.dtype)[k]
        above, below = (formula(log_softmax(f + sign * step, axis=1), y) for sign in (1, -1))
        result[:, k] = (above - below) / (2 * h)
    return result


def over_all_labels(loss: Any, logits: torch.Tensor) -> Array:
    """Return Σ_k ℓ(f, k) (B,)."""
    every = [loss(logits, torch.full((len(logits),), k)) for k in range(logits.shape[1])]
    result: Array = torch.stack(every).sum(0).numpy()
    return result
