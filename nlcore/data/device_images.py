"""
Images of one store on the training device, as a network sees them.

Images in memory are copied once to the device as uint8, and every batch is gathered, augmented and normalised there. A
store that decodes on demand hands over the same uint8 images batch by batch instead, one batch ahead, in a thread; from
there on the two are treated alike and give the same numbers.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nlcore.contracts import Draws, ImageStore
from nlcore.data.stores import ArrayStore, varies
from nlcore.data.views import PLAIN, Normalise, View, part_of


@dataclass(frozen=True)
class Asked:
    """
    A view that is asked for.

    Attributes:
        view: how images become what a network sees.
        draws: what was drawn for it, for all images of a pass.
        seed: of what the store draws for it, see `ImageStore.fetch_augmented`.

    """

    view: View
    draws: Sequence[Draws] = ()
    seed: int = 0


class DeviceImages:
    """
    Images of one store as a network sees them, on one device: float32 (B, C, H, W) channels_last.

    Attributes:
        features: what every view shows in their place where it is there, float32 (N, D), on any device; a batch of it
            is (B, D, 1, 1).

    """

    features: Tensor | None = None

    def __init__(self, store: ImageStore, normalise: Normalise, device: torch.device) -> None:
        self._store = store
        self._varies = varies(store)
        self._normalise = normalise
        self._device = device
        self._images = _tensor(store.images).to(device) if isinstance(store, ArrayStore) else None
        self._prepared: dict[int, Any] = {}  # by the augmentation that asked for it

    def __len__(self) -> int:
        return len(self._store)

    @property
    def values(self) -> int:
        """How many numbers a network is given for an image."""
        return math.prod(self._store.image_shape) if self.features is None else self.features.shape[1]

    def in_order(
        self, indices: Tensor, lengths: Sequence[int], asked: Sequence[Asked]
    ) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
        """
        Yield batch after batch: positions, int64 (B,) on the device, and the images there in each view.

        Args:
            indices: int64 (M,), on the CPU.
            lengths: of the batches, M together.
            asked: the views, with draws for M images.

        """
        on_device = indices.to(self._device)
        starts = np.cumsum([0, *lengths])
        parts = [slice(int(first), int(last)) for first, last in pairwise(starts)]
        if self.features is not None:
            for part in parts:
                rows = self.features[indices[part].to(self.features.device)].to(self._device)
                yield on_device[part], (rows[:, :, None, None],) * len(asked)
            return
        if self._images is not None:
            for part in parts:
                yield on_device[part], tuple(self._in_memory(on_device[part], part, asked))
            return
        positions = indices.numpy()
        for part, fetched in zip(parts, self._ahead(positions, parts, asked), strict=True):
            images = [_tensor(one).to(self._device).permute(0, 3, 1, 2) for one in fetched]
            images *= len(asked) // len(images)  # fetched for each view, or once for all
            yield (
                on_device[part],
                tuple(
                    one.view.finish(own, part_of(one.draws, part), self._normalise)
                    for one, own in zip(asked, images, strict=True)
                ),
            )

    def plain(self, indices: Tensor, size: int) -> Iterator[Tensor]:
        """Yield the images at these positions as they are, in batches of `size`."""
        count = len(indices)
        lengths = [min(size, count - start) for start in range(0, count, size)]
        for _, views in self.in_order(indices, lengths, [Asked(PLAIN)]):
            yield views[0]

    def _in_memory(self, index: Tensor, part: slice, asked: Sequence[Asked]) -> Iterator[Tensor]:
        """Yield images that lie on the device in each view."""
        assert self._images is not None
        gathered: Tensor | None = None
        for one in asked:
            draws, first = part_of(one.draws, part), one.view.gathers
            if first is not None:
                images = first.gather(self._prepare(first), index, draws[0])
                yield one.view.finish(images, draws, self._normalise, done=1)
                continue
            gathered = self._images[index].permute(0, 3, 1, 2) if gathered is None else gathered
            yield one.view.finish(gathered, draws, self._normalise)

    def _ahead(
        self, positions: NDArray[np.int64], parts: Sequence[slice], asked: Sequence[Asked]
    ) -> Iterator[list[NDArray[np.uint8]]]:
        """Yield what is fetched for each batch; the next one is fetched while one is used."""
        waiting: deque[Future[list[NDArray[np.uint8]]]] = deque()
        for number, part in enumerate(parts):
            waiting.append(self._thread.submit(self._fetch, positions[part], number, asked))
            if number:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _fetch(self, positions: NDArray[np.int64], number: int, asked: Sequence[Asked]) -> list[NDArray[np.uint8]]:
        """Return the images of a batch: for each view where the store varies them, else once for all of them."""
        if not self._varies:
            return [self._store.fetch(positions)]
        store: Any = self._store
        return [
            store.fetch_augmented(positions, np.random.default_rng([one.seed, number]))
            if one.view is not PLAIN
            else store.fetch(positions)
            for one in asked
        ]

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix="fetch")

    def _prepare(self, augmentation: Any) -> Any:
        key = id(augmentation)
        if key not in self._prepared:
            self._prepared[key] = augmentation.prepare(self._images)
        return self._prepared[key]


def _tensor(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.require(images, requirements=["C", "W"]))  # torch warns of read-only arrays
