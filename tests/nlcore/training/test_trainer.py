"""The loop, through the public door: a method that asks for all there is, and what the loop promises to every one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from helpers import (
    LinearArchitecture,
    MeanLoss,
    NetArchitecture,
    Rows,
    SomeWrong,
    install_plugin,
    make_context,
    make_data,
    make_trainer,
    plugin_source,
    prepared,
    same_tensors,
    squares,
    train,
    without_clock,
)
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

import nlcore
from nlcore import Result, RunError, parameter
from nlcore.contracts import Batch, Data, DatasetContext, LossContext, Pass, StrategyContext
from nlcore.data.run_data import RunData

TRAINING = 240


@dataclass(frozen=True)
class Squares:
    """Four classes that are told apart by where an image is bright."""

    defaults: ClassVar[dict[str, Any]] = {"augmentation.padding": 1, "augmentation.flip": False}

    def load(self, source: DatasetContext) -> Data:
        return make_data(*squares(TRAINING), test=squares(80, seed=1))


# ------------------------------------------------------------------------------------------- the strategy


@dataclass
class Dividing:
    """
    Two networks that, after a warm-up, split the samples for each other in every epoch by a mixture over losses.

    Each trains on two views of those that the other holds for clean, and beside them on two views of the rest, whose
    labels both networks guess. The optimisers are made anew once.
    """

    warm_up: int = parameter(1, "epochs of plain training", range="[1, inf)")

    made: ClassVar[list[Dividing]] = []

    def setup(self, ctx: StrategyContext) -> None:
        self.ctx = ctx
        self.networks = [ctx.network(), ctx.network()]
        self.losses = [ctx.loss(network) for network in self.networks]
        self.optimizers = [ctx.optimizer(*pair) for pair in zip(self.networks, self.losses, strict=True)]
        self.clean = torch.ones(2, ctx.num_samples)
        self.log: list[tuple[int, Any, int, list[int], list[int], int]] = []
        self.counts: list[int] = []
        self.rebuilt = 0
        Dividing.made.append(self)

    def begin_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        if epoch > self.warm_up:
            self.clean = torch.stack([self._divide(network) for network in self.networks])
        if epoch == self.warm_up + 2:
            pairs = zip(self.networks, self.losses, strict=True)
            self.optimizers = [self.ctx.optimizer(*pair, momentum=0.5) for pair in pairs]
            self.rebuilt += 1
        self.counts.append(sum(self.ctx.steps(walk) for walk in self.passes(epoch)))
        self.weight = torch.rand(self.counts[-1], generator=self.ctx.generator("weight", epoch)).to(self.ctx.device)

    def _divide(self, network: nn.Module) -> Tensor:
        losses = nn.functional.cross_entropy(self.ctx.predict(network), self.ctx.given_labels, reduction="none")
        mixture = GaussianMixture(2, random_state=0).fit(losses[:, None].numpy())
        small = int(mixture.means_.argmin())
        return torch.from_numpy(mixture.predict_proba(losses[:, None].numpy())[:, small]).float()

    def passes(self, epoch: int) -> Iterator[Pass]:
        for own in (0, 1):
            if epoch <= self.warm_up:
                yield Pass(label=own)
            else:
                clean = self.clean[1 - own] > 0.5
                rest = Pass(indices=torch.nonzero(~clean).flatten(), views=2, label="rest", batch_size=16)
                yield Pass(indices=torch.nonzero(clean).flatten(), views=2, label=own, paired=rest)

    def step(self, batch: Batch) -> Tensor:
        beside = [] if batch.paired is None else batch.paired.index.tolist()
        self.log.append((self.epoch, batch.label, int(batch.step), batch.index.tolist(), beside, len(batch.views)))
        network, loss = self.networks[batch.label], self.losses[batch.label]
        weight = batch.row(self.weight) if len(batch.views) == 2 else torch.ones(())
        objective = torch.zeros(())
        for share, view in zip((weight, 1 - weight), batch.views, strict=False):
            objective = objective + share * loss(network(view), batch.targets, batch.index).mean()
        if batch.paired is not None:
            with torch.no_grad():
                guesses = [net(view).softmax(1) for net in self.networks for view in batch.paired.views]
            gap = network(batch.paired.images).softmax(1) - torch.stack(guesses).mean(0)
            objective = objective + gap.square().mean()
        return self.ctx.minimise(self.optimizers[batch.label], objective)

    def predict(self, images: Tensor) -> Tensor:
        return torch.stack([network(images) for network in self.networks]).mean(0)

    def clean_probability(self) -> Tensor:
        return self.clean.mean(0)


@dataclass
class Plain:
    """Standard training that remembers what was to be seen."""

    made: ClassVar[list[Plain]] = []

    def setup(self, ctx: StrategyContext) -> None:
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)
        self.threads: set[int] = set()
        self.seen: dict[int, int] = {}
        self.batches: list[list[int]] = []
        self.history: list[list[Tensor]] = []
        self.evaluated: list[tuple[int, list[Tensor]]] = []
        Plain.made.append(self)

    def step(self, batch: Batch) -> Tensor:
        self.threads.add(torch.get_num_threads())
        self.seen.update(zip(batch.index.tolist(), batch.targets.tolist(), strict=True))
        self.batches.append(batch.index.tolist())
        losses = self.loss(self.network(batch.images), batch.targets, batch.index)
        mean = self.ctx.minimise(self.optimizer, losses.mean())
        self.history.append([p.detach().clone() for p in self.network.parameters()])
        return mean

    def predict(self, images: Tensor) -> Tensor:
        self.evaluated.append((len(self.history), [p.detach().clone() for p in self.network.parameters()]))
        logits: Tensor = self.network(images)
        return logits


class Watching(MeanLoss):
    """A loss that remembers what it was told."""

    made: ClassVar[list[Watching]] = []

    def setup(self, ctx: LossContext) -> None:
        self.ctx = ctx
        self.epochs: list[tuple[int, int]] = []
        self.predicted: list[Tensor] = []
        self.targets: dict[int, int] = {}
        Watching.made.append(self)

    def begin_epoch(self, epoch: int, epochs: int, predict: Callable[[], Tensor]) -> None:
        self.epochs.append((epoch, epochs))
        self.predicted.append(predict())

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        assert index is not None
        self.targets.update(zip(index.tolist(), targets.tolist(), strict=True))
        return super().__call__(logits, targets)


class BreaksInEpochTwo(MeanLoss):
    """A loss that becomes NaN in the middle of the second epoch."""

    def setup(self, ctx: LossContext) -> None:
        self.steps_left = -1

    def begin_epoch(self, epoch: int, epochs: int, predict: Callable[[], Tensor]) -> None:
        self.steps_left = 3 if epoch == 2 else -1

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        self.steps_left -= 1
        return super().__call__(logits, targets) * (float("nan") if self.steps_left == 0 else 1.0)


class Explodes(MeanLoss):
    """A loss that is infinite."""

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(logits, targets) * torch.inf


Door = Callable[..., Result]


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Door:
    """Install the components above as somebody's plugin, and return what runs them."""
    source = plugin_source(
        nl_datasets={"squares": f"{__name__}:Squares"},
        nl_noise_models={"some_wrong": "helpers:SomeWrong"},
        nl_architectures={"net": "helpers:NetArchitecture"},
        nl_losses={
            "mean_loss": "helpers:MeanLoss",
            "watching": f"{__name__}:Watching",
            "breaks": f"{__name__}:BreaksInEpochTwo",
            "explodes": f"{__name__}:Explodes",
        },
        nl_strategies={"dividing": f"{__name__}:Dividing", "plain": f"{__name__}:Plain"},
    )
    install_plugin(monkeypatch, tmp_path, "nl-loop-test", source)
    for cls in (Dividing, Plain, Watching):
        monkeypatch.setattr(cls, "made", [])
    number = itertools.count()

    def run(**settings: Any) -> Result:
        components = {"dataset": "squares", "noise": "some_wrong", "architecture": "net", "loss": "mean_loss"}
        hardware = {"device": "cpu", "precision": "fp32", "threads": "1"}
        defaults = {"strategy": "plain", "epochs": 2, "batch_size": 32, "name": f"run{next(number)}"}
        return nlcore.run(quiet=True, **{**components, **hardware, **defaults, **settings})

    return run


