"""SOP against Liu et al. 2022 in float64: −log s_y + ‖z + U − V − y‖²."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers import LinearArchitecture, make_context, make_data, prepared, squares
from numpy.typing import NDArray
from scipy.special import softmax

import nlcore
from nlcore.training.bound_loss import LossSetup
from nlcore.training.schedules import cosine

Array = NDArray[np.float64]

B, K, N = 6, 5, 20
INDEX = torch.tensor([3, 17, 0, 8, 19, 4])


def set_up(scale: float | None = None, **params: Any) -> Any:
    """Return the loss, with u and v of about this size as after some training, where a size is given."""
    loss = nlcore.create("loss", "sop", **params)
    labels = torch.zeros(N, dtype=torch.int64)
    loss.setup(LossSetup(K, N, labels, torch.device("cpu"), torch.Generator().manual_seed(1), lambda: None))
    if scale is not None:
        rng = np.random.default_rng(1)
        shapes = {name: tensor.shape for name, tensor in loss.state_dict().items()}
        loss.load_state_dict({name: torch.from_numpy(scale * rng.normal(size=shape)) for name, shape in shapes.items()})
    return loss


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float64 (B, K) and labels (B,)."""
    random = torch.Generator().manual_seed(37)
    return 2 * torch.randn(B, K, generator=random, dtype=torch.float64), torch.randint(K, (B,), generator=random)


def parts(f: Array, u: Array, v: Array, y: Array) -> tuple[Array, Array]:
    """Return cross-entropy and squared error, each (B,), for one-hot y (B, K)."""
    U, V = np.minimum(u**2, 1) * y, np.minimum(v**2, 1) * (1 - y)
    s = np.maximum(softmax(f, axis=1) + U - V, 1e-4)
    s = np.maximum(s / s.sum(1, keepdims=True), 1e-4)
    z = np.eye(f.shape[1])[f.argmax(1)]
    return -(y * np.log(s)).sum(1), ((z + U - V - y) ** 2).sum(1)


def of(loss: Any) -> tuple[Array, Array]:
    """Return u (B, 1) and v (B, K) of the samples at INDEX."""
    state = loss.state_dict()
    return state["u"][INDEX].double().numpy(), state["v"][INDEX].double().numpy()


@pytest.mark.parametrize(
    ("dtype", "result", "tolerance"),
    [
        (torch.bfloat16, torch.float32, 5e-6),
        (torch.float32, torch.float32, 5e-6),
        (torch.float64, torch.float64, 1e-12),
    ],
)
@pytest.mark.parametrize("scale", [None, 0.5, 2.0])
def test_value(dtype: torch.dtype, result: torch.dtype, tolerance: float, scale: float | None) -> None:
    """The formula at the beginning, in the middle, and where u² and v² are cut at 1."""
    loss = set_up(scale)
    logits, targets = draw()
    logits = logits.to(dtype)
    losses = loss(logits, targets, INDEX)
    expected = sum(parts(logits.double().numpy(), *of(loss), np.eye(K)[targets.numpy()]))
    assert losses.dtype == result
    np.testing.assert_allclose(losses.detach().double().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_gradient() -> None:
    """Cross-entropy trains the network and u, the squared error u and v; each against central differences."""
    loss = set_up(0.5)
    logits, targets = draw()
    logits.requires_grad_()
    loss(logits, targets, INDEX).sum().backward()
    f, (u, v), y, h = logits.detach().numpy(), of(loss), np.eye(K)[targets.numpy()], 1e-6

    def slope(which: int, part: int, step: Array) -> Array:
        low, high = [f, u, v, y], [f, u, v, y]
        low[which], high[which] = low[which] - h * step, high[which] + h * step
        result: Array = (parts(*high)[part] - parts(*low)[part]) / (2 * h)
        return result

    ce, error = 0, 1
    of_logits = np.stack([slope(0, ce, np.eye(K)[k]) for k in range(K)], 1)
    of_u = slope(1, ce, np.ones(1)) + slope(1, error, np.ones(1))
    of_v = np.stack([slope(2, error, np.eye(K)[k]) for k in range(K)], 1)
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), of_logits, atol=1e-7)
    np.testing.assert_allclose(loss.u.grad[INDEX, 0], of_u, atol=1e-5)
    np.testing.assert_allclose(loss.v.grad[INDEX], of_v, atol=1e-5)
    others = torch.ones(N, dtype=torch.bool).index_fill(0, INDEX, False)
    assert not loss.u.grad[others].any()
    assert not loss.v.grad[others].any()


