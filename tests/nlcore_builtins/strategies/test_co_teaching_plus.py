"""Co-teaching+ against Yu et al. 2019, algorithm 1, and against co-teaching, of which it is a special case twice."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.strategies.co_teaching_plus import CoTeachingPlus
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from torch.nn import functional as F

import nlcore
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun

Array = NDArray[np.float64]


def learned_from(before: Array, after: Array) -> set[int]:
    """Return the samples whose column of W changed."""
    return set(np.flatnonzero((before != after).any(0)).tolist())


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
def test_each_network_learns_from_the_others_picks_among_disagreement(
    bench: Callable[..., Any], samples: int, classes: int
) -> None:
    """The value and both steps: ⌊λ(e) |D̄'|⌋ smallest losses of D̄' for one network are what the other descends on."""
    lr = 0.5
    strategy = CoTeachingPlus(init_epoch=1, forget_rate=0.5, num_gradual=2)
    b = bench(strategy, samples=samples, classes=classes, batch_size=8, lr=lr)
    labels = b.ctx.given_labels.numpy()
    several = swapped = 0
    for epoch, share in ((1, 0.75), (2, 0.5)):
        for batch in b.epoch(epoch):
            index = batch.index.numpy()
            before = [network.weights() for network in b.networks]
            logits = [W.T[index] + bias for W, bias in before]
            among = index[logits[0].argmax(1) != logits[1].argmax(1)]
            value = strategy.step(batch)
            if not len(among):
                assert value.item() == 0
                continue
            count = max(1, int(share * len(among)))
            several += count > 1
            picks = []
            for W, bias in before:
                losses = -log_softmax(W.T[among] + bias, axis=1)[np.arange(len(among)), labels[among]]
                picks.append(among[np.argsort(losses)[:count]])
            swapped += set(picks[0]) != set(picks[1])
            means = []
            for own, (W, bias) in enumerate(before):
                chosen = picks[1 - own]
                new_W, new_bias = b.networks[own].weights()
                assert learned_from(W, new_W) == set(chosen.tolist())
                f = W.T[chosen] + bias
                slope = (softmax(f, axis=1) - np.eye(classes)[labels[chosen]]) / count
                expected = W.copy()
                expected[:, chosen] -= lr * slope.T
                np.testing.assert_allclose(new_W, expected, atol=1e-5)
                np.testing.assert_allclose(new_bias, bias - lr * slope.sum(0), atol=1e-5)
                means.append(-log_softmax(f, axis=1)[np.arange(count), labels[chosen]].mean())
            assert value.item() == pytest.approx(np.mean(means), rel=1e-5)
            assert not value.requires_grad
    assert several
    if classes == 3:
        assert swapped  # else it cannot be told who picked for whom


@pytest.mark.parametrize("init_epoch", [4, 20])
def test_before_its_first_epoch_it_is_co_teaching_bit_for_bit(init_epoch: int) -> None:
    """Weights, optimisers, running statistics and picks, with dropout and augmentation."""
    plus = TinyRun(CoTeachingPlus(init_epoch=init_epoch, num_gradual=2), epochs=3)
    plain = TinyRun(nlcore.create("strategy", "co_teaching", num_gradual=2), epochs=3)
    assert plus.train()[-1]["train_loss"] == plain.train()[-1]["train_loss"]
    assert equal(plus.trainer.state_dict(), plain.trainer.state_dict())


def test_from_its_first_epoch_on_it_is_not() -> None:
    """The epochs before stay the same; the one that is named differs."""
    plus = TinyRun(CoTeachingPlus(init_epoch=3, num_gradual=2), epochs=3)
    plain = TinyRun(nlcore.create("strategy", "co_teaching", num_gradual=2), epochs=3)
    losses = [[row["train_loss"] for row in run.train()] for run in (plus, plain)]
    assert losses[0][:2] == losses[1][:2]
    assert losses[0][2] != losses[1][2]


@pytest.mark.parametrize("init_epoch", [0, 1])
def test_networks_that_disagree_on_everything_are_co_teaching(bench: Callable[..., Any], init_epoch: int) -> None:
    """D̄' is the whole batch then: the same step, bit for bit, from the first epoch on."""
    noise = torch.rand(2, 9, 3, generator=torch.Generator().manual_seed(3))
    says = 2 * F.one_hot(torch.arange(9) % 3, 3)
    made = []
    for strategy in (
        CoTeachingPlus(init_epoch=init_epoch, forget_rate=0.5, num_gradual=2),
        nlcore.create("strategy", "co_teaching", forget_rate=0.5, num_gradual=2),
    ):
        b = bench(strategy, samples=9, batch_size=8)
        plant(b, noise[0] + says, noise[1] + says.roll(1, 1))
        (batch,) = b.epoch(1)
        b.strategy.step(batch)
        made.append([*(p.detach().clone() for n in b.networks for p in n.parameters()), b.strategy.clean_probability()])
    assert equal(*made)


def test_networks_that_agree_learn_nothing(bench: Callable[..., Any]) -> None:
    """An empty D̄' gives the value 0, leaves the weights as they are and says nothing new of any sample."""
    b = bench(CoTeachingPlus(init_epoch=2, forget_rate=0.5, num_gradual=1), samples=16, batch_size=8)
    for batch in b.epoch(1):
        b.strategy.step(batch)
    b.networks[1].load_state_dict(b.networks[0].state_dict())
    picked, before = b.strategy.clean_probability().clone(), [network.weights() for network in b.networks]
    assert 0 < picked.sum() < 16
    for batch in b.epoch(2):
        assert b.strategy.step(batch).item() == 0
    assert torch.equal(b.strategy.clean_probability(), picked)
    assert equal([network.weights() for network in b.networks], before)


