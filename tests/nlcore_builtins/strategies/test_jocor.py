"""JoCoR against Wei et al. 2020, eq. 1 to 5: the joint loss, who is trained on it, and that both networks are."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.strategies.jocor import JoCoR
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from torch import Tensor
from torch.nn import functional as F

import nlcore
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun

Array = NDArray[np.float64]


def learned_from(before: Array, after: Array) -> set[int]:
    """Return the samples whose column of W changed."""
    return set(np.flatnonzero((before != after).any(0)).tolist())


def leaves(network: Any) -> list[Tensor]:
    """Return W and b in double precision, to be differentiated by."""
    return [torch.from_numpy(array).requires_grad_() for array in network.weights()]


def joint_loss(first: Tensor, second: Tensor, labels: Tensor, lam: float) -> Tensor:
    """Return (1 − λ) [CE + CE] + λ [KL(p₁ ‖ p₂) + KL(p₂ ‖ p₁)], (B,), with torch's divergence of logarithms."""
    log_p, log_q = first.log_softmax(1), second.log_softmax(1)
    to_second = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(1)  # KL(p₁ ‖ p₂)
    to_first = F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(1)
    supervised = F.cross_entropy(first, labels, reduction="none") + F.cross_entropy(second, labels, reduction="none")
    return (1 - lam) * supervised + lam * (to_second + to_first)


