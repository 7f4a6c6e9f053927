"""SSR and SSR+ against Feng, Tzimiropoulos, Patras 2022: selection by neighbours, balanced batches, and each step."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.strategies.ssr import SSR, balanced, relabel, select
from numpy.typing import NDArray
from scipy import stats
from scipy.special import log_softmax, softmax
from torch.nn import functional as F

import nlcore
from nlcore.contracts import Batch
from nlcore.parameters import parameters_of
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun
from nlcore.toolbox import knn_votes

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


def mixture(strategy: Any, batch: Batch) -> tuple[Array, float, NDArray[np.int64]]:
    """Return the mixed pixels (2B, D), λ and the partners of a step, from what was drawn for it."""
    x = torch.cat(batch.views).flatten(1).double().numpy()
    lam = float(batch.row(strategy.lam))
    partner = np.argsort(batch.row(strategy.order).numpy()[: len(x)], kind="stable")
    return lam * x + (1 - lam) * x[partner], lam, partner


def test_keeping_everything_it_is_balanced_mixup(bench: Callable[..., Any]) -> None:
    """θ_r = 1, θ_s = 0, λ_fc = 0: cross-entropy with mixup of two strong views, as many samples of each class."""
    b = bench(SSR(theta_r=1.0, theta_s=0.0, lambda_fc=0.0), lr=0.5)
    b.ctx.given_labels.copy_(torch.tensor([0, 1, 0, 2, 0, 1, 0, 1, 0, 2, 0, 1]))
    labels = b.ctx.given_labels.numpy()
    steps = 0
    seen: Counter[int] = Counter()
    for batch in turns(b, 1):
        seen.update(labels[batch.index.numpy()].tolist())
        W, bias = b.networks[0].weights()
        x, lam, partner = mixture(b.strategy, batch)
        given = np.eye(3)[np.tile(labels[batch.index.numpy()], 2)]
        target = lam * given + (1 - lam) * given[partner]
        f = x @ W.T + bias
        slope = (softmax(f, axis=1) - target) / len(f)
        value = b.strategy.step(batch)
        assert value.item() == pytest.approx(-(target * log_softmax(f, axis=1)).sum(1).mean(), abs=1e-6)
        np.testing.assert_allclose(b.networks[0].weights()[0], W - 0.5 * slope.T @ x, atol=1e-6)
        np.testing.assert_allclose(b.networks[0].weights()[1], bias - 0.5 * slope.sum(0), atol=1e-6)
        steps += 1
    assert steps == 3
    assert seen == {0: 4, 1: 4, 2: 4}


def test_the_step_of_ssr_plus(bench: Callable[..., Any]) -> None:
    """Value and gradients of mixup's loss minus λ_fc cos(h(g(z_s)), sg g(z_w)), in double precision."""
    b = bench(SSR(lambda_fc=0.7, theta_r=1.0, theta_s=0.0), lr=0.5)
    strategy, (network,) = b.strategy, b.networks
    for batch in turns(b, 1):
        parts = (network, b.ctx.modules["module1"], b.ctx.modules["module2"])
        double = [copy.deepcopy(part).double() for part in parts]
        copied, project, predictor = (getattr(part, "module", part) for part in double)
        x, lam, partner = mixture(strategy, batch)
        labels = torch.cat([batch.targets, batch.targets])
        f = copied.head(torch.from_numpy(x))
        ce = F.cross_entropy(f, labels, reduction="none")
        mixed = lam * ce + (1 - lam) * F.cross_entropy(f, labels[torch.from_numpy(partner)], reduction="none")
        assert batch.paired is not None
        weak, strong = (view.flatten(1).double() for view in batch.paired.views)
        with torch.no_grad():
            target = project(weak)
        online = predictor(project(strong))
        cosine = (online * target).sum(1) / (online.norm(dim=1) * target.norm(dim=1))
        expected = mixed.mean() - 0.7 * cosine.mean()
        expected.backward()
        assert strategy.step(batch).item() == pytest.approx(expected.item(), abs=1e-6)
        for part, before in zip(parts, double, strict=True):
            for now, old in zip(part.parameters(), before.parameters(), strict=True):
                assert old.grad is not None
                torch.testing.assert_close(now.double(), old - 0.5 * old.grad, atol=2e-6, rtol=0)


