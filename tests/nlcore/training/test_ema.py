"""The exponential moving average of weights."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
import torch
from helpers import TINY, Net, same_tensors
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from nlcore.config.experiment import resolve
from nlcore.training.build import build, load_data
from nlcore.training.ema import WeightEMA, follow


def disturb(network: nn.Module, random: torch.Generator) -> None:
    """Change everything that training changes."""
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.add_(torch.randn(tensor.shape, generator=random))
    network.train()
    network(torch.randn(4, 1, 8, 8, generator=random))  # running statistics, and how many batches they saw


def floats(network: nn.Module) -> list[Tensor]:
    return [
        t.detach().clone() for t in itertools.chain(network.parameters(), network.buffers()) if t.is_floating_point()
    ]


@pytest.mark.parametrize("decay", [0.15, 0.5, 0.999])
def test_the_average_is_that_of_torch_with_a_decay_that_grows(decay: float) -> None:
    def average(old: Tensor, new: Tensor, steps: Any) -> Tensor:
        n = int(steps)
        d = min(decay, (1 + n) / (10 + n))
        return d * old + (1 - d) * new

    network, random = Net(3, 1, 4, dropout=0.0), torch.Generator().manual_seed(1)
    theirs = AveragedModel(network, avg_fn=average, use_buffers=True)
    theirs.update_parameters(network)  # the first is a copy: the weights before any step
    ours = WeightEMA(lambda: {"network1": network}, decay)
    for _ in range(12):
        disturb(network, random)
        ours.update()
        theirs.update_parameters(network)
    with ours.swapped_in():
        averaged = floats(network)
    for mine, other in zip(averaged, floats(theirs.module), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-6, rtol=1e-5)


def test_by_hand_on_one_weight() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 1.0)
    average = WeightEMA(lambda: {"network1": network}, decay=0.2)
    value = 1.0
    for weight, d in ((2.0, 2 / 11), (4.0, 0.2), (-3.0, 0.2)):  # (1 + n) / (10 + n) is 2/11, 3/12, 4/13
        nn.init.constant_(network.weight, weight)
        average.update()
        value = d * value + (1 - d) * weight
    with average.swapped_in():
        assert network.weight.item() == pytest.approx(value, rel=1e-6)
    assert network.weight.item() == -3.0


@pytest.mark.parametrize("fails", [False, True])
def test_the_networks_have_their_own_weights_again_outside(fails: bool) -> None:
    network = Net(3, 1, 4, dropout=0.0)
    average = WeightEMA(lambda: {"network1": network}, 0.9)
    for step in range(3):
        disturb(network, torch.Generator().manual_seed(step))
        average.update()
    own = floats(network)
    optimised = list(network.parameters())
    try:
        with average.swapped_in():
            assert not same_tensors(own, floats(network))
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert same_tensors(own, floats(network))
    assert all(a is b for a, b in zip(optimised, network.parameters(), strict=True))


def test_looking_at_the_average_does_not_change_it() -> None:
    network = Net(3, 1, 4, dropout=0.0)
    average = WeightEMA(lambda: {"network1": network}, 0.9)
    disturb(network, torch.Generator().manual_seed(1))
    average.update()
    looks = []
    for _ in range(2):
        with average.swapped_in():
            looks.append(floats(network))
    assert same_tensors(*looks)


def test_before_any_step_the_average_is_the_weights() -> None:
    network = Net(3, 1, 4, dropout=0.0)
    own = floats(network)
    with WeightEMA(lambda: {"network1": network}, 0.9).swapped_in():
        assert same_tensors(own, floats(network))


def test_each_network_has_an_average_of_its_own_whenever_it_was_made() -> None:
    networks: dict[str, nn.Module] = {"network1": nn.Linear(1, 1, bias=False)}
    nn.init.constant_(networks["network1"].weight, 1.0)  # type: ignore[arg-type]
    average = WeightEMA(lambda: networks, 0.5)
    networks["network2"] = nn.Linear(1, 1, bias=False)
    nn.init.constant_(networks["network2"].weight, 7.0)  # type: ignore[arg-type]
    average.update()
    nn.init.constant_(networks["network2"].weight, 8.0)  # type: ignore[arg-type]
    average.update()
    with average.swapped_in():
        seen = [network.weight.item() for network in networks.values()]  # type: ignore[operator]
    assert seen[0] == 1.0
    assert 7.0 < seen[1] < 8.0


def test_a_restored_average_goes_on_as_the_one_that_was_saved() -> None:
    def at_work(network: nn.Module, average: WeightEMA, steps: range) -> None:
        for step in steps:
            disturb(network, torch.Generator().manual_seed(step))
            average.update()

    network = Net(3, 1, 4, dropout=0.0)
    average = WeightEMA(lambda: {"network1": network}, 0.9)
    at_work(network, average, range(3))
    weights, state = copy.deepcopy(network.state_dict()), copy.deepcopy(average.state_dict())
    at_work(network, average, range(3, 6))

    other = Net(3, 1, 4, dropout=0.0)
    restored = WeightEMA(lambda: {"network1": other}, 0.9)
    other.load_state_dict(weights)
    restored.load_state_dict(state)
    at_work(other, restored, range(3, 6))
    with average.swapped_in(), restored.swapped_in():
        assert same_tensors(floats(network), floats(other))


def test_a_teacher_follows_its_network_with_a_constant_decay() -> None:
    network, teacher = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.constant_(teacher.weight, 1.0)
    value = 1.0
    for weight in (2.0, 4.0, -3.0):
        nn.init.constant_(network.weight, weight)
        follow(teacher, network, 0.9)
        value = 0.9 * value + 0.1 * weight
    assert teacher.weight.item() == pytest.approx(value, rel=1e-6)
    assert network.weight.item() == -3.0


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False])
def test_what_is_drawn_anew_begins_its_average_anew(whole: bool) -> None:
    experiment = resolve({**TINY, "ema": 0.999})
    trainer = build(experiment, load_data(experiment, print))
    network, average = trainer.ctx.networks["network1"], trainer.average
    assert average is not None
    trainer.run([])
    with average.swapped_in():
        before = floats(network)
    head: nn.Module = network.head  # type: ignore[assignment]
    trainer.ctx.reset(network, None if whole else head)
    fresh = floats(network)
    with average.swapped_in():
        found = floats(network)
    kept = {id(t) for t in (head.parameters() if not whole else network.state_dict(keep_vars=True).values())}
    tensors = [t for t in itertools.chain(network.parameters(), network.buffers()) if t.is_floating_point()]
    for tensor, mine, new, old in zip(tensors, found, fresh, before, strict=True):
        torch.testing.assert_close(mine, new if id(tensor) in kept else old, rtol=0, atol=0)
    bias: Tensor = head.bias.detach().clone()  # type: ignore[operator]
    with torch.no_grad():
        head.bias.add_(1.0)  # type: ignore[operator]
    average.update()
    with average.swapped_in():  # a young average again: (1 + n) / (10 + n) after one step
        torch.testing.assert_close(head.bias - bias, torch.full_like(bias, 9 / 11))  # type: ignore[operator]
