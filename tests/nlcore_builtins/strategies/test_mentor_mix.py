"""MentorMix against Jiang et al. 2020, algorithm 1, with λ and partners read off the images the network was shown."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.strategies.mentor_mix import MentorMix, quantile_of, sample_partners
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from torch import Tensor

import nlcore
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun

Array = NDArray[np.float64]
FOLLOWS: dict[str, Any] = {"burn_in": 0, "decay": 0.0}  # the threshold is the batch's quantile


def losses_of(weights: tuple[Array, Array], index: Tensor, labels: Tensor) -> Array:
    """Return the cross-entropy of samples whose image is a unit vector: their logits are a column of W, plus b."""
    W, bias = weights
    i = index.numpy()
    result: Array = -log_softmax(W.T[i] + bias, axis=1)[np.arange(len(i)), labels[index].numpy()]
    return result


def read_off(seen: Tensor, index: Tensor) -> tuple[Array, NDArray[np.int64]]:
    """Return each image's λ and partner, from images λ e_i + (1 − λ) e_j."""
    x, own, rows = seen.double().numpy(), index.numpy(), np.arange(len(index))
    rest = x.copy()
    rest[rows, own] = 0
    partners = np.where(rest.any(1), rest.argmax(1), own)
    return x[rows, own], partners


def step_by_hand(
    weights: tuple[Array, Array], x: Array, labels: NDArray[np.int64], own: Any, other: Any, lam: Array, keep: Array
) -> tuple[float, Array, Array]:
    """Return mean_b keep_b ℓ̃_b and its gradient with respect to W and the bias."""
    W, bias = weights
    f = x @ W.T + bias
    target = lam[:, None] * np.eye(3)[labels[own]] + (1 - lam[:, None]) * np.eye(3)[labels[other]]
    value = float((keep * -(target * log_softmax(f, axis=1)).sum(1)).mean())
    slope = keep[:, None] * (softmax(f, axis=1) - target) / len(f)
    return value, slope.T @ x, slope.sum(0)


@pytest.mark.parametrize("second", [False, True])
def test_loss_and_step_follow_the_algorithm(bench: Callable[..., Any], second: bool) -> None:
    """γ from step to step, v, which side of 1/2 λ is on, the value and the gradient, batches of 4, 4 and 5."""
    lr, decay, share = 0.5, 0.6, 0.7
    strategy = MentorMix(burn_in=0, decay=decay, gamma_p=share, second=second)
    b = bench(strategy, samples=13, lr=lr)
    labels = b.ctx.given_labels.numpy()
    gamma: list[float | None] = [None, None]

    def below(which: int, losses: Array) -> Array:
        quantile, old = float(np.quantile(losses, share)), gamma[which]
        gamma[which] = now = quantile if old is None else decay * old + (1 - decay) * quantile
        return (losses <= now).astype(float)

    kept = set()
    for epoch in (1, 2):
        for batch in b.epoch(epoch):
            weights = b.networks[0].weights()
            v = below(0, losses_of(weights, batch.index, b.ctx.given_labels))
            value = strategy.step(batch)
            plain, seen = b.networks[0].seen[-2:]
            assert torch.equal(plain, torch.eye(13)[batch.index])
            lam, other = read_off(seen, batch.index)
            assert set(other) <= set(batch.index.tolist())
            mixed = other != batch.index.numpy()
            assert (lam >= 0.5)[mixed].tolist() == (v == 1)[mixed].tolist()
            x, own = seen.double().numpy(), batch.index.numpy()
            keep = np.ones(len(own))
            if second:
                f = x @ weights[0].T + weights[1]
                target = lam[:, None] * np.eye(3)[labels[own]] + (1 - lam[:, None]) * np.eye(3)[labels[other]]
                keep = below(1, -(target * log_softmax(f, axis=1)).sum(1))
            expected, slope_W, slope_b = step_by_hand(weights, x, labels, own, other, lam, keep)
            assert value.item() == pytest.approx(expected, rel=1e-5)
            assert not value.requires_grad
            np.testing.assert_allclose(b.networks[0].weights()[0], weights[0] - lr * slope_W, atol=1e-5)
            np.testing.assert_allclose(b.networks[0].weights()[1], weights[1] - lr * slope_b, atol=1e-5)
            opinion = strategy.clean_probability()
            assert opinion is not None
            np.testing.assert_array_equal(opinion[batch.index], v)
            kept.add(keep.mean())
    assert not second or len(kept) > 1  # else the second weighting was not seen
    assert strategy.state_dict()["gamma"][0].item() == pytest.approx(gamma[0], rel=1e-5)


