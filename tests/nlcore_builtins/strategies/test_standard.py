"""Standard training against stochastic gradient descent written out in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

import nlcore


def test_an_epoch_is_gradient_descent(bench: Callable[..., Any]) -> None:
    """Two epochs of softmax regression with momentum and weight decay, step by step."""
    lr, momentum, decay = 0.5, 0.9, 0.01
    b = bench(nlcore.create("strategy", "standard"), lr=lr, momentum=momentum, weight_decay=decay)
    (network,) = b.networks
    W, bias = network.weights()
    speed_W, speed_bias = np.zeros_like(W), np.zeros_like(bias)
    for epoch in (1, 2):
        for batch in b.epoch(epoch):
            x, y = batch.images.flatten(1).double().numpy(), batch.targets.numpy()
            f = x @ W.T + bias
            value = b.strategy.step(batch)
            expected = -log_softmax(f, axis=1)[np.arange(len(y)), y].mean()
            assert value.item() == pytest.approx(expected, rel=1e-5)
            assert value.shape == ()
            assert not value.requires_grad
            slope = (softmax(f, axis=1) - np.eye(3)[y]) / len(y)
            speed_W = momentum * speed_W + slope.T @ x + decay * W
            speed_bias = momentum * speed_bias + slope.sum(0) + decay * bias
            W, bias = W - lr * speed_W, bias - lr * speed_bias
            np.testing.assert_allclose(network.weights()[0], W, atol=1e-5)
            np.testing.assert_allclose(network.weights()[1], bias, atol=1e-5)


def test_every_sample_is_shown_with_its_given_label(bench: Callable[..., Any], recorder: Any) -> None:
    """One observation and one question a step, in this order, for the same samples; all N of them in an epoch."""
    loss = recorder()
    b = bench(nlcore.create("strategy", "standard"), lambda: loss)
    shown = []
    for batch in b.epoch(1):
        loss.events.clear()
        with torch.no_grad():
            logits = b.networks[0](batch.images)
        b.strategy.step(batch)
        (first, observed, seen), (second, targets, asked) = loss.events
        assert (first, second) == ("observe", "call")
        torch.testing.assert_close(observed, logits)
        assert torch.equal(seen, batch.index)
        assert torch.equal(asked, batch.index)
        assert torch.equal(targets, b.ctx.given_labels[batch.index])
        assert torch.equal(b.networks[0].seen[-1], torch.eye(12)[batch.index])
        shown += batch.index.tolist()
    assert sorted(shown) == list(range(12))


def test_early_learning_regularisation_remembers_its_own_sample(bench: Callable[..., Any]) -> None:
    """After one epoch ELR's memory of a sample is (1 − β) p, as predicted before the step that used it."""
    made = []

    def make_loss() -> Any:
        made.append(nlcore.create("loss", "elr", beta=0.6))
        return made[-1]

    b = bench(nlcore.create("strategy", "standard"), make_loss)
    expected = np.zeros((12, 3))
    for batch in b.epoch(1):
        W, bias = b.networks[0].weights()
        index = batch.index.numpy()
        expected[index] = 0.4 * softmax(W.T[index] + bias, axis=1)
        b.strategy.step(batch)
    np.testing.assert_allclose(made[0].state_dict()["t"].numpy(), expected, atol=1e-6)


def test_predict_is_the_networks(bench: Callable[..., Any]) -> None:
    """Logits, and nothing else happens."""
    b = bench(nlcore.create("strategy", "standard"))
    before = b.networks[0].weights()
    images = torch.randn(5, 1, 1, 12)
    logits = b.strategy.predict(images)
    W, bias = before
    np.testing.assert_allclose(logits.detach().numpy(), images.flatten(1).numpy() @ W.T + bias, atol=1e-5)
    assert all(np.array_equal(now, then) for now, then in zip(b.networks[0].weights(), before, strict=True))


def test_one_network_from_the_seed(bench: Callable[..., Any]) -> None:
    """The same seed starts with the same weights, another one with others."""
    starts = [bench(nlcore.create("strategy", "standard"), seed=seed).networks for seed in (1, 1, 2)]
    assert [len(networks) for networks in starts] == [1, 1, 1]
    first, again, other = (networks[0].weights()[0] for networks in starts)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
