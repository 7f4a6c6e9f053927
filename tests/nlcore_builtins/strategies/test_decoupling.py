"""Decoupling against Malach & Shalev-Shwartz 2017, algorithm 1: who trains on what, read off the weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.strategies.decoupling import Decoupling
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from torch.nn import functional as F

from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun

Array = NDArray[np.float64]


def learned_from(before: Array, after: Array) -> set[int]:
    """Return the samples whose column of W changed."""
    return set(np.flatnonzero((before != after).any(0)).tolist())


def descend(weights: tuple[Array, Array], chosen: Any, labels: Any, lr: float) -> tuple[tuple[Array, Array], float]:
    """Return W and b after a step on the mean cross-entropy of these samples, and its value; 0 of none."""
    W, bias = weights
    if not len(chosen):
        return weights, 0.0
    f = W.T[chosen] + bias
    slope = (softmax(f, axis=1) - np.eye(len(bias))[labels[chosen]]) / len(chosen)
    after = W.copy()
    after[:, chosen] -= lr * slope.T
    value = -log_softmax(f, axis=1)[np.arange(len(chosen)), labels[chosen]].mean()
    return (after, bias - lr * slope.sum(0)), float(value)


def plant(b: Any, *logits: torch.Tensor) -> None:
    """Let each network give these logits (N, K)."""
    for network, planted in zip(b.networks, logits, strict=True):
        with torch.no_grad():
            network.head.weight.copy_(planted.T)
            network.head.bias.zero_()


@pytest.mark.parametrize(
    ("samples", "classes"),
    [(25, 3), (17, 2), (9, 20)],  # batches of 8 and 9; of 20 classes some are missing
)
def test_both_descend_on_what_they_disagree_on(bench: Callable[..., Any], samples: int, classes: int) -> None:
    """The value and both steps, on the mean over S and not over the batch."""
    lr = 0.5
    b = bench(Decoupling(warm_up=0), samples=samples, classes=classes, batch_size=8, lr=lr)
    labels = b.ctx.given_labels.numpy()
    sizes = set()
    for epoch in (1, 2, 3):
        for batch in b.epoch(epoch):
            index = batch.index.numpy()
            before = [network.weights() for network in b.networks]
            first, second = (W.T[index] + bias for W, bias in before)
            chosen = index[first.argmax(1) != second.argmax(1)]
            value = b.strategy.step(batch)
            expected = [descend(weights, chosen, labels, lr) for weights in before]
            for network, (weights, _), (W, _) in zip(b.networks, expected, before, strict=True):
                assert learned_from(W, network.weights()[0]) == set(chosen.tolist())
                for one, other in zip(network.weights(), weights, strict=True):
                    np.testing.assert_allclose(one, other, atol=1e-5)
            assert value.item() == pytest.approx(np.mean([mean for _, mean in expected]), rel=1e-5)
            assert not value.requires_grad
            sizes.add(len(chosen))
    if classes < 20:
        assert min(sizes) < 8  # else the mean over S could be one over the batch


def test_the_warm_up_is_two_runs_of_cross_entropy(bench: Callable[..., Any]) -> None:
    """Three steps of each network on its mean loss over the batch, as if the other were not there."""
    b = bench(Decoupling(warm_up=1), samples=13, lr=0.5)
    labels = b.ctx.given_labels.numpy()
    alone = [network.weights() for network in b.networks]
    sizes = []
    for batch in b.epoch(1):
        b.strategy.step(batch)
        alone = [descend(weights, batch.index.numpy(), labels, 0.5)[0] for weights in alone]
        for network, expected in zip(b.networks, alone, strict=True):
            for one, other in zip(network.weights(), expected, strict=True):
                np.testing.assert_allclose(one, other, atol=1e-6)
        sizes.append(len(batch.index))
    assert sizes == [4, 4, 5]


def test_networks_that_disagree_on_everything_go_on_as_in_the_warm_up(bench: Callable[..., Any]) -> None:
    """S is the whole batch then: the same bits with and without a warm-up."""
    made = []
    for warm_up in (0, 1):
        b = bench(Decoupling(warm_up=warm_up), samples=9, batch_size=8)
        says = F.one_hot(torch.arange(9) % 3, 3).float()
        plant(b, says, says.roll(1, 1))
        (batch,) = b.epoch(1)
        value = b.strategy.step(batch)
        made.append([value, *(p.detach().clone() for network in b.networks for p in network.parameters())])
    assert equal(*made)


def test_equal_networks_never_change(bench: Callable[..., Any]) -> None:
    """They agree on everything, so that there is nothing to learn from, with right labels and with wrong ones."""
    b = bench(Decoupling(warm_up=0))
    b.networks[1].load_state_dict(b.networks[0].state_dict())
    before = [network.weights() for network in b.networks]
    for batch in b.epoch(1):
        assert b.strategy.step(batch).item() == 0
    assert equal([network.weights() for network in b.networks], before)


def test_the_given_label_does_not_decide_what_is_learned_from(bench: Callable[..., Any]) -> None:
    """Planted: samples 1 and 6 are disagreed on, both networks contradict the label of all others."""
    b = bench(Decoupling(warm_up=0), samples=8, batch_size=8)
    given = F.one_hot(b.ctx.given_labels, 3).float()
    first, second = given.roll(1, 1), given.roll(1, 1)
    second[[1, 6]] = given[[1, 6]]
    plant(b, first, second)
    before = [network.weights()[0] for network in b.networks]
    (batch,) = b.epoch(1)
    b.strategy.step(batch)
    for network, W in zip(b.networks, before, strict=True):
        assert learned_from(W, network.weights()[0]) == {1, 6}


def test_it_does_not_say_which_labels_are_right(bench: Callable[..., Any]) -> None:
    """Disagreement tells nothing of the given label, so there is no opinion to be measured."""
    assert not hasattr(bench(Decoupling()).strategy, "clean_probability")


def test_a_run_of_warm_up_alone_is_reported(bench: Callable[..., Any]) -> None:
    """The user learns that disagreement never comes in; where it does, nothing is said."""
    said: list[str] = []
    bench(Decoupling(warm_up=10), report=said.append, epochs=10)
    assert len(said) == 1
    assert said[0].startswith("decoupling: ")
    bench(Decoupling(warm_up=9), report=said.append, epochs=10)
    assert len(said) == 1


def test_each_loss_sees_all_of_its_own_networks_predictions(bench: Callable[..., Any], recorder: Any) -> None:
    """A loss with a memory is shown the whole batch, agreed on or not, once, before it is asked."""
    losses: list[Any] = []

    def make_loss() -> Any:
        losses.append(recorder())
        return losses[-1]

    b = bench(Decoupling(warm_up=0), make_loss)
    for batch in b.epoch(1):
        before = [network.weights() for network in b.networks]
        b.strategy.step(batch)
        for loss, (W, bias) in zip(losses, before, strict=True):
            (shown, logits, index), (asked, targets, _) = loss.events
            assert (shown, asked) == ("observe", "call")
            assert index.tolist() == batch.index.tolist()
            assert targets.tolist() == batch.targets.tolist()
            np.testing.assert_allclose(logits.numpy(), W.T[index.numpy()] + bias, atol=1e-6)
            loss.events.clear()


def test_the_first_network_predicts(bench: Callable[..., Any]) -> None:
    """A published accuracy is one network's, not an ensemble's; the two start different."""
    b = bench(Decoupling())
    W, bias = b.networks[0].weights()
    logits = b.strategy.predict(torch.eye(12).view(12, 1, 1, 12)).detach().numpy()
    np.testing.assert_allclose(logits, W.T + bias, atol=1e-6)
    assert not np.array_equal(W, b.networks[1].weights()[0])


def test_resumed_equals_straight() -> None:
    """Stopped at the end of the warm-up or later, a run goes on with the same bits."""
    saved: list[Any] = []
    straight = TinyRun(Decoupling(warm_up=1), epochs=3)
    straight.train(lambda: saved.append(copy.deepcopy(straight.trainer.state_dict())))
    for done in (1, 2):
        resumed = TinyRun(Decoupling(warm_up=1), epochs=3)
        resumed.trainer.load_state_dict(saved[done - 1])
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), saved[-1])
