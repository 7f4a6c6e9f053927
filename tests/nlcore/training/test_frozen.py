"""Networks whose bodies are frozen: what their heads learn, what stays as it was, and what cannot be frozen."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import toy
from helpers import (
    Bare,
    Net,
    NetArchitecture,
    Rows,
    make_context,
    make_data,
    make_trainer,
    prepared,
    squares,
    without_clock,
)
from nlcore_builtins.losses.gce import GCE
from nlcore_builtins.strategies.co_teaching import CoTeaching
from nlcore_builtins.strategies.standard import Standard
from resuming import copied
from torch import Tensor, nn
from torch.nn import functional as F

import nlcore
from nlcore.config.experiment import resolve
from nlcore.contracts import Pass
from nlcore.errors import RunError, UserError
from nlcore.host.registry import registry
from nlcore.runs.model import load_model
from nlcore.runs.start import execute
from nlcore.runs.terminal import Terminal
from nlcore.testing.same import equal
from nlcore.training import frozen
from nlcore.training.frozen import Freezable
from nlcore.training.observers import Observer
from nlcore.training.trainer import Trainer

IMAGES, LABELS = squares(96)
DATA = prepared(make_data(IMAGES, LABELS, test=squares(48, seed=1)))


@dataclass(frozen=True)
class Trained:
    """Builds networks that have one body, as pretrained ones have, with statistics of its own."""

    dropout: float = 0.1

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a network whose head is drawn."""
        network = Net(num_classes, image_shape[0], 8, self.dropout)
        random = torch.Generator().manual_seed(0)
        network.conv.weight.data = torch.randn(network.conv.weight.shape, generator=random) / 3
        assert network.conv.bias is not None
        network.conv.bias.data.zero_()
        network.norm.running_mean = torch.randn(8, generator=random) / 10
        network.norm.running_var = torch.rand(8, generator=random) + 0.5
        return network


def make(strategy: Any = None, architecture: Any = None, **settings: Any) -> Trainer:
    """Return what trains on the squares with a body that is frozen throughout."""
    chosen = {"freeze": "all", "epochs": 3, **settings}
    return make_trainer(strategy or Standard(), DATA, architecture or Trained(), **chosen)


def run(trainer: Trainer, done: int = 0) -> list[Mapping[str, Any]]:
    """Train what is left; return the rows."""
    notes = Rows()
    trainer.run([notes], done)
    return [without_clock(row) for row in notes.rows]