def rows_of(result: Result) -> list[dict[str, Any]]:
    return [without_clock(row) for row in result.metrics]


# ----------------------------------------------------------------- a method that asks for all there is to ask


@pytest.fixture
def divided(door: Door) -> Result:
    return door(strategy="dividing", epochs=5)


def test_a_demanding_method_runs_end_to_end_and_learns(divided: Result) -> None:
    assert divided.status == "done"
    assert [row["epoch"] for row in divided.metrics] == [1, 2, 3, 4, 5]
    assert 0.3 < divided.noise_rate < 0.5  # type: ignore[operator]
    assert divided.test_accuracy["last"] > 0.85  # type: ignore[operator]  # a quarter by chance
    assert divided.memorisation["corrected"] > divided.memorisation["memorised"]  # type: ignore[operator]
    assert divided.num_weights == 2 * sum(p.numel() for p in NetArchitecture().build(4, (1, 8, 8)).parameters())
    names = load_file(divided.run_dir / "weights.safetensors")
    assert {name.split(".")[0] for name in names} == {"network1", "network2"}
    model = nlcore.load(divided.run_dir)
    images, labels = squares(80, seed=1)
    assert float(np.mean(model.predict(images).argmax(1) == labels)) == divided.test_accuracy["last"]


@pytest.mark.slow
def test_a_demanding_method_gets_the_passes_it_asks_for(divided: Result) -> None:
    (strategy,) = Dividing.made
    assert strategy.rebuilt == 1
    for epoch in range(1, 6):
        steps = [entry for entry in strategy.log if entry[0] == epoch]
        assert [number for _, _, number, *_ in steps] == list(range(strategy.counts[epoch - 1]))
        assert [label for label, _ in itertools.groupby(entry[1] for entry in steps)] == [0, 1]
        for own in (0, 1):
            visited = [sample for entry in steps if entry[1] == own for sample in entry[3]]
            beside = {sample for entry in steps if entry[1] == own for sample in entry[4]}
            assert len(set(visited)) == len(visited)
            if epoch == 1:
                assert sorted(visited) == list(range(TRAINING))
                assert not beside
            else:
                assert 20 < len(visited) < TRAINING - 20
                assert beside
                assert not beside & set(visited)
        assert {entry[5] for entry in steps} == {1 if epoch == 1 else 2}


