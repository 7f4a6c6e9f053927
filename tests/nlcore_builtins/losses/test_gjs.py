"""The divergence of a label and several predictions, against its definition, and how a run hands the views to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from formulas import Array
from helpers import make_data, make_trainer, prepared, squares
from scipy.stats import entropy
from torch import Tensor

import nlcore


def draw(views: int, classes: int = 5, samples: int = 6) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(views)
    logits = torch.randn(samples, views, classes, generator=random, dtype=torch.float64) * 2
    return logits, torch.randint(classes, (samples,), generator=random)


def formula(logits: Tensor, y: Array, pi1: float) -> Array:
    """Return H(Σ π p) − Σ π H(p) over Z, by scipy's entropy."""
    p, views = logits.softmax(2).numpy(), logits.shape[1]
    weight = (1 - pi1) / views
    mean = pi1 * y + weight * p.sum(1)
    divergence = entropy(mean, axis=1) - pi1 * entropy(y, axis=1) - weight * entropy(p, axis=2).sum(1)
    result: Array = divergence / (-(1 - pi1) * np.log(1 - pi1))
    return result


@pytest.mark.parametrize("pi1", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("views", [1, 2, 5])
def test_value(views: int, pi1: float) -> None:
    logits, targets = draw(views)
    losses = nlcore.create("loss", "gjs", pi1=pi1, predictions=views)(logits, targets)
    np.testing.assert_allclose(losses.numpy(), formula(logits, np.eye(5)[targets.numpy()], pi1), rtol=1e-10)
    soft = torch.full((6, 5), 0.2, dtype=torch.float64)
    losses = nlcore.create("loss", "gjs", pi1=pi1)(logits, soft)
    np.testing.assert_allclose(losses.numpy(), formula(logits, soft.numpy(), pi1), rtol=1e-10)


def test_gradient() -> None:
    logits, targets = draw(3)
    loss = nlcore.create("loss", "gjs")
    assert torch.autograd.gradcheck(lambda z: loss(z, targets), (logits.requires_grad_(),))


def test_one_prediction_is_jensen_shannon() -> None:
    logits, targets = draw(1)
    one, other = (nlcore.create("loss", name, pi1=0.7) for name in ("gjs", "jensen_shannon"))
    torch.testing.assert_close(one(logits, targets), other(logits[:, 0], targets), rtol=1e-10, atol=0)
    torch.testing.assert_close(one(logits[:, 0], targets), other(logits[:, 0], targets), rtol=1e-10, atol=0)


def test_equal_predictions_are_as_one() -> None:
    logits, targets = draw(1)
    loss = nlcore.create("loss", "gjs")
    torch.testing.assert_close(loss(logits.expand(-1, 4, -1), targets), loss(logits, targets))


class Noting:
    """GJS that notes the shapes of what it is asked."""

    def __init__(self, views: int) -> None:
        self.inner = nlcore.create("loss", "gjs", predictions=views)
        self.views = views
        self.asked: list[tuple[int, ...]] = []
        self.logits: list[Tensor] = []

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Any:
        """Return the losses."""
        self.asked.append(tuple(logits.shape))
        self.logits.append(logits.detach().clone())
        return self.inner(logits, targets, index)


def trained(strategy: str, views: int) -> tuple[Noting, list[Tensor]]:
    loss = Noting(views)
    data = prepared(make_data(*squares(20)))
    trainer = make_trainer(nlcore.create("strategy", strategy), data, make_loss=lambda: loss, batch_size=8, epochs=1)
    trainer.train_epoch(1)
    return loss, [p.detach().clone() for network in trainer.ctx.networks.values() for p in network.parameters()]


def test_the_standard_strategy_gives_a_loss_the_views_that_it_asks_for() -> None:
    loss, _ = trained("standard", 3)
    assert loss.asked == [(8, 3, 4), (8, 3, 4), (4, 3, 4)]
    first = loss.logits[0]
    assert not torch.equal(first[:, 0], first[:, 1])  # drawn independently


def test_a_loss_of_one_view_is_trained_as_before() -> None:
    _, weights = trained("standard", 1)
    plain = make_trainer(
        nlcore.create("strategy", "standard"),
        prepared(make_data(*squares(20))),
        make_loss=lambda: nlcore.create("loss", "jensen_shannon", pi1=0.3),
        batch_size=8,
        epochs=1,
    )
    plain.train_epoch(1)
    expected = [p.detach().clone() for network in plain.ctx.networks.values() for p in network.parameters()]
    for one, other in zip(weights, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_other_strategies_give_it_one_prediction() -> None:
    assert all(len(shape) == 2 for shape in trained("mixup", 2)[0].asked)
