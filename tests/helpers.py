"""What several tests need: plugins that are installed for one test, a tiny problem, and a tiny network for it."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlcore.config.settings import TrainingSettings
from nlcore.contracts import Data, DatasetContext, Labels, NoiseContext, NoiseModel, Split, Strategy
from nlcore.data.prepare import prepare
from nlcore.data.run_data import RunData
from nlcore.data.views import View
from nlcore.host.registry import registry
from nlcore.training.build import Components, wire
from nlcore.training.context import Context
from nlcore.training.hardware import resolve_hardware
from nlcore.training.observers import Observer, Row
from nlcore.training.trainer import Trainer

#: A run that takes about a second.
TINY: dict[str, Any] = {
    "dataset": "digits",
    "architecture.width": 4,
    "epochs": 1,
    "device": "cpu",
    "precision": "fp32",
    "threads": "1",
}


def install_plugin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, distribution: str, source: str, version: str = "1.0"
) -> None:
    """
    Install a distribution for the length of a test: one module of this source, which is its entry point.

    The module is called like the distribution, with ``_`` for ``-``. Distributions installed before in the same test
    stay allowed.
    """
    site, module = tmp_path / "site-packages", distribution.replace("-", "_")
    write_plugin(site, distribution, source, version)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("NL_PLUGINS", f"{distribution},{_allowed()}")
    # Forget the module when the test ends: another test may install one of the same name.
    monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    del sys.modules[module]


def write_plugin(site: Path, distribution: str, source: str, version: str = "1.0") -> None:
    """Write what an installer leaves of a distribution of one module, which is called like it, into a folder."""
    module = distribution.replace("-", "_")
    info = site / f"{module}-{version}.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text(source, encoding="utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[nlcore]\n{module} = {module}\n")
    (info / "RECORD").write_text("")


def _allowed() -> str:
    import os

    return os.environ.get("NL_PLUGINS", "")


def plugin_source(**hooks: dict[str, str]) -> str:
    """Return a plugin module: for each hook the components by name, with their targets."""
    lines = ["from nlcore import Component, hookimpl", "", "NLCORE_API = 1", ""]
    for hook, components in hooks.items():
        records = ", ".join(f"Component({name!r}, {target!r}, 'For a test.')" for name, target in components.items())
        lines += ["", "@hookimpl", f"def {hook}():", f"    return [{records}]", ""]
    return "\n".join(lines)


class OnDemand:
    """A store that hands out images only when they are asked for."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images = images
        self.fetched = 0

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        _, height, width, channels = self._images.shape
        return channels, height, width

    def __len__(self) -> int:
        return len(self._images)

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """Return these images, one after the other."""
        self.fetched += len(indices)
        return np.stack([self._images[int(position)] for position in indices])


@dataclass(frozen=True)
class FixedDataset:
    """A dataset that loads what it was given."""

    data: Data

    def load(self, source: DatasetContext) -> Data:
        """Return it."""
        return self.data


@dataclass(frozen=True)
class AsGiven:
    """No noise."""

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """Return a copy."""
        return labels.copy()


@dataclass(frozen=True)
class SomeWrong:
    """Labels moved on by 1..K-1 with a probability."""

    rate: float = 0.4

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """Return given labels."""
        moved = (labels + rng.integers(1, num_classes, size=len(labels))) % num_classes
        return np.where(rng.random(len(labels)) < self.rate, moved, labels)


def squares(count: int, seed: int = 0, channels: int = 1) -> tuple[NDArray[np.uint8], Labels]:
    """Return 8×8 images of four classes, told apart by the quarter that is bright, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 4
    images = rng.integers(0, 120, (count, 8, 8, channels))
    for number, label in enumerate(labels):
        top, left = 4 * (label // 2), 4 * (label % 2)
        images[number, top : top + 4, left : left + 4] += 100
    return images.astype(np.uint8), labels


def make_data(
    images: NDArray[np.uint8] | OnDemand,
    labels: Labels,
    *,
    test: tuple[NDArray[np.uint8], Labels] | None = None,
    clean: Labels | None = None,
    truth_known: bool = True,
    mean: Sequence[float] = (0.4,),
    std: Sequence[float] = (0.25,),
    classes: int | None = None,
) -> Data:
    """Return a dataset's data; without a test part the training images are tested."""
    known = (labels if clean is None else clean) if truth_known else None
    train = Split(images, labels, np.arange(len(labels)), known)
    return Data(
        train=train,
        test=Split(*test, np.arange(len(test[1])), test[1]) if test else train,
        classes=tuple(f"class{number}" for number in range(classes or int(labels.max()) + 1)),
        mean=tuple(mean),
        std=tuple(std),
    )


