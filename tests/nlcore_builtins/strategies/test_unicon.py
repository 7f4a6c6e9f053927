"""UNICON against Karim et al. 2022: the division of each class, and the objective of a step."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.strategies.unicon import Unicon, contrast, cutoff, divergence, uniform_selection
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
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


def predicting(b: Any, p: Array) -> None:
    """Let both networks predict p (N, K) for the training images."""
    logits = torch.from_numpy(p).log().float()
    b.ctx.predict = lambda network, *args, **more: logits


def sure_of(labels: Array, sure: Array, classes: int) -> Array:
    """Return p (N, K) that gives each label this probability and the rest to the others alike."""
    p: Array = np.full((len(labels), classes), 1.0) * ((1 - sure) / (classes - 1))[:, None]
    p[np.arange(len(labels)), labels] = sure
    return p


def test_divergence_is_scipys_in_bits() -> None:
    """The Jensen-Shannon distance of scipy, squared, to base 2: 0 where p is sure of the label, 1 where of another."""
    p = np.random.default_rng(1).dirichlet(np.ones(5) / 2, 50)
    p[0], p[1] = np.eye(5)[2], np.eye(5)[3]
    labels = np.random.default_rng(2).integers(5, size=50)
    labels[:2] = 2
    expected = jensenshannon(np.eye(5)[labels], p, base=2, axis=1) ** 2
    found = divergence(torch.from_numpy(p), torch.from_numpy(labels)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found[:2].tolist() == [0, 1]


def test_fewer_count_where_labels_contradict_predictions() -> None:
    """d_cut = mean d, above d_μ less (mean d − min d) / τ."""
    few, many = torch.tensor([0.1, 0.2, 0.6]), torch.tensor([0.4, 0.9, 0.95, 0.95])
    assert cutoff(few, 0.7, 5.0).item() == pytest.approx(0.3)
    assert cutoff(many, 0.7, 5.0).item() == pytest.approx(0.8 - 0.4 / 5)
    assert cutoff(many, 0.9, 5.0).item() == pytest.approx(0.8)


def test_the_same_number_of_each_class_is_trusted() -> None:
    """The ⌊#{d < cut} / K⌋ smallest of every class, of a rare one all, whatever the others' divergences."""
    rng = np.random.default_rng(4)
    labels = np.array([0] * 20 + [1] * 17 + [2] * 3)
    d = rng.random(40) * np.where(labels == 1, 1, 0.4)  # class 1 is hard
    each = int((d < 0.3).sum()) // 3
    assert 3 < each < 17
    expected = np.zeros(40, dtype=bool)
    for c in range(3):
        members = np.flatnonzero(labels == c)
        expected[members[np.argsort(d[members])[:each]]] = True
    found = uniform_selection(torch.from_numpy(d), torch.from_numpy(labels), torch.tensor(0.3), 3)
    assert found.tolist() == expected.tolist()
    assert np.bincount(labels[expected]).tolist() == [each, each, 3]


def test_contrast_is_nt_xent() -> None:
    """Mean over both views of −log of the other view's share among all other images, in loops and double."""
    z = np.random.default_rng(3).normal(size=(8, 5))
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    terms = []
    for i in range(8):
        other = (i + 4) % 8
        among = [np.exp(unit[i] @ unit[j] / 0.3) for j in range(8) if j != i]
        terms.append(-np.log(np.exp(unit[i] @ unit[other] / 0.3) / np.sum(among)))
    assert contrast(torch.from_numpy(z), 0.3).item() == pytest.approx(np.mean(terms), abs=1e-12)


