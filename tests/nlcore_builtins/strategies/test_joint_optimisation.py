"""Joint optimisation against Tanaka et al. 2018: the objective, the labels it finds, and the second network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers import same_tensors
from nlcore_builtins.strategies.joint_optimisation import JointOptimisation
from numpy.typing import NDArray
from resuming import copied
from scipy.special import softmax
from torch.nn import functional as F

import nlcore
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun
from nlcore.training.schedules import cosine

Array = NDArray[np.float64]


def predictions(b: Any, index: torch.Tensor) -> Array:
    """Return the softmax (B, K) of samples whose image is a unit vector."""
    W, bias = b.networks[0].weights()
    result: Array = softmax(W.T[index.numpy()] + bias, axis=1)
    return result


def test_without_terms_and_corrections_it_is_standard_training(bench: Callable[..., Any]) -> None:
    """α = β = 0 and labels that are never corrected: the same weights after each step."""
    never = JointOptimisation(alpha=0.0, beta=0.0, start=1.0, first=1.0)
    ours, theirs = bench(never, momentum=0.9), bench(nlcore.create("strategy", "standard"), momentum=0.9)
    for own, other in zip(ours.epoch(1), theirs.epoch(1), strict=True):
        value, expected = ours.strategy.step(own), theirs.strategy.step(other)
        assert value.item() == pytest.approx(expected.item(), rel=1e-6)
        for one, two in zip(ours.networks[0].weights(), theirs.networks[0].weights(), strict=True):
            np.testing.assert_allclose(one, two, atol=1e-6)


def test_objective_and_step(bench: Callable[..., Any]) -> None:
    """Cross-entropy of q, α KL(1/K ‖ mean p), β mean H(p); written out in float64, batches of 4, 4 and 5."""
    alpha, beta, lr, K = 0.7, 0.4, 0.5, 3
    b = bench(JointOptimisation(alpha=alpha, beta=beta), samples=13, lr=lr)
    q = np.random.default_rng(2).dirichlet(np.ones(K), 13)
    state = b.strategy.state_dict()
    b.strategy.load_state_dict({**state, "q": torch.from_numpy(q)})
    sizes = []
    for batch in b.epoch(1):
        W, bias = (torch.from_numpy(values).requires_grad_() for values in b.networks[0].weights())
        p = torch.softmax(W.T[batch.index] + bias, dim=1)
        classification = -(torch.from_numpy(q)[batch.index] * p.log()).sum(1).mean()
        prior = (1 / K * (1 / K / p.mean(0)).log()).sum()
        entropy = -(p * p.log()).sum(1).mean()
        expected = classification + alpha * prior + beta * entropy
        slopes = torch.autograd.grad(expected, (W, bias))
        value = b.strategy.step(batch)
        assert value.item() == pytest.approx(expected.item(), rel=1e-5)
        assert not value.requires_grad
        for new, old, slope in zip(b.networks[0].weights(), (W, bias), slopes, strict=True):
            np.testing.assert_allclose(new, (old - lr * slope).detach().numpy(), atol=1e-5)
        sizes.append(len(batch.index))
    assert sizes == [4, 4, 5]


@pytest.mark.parametrize("window", [1, 2, 10])
def test_labels_are_the_mean_prediction_of_the_last_epochs(bench: Callable[..., Any], window: int) -> None:
    """As of each sample's training step; given labels stay until the start, and fewer epochs count where there are."""
    b = bench(JointOptimisation(window=window, start=0.3, first=0.8), epochs=10)  # corrected from epoch 4 on
    given = np.eye(3)[b.ctx.given_labels.numpy()]
    past: list[Array] = []
    for epoch in range(1, 9):
        seen = np.zeros((12, 3))
        for batch in b.epoch(epoch):
            expected = np.mean(past[-window:], axis=0) if epoch > 3 else given
            np.testing.assert_allclose(b.strategy.q.numpy(), expected, atol=1e-5)
            seen[batch.index.numpy()] = predictions(b, batch.index)
            b.strategy.step(batch)
        past.append(seen)
        if epoch <= 3:
            assert b.strategy.clean_probability() is None
            assert b.strategy.suggested_labels() is None
        else:
            own = expected[np.arange(12), b.ctx.given_labels.numpy()]
            np.testing.assert_allclose(b.strategy.clean_probability().numpy(), own, atol=1e-5)
            assert b.strategy.suggested_labels().tolist() == expected.argmax(1).tolist()


def test_an_epoch_that_leaves_a_sample_out_says_nothing_of_it(bench: Callable[..., Any]) -> None:
    """Two of six batches an epoch: the mean is over those of the last three epochs that showed it, else q stays."""
    strategy = JointOptimisation(window=3, start=0.1, first=1.0)  # corrected from epoch 2 on
    b = bench(strategy, samples=24, epochs=10, epoch_batches=2)
    q = np.eye(3)[b.ctx.given_labels.numpy()]
    past: list[dict[int, Array]] = []
    for epoch in range(1, 8):
        for i in range(24):
            seen = [one[i] for one in past[-3:] if i in one]
            q[i] = np.mean(seen, axis=0) if seen else q[i]
        shown: dict[int, Array] = {}
        for batch in b.epoch(epoch):
            np.testing.assert_allclose(b.strategy.q.numpy(), q, atol=1e-5)
            shown |= dict(zip(batch.index.tolist(), predictions(b, batch.index), strict=True))
            b.strategy.step(batch)
        assert len(shown) == 8
        past.append(shown)


