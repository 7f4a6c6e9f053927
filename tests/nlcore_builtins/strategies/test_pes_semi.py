"""PES-semi against Bai et al. 2021, on images that name their sample and a network of one linear layer."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from helpers import make_data, make_trainer, prepared, squares
from resuming import assert_resumes
from torch import Tensor
from torch.nn import functional as F

import nlcore
from nlcore.contracts import Batch
from nlcore.testing.tiny_run import TinyRun


def create(**parameters: Any) -> Any:
    return nlcore.create("strategy", "pes_semi", **{"first": 1, "second": 0, **parameters})


def batches_of(b: Any, epoch: int) -> Iterator[Batch]:
    """Begin an epoch as the loop does, and yield its batches."""
    b.batches.begin_epoch(epoch, b.ctx.epochs)
    b.ctx.begin_epoch(epoch)
    b.strategy.begin_epoch(epoch)
    (one,) = b.strategy.passes(epoch)
    yield from b.batches.iterate(one, epoch, "0")


def plant(b: Any, confident: list[int], scale: float = 2.0) -> None:
    """Let the network predict the given label of these samples, and another class for all others."""
    labels, weight = b.ctx.given_labels, b.networks[0].head.weight.detach()
    predicted = (labels + 1) % len(weight)
    predicted[confident] = labels[confident]
    weight.copy_(scale * F.one_hot(predicted, len(weight)).T)
    b.networks[0].head.bias.detach().zero_()


def weights(b: Any) -> tuple[Tensor, Tensor]:
    """Return copies of W and b in float64, that take gradients."""
    return tuple(p.detach().double().clone().requires_grad_() for p in b.networks[0].head.parameters())


def test_with_all_confident_and_nothing_mixed_it_is_cross_entropy(bench: Callable[..., Any]) -> None:
    """A tiny α gives λ' = 1; of twelve samples each class has four, so all weights are 1; momentum goes on."""
    b = bench(create(alpha=1e-6), momentum=0.9)
    b.ctx.given_labels.copy_(torch.arange(12) % 3)
    plant(b, list(range(12)), scale=10.0)
    W, bias = (p.detach() for p in weights(b))
    reference = torch.optim.SGD([W.requires_grad_(), bias.requires_grad_()], lr=0.5, momentum=0.9)
    for epoch in (1, 2):
        for batch in batches_of(b, epoch):
            assert batch.paired is None
            objective = F.cross_entropy(W.T[batch.index] + bias, batch.targets)
            reference.zero_grad()
            objective.backward()  # type: ignore[no-untyped-call]
            reference.step()
            assert b.strategy.step(batch).item() == pytest.approx(objective.item(), abs=1e-6)
            torch.testing.assert_close(b.networks[0].head.weight.detach().double(), W.detach(), atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize(
    ("confident", "sizes"),
    [(5, (4, 4)), (12, (4, 4)), (18, (6, 2)), (23, (8, 0)), (24, (8, 0))],  # of 24 samples, in batches of 8
)
def test_an_epoch_has_as_many_steps_whatever_is_confident(
    bench: Callable[..., Any], confident: int, sizes: tuple[int, int]
) -> None:
    """Half a batch is unlabelled where these outnumber the others, else as large a share as they have of all."""
    b = bench(create(), samples=24, batch_size=8)
    plant(b, list(range(confident)))
    labelled: list[int] = []
    rest: list[int] = []
    for batch in batches_of(b, 2):
        other = batch.paired.index.tolist() if batch.paired else []
        assert (len(batch.index), len(other)) == sizes
        labelled += batch.index.tolist()
        rest += other
    assert len(labelled) == 3 * sizes[0]
    assert max(labelled) < confident
    assert not rest or min(rest) >= confident
    for visits in (Counter(labelled), Counter(rest)):
        assert not visits or max(visits.values()) - min(visits.values()) <= 1
    assert sizes[0] * 3 < confident or len(set(labelled)) == confident


@pytest.mark.parametrize("epoch", [2, 4, 7])
def test_value_and_gradient_of_a_step_are_those_of_the_formula(bench: Callable[..., Any], epoch: int) -> None:
    """λ', π and so the targets are read off the images that the network was shown last."""
    T, lambda_u, ramp = 0.5, 10.0, 4
    b = bench(create(temperature=T, lambda_u=lambda_u, ramp=ramp), samples=24, batch_size=8, lr=0.1)
    confident = list(range(0, 24, 2))
    plant(b, confident, scale=1.0)
    counts = torch.bincount(b.ctx.given_labels[confident], minlength=3).double()
    omega = (counts.mean() / counts).clamp(max=3)
    for step, batch in enumerate(batches_of(b, epoch)):
        own = weights(b)
        value = b.strategy.step(batch)
        x = b.networks[0].seen[-1].double()
        assert batch.paired is not None
        index = torch.cat([batch.index, batch.index, batch.paired.index, batch.paired.index])
        rest = x.clone()
        rest[torch.arange(16), index] = 0
        mixed = rest.amax(1) > 0
        lam, partner = float(x[mixed][0, index[mixed][0]]), torch.where(mixed, rest.argmax(1), index)
        assert 0.5 <= lam <= 1
        with torch.no_grad():
            powers = (own[0].T + own[1]).softmax(1) ** (1 / T)  # of all samples: their images are rows of I
            targets = powers / powers.sum(1, keepdim=True)
            targets[confident] = F.one_hot(b.ctx.given_labels[confident], 3).double()
            aims = lam * targets[index] + (1 - lam) * targets[partner]
        log_p = (x @ own[0].T + own[1]).log_softmax(1)
        supervised = -(omega * aims[:8] * log_p[:8]).sum(1).mean()
        unlabelled = (log_p[8:].exp() - aims[8:]).square().mean()
        objective = supervised + lambda_u * min((epoch - 2 + step / 3) / ramp, 1) * unlabelled
        objective.backward()
        assert value.item() == pytest.approx(objective.item(), rel=1e-4)
        for parameter, before in zip(b.networks[0].head.parameters(), own, strict=True):
            assert before.grad is not None
            expected = before.detach() - 0.1 * before.grad
            torch.testing.assert_close(parameter.detach().double(), expected, atol=2e-5, rtol=0)


def test_rare_classes_weigh_three_times_as_much_at_most_and_missing_ones_nothing(bench: Callable[..., Any]) -> None:
    b = bench(create(), samples=24, batch_size=8, classes=4)
    b.ctx.given_labels.copy_(torch.tensor([0] * 1 + [1] * 15 + [2] * 8))
    plant(b, list(range(24)))
    assert all(b.strategy.step(batch).isfinite() for batch in batches_of(b, 2))
    torch.testing.assert_close(b.strategy.class_weight, torch.tensor([3.0, 6 / 15, 6 / 8, 0.0]))


def test_alpha_changes_in_the_second_half_of_the_run(bench: Callable[..., Any]) -> None:
    """A huge α gives λ = 1/2, a tiny one 0 or 1."""
    b = bench(create(alpha=1e8, alpha_late=1e-6), epochs=6)
    plant(b, list(range(0, 12, 2)))
    for epoch, expected in ((2, {0.5}), (3, {0.5}), (4, {0.0, 1.0}), (6, {0.0, 1.0})):
        b.strategy.begin_epoch(epoch)
        assert {round(lam, 3) for lam in b.strategy.lam.tolist()} <= expected


def test_the_head_is_drawn_anew_and_trained_alone_then_all_parts_are() -> None:
    """Adam's rate is next to nothing here, so what it trains is still what was drawn; the others are as they were."""
    strategy = create(second=2, refine_lr=1e-12)
    trainer = make_trainer(strategy, prepared(make_data(*squares(40))), make_loss=cross_entropy, epochs=4, batch_size=8)
    parts = trainer.ctx.networks["network1"].stages()  # type: ignore[operator]
    seen = [[part.weight.detach().clone() for part in parts]]
    for epoch in (1, 2, 3, 4):
        trainer.train_epoch(epoch)
        seen.append([part.weight.detach().clone() for part in parts])
    changed = [[not torch.equal(a, b) for a, b in zip(*pair, strict=True)] for pair in itertools.pairwise(seen)]
    assert changed[0] == changed[3] == [True, True, True]
    assert changed[1] == [False, False, True]
    assert changed[2][:2] == [False, False]
    torch.testing.assert_close(seen[2][2], seen[3][2])  # drawn once
    assert (seen[1][2] - seen[2][2]).abs().max() > 0.01


def cross_entropy() -> Any:
    return nlcore.create("loss", "cross_entropy")


def test_the_schedule_goes_on_as_if_there_had_been_no_refinement() -> None:
    """An epoch is one step here."""

    def rates(strategy: Any, epochs: int) -> list[float]:
        data = prepared(make_data(*squares(32)))
        settings: dict[str, Any] = {"epochs": epochs, "batch_size": 32, "lr_schedule": "linear"}
        trainer = make_trainer(strategy, data, make_loss=cross_entropy, **settings)
        return [trainer.train_epoch(epoch)[2] for epoch in range(1, epochs + 1)]

    plain = rates(nlcore.create("strategy", "standard"), 6)
    assert plain == pytest.approx([0.1 * (1 - epoch / 6) for epoch in range(6)])
    found = rates(create(first=2, second=3, refine_lr=1e-5), 9)
    assert found == pytest.approx([*plain[:2], 1e-5, 1e-5, 1e-5, *plain[2:]])


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_a_run_may_end_in_any_stage(epochs: int) -> None:
    strategy = create(first=1, second=2)
    data = prepared(make_data(*squares(16)))
    trainer = make_trainer(strategy, data, make_loss=cross_entropy, epochs=epochs, batch_size=8, lr_schedule="cosine")
    trainer.run([])
    assert trainer.steps == 2 * epochs


def test_what_it_thinks_of_labels_are_the_predictions_that_samples_were_chosen_by(bench: Callable[..., Any]) -> None:
    b = bench(create(), samples=18, batch_size=6)
    confident = list(range(0, 18, 2))
    plant(b, confident)
    assert b.strategy.clean_probability() is None
    assert b.strategy.suggested_labels() is None
    list(batches_of(b, 2))
    e = torch.e**2
    expected, labels = torch.full((18,), 1 / (e + 2)), (b.ctx.given_labels + 1) % 3
    expected[confident], labels[confident] = e / (e + 2), b.ctx.given_labels[confident]
    torch.testing.assert_close(b.strategy.clean_probability(), expected)
    assert torch.equal(b.strategy.suggested_labels(), labels)


def test_two_classes_do_no_harm(bench: Callable[..., Any]) -> None:
    b = bench(create(), samples=18, batch_size=6, classes=2)
    plant(b, list(range(0, 18, 2)))
    assert all(b.strategy.step(batch).isfinite() for batch in batches_of(b, 2))


def test_where_too_few_are_confident_all_are_labelled_and_it_is_said_once(bench: Callable[..., Any]) -> None:
    b = bench(create(), samples=13, batch_size=4)
    said: list[str] = []
    b.ctx.report = said.append
    for epoch in (2, 3):
        plant(b, [3])
        batches = list(batches_of(b, epoch))
        assert [(len(batch.views), len(batch.index)) for batch in batches] == [(1, 4), (1, 4), (1, 5)]
        W, bias = weights(b)
        expected = F.cross_entropy(W.T[batches[0].index] + bias, batches[0].targets)
        assert b.strategy.step(batches[0]).item() == pytest.approx(expected.item(), rel=1e-5)
    assert len(said) == 1
    assert "fewer than half a batch" in said[0]


def test_resumed_after_any_epoch_it_ends_with_the_same_bits() -> None:
    """In each of the three stages."""

    def make() -> TinyRun:
        return TinyRun(create(second=2), epochs=5)

    assert_resumes(make)


def test_a_run_that_ends_before_samples_are_chosen_is_told(bench: Callable[..., Any]) -> None:
    said: list[str] = []
    strategy = create(first=7, second=3)
    b = bench(strategy, epochs=10)
    b.ctx.report = said.append
    strategy.setup(b.ctx)
    assert said == ["pes_semi: the run ends before samples are chosen, which is after epoch 10."]


def test_other_losses_are_refused() -> None:
    assert create().refuses(nlcore.create("loss", "cross_entropy")) is None
    assert "use cross_entropy" in create().refuses(nlcore.create("loss", "elr"))


@pytest.mark.parametrize(
    "wrong", [{"first": 0}, {"second": -1}, {"temperature": 2}, {"alpha": 0}, {"alpha_late": 0}, {"lambda_u": -1}]
)
def test_wrong_parameters(wrong: dict[str, Any]) -> None:
    with pytest.raises(nlcore.ParameterError, match=rf"strategy\.{next(iter(wrong))}"):
        create(**wrong)