@pytest.mark.slow
def test_a_demanding_method_tells_clean_from_wrong_labels(divided: Result) -> None:
    (strategy,) = Dividing.made
    with np.load(divided.run_dir / "labels.npz") as labels:
        right = labels["given"] == labels["true"]
    assert roc_auc_score(right, strategy.clean_probability().numpy()) > 0.8


@pytest.mark.slow
def test_a_demanding_method_gives_the_same_numbers_again(door: Door) -> None:
    runs = [door(strategy="dividing", epochs=4, seed=seed) for seed in (3, 3, 4)]
    logs = [strategy.log for strategy in Dividing.made]
    one, again, other = (rows_of(result) for result in runs)
    assert one == again
    assert logs[0] == logs[1]
    assert [row["train_loss"] for row in one] != [row["train_loss"] for row in other]
    weights = [list(load_file(result.run_dir / "weights.safetensors").values()) for result in runs]
    assert same_tensors(weights[0], weights[1])
    assert not same_tensors(weights[0], weights[2])


@pytest.mark.slow
def test_a_demanding_method_can_be_averaged(door: Door) -> None:
    plain, averaged = door(strategy="dividing", epochs=3), door(strategy="dividing", epochs=3, ema=0.9)
    assert [row["train_loss"] for row in plain.metrics] == [row["train_loss"] for row in averaged.metrics]
    weights = [list(load_file(result.run_dir / "weights.safetensors").values()) for result in (plain, averaged)]
    assert not same_tensors(*weights)


