"""Rows about what strategies cost beyond the passes that their papers need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.bench import Bench
from benchmarks.measure import Figure, Side, interleaved
from nlcore.data import stores
from nlcore.data.run_data import LabelledImages, RunData
from nlcore.training.build import build
from nlcore.training.hardware import using_threads
from nlcore.training.trainer import Trainer

#: How many images, whether they go back, whether the network is in training mode.
Passed = tuple[int, bool, bool]

EPOCH = 2  # after a warm-up of one
BATCHES = 6  # of the training set that is left for these rows
WIDTH = 16  # of the network, where the benchmark's is larger: these methods do many passes


def strategy(name: str, bench: Bench, **settings: Any) -> Figure:
    """
    Return the time of a strategy's epoch over that of a bare loop which does the same passes through the networks.

    The passes are noted in each epoch that is timed, of the method's last phase: how many images go through a network
    at once, whether they go back, and in which mode the network is. The bare loop does the same on images that stay
    where they are, with an optimiser's step after each pass that goes back, and nothing else: no data, no method.
    """
    small = replace(bench, width=min(WIDTH, bench.width), data=_first(bench.data, BATCHES * bench.batch_size))
    trainer = build(small.experiment(strategy=name, epochs=10, **settings), small.data)
    for epoch in range(1, EPOCH):
        trainer.train_epoch(epoch)
    passes = _watched(trainer)
    bare = _Bare(small, passes, trainer.hardware.precision == "bf16")

    def ours() -> None:
        passes.clear()  # a method that divides its samples takes other steps each time
        with using_threads(trainer.hardware.threads):
            trainer.train_epoch(EPOCH)

    ours()
    images = sum(size for size, *_ in passes)
    sides = [Side(name, ours, images), Side("bare passes", bare.run, images)]
    return interleaved(sides, bench.rounds, bench.device, bench.say).cost(name, "bare passes")


class _Bare:
    """The passes alone."""

    def __init__(self, bench: Bench, passes: list[Passed], bf16: bool) -> None:
        self._network = bench.new_network().to(bench.device).to(memory_format=torch.channels_last)
        self._optimizer = torch.optim.SGD(self._network.parameters(), lr=0.01, momentum=0.9, fused=True)
        most = 8 * bench.batch_size  # more than any method passes at once
        self._images = torch.randn(most, 3, 32, 32).to(bench.device, memory_format=torch.channels_last)
        self._labels = torch.randint(10, (most,)).to(bench.device)
        self._passes, self._bf16 = passes, bf16

    def run(self) -> None:
        """Do all of them."""
        for size, back, training in self._passes:
            self._network.train(training)
            with torch.set_grad_enabled(back), torch.autocast(self._images.device.type, torch.bfloat16, self._bf16):
                logits = self._network(self._images[:size])
            if back:
                loss = nn.functional.cross_entropy(logits.float(), self._labels[:size])
                self._optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(loss)
                self._optimizer.step()


def _watched(trainer: Trainer) -> list[Passed]:
    """Return a list that every pass through a network is added to from now on."""
    found: list[Passed] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append((len(inputs[0]), torch.is_grad_enabled(), module.training))

    for network in [*trainer.ctx.networks.values(), *trainer.ctx.teachers.values()]:
        first = next(part for part in network.modules() if isinstance(part, nn.Conv2d))
        first.register_forward_pre_hook(note)
    return found


def _first(data: RunData, count: int) -> RunData:
    """Return the data with the first training images alone."""
    positions = np.arange(min(count, len(data.train)))
    train = data.train
    kept = LabelledImages(stores.subset(train.images, positions), train.labels[positions], train.ids[positions])
    true = data.truth.train
    truth = replace(data.truth, train=None if true is None else true[positions])
    return replace(data, train=kept, truth=truth)
