"""RRM against Chen et al. 2026: its weights against a linear programme's, its steps against the weighted formula."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.strategies.rrm import RRM
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.special import log_softmax, softmax
from torch import Tensor
from torch.nn import functional as F

import nlcore
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun

Array = NDArray[np.float64]


def plant(b: Any, sure: Array) -> Array:
    """Make the network say each given label with this logit, all others with 0; return the losses (N,)."""
    labels = F.one_hot(b.ctx.given_labels, b.ctx.num_classes)
    with torch.no_grad():
        b.networks[0].head.weight.copy_(labels.T * torch.from_numpy(sure))
        b.networks[0].head.bias.zero_()
    result: Array = np.log(np.exp(sure) + b.ctx.num_classes - 1) - sure
    return result


def weights_of(b: Any, epoch: int) -> Array:
    """Begin an epoch and return the weights N (1/N + u)."""
    b.strategy.begin_epoch(epoch)
    result: Array = b.strategy.state_dict()["weights"].double().numpy().copy()
    return result


def optimum(losses: Array, gamma: float) -> float:
    """Return min over u of Σ (1/N + u) c + γ/2 ‖u‖₁, Σ u = 0, u ≥ −1/N, with u = a − b in two halves ≥ 0."""
    N = len(losses)
    cost = np.concatenate([losses + gamma / 2, gamma / 2 - losses])
    bounds = [(0, None)] * N + [(0, 1 / N)] * N
    found = linprog(cost, A_eq=[[1.0] * N + [-1.0] * N], b_eq=[0.0], bounds=bounds)
    assert found.success
    return float(losses.mean() + found.fun)


def objective(weights: Array, losses: Array, gamma: float) -> float:
    """Return Σ (1/N + u) c + γ/2 ‖u‖₁ for weights N (1/N + u)."""
    N = len(losses)
    return float((weights / N) @ losses + gamma / 2 * np.abs(weights / N - 1 / N).sum())


@pytest.mark.parametrize("gamma", [0.3, 0.9, 2.0, 50.0])
def test_weights_solve_the_programme_where_smallest_losses_tie(bench: Callable[..., Any], gamma: float) -> None:
    """With as many samples of loss c_min as are dropped, no other weights have a smaller objective."""
    b = bench(RRM(gamma=gamma, every=1), samples=16)
    sure = np.concatenate([np.full(8, 4.0), [3.0, 2.0, 1.5, 1.0, 0.5, 0.0, -1.0, -4.0]])
    losses = plant(b, np.random.default_rng(1).permutation(sure))
    weights = weights_of(b, 2)
    assert weights.sum() == pytest.approx(16)
    assert weights.min() >= 0
    assert objective(weights, losses, gamma) == pytest.approx(optimum(losses, gamma), abs=1e-6)
    assert objective(np.ones(16), losses, gamma) - optimum(losses, gamma) > (1e-3 if gamma < 4 else -1e-9)


@pytest.mark.parametrize("gamma", [0.5, 1.0])
def test_weights_are_nearly_the_best_where_losses_differ(bench: Callable[..., Any], gamma: float) -> None:
    """The programme gives all to the smallest loss; what is lost is the mass times how far receivers are from it."""
    b = bench(RRM(gamma=gamma, every=1), samples=40)
    losses = plant(b, np.random.default_rng(2).normal(2, 2, 40))
    weights = weights_of(b, 2)
    dropped = losses > losses.min() + gamma
    assert (weights[dropped] == 0).all()
    assert 0 < dropped.sum() < 40
    receiving = np.sort(losses)[: min(dropped.sum(), 40 - dropped.sum())]
    lost = dropped.mean() * (receiving - losses.min()).mean()
    assert objective(weights, losses, gamma) == pytest.approx(optimum(losses, gamma) + lost, abs=1e-5)


@pytest.mark.parametrize(("contamination", "dropped"), [(0.25, 5), (0.5, 10), (0.0, 0), (0.9, 18), (0.06, 2)])
def test_the_largest_losses_are_dropped_for_the_smallest(
    bench: Callable[..., Any], contamination: float, dropped: int
) -> None:
    """Those above the (1 − C')-quantile; as many of the smallest get their weight, or all that stay."""
    b = bench(RRM(contamination=contamination, every=1), samples=20)
    losses = plant(b, np.random.default_rng(3).normal(1, 2, 20))
    assert (losses > np.quantile(losses, 1 - contamination)).sum() == dropped
    order = losses.argsort()
    expected = np.ones(20)
    expected[order[20 - dropped :]] = 0
    receiving = max(1, min(dropped, 20 - dropped))
    expected[order[:receiving]] += dropped / receiving
    np.testing.assert_allclose(weights_of(b, 2), expected, atol=1e-6)
    assert expected.sum() == pytest.approx(20)


def test_a_planted_division_is_found(bench: Callable[..., Any]) -> None:
    """Samples whose labels the network contradicts get weight 0, and that is its opinion of them."""
    b = bench(RRM(contamination=0.25, every=1), samples=40)
    wrong = np.arange(40) % 4 == 1
    plant(b, np.where(wrong, -3.0, 3.0) + np.random.default_rng(4).random(40))
    assert b.strategy.clean_probability() is None
    weights_of(b, 1)
    assert b.strategy.clean_probability() is None
    weights_of(b, 2)
    np.testing.assert_array_equal(b.strategy.clean_probability().numpy(), 1.0 - wrong)


def test_equal_losses_keep_equal_weights(bench: Callable[..., Any]) -> None:
    """None is above the quantile of losses that are all alike, whatever C'."""
    b = bench(RRM(contamination=0.4, every=1))
    plant(b, np.zeros(12))
    np.testing.assert_array_equal(weights_of(b, 2), np.ones(12))


def test_weights_move_by_mu(bench: Callable[..., Any]) -> None:
    """Weights are u ← μ u* + (1 − μ) u, twice, with other losses the second time."""
    b = bench(RRM(contamination=0.25, every=1, mu=0.25), samples=8)
    expected = np.ones(8)
    for epoch, seed in ((2, 1), (3, 2)):
        order = plant(b, np.random.default_rng(seed).normal(1, 2, 8)).argsort()
        best = np.ones(8)
        best[order[-2:]], best[order[:2]] = 0, 2
        expected = 0.25 * best + 0.75 * expected
        np.testing.assert_allclose(weights_of(b, epoch), expected, atol=1e-6)
    np.testing.assert_allclose(b.strategy.clean_probability(), expected.clip(max=1), atol=1e-6)
    assert 0 < expected.min() < 1 < expected.max()


def test_weights_are_set_every_so_many_epochs(bench: Callable[..., Any]) -> None:
    """With `every` 3 at the start of epochs 4 and 7, from the losses of then."""
    b = bench(RRM(contamination=0.25, every=3))
    changed, before = [], np.ones(12)
    for epoch in range(1, 9):
        plant(b, np.random.default_rng(epoch).normal(1, 2, 12))
        now = weights_of(b, epoch)
        if not np.array_equal(now, before):
            changed.append(epoch)
        before = now
    assert changed == [4, 7]


def test_loss_and_step_are_weighted(bench: Callable[..., Any]) -> None:
    """mean_b w_b ℓ_b over the batch, its value and gradient, with weights of 0, 1, 2 and between, batches 4, 4, 5."""
    lr = 0.5
    b = bench(RRM(contamination=0.3, every=1, mu=0.7), samples=13, lr=lr)
    labels = b.ctx.given_labels.numpy()
    for epoch in (2, 3):
        for batch in b.epoch(epoch):
            W, bias = b.networks[0].weights()
            i = batch.index.numpy()
            weights = b.strategy.state_dict()["weights"].numpy()[i]
            log_p = log_softmax(W.T[i] + bias, axis=1)
            value = b.strategy.step(batch)
            assert value.item() == pytest.approx(-(weights * log_p[np.arange(len(i)), labels[i]]).mean(), rel=1e-5)
            assert not value.requires_grad
            slope = weights[:, None] * (softmax(W.T[i] + bias, axis=1) - np.eye(3)[labels[i]]) / len(i)
            expected = W.copy()
            expected[:, i] -= lr * slope.T
            np.testing.assert_allclose(b.networks[0].weights()[0], expected, atol=1e-5)
            np.testing.assert_allclose(b.networks[0].weights()[1], bias - lr * slope.sum(0), atol=1e-5)
    assert len(set(b.strategy.state_dict()["weights"].tolist())) > 2


@pytest.mark.parametrize("params", [{"gamma": 1e6}, {"contamination": 0.0}])
@pytest.mark.parametrize("loss", ["cross_entropy", "elr"])
def test_without_a_threshold_it_is_standard(bench: Callable[..., Any], params: Any, loss: str) -> None:
    """γ = ∞ and C' = 0 drop nothing: three steps after weights were set are those without them."""

    def make_loss() -> Any:
        return nlcore.create("loss", loss)

    ours = bench(RRM(every=1, **params), make_loss, samples=13)
    theirs = bench(nlcore.create("strategy", "standard"), make_loss, samples=13)
    for own, other in zip(ours.epoch(2), theirs.epoch(2), strict=True):
        assert ours.strategy.step(own).item() == pytest.approx(theirs.strategy.step(other).item(), abs=1e-6)
        for one, two in zip(ours.networks[0].weights(), theirs.networks[0].weights(), strict=True):
            np.testing.assert_allclose(one, two, atol=1e-6)


def test_all_samples_losses_are_the_runs_own(bench: Callable[..., Any]) -> None:
    """A loss that grows where cross-entropy falls turns the choice round."""

    class Reversed:
        def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
            return -F.cross_entropy(logits, targets, reduction="none")

    b = bench(RRM(contamination=0.25, every=1), Reversed)
    losses = plant(b, np.random.default_rng(5).normal(1, 2, 12))
    assert set(np.flatnonzero(weights_of(b, 2) == 0)) == set(losses.argsort()[:3])


def test_a_memory_is_shown_each_batch_once(bench: Callable[..., Any], recorder: Any) -> None:
    """When weights are set the loss is asked for all samples and shown nothing."""
    loss = recorder()
    b = bench(RRM(contamination=0.25, every=1), lambda: loss)
    for number, batch in enumerate(b.epoch(2)):
        if number == 0:
            ((what, targets, index),) = loss.events
            assert what == "call"
            assert index.tolist() == list(range(12))
            assert torch.equal(targets, b.ctx.given_labels)
        loss.events.clear()
        b.strategy.step(batch)
        assert [event[0] for event in loss.events] == ["observe", "call"]
        assert all(torch.equal(event[2], batch.index) for event in loss.events)


def test_the_share_to_drop_defaults_to_the_declared_noise_and_an_oracle(bench: Callable[..., Any]) -> None:
    """And no oracle where the user says C' or γ."""
    noise = nlcore.create("noise", "symmetric", rate=0.25, redraw="exclusive")
    b = bench(RRM(every=1), noise=noise, samples=16)
    assert b.ctx.oracles == ["noise rate"]
    plant(b, np.random.default_rng(1).normal(1, 2, 16))
    assert (weights_of(b, 2) == 0).sum() == 4
    for strategy in (RRM(contamination=0.2), RRM(gamma=1.0)):
        assert bench(strategy, noise=noise).ctx.oracles == []


def test_nothing_said_and_nothing_declared_is_an_error(bench: Callable[..., Any]) -> None:
    """With unknown true labels nobody can say how many are wrong: the error says what to give."""
    with pytest.raises(nlcore.UserError, match=r"--strategy\.contamination 0\.2"):
        bench(RRM(), truth_known=False)
    bench(RRM(contamination=0.2), truth_known=False)
    bench(RRM(gamma=0.2), truth_known=False)


def test_gamma_and_the_share_together_are_an_error(bench: Callable[..., Any]) -> None:
    """Either says how much to drop."""
    with pytest.raises(nlcore.UserError, match="one of them"):
        bench(RRM(gamma=1.0, contamination=0.2))


@pytest.mark.parametrize(("samples", "classes"), [(9, 2), (5, 7)])
def test_steps_stay_finite_for_two_classes_and_for_missing_ones(
    bench: Callable[..., Any], samples: int, classes: int
) -> None:
    """Last batches of one more included."""
    b = bench(RRM(contamination=0.4, every=1), samples=samples, classes=classes)
    values = [b.strategy.step(batch) for epoch in (1, 2, 3) for batch in b.epoch(epoch)]
    assert all(bool(value.isfinite()) for value in values)


def test_it_resumes_before_and_after_weights_are_set() -> None:
    """From what was saved after each epoch, a run ends with the bits of one without a stop."""

    def make() -> TinyRun:
        return TinyRun(RRM(contamination=0.3, every=2, mu=0.5), 5)

    straight, saved, said = make(), [], []

    def note() -> None:
        saved.append(copy.deepcopy(straight.trainer.state_dict()))
        said.append(copy.deepcopy(straight.strategy.clean_probability()))

    straight.train(note)
    for done in (1, 2, 3, 4):
        resumed = make()
        resumed.trainer.load_state_dict(saved[done - 1])
        now, then = resumed.strategy.clean_probability(), said[done - 1]
        assert (now is None) == (then is None) == (done < 3)
        assert now is None or torch.equal(now, then)
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())


def test_a_run_too_short_for_new_weights_is_reported(bench: Callable[..., Any]) -> None:
    """It goes on with equal ones, and says so."""
    said: list[str] = []
    b = bench(RRM(gamma=1.0), epochs=5)
    b.ctx.report = said.append
    for every, count in ((4, 0), (5, 1)):
        RRM(gamma=1.0, every=every).setup(b.ctx)
        assert len(said) == count
    assert "stay equal" in said[0]


def test_two_shares_to_drop_are_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    both: dict[str, Any] = {"strategy": "rrm", "strategy.gamma": 0.5, "strategy.contamination": 0.2}
    with pytest.raises(nlcore.UserError, match="both say how much to drop"):
        nlcore.run(dataset="cifar10", data_dir=tmp_path / "nothing", no_download=True, **both)
