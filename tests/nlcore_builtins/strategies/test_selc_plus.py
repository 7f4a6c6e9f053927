"""SELC+ against Lu & He 2022: the labels it finds, and mixup of a new network on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.strategies.selc_plus import SELCPlus
from numpy.typing import NDArray
from resuming import copied
from scipy.special import log_softmax, softmax

import nlcore
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun

Array = NDArray[np.float64]


def test_with_alpha_1_the_first_network_is_trained_as_always(bench: Callable[..., Any]) -> None:
    """Labels stay the given ones: cross-entropy, the same weights after each step of both phases."""
    ours = bench(SELCPlus(alpha=1.0, turn=0.1, first=1.0), momentum=0.9)
    theirs = bench(nlcore.create("strategy", "standard"), momentum=0.9)
    for epoch in (1, 2):
        for own, other in zip(ours.epoch(epoch), theirs.epoch(epoch), strict=True):
            value, expected = ours.strategy.step(own), theirs.strategy.step(other)
            assert value.item() == pytest.approx(expected.item(), rel=1e-6)
            for one, two in zip(ours.networks[0].weights(), theirs.networks[0].weights(), strict=True):
                np.testing.assert_allclose(one, two, atol=1e-6)


def test_the_first_network_is_trained_as_by_the_loss_selc(bench: Callable[..., Any]) -> None:
    """Standard training with the loss that corrects labels in the same way, from the same epoch on."""
    ours = bench(SELCPlus(alpha=0.7, turn=0.3, first=1.0))
    theirs = bench(nlcore.create("strategy", "standard"), lambda: nlcore.create("loss", "selc", alpha=0.7, start=0.3))
    for epoch in range(1, 7):
        for own, other in zip(ours.epoch(epoch), theirs.epoch(epoch), strict=True):
            ours.strategy.step(own)
            theirs.strategy.step(other)
            for one, two in zip(ours.networks[0].weights(), theirs.networks[0].weights(), strict=True):
                np.testing.assert_allclose(one, two, atol=1e-6)


def test_labels_move_towards_predictions_after_the_turning_point(bench: Callable[..., Any]) -> None:
    """By t ← α t + (1 − α) p before the step's loss, which is −Σ t log p; its gradient is p − t."""
    alpha, lr = 0.6, 0.5
    b = bench(SELCPlus(alpha=alpha, turn=0.2, first=1.0), samples=13, epochs=10, lr=lr)
    t = np.eye(3)[b.ctx.given_labels.numpy()]
    for epoch in range(1, 6):
        for batch in b.epoch(epoch):
            index = batch.index.numpy()
            W, bias = b.networks[0].weights()
            p = softmax(W.T[index] + bias, axis=1)
            if epoch > 2:
                t[index] = alpha * t[index] + (1 - alpha) * p
            value = b.strategy.step(batch)
            assert value.item() == pytest.approx(-(t[index] * np.log(p)).sum(1).mean(), rel=1e-5)
            expected = W.copy()
            expected[:, index] -= lr * (p - t[index]).T / len(index)
            np.testing.assert_allclose(b.networks[0].weights()[0], expected, atol=1e-5)
        if epoch <= 2:
            assert b.strategy.clean_probability() is None
            assert b.strategy.suggested_labels() is None
        else:
            own = t[np.arange(13), b.ctx.given_labels.numpy()]
            np.testing.assert_allclose(b.strategy.clean_probability().numpy(), own, atol=1e-5)
            assert b.strategy.suggested_labels().tolist() == t.argmax(1).tolist()


def read_off(seen: torch.Tensor, index: torch.Tensor) -> tuple[float, NDArray[np.int64]]:
    """Return λ and each image's partner, from images λ e_i + (1 − λ) e_j."""
    x, own = seen.double().numpy(), index.numpy()
    rest = x.copy()
    rest[np.arange(len(own)), own] = 0
    mixed = np.flatnonzero(rest.any(1))
    partners = own.copy()
    partners[mixed] = rest[mixed].argmax(1)
    return (float(x[mixed[0], own[mixed[0]]]) if len(mixed) else 1.0), partners


def corrected(b: Any, epoch: int) -> NDArray[np.int64]:
    """Let the strategy hold labels other than the given ones before an epoch; return them."""
    count, classes = b.strategy.t.shape
    t = np.random.default_rng(8).dirichlet(np.ones(classes), count)
    b.strategy.load_state_dict({"t": torch.from_numpy(t), "phase": 2})
    labels: NDArray[np.int64] = t.argmax(1)
    assert (labels != b.ctx.given_labels.numpy()).any()
    return labels