# ----------------------------------------------------------------------------------- promises to every method


@pytest.mark.slow
def test_dropout_is_replayed_whatever_was_drawn_before(door: Door) -> None:
    settings = {"architecture.dropout": 0.5, "epochs": 2}
    one = door(**settings)
    torch.manual_seed(99)
    torch.rand(7)
    again = door(**settings)
    assert rows_of(one) == rows_of(again)
    assert rows_of(one) != rows_of(door(**{**settings, "architecture.dropout": 0.0}))


def test_dropout_differs_between_epochs() -> None:
    masks: list[Tensor] = []

    class Drops(Plain):
        def step(self, batch: Batch) -> Tensor:
            if batch.step == 0:
                masks.append(nn.functional.dropout(torch.ones(200)))
            return torch.zeros(())

    data = some_data()
    train(make_trainer(Drops(), data, epochs=3))
    assert len({tuple(mask.tolist()) for mask in masks}) == 3


def test_a_run_leaves_the_callers_generators_and_threads_as_they_were(door: Door) -> None:
    torch.set_num_threads(2)
    torch.manual_seed(5)
    np.random.seed(5)
    torchs, numpys = torch.get_rng_state(), repr(np.random.get_state())
    door(**{"architecture.dropout": 0.5})
    assert torch.equal(torch.get_rng_state(), torchs)
    assert repr(np.random.get_state()) == numpys
    (strategy,) = Plain.made
    assert strategy.threads == {1}
    assert torch.get_num_threads() == 2


@pytest.mark.slow
def test_a_loss_is_told_of_every_epoch_once_before_its_first_step(door: Door) -> None:
    door(loss="watching", epochs=3, **{"architecture.dropout": 0.5})
    (loss,) = Watching.made
    assert loss.epochs == [(1, 3), (2, 3), (3, 3)]
    assert [predicted.shape for predicted in loss.predicted] == [(TRAINING, 4)] * 3
    fresh = make_context(some_data())  # the same images, and the seed of the run
    assert torch.equal(loss.predicted[0], fresh.predict(fresh.network()))
    assert not torch.equal(loss.predicted[0], loss.predicted[1])
    assert not torch.equal(loss.predicted[1], loss.predicted[2])


def test_a_loss_that_becomes_nan_ends_the_run_as_diverged(door: Door) -> None:
    result = door(loss="breaks", epochs=4)
    assert result.status == "diverged"
    assert Result.read(result.run_dir).status == "diverged"
    assert [row["epoch"] for row in result.metrics] == [1]
    assert "epoch 2" in (result.message or "")
    assert not (result.run_dir / "weights.safetensors").exists()


def test_a_loss_that_is_infinite_ends_the_run_as_diverged(door: Door) -> None:
    result = door(loss="explodes")
    assert result.status == "diverged"
    assert result.metrics == []
    assert result.test_accuracy["last"] is None


