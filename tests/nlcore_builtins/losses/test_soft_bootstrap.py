"""Soft bootstrapping against Reed et al. 2015, eq. 6 in float64: ℓ = −Σ_k [β t_k + (1 − β) q_k] log q_k."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

import nlcore

Array = NDArray[np.float64]

B, K = 6, 5


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float64 (B, K) and labels (B,)."""
    random = torch.Generator().manual_seed(12)
    logits = 3 * torch.randn(B, K, generator=random, dtype=torch.float64)
    return logits, torch.randint(K, (B,), generator=random)


def formula(f: Array, t: Array, beta: float) -> Array:
    """Return eq. 6 for logits (B, K) and target distributions (B, K)."""
    result: Array = -((beta * t + (1 - beta) * softmax(f, axis=1)) * log_softmax(f, axis=1)).sum(1)
    return result


@pytest.mark.parametrize(
    ("dtype", "result", "tolerance"),
    [
        (torch.bfloat16, torch.float32, 2e-6),
        (torch.float16, torch.float32, 2e-6),
        (torch.float32, torch.float32, 2e-6),
        (torch.float64, torch.float64, 1e-13),
    ],
)
@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("beta", [0.0, 0.3, 0.95])
def test_value(dtype: torch.dtype, result: torch.dtype, tolerance: float, detach: bool, beta: float) -> None:
    """The value does not depend on detach, and the arithmetic is float32's or better."""
    logits, targets = draw()
    logits = logits.to(dtype)
    losses = nlcore.create("loss", "soft_bootstrap", beta=beta, detach=detach)(logits, targets)
    expected = formula(logits.double().numpy(), np.eye(K)[targets.numpy()], beta)
    assert losses.dtype == result
    assert losses.shape == (B,)
    np.testing.assert_allclose(losses.double().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_default_is_the_papers() -> None:
    """β = 0.95, which Reed et al. use for soft bootstrapping."""
    logits, targets = draw()
    expected = formula(logits.numpy(), np.eye(K)[targets.numpy()], 0.95)
    np.testing.assert_allclose(nlcore.create("loss", "soft_bootstrap")(logits, targets).numpy(), expected)


def test_beta_one_is_cross_entropy() -> None:
    """With β = 1 the prediction has no say."""
    logits, targets = draw()
    losses = nlcore.create("loss", "soft_bootstrap", beta=1.0)(logits, targets)
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(losses, expected, rtol=0, atol=1e-14)


def test_beta_zero_is_entropy() -> None:
    """With β = 0 the label has no say: the loss is the entropy of the prediction, log K where it is uniform."""
    losses = nlcore.create("loss", "soft_bootstrap", beta=0.0)(torch.zeros(2, K), torch.tensor([0, 1]))
    np.testing.assert_allclose(losses.numpy(), np.full(2, np.log(K)), rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_soft_targets(dtype: torch.dtype) -> None:
    """Float targets (B, K) are distributions; their dtype need not be the logits'."""
    logits, _ = draw()
    t = np.random.default_rng(2).dirichlet(np.ones(K), B)
    losses = nlcore.create("loss", "soft_bootstrap", beta=0.6)(logits, torch.from_numpy(t).to(dtype))
    assert losses.dtype == torch.float64
    np.testing.assert_allclose(losses.numpy(), formula(logits.numpy(), t, 0.6), rtol=1e-6)


def test_gradient_with_a_constant_target() -> None:
    """Detached, it is cross-entropy towards m = β t + (1 − β) q: ∂ℓ/∂f = q − m = β (q − t)."""
    logits, targets = draw()
    logits.requires_grad_()
    nlcore.create("loss", "soft_bootstrap", beta=0.7, detach=True)(logits, targets).sum().backward()
    assert logits.grad is not None
    q = softmax(logits.detach().numpy(), axis=1)
    np.testing.assert_allclose(logits.grad.numpy(), 0.7 * (q - np.eye(K)[targets.numpy()]), atol=1e-14)


def test_gradient_with_a_moving_target() -> None:
    """Not detached, the entropy H of q is minimised too: ∂H/∂f_k = −q_k (log q_k + H)."""
    logits, targets = draw()
    logits.requires_grad_()
    loss = nlcore.create("loss", "soft_bootstrap", beta=0.7, detach=False)
    loss(logits, targets).sum().backward()
    assert logits.grad is not None
    q, log_q = (function(logits.detach().numpy(), axis=1) for function in (softmax, log_softmax))
    entropy = -(q * log_q).sum(1, keepdims=True)
    expected = 0.7 * (q - np.eye(K)[targets.numpy()]) - 0.3 * q * (log_q + entropy)
    np.testing.assert_allclose(logits.grad.numpy(), expected, atol=1e-14)


def test_gradient_agrees_with_finite_differences() -> None:
    """Only without detach is the gradient that of the value."""
    logits, targets = draw()
    logits.requires_grad_()
    moving = nlcore.create("loss", "soft_bootstrap", beta=0.7, detach=False)
    assert torch.autograd.gradcheck(lambda f: moving(f, targets), logits)
    constant = nlcore.create("loss", "soft_bootstrap", beta=0.7, detach=True)
    assert not torch.autograd.gradcheck(lambda f: constant(f, targets), logits, raise_exception=False)


@pytest.mark.parametrize("detach", [True, False])
def test_extreme_logits(detach: bool) -> None:
    """Where q_k is 0 and log q_k −20,000 their product is 0, not NaN."""
    logits = torch.tensor([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0]], requires_grad=True)
    losses = nlcore.create("loss", "soft_bootstrap", beta=0.5, detach=detach)(logits, torch.tensor([0, 1]))
    losses.sum().backward()
    assert losses.tolist() == [0.0, 1e4]
    assert logits.grad is not None
    assert logits.grad.tolist() == [[0, 0, 0], [0.5, -0.5, 0]]


@pytest.mark.parametrize("params", [{"beta": 1.5}, {"beta": -0.1}, {"beta": "much"}, {"detach": "perhaps"}])
def test_wrong_parameters(params: dict[str, object]) -> None:
    """β is a weight, detach a switch."""
    with pytest.raises(nlcore.ParameterError, match=r"loss\.(beta|detach)"):
        nlcore.create("loss", "soft_bootstrap", **params)
