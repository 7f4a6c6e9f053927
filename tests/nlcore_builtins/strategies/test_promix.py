"""ProMix against Xiao et al. 2023: selection, guessing, debiasing, and the objective of a step."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.strategies.promix import ProMix, agreed, follow, small_losses
from numpy.typing import NDArray
from scipy import stats
from scipy.special import log_softmax, softmax
from torch import Tensor
from torch.nn import functional as F

import nlcore
from nlcore.contracts import Batch
from nlcore.parameters import parameters_of
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun

Array = NDArray[np.float64]


def turns(b: Any, epoch: int) -> Iterator[Batch]:
    """Begin an epoch and yield the batches of the strategy's passes."""
    b.batches.begin_epoch(epoch, b.ctx.epochs)
    b.ctx.begin_epoch(epoch)
    b.strategy.begin_epoch(epoch)
    first = 0
    for number, one in enumerate(b.strategy.passes(epoch)):
        yield from b.batches.iterate(one, epoch, str(number), first)
        first += len(b.batches.lengths(one))


def heads(b: Any) -> list[Any]:
    """Return both networks' auxiliary heads, bare."""
    return [getattr(head, "module", head) for head in b.strategy.heads]


def weights_of(part: Any) -> tuple[Array, Array]:
    """Return copies of W (K, D) and b (K,) of a linear head, float64."""
    return part.weight.detach().double().numpy().copy(), part.bias.detach().double().numpy().copy()


def everything(b: Any) -> list[tuple[Array, Array]]:
    """Return the weights of h and h_AP of the first network, then of the second."""
    return [weights_of(part) for pair in zip([n.head for n in b.networks], heads(b), strict=True) for part in pair]


def test_using_everything_without_ramps_it_is_cross_entropy_on_every_head(bench: Callable[..., Any]) -> None:
    """ρ = 1, γ = β = 0, α = 0: each of the four heads descends on its own mean loss of the weak view."""
    b = bench(ProMix(warm_up=0, rho=1.0, debias=0.0, ramp=10**9, guessing=0), lr=0.5)
    labels = b.ctx.given_labels.numpy()
    steps = 0
    for batch in turns(b, 1):
        x, y = batch.images.flatten(1).double().numpy(), np.eye(3)[labels[batch.index.numpy()]]
        before = everything(b)
        value = b.strategy.step(batch).item()
        expected = 0.0
        for (W, bias), (new_W, new_bias) in zip(before, everything(b), strict=True):
            f = x @ W.T + bias
            expected -= (y * log_softmax(f, axis=1)).sum(1).mean()
            slope = (softmax(f, axis=1) - y) / len(f)
            np.testing.assert_allclose(new_W, W - 0.5 * slope.T @ x, atol=1e-6)
            np.testing.assert_allclose(new_bias, bias - 0.5 * slope.sum(0), atol=1e-6)
        assert value == pytest.approx(expected, abs=2e-6)
        steps += 1
    assert steps == 3


def average(values: list[Tensor]) -> Tensor:
    """Return the mean, 0 of nothing."""
    return torch.stack(values).mean() if values else torch.zeros((), dtype=torch.float64)