@pytest.mark.slow
def test_the_average_of_the_weights_after_every_step_is_evaluated_and_saved(door: Door) -> None:
    plain, averaged = door(epochs=2), door(epochs=2, ema=0.5)
    one, other = Plain.made
    assert all(same_tensors(a, b) for a, b in zip(one.history, other.history, strict=True))  # training is as without
    saved = load_file(averaged.run_dir / "weights.safetensors")
    names = [f"network1.{name}" for name, _ in NetArchitecture().build(4, (1, 8, 8)).named_parameters()]
    average = [p.detach() for p in make_context(some_data()).network().parameters()]  # of the same seed
    by_hand = []
    for step, weights in enumerate(other.history, start=1):
        d = min(0.5, (1 + step) / (10 + step))
        average = [d * old + (1 - d) * new for old, new in zip(average, weights, strict=True)]
        by_hand.append(average)
    last = load_file(plain.run_dir / "weights.safetensors")
    assert {steps for steps, _ in other.evaluated} == {8, 16}  # after each epoch
    for steps, evaluated in other.evaluated:
        for tensor, expected in zip(evaluated, by_hand[steps - 1], strict=True):
            torch.testing.assert_close(tensor, expected, atol=1e-6, rtol=1e-5)
    for name, tensor, final in zip(names, average, other.history[-1], strict=True):
        torch.testing.assert_close(saved[name], tensor, atol=1e-6, rtol=1e-5)
        assert torch.equal(last[name], final)


# ---------------------------------------------------------------------------------------------- true labels


def reachable(root: object) -> Iterator[object]:
    """Yield what can be reached from an object through attributes, containers and closures."""
    stack, seen = [root], set()
    while stack:
        value = stack.pop()
        if id(value) in seen or isinstance(value, (type, str, bytes, int, float)):
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, (list, tuple, set, frozenset)):
            stack += value
        elif not isinstance(value, (Tensor, np.ndarray)):
            stack += vars(value).values() if hasattr(value, "__dict__") else []
            stack += [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
            stack += [getattr(value, name) for name in ("__self__", "__func__") if hasattr(value, name)]


def holds(root: object, labels: np.ndarray[Any, Any]) -> bool:
    """Tell whether an array or a tensor that equals these labels can be reached."""
    found = (value for value in reachable(root) if isinstance(value, (Tensor, np.ndarray)))
    arrays = (value.detach().numpy() if isinstance(value, Tensor) else value for value in found)
    return any(array.shape == labels.shape and bool((array == labels).all()) for array in arrays)


def some_data(count: int = TRAINING) -> RunData:
    images, labels = squares(count)
    return prepared(make_data(images, labels, test=squares(80, seed=1)), SomeWrong())


def test_true_labels_reach_neither_strategy_nor_loss(door: Door) -> None:
    result = door(loss="watching", validation=0.25)
    with np.load(result.run_dir / "labels.npz") as labels:
        trained = ~labels["validation"]
        given, true = labels["given"][trained], labels["true"][trained]
    assert (given != true).sum() > 40
    (strategy,), (loss,) = Plain.made, Watching.made
    for told in (strategy.seen, loss.targets):
        assert [told[position] for position in range(len(given))] == given.tolist()
    for root in (strategy, strategy.ctx, loss, loss.ctx):
        assert holds(root, given)
        assert not holds(root, true)


def test_the_search_for_true_labels_would_find_them() -> None:
    data = some_data()
    assert data.truth.train is not None
    ctx = make_context(data)
    assert not holds(ctx, data.truth.train)
    ctx.hidden = lambda: data  # type: ignore[attr-defined]
    assert holds(ctx, data.truth.train)


# --------------------------------------------------------------------------------------------------- metrics


class Scripted:
    """A strategy whose losses are known beforehand."""

    def __init__(self, walks: list[Pass] | None = None) -> None:
        self.walks = walks
        self.steps: list[tuple[int, int]] = []
        if walks is not None:
            self.passes = lambda epoch: iter(walks)

    def setup(self, ctx: StrategyContext) -> None:
        self.network = ctx.network()
        self.optimizer = ctx.optimizer(self.network)
        self.rates: list[float] = []

    def step(self, batch: Batch) -> Tensor:
        self.steps.append((int(batch.step), len(batch.index)))
        self.rates.append(self.optimizer.param_groups[0]["lr"])
        return torch.tensor(float(len(self.steps)))

    def predict(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits


def test_the_training_loss_is_the_mean_over_samples() -> None:
    data = some_data(80)  # batches of 32, 32 and 16
    rows = train(make_trainer(Scripted(), data))
    assert [row["train_loss"] for row in rows] == pytest.approx(
        [(1 * 32 + 2 * 32 + 3 * 16) / 80, (4 * 32 + 5 * 32 + 6 * 16) / 80]
    )


def test_by_default_an_epoch_is_one_pass_over_all() -> None:
    data, strategy = some_data(80), Scripted()
    train(make_trainer(strategy, data, epochs=1))
    assert strategy.steps == [(0, 32), (1, 32), (2, 16)]


def test_steps_are_counted_through_all_passes_of_an_epoch() -> None:
    data = some_data(80)
    strategy = Scripted([Pass(), Pass(indices=torch.arange(10), batch_size=5)])
    rows = train(make_trainer(strategy, data, epochs=2))
    epoch = [(0, 32), (1, 32), (2, 16), (3, 5), (4, 5)]
    assert strategy.steps == epoch * 2
    assert rows[0]["train_loss"] == pytest.approx((1 * 32 + 2 * 32 + 3 * 16 + 4 * 5 + 5 * 5) / 90)


@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_the_learning_rate_is_set_before_every_step_as_torch_would(schedule: str) -> None:
    data, strategy = some_data(128), Scripted()
    rows = train(make_trainer(strategy, data, epochs=3, lr=0.3, lr_schedule=schedule))
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler: torch.optim.lr_scheduler.LRScheduler
    if schedule == "cosine":
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=12)
    else:
        scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [6, 9], gamma=0.1)
    expected = []
    for _ in range(12):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert strategy.rates == pytest.approx(expected, abs=1e-9)
    assert [row["lr"] for row in rows] == pytest.approx([expected[3], expected[7], expected[11]], abs=1e-9)


