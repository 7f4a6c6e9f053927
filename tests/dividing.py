"""What two processes compute together in tests; each function is called in both of them."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nlcore.training.hardware import resolve_hardware
from nlcore.training.processes import Processes
from nlcore.training.synced_norm import synchronise


class Parts(nn.Module):
    """A network of features and a head, of all that treats the images of a batch together or draws."""

    def __init__(self, norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 5)
        self.norm = nn.BatchNorm1d(5) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(5, 3)

    def features(self, x: Tensor) -> Tensor:
        """Map (B, 6) to (B, 5)."""
        found: Tensor = self.dropout(self.norm(self.layer(x)).tanh())
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 6) to (B, 3)."""
        logits: Tensor = self.head(self.features(x))
        return logits


def network(seed: int = 1, **parts: Any) -> Parts:
    """Return a network with weights of this seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Parts(**parts)


def batch(count: int) -> Tensor:
    """Return inputs (count, 6)."""
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(count))


def everywhere(processes: Processes, mine: Any) -> list[Any]:
    """Return what each process has."""
    if processes.count == 1:
        return [mine]
    found: list[Any] = [None] * processes.count
    dist.all_gather_object(found, mine)
    return found


def outputs_and_gradients(processes: Processes, count: int) -> list[Any]:
    """
    Return logits, and the gradients of weights before the gathering, after it, and of a loss's own.

    The objective is not a sum over samples, so that only one who sees all of them gets its gradient right.
    """
    hardware = resolve_hardware("cpu", "fp32", "1", processes=processes)
    placed: Any = processes.divide(hardware.place(network()))
    apart, own = nn.Linear(5, 2), torch.linspace(-1, 1, count).requires_grad_()
    nn.init.constant_(apart.weight, 0.3)
    nn.init.constant_(apart.bias, 0.1)
    logits, features = placed(batch(count)), placed.features(batch(count))
    objective = (own * logits.logsumexp(1)).sum() ** 2 + placed.head(features).std() + apart(features).sigmoid().prod()
    hardware.backward(objective)
    every = [own, *apart.parameters(), *placed.parameters()]
    processes.average(tensor.grad for tensor in every)
    return everywhere(processes, [logits.detach(), *(tensor.grad for tensor in every)])


def input_gradients(processes: Processes, count: int) -> list[Any]:
    """Return the gradient of a batch that goes through a network twice, the second time in another order."""
    hardware = resolve_hardware("cpu", "fp32", "1", processes=processes)
    placed, second = (processes.divide(hardware.place(network(seed))) for seed in (1, 2))
    images = batch(count).requires_grad_()
    shown = torch.cat([placed(images), placed(images)], 1)
    logits = second(shown.flip(0))
    hardware.backward((logits.logsumexp(1) * torch.linspace(-1, 1, count)).sum() ** 2)
    processes.average(p.grad for net in (placed, second) for p in net.parameters())
    return everywhere(processes, [images.grad, *(p.grad for net in (placed, second) for p in net.parameters())])


def copied(processes: Processes) -> list[Any]:
    """Return what a copy of a network gives whose weights are 0, by itself and by its features."""
    hardware = resolve_hardware("cpu", "fp32", "1", processes=processes)
    placed = processes.divide(hardware.place(network()))
    other: Any = copy.deepcopy(placed)
    with torch.no_grad():
        for weight in other.parameters():
            weight.zero_()
    return everywhere(processes, [other(batch(8)).detach(), other.features(batch(8)).detach()])


def second_order(processes: Processes) -> None:
    """Ask for a gradient of a gradient."""
    placed = processes.divide(network())
    loss = placed(batch(8)).square().sum()
    torch.autograd.grad(loss, list(placed.parameters()), create_graph=True)


def dropped(processes: Processes, count: int) -> list[Any]:
    """Return what a network with dropout gives while it trains, and what torch's global generator draws afterwards."""
    torch.manual_seed(3)
    placed: Any = processes.divide(network(dropout=0.5))
    zero = placed.features(batch(count)) == 0
    return everywhere(processes, [zero, torch.rand(4)])


def normalised(processes: Processes, count: int, together: bool) -> list[Any]:
    """Return outputs, gradients and running statistics of batch normalisation, and those of a copy of the network."""
    found = network(norm=True)
    if together:
        synchronise(found, processes)
    copied = copy.deepcopy(found)
    results = []
    for one in (found, copied):
        placed = processes.divide(one)
        logits = placed(batch(count))
        torch.autograd.backward(logits.square().sum())
        processes.average(p.grad for p in placed.parameters())
        results.append([logits.detach(), *(p.grad for p in placed.parameters()), *placed.buffers()])
    return everywhere(processes, results)


def told(processes: Processes) -> list[Any]:
    """Return what the first process made, as each of them knows it."""
    return everywhere(processes, processes.shared(lambda: ("made by", processes.rank)))


def failing(processes: Processes) -> None:
    """Fail in the second process alone."""
    if processes.rank:
        raise MemoryError("nothing is left here")
    processes.shared(lambda: 1)
    processes.shared(lambda: 2)


def of_a_list(processes: Processes) -> None:
    """Divide a network that does not return a tensor."""

    class Listing(nn.Module):
        def forward(self, x: Tensor) -> list[Tensor]:
            return [x]

    processes.divide(Listing())(batch(8))
