"""DivideMix against Li, Socher, Hoi 2020, on images that name their sample and networks of one linear layer."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import TINY
from resuming import copied
from torch import Tensor
from torch.nn import functional as F

import nlcore
from nlcore.contracts import Batch
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun
from nlcore.toolbox import gmm_clean


def create(**parameters: Any) -> Any:
    return nlcore.create("strategy", "divide_mix", **{"warm_up": 0, **parameters})


def batches_of(b: Any, epoch: int) -> Iterator[Batch]:
    """Begin an epoch as the loop does, and yield the batches of all its passes."""
    b.batches.begin_epoch(epoch, b.ctx.epochs)
    b.ctx.begin_epoch(epoch)
    b.strategy.begin_epoch(epoch)
    first = 0
    for number, one in enumerate(b.strategy.passes(epoch)):
        yield from b.batches.iterate(one, epoch, str(number), first)
        first += b.ctx.steps(one)


def plant(b: Any, k: int, clean: list[int], scale: float = 5.0) -> None:
    """Let network k be sure of the given label of these samples, and of another class for all others."""
    labels, weight = b.ctx.given_labels, b.networks[k].head.weight.detach()
    predicted = (labels + 1) % len(weight)
    predicted[clean] = labels[clean]
    jitter = torch.linspace(0, 0.5, len(labels))
    weight.copy_((scale + jitter) * F.one_hot(predicted, len(weight)).T)
    b.networks[k].head.bias.detach().zero_()


def weights(b: Any, k: int) -> tuple[Tensor, Tensor]:
    """Return copies of W and b of a network in float64, that take gradients."""
    return tuple(p.detach().double().clone().requires_grad_() for p in b.networks[k].head.parameters())


def sharpened(p: Tensor, temperature: float) -> Tensor:
    powers = p ** (1 / temperature)
    return powers / powers.sum(1, keepdim=True)


def test_with_all_labels_trusted_and_nothing_mixed_it_is_cross_entropy_and_the_prior(bench: Callable[..., Any]) -> None:
    """Networks of zeros have the same loss everywhere: w = 1, U is empty; a tiny α gives λ' = 1; T = 1."""
    b = bench(create(alpha=1e-6, temperature=1.0), batch_size=8, momentum=0.9)
    reference = []
    for network in b.networks:
        network.head.weight.detach().zero_()
        network.head.bias.detach().zero_()
        W, bias = torch.zeros(3, 12, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
        reference.append(torch.optim.SGD([W.requires_grad_(), bias.requires_grad_()], lr=0.5, momentum=0.9))
    turns = []
    for batch in batches_of(b, 1):
        assert batch.paired is None
        k = batch.label
        turns.append(k)
        W, bias = reference[k].param_groups[0]["params"]
        logits = torch.cat([W.T[batch.index] + bias] * 2)
        prior = (torch.log(1 / 3 / logits.softmax(1).mean(0)) / 3).sum()
        objective = F.cross_entropy(logits, batch.targets.repeat(2)) + prior
        reference[k].zero_grad()
        objective.backward()  # type: ignore[no-untyped-call]
        reference[k].step()
        value = b.strategy.step(batch)
        assert value.item() == pytest.approx(objective.item(), abs=1e-6)
        torch.testing.assert_close(b.networks[k].head.weight.detach().double(), W.detach(), atol=1e-6, rtol=0)
        torch.testing.assert_close(b.networks[k].head.bias.detach().double(), bias.detach(), atol=1e-6, rtol=0)
    assert turns == [0, 0, 0, 1, 1, 1]  # all of the first network's, then the second's
    assert b.strategy.clean_probability().tolist() == [1.0] * 12


def test_the_warm_up_is_cross_entropy_of_each_network(bench: Callable[..., Any]) -> None:
    """With the last batch of one image more than the others."""
    b = bench(create(warm_up=3), samples=13)
    sizes = []
    for batch in batches_of(b, 1):
        W, bias = weights(b, batch.label)
        objective = F.cross_entropy(W.T[batch.index] + bias, batch.targets)
        objective.backward()  # type: ignore[no-untyped-call]
        assert W.grad is not None
        value = b.strategy.step(batch)
        assert value.item() == pytest.approx(objective.item(), abs=1e-6)
        after = b.networks[batch.label].head.weight.detach().double()
        torch.testing.assert_close(after, W.detach() - 0.5 * W.grad, atol=1e-6, rtol=0)
        sizes.append((batch.label, len(batch.index)))
    assert sizes == [(k, size) for k in (0, 1) for size in (4, 4, 5)]
    assert b.strategy.clean_probability() is None
    assert b.strategy.suggested_labels() is None


def test_the_penalty_is_on_confidence_and_in_the_warm_up(bench: Callable[..., Any]) -> None:
    b = bench(create(warm_up=1, penalty=True))
    for batch in batches_of(b, 1):
        W, bias = weights(b, batch.label)
        p = (W.T[batch.index] + bias).softmax(1)
        expected = F.nll_loss(p.log(), batch.targets) + (p * p.log()).sum(1).mean()
        assert b.strategy.step(batch).item() == pytest.approx(expected.item(), abs=1e-6)


def test_each_network_trains_on_what_the_other_one_trusts(bench: Callable[..., Any]) -> None:
    """X fills whole batches with some of its samples once more, and as many of U come along."""
    clean = ([0, 1, 2, 3, 5, 8, 13, 14, 19], [4, 5, 6, 7, 8, 9, 10])
    b = bench(create(), samples=24, batch_size=8)
    for k in (0, 1):
        plant(b, k, clean[k])
    labelled: tuple[list[int], list[int]] = ([], [])
    rest: tuple[list[int], list[int]] = ([], [])
    for batch in batches_of(b, 1):
        assert batch.paired is not None
        assert len(batch.index) == len(batch.paired.index) == 4
        assert len(batch.views) == len(batch.paired.views) == 2
        labelled[batch.label].extend(batch.index.tolist())
        rest[batch.label].extend(batch.paired.index.tolist())
    for k in (0, 1):
        trusted = clean[1 - k]
        assert set(labelled[k]) == set(trusted)
        assert not set(rest[k]) & set(trusted)
        assert max(Counter(labelled[k]).values()) == 2
        assert len(labelled[k]) == len(rest[k]) == 4 * -(-len(trusted) // 4)
    said = b.strategy.clean_probability()
    both = sorted(set(clean[0]) & set(clean[1]))
    assert (said[both] > 0.95).all()
    assert said[[11, 12, 15, 23]].max() < 0.05
    assert said[[0, 4]] == pytest.approx([0.5, 0.5], abs=0.05)


def test_labels_that_are_not_trusted_give_way_to_the_prediction(bench: Callable[..., Any]) -> None:
    b = bench(create(), samples=24, batch_size=8)
    trusted = list(range(0, 24, 2))
    for k in (0, 1):
        plant(b, k, trusted)
    list(batches_of(b, 1))
    given = b.ctx.given_labels
    expected = (given + 1) % 3
    expected[trusted] = given[trusted]
    assert b.strategy.suggested_labels().tolist() == expected.tolist()


@pytest.mark.parametrize(("epoch", "since"), [(2, 0), (4, 2), (9, 7)])
def test_value_and_gradient_of_a_step_are_those_of_the_formula(
    bench: Callable[..., Any], epoch: int, since: int
) -> None:
    """λ', π and so the targets are read off the images that the network was shown last; w lies between τ and 1."""
    T, lambda_u, ramp = 0.5, 10.0, 4
    b = bench(
        create(warm_up=1, temperature=T, lambda_u=lambda_u, ramp=ramp, alpha=4.0), samples=24, batch_size=8, lr=0.1
    )
    for k in (0, 1):
        plant(b, k, list(range(0, 24, 2)), scale=1.0)  # not sure, so that guesses and refined labels are not either
    b.strategy.begin_epoch(epoch)
    b.strategy.w[:, ::2] = torch.linspace(0.6, 0.9, 12)
    steps, weighed = [0, 0], 0
    counts = [b.ctx.steps(one) for one in b.strategy.passes(epoch)]
    first = 0
    for number, one in enumerate(b.strategy.passes(epoch)):
        for batch in b.batches.iterate(one, epoch, str(number), first):
            k = batch.label
            own, other = weights(b, k), weights(b, 1 - k)
            value = b.strategy.step(batch)
            x = b.networks[k].seen[-1].double()
            assert batch.paired is not None
            index = torch.cat([batch.index, batch.index, batch.paired.index, batch.paired.index])
            lam, partner = read_off(x, index)
            with torch.no_grad():
                p = [(W.T + bias).softmax(1) for W, bias in (own, other)]  # of all samples: their images are rows of I
                w = b.strategy.w[k].double()[:, None]
                refined = sharpened(w * F.one_hot(b.ctx.given_labels, 3) + (1 - w) * p[0], T)
                guessed = sharpened((p[0] + p[1]) / 2, T)
                targets = guessed.clone()
                targets[batch.index] = refined[batch.index]
                mixed = lam * targets[index] + (1 - lam) * targets[partner]
            log_p = (x @ own[0].T + own[1]).log_softmax(1)
            supervised = -(mixed[:8] * log_p[:8]).sum(1).mean()
            unlabelled = (log_p[8:].exp() - mixed[8:]).square().mean()
            prior = (torch.log(1 / 3 / log_p.exp().mean(0)) / 3).sum()
            weight = lambda_u * min((since + steps[k] / counts[k]) / ramp, 1)
            objective = supervised + weight * unlabelled + prior
            objective.backward()
            assert value.item() == pytest.approx(objective.item(), rel=1e-4)
            for parameter, before in zip(b.networks[k].head.parameters(), own, strict=True):
                assert before.grad is not None
                expected = before.detach() - 0.1 * before.grad
                torch.testing.assert_close(parameter.detach().double(), expected, atol=2e-5, rtol=0)
            for parameter, before in zip(b.networks[1 - k].head.parameters(), other, strict=True):
                assert torch.equal(parameter.detach().double(), before)
            steps[k] += 1
            weighed += weight > 0
        first += b.ctx.steps(one)
    assert min(steps) >= 2
    assert weighed >= 2


def read_off(x: Tensor, index: Tensor) -> tuple[float, Tensor]:
    """Return λ' and the sample that each row was mixed with, from images λ' e_i + (1 − λ') e_j."""
    rest = x.clone()
    rest[torch.arange(len(index)), index] = 0
    mixed = rest.amax(1) > 0
    lam = float(x[mixed][0, index[mixed][0]])
    assert 0.5 <= lam < 1
    return lam, torch.where(mixed, rest.argmax(1), index)


def test_losses_are_averaged_over_the_last_divisions(bench: Callable[..., Any]) -> None:
    """Each scaled to 0..1 by itself; before there are as many, over those that there are."""
    b = bench(create(history=2), samples=24, batch_size=8)
    past = []
    for epoch in (1, 2, 3):
        scaled = []
        for k in (0, 1):
            plant(b, k, list(range(3 * epoch, 24 - k)))
            logits = b.networks[k].head.weight.detach().T
            losses = F.cross_entropy(logits, b.ctx.given_labels, reduction="none")
            scaled.append((losses - losses.min()) / (losses.max() - losses.min()))
        past.append(scaled)
        b.strategy.begin_epoch(epoch)
        for k in (0, 1):
            mean = torch.stack([scaled[k] for scaled in past[-2:]]).mean(0)
            expected = gmm_clean(mean, b.ctx.seed(f"gmm/{k}", epoch))
            torch.testing.assert_close(b.strategy.w[1 - k], expected, atol=1e-4, rtol=0)


def test_a_limited_epoch_divides_what_is_drawn_for_it_and_leaves_the_others_as_they_were(
    bench: Callable[..., Any],
) -> None:
    """
    Two batches of 8 with halves of 4: eight of 24 samples, four of each of two classes.

    The losses that are averaged are those of a sample's own last two divisions.
    """
    b = bench(create(history=2), samples=24, batch_size=8, classes=2, epoch_batches=2, sampling="balanced")
    past: list[list[list[float]]] = [[[] for _ in range(24)] for _ in (0, 1)]
    drawn: set[int] = set()
    turns = 0
    for epoch in range(1, 9):
        before = b.strategy.w.clone()
        for k in (0, 1):
            plant(b, k, [i for i in range(24) if i % (3 + k) != epoch % 3])
        batches = list(batches_of(b, epoch))
        now = b.ctx.samples(epoch, 4).tolist()
        assert torch.bincount(b.ctx.given_labels[now]).tolist() == [4, 4]
        for k in (0, 1):
            own = [batch for batch in batches if batch.label == k]
            assert 1 <= len(own) <= 2
            if len(own[0].views) == 2:  # else it was as in the warm-up, as too few labels were trusted
                seen = {i for batch in own for part in (batch, batch.paired) if part for i in part.index.tolist()}
                assert seen == {*now}
                turns += 1
        for k in (0, 1):
            losses = F.cross_entropy(b.networks[k].head.weight.detach().T, b.ctx.given_labels, reduction="none")[now]
            scaled = (losses - losses.min()) / (losses.max() - losses.min())
            for i, loss in zip(now, scaled.tolist(), strict=True):
                past[k][i].append(loss)
            mean = torch.tensor([sum(past[k][i][-2:]) / len(past[k][i][-2:]) for i in now])
            expected = before[1 - k]
            expected[now] = gmm_clean(mean, b.ctx.seed(f"gmm/{k}", epoch))
            torch.testing.assert_close(b.strategy.w[1 - k], expected, atol=1e-4, rtol=0)
        drawn |= {*now}
    assert 16 < len(drawn) <= 24
    assert turns >= 8


def test_epochs_of_some_batches_on_digits(tmp_path: Path) -> None:
    """Four batches of 32: of 1,442 images three epochs divide 64 each, and hold of no other that its label is wrong."""
    settings: dict[str, Any] = {**TINY, "batch_size": 32, "runs_dir": tmp_path, "strategy": "divide_mix"}
    limited = {"epochs": 4, "epoch_batches": 4, "sampling": "balanced", "strategy.warm_up": 1}
    run = nlcore.run(quiet=True, **{**settings, **limited})
    assert run.status == "done"
    with (run.run_dir / "selection.csv").open() as file:
        doubted = [row for row in csv.DictReader(file) if float(row["clean_probability"]) < 1]
    assert 64 <= len(doubted) <= 3 * 64


def test_targets_of_strong_views_come_from_weak_ones(bench: Callable[..., Any]) -> None:
    """Weak images are whole here; of strong ones a square is cut out, which leaves some of them empty."""
    b = bench(create(views="strong"), samples=24, batch_size=8)
    for k in (0, 1):
        plant(b, k, list(range(0, 24, 2)))
    cut = 0
    for batch in batches_of(b, 1):
        k = batch.label
        assert batch.paired is not None
        for network in b.networks:
            network.seen.clear()
        b.strategy.step(batch)
        *weak, mixed = b.networks[k].seen
        x, u = (torch.eye(24)[index] for index in (batch.index, batch.paired.index))
        assert all(torch.equal(*pair) for pair in zip(weak, (x, x, u, u), strict=True))
        assert all(torch.equal(*pair) for pair in zip(b.networks[1 - k].seen, (u, u), strict=True))
        cut += int((mixed.sum(1) < 0.99).sum())
        assert mixed.sum() == pytest.approx(sum(view.sum() for view in (*batch.views[2:], *batch.paired.views[2:])))
    assert cut > 0


def test_where_too_few_are_trusted_a_network_warms_up_and_says_so_once(bench: Callable[..., Any]) -> None:
    b = bench(create(), samples=24, batch_size=8)
    said: list[str] = []
    b.ctx.report = said.append
    for epoch in (1, 2):
        for k in (0, 1):
            plant(b, k, [3, 5, 7])  # half a batch is 4
        visited = [(batch.label, i) for batch in batches_of(b, epoch) for i in batch.index.tolist()]
        assert sorted(visited) == [(k, i) for k in (0, 1) for i in range(24)]
        for batch in batches_of(b, epoch):
            assert b.strategy.step(batch).isfinite()
    assert len(said) == 1
    assert "fewer than 4 labels were trusted" in said[0]


@pytest.mark.parametrize("classes", [2, 3])
def test_two_classes_or_a_missing_one_do_no_harm(bench: Callable[..., Any], classes: int) -> None:
    b = bench(create(), samples=24, batch_size=8, classes=classes)
    said: list[str] = []
    b.ctx.report = said.append
    b.ctx.given_labels[b.ctx.given_labels == 2] = 0  # of three classes the last one is missing
    for k in (0, 1):
        plant(b, k, list(range(0, 24, 2)))
    assert all(b.strategy.step(batch).isfinite() for batch in batches_of(b, 1))
    assert ["no sample of 1 of the 3 classes was chosen" in text for text in said] == ([True] if classes == 3 else [])


def test_the_sum_of_both_networks_predicts(bench: Callable[..., Any]) -> None:
    b = bench(create())
    expected = sum(network.head.weight.T + network.head.bias for network in b.networks)
    torch.testing.assert_close(b.strategy.predict(torch.eye(12).view(12, 1, 1, 12)), expected)


def test_resumed_after_any_epoch_it_ends_with_the_same_bits() -> None:
    """After the warm-up and between divisions whose losses are averaged."""

    def make() -> TinyRun:
        return TinyRun(create(warm_up=1, history=3), epochs=4)

    straight, saved = make(), []
    straight.train(lambda: saved.append(copied(straight.trainer.state_dict())))
    assert straight.strategy.times.tolist() == [3] * 97
    for done, state in enumerate(saved[:-1], start=1):
        resumed = make()
        resumed.trainer.load_state_dict(state)
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), straight.trainer.state_dict())
        assert equal(resumed.strategy.clean_probability(), straight.strategy.clean_probability())


