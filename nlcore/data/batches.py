"""
Cutting an epoch into batches.

Images in memory are copied once to the training device as uint8 and every batch is gathered, augmented and normalised
there. A store that decodes on demand hands over the same uint8 images batch by batch instead; from there on the two are
treated alike and give the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nlcore.contracts import Batch, Draws, ImageStore, Pass
from nlcore.data.run_data import TrainingData
from nlcore.data.seeds import generator
from nlcore.data.stores import ArrayStore
from nlcore.data.views import PLAIN, Normalise, View, Views, part_of


class DeviceImages:
    """Images of one store as a network sees them, on one device: float32 (B, C, H, W) channels_last."""

    def __init__(self, store: ImageStore, normalise: Normalise, device: torch.device) -> None:
        self._store = store
        self._normalise = normalise
        self._device = device
        self._images = _tensor(store.images).to(device) if isinstance(store, ArrayStore) else None
        self._prepared: dict[int, Any] = {}  # by the augmentation that asked for it

    def __len__(self) -> int:
        return len(self._store)

    def views(self, index: Tensor, asked: Sequence[tuple[View, Sequence[Draws]]]) -> tuple[Tensor, ...]:
        """Return the images at these positions in each view that is asked for; they are fetched once."""
        fetched: Tensor | None = None
        found = []
        for view, draws in asked:
            first = view.gathers
            if first is not None and self._images is not None:
                images = first.gather(self._prepare(first), index, draws[0])
                found.append(view.finish(images, draws, self._normalise, done=1))
                continue
            fetched = self._fetch(index) if fetched is None else fetched
            found.append(view.finish(fetched, draws, self._normalise))
        return tuple(found)

    def plain(self, index: Tensor) -> Tensor:
        """Return the images at these positions as they are."""
        return PLAIN.finish(self._fetch(index), (), self._normalise)

    def _fetch(self, index: Tensor) -> Tensor:
        if self._images is None:
            images = _tensor(self._store.fetch(index.cpu().numpy())).to(self._device)
        else:
            images = self._images[index]
        return images.permute(0, 3, 1, 2)

    def _prepare(self, augmentation: Any) -> Any:
        key = id(augmentation)
        if key not in self._prepared:
            self._prepared[key] = augmentation.prepare(self._images)
        return self._prepared[key]


class TrainingBatches:
    """The training set of a run on its device, and the batches of any pass over it."""

    def __init__(
        self,
        data: TrainingData,
        views: Views,
        batch_size: int,
        seed: int,
        device: torch.device,
        class_balanced: bool = False,
    ) -> None:
        self.images = DeviceImages(data.images, Normalise(data.mean, data.std, device), device)
        self.given = torch.from_numpy(data.given).to(device)
        self.views: dict[str, View] = {**views, "plain": PLAIN}
        self._labels = data.given if class_balanced else None
        self._batch_size = batch_size
        self._seed = seed
        self._device = device

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Announce an epoch to the augmentations."""
        for view in self.views.values():
            view.begin_epoch(epoch, epochs)

    def lengths(self, of: Pass) -> list[int]:
        """Return the size of each batch of a pass. A tail of one joins the batch before it."""
        count = len(self.given) if of.indices is None else len(of.indices)
        size = of.batch_size or self._batch_size
        lengths = [size] * (count // size) + ([count % size] if count % size else [])
        if len(lengths) > 1 and lengths[-1] == 1:  # batch normalisation cannot take one sample
            lengths[-2:] = [lengths[-2] + 1]
        return lengths

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
        for number, (index, views) in enumerate(self._index_and_views(of, epoch, purpose)):
            step = steps[number : number + 1]
            yield Batch(
                views=views,
                targets=self.given[index],
                index=index,
                step=step,
                label=of.label,
                paired=replace(next(paired), step=step) if paired else None,
            )

    def seen_as(self, view: str, indices: Tensor, epoch: int, purpose: str, size: int) -> Iterator[Tensor]:
        """Yield training images in one view, in the order of `indices`, in batches of `size`."""
        of = Pass(indices=indices.cpu(), batch_size=size, views=(view,), shuffle=False)
        for _, views in self._index_and_views(of, epoch, purpose):
            yield views[0]

    def _forever(self, of: Pass, epoch: int, purpose: str) -> Iterator[Batch]:
        turn = 0
        while True:
            yield from self.iterate(of, epoch, f"{purpose}/{turn}")
            turn += 1

    def _index_and_views(self, of: Pass, epoch: int, purpose: str) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
        """Draw a pass's order and augmentation ahead, then yield positions and views batch by batch."""
        random = generator(self._seed, f"pass/{purpose}", epoch)
        indices = self._everything(random) if of.indices is None else of.indices.cpu()
        if len(indices) and not (indices.min() >= 0 and indices.max() < len(self.given)):
            raise ValueError(
                f"Pass: indices from {indices.min()} to {indices.max()}; there are {len(self.given)} training samples."
            )
        if of.shuffle:
            indices = indices[torch.randperm(len(indices), generator=random)]
        asked = [(view, view.draw(len(indices), random)) for view in (self.views[name] for name in of.view_names)]
        indices = indices.to(self._device)
        start = 0
        for length in self.lengths(of):
            part = slice(start, start + length)
            index = indices[part]
            yield index, self.images.views(index, [(view, part_of(draws, part)) for view, draws in asked])
            start += length

    def _everything(self, random: torch.Generator) -> Tensor:
        """Return N positions: each once, or, where classes are balanced, as many of each given class."""
        if self._labels is None:
            return torch.arange(len(self.given))
        labels = torch.from_numpy(self._labels)
        weights = 1.0 / torch.bincount(labels)[labels].double()
        return torch.multinomial(weights, len(labels), replacement=True, generator=random)


def _tensor(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.require(images, requirements=["C", "W"]))  # torch warns of read-only arrays