def test_value_and_gradient_of_a_step(bench: Callable[..., Any]) -> None:
    """The objective in double, sample by sample, with some chosen, some not, and a π that is not uniform."""
    strategy = ProMix(warm_up=0, rho=0.4, tau=0.5, ramp=3, lambda_u=0.7, momentum=0.6, guessing=0, temperature=0.4)
    b = bench(strategy, samples=32, classes=3, batch_size=8, lr=0.3)
    strategy.pi.copy_(torch.from_numpy(np.random.default_rng(2).dirichlet(np.ones(3) * 3, (2, 2))))
    gamma, beta = 2 / 3, 0.7 * 2 / 6  # of epoch 2
    mixed_in = both_kinds = 0
    for batch in turns(b, 2):
        parts = [torch.tensor(part, requires_grad=True) for pair in everything(b) for part in pair]
        W, bias = parts[::2], parts[1::2]
        pi, selected = strategy.pi.double().clone(), strategy.selected[:, batch.index] > 0
        new_pi = pi.clone()
        weak, strong = (view.flatten(1).double() for view in batch.views)
        total = torch.zeros((), dtype=torch.float64)
        for k in (0, 1):

            def head(number: int, x: Tensor, k: int = k, W: list[Tensor] = W, bias: list[Tensor] = bias) -> Tensor:
                return W[2 * k + number] @ x + bias[2 * k + number]

            p = [head(0, x).softmax(0).detach() for x in weak]
            usable = [i for i, x in enumerate(p) if selected[k, i] or x[batch.targets[i]] > 0.5]
            rest = [i for i in range(len(p)) if i not in usable]
            both_kinds += bool(usable and rest)
            order, lam = batch.row(strategy.order)[k], float(batch.row(strategy.lam)[k])
            by_chance = sorted(usable, key=order.tolist().__getitem__)
            partner = dict(zip(usable, by_chance, strict=True))
            mixed_in += sum(i != j for i, j in partner.items())
            log_l, log_u = 0.8 * pi[k].log()
            for number in (0, 1):

                def cost(f: Tensor, target: Tensor, shift: Tensor) -> Tensor:
                    return -(target * (f + shift).log_softmax(0)).sum()

                y = F.one_hot(batch.targets, 3).double()
                total = total + average([cost(head(number, weak[i]), y[i], log_l) for i in usable])
                total = total + gamma * average([cost(head(number, strong[i]), y[i], log_l) for i in usable])
                mixed = []
                for i, j in partner.items():
                    image, target = (lam * one[i] + (1 - lam) * one[j] for one in (weak, y))
                    mixed.append(cost(head(number, image), target, log_l))
                total = total + gamma * average(mixed)
            guesses = {i: ((head(0, weak[i]).detach() - log_u).softmax(0)) ** (1 / 0.4) for i in rest}
            guesses = {i: q / q.sum() for i, q in guesses.items()}
            total = total + beta * average([cost(head(1, weak[i]), guesses[i], log_u) for i in rest])
            total = total + beta * gamma * average([cost(head(1, strong[i]), guesses[i], log_u) for i in rest])
            for number, members in enumerate((usable, rest)):
                if members:
                    mean = torch.stack([p[i] for i in members]).mean(0)
                    new_pi[k, number] = 0.6 * pi[k, number] + 0.4 * mean
        total.backward()  # type: ignore[no-untyped-call]
        assert strategy.step(batch).item() == pytest.approx(total.item(), abs=3e-6)
        after = [part for pair in everything(b) for part in pair]
        for old, new in zip(parts, after, strict=True):
            assert old.grad is not None
            np.testing.assert_allclose(new, (old - 0.3 * old.grad).detach().numpy(), atol=3e-6)
        torch.testing.assert_close(strategy.pi.double(), new_pi, atol=1e-6, rtol=0)
    assert mixed_in > 0
    assert both_kinds > 0


def test_the_smallest_losses_of_each_class_are_used() -> None:
    """⌈ρ N / K⌉ of every class, all of a smaller one, whatever the other classes' losses."""
    rng = np.random.default_rng(4)
    labels, losses = np.array([0] * 12 + [1] * 9 + [2] * 2), rng.random(23)
    losses[labels == 1] += 5
    each = math.ceil(0.3 * 23 / 4)
    expected = np.zeros(23, dtype=bool)
    for c in range(3):
        members = np.flatnonzero(labels == c)
        expected[members[np.argsort(losses[members])[:each]]] = True
    assert np.bincount(labels[expected]).tolist() == [2, 2, 2]
    found = small_losses(torch.from_numpy(losses), torch.from_numpy(labels), 0.3, 4)  # class 3 has no samples
    assert found.tolist() == expected.tolist()
    assert small_losses(torch.from_numpy(losses), torch.from_numpy(labels), 1.0, 4)[-2:].all()


def sure_of(predicted: list[int], sure: list[float], classes: int = 3) -> Tensor:
    """Return p (B, K)."""
    p = torch.tensor([[(1 - s) / (classes - 1)] * classes for s in sure])
    p[torch.arange(len(sure)), predicted] = torch.tensor(sure)
    return p


def test_labels_are_guessed_where_both_networks_are_sure_of_the_same_class() -> None:
    """Not of those that are usable anyway, nor where one is unsure or the classes differ; the surest come first."""
    p = sure_of([0, 1, 2, 0, 1, 2, 0, 1, 2, 0], [0.96, 0.97, 0.98, 0.99, 0.9, 0.99, 0.99, 0.95, 0.99, 0.2])
    other = sure_of([0, 1, 2, 0, 1, 0, 0, 1, 2, 0], [0.96, 0.97, 0.98, 0.99, 0.99, 0.99, 0.2, 0.94, 0.99, 0.99])
    usable = torch.zeros(10)
    usable[8] = 1
    assert agreed(p, other, usable, 0.93).tolist() == [1, 1, 1, 1, 0, 0, 0, 1, 0, 0]
    usable[[4, 5, 6, 9]] = 1  # 5 of 10 are used, so that 4 places are left
    assert agreed(p, other, usable, 0.93).tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    usable[[0, 1]] = 1  # 7: two more
    assert agreed(p, other, usable, 0.93).tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0]
    usable[[2, 3]] = 1  # 9: none
    assert agreed(p, other, usable, 0.93).sum() == 0