def test_the_heads_of_ssr_make_no_difference_where_there_are_none(bench: Callable[..., Any]) -> None:
    """λ_fc = 0 makes no heads and asks for no second batch."""
    b = bench(SSR(lambda_fc=0.0))
    assert b.ctx.modules == {}
    assert all(batch.paired is None for batch in turns(b, 1))
    c = bench(SSR(lambda_fc=1.0))
    assert len(c.ctx.modules) == 2
    beside = [batch.paired for batch in turns(c, 1)]
    assert sorted(i for one in beside if one is not None for i in one.index.tolist()) == list(range(12))


def test_selection_is_that_of_every_pair_compared() -> None:
    """Relabelling, votes of the k nearest by cosine, division by class frequencies and the ratio, by loops."""
    rng = np.random.default_rng(3)
    features, logits, given = rng.normal(size=(30, 5)), 3 * rng.normal(size=(30, 4)), rng.integers(4, size=30)
    p = softmax(logits, axis=1)
    labels = np.where(p.max(1) > 0.8, p.argmax(1), given)
    assert 0 < (labels != given).sum() < 30
    found = relabel(torch.from_numpy(logits), torch.from_numpy(given), 0.8)
    assert found.tolist() == labels.tolist()
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    q = np.zeros((30, 4))
    kept: dict[float, list[bool]] = {0.0: [], 0.5: [], 1.0: []}
    for i in range(30):
        others = [j for j in np.argsort(-unit @ unit[i]) if j != i][:7]
        q[i] = [sum(labels[j] == c for j in others) / max((labels == c).sum(), 1) for c in range(4)]
        q[i] /= q[i].sum()
        for theta in kept:
            kept[theta].append(bool(q[i, labels[i]] / q[i].max() >= theta))
    votes = knn_votes(torch.from_numpy(features), found, 7, 4)
    np.testing.assert_allclose(balanced(votes, found).numpy(), q, atol=1e-6)
    for theta, expected in kept.items():
        assert select(votes, found, theta).tolist() == expected
    assert all(kept[0.0])
    assert 0 < sum(kept[1.0]) < sum(kept[0.5]) < 30


def planted(bench: Callable[..., Any], sure: float, **params: Any) -> tuple[Any, NDArray[np.int64]]:
    """Return a bench whose features are those of the true classes, with a third of the labels wrong, and the truth."""
    noise = nlcore.create("noise", "symmetric", rate=0.3, redraw="exclusive")
    b = bench(SSR(lambda_fc=0.0, **params), samples=80, classes=4, noise=noise, batch_size=16)
    truth = np.random.default_rng(5).integers(4, size=80)
    clusters = F.one_hot(torch.from_numpy(truth), 4).float()
    noisy = clusters + 0.05 * torch.randn(80, 4, generator=torch.Generator().manual_seed(1))
    b.ctx.predict = lambda *args, **more: torch.cat([noisy, sure * clusters], 1)
    return b, truth


def test_a_planted_division_is_found(bench: Callable[..., Any]) -> None:
    """Where right labels are the majority of each cluster, they are kept and no others, and the epoch has N samples."""
    b, truth = planted(bench, sure=0.0, k=15)
    given = b.ctx.given_labels.numpy()
    right = set(np.flatnonzero(given == truth).tolist())
    assert 0 < len(right) < 80
    assert b.strategy.clean_probability() is None
    assert b.strategy.suggested_labels() is None
    index = [i for batch in turns(b, 1) for i in batch.index.tolist()]
    assert len(index) == 80
    assert set(index) <= right
    assert Counter(given[index].tolist()) == dict.fromkeys(range(4), 20)
    clean = b.strategy.clean_probability().numpy()
    assert clean[given == truth].min() > clean[given != truth].max()
    assert b.strategy.suggested_labels().tolist() == given.tolist()


