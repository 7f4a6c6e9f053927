"""Dynamic bootstrapping against Arazo et al. 2019: its limits, a step by the formula, and what the mixture divides."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.strategies.dynamic_bootstrap import DynamicBootstrap
from torch import Tensor
from torch.nn import functional as F

import nlcore
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun

FORMS = ("m_dyr_h", "m_dyr_s", "md_dyr_sh")


def plant(strategy: DynamicBootstrap, noisy: Tensor) -> None:
    """Give a strategy that corrects these B, as a resumed run does."""
    state = strategy.state_dict()
    strategy.load_state_dict({**state, "noisy": noisy})


def assert_same_weights(one: Any, other: Any) -> None:
    """Assert that two benches' networks are equal to 1e-6."""
    for ours, theirs in zip(one.networks[0].weights(), other.networks[0].weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("warm_up", "form"), [(1, "m_dyr_h"), (0, "m_dyr_h"), (0, "m_dyr_s")], ids=["warm-up", "hard", "soft"]
)
def test_without_doubt_and_penalty_it_is_mixup(bench: Callable[..., Any], warm_up: int, form: Any) -> None:
    """In the warm-up, and with B = 0 and η = 0 after it, three steps are those of mixup with the same λ and pairs."""
    ours = bench(DynamicBootstrap(form=form, warm_up=warm_up, eta=1.0 if warm_up else 0.0), samples=13)
    theirs = bench(nlcore.create("strategy", "mixup", alpha=32.0), samples=13)
    for own, other in zip(ours.epoch(1), theirs.epoch(1), strict=True):
        plant(ours.strategy, torch.zeros(13))
        theirs.strategy.lam.copy_(ours.strategy.lam)
        theirs.strategy.order.copy_(ours.strategy.order)
        value = ours.strategy.step(own)
        assert value.item() == pytest.approx(theirs.strategy.step(other).item(), abs=1e-6)
        assert_same_weights(ours, theirs)


def test_unmixed_and_equally_doubted_it_is_hard_bootstrapping(bench: Callable[..., Any]) -> None:
    """With λ = 1, B = 0.3 for all and η = 0, three steps are those of the loss hard_bootstrap with β = 0.7."""
    ours = bench(DynamicBootstrap(warm_up=0, eta=0.0))
    theirs = bench(nlcore.create("strategy", "standard"), lambda: nlcore.create("loss", "hard_bootstrap", beta=0.7))
    for own, other in zip(ours.epoch(1), theirs.epoch(1), strict=True):
        plant(ours.strategy, torch.full((12,), 0.3))
        ours.strategy.lam.fill_(1)
        value = ours.strategy.step(own)
        assert value.item() == pytest.approx(theirs.strategy.step(other).item(), abs=1e-6)
        assert_same_weights(ours, theirs)