def parts(trainer: Trainer) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return copies of the tensors of body and head."""
    tensors = copied(dict(trainer.ctx.networks["network1"].state_dict()))
    head = {key: tensors.pop(key) for key in ("head.weight", "head.bias")}
    return tensors, head


def features() -> Tensor:
    """Return the features of the training images, by the body in evaluation mode."""
    network: Any = Trained().build(4, (1, 8, 8)).eval()
    pixels = torch.from_numpy(IMAGES).permute(0, 3, 1, 2)
    with torch.no_grad():
        found: Tensor = network.features((pixels / 255 - 0.4) / 0.25)
    return found


@pytest.mark.parametrize("settings", [{}, {"ema": 0.9}, {"optimizer": "adamw", "lr": 0.01, "weight_decay": 0.5}])
def test_nothing_of_the_body_changes_and_the_head_learns(settings: dict[str, Any]) -> None:
    trainer = make(**settings)
    body, head = parts(trainer)
    rows = run(trainer)
    assert equal(parts(trainer)[0], body)
    assert {"conv.weight", "norm.running_mean", "norm.running_var"} <= body.keys()
    assert not torch.equal(parts(trainer)[1]["head.weight"], head["head.weight"])
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]


def test_the_head_is_what_descent_on_the_features_makes_of_it() -> None:
    trainer = make(batch_size=96, epochs=5, lr=0.2, momentum=0.0, weight_decay=0.01)
    expected = nn.Linear(32, 4)
    expected.load_state_dict({k.removeprefix("head."): v for k, v in parts(trainer)[1].items()})
    optimizer = torch.optim.SGD(expected.parameters(), lr=0.2, weight_decay=0.01)
    x, y = features(), torch.from_numpy(LABELS)
    for _ in range(5):
        optimizer.zero_grad()
        F.cross_entropy(expected(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    run(trainer)
    head = parts(trainer)[1]
    torch.testing.assert_close(head["head.weight"], expected.weight.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(head["head.bias"], expected.bias.detach(), rtol=1e-4, atol=1e-5)


def test_the_network_is_whole_and_says_of_images_what_was_measured_on_features() -> None:
    trainer = make()
    network: Any = trainer.ctx.networks["network1"]
    assert network.state_dict().keys() == make(freeze=0).ctx.networks["network1"].state_dict().keys()
    measured = run(trainer)[-1]["test_accuracy"]
    images, labels = squares(48, seed=1)
    pixels = (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - 0.4) / 0.25
    with trainer.ctx.evaluating():
        predicted = network(pixels).argmax(1).numpy()
    assert measured == pytest.approx(np.mean(predicted == labels))


def test_a_body_is_run_once_for_each_image() -> None:
    seen: list[int] = []
    trainer = make(epochs=4)
    network: Any = trainer.ctx.networks["network1"]
    network.module.conv.register_forward_hook(lambda part, given, out: seen.append(len(given[0])))
    run(trainer)
    trainer.final()
    assert sum(seen) == 96 + 48


def test_a_linear_head_is_drawn_as_torch_draws_it() -> None:
    """Uniform within 1/√D: of 32 features 0.177."""
    weight = Freezable(NetArchitecture()).build(500, (1, 8, 8)).get_submodule("head").weight
    assert isinstance(weight, Tensor)
    assert float(weight.detach().abs().max()) == pytest.approx(1 / math.sqrt(32), rel=1e-2)


def test_after_the_epochs_of_the_head_everything_learns() -> None:
    trainer = make(freeze=2, epochs=4, lr_schedule="cosine", lr=0.1)
    start, bodies, rates = parts(trainer)[0], list[dict[str, Tensor]](), list[float]()

    class Watch(Observer):
        def epoch(self, row: Mapping[str, Any]) -> None:
            bodies.append(parts(trainer)[0])
            rates.append(row["lr"])

    trainer.run([Watch()])
    assert equal(bodies[0], start)
    assert equal(bodies[1], start)
    for name, tensor in bodies[2].items():
        assert torch.equal(tensor, start[name]) == name.startswith("norm.running"), name
    # three steps an epoch, each of the two trainings with a cosine of its own: the rate of the last step of each epoch
    expected = [0.1 * (1 + math.cos(math.pi * done / 6)) / 2 for done in (2, 5, 2, 5)]
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize(("freeze", "optimizer"), [("all", "sgd"), (1, "adamw"), (2, "muon"), (2, "sam")])
@pytest.mark.parametrize("strategy", [Standard, lambda: CoTeaching(forget_rate=0.2)])
def test_it_goes_on_with_the_same_bits(freeze: Any, optimizer: str, strategy: Any) -> None:
    saved: list[Any] = []

    class Save(Observer):
        def epoch(self, row: Mapping[str, Any]) -> None:
            saved.append(copied(straight.state_dict()))

    straight = make(strategy(), freeze=freeze, optimizer=optimizer, ema=0.9)
    straight.run([Save()])
    for done, state in enumerate(saved[:-1], start=1):
        resumed = make(strategy(), freeze=freeze, optimizer=optimizer, ema=0.9)
        resumed.load_state_dict(state)
        run(resumed, done)
        assert equal(resumed.state_dict(), straight.state_dict())


def test_features_that_do_not_fit_into_memory_lie_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = make()
    rows = run(in_memory)
    monkeypatch.setattr(frozen, "IN_MEMORY", 0)
    mapped = make()
    assert run(mapped) == rows
    assert equal(mapped.state_dict(), in_memory.state_dict())
    assert isinstance(frozen._room(3, 4), np.memmap)


def test_a_disk_without_room_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(frozen, "IN_MEMORY", 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))
    with pytest.raises(UserError, match=rf"96 images take 0\.0 GB, and {tmp_path} has 0\.0 GB free\. .*TMPDIR"):
        run(make())


def test_networks_with_different_bodies_are_refused() -> None:
    said = (
        r"the body of network2 starts from other weights than that of network1, .*of a run with one network.*--freeze 0"
    )
    with pytest.raises(UserError, match=said):
        make(CoTeaching(forget_rate=0.2), NetArchitecture())


def test_only_the_head_may_be_drawn_anew_while_the_body_is_frozen() -> None:
    ctx = make_context(DATA, Trained(), freeze="all")
    network: Any = ctx.network()
    ctx.frozen = {id(p) for p in network.module.conv.parameters()}
    ctx.reset(network, network.head)
    with pytest.raises(RunError, match="draws weights anew that --freeze holds"):
        ctx.reset(network)


class TwoOfAnImage(Bare):
    """Asks for two views of each image."""

    def setup(self, ctx: Any) -> None:
        """Make a network."""
        ctx.network()

    def passes(self, epoch: int) -> list[Pass]:
        """Return a pass, or one that is paired with it, in two views."""
        return [Pass(paired=Pass(views=2))]


def test_several_views_of_an_image_are_refused() -> None:
    with pytest.raises(RunError, match="asks for several views of an image"):
        run(make(TwoOfAnImage()))


def _all_parameters() -> list[Any]:
    """Return each strategy with the parameters that it is checked with."""
    entries = [entry for entry in registry().of_kind("strategy") if entry.distribution == "nlcore"]
    return [
        pytest.param(entry.name, parameters, id=f"{entry.name}-{number}")
        for entry in entries
        for number, parameters in enumerate(({}, *getattr(registry().load(entry), "checked_with", ())))
    ]


@pytest.mark.parametrize(("name", "parameters"), _all_parameters())
def test_each_strategy_trains_a_head_or_says_why_not(name: str, parameters: dict[str, Any]) -> None:
    """What asks for several views or draws the body anew says so before anything is computed, and nothing else does."""
    declared = registry().signature(registry().find("strategy", name))[1]
    told: dict[str, Any] = {key: 0.2 for key in ("forget_rate", "contamination") if key in declared}
    strategy = registry().create("strategy", name, parameters if "gamma" in parameters else {**told, **parameters})
    if getattr(strategy, "not_frozen", ""):
        with pytest.raises(UserError, match=f"the strategy {name} cannot do with features that are computed once: it "):
            resolve({"strategy": name, "architecture": "torchvision", "architecture.pretrained": "true", "freeze": 1})
        return
    trainer = make_trainer(strategy, DATA, Trained(), lambda: GCE(), freeze="all", epochs=4, trusted=0)
    body = parts(trainer)[0]
    run(trainer)
    assert equal(parts(trainer)[0], body)


PRETRAINED = {"architecture": "torchvision", "architecture.pretrained": "true"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"freeze": "all"}, r"the network is drawn, .*--architecture\.pretrained true, or --init FILE"),
        ({**PRETRAINED, "freeze": 5, "epochs": 4}, r"freeze = 5: the run has 4 epochs\."),
        ({**PRETRAINED, "freeze": -1}, r"freeze = -1: must be a whole number at least 0, or all"),
        ({**PRETRAINED, "freeze": "some"}, r"freeze = some: must be a whole number at least 0, or all"),
        ({**PRETRAINED, "freeze": "all", "loss": "gjs"}, r"the loss gjs judges several views of an image together"),
        ({**PRETRAINED, "freeze": 3, "strategy": "pes"}, r"the strategy pes .*: it draws the network's weights anew\."),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_loaded(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        resolve(settings)


def test_that_images_are_as_they_are_is_said() -> None:
    assert resolve({**PRETRAINED, "freeze": 1, "augmentation": "flip"}).notes == (
        "While only the head is trained, images are as they are: flip does not change them.",
    )
    assert resolve({**PRETRAINED, "freeze": 1, "augmentation": "none"}).notes == ()
    assert resolve({**PRETRAINED, "augmentation": "flip"}).notes == ()


def test_a_run_is_resumed_saved_and_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch, tmp_path)
    first = nlcore.run(quiet=True, name="first", **toy.SETTINGS)

    class Stop(Observer):
        def progress(self, epoch: int, step: int, steps: int, images_per_second: float, elapsed: float) -> None:
            if epoch == 3 and step == steps:
                raise KeyboardInterrupt

    settings = {**toy.SETTINGS, "init": first.run_dir, "freeze": 2, "epochs": 4}
    straight = nlcore.run(quiet=True, name="straight", **settings)
    with pytest.raises(KeyboardInterrupt):
        execute([{**settings, "name": "torn"}], Terminal(quiet=True), observers=[Stop()])
    resumed = nlcore.resume(Path("runs/torn"), quiet=True)
    assert toy.equal(toy.outcome(resumed.run_dir), toy.outcome(straight.run_dir))
    alone = nlcore.run(quiet=True, name="alone", **{**settings, "freeze": "all"})
    images, labels = squares(48, seed=1)
    for result in (straight, alone):
        predicted = load_model(result.run_dir).predict(images).argmax(1)
        assert np.mean(predicted == labels) == pytest.approx(result.test_accuracy["last"])