def test_confident_samples_are_relabelled_anew_each_epoch(bench: Callable[..., Any]) -> None:
    """With max p > θ_r everywhere all labels are the predicted ones; once p is flat again, the given ones return."""
    b, truth = planted(bench, sure=9.0, k=15)
    given = b.ctx.given_labels.numpy()
    for batch in turns(b, 1):
        W, bias = b.networks[0].weights()
        x, lam, partner = mixture(b.strategy, batch)
        y = np.tile(truth[batch.index.numpy()], 2)
        log_p, rows = log_softmax(x @ W.T + bias, axis=1), np.arange(len(x))
        expected = -(lam * log_p[rows, y] + (1 - lam) * log_p[rows, y[partner]]).mean()
        assert b.strategy.step(batch).item() == pytest.approx(expected, abs=1e-5)
    assert b.strategy.suggested_labels().tolist() == truth.tolist()
    b.ctx.predict = lambda *args, **more: torch.cat([torch.randn(80, 4), torch.zeros(80, 4)], 1)
    b.strategy.begin_epoch(2)
    assert b.strategy.suggested_labels().tolist() == given.tolist()


def test_features_and_predictions_come_from_weak_views(bench: Callable[..., Any]) -> None:
    """One prediction an epoch, of features and logits together, in views keyed by the epoch."""
    b = bench(SSR(lambda_fc=0.0, k=3))
    asked, before = [], b.ctx.predict

    def predict(function: Any, **more: Any) -> torch.Tensor:
        found: torch.Tensor = before(function, **more)
        asked.append((more, found))
        return found

    b.ctx.predict = predict
    list(turns(b, 4))
    ((more, found),) = asked
    W, bias = b.networks[0].weights()
    assert more == {"view": "weak", "epoch": 4}
    np.testing.assert_allclose(found.numpy(), np.concatenate([np.eye(12), W.T + bias], 1), atol=1e-6)


def say(b: Any, features: list[list[float]]) -> list[int]:
    """Let the strategy select by these features and flat predictions; return the positions of an epoch."""
    z = torch.tensor(features)
    b.ctx.predict = lambda *args, **more: torch.cat([z, torch.zeros(len(z), b.ctx.num_classes)], 1)
    b.strategy.begin_epoch(1)
    (one,) = b.strategy.passes(1)
    indices: list[int] = one.indices.tolist()
    return indices


def test_where_nothing_is_kept_all_are_trained_on(bench: Callable[..., Any]) -> None:
    """Pairs of neighbours that contradict each other: no label has its neighbour's vote."""
    b = bench(SSR(k=1, lambda_fc=0.0), samples=4, classes=2, batch_size=2)
    b.ctx.given_labels.copy_(torch.tensor([0, 1, 0, 1]))
    assert sorted(say(b, [[1.0, 0.0], [1.0, 0.01], [0.0, 1.0], [0.01, 1.0]])) == [0, 1, 2, 3]


def test_a_class_of_which_nothing_is_kept_is_left_out(bench: Callable[..., Any]) -> None:
    """Sample 3 alone has label 1, and its neighbours' is 0: batches are of class 0 and 2 in equal parts."""
    b = bench(SSR(k=2, lambda_fc=0.0), samples=7, classes=3, batch_size=4)
    b.ctx.given_labels.copy_(torch.tensor([0, 0, 0, 1, 2, 2, 2]))
    near = [[1.0, 0.01 * i] for i in range(4)] + [[0.01 * i, 1.0] for i in range(3)]
    drawn = say(b, near)
    assert len(drawn) == 7
    assert 3 not in drawn
    counts = Counter(b.ctx.given_labels[drawn].tolist())
    assert sorted(counts.values()) == [3, 4]


