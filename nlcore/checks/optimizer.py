"""What holds for optimisers, on a small regression."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from nlcore.parameters import parameters_of
from nlcore.testing.same import equal


def has_a_learning_rate(cls: type) -> None:
    """It has a parameter ``lr``, whose default is its own good one: ``--lr`` sets it."""
    assert "lr" in parameters_of(cls), "It has no parameter lr, which --lr sets and the run's schedule multiplies."


def makes_a_torch_optimizer(cls: type) -> None:
    """``make`` gives a torch optimiser of the groups that it was given; their own options go before its own."""
    layer, other = nn.Linear(4, 4), nn.Linear(4, 2)
    groups = [
        {"params": list(layer.parameters())},
        {"params": list(other.parameters()), "lr": 0.125, "scheduled": False},
    ]
    made = cls().make(groups)
    assert isinstance(made, torch.optim.Optimizer), f"make returns {type(made).__name__}, not a torch optimiser."
    trained = {id(p) for group in made.param_groups for p in group["params"]}
    wanted = {id(p) for p in (*layer.parameters(), *other.parameters())}
    assert trained == wanted, "make leaves parameters of its groups out, or adds some."
    for group in made.param_groups:
        if any(p is other.weight or p is other.bias for p in group["params"]):
            kept = group["lr"] == 0.125 and group.get("scheduled") is False
            assert kept, "make drops the options of a group: its own lr, and 'scheduled', which the engine reads."


def descends(cls: type) -> None:
    """Thirty steps at its own learning rate lower a loss."""
    _, step = _problem(cls())
    first = float(step())
    for _ in range(29):
        last = float(step())
    assert last < first, f"After 30 steps the loss is {last:.4f}, from {first:.4f}: does step() go down?"


def goes_on_from_its_state(cls: type) -> None:
    """With its state_dict loaded, a new one takes the same steps, bit for bit."""
    network, step = _problem(cls())
    for _ in range(3):
        step()
    other, go_on = _problem(cls(), network, step.optimizer)
    for _ in range(2):
        step()
        go_on()
    assert equal(network.state_dict(), other.state_dict()), (
        "Loaded from state_dict() it steps elsewhere: what it keeps must be in the torch optimiser's state."
    )


CHECKS = (has_a_learning_rate, makes_a_torch_optimizer, descends, goes_on_from_its_state)


class _Step:
    """One step on the same batch, twice where the optimiser has an ascent."""

    def __init__(self, network: nn.Module, optimizer: Any) -> None:
        self.network, self.optimizer = network, optimizer

    def __call__(self) -> Tensor:
        loss = self._gradients()
        if hasattr(self.optimizer, "ascend"):
            self.optimizer.ascend()
            self._gradients()
        self.optimizer.step()
        return loss

    def _gradients(self) -> Tensor:
        random = torch.Generator().manual_seed(1)
        x, y = torch.randn(16, 3, 4, 4, generator=random), torch.randint(3, (16,), generator=random)
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.network(x), y)
        torch.autograd.backward(loss)
        return loss.detach()


def _problem(component: Any, like: nn.Module | None = None, optimizer: Any = None) -> tuple[nn.Module, _Step]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    if like is not None:
        network.load_state_dict(copy.deepcopy(like.state_dict()))
    made = component.make([{"params": list(network.parameters())}])
    if optimizer is not None:
        made.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    return network, _Step(network, made)
