"""PENCIL against Yi & Wu 2019 in float64: KL(p ‖ y) / K − α log y_ŷ + β H(p) / K, in three stages."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from helpers import LinearArchitecture, make_context, make_data, prepared, squares
from nlcore_builtins.losses.pencil import Pencil
from numpy.typing import NDArray
from resuming import copied
from scipy.special import log_softmax, softmax

from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun
from nlcore.testing.toy import Plain
from nlcore.training.bound_loss import LossSetup
from nlcore.training.schedules import cosine

Array = NDArray[np.float64]

B, K, N = 6, 5, 20
INDEX = torch.tensor([3, 17, 0, 8, 19, 4])
GIVEN = torch.arange(N) % K


def set_up(epoch: int, y: Array | None = None, **params: Any) -> Any:
    """Return the loss in an epoch of 32, of which stage 2 begins with the 8th and ends with the 20th by default."""
    loss: Any = Pencil(**params)
    loss.setup(LossSetup(K, N, GIVEN, torch.device("cpu"), torch.Generator(), lambda: None))
    if y is not None:
        loss.load_state_dict({"y": torch.from_numpy(y)})
    loss.begin_epoch(epoch, 32, lambda: None)
    return loss


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float64 (B, K) and the given labels of the samples at INDEX."""
    random = torch.Generator().manual_seed(37)
    return 2 * torch.randn(B, K, generator=random, dtype=torch.float64), GIVEN[INDEX]


def some_labels() -> Array:
    """Return ỹ (N, K) as after some training; float32 numbers, as the loss keeps them."""
    return (3 * np.random.default_rng(1).normal(size=(N, K))).astype(np.float32).astype(np.float64)


def parts(f: Array, y: Array, labels: NDArray[np.int64]) -> tuple[Array, Array, Array]:
    """Return KL(p ‖ softmax ỹ), −log softmax(ỹ)_label and H(p), each (B,)."""
    p, log_p, log_y = softmax(f, axis=1), log_softmax(f, axis=1), log_softmax(y, axis=1)
    return (p * (log_p - log_y)).sum(1), -log_y[np.arange(len(f)), labels], -(p * log_p).sum(1)


@pytest.mark.parametrize(
    ("dtype", "result", "tolerance"),
    [
        (torch.bfloat16, torch.float32, 5e-6),
        (torch.float32, torch.float32, 5e-6),
        (torch.float64, torch.float64, 1e-12),
    ],
)
def test_value(dtype: torch.dtype, result: torch.dtype, tolerance: float) -> None:
    """Cross-entropy, then all three terms, then the divergence alone."""
    logits, targets = draw()
    logits, y, alpha, beta = logits.to(dtype), some_labels(), 0.3, 0.7
    f = logits.double().numpy()
    divergence, compatibility, entropy = parts(f, y[INDEX], targets.numpy())
    expected = {
        1: -log_softmax(f, axis=1)[np.arange(B), targets.numpy()],
        12: divergence / K + alpha * compatibility + beta * entropy / K,
        25: divergence / K,
    }
    for epoch, values in expected.items():
        losses = set_up(epoch, y, alpha=alpha, beta=beta)(logits, targets, INDEX)
        assert losses.dtype == result
        np.testing.assert_allclose(losses.detach().double().numpy(), values, rtol=tolerance, atol=tolerance)


def test_gradients_in_stage_2() -> None:
    """∂ℓ/∂ỹ = (y − p) / K + α (y − ŷ), and that of the logits in closed form."""
    logits, targets = draw()
    logits.requires_grad_()
    y, alpha, beta = some_labels(), 0.3, 0.7
    loss = set_up(12, y, alpha=alpha, beta=beta)
    loss(logits, targets, INDEX).sum().backward()
    f = logits.detach().numpy()
    p, log_p = softmax(f, axis=1), log_softmax(f, axis=1)
    q, log_q = softmax(y[INDEX], axis=1), log_softmax(y[INDEX], axis=1)
    divergence, _, entropy = parts(f, y[INDEX], targets.numpy())
    of_divergence = p * (log_p - log_q - divergence[:, None])
    of_entropy = -p * (log_p + entropy[:, None])
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), (of_divergence + beta * of_entropy) / K, atol=1e-12)
    of_labels = (q - p) / K + alpha * (q - np.eye(K)[targets.numpy()])
    assert loss.y.grad is not None
    np.testing.assert_allclose(loss.y.grad[INDEX].numpy(), of_labels, atol=1e-6)
    others = torch.ones(N, dtype=torch.bool).index_fill(0, INDEX, False)
    assert not loss.y.grad[others].any()


@pytest.mark.parametrize("epoch", [1, 25])
def test_labels_are_learned_in_stage_2_alone(epoch: int) -> None:
    """No gradient reaches them before and afterwards, so that no optimiser moves them."""
    logits, targets = draw()
    logits.requires_grad_()
    loss = set_up(epoch, some_labels())
    loss(logits, targets, INDEX).sum().backward()
    assert loss.y.grad is None
    assert logits.grad is not None


