"""Mixup against Zhang et al. 2018, with λ and the partners read off the images that the network was shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.special import log_softmax, softmax

import nlcore

Array = NDArray[np.float64]


def read_off(seen: torch.Tensor, index: torch.Tensor) -> tuple[float, NDArray[np.int64]] | None:
    """Return λ and each image's partner, from images λ e_i + (1 − λ) e_j; None where each is its own partner."""
    x, own = seen.double().numpy(), index.numpy()
    rest = x.copy()
    rest[np.arange(len(own)), own] = 0
    mixed = np.flatnonzero(rest.any(1))
    if not len(mixed):
        return None
    partners = own.copy()
    partners[mixed] = rest[mixed].argmax(1)
    return float(x[mixed[0], own[mixed[0]]]), partners


def test_images_are_convex_combinations(bench: Callable[..., Any]) -> None:
    """x̃_i = λ x_i + (1 − λ) x_j with one λ for the batch and j a permutation of it, for every step and epoch."""
    b = bench(nlcore.create("strategy", "mixup", alpha=1.0), samples=13)  # batches of 4, 4 and 5
    sizes, orders = [], set()
    for epoch in range(1, 9):
        for batch in b.epoch(epoch):
            b.strategy.step(batch)
            seen = b.networks[0].seen[-1]
            found = read_off(seen, batch.index)
            lam, partners = found or (1.0, batch.index.numpy())
            assert 0 <= lam <= 1
            assert sorted(partners) == sorted(batch.index.tolist())
            expected = lam * np.eye(13)[batch.index.numpy()] + (1 - lam) * np.eye(13)[partners]
            np.testing.assert_allclose(seen.numpy(), expected, atol=1e-6)
            sizes.append(len(partners))
            orders.add(tuple(batch.index.tolist().index(j) for j in partners))
    assert sizes == [4, 4, 5] * 8
    assert len(orders) > 8  # of 24 and 120 that are possible


def test_loss_and_step(bench: Callable[..., Any]) -> None:
    """ℓ̃ = λ ℓ(f(x̃), y_i) + (1 − λ) ℓ(f(x̃), y_j): the value, and the step it leads to."""
    b = bench(nlcore.create("strategy", "mixup", alpha=1.0), lr=0.5)
    mixed = 0
    for epoch in (1, 2):
        for batch in b.epoch(epoch):
            W, bias = b.networks[0].weights()
            value = b.strategy.step(batch)
            x = b.networks[0].seen[-1]
            lam, partners = read_off(x, batch.index) or (1.0, batch.index.numpy())
            labels, rows = b.ctx.given_labels.numpy(), np.arange(len(partners))
            own, other = labels[batch.index.numpy()], labels[partners]
            mixed += int((own != other).any() and 0.1 < lam < 0.9)
            x = x.double().numpy()
            f = x @ W.T + bias
            log_p = log_softmax(f, axis=1)
            losses = -lam * log_p[rows, own] - (1 - lam) * log_p[rows, other]
            assert value.item() == pytest.approx(losses.mean(), rel=1e-5)
            assert not value.requires_grad
            target = lam * np.eye(3)[own] + (1 - lam) * np.eye(3)[other]
            slope = (softmax(f, axis=1) - target) / len(f)
            np.testing.assert_allclose(b.networks[0].weights()[0], W - 0.5 * slope.T @ x, atol=1e-5)
            np.testing.assert_allclose(b.networks[0].weights()[1], bias - 0.5 * slope.sum(0), atol=1e-5)
    assert mixed >= 2  # else this saw no mixed label


def draw_lambdas(b: Any, epochs: int) -> Array:
    """Return the λ of every step in which images were mixed with others."""
    found = []
    for epoch in range(1, epochs + 1):
        for batch in b.epoch(epoch):
            b.strategy.step(batch)
            found.append(read_off(b.networks[0].seen.pop(), batch.index))
    return np.array([pair[0] for pair in found if pair])


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_lambda_follows_beta(bench: Callable[..., Any], alpha: float) -> None:
    """Over many epochs: mean 1/2, variance 1 / (4 (2 α + 1)), and the whole distribution by Kolmogorov-Smirnov."""
    lam = draw_lambdas(bench(nlcore.create("strategy", "mixup", alpha=alpha), samples=64), 30)
    assert len(lam) > 400
    variance = 1 / (4 * (2 * alpha + 1))
    assert lam.mean() == pytest.approx(0.5, abs=5 * np.sqrt(variance / len(lam)))
    fourth = stats.beta(alpha, alpha).stats(moments="k") + 3
    assert lam.var() == pytest.approx(variance, rel=5 * np.sqrt((fourth - 1) / len(lam)))
    assert stats.kstest(lam, stats.beta(alpha, alpha).cdf).pvalue > 1e-4


