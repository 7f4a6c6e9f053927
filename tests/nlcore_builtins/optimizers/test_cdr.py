"""CDR by its equations: which weights are critical, what they are moved by, and what is left alone."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from helpers import LinearArchitecture, make_context, make_data, prepared, squares
from nlcore_builtins.losses.sop import SOP
from nlcore_builtins.optimizers.cdr import CDR, CriticalSGD
from torch import nn

OPTIONS: dict[str, Any] = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.Flatten(), nn.Linear(64, 5)
    )


def gradients(net: nn.Module, step: int = 0) -> None:
    images = torch.randn(6, 3, 6, 6, generator=torch.Generator().manual_seed(step))
    net.zero_grad()
    torch.autograd.backward(net(images).square().mean())


def descend(net: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        gradients(net, step)
        optimizer.step()


def test_with_tau_0_it_is_sgd() -> None:
    net = network()
    reference = copy.deepcopy(net)
    descend(net, CriticalSGD(net.parameters(), 0.0, **OPTIONS), range(3))
    descend(reference, torch.optim.SGD(reference.parameters(), **OPTIONS), range(3))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), reference.parameters(), strict=True))


@pytest.mark.parametrize("tau", [0.2, 0.5, 0.9])
def test_critical_weights_follow_the_gradient_and_the_others_decay(tau: float) -> None:
    """Four steps against the equations in float64, one threshold for all weights of two and four dimensions."""
    net, lr, mu, decay = network(), 0.1, 0.9, 0.01
    optimizer = CDR(lr=lr, tau=tau, momentum=mu, weight_decay=decay).make([{"params": list(net.parameters())}])
    speed = [np.zeros(tuple(p.shape)) for p in net.parameters()]
    for step in range(4):
        gradients(net, step)
        theta = [p.detach().double().numpy().copy() for p in net.parameters()]
        # The products in float32, as the optimiser has them: in float64 the ranks of near equals may differ.
        scores = [(p.grad * p).abs().detach().numpy() for p in net.parameters()]  # type: ignore[operator]
        g = [p.grad.double().numpy().copy() for p in net.parameters()]  # type: ignore[union-attr]
        judged = [values.ndim in (2, 4) for values in theta]
        ranked = np.sort(np.concatenate([s.ravel() for s, own in zip(scores, judged, strict=True) if own]))[::-1]
        count = int((1 - tau) * len(ranked))
        optimizer.step()
        for i, p in enumerate(net.parameters()):
            h = (1 - tau) * g[i] * (scores[i] >= ranked[count - 1]) if judged[i] else g[i]
            speed[i] = mu * speed[i] + h + decay * theta[i]
            np.testing.assert_allclose(p.detach().numpy(), theta[i] - lr * speed[i], atol=1e-6)


def test_the_threshold_is_one_for_all_layers() -> None:
    """A layer whose |g θ| are all small gets nothing, and one whose are large gets all."""
    large, small = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(6, 1))
    optimizer = CriticalSGD([{"params": [large]}, {"params": [small]}], 0.5, lr=1.0)
    large.grad, small.grad = torch.full((2, 3), 2.0), torch.full((6, 1), 1.0)
    optimizer.step()
    assert torch.equal(large.detach(), torch.zeros(2, 3))  # 1 − (1 − τ) 2
    assert torch.equal(small.detach(), torch.ones(6, 1))


def test_size_counts_and_not_the_gradient_alone() -> None:
    """|g θ|: a large gradient on a weight of 0 is not critical."""
    weights = nn.Parameter(torch.tensor([[0.0, 3.0]]))
    optimizer = CriticalSGD([weights], 0.5, lr=1.0)
    weights.grad = torch.tensor([[100.0, 1.0]])
    optimizer.step()
    assert torch.equal(weights.detach(), torch.tensor([[0.0, 2.5]]))


def test_one_weight_is_always_critical() -> None:
    """Of two weights and τ = 0.9 none would be."""
    weights = nn.Parameter(torch.tensor([[1.0, 2.0]]))
    optimizer = CriticalSGD([weights], 0.9, lr=1.0)
    weights.grad = torch.ones(1, 2)
    optimizer.step()
    torch.testing.assert_close(weights.detach(), torch.tensor([[1.0, 1.9]]))


def test_parameters_without_gradient_stay() -> None:
    net = network()
    head: Any = net[5]
    before = head.weight.detach().clone()
    optimizer = CriticalSGD(net.parameters(), 0.5, **OPTIONS)
    gradients(net)
    head.weight.grad = None
    optimizer.step()
    assert torch.equal(head.weight, before)
    for p in net.parameters():
        p.grad = None
    optimizer.step()


def test_what_a_loss_learns_is_not_judged() -> None:
    """SOP's u and v, one row for each sample, are trained as by SGD; the network's weights are judged by themselves."""
    images, labels = squares(60)
    data = prepared(make_data(images, labels))
    settings: dict[str, Any] = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.0, "weight_decay": 0.0}
    ctx = make_context(data, LinearArchitecture(), SOP, **settings)
    tau, lr = 0.75, 0.1
    network: Any = ctx.network()
    bound = ctx.loss(network)
    bound.loss.load_state_dict({"u": torch.full((60, 1), 0.5), "v": torch.full((60, 4), 0.5)})
    u, v, W = bound.loss.u, bound.loss.v, network.head.weight
    groups = [{"params": list(network.parameters())}, *bound.param_groups()]
    optimizer = CDR(lr=lr, tau=tau, momentum=0.0, weight_decay=0.0).make(groups)
    index = torch.tensor([5, 9])
    losses = bound(network(torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))), labels_of(index), index)
    torch.autograd.backward(losses.mean())
    before = [tensor.detach().clone() for tensor in (u, v, W)]
    slopes = [tensor.grad.clone() for tensor in (u, v, W)]
    optimizer.step()
    torch.testing.assert_close(u.detach(), before[0] - 10 * slopes[0])
    torch.testing.assert_close(v.detach(), before[1] - 10 * slopes[1])
    assert int((W.detach() != before[2]).sum()) == int((1 - tau) * W.numel())


def labels_of(index: torch.Tensor) -> torch.Tensor:
    """Return labels of four classes."""
    return index % 4


def test_a_group_keeps_options_of_its_own() -> None:
    tensor = nn.Parameter(torch.zeros(3))
    (group,) = CDR().make([{"params": [tensor], "lr": 7.0, "scheduled": False}]).param_groups
    assert (group["lr"], group["scheduled"], group["momentum"], group["weight_decay"]) == (7.0, False, 0.9, 1e-3)


def test_state_can_be_restored() -> None:
    one = network()
    first = CDR().make([{"params": list(one.parameters())}])
    descend(one, first, range(3))
    other = copy.deepcopy(one)
    second = CDR().make([{"params": list(other.parameters())}])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    descend(one, first, range(3, 5))
    descend(other, second, range(3, 5))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
