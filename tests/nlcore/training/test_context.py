"""What strategies and losses are given: networks, losses, optimisers, and the facts of a run."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers import (
    LinearArchitecture,
    MeanLoss,
    NetArchitecture,
    OnDemand,
    SomeWrong,
    make_context,
    make_data,
    make_trainer,
    prepared,
    same_tensors,
    squares,
    train,
)
from nlcore_builtins.strategies.standard import Standard
from torch import Tensor, nn

import nlcore
from nlcore.config.settings import TrainingSettings
from nlcore.contracts import LossContext, NoiseInfo, Pass
from nlcore.data.run_data import RunData
from nlcore.training.build import Components, wire_for_prediction
from nlcore.training.context import Context
from nlcore.training.schedules import schedule

NO_EXTRAS: dict[str, Any] = {"momentum": 0.0, "weight_decay": 0.0}


def some_data(count: int = 60, *, on_demand: bool = False) -> RunData:
    images, labels = squares(count)
    return prepared(make_data(OnDemand(images) if on_demand else images, labels, test=squares(8)), SomeWrong())


def move_to(ctx: Context, epoch: int, done: float, lr_schedule: Any = "constant") -> float:
    """Set all rates for a moment of a run of this schedule; return the first optimiser's."""
    factor = schedule(TrainingSettings(lr_schedule=lr_schedule), lr=1.0)(done)
    return ctx.optimizers.set_rates(factor, epoch)


def weights(network: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in network.parameters()]


# ----------------------------------------------------------------------------------------------- networks


def test_networks_are_drawn_from_the_seed_and_differ_from_each_other() -> None:
    one, again, other = (make_context(some_data(), seed=seed) for seed in (1, 1, 2))
    first, second = one.network(), one.network()
    torch.rand(3)  # whatever else is drawn
    assert same_tensors(weights(first), weights(again.network()))
    assert same_tensors(weights(second), weights(again.network()))
    assert not same_tensors(weights(first), weights(second))
    assert not same_tensors(weights(first), weights(other.network()))


def test_making_a_network_leaves_the_global_generator_alone() -> None:
    ctx = make_context(some_data())
    before = torch.get_rng_state()
    ctx.network()
    assert torch.equal(torch.get_rng_state(), before)


class Norms(nn.Sequential):
    """Four kinds of batch normalisation; the third needs its counter, the last keeps no statistics."""

    def __init__(self) -> None:
        super().__init__(
            nn.BatchNorm2d(1),
            nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64)),
            nn.BatchNorm1d(64, momentum=None),
            nn.BatchNorm1d(64, track_running_stats=False),
        )


