"""Muon: orthogonal steps for the filters of convolutions, SGD for the rest."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from nlcore_builtins.optimizers.muon import OrthogonalSGD, orthogonal
from torch import nn

OPTIONS: dict[str, Any] = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.Flatten(), nn.Linear(64, 5)
    )


def descend(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    images = torch.randn(6, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimizer.zero_grad()
        net(images).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("shape", [(4, 27), (32, 32), (64, 16), (16, 144), (5, 1)])
def test_singular_values_come_near_one_and_singular_vectors_stay(shape: tuple[int, int]) -> None:
    """Against the same polynomial of the singular values that a decomposition in float64 gives."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    u, s, v = torch.linalg.svd(matrix.double() / matrix.double().norm(), full_matrices=False)
    expected = s
    for _ in range(3):
        expected = 3.4445 * expected - 4.7750 * expected**3 + 2.0315 * expected**5
    torch.testing.assert_close(orthogonal(matrix).double(), u @ expected.diag() @ v, rtol=0, atol=1e-5)
    assert ((expected[s > 0.03] > 0.68) & (expected[s > 0.03] < 1.21)).all()


def test_no_gradient_is_no_step() -> None:
    assert torch.equal(orthogonal(torch.zeros(3, 5)), torch.zeros(3, 5))


@pytest.mark.parametrize("shape", [(6, 2, 3, 3), (30, 1, 3, 3)])
def test_filters_move_as_with_torchs_muon_on_matrices(shape: tuple[int, int, int, int]) -> None:
    """Which computes in bfloat16, hence the tolerance: some percent of a step. Lengths are kept by hand there."""
    draws = torch.Generator().manual_seed(3)
    filters = torch.randn(shape, generator=draws).requires_grad_()
    matrix = filters.detach().flatten(1).clone().requires_grad_()
    ours = OrthogonalSGD([{"params": [filters]}], lr=0.02, momentum=0.8, weight_decay=0.3)
    theirs = torch.optim.Muon([matrix], lr=0.02, momentum=0.8, weight_decay=0.0, nesterov=True, ns_steps=3)
    for _ in range(4):
        filters.grad = torch.randn(shape, generator=draws)
        matrix.grad = filters.grad.flatten(1).clone()
        matrix.data *= len(matrix) ** 0.5 / matrix.data.norm()
        ours.step()
        theirs.step()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(filters.detach().flatten(1), matrix.detach(), rtol=0, atol=1e-3)


def test_everything_but_filters_is_trained_by_sgd() -> None:
    net = network()
    reference = copy.deepcopy(net)
    ours = OrthogonalSGD([{"params": list(net.parameters())}], **OPTIONS)
    theirs = torch.optim.SGD(reference.parameters(), **OPTIONS)
    before = [p.detach().clone() for p in net.parameters()]
    descend(net, ours, 1)
    descend(reference, theirs, 1)
    for old, own, other in zip(before, net.parameters(), reference.parameters(), strict=True):
        assert not torch.equal(own, old)
        assert torch.equal(own, other) == (own.ndim != 4)


def test_memory_layout_changes_nothing() -> None:
    one, other = network(), network().to(memory_format=torch.channels_last)
    for net in (one, other):
        descend(net, OrthogonalSGD([{"params": list(net.parameters())}], fused=True, **OPTIONS), 3)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_a_group_keeps_options_of_its_own_and_parameters_without_gradient_stay() -> None:
    number, filters = torch.ones(1, requires_grad=True), torch.ones(2, 1, 3, 3, requires_grad=True)
    optimizer = OrthogonalSGD([{"params": [filters]}, {"params": [number], "lr": 5.0, "momentum": 0.0}], **OPTIONS)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 5.0]
    optimizer.step()
    assert torch.equal(filters, torch.ones(2, 1, 3, 3))


def test_state_can_be_restored() -> None:
    one = network()
    first = OrthogonalSGD([{"params": list(one.parameters())}], **OPTIONS)
    descend(one, first, 3)
    other = copy.deepcopy(one)
    second = OrthogonalSGD([{"params": list(other.parameters())}], **OPTIONS)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    descend(one, first, 2)
    descend(other, second, 2)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
