"""ELR+ against Liu et al. 2020, with λ' and the partners read off the images that a network was shown."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.strategies.elr_plus import ELRPlus
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor

import nlcore
from nlcore.contracts import Batch
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun

Array = NDArray[np.float64]


def batches(b: Any, number: int) -> Iterator[Batch]:
    """Begin an epoch as the loop does, and yield the batches of all its passes."""
    b.batches.begin_epoch(number, b.ctx.epochs)
    b.ctx.begin_epoch(number)
    b.strategy.begin_epoch(number)
    first = 0
    for purpose, one in enumerate(b.strategy.passes(number)):
        yield from b.batches.iterate(one, number, str(purpose), first)
        first += b.ctx.steps(one)


def read_off(seen: Tensor, index: Tensor) -> tuple[float, NDArray[np.int64]]:
    """Return λ' and each image's partner in the batch, from images λ' e_i + (1 − λ') e_j."""
    x, own = seen.double().numpy(), index.numpy()
    rest = x.copy()
    rest[np.arange(len(own)), own] = 0
    mixed = np.flatnonzero(rest.any(1))
    partners = np.arange(len(own))
    for row in mixed:
        (partners[row],) = np.flatnonzero(own == rest[row].argmax())
    return (float(x[mixed[0], own[mixed[0]]]) if len(mixed) else 1.0), partners


def ramp(time: float, length: int) -> float:
    """Return exp(−5 (1 − t / T)²), 1 from T on."""
    return math.exp(-5 * (1 - min(time / length, 1)) ** 2) if length else 1.0


def test_one_network_by_itself_without_mixup_is_elr(bench: Callable[..., Any]) -> None:
    """With α = 0, γ = 0 and its own average's targets, f_1 is trained as the loss ELR trains a network by itself."""
    elr = bench(nlcore.create("strategy", "standard"), lambda: nlcore.create("loss", "elr", beta=0.6, lam=2.0))
    b = bench(ELRPlus(beta=0.6, lam=2.0, alpha=0.0, gamma=0.0, ema_ramp=0))
    b.strategy.averages.reverse()  # each network's targets are its own
    for epoch in (1, 2):
        mine = (batch for batch in batches(b, epoch) if batch.label == 0)
        for batch, same in zip(mine, elr.epoch(epoch), strict=True):
            assert torch.equal(batch.index, same.index)
            assert b.strategy.step(batch).item() == pytest.approx(elr.strategy.step(same).item(), abs=1e-6)
            for now, expected in zip(b.networks[0].weights(), elr.networks[0].weights(), strict=True):
                np.testing.assert_allclose(now, expected, atol=1e-6)
    np.testing.assert_allclose(b.strategy.t[0], elr.strategy.loss.loss.t, atol=1e-6)