# ------------------------------------------------------------------------- epochs of a fixed number of batches


def epochs_of(batches: list[list[int]], steps: int) -> list[list[int]]:
    """Return the samples of each epoch of so many steps, in their order."""
    return [list(itertools.chain(*batches[first : first + steps])) for first in range(0, len(batches), steps)]


def test_an_epoch_has_so_many_batches_of_samples_drawn_by_seed_and_epoch(door: Door) -> None:
    """Four of the eight batches; after three epochs few of 240 have never been shown: (7/15)³, 24 on average."""
    for seed in (1, 1, 2):
        assert len(door(epochs=3, epoch_batches=4, seed=seed).metrics) == 3
    one, again, other = (strategy.batches for strategy in Plain.made)
    assert [len(batch) for batch in one] == [32] * 12
    drawn = epochs_of(one, 4)
    assert [len({*epoch}) for epoch in drawn] == [128] * 3
    assert len({tuple(sorted(epoch)) for epoch in drawn}) == 3
    assert len({sample for epoch in drawn for sample in epoch}) == pytest.approx(240 - 24.4, abs=20)
    assert again == one
    assert {*other[0]} != {*one[0]}


def test_without_a_limit_and_with_one_of_all_batches_an_epoch_is_the_same(door: Door) -> None:
    runs = [door(epoch_batches=limit) for limit in ("none", 8, 100)]
    assert rows_of(runs[0]) == rows_of(runs[1]) == rows_of(runs[2])
    assert sorted(epochs_of(Plain.made[0].batches, 8)[0]) == list(range(TRAINING))


def test_the_samples_of_a_limited_epoch_are_balanced_by_their_given_class(door: Door) -> None:
    door(epoch_batches=3, batch_size=16, sampling="balanced")
    [strategy] = Plain.made
    for epoch in epochs_of(strategy.batches, 3):
        assert np.bincount([strategy.seen[sample] for sample in epoch]).tolist() == [12] * 4
        assert len({*epoch}) == 48


