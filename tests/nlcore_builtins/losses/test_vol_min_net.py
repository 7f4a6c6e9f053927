"""VolMinNet against Li et al. 2021 in float64: −log Σ_i p_i T_iy, and λ log |det T| once a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers import LinearArchitecture, make_context, make_data, prepared, squares
from nlcore_builtins.losses.vol_min_net import VolMinNet
from numpy.typing import NDArray
from scipy.special import expit, softmax
from torch import nn

from nlcore.training.bound_loss import LossSetup
from nlcore.training.schedules import cosine

Array = NDArray[np.float64]

B, K = 6, 4
NETWORK = nn.Identity()


def set_up(classes: int = K, W: Array | None = None, **params: Any) -> Any:
    """Return the loss, set up, with this W where one is given."""
    loss: Any = VolMinNet(**params)
    labels = torch.arange(20) % classes
    loss.setup(LossSetup(classes, 20, labels, torch.device("cpu"), torch.Generator(), lambda: None))
    if W is not None:
        loss.load_state_dict({"W": torch.from_numpy(W)})
    return loss


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float64 (B, K) and labels (B,)."""
    random = torch.Generator().manual_seed(31)
    return 2 * torch.randn(B, K, generator=random, dtype=torch.float64), torch.randint(K, (B,), generator=random)


def learned() -> Array:
    """Return a W as after some training; float32 numbers, as the loss keeps them."""
    return np.random.default_rng(4).normal(-1, 1, (K, K)).astype(np.float32).astype(np.float64)


def matrix(W: Array) -> Array:
    """Return T: 1 on the diagonal and σ(W) beside it, each row divided by its sum."""
    A = np.where(np.eye(len(W), dtype=bool), 1.0, expit(W))
    result: Array = A / A.sum(1, keepdims=True)
    return result