@pytest.mark.parametrize("samples", [12, 13])  # batches of 4, and of 4, 4 and 5
def test_steps_follow_the_equations(bench: Callable[..., Any], samples: int) -> None:
    """Value, gradient, memory and averages of three epochs, in which γ ramps for two and λ for one, in float64."""
    beta, lam, gamma, lr = 0.6, 2.0, 0.9, 0.5
    strategy = ELRPlus(beta=beta, lam=lam, alpha=1.0, gamma=gamma, ema_ramp=2, lam_ramp=1)
    b = bench(strategy, samples=samples, lr=lr)
    labels = np.eye(3)[b.ctx.given_labels.numpy()]
    t = np.zeros((2, samples, 3))
    averages = [network.weights() for network in b.networks]
    steps = samples // 4
    mixed = 0
    for epoch in (1, 2, 3):
        done = [0, 0]
        for batch in batches(b, epoch):
            own, index = batch.label, batch.index.numpy()
            W, bias = (torch.tensor(value, requires_grad=True) for value in b.networks[own].weights())
            value = strategy.step(batch)
            x = b.networks[own].seen[-1]
            mixing, partner = read_off(x, batch.index)
            assert 0.5 <= mixing <= 1
            assert sorted(partner) == list(range(len(index)))
            mixed += int(mixing < 0.9)

            said = softmax(averages[1 - own][0].T[index] + averages[1 - own][1], axis=1)  # the other's, on e_i
            t[own, index] = beta * t[own, index] + (1 - beta) * said
            q = torch.from_numpy(mixing * t[own, index] + (1 - mixing) * t[own, index][partner])
            y = torch.from_numpy(mixing * labels[index] + (1 - mixing) * labels[index][partner])
            logits = x.double() @ W.T + bias
            done[own] += 1
            time = epoch - 1 + done[own] / steps
            regulariser = (1 - (q * logits.softmax(1)).sum(1)).log().mean()
            objective = -(y * logits.log_softmax(1)).sum(1).mean() + ramp(time, 1) * lam * regulariser
            objective.backward()
            assert value.item() == pytest.approx(objective.item(), rel=1e-4, abs=1e-5)
            assert not value.requires_grad
            assert W.grad is not None
            np.testing.assert_allclose(b.networks[own].weights()[0], W.detach() - lr * W.grad, atol=1e-5)

            decay = gamma * ramp(time, 2)
            averages[own] = tuple(
                decay * mean + (1 - decay) * now
                for mean, now in zip(averages[own], b.networks[own].weights(), strict=True)
            )
            np.testing.assert_allclose(strategy.averages[own].head.weight, averages[own][0], atol=1e-5)
            np.testing.assert_allclose(strategy.averages[own].head.bias, averages[own][1], atol=1e-5)
        assert done == [steps, steps]
    np.testing.assert_allclose(strategy.t, t, atol=1e-5)
    assert mixed > 3  # else this saw no mixed images


def test_each_network_has_an_epoch_of_its_own(bench: Callable[..., Any]) -> None:
    """First all steps of f_1, then all of f_2, over all samples and in another order."""
    b = bench(ELRPlus())
    shown: list[list[int]] = [[], []]
    labels = []
    for batch in batches(b, 1):
        weights = [network.weights()[0] for network in b.networks]
        b.strategy.step(batch)
        changed = [not np.array_equal(one, net.weights()[0]) for one, net in zip(weights, b.networks, strict=True)]
        assert changed == [batch.label == 0, batch.label == 1]
        labels.append(batch.label)
        shown[batch.label] += batch.index.tolist()
    assert labels == [0, 0, 0, 1, 1, 1]
    assert sorted(shown[0]) == sorted(shown[1]) == list(range(12))
    assert shown[0] != shown[1]


def test_any_loss_is_mixed_and_shown_the_heavier_sample(bench: Callable[..., Any], recorder: Any) -> None:
    """One observation of the mixed images for the samples themselves, then a question for each and for its partner."""
    made = []

    def make_loss() -> Any:
        made.append(recorder())
        return made[-1]

    b = bench(ELRPlus(), make_loss)
    for batch in batches(b, 1):
        loss, network = made[batch.label], b.networks[batch.label]
        loss.events.clear()
        W, bias = network.weights()
        b.strategy.step(batch)
        _, partner = read_off(network.seen[-1], batch.index)
        (one, logits, observed), (two, own, first), (three, other, second) = loss.events
        assert (one, two, three) == ("observe", "call", "call")
        np.testing.assert_allclose(logits.detach().numpy(), network.seen[-1].numpy() @ W.T + bias, atol=1e-5)
        assert torch.equal(observed, batch.index)
        assert torch.equal(first, batch.index)
        assert torch.equal(second, batch.index[torch.from_numpy(partner)])
        assert torch.equal(own, b.ctx.given_labels[first])
        assert torch.equal(other, b.ctx.given_labels[second])


def test_averages_see_unmixed_images_in_training_mode(bench: Callable[..., Any]) -> None:
    """The other network's average is shown the batch as it is, with the statistics of that batch, without gradients."""
    b = bench(ELRPlus())
    for batch in batches(b, 1):
        b.strategy.step(batch)
        assert torch.equal(b.strategy.averages[1 - batch.label].seen[-1], batch.images.flatten(1))
    assert all(average.training for average in b.strategy.averages)
    assert not any(p.requires_grad for average in b.strategy.averages for p in average.parameters())


