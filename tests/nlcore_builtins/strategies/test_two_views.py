"""Two views against Liu et al. 2022, written out in float64; with the loss sop it is SOP+."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.losses.sop import SOP
from nlcore_builtins.strategies.two_views import TwoViews
from torch import Tensor
from torch.nn import functional as F

import nlcore
from nlcore.contracts import Batch
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun


class CorrectingSOP(SOP):
    """SOP that tells its corrected prediction s."""

    def corrected(self, logits: Tensor, targets: Tensor, index: Tensor) -> Tensor:
        """Return s = [p + U − stop(V)] kept above 1e-4 and scaled to sum 1, (B, K)."""
        p, y = logits.softmax(1), F.one_hot(targets, logits.shape[1]).to(logits.dtype)
        U, V = (self.u[index] ** 2).clamp(max=1) * y, (self.v[index] ** 2).clamp(max=1) * (1 - y)
        s = (p + U - V.detach()).clamp(min=1e-4)
        return s / s.sum(1, keepdim=True)


def batches(b: Any, number: int) -> Iterator[Batch]:
    """Begin an epoch as the loop does, and yield the batches of its pass."""
    b.batches.begin_epoch(number, b.ctx.epochs)
    b.ctx.begin_epoch(number)
    (one,) = b.strategy.passes(number)
    yield from b.batches.iterate(one, number, "0")


@pytest.mark.parametrize("loss", ["cross_entropy", "sop", "elr"])
def test_without_consistency_and_balance_it_is_standard(loss: str) -> None:
    """With λ_C = λ_B = 0: the same bits, batch normalisation, dropout and the loss's own tensors included."""
    runs = [
        TinyRun(strategy, 2, make_loss=lambda: nlcore.create("loss", loss))
        for strategy in (nlcore.create("strategy", "standard"), TwoViews(lambda_c=0.0, lambda_b=0.0))
    ]
    for run in runs:
        run.train()
    assert equal(*(run.ctx.state_dict() for run in runs))


@pytest.mark.parametrize(("lambda_c", "lambda_b"), [(0.9, 0.1), (2.0, 0.0), (0.0, 3.0)])
@pytest.mark.parametrize("samples", [12, 13])  # batches of 4, and of 4, 4 and 5
def test_steps_follow_the_equation(bench: Callable[..., Any], lambda_c: float, lambda_b: float, samples: int) -> None:
    """Value and gradient of every step of two epochs, with cross-entropy."""
    b = bench(TwoViews(lambda_c=lambda_c, lambda_b=lambda_b), lr=0.5, samples=samples)
    for epoch in (1, 2):
        for batch in batches(b, epoch):
            W, bias = (torch.tensor(value, requires_grad=True) for value in b.networks[0].weights())
            weak = batch.views[0].flatten(1).double() @ W.T + bias
            p = weak.softmax(1)
            objective = -weak.log_softmax(1)[torch.arange(len(weak)), batch.targets].mean()
            if lambda_c:
                strong = batch.views[1].flatten(1).double() @ W.T + bias
                held = p.detach()  # the weak view is not drawn to the strong one
                divergence = (held * (held.log() - strong.softmax(1).log())).sum(1)
                objective = objective + lambda_c * divergence.mean()
            objective = objective + lambda_b * (-p.mean(0).log().mean() - math.log(3))
            objective.backward()  # type: ignore[no-untyped-call]
            value = b.strategy.step(batch)
            assert value.item() == pytest.approx(objective.item(), rel=1e-5)
            assert not value.requires_grad
            for now, before in zip(b.networks[0].weights(), (W, bias), strict=True):
                assert before.grad is not None
                np.testing.assert_allclose(now, before.detach() - 0.5 * before.grad, atol=1e-5)


