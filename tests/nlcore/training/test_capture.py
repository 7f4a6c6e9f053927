"""
Captured steps, on the CPU's stand-in for a CUDA graph.

The stand-in replays operations on the memory they were noted with and runs no Python of the step again, as a graph.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from helpers import NetArchitecture, Rows, make_data, make_trainer, prepared, same_tensors, squares, without_clock
from torch import Tensor

from nlcore.checks.replay import ReplayedCalls
from nlcore.contracts import Batch, Pass
from nlcore.testing.toy import Plain
from nlcore.training.capture import WARM_UP, CudaGraph, StepCapture, may_be_captured
from nlcore.training.observers import Row


class Counted(ReplayedCalls):
    """A graph that counts what is done with all of them."""

    done: dict[str, int]

    def warm_up(self, step: Callable[[], Tensor]) -> Tensor:
        self.done["warm up"] += 1
        return super().warm_up(step)

    def capture(self, step: Callable[[], Tensor]) -> Tensor:
        self.done["capture"] += 1
        return super().capture(step)

    def replay(self) -> None:
        self.done["replay"] += 1
        super().replay()


@pytest.fixture
def counted() -> type[Counted]:
    """Return a class of graphs with counters of its own."""

    class Fresh(Counted):
        done = dict.fromkeys(("warm up", "capture", "replay"), 0)

    return Fresh


class Noted:
    """A strategy, or its capture, that notes the loss of each step; all else is its own."""

    def __init__(self, inner: Any, losses: list[float]) -> None:
        self._inner = inner
        self._losses = losses

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def step(self, batch: Batch) -> Tensor:
        loss: Tensor = self._inner.step(batch)
        self._losses.append(loss.item())
        return loss


@dataclass
class Outcome:
    """What came of a run: the metrics, every step's loss, the weights, and the lines that were said."""

    rows: list[Row]
    losses: list[float]
    weights: list[Tensor]
    lines: list[str]
    rates: list[Any]


def outcome(strategy: Any, new_graph: Callable[[], Any] | None, samples: int = 96, **settings: Any) -> Outcome:
    """Train the strategy, from captures where a maker of graphs is given."""
    data = prepared(make_data(*squares(samples)))
    trainer: Any = make_trainer(strategy, data, **{"epochs": 6, "lr_schedule": "step", **settings})
    trainer.ctx.optimizers.lr_as_tensor = True
    losses: list[float] = []
    if new_graph:
        trainer.capture = Noted(StepCapture(strategy, trainer.ctx, new_graph), losses)
    else:
        trainer.strategy, trainer.capture = Noted(strategy, losses), None
    notes = Rows()
    trainer.run([notes])
    weights = [tensor.clone() for network in trainer.ctx.networks.values() for tensor in network.state_dict().values()]
    rates = [group["lr"] for group in strategy.optimizer.param_groups]
    return Outcome([without_clock(row) for row in notes.rows], losses, weights, notes.lines, rates)


@pytest.mark.parametrize("settings", [{}, {"ema": 0.9}, {"optimizer": "muon"}])
def test_each_steps_loss_is_that_of_the_step_alone(counted: type[Counted], settings: dict[str, Any]) -> None:
    """Over epochs, evaluations, two steps down of the learning rate, dropout and an average of the weights."""
    alone, captured = outcome(Plain(), None, **settings), outcome(Plain(), counted, **settings)
    assert captured.losses == alone.losses
    assert captured.rows == alone.rows
    assert same_tensors(captured.weights, alone.weights)
    assert counted.done == {"warm up": WARM_UP, "capture": 1, "replay": 6 * 3 - WARM_UP - 1}
    assert captured.lines == []


def test_the_rate_is_that_of_the_schedule() -> None:
    """The step schedule ends at a hundredth, and a tensor on the device holds it."""
    (rate,) = outcome(Plain(), ReplayedCalls, lr=0.1).rates
    assert isinstance(rate, Tensor)
    assert rate.item() == pytest.approx(0.001)


def test_each_shape_is_captured_for_itself(counted: type[Counted]) -> None:
    """90 samples in batches of 32 leave one of 26, once an epoch."""
    alone, captured = outcome(Plain(), None, samples=90), outcome(Plain(), counted, samples=90)
    assert captured.losses == alone.losses
    assert counted.done == {"warm up": 2 * WARM_UP, "capture": 2, "replay": 6 * 3 - 2 * (WARM_UP + 1)}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("settings", [{}, {"ema": 0.9}, {"optimizer": "muon"}])
