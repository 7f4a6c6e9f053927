"""DISC against Li et al. 2023: selection from planted predictions, and steps written out in float64."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.strategies.disc import DISC
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor

import nlcore
from nlcore.contracts import Batch
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun

DIM = 0.7  # what the strong view of the tests makes of an image, so that mixed ones can be read


def batches(b: Any, number: int, begin: bool = True) -> Iterator[Batch]:
    """Begin an epoch as the loop does, and yield the batches of its pass; the strong views are dim weak ones."""
    b.batches.begin_epoch(number, b.ctx.epochs)
    b.ctx.begin_epoch(number)
    if begin:
        b.strategy.begin_epoch(number)
    (one,) = b.strategy.passes(number)
    for batch in b.batches.iterate(one, number, "0"):
        yield replace(batch, views=(batch.images, DIM * batch.images))


def read_off(seen: Tensor, index: Tensor, scale: float) -> tuple[float, NDArray[np.int64]]:
    """Return l and each image's partner in the batch, from images scale · (l e_i + (1 − l) e_j)."""
    x, own = seen.double().numpy() / scale, index.numpy()
    rest = x.copy()
    rest[np.arange(len(own)), own] = 0
    mixed = np.flatnonzero(rest.any(1))
    partners = np.arange(len(own))
    for row in mixed:
        (partners[row],) = np.flatnonzero(own == rest[row].argmax())
    return (float(x[mixed[0], own[mixed[0]]]) if len(mixed) else 1.0), partners


def plant(strategy: DISC, **tables: Any) -> None:
    """Write tables of the strategy, over all samples."""
    for name, values in tables.items():
        table = getattr(strategy, name)
        table.copy_(torch.as_tensor(values).to(table.dtype).expand_as(table))


def test_without_thresholds_and_mixup_it_is_cross_entropy_on_two_views(bench: Callable[..., Any]) -> None:
    """With τ = 0 for ever all labels are clean: what is left are three epochs of softmax regression on 2 N images."""
    b = bench(DISC(warm_up=1, lam=1.0), lr=0.5)
    plant(b.strategy, tau=0.0)
    W, bias = b.networks[0].weights()
    for epoch in (1, 2, 3):
        b.strategy.begin_epoch(epoch)
        b.strategy.mixed.zero_()
        for batch in batches(b, epoch, begin=False):
            value = 0.0
            slope, slope_bias = np.zeros_like(W), np.zeros_like(bias)
            for view in batch.views:
                x, y = view.flatten(1).double().numpy(), batch.targets.numpy()
                p = softmax(x @ W.T + bias, axis=1)
                value -= np.log(p[np.arange(len(y)), y]).mean()
                error = (p - np.eye(3)[y]) / len(y)
                slope, slope_bias = slope + error.T @ x, slope_bias + error.sum(0)
            assert b.strategy.step(batch).item() == pytest.approx(value, rel=1e-5)
            W, bias = W - 0.5 * slope, bias - 0.5 * slope_bias
            np.testing.assert_allclose(b.networks[0].weights()[0], W, atol=1e-6)
            np.testing.assert_allclose(b.networks[0].weights()[1], bias, atol=1e-6)
    assert b.strategy.clean.tolist() == [1.0] * 12


