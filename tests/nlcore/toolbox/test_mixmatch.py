"""MixMatch's pieces against their formulas in numpy."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch import Tensor, nn

from nlcore.toolbox.mixmatch import guess, mix_halves, repeated, soft_cross_entropy, squared_error


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def convolutional(seed: int) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(64, 3))
    return layers.double()


def test_a_guess_is_the_mean_prediction_of_all_networks_and_views() -> None:
    networks, views = [nn.Linear(4, 3).double() for _ in range(2)], [draw(5, 4, seed=seed) for seed in range(3)]
    each = [softmax(net(view).detach().numpy(), axis=1) for net in networks for view in views]
    np.testing.assert_allclose(guess(networks[0], views, networks[1:]), np.mean(each, axis=0), rtol=1e-12)


def state_of(network: nn.Module) -> list[Tensor]:
    return [tensor.clone() for tensor in network.state_dict().values()]


def test_guessing_moves_nothing_in_the_other_networks() -> None:
    network, other = convolutional(1), convolutional(2)
    other[1].eval()  # a part that is kept in evaluation mode
    before, modes = state_of(other), [part.training for part in other.modules()]
    found = guess(network, [draw(5, 2, 6, 6)], [other])
    assert not found.requires_grad
    assert all(torch.equal(a, b) for a, b in zip(before, state_of(other), strict=True))
    assert [part.training for part in other.modules()] == modes


def test_the_trained_network_guesses_as_it_is_trained() -> None:
    """In training mode its running mean goes a tenth of the way to that of each view, here 0, then 0 again."""
    network = convolutional(1)
    network[1].running_mean.fill_(1.0)  # type: ignore[operator]
    network[0].weight.detach().zero_()  # type: ignore[operator]
    network[0].bias.detach().zero_()  # type: ignore[operator]
    guess(network, [draw(5, 2, 6, 6)] * 2)
    torch.testing.assert_close(network[1].running_mean, torch.full((4,), 0.81).double())


def test_modes_come_back_after_an_error() -> None:
    network, other = convolutional(1), convolutional(2)
    with pytest.raises(RuntimeError):
        guess(network, [draw(5, 7, 6, 6)], [other])
    assert all(part.training for part in other.modules())


@pytest.mark.parametrize("lam", [0.3, 0.7])
def test_both_halves_are_mixed_with_the_larger_share_their_own(lam: float) -> None:
    x, u = [draw(2, 1, 2, 2, seed=s) for s in (1, 2)], [draw(3, 1, 2, 2, seed=s) for s in (3, 4)]
    y, q = draw(2, 3, seed=5).softmax(1), draw(3, 3, seed=6).softmax(1)
    order = torch.rand(12, generator=seeded())
    images, targets = mix_halves(x, y, u, q, order, torch.tensor(lam).double())
    partner = np.argsort(order[:10].numpy())  # of two views of two and two views of three
    assert partner.tolist() != list(range(10))
    rows, aims = (np.concatenate(parts) for parts in ((*x, *u), (y, y, q, q)))
    np.testing.assert_allclose(images, 0.7 * rows + 0.3 * rows[partner], atol=1e-6)
    np.testing.assert_allclose(targets, 0.7 * aims + 0.3 * aims[partner], atol=1e-6)


def test_without_an_unlabelled_half_the_labelled_one_is_mixed_with_itself() -> None:
    x, y = [draw(2, 3, seed=1)], draw(2, 3).softmax(1)
    images, targets = mix_halves(x, y, (), y[:0], torch.tensor([0.9, 0.1]), torch.tensor(0.75))
    torch.testing.assert_close(images, 0.75 * x[0] + 0.25 * x[0].flip(0))
    torch.testing.assert_close(targets, 0.75 * y + 0.25 * y.flip(0))


def test_losses_are_the_means_of_their_formulas() -> None:
    logits, targets = draw(6, 4), draw(6, 4, seed=1).softmax(1)
    log_p, p, t = log_softmax(logits.numpy(), axis=1), softmax(logits.numpy(), axis=1), targets.numpy()
    assert soft_cross_entropy(logits, targets).item() == pytest.approx(np.mean(-(t * log_p).sum(1)), rel=1e-12)
    assert squared_error(logits, targets).item() == pytest.approx(np.mean((p - t) ** 2), rel=1e-12)


def test_nothing_unlabelled_costs_nothing() -> None:
    logits = torch.zeros(0, 4, requires_grad=True)
    value = squared_error(logits, torch.zeros(0, 4))
    value.backward()  # type: ignore[no-untyped-call]
    assert value.item() == 0


def test_positions_are_repeated_evenly_each_time_in_another_order() -> None:
    indices = torch.tensor([3, 5, 8, 9])
    drawn = repeated(indices, 10, seeded())
    assert len(drawn) == 10
    assert sorted(drawn[:4].tolist()) == sorted(drawn[4:8].tolist()) == indices.tolist()
    assert drawn[:4].tolist() != drawn[4:8].tolist()
    assert sorted(Counter(drawn.tolist()).values()) == [2, 2, 3, 3]
    assert torch.equal(drawn, repeated(indices, 10, seeded()))


def test_fewer_are_asked_for_than_there_are() -> None:
    drawn = repeated(torch.arange(100), 7, seeded())
    assert len(set(drawn.tolist())) == 7
    assert drawn.tolist() != list(range(7))


def test_of_nothing_there_is_nothing_to_repeat() -> None:
    drawn = repeated(torch.arange(0), 7, seeded())
    assert (drawn.dtype, len(drawn)) == (torch.int64, 0)