class NormsArchitecture:
    """Builds `Norms`."""

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a network."""
        return Norms()


def counters(network: nn.Module) -> list[str]:
    return [name for name, _ in network.named_buffers() if "num_batches_tracked" in name]


def test_batch_normalisation_counts_batches_only_where_that_is_read() -> None:
    network = make_context(some_data(), NormsArchitecture()).network()
    assert [name for name in counters(network) if name.endswith("2.num_batches_tracked")] == counters(network)
    assert len(counters(network)) == 1
    network.train()(torch.randn(8, 1, 8, 8))
    assert [int(value) for name, value in network.named_buffers() if name in counters(network)] == [1]
    assert [part.momentum for part in network.modules() if getattr(part, "num_batches_tracked", None) is not None] == [
        None  # a mean over all batches, which the counter weighs
    ]


class Counting(Standard):
    """Puts the counters back that torch has."""

    def setup(self, ctx: Any) -> None:
        """Make a network, then give it counters."""
        super().setup(ctx)
        (network,) = ctx.networks.values()
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.num_batches_tracked = torch.tensor(0)


def test_without_counters_training_gives_the_same_bits() -> None:
    results = []
    for strategy in (Standard(), Counting()):
        trainer = make_trainer(strategy, some_data(), momentum=0.9)
        rows = train(trainer)
        (network,) = trainer.ctx.networks.values()
        state = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
        results.append((rows, list(state.values()), len(counters(network))))
    (rows, tensors, without), (rows_with, tensors_with, counted) = results
    assert (without, counted) == (0, 1)
    assert rows == rows_with
    assert same_tensors(tensors, tensors_with)


@pytest.mark.parametrize("plain", [False, True])
def test_states_with_and_without_counters_can_be_loaded(plain: bool) -> None:
    """Saved before there were none, by torch itself, or read from a file as a plain dictionary."""
    network = make_context(some_data(), seed=1).network()
    own = NetArchitecture().build(4, (1, 8, 8))
    for state in (own.state_dict(), make_context(some_data(), seed=2).network().state_dict()):
        network.load_state_dict(dict(state) if plain else state)
        kept = {key: value for key, value in state.items() if "num_batches" not in key}
        assert network.state_dict().keys() == kept.keys()
        assert same_tensors(list(network.state_dict().values()), list(kept.values()))
    own.load_state_dict(dict(network.state_dict()))  # and a network of one's own takes the weights of a run
    with pytest.raises(RuntimeError, match="other"):
        network.load_state_dict({**network.state_dict(), "other": torch.zeros(1)})


def test_parts_without_counters_can_be_made_anew() -> None:
    """As strategies do that draw the later parts of a network again; also in a copy."""
    network = make_context(some_data()).network()
    network.train()(torch.randn(8, 1, 8, 8))
    for norm in (copy.deepcopy(network).norm, network.norm):
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.running_mean.any()
        norm.reset_parameters()
        assert not norm.running_mean.any()
        assert torch.equal(norm.running_var, torch.ones(8))


def test_the_facts_of_a_run() -> None:
    data = some_data()
    ctx = make_context(data, epochs=7, batch_size=16)
    assert (ctx.num_classes, ctx.num_samples, ctx.batch_size, ctx.epochs) == (4, 60, 16, 7)
    assert ctx.given_labels.dtype == torch.int64
    assert ctx.given_labels.tolist() == data.train.labels.tolist()
    assert ctx.steps() == 4
    assert ctx.steps(Pass(indices=torch.arange(17))) == 1  # the tail of one joins
    assert ctx.steps(Pass(batch_size=10)) == 6


def test_generators_are_keyed_by_purpose_and_epoch_and_seed() -> None:
    data = some_data()
    one, other = make_context(data, seed=1), make_context(data, seed=2)

    def draw(ctx: Context, purpose: str, epoch: int) -> list[float]:
        drawn: list[float] = torch.rand(4, generator=ctx.generator(purpose, epoch)).tolist()
        return drawn

    assert draw(one, "mixup", 1) == draw(one, "mixup", 1)
    assert draw(one, "mixup", 1) == draw(make_context(data, seed=1), "mixup", 1)
    drawn = {
        tuple(draw(*which)) for which in ((one, "mixup", 1), (one, "mixup", 2), (one, "x", 1), (other, "mixup", 1))
    }
    assert len(drawn) == 4


# ------------------------------------------------------------------------------------------------- losses


def test_a_loss_is_set_up_once_for_each_network_with_the_facts() -> None:
    seen: list[LossContext] = []

    class Spy(MeanLoss):
        def setup(self, ctx: LossContext) -> None:
            seen.append(ctx)

    data = some_data()
    ctx = make_context(data, make_loss=Spy)
    losses = [ctx.loss(ctx.network()) for _ in range(2)]
    assert losses[0].loss is not losses[1].loss
    assert len(seen) == 2
    for facts in seen:
        assert (facts.num_classes, facts.num_samples) == (4, 60)
        assert facts.given_labels.tolist() == data.train.labels.tolist()
        assert facts.device == torch.device("cpu")
    assert not torch.equal(*(torch.rand(4, generator=facts.generator) for facts in seen))


def test_a_loss_without_state_has_every_method_once_it_is_bound() -> None:
    ctx = make_context(some_data())
    loss = ctx.loss(ctx.network())
    loss.observe(torch.zeros(2, 4), torch.tensor([0, 1]))
    loss.begin_epoch(1, 2, lambda: torch.zeros(60, 4))
    assert loss.penalty() is None
    assert loss.param_groups() == []
    assert loss.lr_scale(1) == 1.0
    logits, targets = torch.randn(3, 4), torch.tensor([0, 3, 1])
    expected = nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(loss(logits, targets, torch.arange(3)), expected)


def test_what_a_loss_observes_has_no_gradient() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    class Remembers(MeanLoss):
        def observe(self, logits: Tensor, index: Tensor) -> None:
            seen.append((logits, index))

    ctx = make_context(some_data(), make_loss=Remembers)
    network = ctx.network()
    logits, index = network(torch.rand(3, 1, 8, 8)), torch.tensor([7, 8, 9])
    ctx.loss(network).observe(logits, index)
    assert not seen[0][0].requires_grad
    assert torch.equal(seen[0][0], logits)
    assert torch.equal(seen[0][1], index)


def test_who_watches_is_shown_what_losses_are_but_not_in_the_second_half_of_a_step() -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    ctx = make_context(some_data())
    network = ctx.network()
    loss = ctx.loss(network)
    ctx.watchers.append(lambda logits, index: seen.append((logits, index)))  # also after the losses were made
    logits, index = network(torch.rand(3, 1, 8, 8)), torch.tensor([7, 8, 9])
    loss.observe(logits, index)
    loss.observing = False
    loss.observe(logits, index)
    ((shown, where),) = seen
    assert not shown.requires_grad
    assert torch.equal(shown, logits)
    assert torch.equal(where, index)


def test_asking_for_the_declared_noise_marks_the_run_as_an_oracle() -> None:
    class Asks(MeanLoss):
        def setup(self, ctx: LossContext) -> None:
            self.declared = ctx.declared_noise()

    class Declares(SomeWrong):
        def declared(self, num_classes: int) -> NoiseInfo:
            return NoiseInfo(self.rate)

    images, labels = squares(60)
    data = prepared(make_data(images, labels), Declares(0.3))
    assert make_context(data).oracles == []
    ctx = make_context(data, make_loss=Asks)
    for _ in range(2):
        assert ctx.loss(ctx.network()).loss.declared.rate == 0.3
    assert ctx.oracles == ["noise rate"]


def test_nothing_declared_is_no_oracle() -> None:
    ctx = make_context(some_data())
    assert ctx.declared_noise() is None
    assert ctx.oracles == []


# ------------------------------------------------------------------------------------------------ minimise


def test_a_step_descends_on_the_objective_and_the_penalty() -> None:
    class Penalised(MeanLoss):
        def penalty(self, network: nn.Module) -> Tensor:
            return 0.25 * sum((p.square().sum() for p in network.parameters()), torch.zeros(()))

    ctx = make_context(some_data(), LinearArchitecture(), Penalised, lr=0.2, **NO_EXTRAS)
    network = ctx.network()
    loss = ctx.loss(network)
    optimizer = ctx.optimizer(network, loss)
    move_to(ctx, 1, 0.0)
    before = weights(network)
    images, targets = torch.rand(5, 1, 8, 8), torch.tensor([0, 1, 2, 3, 0])
    minimised = ctx.minimise(optimizer, loss(network(images), targets, torch.arange(5)).mean())

    # By hand: ∂/∂W of the mean cross-entropy is (p − y)ᵀ x / B, that of the penalty W / 2.
    weight, bias = before
    x, y = images.flatten(1), nn.functional.one_hot(targets, 4).float()
    p = (x @ weight.T + bias).softmax(1)
    expected = [weight - 0.2 * ((p - y).T @ x / 5 + weight / 2), bias - 0.2 * ((p - y).mean(0) + bias / 2)]
    for ours, theirs in zip(weights(network), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
    total = -(p * y).sum(1).log().mean() + 0.25 * (weight.square().sum() + bias.square().sum())
    torch.testing.assert_close(minimised, total, atol=1e-6, rtol=1e-5)
    assert not minimised.requires_grad


def test_gradients_of_an_earlier_step_are_forgotten() -> None:
    ctx = make_context(some_data(), LinearArchitecture(), lr=0.5, **NO_EXTRAS)
    network = ctx.network()
    optimizer = ctx.optimizer(network, ctx.loss(network))
    moves = []
    for _ in range(2):
        before = weights(network)
        ctx.minimise(optimizer, sum((p.sum() for p in network.parameters()), torch.zeros(())))
        moves.append([b - a for a, b in zip(before, weights(network), strict=True)])
    for move in moves:
        for tensor in move:
            torch.testing.assert_close(tensor, torch.full_like(tensor, -0.5), atol=1e-6, rtol=0)


def test_momentum_and_weight_decay_are_those_of_sgd() -> None:
    ctx = make_context(some_data(), LinearArchitecture(), lr=0.1, momentum=0.8, weight_decay=0.05)
    network = ctx.network()
    optimizer = ctx.optimizer(network, ctx.loss(network))
    reference = [p.detach().clone().requires_grad_() for p in network.parameters()]
    sgd = torch.optim.SGD(reference, lr=0.1, momentum=0.8, weight_decay=0.05)
    for _ in range(3):
        ctx.minimise(optimizer, sum((p.square().sum() for p in network.parameters()), torch.zeros(())))
        sgd.zero_grad()
        sum((p.square().sum() for p in reference), torch.zeros(())).backward()  # type: ignore[no-untyped-call]
        sgd.step()
    for ours, theirs in zip(weights(network), reference, strict=True):
        torch.testing.assert_close(ours, theirs.detach(), atol=1e-6, rtol=1e-5)


class Learns(MeanLoss):
    """A loss with a learned value for each sample and an optimiser setting of its own (as SOP has)."""

    def setup(self, ctx: LossContext) -> None:
        self.s = nn.Parameter(torch.zeros(ctx.num_samples))

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        assert index is not None
        return super().__call__(logits, targets) * 0 + 3 * self.s[index]

    def param_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.s], "lr": 10.0, "weight_decay": 0.0, "momentum": 0.0}]


def test_learned_tensors_of_a_loss_are_trained_with_their_own_learning_rate() -> None:
    ctx = make_context(some_data(), LinearArchitecture(), Learns, lr=0.1, weight_decay=0.1)
    network = ctx.network()
    loss = ctx.loss(network)
    optimizer = ctx.optimizer(network, loss)
    move_to(ctx, 1, 0.5, "cosine")  # half way down the cosine
    index = torch.tensor([5, 9])
    ctx.minimise(optimizer, loss(network(torch.rand(2, 1, 8, 8)), torch.tensor([0, 1]), index).mean())
    expected = torch.zeros(60)
    expected[index] = -10.0 * 0.5 * 3 / 2
    torch.testing.assert_close(loss.loss.s.detach(), expected)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.1 * 0.5, 10.0 * 0.5])


class Unscheduled(Learns):
    """Its learned tensor keeps its learning rate."""

    def param_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.s], "lr": 10.0, "scheduled": False}]


def test_learned_tensors_of_a_loss_may_stay_out_of_the_schedule() -> None:
    ctx = make_context(some_data(), LinearArchitecture(), Unscheduled, lr=0.1)
    network = ctx.network()
    optimizer = ctx.optimizer(network, ctx.loss(network))
    for done in (0.0, 0.5, 0.9):
        move_to(ctx, 1, done, "cosine")
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * (1 + math.cos(math.pi * done)) / 2)
        assert optimizer.param_groups[1]["lr"] == 10.0


def test_an_optimiser_may_span_networks() -> None:
    ctx = make_context(some_data(), LinearArchitecture(), lr=0.1, **NO_EXTRAS)
    networks = [ctx.network(), ctx.network()]
    optimizer = ctx.optimizer(networks, [ctx.loss(network) for network in networks])
    before = [weights(network) for network in networks]
    ctx.minimise(optimizer, sum((p.sum() for network in networks for p in network.parameters()), torch.zeros(())))
    for network, old in zip(networks, before, strict=True):
        for tensor, was in zip(weights(network), old, strict=True):
            torch.testing.assert_close(tensor, was - 0.1, atol=1e-6, rtol=0)


def test_an_optimiser_may_have_settings_of_its_own() -> None:
    ctx = make_context(some_data(), lr=0.1)
    network = ctx.network()
    optimizer = ctx.optimizer(network, lr=0.02, momentum=0.5, nesterov=True)
    assert [optimizer.param_groups[0][key] for key in ("lr", "momentum", "nesterov")] == [0.02, 0.5, True]
    move_to(ctx, 1, 0.0)
    assert optimizer.param_groups[0]["lr"] == 0.02


# ------------------------------------------------------------------------------------------ learning rates


class Scales(MeanLoss):
    """Changes the learning rate in each epoch."""

    def lr_scale(self, epoch: int) -> float:
        return 0.5**epoch


def test_the_learning_rate_of_the_schedule_is_multiplied_by_the_loss() -> None:
    ctx = make_context(some_data(), make_loss=Scales, lr=0.2)
    network = ctx.network()
    optimizer = ctx.optimizer(network, ctx.loss(network))
    for epoch, done, factor in ((1, 0.0, 1.0), (2, 0.5, 0.1), (3, 0.8, 0.01)):
        assert move_to(ctx, epoch, done, "step") == pytest.approx(0.2 * factor * 0.5**epoch)  # what is recorded
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.2 * factor * 0.5**epoch)


def test_every_optimiser_follows_the_schedule() -> None:
    ctx = make_context(some_data(), lr=0.2)
    networks = [ctx.network(), ctx.network()]
    optimizers = [ctx.optimizer(network, ctx.loss(network)) for network in networks]
    reference = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(reference, T_max=10)
    for step in range(10):
        move_to(ctx, 1, step / 10, "cosine")
        for optimizer in optimizers:
            assert optimizer.param_groups[0]["lr"] == pytest.approx(reference.param_groups[0]["lr"], abs=1e-12)
        reference.step()
        cosine.step()


def test_an_optimiser_made_anew_for_the_same_network_takes_the_place_of_the_old_one() -> None:
    calls: list[int] = []

    class Penalised(MeanLoss):
        def penalty(self, network: nn.Module) -> Tensor:
            calls.append(1)
            return torch.zeros(())

    ctx = make_context(some_data(), make_loss=Penalised, lr=0.2)
    network, other = ctx.network(), ctx.network()
    loss = ctx.loss(network)
    old, beside = ctx.optimizer(network, loss), ctx.optimizer(other)
    new = ctx.optimizer(network, loss)
    move_to(ctx, 1, 0.6, "step")
    assert new.param_groups[0]["lr"] == pytest.approx(0.02)
    assert beside.param_groups[0]["lr"] == pytest.approx(0.02)
    assert old.param_groups[0]["lr"] == 0.2
    ctx.minimise(new, network(torch.rand(2, 1, 8, 8)).mean())
    assert len(calls) == 1


# ----------------------------------------------------------------------------------------------- predict


@pytest.mark.parametrize("on_demand", [False, True])
@pytest.mark.parametrize("count", [60, 1100])  # in one piece, and in several
def test_predictions_are_those_of_the_unaugmented_images_in_evaluation_mode(count: int, on_demand: bool) -> None:
    data = some_data(count, on_demand=on_demand)
    ctx = make_context(data, NetArchitecture(dropout=0.5))
    network = ctx.network()
    ctx.network()
    for _ in range(3):
        network(torch.rand(16, 1, 8, 8))  # so that running statistics are those of nothing in particular
    predicted = ctx.predict(network)
    assert predicted.shape == (count, 4)
    assert not predicted.requires_grad
    assert all(net.training for net in ctx.networks.values())

    images = torch.from_numpy(data.train.images.fetch(np.arange(count))).permute(0, 3, 1, 2) / 255
    network.eval()
    with torch.no_grad():
        expected = network((images - 0.4) / 0.25)
    torch.testing.assert_close(predicted, expected, atol=1e-5, rtol=1e-5)


def test_of_large_images_fewer_are_predicted_at_a_time() -> None:
    """40 of 224×224 in colour have as many pixels as 2,000 of 32×32."""
    images = np.zeros((90, 224, 224, 3), np.uint8)
    ctx = make_context(prepared(make_data(images, np.arange(90) % 4, mean=(0.4,) * 3, std=(0.25,) * 3)))
    sizes: list[int] = []

    def network(batch: Tensor) -> Tensor:
        sizes.append(len(batch))
        return batch[:, :4, 0, 0]

    assert len(ctx.predict(network)) == 90
    assert sizes == [40, 40, 10]


def test_predicting_changes_no_running_statistics() -> None:
    ctx = make_context(some_data())
    network = ctx.network()
    before = [buffer.clone() for buffer in network.buffers()]
    ctx.predict(network)
    assert same_tensors(before, list(network.buffers()))


def test_every_network_is_in_evaluation_mode_while_one_predicts() -> None:
    ctx = make_context(some_data())
    networks = [ctx.network(), ctx.network()]
    networks[1].eval()
    modes: list[bool] = []

    def both(images: Tensor) -> Tensor:
        modes.extend(network.training for network in networks)
        return torch.stack([network(images) for network in networks]).mean(0)

    ctx.predict(both)
    assert modes
    assert not any(modes)
    assert [network.training for network in networks] == [True, False]  # as it was


def test_a_loss_is_told_of_each_epoch_and_can_predict_with_its_own_network() -> None:
    seen: list[tuple[int, int, Tensor]] = []

    class Looks(MeanLoss):
        def begin_epoch(self, epoch: int, epochs: int, predict: Callable[[], Tensor]) -> None:
            seen.append((epoch, epochs, predict()))

    ctx = make_context(some_data(), make_loss=Looks, epochs=9)
    networks = [ctx.network(), ctx.network()]
    for network in networks:
        ctx.loss(network)
    ctx.begin_epoch(4)
    assert [told[:2] for told in seen] == [(4, 9), (4, 9)]
    for network, told in zip(networks, seen, strict=True):
        assert torch.equal(told[2], ctx.predict(network))
    assert not torch.equal(seen[0][2], seen[1][2])


def test_a_context_without_training_images_says_so() -> None:
    class Asks(Standard):
        def setup(self, ctx: Any) -> None:
            super().setup(ctx)
            with pytest.raises(RuntimeError, match="no training images"):
                ctx.predict(self.network)
            with pytest.raises(RuntimeError, match="no training images"):
                ctx.steps()

    trained = make_trainer(Standard(), some_data())
    tensors = {f"{name}.{key}": v for name, one in trained.ctx.saved.items() for key, v in one.state_dict().items()}
    components = Components(Asks(), NetArchitecture(), MeanLoss, nlcore.create("optimizer", "sgd"), {})
    ctx = wire_for_prediction(components, TrainingSettings(), some_data().training, tensors, "cpu")
    assert same_tensors(weights(ctx.networks["network1"]), weights(trained.ctx.networks["network1"]))


# -------------------------------------------------------------------- modules, teachers, resets, other optimisers


def test_an_optimiser_over_a_part_takes_the_place_of_one_that_shares_parameters() -> None:
    """As methods do that train all parts first and then the last ones: nothing of the first is saved or scheduled."""
    ctx = make_context(some_data())
    network: Any = ctx.network()
    old = ctx.optimizer(network)
    new = ctx.optimizer(network.stages()[-1:], kind="adam", lr=0.01, scheduled=False)
    assert isinstance(new, torch.optim.Adam)
    move_to(ctx, 1, 0.9, "cosine")
    assert new.param_groups[0]["lr"] == 0.01
    assert len(ctx.state_dict()["optimizers"]) == 1
    with pytest.raises(ValueError, match=r"not made by ctx\.optimizer"):
        ctx.minimise(old, network(torch.rand(2, 1, 8, 8)).mean())


def test_a_strange_optimiser_and_strange_parameters_are_refused() -> None:
    ctx = make_context(some_data())
    network, stranger = ctx.network(), nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"ctx\.module"):
        ctx.optimizer([network, stranger])
    own = torch.optim.Adam(network.parameters())
    with pytest.raises(ValueError, match=r"not made by ctx\.optimizer"):
        ctx.minimise(own, network(torch.rand(2, 1, 8, 8)).mean())
    with pytest.raises(nlcore.UserError, match="There is no optimizer 'adamm'"):
        ctx.optimizer(network, kind="adamm")
    with pytest.raises(nlcore.UserError, match="no parameter 'betas'"):
        ctx.optimizer(network, kind="adam", betas=(0.9, 0.99))


def test_a_module_of_ones_own_may_have_a_rate_of_its_own() -> None:
    ctx = make_context(some_data(), lr=0.1)
    network, head = ctx.network(), ctx.module(nn.Linear(3, 2))
    optimizer = ctx.optimizer([network, (head, {"lr_factor": 0.5, "weight_decay": 0.0})])
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.05]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [5e-4, 0.0]
    assert set(ctx.state_dict()["networks"]) == {"network1", "module1"}


class GroupedArchitecture:
    """The toy's linear network, whose weight learns at a tenth of the rate."""

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return it."""
        network: Any = LinearArchitecture().build(num_classes, image_shape)
        weight = {"params": [p for p in network.parameters() if p.ndim > 1], "lr_factor": 0.1}
        rest = {"params": [p for p in network.parameters() if p.ndim == 1], "weight_decay": 0.0}
        network.param_groups = lambda: [weight, rest]
        return network  # type: ignore[no-any-return]


def test_a_network_says_what_its_groups_of_parameters_are() -> None:
    ctx = make_context(some_data(), GroupedArchitecture(), lr=0.5)
    network = ctx.network()
    optimizer = ctx.optimizer(network)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.5]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [5e-4, 0.0]
    assert move_to(ctx, 1, 0.5, "cosine") == pytest.approx(0.5 * 0.5)  # what is recorded is what was asked for
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05 * 0.5, 0.5 * 0.5])
    of_a_pair = ctx.optimizer((network, {"lr_factor": 0.5, "momentum": 0.3}))
    assert [group["lr"] for group in of_a_pair.param_groups] == [0.025, 0.25]
    assert [group["momentum"] for group in of_a_pair.param_groups] == [0.3, 0.3]


def test_a_teacher_follows_its_network_after_every_step() -> None:
    """θ̄ ← d θ̄ + (1 − d) θ by hand; it has no gradients."""
    ctx = make_context(some_data(), LinearArchitecture(), lr=0.5, **NO_EXTRAS)
    network = ctx.network()
    teacher = ctx.teacher(network, 0.75)
    optimizer = ctx.optimizer(network)
    expected = weights(network)
    assert same_tensors(weights(teacher), expected)
    for _ in range(3):
        ctx.minimise(optimizer, network(torch.rand(2, 1, 8, 8)).square().mean())
        expected = [0.75 * mean + 0.25 * now for mean, now in zip(expected, weights(network), strict=True)]
    for ours, theirs in zip(weights(teacher), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
    assert not any(p.requires_grad for p in teacher.parameters())


def test_a_part_is_drawn_anew_in_place_and_its_optimiser_forgets() -> None:
    ctx = make_context(some_data(), momentum=0.9)
    network: Any = ctx.network()
    optimizer = ctx.optimizer(network)
    before = weights(network.head)
    ctx.minimise(optimizer, network(torch.rand(4, 1, 8, 8)).square().mean())
    kept = weights(network.conv)
    parameters = list(network.head.parameters())
    ctx.reset(network, network.stages()[-1], round=1)
    once = weights(network.head)
    assert list(network.head.parameters()) == parameters  # the same tensors
    assert not same_tensors(once, before)
    assert same_tensors(weights(network.conv), kept)
    assert not any(p in optimizer.state for p in parameters)
    ctx.reset(network, network.head, round=1)
    assert same_tensors(weights(network.head), once)
    ctx.reset(network, network.head, round=2)
    assert not same_tensors(weights(network.head), once)


def test_gradients_are_clipped_by_their_norm() -> None:
    ctx = make_context(some_data(), LinearArchitecture(), lr=1.0, clip_norm=0.25, **NO_EXTRAS)
    network = ctx.network()
    optimizer = ctx.optimizer(network)
    before = weights(network)
    ctx.minimise(optimizer, 100 * network(torch.rand(4, 1, 8, 8)).square().sum())
    moved = torch.cat([(a - b).flatten() for a, b in zip(weights(network), before, strict=True)])
    assert moved.norm().item() == pytest.approx(0.25, rel=1e-4)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon", "cdr", "sam"])
def test_only_weights_decay_where_that_was_asked(optimizer: str) -> None:
    options: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.3, "optimizer": optimizer}
    ctx = make_context(some_data(), decay_weights_only=True, **options)
    network: Any = ctx.network()
    decay = {
        id(p): group["weight_decay"]
        for group in ctx.optimizer([(network.head, {"lr_factor": 2.0}), network.norm, network.conv]).param_groups
        for p in group["params"]
    }
    assert [decay[id(p)] for p in (network.head.bias, network.norm.weight, network.norm.bias, network.conv.bias)] == [
        0
    ] * 4
    assert decay[id(network.head.weight)] == 0.3
    assert decay[id(network.conv.weight)] == (0 if optimizer == "muon" else 0.3)  # muon keeps the length of filters


def test_what_a_loss_learns_decays_as_the_loss_says() -> None:
    class Learning(MeanLoss):
        """Has a vector that it learns."""

        def __init__(self) -> None:
            self.vector = torch.zeros(3, requires_grad=True)

        def param_groups(self) -> list[dict[str, Any]]:
            """Return it."""
            return [{"params": [self.vector], "weight_decay": 0.7}]

    ctx = make_context(some_data(), make_loss=Learning, decay_weights_only=True, weight_decay=0.3)
    network = ctx.network()
    groups = ctx.optimizer(network, ctx.loss(network)).param_groups
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0, 0.7]


def test_gradients_may_be_changed_between_the_two_halves_of_a_step() -> None:
    ctx = make_context(some_data(), LinearArchitecture(), lr=0.5, **NO_EXTRAS)
    network: Any = ctx.network()
    optimizer = ctx.optimizer(network)
    before = weights(network)
    ctx.gradients(optimizer, network(torch.rand(4, 1, 8, 8)).sum())
    network.head.bias.grad.fill_(2.0)
    network.head.weight.grad.zero_()
    ctx.update(optimizer)
    assert torch.equal(network.head.weight, before[0])
    torch.testing.assert_close(network.head.bias.detach(), before[1] - 1.0)


def test_predictions_of_a_view_are_keyed_by_their_epoch() -> None:
    ctx = make_context(some_data())
    flat = lambda images: images.flatten(1)  # noqa: E731
    one, again, other = (ctx.predict(flat, view="weak", epoch=epoch) for epoch in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    some = torch.tensor([7, 3, 3])
    assert torch.equal(ctx.predict(flat, some), ctx.predict(flat)[some])


def test_a_spare_network_is_drawn_and_not_kept() -> None:
    ctx = make_context(some_data())
    ctx.network(spare=True)
    assert not ctx.networks