def test_planted_predictions_are_divided_by_the_thresholds_before_they_move(bench: Callable[..., Any]) -> None:
    """Clean, hard in one view or the other, purified, left out, and both sides of 0.99 and of the thresholds."""
    b = bench(DISC(warm_up=1, lam=0.75, sigma=0.25), samples=9)
    given = b.ctx.given_labels
    guess = (given + 1) % 3
    rows = [  # p^w_ỹ, p^s_ỹ, τ^w, τ^s, max p̄  ->  clean, hard, purified
        ((0.60, 0.60, 0.50, 0.50, 0.60), (1, 0, 0)),
        ((0.60, 0.40, 0.50, 0.50, 0.99), (0, 1, 0)),  # what is hard is not corrected
        ((0.40, 0.60, 0.50, 0.50, 0.50), (0, 1, 0)),
        ((0.50, 0.50, 0.50, 0.50, 0.80), (0, 0, 1)),  # at the threshold is not above it
        ((0.10, 0.10, 0.50, 0.50, 0.75), (0, 0, 0)),  # 0.75 = 0.5 + σ
        ((0.10, 0.10, 0.50, 0.75, 0.80), (0, 0, 0)),  # the mean of both thresholds counts, not the lower
        ((0.10, 0.10, 0.50, 0.75, 0.90), (0, 0, 1)),  # nor the higher
        ((0.01, 0.01, 0.90, 0.90, 0.98), (0, 0, 0)),
        ((0.01, 0.01, 0.90, 0.90, 0.995), (0, 0, 1)),  # never more than 0.99 is asked
    ]
    numbers = np.array([row for row, _ in rows])
    clean, hard, purified = np.array([sets for _, sets in rows]).T
    top = np.stack([np.linspace(0.1, 0.8, 9), np.linspace(0.2, 0.9, 9)])
    tau = numbers[:, 2:4].T
    plant(b.strategy, seen=1, given=numbers[:, :2].T, tau=tau, joint=numbers[:, 4], top=top, guess=guess)
    b.strategy.begin_epoch(2)
    assert b.strategy.clean.tolist() == clean.tolist()
    assert b.strategy.hard.tolist() == hard.tolist()
    assert b.strategy.mixed.tolist() == (clean + hard + purified).tolist()
    assert b.strategy.clean_probability().tolist() == (clean + hard / 2).tolist()
    assert b.strategy.suggested_labels().tolist() == np.where(purified, guess, given).tolist()
    np.testing.assert_allclose(b.strategy.tau, 0.75 * tau + 0.25 * top, rtol=1e-6)


def test_what_was_predicted_in_training_decides(bench: Callable[..., Any]) -> None:
    """Both views' probabilities before each step, in the warm-up too; thresholds begin at 1/N and move each epoch."""
    b = bench(DISC(warm_up=3, lam=0.9), lr=0.5)
    labels = b.ctx.given_labels.numpy()
    tau = np.full((2, 12), 1 / 12)
    p = np.zeros((2, 12, 3))
    for epoch in (1, 2, 3):
        for number, batch in enumerate(batches(b, epoch)):
            if number == 0:
                tau = tau if epoch == 1 else 0.9 * tau + 0.1 * p.max(2)
                np.testing.assert_allclose(b.strategy.tau, tau, atol=1e-6)
            W, bias = b.networks[0].weights()
            for v, view in enumerate(batch.views):
                p[v, batch.index.numpy()] = softmax(view.flatten(1).numpy() @ W.T + bias, axis=1)
            b.strategy.step(batch)
        np.testing.assert_allclose(b.strategy.given, p[:, np.arange(12), labels], atol=1e-6)
        np.testing.assert_allclose(b.strategy.top, p.max(2), atol=1e-6)
        np.testing.assert_allclose(b.strategy.joint, p.mean(0).max(1), atol=1e-6)
        assert b.strategy.guess.tolist() == p.mean(0).argmax(1).tolist()
        assert b.strategy.clean_probability() is None
        assert b.strategy.suggested_labels() is None


def test_samples_that_an_epoch_left_out_keep_their_thresholds(bench: Callable[..., Any]) -> None:
    """Two of six batches an epoch: τ moves by the epochs that showed a sample; labels of those unseen are clean."""
    b = bench(DISC(warm_up=2, lam=0.5), samples=24, batch_size=4, epoch_batches=2, lr=0.5)
    tau, p = np.full((2, 24), 1 / 24), np.zeros((2, 24, 3))
    last: set[int] = set()
    ever: set[int] = set()
    for epoch in range(1, 5):
        shown: set[int] = set()
        for number, batch in enumerate(batches(b, epoch)):
            if number == 0:
                own = list(last)
                tau[:, own] = 0.5 * tau[:, own] + 0.5 * p[:, own].max(2)
                np.testing.assert_allclose(b.strategy.tau, tau, atol=1e-6)
            W, bias = b.networks[0].weights()
            for v, view in enumerate(batch.views):
                p[v, batch.index.numpy()] = softmax(view.flatten(1).numpy() @ W.T + bias, axis=1)
            b.strategy.step(batch)
            shown |= set(batch.index.tolist())
        assert len(shown) == 8
        if epoch > 2:  # divided before the epoch showed anything
            unseen = sorted(set(range(24)) - ever)
            assert len(unseen) >= 24 - 8 * (epoch - 1)
            assert (b.strategy.clean_probability()[unseen] == 1).all()
            assert torch.equal(b.strategy.suggested_labels()[unseen], b.ctx.given_labels[unseen])
        last, ever = shown, ever | shown


