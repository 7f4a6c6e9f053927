"""What all rows of a benchmark have in common: the data, the size of what is measured, and our side of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.synthetic import SyntheticCifar
from nlcore.config.experiment import Experiment, resolve
from nlcore.contracts import DatasetContext, Pass
from nlcore.data.prepare import prepare
from nlcore.data.run_data import RunData
from nlcore.runs.terminal import Terminal
from nlcore.training.build import build, load_data
from nlcore.training.processes import ALONE, Processes
from nlcore.training.trainer import Trainer


@dataclass(frozen=True)
class Source:
    """
    Where the images come from.

    Attributes:
        data_dir: the folder of CIFAR-10, None for synthetic images.
        images: how many synthetic images to train on; the default run has 20,000.

    """

    data_dir: Path | None
    images: int = 20_000

    def load(self) -> RunData:
        """Load the data as a run does."""
        if self.data_dir:
            experiment = resolve({"data_dir": str(self.data_dir), "no_download": True})
            return load_data(experiment, Terminal(quiet=True).line)
        dataset = SyntheticCifar(self.images, self.images // 2)
        return prepare(dataset, resolve()["noise"].create(), DatasetContext(Path(), download=False), noise_seed=1)

    def __str__(self) -> str:
        return "real CIFAR-10" if self.data_dir else f"{self.images:,} synthetic images of CIFAR-10's shape"


@dataclass(frozen=True)
class Bench:
    """
    One benchmark on one device.

    Attributes:
        source: where the data come from.
        data: the data.
        device: what is measured.
        width: of the ResNet-18.
        batch_size: images in a step.
        batches: full batches in one timing; a partial one of a quarter of the size follows, as 20,000 = 156·128 + 32.
        rounds: how often each side is timed.
        threads: CPU threads of both sides, where a row says nothing else.
        say: takes a line about how it goes.

    """

    source: Source
    data: RunData
    device: torch.device
    width: int
    batch_size: int
    batches: int
    rounds: int
    threads: int
    say: Callable[[str], None]

    def experiment(self, **settings: Any) -> Experiment:
        """Return `nl run`'s default experiment on the benchmark's device, of its size; on a GPU with CUDA graphs."""
        return resolve(self._where, {"architecture.width": self.width, "batch_size": self.batch_size}, settings)

    def preset(self, name: str) -> Experiment:
        """Return the experiment of a preset as it is, with the benchmark's device and threads."""
        return resolve(self._where, {"preset": name})

    @property
    def _where(self) -> dict[str, Any]:
        captured = self.device.type == "cuda"
        return {"device": str(self.device), "threads": self.threads, "cuda_graphs": captured}

    @property
    def sizes(self) -> list[int]:
        """The sizes of the batches in one timing."""
        return [self.batch_size] * self.batches + [self.batch_size // 4]

    @property
    def positions(self) -> Tensor:
        """The training images that one timing takes, int64: the same random ones for each side."""
        random = torch.Generator().manual_seed(1)
        return torch.randperm(len(self.data.train), generator=random)[: sum(self.sizes)]

    def new_network(self) -> nn.Module:
        """Return a new network of the experiment's architecture, on the CPU."""
        network: nn.Module = self.experiment()["architecture"].create().build(10, (3, 32, 32))
        return network


class Excerpt:
    """A strategy that walks over some training images instead of all; all else is the strategy's own."""

    def __init__(self, strategy: Any, positions: Tensor) -> None:
        self._strategy = strategy
        self._positions = positions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._strategy, name)

    def passes(self, epoch: int) -> list[Pass]:
        """Return one shuffled pass over the excerpt."""
        return [Pass(indices=self._positions)]


class Ours:
    """
    Our side: all that ``nl run`` builds for an experiment, and its own loop over a part of the training images.

    The whole training set lies where it lies in a run; only the walk over it is shorter.
    """

    def __init__(self, bench: Bench, experiment: Experiment, processes: Processes = ALONE) -> None:
        self.trainer: Trainer = build(experiment, bench.data, processes=processes)
        self.trainer.strategy = Excerpt(self.trainer.strategy, bench.positions)
        self._epoch = 0

    def train(self) -> float:
        """Train on the excerpt once, as on an epoch without its evaluation; return the mean loss."""
        self._epoch += 1
        return self.train_in(self._epoch)

    def train_in(self, epoch: int) -> float:
        """Train on the excerpt as in this epoch of the run; return the mean loss."""
        loss, _, _ = self.trainer.train_epoch(epoch)
        return loss
