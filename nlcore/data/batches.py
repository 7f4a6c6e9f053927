"""Cutting an epoch into batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from nlcore.contracts import Batch, Pass
from nlcore.data.balanced import balanced_positions
from nlcore.data.device_images import Asked, DeviceImages
from nlcore.data.run_data import TrainingData
from nlcore.data.seeds import derive_seed, generator
from nlcore.data.views import PLAIN, Normalise, View, Views
from nlcore.errors import RunError


class _Source(NamedTuple):
    """Where a pass takes its images from, and the labels that training is told."""

    images: DeviceImages
    labels: Tensor


class TrainingBatches:
    """The training set of a run on its device, and the batches of any pass over it."""

    def __init__(
        self,
        data: TrainingData,
        views: Views,
        batch_size: int,
        seed: int,
        device: torch.device,
        balanced: bool = False,
        epoch_batches: int | None = None,
    ) -> None:
        normalise = Normalise(data.mean, data.std, device)
        self.images = DeviceImages(data.images, normalise, device)
        self.given = torch.from_numpy(data.given).to(device)
        self.views: dict[str, View] = {**views, "plain": PLAIN}
        self._sources = {"train": _Source(self.images, self.given)}
        if data.trusted is not None:
            labels = torch.from_numpy(data.trusted.labels).to(device)
            self._sources["trusted"] = _Source(DeviceImages(data.trusted.images, normalise, device), labels)
        self._balanced = balanced
        self._epoch_batches = epoch_batches
        self._batch_size = batch_size
        self._seed = seed
        self._device = device

    @property
    def all_images(self) -> list[DeviceImages]:
        """The images of every source."""
        return [source.images for source in self._sources.values()]

    @property
    def strong_is_weak(self) -> bool:
        """Whether the strong view varies images as the weak one does."""
        weak, strong = (self.views.get(name, PLAIN).augmentations for name in ("weak", "strong"))
        return list(weak) == list(strong)

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Announce an epoch to the augmentations."""
        for view in self.views.values():
            view.begin_epoch(epoch, epochs)

    def lengths(self, of: Pass) -> list[int]:
        """Return the size of each batch of a pass, of which there are no more than the run wants in an epoch."""
        return self._all_lengths(of)[: self._epoch_batches]

    def samples(self, epoch: int, batch_size: int | None) -> Tensor:
        """Return what an epoch draws from, see `nlcore.contracts.StrategyContext.samples`."""
        if self._epoch_batches is None:
            return torch.arange(len(self.given))
        number = sum(self.lengths(Pass(batch_size=batch_size)))
        return self._drawn("train", number, generator(self._seed, "samples", epoch))

    def labels(self, source: str) -> Tensor:
        """
        Return the labels that training is told of a source, int64 (N,).

        Raises:
            RunError: there are no trusted images.

        """
        if source not in self._sources:
            raise RunError(
                "The strategy asks for images with trusted labels and there are none: --trusted 100 tells it the true "
                "labels of 100."
            )
        return self._sources[source].labels

    def iterate(self, of: Pass, epoch: int, purpose: str, first_step: int = 0) -> Iterator[Batch]:
        """
        Yield the batches of one pass.

        Args:
            of: what to iterate.
            epoch: of the run; keys the draws.
            purpose: tells the passes of one epoch apart; keys the draws.
            first_step: the number of the first step within the epoch.

        """
        paired = None
        if of.paired and self.lengths(of.paired):
            paired = self._forever(of.paired, epoch, f"{purpose}/paired")
        steps = torch.arange(first_step, first_step + len(self.lengths(of)), device=self._device)
        for number, (index, views) in enumerate(self._index_and_views(of, epoch, purpose, self.lengths(of))):
            step = steps[number : number + 1]
            yield Batch(
                views=views,
                targets=self.labels(of.source)[index],
                index=index,
                step=step,
                label=of.label,
                paired=replace(next(paired), step=step) if paired else None,
            )

    def seen_as(self, of: Pass, epoch: int, purpose: str) -> Iterator[Tensor]:
        """Yield the images of a pass in its only view, however many these are."""
        for _, views in self._index_and_views(of, epoch, purpose, self._all_lengths(of)):
            yield views[0]

    def _forever(self, of: Pass, epoch: int, purpose: str) -> Iterator[Batch]:
        turn = 0
        while True:
            yield from self.iterate(of, epoch, f"{purpose}/{turn}")
            turn += 1

    def _all_lengths(self, of: Pass) -> list[int]:
        """Return the sizes of the batches of all samples of a pass. A tail of one joins the batch before it."""
        count = len(self.labels(of.source)) if of.indices is None else len(of.indices)
        size = of.batch_size or self._batch_size
        lengths = [size] * (count // size) + ([count % size] if count % size else [])
        if len(lengths) > 1 and lengths[-1] == 1:  # batch normalisation cannot take one sample
            lengths[-2:] = [lengths[-2] + 1]
        return lengths

    def _index_and_views(
        self, of: Pass, epoch: int, purpose: str, lengths: Sequence[int]
    ) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
        """Draw a pass's order and augmentation ahead, then yield positions and views batch by batch."""
        random = generator(self._seed, f"pass/{purpose}", epoch)
        count, number = len(self.labels(of.source)), sum(lengths)
        indices = self._drawn(of.source, number, random) if of.indices is None else of.indices.cpu()
        if len(indices) and not (indices.min() >= 0 and indices.max() < count):
            kind = "training samples" if of.source == "train" else "trusted ones"
            raise RunError(
                f"The strategy asks for samples {indices.min()} to {indices.max()} (Pass.indices), and there are "
                f"{count} {kind}, from 0 on."
            )
        if of.shuffle:
            indices = indices[torch.randperm(len(indices), generator=random)]
        indices = indices[:number]
        asked = [
            Asked(
                self.views[name],
                self.views[name].draw(len(indices), random),
                derive_seed(self._seed, f"store/{purpose}/{place}", epoch),
            )
            for place, name in enumerate(of.view_names)
        ]
        return self._sources[of.source].images.in_order(indices, lengths, asked)

    def _drawn(self, source: str, number: int, random: torch.Generator) -> Tensor:
        """Return so many positions: ascending, each once, or, where classes are balanced, as many of each class."""
        labels = self.labels(source).cpu()
        if self._balanced:
            return balanced_positions(labels, number, random)
        if number == len(labels):
            return torch.arange(number)
        return torch.randperm(len(labels), generator=random)[:number].sort().values
