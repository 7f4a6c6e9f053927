"""PES against Bai et al. 2021: what each stage trains, and on what."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from helpers import make_data, make_trainer, prepared, squares
from resuming import assert_resumes
from torch.nn import functional as F

import nlcore
from nlcore.contracts import Batch
from nlcore.testing.tiny_run import TinyRun


def create(**parameters: Any) -> Any:
    return nlcore.create("strategy", "pes", **{"first": 1, "second": 0, "third": 0, **parameters})


def batches_of(b: Any, epoch: int) -> Iterator[Batch]:
    """Begin an epoch as the loop does, and yield its batches."""
    b.batches.begin_epoch(epoch, b.ctx.epochs)
    b.ctx.begin_epoch(epoch)
    b.strategy.begin_epoch(epoch)
    (one,) = b.strategy.passes(epoch)
    yield from b.batches.iterate(one, epoch, "0")


def plant(b: Any, confident: list[int]) -> None:
    """Let the network predict the given label of these samples, and another class for all others."""
    labels, weight = b.ctx.given_labels, b.networks[0].head.weight.detach()
    predicted = (labels + 1) % len(weight)
    predicted[confident] = labels[confident]
    weight.copy_(2.0 * F.one_hot(predicted, len(weight)).T)
    b.networks[0].head.bias.detach().zero_()


def test_without_refinement_and_with_all_confident_it_is_plain_training(bench: Callable[..., Any]) -> None:
    """Bit for bit, momentum included: of twelve samples each class has four, so all weights are 1."""
    runs = [bench(create(), momentum=0.9), bench(nlcore.create("strategy", "standard"), momentum=0.9)]
    for b in runs:
        b.ctx.given_labels.copy_(torch.arange(12) % 3)
        plant(b, list(range(12)))
    for epoch in (1, 2, 3):
        for own, plain in zip(batches_of(runs[0], epoch), runs[1].epoch(epoch), strict=True):
            assert torch.equal(own.index, plain.index)
            assert torch.equal(runs[0].strategy.step(own), runs[1].strategy.step(plain))
    assert all(
        torch.equal(a, b) for a, b in zip(*(run.networks[0].head.state_dict().values() for run in runs), strict=True)
    )


def test_each_stage_draws_its_parts_anew_and_trains_them_alone() -> None:
    """Adam's rate is next to nothing here, so what it trains is still what was drawn; the others are as they were."""
    strategy = create(second=1, third=1, refine_lr=1e-12)
    trainer = make_trainer(strategy, prepared(make_data(*squares(40))), epochs=4, batch_size=8)
    parts = trainer.ctx.networks["network1"].stages()  # type: ignore[operator]
    seen = [[part.weight.detach().clone() for part in parts]]
    for epoch in (1, 2, 3, 4):
        trainer.train_epoch(epoch)
        seen.append([part.weight.detach().clone() for part in parts])
    changed = [[not torch.equal(a, b) for a, b in zip(*pair, strict=True)] for pair in itertools.pairwise(seen)]
    assert changed == [[True, True, True], [False, True, True], [False, False, True], [True, True, True]]
    torch.testing.assert_close(seen[2][1], torch.ones(8))  # batch normalisation begins with ones
    assert not torch.equal(seen[2][2], seen[3][2])  # the head was drawn twice, each time another one


def test_later_parts_are_trained_by_adam() -> None:
    """Of one step Adam makes a change of its rate in every weight, whatever the gradient."""
    before = []
    for rate in (1e-12, 1e-3):
        strategy = create(third=1, refine_lr=rate)
        trainer = make_trainer(strategy, prepared(make_data(*squares(32))), epochs=3, batch_size=32)
        for epoch in (1, 2):
            trainer.train_epoch(epoch)
        before.append(trainer.ctx.networks["network1"].head.bias.detach())  # type: ignore[operator,union-attr]
    drawn, stepped = before
    torch.testing.assert_close((stepped - drawn).abs(), torch.full((4,), 1e-3), rtol=1e-3, atol=1e-6)


def test_the_schedule_goes_on_as_if_there_had_been_no_refinement() -> None:
    """An epoch is one step here."""

    def rates(strategy: Any, epochs: int) -> list[float]:
        data = prepared(make_data(*squares(32)))
        trainer = make_trainer(strategy, data, epochs=epochs, batch_size=32, lr_schedule="linear")
        return [trainer.train_epoch(epoch)[2] for epoch in range(1, epochs + 1)]

    plain = rates(nlcore.create("strategy", "standard"), 6)
    assert plain == pytest.approx([0.1 * (1 - epoch / 6) for epoch in range(6)])
    found = rates(create(first=2, second=2, third=1, refine_lr=1e-5), 9)
    assert found == pytest.approx([*plain[:2], 1e-5, 1e-5, 1e-5, *plain[2:]])


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5, 6])
def test_a_run_may_end_in_any_stage(epochs: int) -> None:
    strategy = create(first=1, second=2, third=2)
    trainer = make_trainer(
        strategy, prepared(make_data(*squares(16))), epochs=epochs, batch_size=8, lr_schedule="cosine"
    )
    trainer.run([])
    assert trainer.steps == 2 * epochs