def test_default_mixes_little(bench: Callable[..., Any]) -> None:
    """α = 0.2 by default: distinguishable from the uniform law of α = 1."""
    lam = draw_lambdas(bench(nlcore.create("strategy", "mixup"), samples=64), 15)
    assert stats.kstest(lam, stats.beta(0.2, 0.2).cdf).pvalue > 1e-4
    assert stats.kstest(lam, stats.uniform.cdf).pvalue < 1e-6


def test_the_sample_that_weighs_more_is_observed(bench: Callable[..., Any], recorder: Any) -> None:
    """f(x̃) is shown as the prediction for i where λ ≥ 1/2 and else for j, once, before the loss is asked."""
    loss = recorder()
    b = bench(nlcore.create("strategy", "mixup", alpha=1.0), lambda: loss)
    heavier = {True: 0, False: 0}
    for epoch in range(1, 5):
        for batch in b.epoch(epoch):
            loss.events.clear()
            W, bias = b.networks[0].weights()
            b.strategy.step(batch)
            x = b.networks[0].seen[-1]
            lam, partners = read_off(x, batch.index) or (1.0, batch.index.numpy())
            heavier[lam >= 0.5] += 1
            assert [event[0] for event in loss.events] == ["observe", "call", "call"]
            (_, logits, observed), (_, own, first), (_, other, second) = loss.events
            np.testing.assert_allclose(logits.detach().numpy(), x.numpy() @ W.T + bias, atol=1e-5)
            assert observed.tolist() == (batch.index.tolist() if lam >= 0.5 else partners.tolist())
            assert first.tolist() == batch.index.tolist()
            assert second.tolist() == partners.tolist()
            assert torch.equal(own, b.ctx.given_labels[first])
            assert torch.equal(other, b.ctx.given_labels[second])
    assert min(heavier.values()) > 0


def test_early_learning_regularisation_remembers_the_heavier(bench: Callable[..., Any]) -> None:
    """With ELR itself: its memory of a sample is (1 − β) p of the image in which it weighs more."""
    made = []

    def make_loss() -> Any:
        made.append(nlcore.create("loss", "elr", beta=0.6))
        return made[-1]

    b = bench(nlcore.create("strategy", "mixup", alpha=1.0), make_loss)
    expected = np.zeros((12, 3))
    for batch in b.epoch(1):
        W, bias = b.networks[0].weights()
        b.strategy.step(batch)
        x = b.networks[0].seen[-1].double().numpy()
        heavy = np.array([row.argmax() for row in x])
        expected[heavy] = 0.4 * softmax(x @ W.T + bias, axis=1)
    np.testing.assert_allclose(made[0].state_dict()["t"].numpy(), expected, atol=1e-6)


def test_draws_are_keyed_by_seed_and_epoch(bench: Callable[..., Any]) -> None:
    """An epoch can be replayed by itself; other epochs and seeds mix otherwise."""

    def shown(seed: int, epoch: int) -> torch.Tensor:
        b = bench(nlcore.create("strategy", "mixup", alpha=1.0), seed=seed)
        for batch in b.epoch(epoch):
            b.strategy.step(batch)
        return torch.cat(b.networks[0].seen)

    first = shown(1, 3)
    assert torch.equal(shown(1, 3), first)
    assert not torch.equal(shown(1, 4), first)
    assert not torch.equal(shown(2, 3), first)


def test_predict_mixes_nothing(bench: Callable[..., Any]) -> None:
    """Only training images are mixed."""
    b = bench(nlcore.create("strategy", "mixup"))
    images = torch.randn(5, 1, 1, 12)
    W, bias = b.networks[0].weights()
    expected = images.flatten(1).numpy() @ W.T + bias
    np.testing.assert_allclose(b.strategy.predict(images).detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("alpha", [0, -1, "abc", float("inf")])
def test_wrong_parameters(alpha: object) -> None:
    """Beta(α, α) needs α above 0."""
    with pytest.raises(nlcore.ParameterError, match=r"strategy\.alpha"):
        nlcore.create("strategy", "mixup", alpha=alpha)