def prepared(data: Data, noise: NoiseModel | None = None, noise_seed: int = 1, validation: float = 0.0) -> RunData:
    """Return the data of a run."""
    source = DatasetContext(Path("nowhere"), download=False)
    return prepare(FixedDataset(data), noise or AsGiven(), source, noise_seed=noise_seed, validation=validation)


class Net(nn.Module):
    """A small convolutional network with batch normalisation and dropout."""

    def __init__(self, num_classes: int, channels: int, width: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width * 4, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, D)."""
        pooled = nn.functional.adaptive_avg_pool2d(self.norm(self.conv(x)).relu(), 2)
        dropped: Tensor = self.dropout(pooled.flatten(1))
        return dropped

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, K)."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def stages(self) -> list[nn.Module]:
        """Return the parts."""
        return [self.conv, self.norm, self.head]


@dataclass(frozen=True)
class NetArchitecture:
    """Builds `Net`."""

    width: int = 8
    dropout: float = 0.1

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a network."""
        return Net(num_classes, image_shape[0], self.width, self.dropout)


class Linear(nn.Module):
    """One linear layer on the pixels."""

    def __init__(self, num_classes: int, inputs: int) -> None:
        super().__init__()
        self.head = nn.Linear(inputs, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, K)."""
        logits: Tensor = self.head(x.flatten(1))
        return logits


@dataclass(frozen=True)
class LinearArchitecture:
    """Builds `Linear`: no batch normalisation, no dropout, so that a step can be done by hand."""

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a network."""
        channels, height, width = image_shape
        return Linear(num_classes, channels * height * width)


class MeanLoss:
    """Cross-entropy by its definition."""

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,)."""
        return -logits.log_softmax(1).gather(1, targets[:, None]).squeeze(1)


def make_trainer(
    strategy: Strategy,
    data: RunData,
    architecture: Any = None,
    make_loss: Callable[[], Any] = MeanLoss,
    *,
    optimizer: str = "sgd",
    augmentation: dict[str, Any] | None = None,
    wrap: Callable[[Any], Any] = lambda ctx: ctx,
    report: Callable[[str], None] = lambda text: None,
    **settings: Any,
) -> Trainer:
    """
    Return what trains a strategy, in fp32 and on one CPU thread where the settings name no other device.

    Settings of the optimiser (``lr=0.1``) are taken, too; images are shifted by one pixel at most unless `augmentation`
    has other parameters of crop_flip.
    """
    names = {field.name for field in fields(TrainingSettings)}
    known = registry()
    of_optimizer = {"lr": 0.1, **{key: value for key, value in settings.items() if key not in names}}
    chosen = TrainingSettings(
        **{"batch_size": 32, "epochs": 2, "device": "cpu", **{k: v for k, v in settings.items() if k in names}}
    )
    weak = known.create("augmentation", "crop_flip", augmentation or {"padding": 1, "flip": False})
    strong = [weak, known.create("augmentation", "cutout", {"size": 2})]
    components = Components(
        strategy,
        architecture or NetArchitecture(),
        make_loss,
        known.create("optimizer", optimizer, of_optimizer),
        {"weak": View([weak], ["crop_flip"]), "strong": View(strong, ["crop_flip", "cutout"])},
    )
    hardware = resolve_hardware(chosen.device, "fp32", "1")
    return wire(components, chosen, data, hardware, wrap=wrap, report=report)


class Bare:
    """A strategy that makes nothing: what a test wants of the context it asks for itself."""

    def setup(self, ctx: Any) -> None:
        """Make nothing."""

    def step(self, batch: Any) -> Tensor:
        """Train nothing."""
        raise AssertionError

    def predict(self, images: Tensor) -> Tensor:
        """Predict nothing."""
        raise AssertionError


def make_context(
    data: RunData, architecture: Any = None, make_loss: Callable[[], Any] = MeanLoss, **settings: Any
) -> Context:
    """Return a run's context in which nothing has been made; settings are those of `make_trainer`."""
    return make_trainer(Bare(), data, architecture, make_loss, **settings).ctx


class Rows(Observer):
    """Keeps the metrics of each epoch and what was said."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.lines: list[str] = []

    def epoch(self, row: Row) -> None:
        """Keep the metrics."""
        self.rows.append(row)

    def line(self, text: str) -> None:
        """Keep what is said."""
        self.lines.append(text)


def train(trainer: Trainer) -> list[Row]:
    """Train all epochs and return the metrics, without what the clock says."""
    notes = Rows()
    trainer.run([notes])
    return [without_clock(row) for row in notes.rows]


def without_clock(row: Row) -> Row:
    """Return the metrics of an epoch that the same seed gives again."""
    return {key: value for key, value in row.items() if "second" not in key}


def same_tensors(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    """Tell whether two lists of tensors are equal, bit for bit."""
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
