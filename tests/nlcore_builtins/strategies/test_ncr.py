"""NCR against Iscen et al. 2022, equations 3 and 4, written again with loops in double precision."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from helpers import make_data, make_trainer, prepared, squares
from nlcore_builtins.strategies.ncr import NCR, neighbour_divergence
from torch import Tensor, nn
from torch.nn import functional as F

import nlcore
from nlcore.contracts import Batch, Pass
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun


def divergences_by_hand(features: Tensor, logits: Tensor, k: int, temperature: float) -> Tensor:
    """Return KL(σ(z_i / T) ‖ Σ_j s̄_ij σ(z_j / T)) of each sample."""
    found = []
    for i in range(len(features)):
        cosines = {
            j: (features[i] @ features[j] / (features[i].norm() * features[j].norm())).clamp(min=0)
            for j in range(len(features))
            if j != i
        }
        nearest = [j for _, j in sorted((-cosine.item(), j) for j, cosine in cosines.items())][:k]
        total = torch.stack([cosines[j] for j in nearest]).sum()
        if total == 0:  # no neighbours
            found.append(torch.zeros((), dtype=torch.float64))
            continue
        q = sum(cosines[j] / total * (logits[j] / temperature).softmax(0) for j in nearest)
        p = (logits[i] / temperature).softmax(0)
        found.append((p * (p.log() - torch.as_tensor(q).log())).sum())
    return torch.stack(found)


class Pixels(nn.Module):
    """A linear head on pixels of both signs."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(64, classes)

    def features(self, x: Tensor) -> Tensor:
        """Return pixels (B, 64)."""
        return x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def stages(self) -> list[nn.Module]:
        """Return the head."""
        return [self.head]


