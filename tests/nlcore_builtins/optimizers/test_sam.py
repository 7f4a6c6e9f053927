"""Sharpness-aware minimisation by its two equations, and what its second half must leave alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers import LinearArchitecture, MeanLoss, NetArchitecture, make_data, make_trainer, prepared, squares, train
from torch import Tensor, nn
from torch.nn import functional as F

from nlcore.contracts import Batch
from nlcore.testing.toy import Plain


class Remembers(Plain):
    """Keeps its batches and the weights before each step."""

    def setup(self, ctx: Any) -> None:
        """Make the same as always."""
        super().setup(ctx)
        self.batches: list[tuple[Tensor, Tensor]] = []
        self.steps = 0

    def step(self, batch: Batch) -> Tensor:
        """Keep the batch, once for both halves of a step."""
        if self.steps % 2 == 0:
            self.batches.append((batch.images.clone(), batch.targets.clone()))
        self.steps += 1
        return super().step(batch)


@pytest.mark.parametrize("base", ["sgd", "adam"])
def test_each_step_takes_the_gradient_at_the_worst_place_within_rho(base: str) -> None:
    strategy, rho = Remembers(), 0.3
    data = prepared(make_data(*squares(64)))
    settings: dict[str, Any] = {"lr": 0.1, "rho": rho, "weight_decay": 0.0, "base": base}
    trainer = make_trainer(strategy, data, LinearArchitecture(), optimizer="sam", **settings)
    by_hand = [p.detach().clone().requires_grad_() for p in strategy.network.parameters()]
    optimizer: torch.optim.Optimizer = (
        torch.optim.SGD(by_hand, lr=0.1, momentum=0.9) if base == "sgd" else torch.optim.Adam(by_hand, lr=0.1)
    )
    train(trainer)
    assert strategy.steps == 2 * len(strategy.batches) == 2 * 2 * 2  # halves, epochs, batches

    for images, targets in strategy.batches:
        loss = F.cross_entropy(F.linear(images.flatten(1), *by_hand), targets)
        first = torch.autograd.grad(loss, by_hand)
        norm = torch.cat([g.flatten() for g in first]).norm()
        moved = [p + rho * g / norm for p, g in zip(by_hand, first, strict=True)]
        worst = F.cross_entropy(F.linear(images.flatten(1), *moved), targets)
        for p, g in zip(by_hand, torch.autograd.grad(worst, by_hand), strict=True):
            p.grad = g
        optimizer.step()
    for ours, theirs in zip(strategy.network.parameters(), by_hand, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


class Observing(MeanLoss):
    """Counts what it is shown."""

    def __init__(self) -> None:
        self.shown = 0

    def observe(self, logits: Tensor, index: Tensor) -> None:
        """Count."""
        self.shown += len(index)


def test_the_second_half_is_neither_observed_nor_taken_into_running_statistics() -> None:
    strategy = Remembers()
    data = prepared(make_data(*squares(64)))
    trainer = make_trainer(strategy, data, NetArchitecture(dropout=0.0), Observing, optimizer="sam", epochs=1, lr=1e-9)
    network: Any = strategy.network
    norm = nn.BatchNorm2d(network.norm.num_features)
    first = network.conv.weight.detach().clone(), network.conv.bias.detach().clone()
    train(trainer)
    assert strategy.loss.loss.shown == 64
    for images, _ in strategy.batches:  # the rate is next to nothing, so the first half sees the same weights
        norm(F.conv2d(images, *first, padding=1))
    torch.testing.assert_close(network.norm.running_mean, norm.running_mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(network.norm.running_var, norm.running_var, atol=1e-5, rtol=1e-4)
    assert network.norm.momentum == norm.momentum