def test_a_cuda_graph_gives_the_losses_of_the_step_alone(settings: dict[str, Any]) -> None:
    """The same as on the stand-in, dropout included."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    alone = outcome(Plain(), None, samples=90, device="cuda", **settings)
    captured = outcome(Plain(), lambda: CudaGraph(stream), samples=90, device="cuda", **settings)
    assert captured.lines == []
    assert captured.losses == pytest.approx(alone.losses, rel=1e-4)
    for one, other in zip(captured.weights, alone.weights, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


class TwoPhases(Plain):
    """Its loss counts double in the second half, which its Python decides."""

    def begin_epoch(self, epoch: int) -> None:
        """Set the factor."""
        self.factor = 1.0 if epoch <= 3 else 2.0

    def variant(self, epoch: int) -> float:
        """Return the factor."""
        return self.factor

    def step(self, batch: Batch) -> Tensor:
        logits = self.network(batch.images)
        self.loss.observe(logits, batch.index)
        return self.ctx.minimise(self.optimizer, self.factor * self.loss(logits, batch.targets, batch.index).mean())


def test_a_variant_is_captured_for_itself(counted: type[Counted]) -> None:
    alone, captured = outcome(TwoPhases(), None), outcome(TwoPhases(), counted)
    assert captured.losses == alone.losses
    assert counted.done == {"warm up": 2 * WARM_UP, "capture": 2, "replay": 6 * 3 - 2 * (WARM_UP + 1)}


class Rebuilds(Plain):
    """Makes its optimiser anew in the middle."""

    def begin_epoch(self, epoch: int) -> None:
        """Forget the momentum."""
        if epoch == 4:
            self.optimizer = self.ctx.optimizer(self.network, self.loss)


def test_a_new_optimiser_ends_the_captures(counted: type[Counted]) -> None:
    alone, captured = outcome(Rebuilds(), None), outcome(Rebuilds(), counted)
    assert captured.losses == alone.losses
    assert counted.done["capture"] == 2


class TwoViewsAndAnother(Plain):
    """Takes two views of each image, and a batch of others beside."""

    def passes(self, epoch: int) -> list[Pass]:
        """Return one pass with another beside it."""
        return [Pass(views=2, label=("labelled", epoch > 9), paired=Pass(batch_size=16))]

    def step(self, batch: Batch) -> Tensor:
        assert batch.paired is not None
        images = torch.cat([*batch.views, batch.paired.images])
        targets = torch.cat([batch.targets, batch.targets, batch.paired.targets])
        index = torch.cat([batch.index, batch.index, batch.paired.index])
        logits = self.network(images)
        self.loss.observe(logits, index)
        return self.ctx.minimise(self.optimizer, self.loss(logits, targets, index).mean())


def test_all_of_a_batch_is_replayed(counted: type[Counted]) -> None:
    """Views, labels, positions, and the batch beside."""
    alone, captured = outcome(TwoViewsAndAnother(), None), outcome(TwoViewsAndAnother(), counted)
    assert captured.losses == alone.losses
    assert counted.done["replay"] > 0


class Asks(Plain):
    """Looks at its loss in the step."""

    def step(self, batch: Batch) -> Tensor:
        loss = super().step(batch)
        assert loss.item() > 0
        return loss


class Unpromised(Plain):
    capturable = False


class Unhashable(Plain):
    def passes(self, epoch: int) -> list[Pass]:
        """Return a pass with a list for its label."""
        return [Pass(label=["network", 1])]


@pytest.mark.parametrize(
    ("strategy", "words"),
    [(Asks, "asks the device for a value"), (Unpromised, "capturable"), (Unhashable, "label that cannot be hashed")],
)
def test_what_cannot_be_captured_runs_alone_and_is_said_once(
    counted: type[Counted], strategy: type[Plain], words: str
) -> None:
    captured = outcome(strategy(), counted)
    assert len(captured.losses) == 6 * 3
    assert all(loss > 0 for loss in captured.losses)
    (line,) = captured.lines
    assert words in line
    assert counted.done["replay"] == 0


class Remembers:
    """A loss with a state, so that its Python may matter."""

    def setup(self, ctx: Any) -> None:
        """Make a state."""

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return torch.nn.functional.cross_entropy(logits, targets, reduction="none")


class KeepsItElsewhere(Remembers):
    """A number that lies elsewhere than the rest would be read once, when the step is captured."""

    capturable = True

    def setup(self, ctx: Any) -> None:
        self.weight = torch.zeros((), device="meta")


class NotThisNetwork:
    """An architecture whose network must not be captured."""

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> torch.nn.Module:
        """Return it."""
        network = NetArchitecture().build(num_classes, image_shape)
        network.capturable = False  # type: ignore[assignment]
        return network


@pytest.mark.parametrize(
    ("architecture", "loss", "reason"),
    [
        (NetArchitecture, Remembers, "Remembers does not declare capturable"),
        (NetArchitecture, KeepsItElsewhere, "KeepsItElsewhere.weight lies on meta and not on cpu"),
        (NotThisNetwork, None, "the network declares that it is not capturable"),
    ],
)
def test_who_speaks_against_a_capture_is_heard(architecture: Any, loss: Any, reason: str) -> None:
    data, strategy = prepared(make_data(*squares(96))), Plain()
    trainer = make_trainer(strategy, data, architecture(), **({"make_loss": loss} if loss else {}))
    capture = StepCapture(strategy, trainer.ctx, ReplayedCalls)
    said: list[str] = []
    for epoch in (1, 2):
        capture.begin_epoch(epoch, said.append)
    assert said == [f"Steps are run one by one and not from a capture: {reason}."]
    assert may_be_captured(Remembers()) is False


@dataclass(slots=True)
class WithSlots:
    """A loss whose fields lie in slots."""

    weight: float = 1.0

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,)."""
        return self.weight * torch.nn.functional.cross_entropy(logits, targets, reduction="none")


def test_a_loss_with_slots_is_captured(counted: type[Counted]) -> None:
    assert outcome(Plain(), counted, make_loss=WithSlots).lines == []
    assert counted.done["replay"] > 0


def test_the_stand_in_has_no_python() -> None:
    """What a replay does is what was noted: numbers of Python stay what they were, tensors are read anew."""
    x, numbers = torch.zeros(3), itertools.count(1)

    def step() -> Tensor:
        return (x * 2 + next(numbers)).sum()

    graph = ReplayedCalls()
    loss = graph.capture(step)
    assert loss.item() == 3
    x.fill_(5)
    graph.replay()
    assert loss.item() == 33
    assert next(numbers) == 2