def test_with_all_trusted_it_is_mixup_with_lambda_folded(bench: Callable[..., Any]) -> None:
    """With v ≡ 1, one λ ≥ 1/2 for a batch and partners that are a permutation: three steps of mixup."""
    ours, theirs = bench(MentorMix(gamma_p=1.0, **FOLLOWS)), bench(nlcore.create("strategy", "mixup"))
    permutation = torch.tensor([2, 0, 3, 1])
    for own, other in zip(ours.epoch(1), theirs.epoch(1), strict=True):
        lam = 0.5 + 0.1 * (1 + own.step.item())
        ours.strategy.lam.fill_(lam)
        ours.strategy.pick[:, :4] = (permutation + 0.5) / 4  # all alike: softmax(v) is uniform
        theirs.strategy.lam.fill_(lam)
        theirs.strategy.order[:, permutation] = torch.arange(4.0)  # argsort of it is the permutation
        assert ours.strategy.step(own).item() == pytest.approx(theirs.strategy.step(other).item(), abs=1e-6)
        for one, two in zip(ours.networks[0].weights(), theirs.networks[0].weights(), strict=True):
            np.testing.assert_allclose(one, two, atol=1e-6)


@pytest.mark.parametrize("v", [[1, 0, 1, 0, 0], [1, 1, 1], [0, 0], [1], [0, 1]])
def test_partners_follow_the_softmax_of_the_weights(v: list[int]) -> None:
    """Of evenly spaced numbers in [0, 1) each sample gets its share exp(v_b) / Σ exp(v)."""
    count = 100_000
    drawn = sample_partners(torch.tensor(v).float(), torch.arange(count).double().div(count).float())
    shares = drawn.bincount(minlength=len(v)).double() / count
    np.testing.assert_allclose(shares, softmax(np.array(v, float)), atol=2e-5)


def test_partners_are_positions_at_the_ends_of_the_interval() -> None:
    """0 gives the first, the largest float below 1 the last, also in batches in which rounding could pass it."""
    for size in (1, 3, 129, 4097):
        v = torch.arange(size).remainder(2).float()
        ends = torch.tensor([0.0, 1 - 2.0**-24])
        assert sample_partners(v, ends).tolist() == [0, size - 1]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_quantiles_are_numpys(share: float, size: int) -> None:
    """Between two losses it is interpolated."""
    losses = torch.rand(size, generator=torch.Generator().manual_seed(size))
    assert quantile_of(losses, share).item() == pytest.approx(np.quantile(losses.numpy(), share), abs=1e-6)


def plant(b: Any, wrong: Tensor) -> None:
    """Make a bench's network contradict the given labels of these samples, and agree with those of the others."""
    given = b.ctx.given_labels
    says = torch.where(wrong, (given + 1) % 3, given)
    with torch.no_grad():
        b.networks[0].head.weight.copy_(5 * torch.nn.functional.one_hot(says, 3).T)
        b.networks[0].head.bias.zero_()


def test_a_planted_division_is_found(bench: Callable[..., Any]) -> None:
    """Of samples whose loss is large each batch's share below the quantile is free."""
    b = bench(MentorMix(gamma_p=0.5, **FOLLOWS), samples=24, batch_size=24, lr=1e-6)
    wrong = torch.arange(24) % 3 == 0
    plant(b, wrong)
    for batch in b.epoch(1):
        b.strategy.step(batch)
    assert torch.equal(b.strategy.clean_probability() == 0, wrong)
    lam, other = read_off(b.networks[0].seen[-1], batch.index)
    mixed = other != batch.index.numpy()
    assert ((lam < 0.5) == wrong[batch.index].numpy())[mixed].all()


@pytest.mark.parametrize(("gamma_p", "kept"), [(0.0, 1), (1.0, 4)])
def test_as_few_as_one_and_as_many_as_all_are_trusted(bench: Callable[..., Any], gamma_p: float, kept: int) -> None:
    """γ_p = 0 and 1 are the smallest and the largest loss of a batch."""
    b = bench(MentorMix(gamma_p=gamma_p, **FOLLOWS))
    for batch in b.epoch(1):
        assert b.strategy.step(batch).isfinite()
        assert b.strategy.clean_probability()[batch.index].sum() == kept


@pytest.mark.parametrize("second", [False, True])
def test_where_no_loss_is_below_the_threshold_steps_go_on(bench: Callable[..., Any], second: bool) -> None:
    """No sample trusted: all have λ ≤ 1/2; nothing left by the second weighting: nothing is learned."""
    b = bench(MentorMix(burn_in=0, decay=0.99, second=second))
    for batch in b.epoch(1):
        state = b.strategy.state_dict()
        b.strategy.load_state_dict({**state, "gamma": torch.full((2,), -1e6)})
        before = b.networks[0].weights()[0]
        value = b.strategy.step(batch)
        lam, other = read_off(b.networks[0].seen[-1], batch.index)
        assert (lam[other != batch.index.numpy()] <= 0.5).all()
        assert b.strategy.clean_probability()[batch.index].sum() == 0
        assert (value == 0) == second
        assert np.array_equal(b.networks[0].weights()[0], before) == second


@pytest.mark.parametrize(("samples", "classes"), [(9, 2), (5, 7)])
def test_steps_stay_finite_for_two_classes_and_for_missing_ones(
    bench: Callable[..., Any], samples: int, classes: int
) -> None:
    """Last batches of one more included."""
    b = bench(MentorMix(burn_in=1, second=True), samples=samples, classes=classes)
    values = [b.strategy.step(batch) for epoch in (1, 2) for batch in b.epoch(epoch)]
    assert all(bool(value.isfinite()) for value in values)


