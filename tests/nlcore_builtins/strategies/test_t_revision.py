"""T-Revision against Xia et al. 2019: T from anchor points, weights β, and the revision that is learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.losses.importance_reweighting import ImportanceReweighting
from nlcore_builtins.losses.vol_min_net import VolMinNet
from nlcore_builtins.strategies.t_revision import TRevision
from numpy.typing import NDArray
from resuming import copied
from scipy.special import softmax

import nlcore
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun

Array = NDArray[np.float64]

T = np.array([[0.7, 0.2, 0.1], [0.0, 0.6, 0.4], [0.3, 0.2, 0.5]])


def predictions(b: Any, index: NDArray[np.int64]) -> Array:
    """Return the softmax (B, K) of samples whose image is a unit vector."""
    W, bias = b.networks[0].weights()
    result: Array = softmax(W.T[index] + bias, axis=1)
    return result


def put(b: Any, estimate: Array, revision: Array | None = None) -> None:
    """Let T̂ and ΔT be these."""
    with torch.no_grad():
        b.strategy.transition.estimate.copy_(torch.from_numpy(estimate))
        b.strategy.transition.revision.copy_(torch.from_numpy(np.zeros((3, 3)) if revision is None else revision))


@pytest.mark.parametrize("epoch", [1, 2])
def test_with_the_identity_it_is_standard_training(bench: Callable[..., Any], epoch: int) -> None:
    """β ≡ 1: the same weights after each step; so it is in the first stage."""
    ours = bench(TRevision(warm_up=1, revision=0.0), momentum=0.9)
    theirs = bench(nlcore.create("strategy", "standard"), momentum=0.9)
    for number, (own, other) in enumerate(zip(ours.epoch(epoch), theirs.epoch(epoch), strict=True)):
        if epoch > 1 and number == 0:
            put(ours, np.eye(3))
        value, expected = ours.strategy.step(own), theirs.strategy.step(other)
        assert value.item() == pytest.approx(expected.item(), rel=1e-6)
        for one, two in zip(ours.networks[0].weights(), theirs.networks[0].weights(), strict=True):
            np.testing.assert_allclose(one, two, atol=1e-6)


def test_t_is_estimated_at_anchor_points_when_the_warm_up_is_over(bench: Callable[..., Any]) -> None:
    """Row i is the posterior of the image with the largest p_i, and once it is there it stays."""
    b = bench(TRevision(warm_up=2, percentile=100.0, revision=0.0))
    for epoch in (1, 2):
        for batch in b.epoch(epoch):
            b.strategy.step(batch)
        assert b.strategy.clean_probability() is None
        assert torch.equal(b.strategy.transition.estimate, torch.eye(3))
    p = predictions(b, np.arange(12))
    for epoch in (3, 4):
        for batch in b.epoch(epoch):
            b.strategy.step(batch)
        np.testing.assert_allclose(b.strategy.transition.estimate.numpy(), p[p.argmax(0)], atol=1e-5)


def test_weighted_steps(bench: Callable[..., Any]) -> None:
    """L = mean β CE with β = p_ỹ / (Tᵀ p)_ỹ, and the gradient is β (p − ỹ) / B; batches of 4, 4 and 5."""
    b = bench(TRevision(warm_up=1, revision=0.0), samples=13, lr=0.5)
    sizes = []
    for number, batch in enumerate(b.epoch(2)):
        if number == 0:
            put(b, T)
        index, y = batch.index.numpy(), batch.targets.numpy()
        rows = np.arange(len(y))
        W, _ = b.networks[0].weights()
        p = predictions(b, index)
        weights = p[rows, y] / (p @ T)[rows, y]
        value = b.strategy.step(batch)
        assert value.item() == pytest.approx((-weights * np.log(p[rows, y])).mean(), rel=1e-5)
        assert not value.requires_grad
        expected = W.copy()
        expected[:, index] -= 0.5 * (weights[:, None] * (p - np.eye(3)[y])).T / len(y)
        np.testing.assert_allclose(b.networks[0].weights()[0], expected, atol=1e-5)
        np.testing.assert_allclose(b.strategy.clean_probability()[batch.index], weights * T[y, y], atol=1e-5)
        sizes.append(len(y))
    assert sizes == [4, 4, 5]
    assert not b.strategy.transition.revision.any()


def test_the_revision_is_learned_with_the_network(bench: Callable[..., Any]) -> None:
    """∂L/∂T_ky = −Σ_{i: ỹ_i = y} ℓ_i p_iy p_ik / (Tᵀp_i)_y² / B; Adam's first step is its rate along the sign."""
    rate = 1e-3
    b = bench(TRevision(warm_up=1, revision=1.0, lr_revision=rate))
    revision = 0.05 * np.random.default_rng(6).uniform(size=(3, 3))
    batch = next(iter(b.epoch(2)))
    put(b, T, revision)
    index, y = batch.index.numpy(), batch.targets.numpy()
    rows, total = np.arange(len(y)), T + revision
    W, bias = b.networks[0].weights()
    p = predictions(b, index)
    given = (p @ total)[rows, y]
    weights, losses = p[rows, y] / given, -np.log(p[rows, y])
    expected = np.zeros((3, 3))
    for i in rows:
        expected[:, y[i]] -= losses[i] * p[i, y[i]] * p[i] / given[i] ** 2 / len(y)
    value = b.strategy.step(batch)
    assert value.item() == pytest.approx((weights * losses).mean(), rel=1e-5)
    learned = b.strategy.transition.revision
    np.testing.assert_allclose(learned.grad.numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(learned.detach().numpy(), revision - rate * np.sign(expected), atol=1e-5)
    slope = weights[:, None] * (p - np.eye(3)[y])
    np.testing.assert_allclose(b.networks[0].weights()[1], bias - rate * np.sign(slope.sum(0)), atol=1e-5)
    assert abs(b.networks[0].weights()[0] - W).max() == pytest.approx(rate, rel=1e-2)


def test_t_is_never_negative(bench: Callable[..., Any]) -> None:
    """A revision of −1 leaves 1e-8, and every step finite."""
    b = bench(TRevision(warm_up=1, revision=1.0))
    for number, batch in enumerate(b.epoch(2)):
        if number == 0:
            put(b, T, -np.ones((3, 3)))
            torch.testing.assert_close(b.strategy.transition(), torch.full((3, 3), 1e-8))
        assert b.strategy.step(batch).isfinite()
        assert all(np.isfinite(values).all() for values in b.networks[0].weights())


def test_extreme_predictions(bench: Callable[..., Any]) -> None:
    """A network that is sure of another class, which T excludes: finite, and the label is wrong."""
    b = bench(TRevision(warm_up=1, revision=0.5))
    for epoch in (2, 8):
        for number, batch in enumerate(b.epoch(epoch)):
            if number == 0:
                put(b, np.eye(3))
            with torch.no_grad():
                b.networks[0].head.weight.zero_()
                sure = 1e4 * (torch.eye(3)[(batch.targets + 1) % 3] * 2 - 1)
                b.networks[0].head.weight[:, batch.index] = sure.T
            assert b.strategy.step(batch).isfinite()
            assert (b.strategy.clean_probability()[batch.index] <= 1).all()


def test_wrong_labels_are_told_from_right_ones(bench: Callable[..., Any]) -> None:
    """Planted: predictions of 0.9 for the given label of half of the samples, for the next class of the others."""
    b = bench(TRevision(warm_up=1, revision=0.0), samples=40, batch_size=10, lr=1e-6)
    labels = b.ctx.given_labels
    right = torch.arange(40) % 2 == 0
    with torch.no_grad():
        predicted = torch.where(right, labels, (labels + 1) % 3)
        b.networks[0].head.weight.copy_(torch.log(torch.eye(3)[predicted].T * 0.85 + 0.05))
        b.networks[0].head.bias.zero_()
    for number, batch in enumerate(b.epoch(2)):
        if number == 0:
            put(b, np.full((3, 3), 0.2) + 0.4 * np.eye(3))
        b.strategy.step(batch)
    p = b.strategy.clean_probability()
    # p_ỹ T_ỹỹ / Σ p_i T_iỹ with p = (.9, .05, .05): .54 / (.54 + .02) and .03 / (.03 + .19)
    torch.testing.assert_close(p[right], torch.full((20,), 0.54 / 0.56))
    torch.testing.assert_close(p[~right], torch.full((20,), 0.03 / 0.22))


@pytest.mark.parametrize("classes", [2, 30])
def test_two_classes_and_classes_that_are_missing(bench: Callable[..., Any], classes: int) -> None:
    """Every step is finite in all stages."""
    b = bench(TRevision(warm_up=2, lr_revision=1e-3), classes=classes, samples=13, epochs=6)
    for epoch in range(1, 7):
        for batch in b.epoch(epoch):
            assert b.strategy.step(batch).isfinite()
    p = b.strategy.clean_probability()
    assert ((p >= 0) & (p <= 1)).all()


@pytest.mark.parametrize(
    ("warm_up", "revision", "stages"),
    [(2, 0.5, "112222333"), (2, 0.0, "112222222"), (2, 1.0, "113333333"), (9, 0.5, "111111111"), (20, 1.0, "1" * 9)],
)
def test_stages(bench: Callable[..., Any], warm_up: int, revision: float, stages: str) -> None:
    """E_0 epochs, then reweighting, then the share in which T is revised; the schedule runs anew in each."""
    b = bench(TRevision(warm_up=warm_up, revision=revision), epochs=9)
    found = []
    for epoch in range(1, 10):
        b.strategy.begin_epoch(epoch)
        found.append(str(b.strategy.variant(epoch)))
        first, last = b.strategy.stage(epoch)
        assert set(stages[first - 1 : last]) == {found[-1]}
        assert (stages.index(found[-1]) + 1, stages.rindex(found[-1]) + 1) == (first, last)
    assert "".join(found) == stages


def test_the_third_stage_is_adams_at_a_rate_that_no_schedule_changes(bench: Callable[..., Any]) -> None:
    b = bench(TRevision(warm_up=1, revision=0.5), epochs=9, lr=0.5)
    for epoch, rate in ((1, 0.05), (2, 0.05), (7, 5e-7)):
        b.strategy.begin_epoch(epoch)
        b.ctx.optimizers.set_rates(0.1, epoch)
        assert [group["lr"] for group in b.strategy.optimizer.param_groups] == pytest.approx([rate])
    assert isinstance(b.strategy.optimizer, torch.optim.Adam)


@pytest.mark.parametrize("done", [1, 2, 3, 4])
def test_a_run_can_be_resumed_in_each_stage(done: int) -> None:
    """Epoch 1, epochs 2 and 3, epochs 4 and 5: the same bits with a stop."""

    def make() -> TinyRun:
        return TinyRun(TRevision(warm_up=1, lr_revision=1e-3), 5)

    straight = make()
    saved: list[Any] = []
    straight.train(lambda: saved.append(copied(straight.trainer.state_dict())))
    resumed = make()
    resumed.trainer.load_state_dict(saved[done - 1])
    resumed.train(done=done)
    assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())
    assert torch.equal(resumed.strategy.clean_probability(), straight.strategy.clean_probability())


def test_it_refuses_losses_that_correct_labels_themselves() -> None:
    for name in ("cross_entropy", "gce", "elr"):
        assert TRevision().refuses(nlcore.create("loss", name)) is None
    for loss in (nlcore.create("loss", "forward_correction"), ImportanceReweighting(), VolMinNet()):
        assert "twice" in (TRevision().refuses(loss) or "")


@pytest.mark.parametrize(("epochs", "said"), [(20, 1), (21, 0)])
def test_it_reports_a_warm_up_that_is_all_of_the_run(bench: Callable[..., Any], epochs: int, said: int) -> None:
    lines: list[str] = []
    bench(TRevision(), epochs=epochs, report=lines.append)
    assert len([line for line in lines if "within its warm-up" in line]) == said
