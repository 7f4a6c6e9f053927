"""A tiny problem to check components on. Nothing here is a component that a user could name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from nlcore.contracts import (
    Batch,
    Data,
    DatasetContext,
    Labels,
    NoiseContext,
    NoiseInfo,
    Split,
    StrategyContext,
)
from nlcore.data.prepare import prepare
from nlcore.data.run_data import RunData

K = 4
RATE = 0.2


def declared_noise(num_classes: int = K) -> NoiseInfo:
    """Return what the toy's noise declares."""
    wrong = RATE / (num_classes - 1)
    return NoiseInfo(RATE, (1 - RATE - wrong) * np.eye(num_classes) + wrong)


@dataclass(frozen=True)
class Squares:
    """
    Noisy 8×8 images of four classes, told apart by the quarter that is bright.

    97 to train on, 80 to test, and 20 more to train on whose labels are known to be right.
    """

    clean: Labels | None = None  # the training set's true labels where others than the right ones are claimed

    def load(self, source: DatasetContext) -> Data:
        """Return train and test."""
        train, test, trusted = _squares(97, 1), _squares(80, 2), _squares(20, 3)
        clean = train[1] if self.clean is None else self.clean
        return Data(
            train=Split(train[0], train[1], np.arange(97), clean),
            test=Split(*test, np.arange(80), test[1]),
            classes=("top left", "top right", "bottom left", "bottom right"),
            mean=(0.4,),
            std=(0.25,),
            trusted=Split(*trusted, np.arange(20), trusted[1]),
        )


@dataclass(frozen=True)
class SomeWrong:
    """A fifth of the labels is moved to another class."""

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """Return given labels."""
        moved = (labels + rng.integers(1, num_classes, size=len(labels))) % num_classes
        return np.where(rng.random(len(labels)) < RATE, moved, labels)

    def declared(self, num_classes: int) -> NoiseInfo:
        """Return the rate and the transition matrix."""
        return declared_noise(num_classes)


@dataclass(frozen=True)
class TinyArchitecture:
    """Builds `TinyNet`."""

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a network."""
        return TinyNet(num_classes, image_shape[0])


class TinyNet(nn.Module):
    """A convolution with batch normalisation, dropout and a linear head."""

    def __init__(self, num_classes: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 8, 3, padding=1)
        self.norm: nn.Module = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(8 * 4, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, D)."""
        pooled = nn.functional.adaptive_avg_pool2d(self.norm(self.conv(x)).relu(), 2)
        features: Tensor = self.dropout(pooled.flatten(1))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, K)."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def stages(self) -> list[nn.Module]:
        """Return the parts."""
        return [nn.ModuleList([self.conv, self.norm]), self.head]


@dataclass(frozen=True)
class ExactArchitecture:
    """Builds a `TinyNet` that treats each image by itself: without batch statistics and without dropout."""

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a network."""
        network = TinyNet(num_classes, image_shape[0])
        network.norm, network.dropout = nn.GroupNorm(2, 8), nn.Dropout(0.0)
        return network


class CrossEntropy:
    """The loss of the toy's runs. It notes in `events` when it is shown predictions and when it is asked."""

    soft_targets = True
    capturable = True  # the notes are no part of what it computes

    def __init__(self, events: list[tuple[int, str]]) -> None:
        self.events = events

    def observe(self, logits: Tensor, index: Tensor) -> None:
        """Note that there were predictions."""
        self.events.append((id(self), "observe"))

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,)."""
        self.events.append((id(self), "call"))
        return nn.functional.cross_entropy(logits.float(), targets, reduction="none")


class Plain:
    """The strategy of the toy's runs: one network, its mean loss."""

    capturable = True

    def setup(self, ctx: StrategyContext) -> None:
        """Make one network with its loss and optimiser."""
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)

    def step(self, batch: Batch) -> Tensor:
        """Descend on the batch's mean loss."""
        logits = self.network(batch.images)
        self.loss.observe(logits, batch.index)
        loss: Tensor = self.loss(logits, batch.targets, batch.index).mean()
        return self.ctx.minimise(self.optimizer, loss)

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits


def prepared(clean: Labels | None = None) -> RunData:
    """Return the toy's data after its noise."""
    source = DatasetContext(Path(), download=False)
    return prepare(Squares(clean), SomeWrong(), source, noise_seed=1, trusted=20)


def _squares(count: int, seed: int) -> tuple[NDArray[np.uint8], Labels]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % K
    images = rng.integers(0, 120, (count, 8, 8, 1))
    for image, label in zip(images, labels, strict=True):
        top, left = 4 * (label // 2), 4 * (label % 2)
        image[top : top + 4, left : left + 4] += 100
    return images.astype(np.uint8), labels