def test_a_planted_division_is_found(bench: Callable[..., Any]) -> None:
    """Networks that are surer of right labels: both train on the same X, of each class as many, beside the rest."""
    b = bench(Unicon(warm_up=0), samples=60, classes=3, batch_size=8)
    labels = b.ctx.given_labels.numpy()
    right = np.random.default_rng(6).random(60) < 0.5
    sure = np.where(right, 0.9, 0.05) + np.random.default_rng(7).uniform(-0.04, 0.04, 60)
    predicting(b, sure_of(labels, sure, 3))
    assert b.strategy.clean_probability() is None
    assert b.strategy.suggested_labels() is None
    shown: dict[tuple[int, str], Counter[int]] = {}
    for batch in turns(b, 1):
        assert batch.paired is not None
        shown.setdefault((batch.label, "x"), Counter()).update(batch.index.tolist())
        shown.setdefault((batch.label, "u"), Counter()).update(batch.paired.index.tolist())
    each = right.sum() // 3
    expected = {int(i) for c in range(3) for i in sorted(np.flatnonzero(labels == c), key=lambda i: -sure[i])[:each]}
    trusted = set(np.flatnonzero(b.strategy.trusted.numpy()).tolist())
    assert trusted == expected
    for k in (0, 1):
        assert set(shown[k, "x"]) == trusted
        assert set(shown[k, "u"]) <= set(range(60)) - trusted
        assert shown[k, "x"].total() == shown[k, "u"].total() == 4 * -(-len(trusted) // 4)
    clean = b.strategy.clean_probability().numpy()
    np.testing.assert_allclose(
        clean, 1 - divergence(torch.from_numpy(sure_of(labels, sure, 3)), b.ctx.given_labels), atol=1e-5
    )
    assert clean[right].min() > clean[~right].max()
    suggested = b.strategy.suggested_labels().numpy()
    assert (suggested == labels)[list(trusted)].all()
    rest = sorted(set(np.flatnonzero(~right).tolist()) - trusted)
    assert (suggested != labels)[rest].all()


def double(network: Any) -> tuple[Tensor, Tensor]:
    """Return leaves of W and b in double."""
    W, bias = network.weights()
    return torch.tensor(W, requires_grad=True), torch.tensor(bias, requires_grad=True)


def sharpened(p: Tensor, temperature: float) -> Tensor:
    """Return p^(1/T), normalised."""
    powers = p ** (1 / temperature)
    return powers / powers.sum(1, keepdim=True)


@pytest.mark.parametrize("lambda_c", [0.0, 0.4])
def test_value_and_gradient_of_a_step(bench: Callable[..., Any], lambda_c: float) -> None:
    """The objective in double, with targets of weak views, mixed strong ones and the contrast of unmixed ones."""
    strategy = Unicon(warm_up=0, lambda_u=3.0, ramp=2, lambda_c=lambda_c, kappa=0.5, temperature=0.6)
    b = bench(strategy, samples=24, classes=3, batch_size=8, lr=0.3)
    labels = b.ctx.given_labels.numpy()
    predicting(b, sure_of(labels, np.random.default_rng(8).uniform(0.1, 0.9, 24), 3))
    steps = list(turns(b, 2))
    assert len({batch.label for batch in steps}) == 2
    for number, batch in enumerate(steps):
        k, u = batch.label, batch.paired
        assert u is not None
        weights = [double(network) for network in b.networks]
        x_views, u_views = ([view.flatten(1).double() for view in one.views] for one in (batch, u))

        def logits(net: int, x: Tensor, weights: list[tuple[Tensor, Tensor]] = weights) -> Tensor:
            return x @ weights[net][0].T + weights[net][1]

        with torch.no_grad():
            own = (logits(k, x_views[0]).softmax(1) + logits(k, x_views[1]).softmax(1)) / 2
            w = 1 - strategy.d[batch.index][:, None].double()
            given = F.one_hot(batch.targets, 3).double()
            t = sharpened(w * given + (1 - w) * own, 0.6)
            guesses = torch.stack([logits(n, v).softmax(1) for n in (0, 1) for v in u_views[:2]])
            q = sharpened(guesses.mean(0), 0.6)
        images, targets = torch.cat([*x_views[2:], *u_views[2:]]), torch.cat([t, t, q, q])
        lam, order = float(batch.row(strategy.lam)), batch.row(strategy.order).numpy()[: len(images)]
        lam, partner = max(lam, 1 - lam), np.argsort(order, kind="stable")
        images = lam * images + (1 - lam) * images[partner]
        targets = lam * targets + (1 - lam) * targets[partner]
        log_p, size = logits(k, images).log_softmax(1), 2 * len(batch.index)
        count = len(steps) // 2
        ramp = min((1 + (number % count) / count) / 2, 1)
        objective = -(targets * log_p)[:size].sum(1).mean()
        objective = objective + 3.0 * ramp * ((log_p.exp() - targets)[size:] ** 2).mean()
        objective = objective - torch.log(log_p.exp().mean(0) * 3).mean()
        head = None
        if lambda_c:
            head = copy.deepcopy(getattr(strategy.projections[k], "module", strategy.projections[k])).double()
            z = F.normalize(head(torch.cat(u_views[2:])))
            likeness = torch.exp(z @ z.T / 0.5)
            others = likeness.sum(1) - likeness.diagonal()
            pairs = torch.cat([likeness.diagonal(len(z) // 2), likeness.diagonal(len(z) // 2)])
            objective = objective - lambda_c * torch.log(pairs / others).mean()
        objective.backward()  # type: ignore[no-untyped-call]
        assert strategy.step(batch).item() == pytest.approx(objective.item(), abs=2e-6)
        for old, new in zip(weights[k], b.networks[k].weights(), strict=True):
            assert old.grad is not None
            np.testing.assert_allclose(new, (old - 0.3 * old.grad).detach().numpy(), atol=2e-6)
        for old, new in zip(weights[1 - k], b.networks[1 - k].weights(), strict=True):
            np.testing.assert_array_equal(new, old.detach().numpy())
        if head is not None:
            for old, now in zip(head.parameters(), strategy.projections[k].parameters(), strict=True):
                torch.testing.assert_close(now.double(), old - 0.3 * old.grad, atol=2e-6, rtol=0)


def test_without_contrast_it_is_divide_mix_with_its_own_division(bench: Callable[..., Any]) -> None:
    """λ_C = 0 and the same division: three steps of DivideMix with strong views give the same weights, to 1e-6."""
    same = {"warm_up": 0, "lambda_u": 30.0, "alpha": 4.0, "temperature": 0.5, "ramp": 16}
    divide_mix = pytest.importorskip("nlcore_builtins.strategies.divide_mix").DivideMix(views="strong", **same)
    benches = [bench(one, samples=24, batch_size=8, lr=0.2) for one in (Unicon(lambda_c=0.0, **same), divide_mix)]  # type: ignore[arg-type]
    unicon = benches[0].strategy
    labels = benches[0].ctx.given_labels.numpy()
    predicting(benches[0], sure_of(labels, np.random.default_rng(9).uniform(0.1, 0.9, 24), 3))
    for number, batch in enumerate(turns(benches[0], 1)):
        if number == 0:
            divide_mix.w.copy_(unicon.clean_probability().expand(2, -1))
            for table in ("lam", "weight", "order"):
                getattr(divide_mix, table).copy_(getattr(unicon, table))
        values = [one.strategy.step(batch).item() for one in benches]
        assert values[0] == pytest.approx(values[1], abs=1e-6)
        for one, other in zip(benches[0].networks, benches[1].networks, strict=True):
            for new, old in zip(one.weights(), other.weights(), strict=True):
                np.testing.assert_allclose(new, old, atol=1e-6)
        if number == 2:
            break


def test_the_warm_up_is_cross_entropy_on_all_samples(bench: Callable[..., Any], recorder: Any) -> None:
    """Each network sees all samples once, its loss is asked and shown its predictions, and nothing is divided."""
    loss = recorder()
    b = bench(Unicon(warm_up=2), lambda: loss)
    for epoch in (1, 2):
        shown = []
        for batch in turns(b, epoch):
            loss.events.clear()
            before = [network.weights() for network in b.networks]
            W, bias = before[batch.label]
            value = b.strategy.step(batch).item()
            logits = torch.from_numpy(batch.images.flatten(1).numpy() @ W.T + bias)
            assert value == pytest.approx(F.cross_entropy(logits, batch.targets).item(), abs=1e-6)
            assert [event for event, _, _ in loss.events] == ["observe", "call"]
            np.testing.assert_array_equal(b.networks[1 - batch.label].weights()[0], before[1 - batch.label][0])
            shown += [(batch.label, i) for i in batch.index.tolist()]
        assert sorted(shown) == [(k, i) for k in (0, 1) for i in range(12)]
        assert b.strategy.clean_probability() is None
    assert b.strategy.variant(2) != b.strategy.variant(3)


def test_networks_that_cannot_tell_anything_go_on_warming_up(bench: Callable[..., Any]) -> None:
    """Where all divergences are equal none is below their mean: the epoch is one of the warm-up, said once."""
    lines: list[str] = []
    b = bench(Unicon(warm_up=0), report=lines.append)
    predicting(b, np.full((12, 3), 1 / 3))
    for epoch in (1, 2):
        batches = list(turns(b, epoch))
        assert [len(batch.views) for batch in batches] == [1] * 6
        assert all(b.strategy.step(batch).isfinite() for batch in batches)
    assert len(lines) == 1
    assert "warm-up" in lines[0]


def test_a_limited_epoch_divides_what_is_drawn_for_it_and_leaves_the_others_as_they_were(
    bench: Callable[..., Any],
) -> None:
    """Six batches of 8 with halves of 4: 24 of 80 samples, of which half of the labels are likely."""
    b = bench(Unicon(warm_up=0), samples=80, batch_size=8, classes=2, epoch_batches=6)
    labels = b.ctx.given_labels
    logits = torch.from_numpy(sure_of(labels.numpy(), np.where(np.arange(80) % 2, 0.9, 0.2), 2)).log().float()
    b.ctx.predict = lambda network, indices: logits[indices]
    expected = torch.zeros(80)
    for epoch in (1, 2):
        batches = list(turns(b, epoch))
        drawn = b.ctx.samples(epoch, 4)
        assert len(drawn.unique()) == 24
        d = divergence(logits.exp(), labels)
        expected[drawn] = d[drawn]
        torch.testing.assert_close(b.strategy.d, expected)
        chosen = uniform_selection(d[drawn], labels[drawn], cutoff(d[drawn], 0.7, 5.0), 2)
        assert 4 <= chosen.sum() < 24
        for k in (0, 1):
            own = [batch for batch in batches if batch.label == k]
            assert len(own) <= 6
            assert {i for batch in own for i in batch.index.tolist()} == {*drawn[chosen].tolist()}
            assert {i for batch in own for i in batch.paired.index.tolist()} <= {*drawn[~chosen].tolist()}  # type: ignore[union-attr]
    assert b.strategy.clean_probability()[expected == 0].tolist() == [1.0] * int((expected == 0).sum())


def test_no_rest_is_no_trouble(bench: Callable[..., Any]) -> None:
    """Where every label is trusted, only the labelled half is trained on."""
    b = bench(Unicon(warm_up=0), samples=13)
    b.strategy._divide = lambda drawn: b.strategy.trusted.fill_(True)
    values = [(batch.paired, b.strategy.step(batch)) for batch in turns(b, 1)]
    assert all(paired is None and value.isfinite() for paired, value in values)


@pytest.mark.parametrize(("classes", "missing"), [(2, None), (3, 2)])
def test_two_classes_and_a_class_that_nobody_has(bench: Callable[..., Any], classes: int, missing: int | None) -> None:
    """Of 13 samples in batches of 4, halves of 2: every step is finite."""
    b = bench(Unicon(warm_up=0), samples=13, classes=classes)
    if missing is not None:
        b.ctx.given_labels.copy_(b.ctx.given_labels % missing)
    labels = b.ctx.given_labels.numpy()
    predicting(b, sure_of(labels, np.where(np.arange(13) < 6, 0.9, 0.3), classes))
    values = [b.strategy.step(batch) for batch in turns(b, 1)]
    assert b.strategy.trusted.sum() >= 2
    assert len(values) >= 2
    assert all(value.isfinite() for value in values)


def test_both_networks_predict(bench: Callable[..., Any]) -> None:
    """The sum of both networks' logits."""
    b = bench(Unicon())
    expected = sum(W.T + bias for W, bias in (network.weights() for network in b.networks))
    logits = b.strategy.predict(torch.eye(12).view(12, 1, 1, 12)).detach().numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-6)


def test_a_warm_up_as_long_as_the_run_is_said(bench: Callable[..., Any]) -> None:
    """With 10 epochs and a warm-up of 10 nothing is ever divided."""
    lines: list[str] = []
    bench(Unicon(warm_up=9), report=lines.append)
    assert lines == []
    bench(Unicon(warm_up=10), report=lines.append)
    assert lines == ["unicon: the run ends within its warm-up (--strategy.warm_up); it never divides the samples."]


def test_other_losses_are_refused() -> None:
    """The objective has its own loss."""
    assert Unicon().refuses(nlcore.create("loss", "cross_entropy")) is None
    assert "cross_entropy" in str(Unicon().refuses(nlcore.create("loss", "gce")))


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_bits() -> None:
    """After an epoch of the warm-up and after each divided one."""

    def fresh() -> TinyRun:
        return TinyRun(Unicon(warm_up=1), epochs=4)

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
    ("name", "value"),
    [("d_mu", 1.5), ("tau", 0.5), ("temperature", 0), ("alpha", 0), ("lambda_u", -1), ("lambda_c", -1), ("kappa", 0)],
)
def test_wrong_parameters(name: str, value: float) -> None:
    """Each has its range."""
    with pytest.raises(nlcore.ParameterError, match=name):
        parameters_of(Unicon)[name].convert(value, f"strategy.{name}")