def test_a_new_network_learns_the_corrected_labels_by_mixup(bench: Callable[..., Any]) -> None:
    """Fresh weights; images λ x_i + (1 − λ) x_j and λ CE(ŷ_i) + (1 − λ) CE(ŷ_j), batches of 4, 4 and 5."""
    b = bench(SELCPlus(turn=0.1, first=0.2), samples=13, epochs=10, lr=0.5)
    for batch in b.epoch(1):
        b.strategy.step(batch)
    trained, labels, sizes = b.networks[0].weights()[0], corrected(b, 3), []
    for epoch in (3, 4):
        for number, batch in enumerate(b.epoch(epoch)):
            W, bias = b.networks[0].weights()
            if (epoch, number) == (3, 0):
                assert abs(W - trained).max() > 0.1
            value = b.strategy.step(batch)
            x = b.networks[0].seen[-1]
            lam, partners = read_off(x, batch.index)
            assert sorted(partners) == sorted(batch.index.tolist())
            f = x.double().numpy() @ W.T + bias
            log_p, rows = log_softmax(f, axis=1), np.arange(len(f))
            own, other = labels[batch.index.numpy()], labels[partners]
            losses = -lam * log_p[rows, own] - (1 - lam) * log_p[rows, other]
            assert value.item() == pytest.approx(losses.mean(), rel=1e-4)
            target = lam * np.eye(3)[own] + (1 - lam) * np.eye(3)[other]
            slope = (softmax(f, axis=1) - target) / len(f)
            expected = W - 0.5 * slope.T @ x.double().numpy()
            np.testing.assert_allclose(b.networks[0].weights()[0], expected, atol=1e-5)
            sizes.append(len(f))
    assert sizes == [4, 4, 5] * 2
    assert b.strategy.suggested_labels().tolist() == labels.tolist()


def test_each_network_has_its_own_schedule(bench: Callable[..., Any]) -> None:
    b = bench(SELCPlus(turn=0.1, first=0.4), epochs=10)
    assert [b.strategy.stage(epoch) for epoch in (1, 4, 5, 10)] == [(1, 4), (1, 4), (5, 10), (5, 10)]


def test_the_sample_that_weighs_more_is_observed(bench: Callable[..., Any], recorder: Any) -> None:
    """Once, before the loss is asked, and by the second network's loss alone."""
    made: list[Any] = []

    def make_loss() -> Any:
        made.append(recorder())
        return made[-1]

    b = bench(SELCPlus(turn=0.1, first=0.2), make_loss, epochs=10)
    labels = corrected(b, 3)
    heavier = {True: 0, False: 0}
    for epoch in range(3, 9):
        for batch in b.epoch(epoch):
            made[1].events.clear()
            b.strategy.step(batch)
            lam, partners = read_off(b.networks[0].seen[-1], batch.index)
            heavier[lam >= 0.5] += 1
            assert [event[0] for event in made[1].events] == ["observe", "call", "call"]
            (_, _, observed), (_, own, first), (_, other, second) = made[1].events
            assert observed.tolist() == (batch.index.tolist() if lam >= 0.5 else partners.tolist())
            assert (first.tolist(), second.tolist()) == (batch.index.tolist(), partners.tolist())
            assert (own.tolist(), other.tolist()) == (labels[first].tolist(), labels[second].tolist())
    assert min(heavier.values()) > 0
    assert not made[0].events


def test_draws_are_keyed_by_seed_and_epoch(bench: Callable[..., Any]) -> None:
    """An epoch can be replayed by itself; other epochs and seeds mix otherwise."""

    def shown(seed: int, epoch: int) -> torch.Tensor:
        b = bench(SELCPlus(turn=0.1, first=0.2), seed=seed, epochs=10)
        for batch in b.epoch(epoch):
            b.strategy.step(batch)
        return torch.cat(b.networks[0].seen)

    first = shown(1, 4)
    assert torch.equal(shown(1, 4), first)
    assert not torch.equal(shown(1, 5), first)
    assert not torch.equal(shown(2, 4), first)


@pytest.mark.parametrize("classes", [2, 30])
def test_two_classes_and_classes_that_are_missing(bench: Callable[..., Any], classes: int) -> None:
    """Every step is finite in all phases, and labels are classes."""
    b = bench(SELCPlus(turn=0.3, first=0.6), classes=classes, samples=13, epochs=6)
    for epoch in range(1, 7):
        for batch in b.epoch(epoch):
            assert b.strategy.step(batch).isfinite()
    assert int(b.strategy.suggested_labels().max()) < classes


@pytest.mark.parametrize("done", [1, 2, 3, 4])
def test_a_run_can_be_resumed_in_each_phase(done: int) -> None:
    """Given labels in epoch 1, moving ones in 2 and 3, the new network in 4 and 5: the same bits with a stop."""

    def make() -> TinyRun:
        return TinyRun(SELCPlus(turn=0.2, first=0.6), 5)

    straight = make()
    saved: list[Any] = []
    straight.train(lambda: saved.append(copied(straight.trainer.state_dict())))
    resumed = make()
    resumed.trainer.load_state_dict(saved[done - 1])
    resumed.train(done=done)
    assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())
    assert torch.equal(resumed.strategy.suggested_labels(), straight.strategy.suggested_labels())


def test_it_refuses_losses_that_take_no_distribution() -> None:
    assert SELCPlus().refuses(nlcore.create("loss", "cross_entropy")) is None
    assert "distributions" in (SELCPlus().refuses(nlcore.create("loss", "selc")) or "")


@pytest.mark.parametrize(("epochs", "said"), [(1, 1), (2, 0), (20, 0)])
def test_it_reports_where_no_label_is_corrected(bench: Callable[..., Any], epochs: int, said: int) -> None:
    lines: list[str] = []
    bench(SELCPlus(), epochs=epochs, report=lines.append)
    assert len([line for line in lines if "before labels are corrected" in line]) == said


def test_the_new_network_begins_after_the_turning_point() -> None:
    with pytest.raises(ValueError, match=r"turn = 0.7 must be at most first = 0.6"):
        SELCPlus(turn=0.7, first=0.6)