def test_weights_are_random_in_the_burn_in(bench: Callable[..., Any]) -> None:
    """Half of the samples have λ > 1/2, whatever their loss; there is no opinion; γ is followed all the same."""
    b = bench(MentorMix(burn_in=20, gamma_p=0.0), samples=40, batch_size=8, epochs=40, lr=1e-6)
    wrong = torch.arange(40) % 6 == 0  # 7 of them: no batch of 8 is without a small loss
    plant(b, wrong)
    found: dict[bool, list[bool]] = {True: [], False: []}
    for epoch in range(1, 21):
        for batch in b.epoch(epoch):
            b.strategy.step(batch)
            lam, other = read_off(b.networks[0].seen[-1], batch.index)
            for i, j, share in zip(batch.index.tolist(), other, lam, strict=True):
                if i != j:
                    found[bool(wrong[i])].append(share > 0.5)
        assert b.strategy.clean_probability() is None
    for sides in found.values():
        assert np.mean(sides) == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(len(sides)))
    smallest = float(np.log(1 + 2 * np.exp(-5)))
    assert b.strategy.state_dict()["gamma"][0].item() == pytest.approx(smallest, rel=1e-3)
    next(b.epoch(21))
    assert b.strategy.clean_probability() is not None


def test_the_first_predictions_are_observed_and_three_losses_asked(bench: Callable[..., Any], recorder: Any) -> None:
    """Those of images that are not mixed, once; then the losses of them, of mixed images, and with partners' labels."""
    loss = recorder()
    b = bench(MentorMix(burn_in=1), lambda: loss, samples=13)
    for epoch in (1, 2):
        for batch in b.epoch(epoch):
            loss.events.clear()
            W, bias = b.networks[0].weights()
            b.strategy.step(batch)
            assert [event[0] for event in loss.events] == ["observe", "call", "call", "call"]
            _, logits, observed = loss.events[0]
            np.testing.assert_allclose(logits.detach(), W.T[batch.index.numpy()] + bias, atol=1e-5)
            asked = [event[2] for event in loss.events]
            assert all(torch.equal(index, batch.index) for index in (observed, *asked[1:3]))
            _, partners = read_off(b.networks[0].seen[-1], batch.index)
            assert asked[3].tolist() == partners.tolist()
            for _, targets, index in loss.events[1:]:
                assert torch.equal(targets, b.ctx.given_labels[index])


def test_lambda_is_drawn_for_each_sample_and_epoch_and_keyed_by_the_seed(bench: Callable[..., Any]) -> None:
    """An epoch can be replayed by itself; no two samples share a λ."""

    def shown(seed: int, epoch: int) -> Tensor:
        b = bench(MentorMix(burn_in=0), seed=seed)
        for batch in b.epoch(epoch):
            b.strategy.step(batch)
        return torch.cat(b.networks[0].seen[1::2])

    first = shown(1, 3)
    assert torch.equal(shown(1, 3), first)
    assert not torch.equal(shown(1, 4), first)
    assert not torch.equal(shown(2, 3), first)
    shares = first.max(1).values
    assert len(set(shares[shares < 1].tolist())) == int((shares < 1).sum()) > 4


@pytest.mark.parametrize("second", [False, True])
def test_it_resumes_in_each_phase(second: bool) -> None:
    """From what was saved in the burn-in and after it, a run ends with the bits of one without a stop."""

    def make() -> TinyRun:
        return TinyRun(MentorMix(burn_in=2, second=second), 4)

    straight, saved, said = make(), [], []

    def note() -> None:
        saved.append(copy.deepcopy(straight.trainer.state_dict()))
        said.append(copy.deepcopy(straight.strategy.clean_probability()))

    straight.train(note)
    for done in (1, 2, 3):
        resumed = make()
        resumed.trainer.load_state_dict(saved[done - 1])
        now, then = resumed.strategy.clean_probability(), said[done - 1]
        assert (now is None) == (then is None) == (done < 3)
        assert now is None or torch.equal(now, then)
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())


@pytest.mark.parametrize(("epochs", "burn_in", "last"), [(400, None, 80), (20, None, 4), (3, None, 0), (9, 5, 5)])
def test_the_burn_in_is_a_fifth_of_the_run(
    bench: Callable[..., Any], epochs: int, burn_in: int | None, last: int
) -> None:
    """Unless another length is given."""
    b = bench(MentorMix(burn_in=burn_in), epochs=epochs)
    for epoch in (last, last + 1):
        if epoch:
            b.strategy.begin_epoch(epoch)
            assert b.strategy.variant(epoch) == (epoch == last)


def test_a_run_that_is_all_burn_in_is_reported(bench: Callable[..., Any]) -> None:
    """It goes on, and says so."""
    said: list[str] = []
    b = bench(MentorMix(), epochs=3)
    b.ctx.report = said.append
    for burn_in, count in ((2, 0), (3, 1)):
        MentorMix(burn_in=burn_in).setup(b.ctx)
        assert len(said) == count
    assert "burn-in" in said[0]