def test_stage_1_is_cross_entropy() -> None:
    """Bit for bit, with its gradient."""
    logits, targets = draw()
    f, g = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    ours, theirs = set_up(7)(f, targets, INDEX), torch.nn.functional.cross_entropy(g, targets, reduction="none")
    assert torch.equal(ours, theirs)
    ours.sum().backward()
    theirs.sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(f.grad, g.grad)


def test_labels_begin_as_the_given_ones() -> None:
    """ỹ = 10 · onehot: for 5 classes y_ŷ = 1 / (1 + 4 e⁻¹⁰)."""
    loss = set_up(1)
    y = loss.y.detach().softmax(1)
    assert torch.equal(y.argmax(1), GIVEN)
    torch.testing.assert_close(y.max(1).values, torch.full((N,), 1 / (1 + 4 * np.exp(-10.0))))


@pytest.mark.parametrize(
    ("epochs", "ends"),
    [(320, (70, 200)), (32, (7, 20)), (20, (4, 12)), (1, (0, 0))],
)
def test_stages_end_at_shares_of_the_run(epochs: int, ends: tuple[int, int]) -> None:
    """Those of the authors' 320 epochs: 70 and 200."""
    loss = set_up(1)
    loss.begin_epoch(1, epochs, lambda: None)
    stages = [loss.variant(epoch) for epoch in range(1, epochs + 1)]
    first, second = ends
    assert stages == [1] * first + [2] * (second - first) + [3] * (epochs - second)


def test_a_wrong_label_is_corrected_and_a_right_one_stays() -> None:
    """A network that is sure of class 0: ŷ = 1 gives way by gradient descent of rate λ / B, ŷ = 0 does not."""
    loss = set_up(12, alpha=0.01)
    optimizer = torch.optim.SGD(loss.param_groups())
    logits, targets, index = 8 * torch.eye(K)[[0, 0]], torch.tensor([0, 1]), torch.tensor([0, 1])
    for _ in range(100):
        optimizer.zero_grad()
        (loss(logits, targets, index).sum() / 128).backward()
        optimizer.step()
    y = loss.y.detach().softmax(1)
    assert y[0, 0] > 0.99
    assert y[1, 0] > 0.9
    assert torch.equal(loss.y.detach()[2:], 10.0 * torch.eye(K)[GIVEN[2:]])


def test_rates() -> None:
    """λ for labels, plain and whatever the schedule; the network's follows it, times lr2 / lr in stage 3."""
    images, labels = squares(60)
    data = prepared(make_data(images, labels))
    settings: dict[str, Any] = {"lr": 0.06, "epochs": 32, "momentum": 0.9, "weight_decay": 0.1}
    ctx = make_context(data, LinearArchitecture(), lambda: Pencil(lam=500.0), **settings)
    network = ctx.network()
    bound = ctx.loss(network)
    optimizer = ctx.optimizer(network, bound)
    index = torch.tensor([5, 9])
    bound.loss.load_state_dict({"y": torch.rand(60, 4, generator=torch.Generator().manual_seed(1))})
    for epoch, done, rate in ((3, 0.0, 0.06), (12, 0.0, 0.06), (12, 0.5, 0.03), (21, 0.0, 0.2), (30, 0.5, 0.1)):
        bound.begin_epoch(epoch, 32, lambda: torch.zeros(60, 4))
        ctx.optimizers.set_rates(cosine(done), epoch)
        before = bound.loss.y.detach().clone()
        objective = bound(network(torch.rand(2, 1, 8, 8)), torch.tensor([0, 1]), index).mean()
        ctx.minimise(optimizer, objective)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([rate, 500.0])
        expected = before - 500 * bound.loss.y.grad if epoch == 12 else before
        torch.testing.assert_close(bound.loss.y.detach(), expected)


def test_extreme_logits() -> None:
    """Sure of another class than y: KL is its log y, with finite gradients in every stage."""
    for epoch in (1, 12, 25):
        logits = torch.tensor([[1e4, -1e4, 0, 0, 0], [1e4, -1e4, 0, 0, 0]], requires_grad=True)
        loss = set_up(epoch)
        losses = loss(logits, torch.tensor([0, 1]), torch.tensor([0, 1]))
        losses.sum().backward()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()
        if epoch == 25:
            np.testing.assert_allclose(losses.detach(), [0, 10 / K], atol=1e-3)


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_run_can_be_resumed_in_each_stage(done: int) -> None:
    """Four epochs: one of stage 1, two of stage 2, one of stage 3; the same bits with a stop and without."""

    def make() -> TinyRun:
        return TinyRun(Plain(), 4, make_loss=lambda: Pencil(start=0.25, end=0.75))

    straight, saved = make(), []
    straight.train(lambda: saved.append(copied(straight.trainer.state_dict())))
    resumed = make()
    resumed.trainer.load_state_dict(saved[done - 1])
    resumed.train(done=done)
    assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())
    y = [state["losses"][0]["state"]["y"] for state in saved]
    assert [torch.equal(a, b) for a, b in itertools.pairwise(y)] == [False, False, True]


def test_without_setup_or_index() -> None:
    """There is nothing learned, or nothing to be found."""
    with pytest.raises(RuntimeError, match="setup"):
        Pencil()(*draw(), INDEX)
    with pytest.raises(RuntimeError, match="index"):
        set_up(12)(*draw())
