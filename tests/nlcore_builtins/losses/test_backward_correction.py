"""Backward correction against Patrini et al. 2017, theorem 1, in float64: ℓ = −Σ_j (T⁻¹)_yj log p_j."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

import nlcore
from nlcore.contracts import NoiseInfo
from nlcore.training.bound_loss import LossSetup

B, K, N = 6, 4, 300

T = np.array([[0.6, 0.3, 0.1, 0.0], [0.2, 0.5, 0.2, 0.1], [0.0, 0.0, 1.0, 0.0], [0.1, 0.1, 0.1, 0.7]])


def set_up(transition: str = "known", declared: NoiseInfo | None = None, **params: Any) -> Any:
    """Return the loss, set up, with T declared by the noise."""
    loss = nlcore.create("loss", "backward_correction", transition=transition, **params)
    labels = torch.arange(N) % K
    noise = declared or NoiseInfo(0.4, T)
    loss.setup(LossSetup(K, N, labels, torch.device("cpu"), torch.Generator(), lambda: noise))
    return loss


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float64 (B, K) and labels (B,)."""
    random = torch.Generator().manual_seed(32)
    return 2 * torch.randn(B, K, generator=random, dtype=torch.float64), torch.randint(K, (B,), generator=random)


@pytest.mark.parametrize(
    ("dtype", "result", "tolerance"),
    [
        (torch.bfloat16, torch.float32, 5e-6),
        (torch.float32, torch.float32, 5e-6),
        (torch.float64, torch.float64, 1e-12),
    ],
)
def test_value(dtype: torch.dtype, result: torch.dtype, tolerance: float) -> None:
    """The formula, with the arithmetic of float32 or better."""
    logits, targets = draw()
    logits = logits.to(dtype)
    losses = set_up()(logits, targets)
    assert losses.dtype == result
    # (T⁻¹ ℓ)_y, solved rather than inverted
    expected = np.linalg.solve(T, -log_softmax(logits.double().numpy(), axis=1).T)[targets.numpy(), np.arange(B)]
    np.testing.assert_allclose(losses.double().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_soft_targets() -> None:
    """A distribution over given labels mixes their losses."""
    logits, _ = draw()
    y = np.random.default_rng(1).dirichlet(np.ones(K), B)
    expected = (y * np.linalg.solve(T, -log_softmax(logits.numpy(), axis=1).T).T).sum(1)
    np.testing.assert_allclose(set_up()(logits, torch.from_numpy(y)).numpy(), expected, rtol=1e-12)


def test_it_is_unbiased() -> None:
    """Theorem 1: over the labels that T gives for class i the mean is the cross-entropy of i, whatever is predicted."""
    loss = set_up()
    f = draw()[0]
    for one in f:
        for_each_label = loss(one.expand(K, K), torch.arange(K)).numpy()
        np.testing.assert_allclose(T @ for_each_label, -log_softmax(one.numpy()), rtol=1e-12)


def test_gradient() -> None:
    """∂ℓ/∂f = p − (T⁻¹)_y, as the rows of T⁻¹ sum to 1."""
    logits, targets = draw()
    logits.requires_grad_()
    loss = set_up()
    loss(logits, targets).sum().backward()
    assert logits.grad is not None
    p = np.exp(log_softmax(logits.detach().numpy(), axis=1))
    np.testing.assert_allclose(logits.grad.numpy(), p - np.linalg.inv(T)[targets.numpy()], atol=1e-12)
    assert torch.autograd.gradcheck(lambda f: loss(f, targets), logits)


def test_the_identity_gives_cross_entropy() -> None:
    """So the warm-up is cross-entropy."""
    logits, targets = draw()
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(set_up("estimated")(logits, targets), expected)


def test_it_is_bounded_for_extreme_logits() -> None:
    """Log p stays above log 1e-7 = −16.1: the weights are partly negative, and gain would have no end."""
    logits = torch.tensor([[1e4, -1e4, -1e4, -1e4]], dtype=torch.float64, requires_grad=True)
    losses = set_up()(logits, torch.tensor([1]))
    losses.sum().backward()
    expected = -np.log(1e-7) * np.linalg.inv(T)[1, 1:].sum()
    assert losses.item() == pytest.approx(expected)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_t_is_estimated_when_the_warm_up_is_over() -> None:
    """And comes back from a state_dict."""
    predictions = torch.from_numpy(np.log(T.clip(1e-12)[np.arange(N) % K]))
    loss = set_up("estimated", warm_up=1, percentile=100.0)
    logits, targets = draw()
    loss.begin_epoch(1, 9, lambda: pytest.fail("it is too early"))
    assert torch.equal(loss(logits, targets), set_up("estimated")(logits, targets))
    loss.begin_epoch(2, 9, lambda: predictions)
    np.testing.assert_allclose(loss(logits, targets), set_up()(logits, targets), rtol=1e-9)
    again = set_up("estimated")
    again.load_state_dict({name: value.clone() for name, value in loss.state_dict().items()})
    assert torch.equal(again(logits, targets), loss(logits, targets))


def test_an_estimate_without_an_inverse() -> None:
    """A network that says the same of all samples has told no classes apart; more warm-up may help."""
    with pytest.raises(nlcore.RunError, match=r"after 3 epochs cannot be inverted.*--loss\.warm_up"):
        set_up("estimated", warm_up=3).begin_epoch(4, 9, lambda: torch.zeros(N, K))


def test_a_matrix_without_an_inverse() -> None:
    """Labels drawn from all classes alike say nothing."""
    with pytest.raises(nlcore.UserError, match=r"cannot be inverted.*forward_correction"):
        set_up("known", NoiseInfo(0.75, np.full((K, K), 0.25)))


def near_singular(condition: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a T for K classes of this condition number: symmetric, with eigenvalues 1 and 1 / condition."""
    return np.eye(K) / condition + (1 - 1 / condition) / K


def test_a_matrix_that_is_nearly_singular() -> None:
    """Its inverse weights labels by dozens, and the loss runs away downwards."""
    assert np.linalg.cond(near_singular(99.0)) == pytest.approx(99.0)
    assert set_up("known", NoiseInfo(0.7, near_singular(99.0)))(*draw()).isfinite().all()
    with pytest.raises(nlcore.UserError, match=r"cannot be inverted.*condition number is 101, above 100"):
        set_up("known", NoiseInfo(0.7, near_singular(101.0)))
    predictions = torch.from_numpy(np.log(near_singular(150.0)[np.arange(N) % K]))
    with pytest.raises(nlcore.RunError, match=r"cannot be inverted.*condition number is 150, above 100"):
        set_up("estimated", warm_up=1, percentile=100.0).begin_epoch(2, 9, lambda: predictions)


def test_known_needs_a_declaration() -> None:
    """Noise that depends on the image declares no matrix."""
    with pytest.raises(nlcore.UserError, match="declares no transition matrix"):
        set_up("known", NoiseInfo(0.4))


def test_without_setup() -> None:
    """There is no T yet."""
    with pytest.raises(RuntimeError, match="setup"):
        nlcore.create("loss", "backward_correction")(*draw())