def test_guessed_labels_are_trained_on_in_the_last_epochs(bench: Callable[..., Any]) -> None:
    """Two networks that are sure of class 2: unused samples get this label, as if it had been given, but not before."""
    values = []
    for given in (0, 2):
        strategy = ProMix(warm_up=0, rho=1e-6, tau=0.9, debias=0.0, lambda_u=0.0, ramp=10**9, guessing=9)
        b = bench(strategy, samples=20, classes=3, batch_size=20, lr=0.0001)
        for network in b.networks:
            network.head.bias.data.copy_(torch.tensor([0.0, 0.0, 6.0]))
        b.ctx.given_labels.fill_(given)
        values.append([next(strategy.step(batch).item() for batch in turns(b, epoch)) for epoch in (1, 2)])
    before, after = values[0]
    assert before > 10  # the one small loss of class 0
    share = 17 / 18  # of 18 used samples, 0.9 of 20, all but that one have the label that is predicted
    assert after == pytest.approx((1 - share) * before + share * values[1][1], rel=0.05)


def test_pi_follows_what_is_predicted() -> None:
    """π ← m π + (1 − m) mean p over those with weight, and stays where there are none."""
    pi, p = torch.full((2,), 0.5), torch.tensor([[0.9, 0.1], [0.7, 0.3], [0.0, 1.0]])
    follow(pi, p, torch.tensor([1.0, 1.0, 0.0]), 0.9)
    torch.testing.assert_close(pi, torch.tensor([0.53, 0.47]))
    follow(pi, p, torch.zeros(3), 0.9)
    torch.testing.assert_close(pi, torch.tensor([0.53, 0.47]))


def test_a_planted_division_is_found(bench: Callable[..., Any]) -> None:
    """Each network's small losses are used by itself; labels that neither trusts are replaced by the predicted ones."""
    b = bench(ProMix(warm_up=0, rho=0.3), samples=60, classes=3)
    labels = b.ctx.given_labels.numpy()
    right = np.random.default_rng(6).random(60) < 0.6
    assert np.bincount(labels[right]).min() >= 6
    predicted = np.where(right, labels, (labels + 1) % 3)
    logits = 4 * np.eye(3)[predicted] + np.random.default_rng(7).normal(size=(60, 3)) / 5
    told = iter([torch.from_numpy(logits), torch.from_numpy(logits + 0.1 * np.eye(3)[labels])])
    b.ctx.predict = lambda network: next(told)
    assert b.strategy.clean_probability() is None
    assert b.strategy.suggested_labels() is None
    list(turns(b, 1))
    used = b.strategy.selected.numpy() > 0
    assert used.sum(1).tolist() == [18, 18]  # ⌈0.3 · 60 / 3⌉ of each class
    assert right[used[0]].all()
    assert right[used[1]].all()
    clean = b.strategy.clean_probability().numpy()
    other = logits + 0.1 * np.eye(3)[labels]
    expected = (softmax(logits, axis=1) + softmax(other, axis=1))[np.arange(60), labels] / 2
    np.testing.assert_allclose(clean, expected, atol=1e-6)
    suggested = b.strategy.suggested_labels().numpy()
    assert (suggested == predicted).all()


def test_the_warm_up_is_cross_entropy_of_both(bench: Callable[..., Any], recorder: Any) -> None:
    """Each loss is shown its network's predictions and asked once a step; auxiliary heads rest."""
    loss = recorder()
    b = bench(ProMix(warm_up=1), lambda: loss)
    for batch in turns(b, 1):
        loss.events.clear()
        before = everything(b)
        value = b.strategy.step(batch).item()
        x = batch.images.flatten(1).double()
        expected = sum(
            F.cross_entropy(x @ torch.from_numpy(W).T + torch.from_numpy(bias), batch.targets).item()
            for W, bias in before[::2]
        )
        assert value == pytest.approx(expected, abs=1e-6)
        assert [event for event, _, _ in loss.events] == ["observe", "call"] * 2
        assert all((new[0] == old[0]).all() for new, old in zip(everything(b)[1::2], before[1::2], strict=True))
    assert b.strategy.clean_probability() is None
    phases = []
    for epoch in (1, 2):
        b.strategy.begin_epoch(epoch)
        phases.append(b.strategy.variant(epoch))
    assert phases == [(False, True), (True, True)]


@pytest.mark.parametrize("usable", [0.0, 1.0])
def test_batches_of_one_kind_only(bench: Callable[..., Any], usable: float) -> None:
    """None or all of a batch used: every term that is left is finite, and both networks are trained."""
    b = bench(ProMix(warm_up=0, tau=1.0, guessing=0, ramp=1), samples=13)
    sizes = []
    for batch in turns(b, 1):
        b.strategy.selected.fill_(usable)
        before = everything(b)
        assert b.strategy.step(batch).isfinite()
        changed = [not np.array_equal(new[0], old[0]) for new, old in zip(everything(b), before, strict=True)]
        assert changed == ([True] * 4 if usable else [False, True, False, True])
        sizes.append(len(batch.index))
    assert sizes == [4, 4, 5]


