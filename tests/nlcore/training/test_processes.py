"""Two real processes that divide a batch get what one gets: outputs, gradients, statistics, draws."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import dividing
import pytest
import torch
from torch import nn

from nlcore.errors import RunError
from nlcore.runs.team import Team, team
from nlcore.training.processes import ALONE, LostProcessError, Processes

pytestmark = pytest.mark.slow  # starting another process takes as long as importing torch


@pytest.fixture(scope="module")
def pair() -> Iterator[Team]:
    with team(2, 1, "cpu", timedelta(minutes=2)) as two:
        yield two


def in_both(pair: Team, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in both processes; return what this one has of it."""
    pair.tell(function, *args)
    found = function(pair.processes, *args)
    pair.rest()
    return found


@pytest.mark.parametrize("count", [4, 5, 8, 13])
def test_outputs_and_gradients_are_those_of_one_process(pair: Team, count: int) -> None:
    [expected] = dividing.outputs_and_gradients(ALONE, count)
    first, second = in_both(pair, dividing.outputs_and_gradients, count)
    for here, there, one in zip(first, second, expected, strict=True):
        assert torch.equal(here, there)
        torch.testing.assert_close(here, one)


def test_a_batch_of_fewer_than_two_each_is_not_divided(pair: Team) -> None:
    [expected] = dividing.outputs_and_gradients(ALONE, 3)
    for found in in_both(pair, dividing.outputs_and_gradients, 3):
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("count", [6, 7])
def test_gradients_of_the_batch_are_those_of_one_process_too(pair: Team, count: int) -> None:
    [expected] = dividing.input_gradients(ALONE, count)
    for process in in_both(pair, dividing.input_gradients, count):
        for found, one in zip(process, expected, strict=True):
            torch.testing.assert_close(found, one)


def test_a_copied_network_computes_with_its_own_weights(pair: Team) -> None:
    for process in (*in_both(pair, dividing.copied), *dividing.copied(ALONE)):
        assert all(not output.any() for output in process)


def test_gradients_of_gradients_are_refused(pair: Team) -> None:
    with pytest.raises(RunError, match=r"create_graph=True"):
        in_two(dividing.second_order)


def test_slices_are_dropped_out_by_themselves_and_other_draws_stay_alike(pair: Team) -> None:
    (zero, after), (zero_there, after_there) = in_both(pair, dividing.dropped, 64)
    assert torch.equal(zero, zero_there)
    assert torch.equal(after, after_there)
    assert 0.4 < zero.float().mean() < 0.6
    assert not torch.equal(zero[:32], zero[32:])


def test_each_slice_is_normalised_by_itself_and_running_statistics_are_averaged(pair: Team) -> None:
    (first, _), (second, _) = in_both(pair, dividing.normalised, 12, False)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    one = dividing.network(norm=True)
    slices = [copy.deepcopy(one) for _ in range(2)]
    logits = torch.cat([net(part) for net, part in zip(slices, torch.split(dividing.batch(12), 6), strict=True)])
    torch.testing.assert_close(first[0], logits.detach())
    means = [torch.stack([a.float(), b.float()]).mean(0) for a, b in zip(*(n.buffers() for n in slices), strict=True)]
    for found, mean in zip(first[-3:-1], means[:2], strict=True):
        torch.testing.assert_close(found, mean)


@pytest.mark.parametrize("count", [12, 13])
def test_synchronised_normalisation_is_that_of_the_whole_batch(pair: Team, count: int) -> None:
    [(expected, _)] = dividing.normalised(ALONE, count, False)
    for process in in_both(pair, dividing.normalised, count, True):
        for network in process:  # as it was made, and a copy of it, such as a teacher
            for found, one in zip(network[:-1], expected[:-1], strict=True):
                torch.testing.assert_close(found, one, rtol=1e-4, atol=1e-5)


def test_what_the_first_process_makes_all_have(pair: Team) -> None:
    assert in_both(pair, dividing.told) == [("made by", 0)] * 2


def test_a_network_that_returns_no_tensor_is_refused(pair: Team) -> None:
    with team(1, 1, "cpu") as alone:
        assert alone.processes is ALONE
    with pytest.raises(RunError, match="returned list; in several processes it must be a tensor"):
        in_two(dividing.of_a_list)


def test_a_process_that_fails_is_named_with_what_it_said() -> None:
    with pytest.raises(LostProcessError, match="Process 2 of this run has ended: MemoryError: nothing is left here"):
        in_two(dividing.failing)


def in_two(function: Callable[[Processes], None]) -> None:
    """Call a function in two processes of its own."""
    with team(2, 1, "cpu", timedelta(minutes=2)) as two:
        two.tell(function)
        function(two.processes)


@pytest.mark.parametrize("count", range(1, 12))
def test_slices_differ_by_one_at_most_and_make_the_batch(count: int) -> None:
    sizes = Processes(count=4).sizes(count)
    assert sum(sizes) == count
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)


def test_alone_nothing_is_changed() -> None:
    network = nn.Linear(2, 2)
    assert ALONE.divide(network) is network
    assert "forward" not in vars(network)
    assert copy.deepcopy(ALONE) is ALONE