@pytest.mark.parametrize("samples", [24, 25])  # batches of 8, and of 8, 8 and 9
def test_steps_follow_the_equations(bench: Callable[..., Any], samples: int) -> None:
    """Value and gradient with all three sets: CE on C, λ_h GCE on H, mixup within M with purified labels, each view."""
    b = bench(DISC(warm_up=1, lambda_h=0.4), samples=samples, batch_size=8, lr=0.5)
    kinds = np.arange(samples) % 4  # clean, hard, purified, left out
    passed = np.stack([kinds < 2, kinds == 0])
    guess = (b.ctx.given_labels + 1) % 3
    plant(b.strategy, given=0.9 * passed, tau=0.4, joint=np.where(kinds == 2, 0.99, 0.1), guess=guess)
    given = torch.eye(3).double()[b.ctx.given_labels]
    suggested = torch.from_numpy(np.where(kinds[:, None] == 2, torch.eye(3)[guess], given))
    mixed = 0
    for batch in batches(b, 2):
        index, size = batch.index, len(batch.index)
        kind = kinds[index.numpy()]
        W, bias = (torch.tensor(value, requires_grad=True) for value in b.networks[0].weights())
        value = b.strategy.step(batch)
        objective = torch.zeros(()).double()
        found = []
        for view, scale, seen in zip(batch.views, (1.0, DIM), b.networks[0].seen[-2:], strict=True):
            p = (view.flatten(1).double() @ W.T + bias).softmax(1)
            p_y = (p * given[index]).sum(1)
            objective = objective - p_y.log()[kind == 0].sum() / size
            objective = objective + 0.4 * ((1 - p_y**0.7) / 0.7)[kind == 1].sum() / size
            lam, partner = read_off(seen, index, scale)
            found.append(lam)
            assert 0.5 <= lam <= 1
            assert sorted(partner) == list(range(size))
            member = kind < 3
            assert set(np.flatnonzero(member)) == set(partner[member])
            log_p = (seen.double() @ W.T + bias).log_softmax(1)
            y = lam * suggested[index] + (1 - lam) * suggested[index][partner]
            objective = objective - (y * log_p).sum(1)[member].mean()
        mixed += found[0] != pytest.approx(found[1], abs=1e-4)
        objective.backward()  # type: ignore[no-untyped-call]
        assert value.item() == pytest.approx(objective.item(), rel=1e-4)
        assert not value.requires_grad
        assert W.grad is not None
        np.testing.assert_allclose(b.networks[0].weights()[0], (W - 0.5 * W.grad).detach(), atol=1e-5)
    assert mixed >= 2  # each view has an l of its own


def test_the_warm_up_is_the_loss_on_both_views_of_all(bench: Callable[..., Any], recorder: Any) -> None:
    """One question for each view, after the weak view's predictions were shown once; nothing is mixed."""
    loss = recorder()
    b = bench(DISC(), lambda: loss)
    for batch in batches(b, 1):
        loss.events.clear()
        W, bias = b.networks[0].weights()
        value = b.strategy.step(batch)
        (one, logits, observed), *asked = loss.events
        assert [one, *(event[0] for event in asked)] == ["observe", "call", "call"]
        np.testing.assert_allclose(logits.detach(), batch.images.flatten(1).numpy() @ W.T + bias, atol=1e-5)
        assert torch.equal(b.networks[0].seen[-1], torch.cat(batch.views).flatten(1))
        assert all(torch.equal(index, batch.index) for index in (observed, asked[0][2], asked[1][2]))
        assert all(torch.equal(event[1], batch.targets) for event in asked)
        log_p = [np.log(softmax(v.flatten(1).numpy() @ W.T + bias, axis=1)) for v in batch.views]
        expected = -sum(part[np.arange(len(batch.index)), batch.targets.numpy()].mean() for part in log_p)
        assert value.item() == pytest.approx(expected, rel=1e-5)