def test_it_begins_as_cross_entropy_and_twice_the_errors() -> None:
    """With u = v = 0 the squared error is 0 for a predicted label and 2 for another: a constant."""
    loss = set_up(0.0)
    logits, targets = draw()
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    expected = expected + 2 * (logits.argmax(1) != targets)
    torch.testing.assert_close(loss(logits, targets, INDEX).detach(), expected)


def test_u_and_v_begin_near_zero() -> None:
    """N(0, 1e-8²), drawn from the loss's own generator."""
    loss = nlcore.create("loss", "sop")
    facts = (K, 4000, torch.zeros(4000, dtype=torch.int64), torch.device("cpu"))
    loss.setup(LossSetup(*facts, torch.Generator().manual_seed(1), lambda: None))
    assert loss.u.shape == (4000, 1)
    assert loss.v.shape == (4000, K)
    for tensor in (loss.u, loss.v):
        assert tensor.std().item() == pytest.approx(1e-8, rel=0.05)
        assert abs(tensor.mean().item()) < 1e-9


def test_a_wrong_label_is_explained_by_u() -> None:
    """The network is sure of another class: u² grows to 1 and s_y with it; for a right label u stays near 0."""
    loss = set_up(0.01)
    optimizer = torch.optim.SGD([loss.u, loss.v], lr=0.1)
    logits = 8 * torch.eye(K)[[0, 0]]
    targets, index = torch.tensor([0, 1]), torch.tensor([2, 3])  # right, wrong
    for _ in range(300):
        optimizer.zero_grad()
        loss(logits, targets, index).sum().backward()
        optimizer.step()
    u = loss.u.detach().squeeze(1)
    assert abs(u[2]) < 0.05
    assert u[3] ** 2 > 0.9


def test_learning_rates_are_its_own() -> None:
    """10 each, plain gradient descent that neither the run's schedule nor its weight decay touches."""
    images, labels = squares(60)
    make_loss: Any = lambda: nlcore.create("loss", "sop", lr_v=7.0)  # noqa: E731
    data = prepared(make_data(images, labels))
    ctx = make_context(data, LinearArchitecture(), make_loss, lr=0.1, lr_schedule="cosine")
    network = ctx.network()
    bound = ctx.loss(network)
    optimizer = ctx.optimizer(network, bound)
    bound.loss.load_state_dict({"u": torch.full((60, 1), 0.5), "v": torch.full((60, 4), 0.5)})
    index = torch.tensor([5, 9])
    for done in (0.0, 0.5):
        ctx.optimizers.set_rates(cosine(done), epoch=1)
        before = {name: value.clone() for name, value in bound.loss.state_dict().items()}
        objective = bound(network(torch.rand(2, 1, 8, 8)), torch.tensor([0, 1]), index).mean()
        ctx.minimise(optimizer, objective)
        for name, lr in (("u", 10.0), ("v", 7.0)):
            tensor = getattr(bound.loss, name)
            torch.testing.assert_close(tensor.detach(), before[name] - lr * tensor.grad)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05, 10.0, 7.0])


def test_extreme_logits() -> None:
    """Nothing is above −log 1e-4 = 9.21 and the squared error's 2 at the beginning."""
    logits = torch.tensor([[1e4, -1e4, 0, 0, 0], [1e4, -1e4, 0, 0, 0]], requires_grad=True)
    loss = set_up()
    losses = loss(logits, torch.tensor([0, 1]), torch.tensor([0, 1]))
    losses.sum().backward()
    np.testing.assert_allclose(losses.detach().numpy(), [4e-4, -np.log(1e-4) + 2], rtol=1e-3)
    for tensor in (logits, loss.u, loss.v):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()


def test_without_setup_or_index() -> None:
    """There is nothing learned, or nothing to be found."""
    with pytest.raises(RuntimeError, match="setup"):
        nlcore.create("loss", "sop")(*draw(), INDEX)
    with pytest.raises(RuntimeError, match="index"):
        set_up()(*draw())