def test_draws_are_keyed_by_seed_and_epoch(bench: Callable[..., Any]) -> None:
    def visited(seed: int, epoch: int) -> list[Any]:
        b = bench(create(), samples=24, batch_size=8, seed=seed)
        for k in (0, 1):
            plant(b, k, list(range(12)))
        found = [(batch.index.tolist(), batch.paired and batch.paired.index.tolist()) for batch in batches_of(b, epoch)]
        return [found, b.strategy.lam.tolist(), b.strategy.order.tolist()]

    assert visited(1, 3) == visited(1, 3)
    for other in (visited(1, 4), visited(2, 3)):
        assert all(one != two for one, two in zip(visited(1, 3), other, strict=True))


def test_a_warm_up_that_never_ends_is_said(bench: Callable[..., Any]) -> None:
    said: list[str] = []
    strategy = create(warm_up=10)
    b = bench(strategy, epochs=10)
    b.ctx.report = said.append
    strategy.setup(b.ctx)
    assert said == ["divide_mix: the run ends within its warm-up (--strategy.warm_up); it never divides the samples."]


def test_other_losses_are_refused() -> None:
    assert create().refuses(nlcore.create("loss", "cross_entropy")) is None
    assert "use cross_entropy" in create().refuses(nlcore.create("loss", "gce"))


@pytest.mark.parametrize(
    "wrong", [{"warm_up": -1}, {"p_threshold": 1.0}, {"temperature": 0}, {"alpha": 0}, {"history": 0}, {"views": "x"}]
)
def test_wrong_parameters(wrong: dict[str, Any]) -> None:
    with pytest.raises(nlcore.ParameterError, match=rf"strategy\.{next(iter(wrong))}"):
        create(**wrong)