def test_a_class_that_nobody_has_is_no_trouble(bench: Callable[..., Any]) -> None:
    """Of three classes two are given: votes for the third are 0, not 0 / 0."""
    b = bench(SSR(k=3, theta_r=1.0), samples=8, classes=3)
    b.ctx.given_labels.copy_(torch.tensor([0, 0, 0, 0, 2, 2, 2, 2]))
    assert sum(len(batch.index) for batch in turns(b, 1)) == 8
    assert b.strategy.clean_probability().isfinite().all()
    votes = torch.tensor([[3.0, 0.0, 1.0]])
    expected = torch.tensor([[0.6, 0.0, 0.4]])  # 3/2 : 0 : 1/1
    torch.testing.assert_close(balanced(votes, torch.tensor([0, 0, 2])), expected)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_last_single_sample_joins_the_batch_before(bench: Callable[..., Any], classes: int) -> None:
    """13 samples in batches of 4: the last one has 5, of 10 views."""
    b = bench(SSR(k=3), samples=13, classes=classes)
    sizes = []
    for batch in turns(b, 1):
        assert b.strategy.step(batch).isfinite()
        sizes.append(len(batch.index))
    assert sizes == [4, 4, 5]


def test_lambda_is_the_larger_part_of_a_beta_draw(bench: Callable[..., Any]) -> None:
    """λ = max(λ', 1 − λ') with λ' ~ Beta(4, 4), by Kolmogorov-Smirnov; epochs draw anew, the same epoch the same."""
    b = bench(SSR(k=3, lambda_fc=0.0), samples=64, batch_size=2)
    found = []
    for epoch in range(1, 13):
        b.strategy.begin_epoch(epoch)
        found.append(b.strategy.lam.clone())
    lam, law = torch.cat(found).double().numpy(), stats.beta(4, 4)
    assert lam.min() >= 0.5
    assert stats.kstest(lam, lambda x: law.cdf(x) - law.cdf(1 - x)).pvalue > 1e-4
    b.strategy.begin_epoch(3)
    assert torch.equal(b.strategy.lam, found[2])
    assert not torch.equal(found[2], found[3])


def test_each_sample_is_observed_once_before_losses_are_asked(bench: Callable[..., Any], recorder: Any) -> None:
    """The loss sees the batch's positions once, and is asked for both labels of 2 B views."""
    loss = recorder()
    b = bench(SSR(k=3), lambda: loss)
    for batch in turns(b, 1):
        loss.events.clear()
        b.strategy.step(batch)
        (shown, logits, index), (own, _, first), (other, _, second) = loss.events
        assert (shown, own, other) == ("observe", "call", "call")
        assert logits.shape == (len(batch.index), 3)
        assert index.tolist() == batch.index.tolist()
        assert first.tolist() == 2 * batch.index.tolist()
        assert sorted(second.tolist()) == sorted(first.tolist())


def test_more_neighbours_than_there_are_is_said(bench: Callable[..., Any]) -> None:
    """200 neighbours of 12 samples: the run goes on with 11 and says so."""
    lines: list[str] = []
    b = bench(SSR(), report=lines.append)
    assert len(lines) == 1
    assert lines[0].startswith("ssr: of 12 samples each has 11 neighbours")
    list(turns(b, 1))
    bench(SSR(k=11), report=lines.append)
    assert len(lines) == 1


@pytest.mark.parametrize("lambda_fc", [0.0, 1.0])
def test_a_resumed_run_ends_with_the_same_bits(lambda_fc: float) -> None:
    """After any epoch: labels, votes, weights, heads and optimiser."""

    def fresh() -> TinyRun:
        return TinyRun(SSR(k=10, lambda_fc=lambda_fc, theta_r=0.5), epochs=4)

    straight, saved = fresh(), []
    straight.train(lambda: saved.append(copy.deepcopy(straight.trainer.state_dict())))
    for done, state in enumerate(saved[:-1], start=1):
        resumed = fresh()
        resumed.trainer.load_state_dict(state)
        assert equal(resumed.strategy.state_dict(), state["strategy"])
        assert resumed.strategy.clean_probability() is not None
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())


@pytest.mark.parametrize(
    ("name", "value"), [("theta_r", 1.5), ("theta_s", -0.1), ("k", 0), ("alpha", 0), ("lambda_fc", -1)]
)
def test_wrong_parameters(name: str, value: float) -> None:
    """Each has its range."""
    with pytest.raises(nlcore.ParameterError, match=name):
        parameters_of(SSR)[name].convert(value, f"strategy.{name}")