def test_both_networks_predict(bench: Callable[..., Any]) -> None:
    """The logits are the sum of both."""
    b = bench(ELRPlus())
    (V, c), (W, d) = (network.weights() for network in b.networks)
    logits = b.strategy.predict(torch.eye(12).view(12, 1, 1, 12)).detach().numpy()
    np.testing.assert_allclose(logits, V.T + c + W.T + d, atol=1e-6)


def test_opinions_are_the_targets_shares(bench: Callable[..., Any]) -> None:
    """None at first; then the given label's share of both memories, and the largest; who was not seen is trusted."""
    b = bench(ELRPlus())
    assert b.strategy.clean_probability() is None
    assert b.strategy.suggested_labels() is None
    for batch in batches(b, 1):
        b.strategy.step(batch)
    b.strategy.t[:, 5] = 0
    t, given = b.strategy.t.double().numpy().mean(0), b.ctx.given_labels.numpy()
    seen = np.arange(12) != 5
    expected = np.ones(12)
    expected[seen] = (t[np.arange(12), given][seen]) / t.sum(1)[seen]
    np.testing.assert_allclose(b.strategy.clean_probability(), expected, atol=1e-6)
    assert b.strategy.suggested_labels().tolist() == np.where(seen, t.argmax(1), given).tolist()


@pytest.mark.parametrize(("samples", "classes"), [(9, 2), (9, 20)])
def test_two_classes_and_classes_that_do_not_occur(bench: Callable[..., Any], samples: int, classes: int) -> None:
    """Losses, memories and opinions are finite; the last batch has one more."""
    b = bench(ELRPlus(), samples=samples, classes=classes)
    for epoch in (1, 2):
        for batch in batches(b, epoch):
            assert b.strategy.step(batch).isfinite()
    np.testing.assert_allclose(b.strategy.t.sum(2), 1 - 0.7**2, rtol=1e-5)
    assert b.strategy.clean_probability().isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("ramps", [{}, {"ema_ramp": 2, "lam_ramp": 1}, {"ema_ramp": 0}])
def test_resumed_after_any_epoch_it_ends_with_the_same_bits(ramps: dict[str, int]) -> None:
    """In the ramps, at their end and behind it."""
    straight, saved = TinyRun(ELRPlus(**ramps), epochs=4), []
    straight.train(lambda: saved.append(copy.deepcopy(straight.trainer.state_dict())))
    for done, state in enumerate(saved[:-1], start=1):
        resumed = TinyRun(ELRPlus(**ramps), epochs=4)
        resumed.trainer.load_state_dict(state)
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())


def test_it_refuses_the_loss_that_it_contains() -> None:
    """With ELR its regulariser would be added twice; others are welcome."""
    assert "twice" in str(ELRPlus().refuses(nlcore.create("loss", "elr")))
    assert ELRPlus().refuses(nlcore.create("loss", "cross_entropy")) is None
    assert ELRPlus().refuses(nlcore.create("loss", "gce")) is None


@pytest.mark.parametrize(
    ("ramps", "said"),
    [({"ema_ramp": 20, "lam_ramp": 0}, ["γ 0.286 and λ 3"]), ({"ema_ramp": 10, "lam_ramp": 10}, [])],
)
def test_ramps_longer_than_the_run_are_told(bench: Callable[..., Any], ramps: dict[str, int], said: list[str]) -> None:
    """0.997 exp(−5 / 4) is reached halfway."""
    lines: list[str] = []
    bench(ELRPlus(**ramps), epochs=10, report=lines.append)
    assert len(lines) == len(said)
    assert all(part in line for part, line in zip(said, lines, strict=True))


@pytest.mark.parametrize("ramp_end", [1, 0])
def test_a_step_changes_only_between_phases(ramp_end: int) -> None:
    """``variant`` tells where the averages stop being pulled."""
    run = TinyRun(ELRPlus(ema_ramp=ramp_end), epochs=3)
    found = []
    run.train(lambda: found.append(run.strategy.variant(0)))
    assert found == [ramp_end > 0, False, False]