@pytest.mark.parametrize("lam", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(
    ("samples", "classes"),
    [(25, 3), (17, 2), (9, 20)],  # batches of 8 and 9; of 20 classes some are missing
)
def test_both_descend_on_the_smallest_joint_losses(
    bench: Callable[..., Any], samples: int, classes: int, lam: float
) -> None:
    """The value and both networks' steps, gradients through both sides of both divergences, for R(T) = 3/4 and 1/2."""
    lr = 0.5
    strategy = JoCoR(lam=lam, forget_rate=0.5, num_gradual=2)
    b = bench(strategy, samples=samples, classes=classes, batch_size=8, lr=lr)
    labels, sizes = b.ctx.given_labels, set()
    for epoch, share in ((1, 0.75), (2, 0.5)):
        for batch in b.epoch(epoch):
            weights = [leaves(network) for network in b.networks]
            before = [W.detach().numpy().copy() for W, _ in weights]
            first, second = (W.T[batch.index] + bias for W, bias in weights)
            losses = joint_loss(first, second, labels[batch.index], lam)
            chosen = losses.argsort()[: int(share * len(batch.index))]
            expected = losses[chosen].mean()
            slopes = torch.autograd.grad(expected, [leaf for pair in weights for leaf in pair])
            value = strategy.step(batch)
            assert value.item() == pytest.approx(expected.item(), rel=1e-5)
            assert not value.requires_grad
            leaf = [leaf for pair in weights for leaf in pair]
            after = [array for network in b.networks for array in network.weights()]
            for old, slope, new in zip(leaf, slopes, after, strict=True):
                np.testing.assert_allclose(new, (old - lr * slope).detach().numpy(), atol=1e-5)
            for own in (0, 1):
                assert learned_from(before[own], after[2 * own]) == set(batch.index[chosen].tolist())
            sizes.add(len(batch.index))
    assert 9 in sizes  # a last single sample joined the batch before it


def test_without_agreement_and_forgetting_it_is_two_runs_of_cross_entropy(bench: Callable[..., Any]) -> None:
    """λ = 0 and τ = 0: three steps of each network on its mean loss, as if the other were not there."""
    lr = 0.5
    b = bench(JoCoR(lam=0.0, forget_rate=0.0), lr=lr)
    alone = [network.weights() for network in b.networks]
    labels = b.ctx.given_labels.numpy()
    steps = 0
    for batch in b.epoch(1):
        index = batch.index.numpy()
        for number, (W, bias) in enumerate(alone):
            slope = (softmax(W.T[index] + bias, axis=1) - np.eye(3)[labels[index]]) / len(index)
            W = W.copy()
            W[:, index] -= lr * slope.T
            alone[number] = W, bias - lr * slope.sum(0)
        b.strategy.step(batch)
        steps += 1
        for network, expected in zip(b.networks, alone, strict=True):
            for one, other in zip(network.weights(), expected, strict=True):
                np.testing.assert_allclose(one, other, atol=1e-6)
    assert steps == 3


def test_networks_that_agree_exactly_lose_nothing_by_it(bench: Callable[..., Any]) -> None:
    """Of equal networks both divergences are 0 and at their minimum: the rest is (1 − λ) of both cross-entropies."""
    b = bench(JoCoR(lam=0.75, forget_rate=0.0), samples=8, batch_size=8, lr=1.0)
    b.networks[1].load_state_dict(b.networks[0].state_dict())
    W, bias = b.networks[0].weights()
    labels = b.ctx.given_labels.numpy()
    (batch,) = b.epoch(1)
    value = b.strategy.step(batch)
    mean = -log_softmax(W.T + bias, axis=1)[np.arange(8), labels].mean()
    assert value.item() == pytest.approx(0.25 * 2 * mean, rel=1e-5)
    slope = (softmax(W.T + bias, axis=1) - np.eye(3)[labels]) / 8
    for network in b.networks:
        np.testing.assert_allclose(network.weights()[0], W - 0.25 * slope.T, atol=1e-6)


def test_planted_wrong_labels_are_left_out(bench: Callable[..., Any]) -> None:
    """Both networks contradict the label of four samples in sixteen: with τ = 1/4 these are not learned from."""
    b = bench(JoCoR(forget_rate=0.25, num_gradual=1), samples=16, batch_size=16)
    wrong = torch.tensor([0, 5, 6, 13])
    says = b.ctx.given_labels.clone()
    says[wrong] = (says[wrong] + 1) % 3
    for network in b.networks:
        with torch.no_grad():
            network.head.weight.copy_(4.0 * F.one_hot(says, 3).T)
    before = [network.weights()[0] for network in b.networks]
    (batch,) = b.epoch(1)
    b.strategy.step(batch)
    right = sorted(set(range(16)) - set(wrong.tolist()))
    for network, W in zip(b.networks, before, strict=True):
        assert sorted(learned_from(W, network.weights()[0])) == right
    assert b.strategy.clean_probability().nonzero().flatten().tolist() == right
    assert b.strategy.clean_probability().sum() == 12


@pytest.mark.parametrize(
    ("forget_rate", "num_gradual", "kept"),
    [(0.5, 4, [7, 6, 5, 4, 4]), (0.0, 10, [8, 8]), (0.9375, 1, [1, 1])],  # R(T) = 1 − min(T τ / T_k, τ), of 8
)
def test_schedule(bench: Callable[..., Any], forget_rate: float, num_gradual: int, kept: list[int]) -> None:
    """int(R(T) B) samples teach in epoch T, counted from 1, and at least one does."""
    b = bench(JoCoR(forget_rate=forget_rate, num_gradual=num_gradual), samples=16, batch_size=8)
    for epoch, number in enumerate(kept, start=1):
        for batch in b.epoch(epoch):
            before = [network.weights()[0] for network in b.networks]
            b.strategy.step(batch)
            for network, W in zip(b.networks, before, strict=True):
                assert len(learned_from(W, network.weights()[0])) == number
        assert b.strategy.clean_probability().sum() == 2 * number


def test_forget_rates_default_is_the_declared_noise_and_an_oracle(bench: Callable[..., Any]) -> None:
    """75 % exclusive noise: a quarter of a batch is kept, and the run says that it was told; else it is not."""
    noise = nlcore.create("noise", "symmetric", rate=0.75, redraw="exclusive")
    b = bench(JoCoR(num_gradual=1), noise=noise, samples=16, batch_size=16)
    assert b.ctx.oracles == ["noise rate"]
    (batch,) = b.epoch(1)
    b.strategy.step(batch)
    assert b.strategy.clean_probability().sum() == 4
    assert bench(JoCoR(forget_rate=0.2), noise=noise).ctx.oracles == []


def test_no_forget_rate_and_nothing_declared(bench: Callable[..., Any]) -> None:
    """With unknown true labels nobody can say how many are wrong: the error says what to give."""
    with pytest.raises(nlcore.UserError, match="forget_rate"):
        bench(JoCoR(), truth_known=False)


def test_each_loss_sees_all_of_its_own_networks_predictions(bench: Callable[..., Any], recorder: Any) -> None:
    """A loss with a memory is shown the whole batch, kept or not, once, before it is asked."""
    losses: list[Any] = []

    def make_loss() -> Any:
        losses.append(recorder())
        return losses[-1]

    b = bench(JoCoR(forget_rate=0.5, num_gradual=1), make_loss)
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
    b = bench(JoCoR(forget_rate=0.2))
    W, bias = b.networks[0].weights()
    logits = b.strategy.predict(torch.eye(12).view(12, 1, 1, 12)).detach().numpy()
    np.testing.assert_allclose(logits, W.T + bias, atol=1e-6)
    assert not np.array_equal(W, b.networks[1].weights()[0])


def test_adam_is_what_it_was_made_for() -> None:
    """It asks for Adam where nobody says otherwise."""
    assert JoCoR.defaults == {"optimizer": "adam"}


def test_resumed_equals_straight() -> None:
    """While R falls and after it, a run that is stopped after an epoch knows what was picked and ends the same."""
    saved: list[Any] = []
    picked: list[Any] = []
    straight = TinyRun(JoCoR(num_gradual=2), epochs=3)

    def keep() -> None:
        saved.append(copy.deepcopy(straight.trainer.state_dict()))
        picked.append(straight.strategy.clean_probability().clone())

    straight.train(keep)
    assert 0 < straight.strategy.clean_probability().sum() < 97
    for done in (1, 2):
        resumed = TinyRun(JoCoR(num_gradual=2), epochs=3)
        resumed.trainer.load_state_dict(saved[done - 1])
        assert torch.equal(resumed.strategy.clean_probability(), picked[done - 1])
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), saved[-1])