def test_nothing_selected_trains_nothing(bench: Callable[..., Any]) -> None:
    """With thresholds that nothing reaches the loss is 0 and the weights stay, without momentum and weight decay."""
    b = bench(DISC(warm_up=1, lam=1.0))
    plant(b.strategy, tau=1.0)
    before = b.networks[0].weights()
    for batch in batches(b, 2):
        assert b.strategy.step(batch).item() == 0
    assert b.strategy.clean_probability().tolist() == [0.0] * 12
    assert torch.equal(b.strategy.suggested_labels(), b.ctx.given_labels)
    assert all(np.array_equal(*pair) for pair in zip(b.networks[0].weights(), before, strict=True))


@pytest.mark.parametrize("classes", [2, 20])
def test_two_classes_and_classes_that_do_not_occur(bench: Callable[..., Any], classes: int) -> None:
    """Finite, also where a label has no probability in float32; the last batch has one more."""
    b = bench(DISC(warm_up=1), samples=9, classes=classes)
    with torch.no_grad():
        b.networks[0].head.bias[0] = 300.0
    for epoch in (1, 2, 3):
        for batch in batches(b, epoch):
            b.strategy.hard.fill_(1.0)
            assert b.strategy.step(batch).isfinite()
    assert all(np.isfinite(value).all() for value in b.networks[0].weights())


def test_resumed_after_any_epoch_it_ends_with_the_same_bits() -> None:
    """In the warm-up, at its end and behind it; what it holds of the samples is there before the next epoch begins."""
    straight, saved, opinions = TinyRun(DISC(warm_up=2), epochs=5), [], []

    def keep() -> None:
        saved.append(copy.deepcopy(straight.trainer.state_dict()))
        opinions.append(copy.deepcopy((straight.strategy.clean_probability(), straight.strategy.suggested_labels())))

    straight.train(keep)
    assert [one is None for one, _ in opinions] == [True, True, False, False, False]
    for done, state in enumerate(saved, start=1):
        resumed = TinyRun(DISC(warm_up=2), epochs=5)
        resumed.trainer.load_state_dict(state)
        assert equal((resumed.strategy.clean_probability(), resumed.strategy.suggested_labels()), opinions[done - 1])
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())


@pytest.mark.parametrize(("warm_up", "told"), [(10, 1), (9, 0)])
def test_a_warm_up_as_long_as_the_run_is_told(bench: Callable[..., Any], warm_up: int, told: int) -> None:
    """It goes on, without selecting."""
    lines: list[str] = []
    bench(DISC(warm_up=warm_up), epochs=10, report=lines.append)
    assert len(lines) == told
    assert all("warm_up" in line for line in lines)


def test_predict_is_the_networks(bench: Callable[..., Any]) -> None:
    """Logits of the images as they are."""
    b = bench(DISC())
    W, bias = b.networks[0].weights()
    logits = b.strategy.predict(torch.eye(12).view(12, 1, 1, 12)).detach().numpy()
    np.testing.assert_allclose(logits, W.T + bias, atol=1e-6)


def test_losses_with_memories_and_soft_ones_go_with_it() -> None:
    """The run's loss takes the place of cross-entropy, in each phase."""
    for loss in ("elr", "sop", "gce"):
        run = TinyRun(DISC(warm_up=1), 2, make_loss=lambda loss=loss: nlcore.create("loss", loss))  # type: ignore[misc]
        assert math.isfinite(run.train()[-1]["train_loss"])