def objective_by_hand(
    weights: tuple[Tensor, Tensor], form: str, index: Tensor, labels: Tensor, noisy: Tensor, lam: float, pair: Tensor,
    temperature: float, eta: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the objective and the mixed images, sample by sample, where image i is the i-th unit vector."""
    W, bias = weights
    K, N = W.shape
    total, images, predictions = torch.zeros((), dtype=torch.float64), [], []
    for b in range(len(index)):
        p, q = int(index[b]), int(index[pair[b]])
        of_images = of_labels = lam
        if form == "md_dyr_sh":
            trust = 1 - noisy[p], 1 - noisy[q]
            of_images, of_labels = float(trust[0] / (trust[0] + trust[1])), 0.5
        x = torch.zeros(N, dtype=torch.float64)
        x[p] += of_images
        x[q] += 1 - of_images
        images.append(x)
        log_f = (W @ x + bias).log_softmax(0)
        predictions.append(log_f.exp())
        for i, share in ((p, of_labels), (q, 1 - of_labels)):
            logits = (W[:, i] + bias).detach()
            z = F.one_hot(logits.argmax(), K).double() if form == "m_dyr_h" else (logits / temperature).softmax(0)
            total = total - share * ((1 - noisy[i]) * log_f[labels[i]] + noisy[i] * (z * log_f).sum())
    mean = torch.stack(predictions).mean(0)
    penalty = sum((1 / K) * torch.log((1 / K) / mean[c]) for c in range(K))
    return total / len(index) + eta * penalty, torch.stack(images)


@pytest.mark.parametrize("form", FORMS)
def test_loss_and_step_follow_the_formula(bench: Callable[..., Any], form: Any) -> None:
    """Value, images and gradient of every step, in double precision, batches of 4, 4 and 5."""
    lr, eta = 0.5, 0.7
    b = bench(DynamicBootstrap(form=form, warm_up=1, eta=eta), samples=13, epochs=9, lr=lr)
    noisy = torch.rand(13, generator=torch.Generator().manual_seed(3)).clamp(0.05, 0.95)
    for epoch in (2, 4):
        temperature = 1 - 0.999 * (epoch - 2) / (6 - 2) if form == "md_dyr_sh" else 1.0  # 1 to 0.001 by 2/3 of 9
        for number, batch in enumerate(b.epoch(epoch)):
            plant(b.strategy, noisy)
            size = len(batch.index)
            pair = b.strategy.order[number, :size].argsort()
            before = [torch.from_numpy(one).requires_grad_() for one in b.networks[0].weights()]
            expected, images = objective_by_hand(
                (before[0], before[1]), form, batch.index, b.ctx.given_labels, noisy.double(),
                float(b.strategy.lam[number]), pair, temperature, eta,
            )  # fmt: skip
            expected.backward()  # type: ignore[no-untyped-call]
            value = b.strategy.step(batch)
            np.testing.assert_allclose(b.networks[0].seen[-1], images, atol=1e-6)
            assert value.item() == pytest.approx(expected.item(), rel=1e-5)
            assert not value.requires_grad
            for after, old in zip(b.networks[0].weights(), before, strict=True):
                assert old.grad is not None
                np.testing.assert_allclose(after, (old - lr * old.grad).detach(), atol=1e-5)


def test_pairs_are_a_permutation_and_lambda_is_near_a_half(bench: Callable[..., Any]) -> None:
    """Beta(32, 32) has mean 1/2 and variance 1/260."""
    b = bench(DynamicBootstrap(warm_up=0), samples=65, epochs=20)
    drawn = []
    for epoch in range(1, 21):
        for batch in itertools.islice(b.epoch(epoch), 1):
            pair = batch.row(b.strategy.order)[:5].argsort()
            assert sorted(pair.tolist()) == [0, 1, 2, 3, 4]
        drawn.append(b.strategy.lam.numpy().copy())
    lam = np.concatenate(drawn)
    assert lam.mean() == pytest.approx(0.5, abs=5 / np.sqrt(260 * len(lam)))
    assert lam.var() == pytest.approx(1 / 260, rel=0.5)
    assert len(set(lam.tolist())) == len(lam)


def test_two_groups_of_losses_are_told_apart(bench: Callable[..., Any]) -> None:
    """Where a network contradicts a third of the labels, B finds these, and what it predicts is suggested there."""
    b = bench(DynamicBootstrap(warm_up=0), samples=60)
    given = b.ctx.given_labels
    wrong = torch.arange(60) % 3 == 0
    says = torch.where(wrong, (given + 1) % 3, given)
    sure = 3 + torch.rand(60, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        b.networks[0].head.weight.copy_(F.one_hot(says, 3).T * sure)
        b.networks[0].head.bias.zero_()
    assert b.strategy.clean_probability() is None
    assert b.strategy.suggested_labels() is None
    next(b.epoch(1))
    clean = b.strategy.clean_probability()
    assert clean.shape == (60,)
    assert torch.equal(clean < 0.5, wrong)
    assert torch.equal(b.strategy.suggested_labels(), says)


def test_equal_losses_leave_every_label_as_it_is(bench: Callable[..., Any]) -> None:
    """A network that says the same of all samples doubts none of them."""
    b = bench(DynamicBootstrap(warm_up=0))
    with torch.no_grad():
        b.networks[0].head.weight.zero_()
        b.networks[0].head.bias.zero_()
    batch = next(b.epoch(1))
    assert bool((b.strategy.clean_probability() > 0.999).all())
    assert torch.equal(b.strategy.suggested_labels(), b.ctx.given_labels)
    assert b.strategy.step(batch).isfinite()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("samples", "classes"), [(9, 2), (5, 7)])
def test_steps_stay_finite_at_the_edges(bench: Callable[..., Any], form: Any, samples: int, classes: int) -> None:
    """Two classes, classes without a sample, everything doubted, and the coldest predictions."""
    b = bench(DynamicBootstrap(form=form, warm_up=0), samples=samples, classes=classes, epochs=3, lr=0.1)
    for epoch in (1, 2, 3):
        for batch in b.epoch(epoch):
            plant(b.strategy, torch.full((samples,), 1 - 1e-4))
            assert b.strategy.step(batch).isfinite()
    assert all(np.isfinite(one).all() for one in b.networks[0].weights())


def test_equally_doubted_images_are_mixed_evenly(bench: Callable[..., Any]) -> None:
    """δ = 1/2 where both labels of a pair are as doubtful as can be."""
    b = bench(DynamicBootstrap(form="md_dyr_sh", warm_up=0))
    batch = next(b.epoch(1))
    plant(b.strategy, torch.full((12,), 1 - 1e-4))
    b.strategy.step(batch)
    assert set(b.networks[0].seen[-1].unique().tolist()) <= {0.0, 0.5, 1.0}


@pytest.mark.parametrize("form", FORMS)
def test_it_resumes_in_each_phase(form: Any) -> None:
    """From what was saved in the warm-up and after it, a run ends with the bits of one without a stop."""
    straight, saved, said = TinyRun(DynamicBootstrap(form=form, warm_up=1), 4), [], []

    def note() -> None:
        saved.append(copy.deepcopy(straight.trainer.state_dict()))
        said.append(copy.deepcopy((straight.strategy.clean_probability(), straight.strategy.suggested_labels())))

    straight.train(note)
    for done in (1, 2, 3):
        resumed = TinyRun(DynamicBootstrap(form=form, warm_up=1), 4)
        resumed.trainer.load_state_dict(saved[done - 1])
        for now, then in zip(
            (resumed.strategy.clean_probability(), resumed.strategy.suggested_labels()), said[done - 1], strict=True
        ):
            assert (now is None) == (then is None) == (done == 1)
            assert now is None or torch.equal(now, then)
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())


@pytest.mark.parametrize(("epochs", "warm_up", "first"), [(300, None, 106), (20, None, 8), (10, 4, 5), (10, 0, 1)])
def test_labels_are_corrected_after_35_percent_of_the_run(
    bench: Callable[..., Any], epochs: int, warm_up: int | None, first: int
) -> None:
    """105 of 300 epochs in the paper; a stated number goes before."""
    b = bench(DynamicBootstrap(warm_up=warm_up), epochs=epochs)
    for epoch in (first - 1, first):
        if epoch:
            b.strategy.begin_epoch(epoch)
            assert b.strategy.variant(epoch) == (epoch == first)


def test_a_run_that_is_all_warm_up_is_reported(bench: Callable[..., Any]) -> None:
    """It goes on as mixup, and says so."""
    said: list[str] = []
    b = bench(DynamicBootstrap(warm_up=9))
    b.ctx.report = said.append
    for warm_up, count in ((9, 0), (10, 1)):
        DynamicBootstrap(warm_up=warm_up).setup(b.ctx)
        assert len(said) == count
    assert "plain mixup" in said[0]


def test_only_cross_entropy_is_accepted() -> None:
    """Its objective is its own; another loss would be ignored without a word."""
    strategy = DynamicBootstrap()
    assert strategy.refuses(nlcore.create("loss", "cross_entropy")) is None
    assert "cross_entropy" in str(strategy.refuses(nlcore.create("loss", "gce")))