@pytest.mark.parametrize(
    ("dtype", "result", "tolerance"),
    [
        (torch.bfloat16, torch.float32, 5e-6),
        (torch.float32, torch.float32, 5e-6),
        (torch.float64, torch.float64, 1e-6),  # T itself is float32
    ],
)
def test_value(dtype: torch.dtype, result: torch.dtype, tolerance: float) -> None:
    """The formula, at the beginning and after some training."""
    logits, targets = draw()
    logits = logits.to(dtype)
    for W in (np.full((K, K), -2.0), learned()):
        losses = set_up(W=W)(logits, targets)
        given = softmax(logits.double().numpy(), axis=1) @ matrix(W)
        assert losses.dtype == result
        expected = -np.log(given[np.arange(B), targets.numpy()])
        np.testing.assert_allclose(losses.detach().double().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_soft_targets() -> None:
    """A distribution over given labels: −Σ_j y_j log (p T)_j."""
    logits, _ = draw()
    y = np.random.default_rng(1).dirichlet(np.ones(K), B)
    expected = -(y * np.log(softmax(logits.numpy(), axis=1) @ matrix(learned()))).sum(1)
    losses = set_up(W=learned())(logits, torch.from_numpy(y))
    np.testing.assert_allclose(losses.detach().numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(("classes", "first"), [(10, -2.0), (100, -4.5), (2, 0.5)])
def test_t_begins_with_a_diagonal_of_one_over_a_row_s_sum(classes: int, first: float) -> None:
    """T_ii = 1 / (1 + (K − 1) σ(w)), which is 0.48 for 10 classes and −2, and all else alike."""
    T = set_up(classes, first=first).transition().detach().double().numpy()
    on = 1 / (1 + (classes - 1) * expit(first))
    expected = np.where(np.eye(classes, dtype=bool), on, (1 - on) / (classes - 1))
    np.testing.assert_allclose(T, expected, rtol=1e-5)


def test_the_diagonal_is_the_largest_of_its_row_whatever_was_learned() -> None:
    """Extreme W included; rows sum to 1."""
    for W in (learned(), np.full((K, K), 80.0), np.full((K, K), -80.0)):
        T = set_up(W=W).transition().detach()
        torch.testing.assert_close(T.sum(1), torch.ones(K))
        assert (T.diagonal()[:, None] + 1e-6 >= T).all()


def test_with_w_far_below_zero_it_is_cross_entropy() -> None:
    """T = I and log |det T| = 0: value and gradient."""
    logits, targets = draw()
    f, g = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss = set_up(first=-100.0)
    theirs = torch.nn.functional.cross_entropy(g, targets, reduction="none")
    ours = loss(f, targets)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    ours.sum().backward()
    theirs.sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(f.grad, g.grad)
    assert loss.penalty(NETWORK).item() == pytest.approx(0, abs=1e-12)


def test_penalty_and_its_gradient() -> None:
    """λ log |det T|, positive λ; its slope by W against central differences, 0 on the diagonal."""
    lam, h, W = 0.7, 1e-5, learned()
    loss = set_up(W=W, lam=lam)
    penalty = loss.penalty(NETWORK)
    assert penalty.shape == ()
    assert penalty.item() == pytest.approx(lam * np.log(abs(np.linalg.det(matrix(W)))), rel=1e-5)
    (slope,) = torch.autograd.grad(penalty, loss.W)
    expected = np.zeros((K, K))
    for i in range(K):
        for j in range(K):
            step = np.zeros((K, K))
            step[i, j] = h
            high, low = (np.log(abs(np.linalg.det(matrix(W + s)))) for s in (step, -step))
            expected[i, j] = lam * (high - low) / (2 * h)
    np.testing.assert_allclose(slope.numpy(), expected, atol=1e-5)
    assert not slope.diagonal().any()


def test_gradient_of_w() -> None:
    """∂(−log g_y)/∂T_iy = −p_i / g_y, through the rows' normalisation, against central differences."""
    logits, targets = draw()
    W, h, y = learned(), 1e-5, targets.numpy()
    loss = set_up(W=W)
    (slope,) = torch.autograd.grad(loss(logits, targets).sum(), loss.W)
    p = softmax(logits.numpy(), axis=1)
    expected = np.zeros((K, K))
    for i in range(K):
        for j in range(K):
            step = np.zeros((K, K))
            step[i, j] = h
            high, low = (-np.log((p @ matrix(W + s))[np.arange(B), y]).sum() for s in (step, -step))
            expected[i, j] = (high - low) / (2 * h)
    np.testing.assert_allclose(slope.numpy(), expected, atol=1e-5)


def test_extreme_logits() -> None:
    """Sure of class 3: label 1 costs −log T_31, and gradients are finite."""
    W = learned()
    loss = set_up(W=W)
    logits = torch.tensor([[0.0, -1e4, 0.0, 1e4], [-1e4, -1e4, 1e4, -1e4]], requires_grad=True)
    losses = loss(logits, torch.tensor([1, 0]))
    losses.sum().backward()
    np.testing.assert_allclose(losses.detach(), [-np.log(matrix(W)[3, 1]), -np.log(matrix(W)[2, 0])], rtol=1e-5)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert loss.W.grad is not None
    assert loss.W.grad.isfinite().all()


@pytest.mark.slow
def test_it_finds_the_matrix_of_the_noise() -> None:
    """With the true posterior at anchor points given, T is learned by gradient: its rows are the noise's."""
    truth = np.array([[0.7, 0.2, 0.1, 0.0], [0.1, 0.6, 0.2, 0.1], [0.2, 0.0, 0.8, 0.0], [0.1, 0.1, 0.2, 0.6]])
    loss = set_up()
    adam = torch.optim.Adam([loss.W], lr=0.2)
    sure, given = 50.0 * torch.eye(K), torch.from_numpy(truth).float()
    for _ in range(300):
        adam.zero_grad()
        objective = loss(sure, given).mean() + loss.penalty(NETWORK)
        objective.backward()
        adam.step()
    np.testing.assert_allclose(loss.transition().detach().numpy(), truth, atol=0.01)


def test_w_has_a_rate_of_its_own_that_follows_the_schedule() -> None:
    """0.03 at first and half of it where the cosine is at a half; the run's weight decay leaves W alone."""
    images, labels = squares(60)
    data = prepared(make_data(images, labels))
    ctx = make_context(
        data, LinearArchitecture(), lambda: VolMinNet(lr_transition=0.03), lr=0.1, momentum=0.0, weight_decay=0.1
    )
    network = ctx.network()
    bound = ctx.loss(network)
    optimizer = ctx.optimizer(network, bound)
    for done, rate in ((0.0, 0.03), (0.5, 0.015)):
        ctx.optimizers.set_rates(cosine(done), epoch=1)
        before = bound.loss.W.detach().clone()
        objective = bound(network(torch.rand(2, 1, 8, 8)), torch.tensor([0, 1]), torch.tensor([5, 9])).mean()
        value = ctx.minimise(optimizer, objective)
        volume = np.log(np.linalg.det(matrix(before.double().numpy())))
        assert value.item() == pytest.approx(objective.item() + 1e-4 * volume, rel=1e-6)
        torch.testing.assert_close(bound.loss.W.detach(), before - rate * bound.loss.W.grad)


def test_state_dict_round_trip() -> None:
    """A resumed run goes on with what was learned, in the tensor that the optimiser knows."""
    before, after = set_up(W=learned()), set_up()
    kept = after.W
    after.load_state_dict({name: value.clone() for name, value in before.state_dict().items()})
    assert after.W is kept
    assert torch.equal(after.transition(), before.transition())


def test_without_setup() -> None:
    """There is no W yet."""
    with pytest.raises(RuntimeError, match="setup"):
        VolMinNet()(*draw())