def test_the_confident_ones_are_trained_on_with_balanced_classes(bench: Callable[..., Any]) -> None:
    """Value and step: mean ω ℓ with ω_c = mean(n) / n_c, of 2, 4 and 6 samples."""
    b = bench(create(), samples=18, batch_size=6)
    labels = b.ctx.given_labels
    labels.copy_(torch.tensor([0] * 6 + [1] * 6 + [2] * 6))
    confident = [0, 1, 6, 7, 8, 9, *range(12, 18)]
    plant(b, confident)
    omega = torch.tensor([4 / 2, 4 / 4, 4 / 6], dtype=torch.float64)
    visited = []
    for batch in batches_of(b, 2):
        W, bias = (p.detach().double().clone().requires_grad_() for p in b.networks[0].head.parameters())
        log_p = (W.T[batch.index] + bias).log_softmax(1)
        losses = -log_p[torch.arange(len(batch.index)), batch.targets]
        objective = (omega[batch.targets] * losses).mean()
        objective.backward()
        assert b.strategy.step(batch).item() == pytest.approx(objective.item(), rel=1e-5)
        for parameter, before in zip(b.networks[0].head.parameters(), (W, bias), strict=True):
            assert before.grad is not None
            expected = before.detach() - 0.5 * before.grad
            torch.testing.assert_close(parameter.detach().double(), expected, atol=1e-6, rtol=0)
        visited += batch.index.tolist()
    assert sorted(visited) == confident


def test_the_probability_of_the_given_label_is_how_clean_it_is(bench: Callable[..., Any]) -> None:
    b = bench(create(), samples=18, batch_size=6)
    confident = list(range(0, 18, 2))
    plant(b, confident)
    assert b.strategy.clean_probability() is None
    list(batches_of(b, 2))
    e = torch.e**2
    expected = torch.full((18,), 1 / (e + 2))
    expected[confident] = e / (e + 2)
    torch.testing.assert_close(b.strategy.clean_probability(), expected)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_class_that_is_missing_is_not_divided_by(bench: Callable[..., Any], classes: int) -> None:
    b = bench(create(), samples=18, batch_size=6, classes=classes)
    b.ctx.given_labels.clamp_(max=1)
    confident = list(range(0, 18, 2))
    plant(b, confident)
    assert all(b.strategy.step(batch).isfinite() for batch in batches_of(b, 2))
    counts = torch.bincount(b.ctx.given_labels[confident], minlength=classes).float()
    expected = torch.where(counts > 0, counts.mean() / counts, 0.0)
    torch.testing.assert_close(b.strategy.weight, expected)


def test_where_too_few_are_confident_all_are_taken_and_it_is_said_once(bench: Callable[..., Any]) -> None:
    b = bench(create(), samples=13, batch_size=4)
    said: list[str] = []
    b.ctx.report = said.append
    for epoch in (2, 3):
        plant(b, [3, 5, 7])
        batches = list(batches_of(b, epoch))
        assert [len(batch.index) for batch in batches] == [4, 4, 5]
        assert b.strategy.weight.tolist() == [1.0] * 3
    assert len(said) == 1
    assert "fewer samples than a batch" in said[0]


def test_any_loss_is_shown_the_predictions_for_what_is_trained_on(bench: Callable[..., Any], recorder: Any) -> None:
    loss = recorder()
    b = bench(create(), lambda: loss, samples=18, batch_size=6)
    confident = list(range(0, 18, 2))
    plant(b, confident)
    for batch in batches_of(b, 2):
        b.strategy.step(batch)
    assert [name for name, *_ in loss.events] == ["observe", "call"] * 2
    assert sorted(i for name, _, index in loss.events if name == "observe" for i in index.tolist()) == confident


def test_resumed_after_any_epoch_it_ends_with_the_same_bits() -> None:
    """In each of the four stages."""

    def make() -> TinyRun:
        return TinyRun(create(second=2, third=2), epochs=7)

    assert_resumes(make)


def test_a_run_that_ends_before_samples_are_chosen_is_told(bench: Callable[..., Any]) -> None:
    said: list[str] = []
    strategy = create(first=7, second=2, third=1)
    b = bench(strategy, epochs=10)
    b.ctx.report = said.append
    strategy.setup(b.ctx)
    assert said == ["pes: the run ends before samples are chosen, which is after epoch 10."]


@pytest.mark.parametrize("wrong", [{"first": 0}, {"second": -1}, {"third": -1}, {"refine_lr": 0}])
def test_wrong_parameters(wrong: dict[str, Any]) -> None:
    with pytest.raises(nlcore.ParameterError, match=rf"strategy\.{next(iter(wrong))}"):
        create(**wrong)
