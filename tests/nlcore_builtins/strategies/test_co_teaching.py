"""Co-teaching against Han et al. 2018, algorithm 1: who trains on what, read off the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

import nlcore

Array = NDArray[np.float64]


def losses_of(weights: tuple[Array, Array], index: NDArray[np.int64], labels: NDArray[np.int64]) -> Array:
    """Return the cross-entropy of samples whose image is a unit vector: their logits are a column of W, plus b."""
    W, bias = weights
    result: Array = -log_softmax(W.T[index] + bias, axis=1)[np.arange(len(index)), labels[index]]
    return result


def learned_from(before: Array, after: Array) -> set[int]:
    """Return the samples whose column of W changed."""
    return set(np.flatnonzero((before != after).any(0)).tolist())


def test_each_network_learns_from_the_others_picks(bench: Callable[..., Any]) -> None:
    """The R(T) B samples of smallest loss for one network, before the step, are what the other descends on."""
    lr, size = 0.5, 8
    strategy = nlcore.create("strategy", "co_teaching", forget_rate=0.5, num_gradual=1)
    b = bench(strategy, samples=24, batch_size=size, lr=lr)
    labels = b.ctx.given_labels.numpy()
    agreed = 0
    for epoch in (1, 2):
        for batch in b.epoch(epoch):
            index = batch.index.numpy()
            before = [network.weights() for network in b.networks]
            losses = [losses_of(weights, index, labels) for weights in before]
            picks = [index[np.argsort(values)[: size // 2]] for values in losses]
            value = strategy.step(batch)
            means = []
            for own in (0, 1):
                W, bias = before[own]
                chosen = picks[1 - own]
                assert learned_from(W, b.networks[own].weights()[0]) == set(chosen.tolist())
                slope = softmax(W.T[chosen] + bias, axis=1) - np.eye(3)[labels[chosen]]
                slope /= len(chosen)  # the mean over what was kept, not over the batch
                expected = W.copy()
                expected[:, chosen] -= lr * slope.T
                np.testing.assert_allclose(b.networks[own].weights()[0], expected, atol=1e-5)
                np.testing.assert_allclose(b.networks[own].weights()[1], bias - lr * slope.sum(0), atol=1e-5)
                means.append(losses_of(before[own], chosen, labels).mean())
            assert value.item() == pytest.approx(np.mean(means), rel=1e-5)
            assert not value.requires_grad
            agreed += set(picks[0]) == set(picks[1])
    assert agreed < 6  # else it cannot be told who picked for whom


@pytest.mark.parametrize(
    ("forget_rate", "num_gradual", "kept"),
    [
        (0.5, 4, [7, 6, 5, 4, 4, 4]),  # R(T) = 1 − 0.5 min(T / 4, 1), of 8
        (0.5, 1, [4, 4]),
        (0.25, 2, [7, 6, 6]),
        (0.0, 10, [8, 8]),
        (0.9375, 1, [1, 1]),  # half a sample is one: a step on nothing would divide by 0
    ],
)
def test_schedule(bench: Callable[..., Any], forget_rate: float, num_gradual: int, kept: list[int]) -> None:
    """int(R(T) B) samples teach in epoch T, counted from 1; R falls to 1 − τ in epoch T_k and stays."""
    strategy = nlcore.create("strategy", "co_teaching", forget_rate=forget_rate, num_gradual=num_gradual)
    b = bench(strategy, samples=16, batch_size=8, epochs=len(kept))
    found: list[set[int]] = []
    for epoch in range(1, len(kept) + 1):
        numbers = set()
        for batch in b.epoch(epoch):
            before = [network.weights()[0] for network in b.networks]
            strategy.step(batch)
            for network, W in zip(b.networks, before, strict=True):
                numbers.add(len(learned_from(W, network.weights()[0])))
        found.append(numbers)
    assert found == [{number} for number in kept]


def test_forget_rates_default_is_the_declared_noise_and_an_oracle(bench: Callable[..., Any]) -> None:
    """75 % exclusive noise: a quarter of a batch is kept, and the run says that it was told."""
    noise = nlcore.create("noise", "symmetric", rate=0.75, redraw="exclusive")
    strategy = nlcore.create("strategy", "co_teaching", num_gradual=1)
    b = bench(strategy, noise=noise, samples=16, batch_size=8)
    assert b.ctx.oracles == ["noise rate"]
    for batch in b.epoch(1):
        before = b.networks[0].weights()[0]
        strategy.step(batch)
        assert len(learned_from(before, b.networks[0].weights()[0])) == 2


def test_a_given_forget_rate_is_no_oracle(bench: Callable[..., Any]) -> None:
    """What the user says is not asked of the noise model."""
    noise = nlcore.create("noise", "symmetric", rate=0.5)
    assert bench(nlcore.create("strategy", "co_teaching", forget_rate=0.2), noise=noise).ctx.oracles == []


def test_no_forget_rate_and_nothing_declared(bench: Callable[..., Any]) -> None:
    """With unknown true labels nobody can say how many are wrong: the error says what to give."""
    with pytest.raises(nlcore.UserError, match="forget_rate"):
        bench(nlcore.create("strategy", "co_teaching"), truth_known=False)
    given = bench(nlcore.create("strategy", "co_teaching", forget_rate=0.2), truth_known=False)
    assert given.ctx.oracles == []


@pytest.mark.slow
@pytest.mark.parametrize(("params", "oracles"), [({}, ("noise rate",)), ({"strategy.forget_rate": 0.2}, ())])
def test_the_result_tells_of_the_oracle(params: dict[str, float], oracles: tuple[str, ...]) -> None:
    """The mark reaches what a run reports."""
    result = nlcore.run(
        dataset="digits",
        noise="symmetric",
        strategy="co_teaching",
        epochs=1,
        threads="1",
        quiet=True,
        **{"architecture.width": 4},  # type: ignore[arg-type]
        **params,  # type: ignore[arg-type]
    )
    assert tuple(result.oracles) == oracles


def test_the_networks_start_different(bench: Callable[..., Any]) -> None:
    """Alike, they would make the same mistakes; and the seed decides both."""

    def make(seed: int) -> Any:
        return bench(nlcore.create("strategy", "co_teaching", forget_rate=0.2), seed=seed)

    first, again, other = ([network.weights()[0] for network in make(seed).networks] for seed in (1, 1, 2))
    assert len(first) == 2
    assert not np.array_equal(first[0], first[1])
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not any(np.array_equal(one, two) for one, two in zip(first, other, strict=True))


def test_the_first_network_predicts(bench: Callable[..., Any]) -> None:
    """A published accuracy is one network's, not an ensemble's."""
    b = bench(nlcore.create("strategy", "co_teaching", forget_rate=0.2))
    W, bias = b.networks[0].weights()
    logits = b.strategy.predict(torch.eye(12).view(12, 1, 1, 12)).detach().numpy()
    np.testing.assert_allclose(logits, W.T + bias, atol=1e-6)


def test_clean_probability_is_the_share_of_the_networks(bench: Callable[..., Any]) -> None:
    """For each sample: how many of the two picked it in the epoch's step that showed it, of 0, 1 and 2."""
    strategy = nlcore.create("strategy", "co_teaching", forget_rate=0.5, num_gradual=1)
    b = bench(strategy, samples=48, batch_size=8, lr=0.01)  # slow enough not to agree at once
    assert strategy.clean_probability().shape == (48,)
    for epoch in (1, 2):
        expected = np.zeros(48)
        for batch in b.epoch(epoch):
            before = [network.weights()[0] for network in b.networks]
            strategy.step(batch)
            for network, W in zip(b.networks, before, strict=True):
                expected[list(learned_from(W, network.weights()[0]))] += 0.5
        assert strategy.clean_probability().tolist() == expected.tolist()
        assert set(expected.tolist()) == {0, 0.5, 1}