def test_schedules_and_progress_count_the_steps_that_are_made() -> None:
    class Progress(Rows):
        def progress(self, epoch: int, step: int, steps: int, images_per_second: float, elapsed: float) -> None:
            assert (step, steps) == (2, 2)
            self.lines.append(f"epoch {epoch}")

    strategy, notes = Scripted(), Progress()
    make_trainer(strategy, some_data(128), epochs=3, lr=0.3, lr_schedule="linear", epoch_batches=2).run([notes])
    assert strategy.rates == pytest.approx([0.3 * (1 - step / 6) for step in range(6)])
    assert notes.lines == ["epoch 1", "epoch 2", "epoch 3"]


def test_every_pass_is_limited_and_what_is_predicted_is_not() -> None:
    """Of positions that a method has put in order the first are taken; a paired pass comes along as ever."""
    paired = Pass(indices=torch.arange(60, 80), batch_size=4)
    chosen = Pass(indices=torch.arange(60), batch_size=5, shuffle=False, paired=paired)
    strategy = Scripted([chosen, Pass()])
    trainer = make_trainer(strategy, some_data(80), epochs=1, epoch_batches=2)
    assert [trainer.ctx.steps(one) for one in (chosen, Pass())] == [2, 2]
    train(trainer)
    assert strategy.steps == [(0, 5), (1, 5), (2, 32), (3, 32)]
    batches = list(trainer.batches.iterate(chosen, 1, "0"))
    assert torch.cat([batch.index for batch in batches]).tolist() == list(range(10))
    assert [len(batch.paired.index) for batch in batches if batch.paired] == [4, 4]
    assert len(trainer.ctx.predict(strategy.network)) == 80


def test_a_method_divides_the_samples_that_an_epoch_draws() -> None:
    drawn = make_context(some_data(80), epoch_batches=2).samples
    assert [len(drawn(1)), len(drawn(1, 8))] == [64, 16]
    assert len({*drawn(1).tolist()}) == 64
    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))
    assert torch.equal(make_context(some_data(80)).samples(1, 8), torch.arange(80))
    balanced = make_context(some_data(80), epoch_batches=2, sampling="balanced")
    assert balanced.given_labels[balanced.samples(1)].bincount().tolist() == [16] * 4


NOTHING = torch.empty(0, dtype=torch.int64)


def test_an_epoch_without_any_step_is_an_error() -> None:
    """A method that selects nothing would else report a loss of 0 and count as done."""
    with pytest.raises(RunError, match="nothing to train on in epoch 1"):
        train(make_trainer(Scripted([Pass(indices=NOTHING)]), some_data(80), epochs=1))


def test_a_pass_without_samples_is_said() -> None:
    notes = Rows()
    make_trainer(Scripted([Pass(), Pass(indices=NOTHING)]), some_data(80), epochs=1).run([notes])
    assert notes.lines == ["epoch 1: pass 2 of 2 has no samples"]


@pytest.mark.parametrize(("returned", "said"), [(0.5, "returned float"), (torch.zeros(3), r"returned \(3,\)")])
def test_a_step_that_returns_no_scalar_is_an_error(returned: Any, said: str) -> None:
    class Returns(Scripted):
        def step(self, batch: Batch) -> Any:
            return returned

    with pytest.raises(RunError, match=said):
        train(make_trainer(Returns(), some_data(80), epochs=1))


def test_a_stage_has_a_schedule_of_its_own() -> None:
    class Staged(Scripted):
        def stage(self, epoch: int) -> tuple[int, int]:
            return (1, 2) if epoch < 3 else (3, 4)

    strategy = Staged()
    train(make_trainer(strategy, some_data(64), epochs=4, lr=0.2, lr_schedule="linear"))
    assert strategy.rates == pytest.approx([0.2, 0.15, 0.1, 0.05] * 2)