def test_planted_wrong_labels_are_left_out(bench: Callable[..., Any]) -> None:
    """Of 20 samples, 4 are agreed on; of the 16 others 4 have wrong labels, which τ = 1/4 leaves out."""
    strategy = CoTeachingPlus(init_epoch=1, forget_rate=0.25, num_gradual=1)
    b = bench(strategy, samples=20, batch_size=20)
    agreed, wrong = [3, 7, 11, 19], [0, 5, 6, 13]
    given = F.one_hot(b.ctx.given_labels, 3).float()
    first, second = 2 * given, 2 * given + 2.5 * given.roll(1, 1)  # the label, and another class just before it
    first[wrong], second[wrong] = 6 * given[wrong].roll(1, 1), 6 * given[wrong].roll(2, 1)
    first[agreed] = second[agreed] = 9 * given[agreed]  # the smallest losses of all
    plant(b, first, second)
    before = [network.weights()[0] for network in b.networks]
    (batch,) = b.epoch(1)
    b.strategy.step(batch)
    right = set(range(20)) - set(agreed) - set(wrong)
    for network, W in zip(b.networks, before, strict=True):
        assert learned_from(W, network.weights()[0]) == right
    assert b.strategy.clean_probability()[wrong].tolist() == [0] * 4
    assert b.strategy.clean_probability()[agreed].tolist() == [1] * 4  # as before any step: they are not judged
    assert b.strategy.clean_probability()[sorted(right)].tolist() == [1] * 12


def test_one_sample_of_disagreement_is_kept_whatever_is_forgotten(bench: Callable[..., Any]) -> None:
    """⌊(1 − τ) · 1⌋ is 0, which would be a step on nothing."""
    b = bench(CoTeachingPlus(init_epoch=1, forget_rate=0.9, num_gradual=1), samples=8, batch_size=8)
    first = 5 * F.one_hot(b.ctx.given_labels, 3).float()
    second = first.clone()
    second[4] = first[4].roll(1)
    plant(b, first, second)
    before = [network.weights()[0] for network in b.networks]
    (batch,) = b.epoch(1)
    b.strategy.step(batch)
    for network, W in zip(b.networks, before, strict=True):
        assert learned_from(W, network.weights()[0]) == {4}


def test_a_first_epoch_beyond_the_run_is_reported(bench: Callable[..., Any]) -> None:
    """The user learns that it is co-teaching; where the epoch comes, nothing is said."""
    said: list[str] = []
    bench(CoTeachingPlus(init_epoch=11, forget_rate=0.2), report=said.append, epochs=10)
    assert len(said) == 1
    assert said[0].startswith("co_teaching_plus: ")
    bench(CoTeachingPlus(init_epoch=10, forget_rate=0.2), report=said.append, epochs=10)
    assert len(said) == 1


def test_forget_rates_default_is_the_declared_noise_and_an_oracle(bench: Callable[..., Any]) -> None:
    """75 % exclusive noise: a quarter of a batch is kept by each network, and the run says that it was told."""
    noise = nlcore.create("noise", "symmetric", rate=0.75, redraw="exclusive")
    b = bench(CoTeachingPlus(num_gradual=1), noise=noise, samples=16, batch_size=16)
    assert b.ctx.oracles == ["noise rate"]
    (batch,) = b.epoch(1)
    b.strategy.step(batch)
    assert b.strategy.clean_probability().sum() == 4
    assert bench(CoTeachingPlus(forget_rate=0.2), noise=noise).ctx.oracles == []


def test_no_forget_rate_and_nothing_declared(bench: Callable[..., Any]) -> None:
    """With unknown true labels nobody can say how many are wrong: the error says what to give."""
    with pytest.raises(nlcore.UserError, match="forget_rate"):
        bench(CoTeachingPlus(), truth_known=False)


def test_each_loss_sees_all_of_its_own_networks_predictions(bench: Callable[..., Any], recorder: Any) -> None:
    """A loss with a memory is shown the whole batch, agreed on or not, once, before it is asked."""
    losses: list[Any] = []

    def make_loss() -> Any:
        losses.append(recorder())
        return losses[-1]

    b = bench(CoTeachingPlus(init_epoch=1, forget_rate=0.5, num_gradual=1), make_loss)
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
    b = bench(CoTeachingPlus(forget_rate=0.2))
    W, bias = b.networks[0].weights()
    logits = b.strategy.predict(torch.eye(12).view(12, 1, 1, 12)).detach().numpy()
    np.testing.assert_allclose(logits, W.T + bias, atol=1e-6)
    assert not np.array_equal(W, b.networks[1].weights()[0])


def test_adam_is_what_it_was_made_for() -> None:
    """It asks for Adam where nobody says otherwise."""
    assert CoTeachingPlus.defaults == {"optimizer": "adam"}


def test_resumed_equals_straight() -> None:
    """Stopped in the phase of co-teaching or in that of disagreement, a run goes on with the same bits."""
    saved: list[Any] = []
    straight = TinyRun(CoTeachingPlus(init_epoch=2, num_gradual=2), epochs=3)
    straight.train(lambda: saved.append(copy.deepcopy(straight.trainer.state_dict())))
    assert set(straight.strategy.clean_probability().tolist()) == {0, 0.5, 1}
    for done in (1, 2):
        resumed = TinyRun(CoTeachingPlus(init_epoch=2, num_gradual=2), epochs=3)
        resumed.trainer.load_state_dict(saved[done - 1])
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), saved[-1])