def test_state_dict_round_trip(bench: Callable[..., Any]) -> None:
    """A resumed training knows what was picked."""

    def make() -> Any:
        strategy = nlcore.create("strategy", "co_teaching", forget_rate=0.5, num_gradual=1)
        return bench(strategy, samples=16, batch_size=8)

    before = make()
    for batch in before.epoch(1):
        before.strategy.step(batch)
    after = make()
    assert not torch.equal(after.strategy.clean_probability(), before.strategy.clean_probability())
    after.strategy.load_state_dict({key: value.clone() for key, value in before.strategy.state_dict().items()})
    assert torch.equal(after.strategy.clean_probability(), before.strategy.clean_probability())


def test_each_network_has_its_own_memory(bench: Callable[..., Any]) -> None:
    """ELR remembers, for every sample of the batch, what its own network predicted before the step."""
    made = []

    def make_loss() -> Any:
        made.append(nlcore.create("loss", "elr", beta=0.6))
        return made[-1]

    strategy = nlcore.create("strategy", "co_teaching", forget_rate=0.5, num_gradual=1)
    b = bench(strategy, make_loss, samples=16, batch_size=8)
    expected = np.zeros((2, 16, 3))
    for batch in b.epoch(1):
        index = batch.index.numpy()
        for own, network in enumerate(b.networks):
            W, bias = network.weights()
            expected[own, index] = 0.4 * softmax(W.T[index] + bias, axis=1)
        strategy.step(batch)
    assert len(made) == 2
    for loss, memory in zip(made, expected, strict=True):
        np.testing.assert_allclose(loss.state_dict()["t"].numpy(), memory, atol=1e-6)


def test_samples_are_ranked_by_the_runs_loss(bench: Callable[..., Any]) -> None:
    """The pick follows the whole loss: one that grows where cross-entropy falls turns it round."""

    class Reversed:
        def __call__(
            self, logits: torch.Tensor, targets: torch.Tensor, index: torch.Tensor | None = None
        ) -> torch.Tensor:
            return -torch.nn.functional.cross_entropy(logits, targets, reduction="none")

    strategy = nlcore.create("strategy", "co_teaching", forget_rate=0.75, num_gradual=1)
    b = bench(strategy, Reversed, samples=8, batch_size=8)
    (batch,) = b.epoch(1)
    index, labels = batch.index.numpy(), b.ctx.given_labels.numpy()
    before = [network.weights() for network in b.networks]
    strategy.step(batch)
    for own in (0, 1):
        largest = index[np.argsort(losses_of(before[1 - own], index, labels))[-2:]]
        assert learned_from(before[own][0], b.networks[own].weights()[0]) == set(largest.tolist())


@pytest.mark.parametrize(
    "params",
    [{"forget_rate": 1.0}, {"forget_rate": -0.1}, {"forget_rate": "abc"}, {"num_gradual": 0}, {"num_gradual": 1.5}],
)
def test_wrong_parameters(params: dict[str, object]) -> None:
    """Something must be kept, and the schedule needs an epoch."""
    with pytest.raises(nlcore.ParameterError, match=rf"strategy\.{next(iter(params))}"):
        nlcore.create("strategy", "co_teaching", **params)