def test_the_second_step_trains_a_new_network_on_the_labels_alone(bench: Callable[..., Any]) -> None:
    """Fresh weights, cross-entropy of the last q, no terms; and q stays."""
    lr = 0.5
    b = bench(JointOptimisation(start=0.2, first=0.4, window=2), epochs=5, lr=lr)
    past = []
    for epoch in (1, 2):
        seen = np.zeros((12, 3))
        for batch in b.epoch(epoch):
            seen[batch.index.numpy()] = predictions(b, batch.index)
            b.strategy.step(batch)
        past.append(seen)
    trained, q = b.networks[0].weights(), np.mean(past, axis=0)
    for epoch in (3, 4, 5):
        for number, batch in enumerate(b.epoch(epoch)):
            W, _ = b.networks[0].weights()
            if (epoch, number) == (3, 0):
                assert abs(W - trained[0]).max() > 0.1
                assert abs(W).max() <= 12**-0.5  # as a linear layer is drawn
            index = batch.index.numpy()
            p = predictions(b, batch.index)
            value = b.strategy.step(batch)
            assert value.item() == pytest.approx(-(q[index] * np.log(p)).sum(1).mean(), rel=1e-4)
            slope = (p - q[index]) / len(index)
            expected = W.copy()
            expected[:, index] -= lr * slope.T
            np.testing.assert_allclose(b.networks[0].weights()[0], expected, atol=1e-5)
        np.testing.assert_allclose(b.strategy.q.numpy(), q, atol=1e-5)


def test_the_rate_is_constant_until_the_second_step(bench: Callable[..., Any]) -> None:
    """The run's schedule begins with it."""
    b = bench(JointOptimisation(start=0.2, first=0.4), epochs=10, lr=0.5)
    assert [b.strategy.stage(epoch) for epoch in (1, 4, 5, 10)] == [(1, 4), (1, 4), (5, 10), (5, 10)]
    for epoch, rate in ((1, 0.5), (4, 0.5), (5, 0.25)):
        b.strategy.begin_epoch(epoch)
        b.ctx.optimizers.set_rates(cosine(0.5), epoch)
        assert [group["lr"] for group in b.strategy.optimizer.param_groups] == [rate]


def test_a_sample_that_was_never_seen_keeps_its_label(bench: Callable[..., Any]) -> None:
    """As where classes are balanced, and some samples are not drawn."""
    b = bench(JointOptimisation(start=0.1), epochs=10)
    batches = list(b.epoch(1))
    for batch in batches[:-1]:
        b.strategy.step(batch)
    b.strategy.begin_epoch(2)
    left_out = batches[-1].index
    assert torch.equal(b.strategy.q[left_out], F.one_hot(b.ctx.given_labels[left_out], 3).float())
    torch.testing.assert_close(b.strategy.q.sum(1), torch.ones(12))


@pytest.mark.parametrize("classes", [2, 30])
def test_two_classes_and_classes_that_are_missing(bench: Callable[..., Any], classes: int) -> None:
    """Every step is finite in both steps, and labels are classes."""
    b = bench(JointOptimisation(start=0.3, first=0.5), classes=classes, samples=13, epochs=8)
    for epoch in range(1, 9):
        for batch in b.epoch(epoch):
            assert b.strategy.step(batch).isfinite()
    assert int(b.strategy.suggested_labels().max()) < classes
    torch.testing.assert_close(b.strategy.q.sum(1), torch.ones(13))


def test_each_network_has_its_own_memory(bench: Callable[..., Any]) -> None:
    """ELR remembers nothing of the first network when the second begins."""
    made: list[Any] = []

    def make_loss() -> Any:
        made.append(nlcore.create("loss", "elr"))
        return made[-1]

    b = bench(JointOptimisation(start=0.2, first=0.4), make_loss, epochs=5)
    for epoch in (1, 2):
        for batch in b.epoch(epoch):
            b.strategy.step(batch)
    assert [bool(loss.t.any()) for loss in made] == [True, False]
    first = made[0].t.clone()
    for batch in b.epoch(3):
        b.strategy.step(batch)
    assert torch.equal(made[0].t, first)
    assert made[1].t.any()


@pytest.mark.parametrize("done", [1, 2, 3, 4])
def test_a_run_can_be_resumed_in_each_phase(done: int) -> None:
    """Given labels in epoch 1, corrected ones in 2 and 3, the second step in 4 and 5: the same bits with a stop."""

    def make() -> TinyRun:
        return TinyRun(JointOptimisation(start=0.2, first=0.6, window=2), 5)

    straight = make()
    saved: list[Any] = []
    straight.train(lambda: saved.append(copied(straight.trainer.state_dict())))
    resumed = make()
    resumed.trainer.load_state_dict(saved[done - 1])
    resumed.train(done=done)
    assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())
    assert same_tensors([resumed.strategy.clean_probability()], [straight.strategy.clean_probability()])


def test_it_refuses_losses_that_take_no_distribution() -> None:
    assert JointOptimisation().refuses(nlcore.create("loss", "cross_entropy")) is None
    assert "distributions" in (JointOptimisation().refuses(nlcore.create("loss", "sop")) or "")


@pytest.mark.parametrize(("epochs", "said"), [(1, 1), (2, 0), (20, 0)])
def test_it_reports_where_no_label_is_corrected(bench: Callable[..., Any], epochs: int, said: int) -> None:
    lines: list[str] = []
    bench(JointOptimisation(), epochs=epochs, report=lines.append)
    assert len([line for line in lines if "before labels are corrected" in line]) == said


def test_the_second_step_begins_after_the_first_correction() -> None:
    with pytest.raises(ValueError, match=r"start = 0.7 must be at most first = 0.6"):
        JointOptimisation(start=0.7, first=0.6)