@pytest.mark.parametrize(("classes", "missing"), [(2, None), (3, 2)])
def test_two_classes_and_a_class_that_nobody_has(bench: Callable[..., Any], classes: int, missing: int | None) -> None:
    """Every step is finite and π remains a distribution."""
    b = bench(ProMix(warm_up=0, momentum=0.0), samples=12, classes=classes)
    if missing is not None:
        b.ctx.given_labels.copy_(b.ctx.given_labels % missing)
    assert all(b.strategy.step(batch).isfinite() for epoch in (1, 2) for batch in turns(b, epoch))
    torch.testing.assert_close(b.strategy.pi.sum(2), torch.ones(2, 2))


def test_gamma_and_beta_grow(bench: Callable[..., Any]) -> None:
    """γ = min(e / 4, 1) and β = 0.1 min(e / 8, 1)."""
    b = bench(ProMix(ramp=4))
    found = []
    for epoch in (1, 3, 4, 8, 9):
        b.strategy.begin_epoch(epoch)
        found += [b.strategy.gamma.item(), b.strategy.beta.item()]
    assert found == pytest.approx([0.25, 0.0125, 0.75, 0.0375, 1, 0.05, 1, 0.1, 1, 0.1])


def test_lambda_is_the_larger_part_of_a_beta_draw(bench: Callable[..., Any]) -> None:
    """One λ = max(λ', 1 − λ') with λ' ~ Beta(4, 4) for each network and step, by Kolmogorov-Smirnov; keyed by epoch."""
    b = bench(ProMix(), samples=64, batch_size=2)
    found = []
    for epoch in range(1, 9):
        b.strategy.begin_epoch(epoch)
        found.append(b.strategy.lam.clone())
    lam, law = torch.cat(found).double().numpy().ravel(), stats.beta(4, 4)
    assert lam.min() >= 0.5
    assert stats.kstest(lam, lambda x: law.cdf(x) - law.cdf(1 - x)).pvalue > 1e-4
    b.strategy.begin_epoch(3)
    assert torch.equal(b.strategy.lam, found[2])
    assert not torch.equal(found[2][:, 0], found[2][:, 1])


def test_both_networks_predict_with_their_first_heads(bench: Callable[..., Any]) -> None:
    """The sum of both networks' h."""
    b = bench(ProMix())
    expected = sum(W.T + bias for W, bias in everything(b)[::2])
    logits = b.strategy.predict(torch.eye(12).view(12, 1, 1, 12)).detach().numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-6)


def test_a_warm_up_as_long_as_the_run_is_said(bench: Callable[..., Any]) -> None:
    """With 10 epochs and a warm-up of 10 nothing is ever selected."""
    lines: list[str] = []
    bench(ProMix(warm_up=9), report=lines.append)
    assert lines == []
    bench(ProMix(warm_up=10), report=lines.append)
    assert lines == ["promix: the run ends within its warm-up (--strategy.warm_up); it never selects samples."]


def test_other_losses_are_refused() -> None:
    """The objective has its own loss."""
    assert ProMix().refuses(nlcore.create("loss", "cross_entropy")) is None
    assert "cross_entropy" in str(ProMix().refuses(nlcore.create("loss", "gce")))


def test_a_resumed_run_ends_with_the_same_bits() -> None:
    """After an epoch of the warm-up, of training, and of guessing labels; π is remembered."""

    def fresh() -> TinyRun:
        return TinyRun(ProMix(warm_up=1, guessing=2, tau=0.4, momentum=0.9, ramp=2), epochs=4)

    straight, saved = fresh(), []
    straight.train(lambda: saved.append(copy.deepcopy(straight.trainer.state_dict())))
    assert [state["strategy"]["divided"] for state in saved] == [False, True, True, True]
    for done, state in enumerate(saved[:-1], start=1):
        resumed = fresh()
        resumed.trainer.load_state_dict(state)
        assert equal(resumed.strategy.state_dict(), state["strategy"])
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())


@pytest.mark.parametrize(
    ("name", "value"), [("rho", 0), ("tau", 1.5), ("debias", -1), ("momentum", 2), ("temperature", 0), ("lambda_u", -1)]
)
def test_wrong_parameters(name: str, value: float) -> None:
    """Each has its range."""
    with pytest.raises(nlcore.ParameterError, match=name):
        parameters_of(ProMix)[name].convert(value, f"strategy.{name}")
