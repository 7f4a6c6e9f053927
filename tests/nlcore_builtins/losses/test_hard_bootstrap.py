"""Hard bootstrapping against Reed et al. 2015, eq. 7 in float64: ℓ = −Σ_k [β t_k + (1 − β) z_k] log q_k."""

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
    random = torch.Generator().manual_seed(13)
    logits = 3 * torch.randn(B, K, generator=random, dtype=torch.float64)
    return logits, torch.randint(K, (B,), generator=random)


def mixed(f: Array, t: Array, beta: float) -> Array:
    """Return β t + (1 − β) z, (B, K)."""
    result: Array = beta * t + (1 - beta) * np.eye(f.shape[1])[f.argmax(1)]
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
@pytest.mark.parametrize("beta", [0.0, 0.3, 0.8])
def test_value(dtype: torch.dtype, result: torch.dtype, tolerance: float, beta: float) -> None:
    """The formula, with the arithmetic of float32 or better."""
    logits, targets = draw()
    logits = logits.to(dtype)
    losses = nlcore.create("loss", "hard_bootstrap", beta=beta)(logits, targets)
    f = logits.double().numpy()
    expected = -(mixed(f, np.eye(K)[targets.numpy()], beta) * log_softmax(f, axis=1)).sum(1)
    assert losses.dtype == result
    assert losses.shape == (B,)
    np.testing.assert_allclose(losses.double().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_default_is_the_papers() -> None:
    """β = 0.8, which Reed et al. use for hard bootstrapping."""
    logits, targets = draw()
    f = logits.numpy()
    expected = -(mixed(f, np.eye(K)[targets.numpy()], 0.8) * log_softmax(f, axis=1)).sum(1)
    np.testing.assert_allclose(nlcore.create("loss", "hard_bootstrap")(logits, targets).numpy(), expected)


def test_beta_one_is_cross_entropy() -> None:
    """With β = 1 the prediction has no say."""
    logits, targets = draw()
    losses = nlcore.create("loss", "hard_bootstrap", beta=1.0)(logits, targets)
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(losses, expected, rtol=0, atol=1e-14)


def test_a_label_that_is_predicted_already_costs_cross_entropy() -> None:
    """Where z = t, β does not matter."""
    logits, _ = draw()
    targets = torch.from_numpy(logits.numpy().argmax(1))
    losses = nlcore.create("loss", "hard_bootstrap", beta=0.2)(logits, targets)
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(losses, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_soft_targets(dtype: torch.dtype) -> None:
    """Float targets (B, K) are distributions; their dtype need not be the logits'."""
    logits, _ = draw()
    f, t = logits.numpy(), np.random.default_rng(2).dirichlet(np.ones(K), B)
    losses = nlcore.create("loss", "hard_bootstrap", beta=0.6)(logits, torch.from_numpy(t).to(dtype))
    assert losses.dtype == torch.float64
    np.testing.assert_allclose(losses.numpy(), -(mixed(f, t, 0.6) * log_softmax(f, axis=1)).sum(1), rtol=1e-6)


def test_gradient() -> None:
    """The predicted class is a constant: ∂ℓ/∂f = q − (β t + (1 − β) z)."""
    logits, targets = draw()
    logits.requires_grad_()
    loss = nlcore.create("loss", "hard_bootstrap", beta=0.7)
    loss(logits, targets).sum().backward()
    assert logits.grad is not None
    f = logits.detach().numpy()
    expected = softmax(f, axis=1) - mixed(f, np.eye(K)[targets.numpy()], 0.7)
    np.testing.assert_allclose(logits.grad.numpy(), expected, atol=1e-14)
    assert torch.autograd.gradcheck(lambda f: loss(f, targets), logits)


def test_extreme_logits() -> None:
    """A sure network pays for the share β of a label that it excludes."""
    logits = torch.tensor([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0]], requires_grad=True)
    losses = nlcore.create("loss", "hard_bootstrap", beta=0.5)(logits, torch.tensor([0, 1]))
    losses.sum().backward()
    assert losses.tolist() == [0.0, 1e4]
    assert logits.grad is not None
    assert logits.grad.tolist() == [[0, 0, 0], [0.5, -0.5, 0]]


@pytest.mark.parametrize("beta", [1.5, -0.1, "much", float("nan")])
def test_wrong_parameters(beta: object) -> None:
    """β is a weight within 0..1."""
    with pytest.raises(nlcore.ParameterError, match=r"loss\.beta"):
        nlcore.create("loss", "hard_bootstrap", beta=beta)