def test_with_a_loss_that_corrects_predictions_it_is_sop_plus(bench: Callable[..., Any]) -> None:
    """Value, and what the network, u and v learn: consistency is of p, balance of s and trains u, not v."""
    made: list[CorrectingSOP] = []

    def make_loss() -> Any:
        made.append(CorrectingSOP(lr_u=0.5, lr_v=0.25))
        return made[-1]

    b = bench(TwoViews(lambda_c=0.9, lambda_b=5.0), make_loss, lr=0.5)
    (loss,) = made
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        loss.u.copy_(0.6 * torch.rand(12, 1, generator=random))
        loss.v.copy_(0.6 * torch.rand(12, 3, generator=random))
    for batch in batches(b, 1):
        W, bias = (torch.tensor(value, requires_grad=True) for value in b.networks[0].weights())
        u, v = (tensor.detach().double().requires_grad_() for tensor in (loss.u, loss.v))
        rows, y = torch.arange(len(batch.index)), torch.eye(3).double()[batch.targets]
        weak, strong = (view.flatten(1).double() @ W.T + bias for view in batch.views)
        U, V = u[batch.index] ** 2 * y, v[batch.index] ** 2 * (1 - y)
        s = (weak.softmax(1) + U - V.detach()).clamp(min=1e-4)
        s = s / s.sum(1, keepdim=True)
        z = torch.eye(3).double()[weak.argmax(1)]
        fit = -s[rows, batch.targets].log() + ((z + U - V - y) ** 2).sum(1)
        p = weak.softmax(1).detach()
        consistency = (p * (p / strong.softmax(1)).log()).sum(1)
        balance = -s.mean(0).log().mean() - math.log(3)
        objective = fit.mean() + 0.9 * consistency.mean() + 5.0 * balance
        objective.backward()  # type: ignore[no-untyped-call]
        assert b.strategy.step(batch).item() == pytest.approx(objective.item(), rel=1e-5)
        assert W.grad is not None
        assert u.grad is not None
        assert v.grad is not None
        np.testing.assert_allclose(b.networks[0].weights()[0], (W - 0.5 * W.grad).detach(), atol=1e-5)
        np.testing.assert_allclose(loss.u.detach(), (u - 0.5 * u.grad).detach(), atol=1e-5)
        np.testing.assert_allclose(loss.v.detach(), (v - 0.25 * v.grad).detach(), atol=1e-5)


def test_equal_predictions_are_consistent_and_balanced(bench: Callable[..., Any]) -> None:
    """Where all logits are 0 only the cross-entropy is left, log K."""
    b = bench(TwoViews(lambda_c=100.0, lambda_b=100.0))
    with torch.no_grad():
        for p in b.networks[0].parameters():
            p.zero_()
    batch = next(batches(b, 1))
    assert b.strategy.step(batch).item() == pytest.approx(math.log(3), rel=1e-5)


def test_both_views_are_one_batch_and_the_weak_one_is_remembered(bench: Callable[..., Any], recorder: Any) -> None:
    """The network sees 2 B images, weak ones first; the loss is shown and asked about the weak ones, once."""
    loss = recorder()
    b = bench(TwoViews(), lambda: loss)
    for batch in batches(b, 1):
        loss.events.clear()
        W, bias = b.networks[0].weights()
        count = len(b.networks[0].seen)
        b.strategy.step(batch)
        assert len(b.networks[0].seen) == count + 1
        assert torch.equal(b.networks[0].seen[-1], torch.cat(batch.views).flatten(1))
        (one, observed, seen), (two, targets, asked) = loss.events
        assert (one, two) == ("observe", "call")
        np.testing.assert_allclose(observed, batch.views[0].flatten(1).numpy() @ W.T + bias, atol=1e-5)
        assert torch.equal(seen, batch.index)
        assert torch.equal(asked, batch.index)
        assert torch.equal(targets, batch.targets)


def test_without_consistency_there_is_no_strong_view() -> None:
    """Nothing is paid for a view that has no weight."""
    assert [one.views for one in TwoViews().passes(1)] == [("weak", "strong")]
    assert [one.views for one in TwoViews(lambda_c=0.0).passes(1)] == [("weak",)]


@pytest.mark.parametrize("classes", [2, 20])
def test_two_classes_and_classes_that_do_not_occur(bench: Callable[..., Any], classes: int) -> None:
    """Finite, also with predictions so certain that a class has no mass in float32; the last batch has one more."""
    b = bench(TwoViews(), samples=9, classes=classes)
    with torch.no_grad():
        b.networks[0].head.bias[0] = 300.0
    for batch in batches(b, 1):
        assert b.strategy.step(batch).isfinite()
    assert all(np.isfinite(value).all() for value in b.networks[0].weights())


@pytest.mark.parametrize("loss", ["cross_entropy", "sop"])
def test_resumed_after_any_epoch_it_ends_with_the_same_bits(loss: str) -> None:
    """It keeps nothing itself; its loss may."""

    def make() -> TinyRun:
        return TinyRun(TwoViews(), 3, make_loss=lambda: nlcore.create("loss", loss))

    straight, saved = make(), []
    straight.train(lambda: saved.append(copy.deepcopy(straight.trainer.state_dict())))
    for done, state in enumerate(saved[:-1], start=1):
        resumed = make()
        resumed.trainer.load_state_dict(state)
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())


def test_predict_is_the_networks(bench: Callable[..., Any]) -> None:
    """Logits of the images as they are."""
    b = bench(TwoViews())
    W, bias = b.networks[0].weights()
    logits = b.strategy.predict(torch.eye(12).view(12, 1, 1, 12)).detach().numpy()
    np.testing.assert_allclose(logits, W.T + bias, atol=1e-6)