def test_the_rate_rises_from_0_while_it_warms_up() -> None:
    strategy = Scripted()
    train(make_trainer(strategy, some_data(64), epochs=3, lr=0.2, lr_warmup=1.5))
    assert strategy.rates == pytest.approx([0.2 * step / 3 for step in (0, 1, 2, 3, 3, 3)])


def test_rates_of_a_loss_are_recorded_as_they_trained() -> None:
    class Halves(MeanLoss):
        def lr_scale(self, epoch: int) -> float:
            return 1 / (1 + epoch)

    trainer = make_trainer(Plain(), some_data(80), make_loss=Halves, lr=0.6)
    assert [row["lr"] for row in train(trainer)] == pytest.approx([0.3, 0.2])


def test_the_rate_that_is_recorded_is_that_which_was_asked_for_though_the_first_layers_learn_more_slowly() -> None:
    class Slow(LinearArchitecture):
        def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
            network: Any = super().build(num_classes, image_shape)
            weight, bias = network.head.weight, network.head.bias
            network.param_groups = lambda: [{"params": [weight], "lr_factor": 0.01}, {"params": [bias]}]
            return network  # type: ignore[no-any-return]

    trainer = make_trainer(Plain(), some_data(80), Slow(), lr=0.6, lr_schedule="linear")  # two epochs of three steps
    assert [row["lr"] for row in train(trainer)] == pytest.approx([0.6 * 4 / 6, 0.6 * 1 / 6])


def test_sharpness_aware_steps_take_the_gradient_where_the_loss_is_worse() -> None:
    """θ ← θ − η g(θ + ρ g / ‖g‖), by hand for one step; the loss is shown predictions once."""
    observed: list[int] = []

    class Counts(MeanLoss):
        def observe(self, logits: Tensor, index: Tensor) -> None:
            observed.append(len(index))

    class Observing(Plain):
        def step(self, batch: Batch) -> Tensor:
            self.batch = batch
            logits = self.network(batch.images)
            self.loss.observe(logits, batch.index)
            return self.ctx.minimise(self.optimizer, self.loss(logits, batch.targets, batch.index).mean())

    strategy, data = Observing(), some_data(32)
    options: dict[str, Any] = {"lr": 0.5, "rho": 0.3, "weight_decay": 0.0}
    trainer = make_trainer(
        strategy, data, LinearArchitecture(), Counts, optimizer="sam", epochs=1, batch_size=32, **options
    )
    head = nn.Linear(64, 4)
    network: Any = strategy.network
    head.load_state_dict(network.head.state_dict())
    train(trainer)
    x, y = strategy.batch.images.flatten(1), strategy.batch.targets

    def gradient() -> list[Tensor]:
        head.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(head(x), y))
        return [p.grad.clone() for p in head.parameters() if p.grad is not None]

    start = [p.detach().clone() for p in head.parameters()]
    g = gradient()
    norm = torch.cat([part.flatten() for part in g]).norm()
    with torch.no_grad():
        for p, part in zip(head.parameters(), g, strict=True):
            p.add_(0.3 * part / norm)
    worse = gradient()
    for ours, before, part in zip(network.head.parameters(), start, worse, strict=True):
        torch.testing.assert_close(ours.detach(), before - 0.5 * part, atol=1e-6, rtol=1e-5)
    assert observed == [32]


def test_an_optimiser_made_between_epochs_follows_the_schedule() -> None:
    class Rebuilds(Scripted):
        def setup(self, ctx: StrategyContext) -> None:
            super().setup(ctx)
            self.ctx = ctx

        def begin_epoch(self, epoch: int) -> None:
            if epoch == 2:
                self.optimizer = self.ctx.optimizer(self.network)

    data, strategy = some_data(80), Rebuilds()
    train(make_trainer(strategy, data, epochs=2, lr=0.2, lr_schedule="step"))
    assert strategy.rates == pytest.approx([0.2, 0.2, 0.2, 0.02, 0.02, 0.002])
