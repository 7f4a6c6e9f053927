"""
A bench to try strategies on: the engine's own context around a linear network and images that name their sample.

Image i has pixel i at 1 and the others at 0. So a mixed image says which two were mixed and how, and of a linear
network's weights (K, N) only column i learns from sample i.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import make_trainer
from numpy.typing import NDArray
from torch import Tensor, nn

import nlcore
from nlcore.contracts import Batch, Data, DatasetContext, Pass, Split
from nlcore.data.batches import TrainingBatches
from nlcore.data.prepare import prepare
from nlcore.training.context import Context

Array = NDArray[np.float64]


class LinearNetwork(nn.Module):
    """W x + b for flattened images, which keeps what it was shown."""

    def __init__(self, pixels: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(pixels, classes)
        self.seen: list[Tensor] = []

    def features(self, x: Tensor) -> Tensor:
        """Return pixels (B, D)."""
        return x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, K)."""
        self.seen.append(self.features(x).detach().clone())
        logits: Tensor = self.head(self.features(x))
        return logits

    def stages(self) -> list[nn.Module]:
        """Return the head."""
        return [self.head]

    def weights(self) -> tuple[Array, Array]:
        """Return copies of W (K, D) and b (K,), float64."""
        return tuple(p.detach().double().numpy().copy() for p in (self.head.weight, self.head.bias))  # type: ignore[return-value]


@dataclass
class Linear:
    """The architecture; `built` are its networks in the order in which they were asked for."""

    built: list[LinearNetwork] = field(default_factory=list)

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return one more network."""
        self.built.append(LinearNetwork(int(np.prod(image_shape)), num_classes))
        return self.built[-1]


@dataclass(frozen=True)
class Named:
    """The dataset of N images that name their sample, with labels drawn at random."""

    samples: int
    classes: int
    truth_known: bool

    def load(self, source: DatasetContext) -> Data:
        """Return the same images to train and to test on."""
        images = (255 * np.eye(self.samples, dtype=np.uint8)).reshape(self.samples, 1, self.samples, 1)
        labels = np.random.default_rng(5).integers(self.classes, size=self.samples)
        split = Split(images, labels, np.arange(self.samples), labels if self.truth_known else None)
        names = tuple(str(k) for k in range(self.classes))
        return Data(split, split, names, (0.0,), (1.0,))


@dataclass
class Bench:
    """A strategy, set up, with everything it was given."""

    strategy: Any
    ctx: Context
    networks: list[LinearNetwork]
    batches: TrainingBatches

    def epoch(self, number: int) -> Iterator[Batch]:
        """Begin an epoch as the loop does, and yield its batches."""
        self.batches.begin_epoch(number, self.ctx.epochs)
        self.ctx.begin_epoch(number)
        if hasattr(self.strategy, "begin_epoch"):
            self.strategy.begin_epoch(number)
        yield from self.batches.iterate(Pass(), number, "0")


@pytest.fixture
def bench() -> Callable[..., Bench]:
    """Return a maker of benches."""

    def make(
        strategy: Any,
        make_loss: Callable[[], Any] | None = None,
        *,
        samples: int = 12,
        classes: int = 3,
        noise: Any = None,
        truth_known: bool = True,
        **settings: Any,
    ) -> Bench:
        options = {"batch_size": 4, "epochs": 10, "lr": 0.5, "momentum": 0.0, "weight_decay": 0.0, **settings}
        data = prepare(
            Named(samples, classes, truth_known),
            noise or nlcore.create("noise", "none"),
            DatasetContext(Path()),
            noise_seed=1,
        )
        architecture = Linear()
        loss = make_loss or (lambda: nlcore.create("loss", "cross_entropy"))
        still = {"padding": 0, "flip": False}
        trainer = make_trainer(strategy, data, architecture, loss, augmentation=still, **options)
        return Bench(strategy, trainer.ctx, architecture.built, trainer.batches)

    return make


class Recorder:
    """Cross-entropy that notes what it was asked and shown."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Tensor, Tensor]] = []

    def observe(self, logits: Tensor, index: Tensor) -> None:
        """Note a prediction."""
        self.events.append(("observe", logits.clone(), index.clone()))

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Note a question, and return the losses (B,)."""
        assert index is not None
        self.events.append(("call", targets.clone(), index.clone()))
        return nn.functional.cross_entropy(logits, targets, reduction="none")


@pytest.fixture
def recorder() -> type[Recorder]:
    """Return the loss that keeps notes."""
    return Recorder
