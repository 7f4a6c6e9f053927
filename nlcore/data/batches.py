"""
Cutting an epoch into batches.

Images in memory are copied once to the training device as uint8 and every batch is gathered, cropped, flipped and
normalised there. A store that decodes on demand hands over the same uint8 images batch by batch instead; from there on
the two are treated alike and give the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nlcore.contracts import Augmentation, Batch, ImageStore, Pass
from nlcore.data.augment import Draws, Normalise, crop_and_flip, windows
from nlcore.data.prepare import TrainingData
from nlcore.data.seeds import generator
from nlcore.data.stores import ArrayStore

_PLAIN = Augmentation(padding=0, flip=False)


class Pixels:
    """Images of one store on one device: augmented or plain, always normalised, float32 (B, C, H, W) channels_last."""

    def __init__(
        self, store: ImageStore, augmentation: Augmentation, normalise: Normalise, device: torch.device
    ) -> None:
        self._store = store
        self._augmentation = augmentation
        self._normalise = normalise
        self._device = device
        self._windows: Tensor | None = None
        if isinstance(store, ArrayStore):
            self._windows = windows(_tensor(store.images).to(device), augmentation)

    def __len__(self) -> int:
        return len(self._store)

    def augmented(self, index: Tensor, *draws: Draws) -> tuple[Tensor, ...]:
        """Return the images at these positions, cropped and flipped as drawn: a view for each draw, fetched once."""
        view = self._windows
        if view is None:
            view = windows(self._fetch(index), self._augmentation)
            index = torch.arange(len(index), device=self._device)
        return tuple(self._normalise(crop_and_flip(view, index, draw)) for draw in draws)

    def plain(self, index: Tensor) -> Tensor:
        """Return the images at these positions as they are."""
        if self._windows is not None:
            padding = self._augmentation.padding
            images = self._windows[0, index, padding, padding].contiguous(memory_format=torch.channels_last)
        else:
            images = self._fetch(index).permute(0, 3, 1, 2)
        return self._normalise(images)

    def _fetch(self, index: Tensor) -> Tensor:
        return _tensor(self._store.fetch(index.cpu().numpy())).to(self._device)


def _tensor(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.require(images, requirements=["C", "W"]))  # torch warns of read-only arrays


class TrainingBatches:
    """The training set of a run on its device, and the batches of any pass over it."""

    def __init__(self, data: TrainingData, batch_size: int, seed: int, device: torch.device) -> None:
        normalise = Normalise(data.mean, data.std, device)
        self.pixels = Pixels(data.train.images, data.augmentation, normalise, device)
        self.given = torch.from_numpy(data.train.given).to(device)
        self._augmentation = data.augmentation
        self._batch_size = batch_size
        self._seed = seed
        self._device = device

    def lengths(self, walk: Pass) -> list[int]:
        """Return the size of each batch of a pass. A tail of one joins the batch before it."""
        count = len(self.given) if walk.indices is None else len(walk.indices)
        size = walk.batch_size or self._batch_size
        lengths = [size] * (count // size) + ([count % size] if count % size else [])
        if len(lengths) > 1 and lengths[-1] == 1:  # batch normalisation cannot take one sample
            lengths[-2:] = [lengths[-2] + 1]
        return lengths

    def walk(self, walk: Pass, epoch: int, purpose: str, first_step: int = 0) -> Iterator[Batch]:
        """
        Yield the batches of one pass.

        Args:
            walk: what to iterate.
            epoch: of the run; keys the draws.
            purpose: tells the passes of one epoch apart; keys the draws.
            first_step: the number of the first step within the epoch.

        """
        beside = None
        if walk.beside and self.lengths(walk.beside):
            beside = self._forever(walk.beside, epoch, f"{purpose}/beside")
        steps = torch.arange(first_step, first_step + len(self.lengths(walk)), device=self._device)
        for number, (index, views) in enumerate(self._cut(walk, epoch, purpose)):
            step = steps[number : number + 1]
            yield Batch(
                views=views,
                targets=self.given[index],
                index=index,
                step=step,
                label=walk.label,
                beside=replace(next(beside), step=step) if beside else None,
            )

    def _forever(self, walk: Pass, epoch: int, purpose: str) -> Iterator[Batch]:
        turn = 0
        while True:
            yield from self.walk(walk, epoch, f"{purpose}/{turn}")
            turn += 1

    def _cut(self, walk: Pass, epoch: int, purpose: str) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
        """Draw a pass's order and augmentation ahead, then yield positions and views batch by batch."""
        random = generator(self._seed, f"pass/{purpose}", epoch)
        indices = torch.arange(len(self.given)) if walk.indices is None else walk.indices.cpu()
        if walk.shuffle:
            indices = indices[torch.randperm(len(indices), generator=random)]
        law = self._augmentation if walk.augment else _PLAIN
        draws = [Draws.sample(len(indices), law, random).to(self._device) for _ in range(walk.views)]
        indices = indices.to(self._device)
        start = 0
        for length in self.lengths(walk):
            part = slice(start, start + length)
            index = indices[part]
            if walk.augment:
                views = self.pixels.augmented(index, *(draw[part] for draw in draws))
            else:
                views = (self.pixels.plain(index),) * walk.views
            yield index, views
            start += length