@dataclass
class PixelsArchitecture:
    """Builds `Pixels`, and keeps them."""

    built: list[Pixels] = field(default_factory=list)

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return one more network."""
        self.built.append(Pixels(num_classes))
        return self.built[-1]


def on_pixels(strategy: Any, **settings: Any) -> tuple[Pixels, Callable[[int], Iterator[Batch]]]:
    """Set a strategy up on 25 images; return its network and what begins an epoch and yields its batches."""
    architecture, data = PixelsArchitecture(), prepared(make_data(*squares(25)))
    options = {"batch_size": 8, "lr": 0.1, "momentum": 0.0, "weight_decay": 0.0, "epochs": 4, **settings}
    trainer = make_trainer(strategy, data, architecture, augmentation={"padding": 0, "flip": False}, **options)

    def epoch(number: int) -> Iterator[Batch]:
        trainer.batches.begin_epoch(number, 4)
        strategy.begin_epoch(number)
        yield from trainer.batches.iterate(Pass(), number, "0")

    return architecture.built[0], epoch


@pytest.mark.parametrize("k", [1, 3, 100])
def test_loss_and_step_follow_the_equations(k: int) -> None:
    """Value and gradient of (1 − α) CE + α L_NCR, for batches of 8, 8 and 9."""
    alpha, temperature, lr = 0.6, 2.0, 0.1
    strategy = NCR(alpha=alpha, k=k, temperature=temperature, warm_up=0)
    network, epoch = on_pixels(strategy, lr=lr)
    sizes = []
    for batch in epoch(1):
        W, bias = (one.detach().double().clone().requires_grad_() for one in network.parameters())
        features = batch.images.flatten(1).double()
        logits = features @ W.T + bias
        consistency = divergences_by_hand(features, logits, k, temperature).mean()
        objective = (1 - alpha) * F.cross_entropy(logits, batch.targets) + alpha * consistency
        objective.backward()  # type: ignore[no-untyped-call]
        value = strategy.step(batch)
        assert value.item() == pytest.approx(objective.item(), rel=1e-5)
        assert not value.requires_grad
        for after, before in zip(network.parameters(), (W, bias), strict=True):
            assert before.grad is not None
            np.testing.assert_allclose(after.detach(), (before - lr * before.grad).detach(), atol=1e-6)
        sizes.append(len(batch.index))
    assert sizes == [8, 8, 9]


def test_the_gradient_goes_through_similarities_and_both_sides() -> None:
    """As that of the formula, with respect to features and logits."""
    random = torch.Generator().manual_seed(2)
    features = torch.randn(7, 5, generator=random, dtype=torch.float64).abs().requires_grad_()
    logits = torch.randn(7, 3, generator=random, dtype=torch.float64).requires_grad_()
    expected = torch.autograd.grad(divergences_by_hand(features, logits, 3, 2.0).sum(), (features, logits))
    found = torch.autograd.grad(neighbour_divergence(features, logits, 3, 2.0).sum(), (features, logits))
    for one, other in zip(found, expected, strict=True):
        assert other.abs().max() > 1e-3
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("params", [{"alpha": 0.0, "warm_up": 0}, {"alpha": 0.9, "warm_up": 3}])
def test_without_its_weight_and_in_the_warm_up_it_is_standard(bench: Callable[..., Any], params: Any) -> None:
    """Three steps with α = 0, or before epoch e, are those of cross-entropy alone."""
    ours, theirs = bench(NCR(**params), samples=13), bench(nlcore.create("strategy", "standard"), samples=13)
    for own, other in zip(ours.epoch(1), theirs.epoch(1), strict=True):
        assert ours.strategy.step(own).item() == pytest.approx(theirs.strategy.step(other).item(), abs=1e-6)
        for one, two in zip(ours.networks[0].weights(), theirs.networks[0].weights(), strict=True):
            np.testing.assert_allclose(one, two, atol=1e-6)


def test_equal_features_make_targets_of_the_others_mean() -> None:
    """Where all images look alike, q_i is the mean prediction of all others."""
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    p = (logits.double() / 2).softmax(1)
    others = (p.sum(0) - p) / 5
    expected = (p * (p.log() - others.log())).sum(1)
    np.testing.assert_allclose(neighbour_divergence(torch.ones(6, 3), logits, 5, 2.0), expected, atol=1e-6)


def test_images_that_resemble_no_other_learn_from_their_labels_alone(bench: Callable[..., Any]) -> None:
    """Orthogonal features have no neighbours: what is left is (1 − α) times the loss."""
    ours = bench(NCR(alpha=0.75, warm_up=0), lr=0.4)
    theirs = bench(nlcore.create("strategy", "standard"), lr=0.1)
    for own, other in zip(ours.epoch(1), theirs.epoch(1), strict=True):
        value = ours.strategy.step(own).item()
        assert value == pytest.approx(0.25 * theirs.strategy.step(other).item(), abs=1e-6)
        for one, two in zip(ours.networks[0].weights(), theirs.networks[0].weights(), strict=True):
            np.testing.assert_allclose(one, two, atol=1e-6)


def test_opposite_features_are_no_neighbours() -> None:
    """A negative cosine counts as none, however few samples are nearer."""
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [5.0, -5.0]])
    found = neighbour_divergence(features, logits, 2, 1.0)
    p = logits.double().softmax(1)
    assert found[0].item() == pytest.approx((p[0] * (p[0] / p[1]).log()).sum().item(), rel=1e-5)
    assert found[1].item() == pytest.approx((p[1] * (p[1] / p[0]).log()).sum().item(), rel=1e-5)
    assert found[2] == 0


@pytest.mark.parametrize(("size", "scale"), [(1, 1.0), (2, 1.0), (5, 1e4)])
def test_divergence_and_gradient_are_finite_at_the_edges(size: int, scale: float) -> None:
    """For one image, for two, for more neighbours than there are, features of zeros, and for huge logits."""
    features = torch.rand(size, 3, generator=torch.Generator().manual_seed(1))
    features[0] = 0
    features.requires_grad_()
    logits = (scale * torch.randn(size, 2, generator=torch.Generator().manual_seed(2))).requires_grad_()
    found = neighbour_divergence(features, logits, 50, 2.0)
    assert found.shape == (size,)
    assert found[0] == 0
    for one in (found, *torch.autograd.grad(found.sum(), (features, logits))):
        assert bool(one.isfinite().all())


def test_a_wrong_label_is_outvoted_by_neighbours() -> None:
    """With α = 1 a sample among others that agree moves towards them, whatever its label."""
    features = torch.eye(2).repeat_interleave(4, 0)
    logits = torch.tensor([[3.0, 0.0]] * 4 + [[0.0, 3.0]] * 4)
    logits[0] = torch.tensor([0.0, 1.0])
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(neighbour_divergence(features, logits, 3, 2.0).mean(), logits)
    assert gradient[0, 0] < 0 < gradient[0, 1]
    assert gradient[4:].abs().max() < 1e-6


def test_predictions_are_observed_before_the_loss_is_asked(bench: Callable[..., Any], recorder: Any) -> None:
    """Once a step, for the samples of the batch, in both phases: so that it goes with ELR."""
    loss = recorder()
    b = bench(NCR(warm_up=1), lambda: loss)
    for epoch in (1, 2):
        for batch in b.epoch(epoch):
            loss.events.clear()
            W, bias = b.networks[0].weights()
            b.strategy.step(batch)
            (first, logits, observed), (second, targets, asked) = loss.events
            assert (first, second) == ("observe", "call")
            assert torch.equal(observed, batch.index)
            assert torch.equal(asked, batch.index)
            assert torch.equal(targets, batch.targets)
            np.testing.assert_allclose(logits.detach(), W.T[batch.index.numpy()] + bias, atol=1e-5)


def test_predict_is_the_networks(bench: Callable[..., Any]) -> None:
    """One network predicts."""
    b = bench(NCR())
    W, bias = b.networks[0].weights()
    found = b.strategy.predict(torch.eye(12).view(12, 1, 1, 12)).detach()
    np.testing.assert_allclose(found, W.T + bias, atol=1e-6)


def test_it_resumes_in_each_phase() -> None:
    """From what was saved in the warm-up and after it, a run ends with the bits of one without a stop."""
    straight, saved = TinyRun(NCR(warm_up=2), 4), []
    losses = [row["train_loss"] for row in straight.train(lambda: saved.append(state_of(straight)))]
    assert all(math.isfinite(loss) for loss in losses)
    for done in (1, 2, 3):
        resumed = TinyRun(NCR(warm_up=2), 4)
        resumed.trainer.load_state_dict(saved[done - 1])
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())


def state_of(run: TinyRun) -> dict[str, Any]:
    """Return a copy of a run's state."""
    return copy.deepcopy(run.trainer.state_dict())


def test_the_phase_changes_after_e_epochs_and_a_run_that_is_all_warm_up_is_reported(bench: Callable[..., Any]) -> None:
    """``variant`` says so to a capturing; the report says that nothing is compared."""
    said: list[str] = []
    b = bench(NCR(warm_up=2), epochs=3)
    b.ctx.report = said.append
    phases = []
    for epoch in (1, 2, 3):
        b.strategy.begin_epoch(epoch)
        phases.append(b.strategy.variant(epoch))
    assert phases == [False, False, True]
    for warm_up, count in ((2, 0), (3, 1)):
        NCR(warm_up=warm_up).setup(b.ctx)
        assert len(said) == count
    assert "never compared" in said[0]
