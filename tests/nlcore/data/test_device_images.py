"""A store that decodes on demand is one batch ahead, in one thread, and may vary training images itself."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from helpers import OnDemand, prepared, squares
from numpy.typing import NDArray
from torch import Tensor

from nlcore.contracts import Data, Labels, Pass, Split
from nlcore.data import stores
from nlcore.data.batches import TrainingBatches
from nlcore.data.device_images import Asked, DeviceImages
from nlcore.data.views import PLAIN, Normalise, View
from nlcore.host.registry import registry

CPU = torch.device("cpu")
AS_IS = Normalise((0.0,), (1.0,), CPU)


def data_of(train: Any, test: Any, labels: Labels) -> Data:
    """Return data of four classes that are shown as they are."""
    parts = [Split(images, labels, np.arange(len(labels)), labels) for images in (train, test)]
    return Data(parts[0], parts[1], ("a", "b", "c", "d"), (0.0,), (1.0,), "content")


class Slow(OnDemand):
    """Takes a while, and notes who asks, when, and what for."""

    def __init__(self, images: NDArray[np.uint8], seconds: float = 0.0) -> None:
        super().__init__(images)
        self.asked: list[list[int]] = []
        self.threads: set[str] = set()
        self.at_once = self.most_at_once = 0
        self._seconds = seconds

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """Return these images after a while."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.asked.append(indices.tolist())
        self.threads.add(threading.current_thread().name)
        time.sleep(self._seconds)
        self.at_once -= 1
        return super().fetch(indices)


def test_the_next_batch_is_fetched_while_one_is_used() -> None:
    store = Slow(squares(40)[0])
    order = torch.randperm(40)
    batches = DeviceImages(store, AS_IS, CPU).plain(order, 10)
    next(batches)
    for _ in range(200):
        if len(store.asked) == 2:
            break
        time.sleep(0.01)
    assert store.asked == [order[:10].tolist(), order[10:20].tolist()]  # and no more than that
    assert len(list(batches)) == 3
    assert [one for part in store.asked for one in part] == order.tolist()


def test_one_call_at_a_time_in_another_thread_also_for_a_pair() -> None:
    images, labels = squares(48)
    store = Slow(images, seconds=0.002)
    data = prepared(data_of(store, images, labels))
    batches = TrainingBatches(data.training, {"weak": PLAIN, "strong": PLAIN}, 8, 1, CPU)
    seen = list(batches.iterate(Pass(paired=Pass(torch.arange(20))), 1, "0"))
    assert len(seen) == 6
    assert store.most_at_once == 1
    assert threading.current_thread().name not in store.threads
    for batch in seen:
        for one in (batch, batch.paired):
            assert one is not None
            expected = torch.from_numpy(images)[one.index].permute(0, 3, 1, 2) / 255
            torch.testing.assert_close(one.images, expected)


class Broken(OnDemand):
    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        if 25 in indices:
            raise OSError("image 25 is gone")
        return super().fetch(indices)


def test_what_a_store_raises_is_raised_where_its_batch_is_used() -> None:
    batches = DeviceImages(Broken(squares(40)[0]), AS_IS, CPU).plain(torch.arange(40), 10)
    assert len([next(batches), next(batches)]) == 2
    with pytest.raises(OSError, match="image 25 is gone") as caught:
        next(batches)
    assert any(entry.name == "fetch" for entry in caught.traceback)  # so that its plugin can be named


@dataclass
class Photos:
    """Photos of 12 by 12 pixels, of which a quarter is shown: the middle, or any in training."""

    photos: NDArray[np.uint8]
    image_shape: tuple[int, int, int] = (1, 6, 6)
    corners: list[list[int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.photos)

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """Return the middles."""
        return self.photos[indices, 3:9, 3:9]

    def fetch_augmented(self, indices: Labels, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return quarters at random."""
        corners = rng.integers(0, 7, (len(indices), 2))
        self.corners.append(corners.flatten().tolist())
        pairs = zip(indices, corners, strict=True)
        return np.stack([self.photos[i, top : top + 6, left : left + 6] for i, (top, left) in pairs])


def photos(count: int = 24) -> Photos:
    return Photos(np.random.default_rng(0).integers(0, 256, (count, 12, 12, 1), np.uint8))


def passes(store: Photos, views: tuple[str, ...], epoch: int = 1, seed: int = 1) -> list[tuple[Tensor, ...]]:
    labels = np.arange(len(store)) % 4
    data = prepared(data_of(store, store, labels))
    flip = View([registry().create("augmentation", "flip")], ["flip"])
    batches = TrainingBatches(data.training, {"weak": flip, "strong": View([], [])}, 8, seed, CPU)
    return [batch.views for batch in batches.iterate(Pass(views=views, shuffle=False), epoch, "0")]


def test_a_store_varies_training_views_and_not_the_plain_one() -> None:
    store = photos()
    plain = torch.cat([views[2] for views in passes(store, ("weak", "strong", "plain"))])
    torch.testing.assert_close(plain, torch.from_numpy(store.fetch(np.arange(24))).permute(0, 3, 1, 2) / 255)
    assert len(store.corners) == 6  # two views of three batches
    strong = torch.cat([views[1] for views in passes(store, ("weak", "strong", "plain"))])
    everything = torch.from_numpy(store.photos).permute(0, 3, 1, 2) / 255
    for number, image in enumerate(strong):
        windows = everything[number, 0].unfold(0, 6, 1).unfold(1, 6, 1).reshape(-1, 6, 6)
        assert ((windows - image[0]).abs() < 1e-4).all(dim=(1, 2)).any()
    assert not torch.equal(strong, plain)


def test_what_a_store_draws_is_drawn_anew_in_each_view_batch_and_epoch_and_can_be_replayed() -> None:
    def drawn(epoch: int = 1, seed: int = 1) -> list[list[int]]:
        store = photos()
        passes(store, ("weak", "weak"), epoch, seed)
        return store.corners

    first = drawn()
    assert len({tuple(one) for one in first}) == 6
    assert first == drawn()
    for other in (drawn(epoch=2), drawn(seed=2)):
        assert not {tuple(one) for one in other} & {tuple(one) for one in first}


def test_a_subset_and_replaced_images_are_varied_too() -> None:
    store = photos()
    part = stores.subset(stores.replace(store, np.array([3]), np.full((1, 6, 6, 1), 7, np.uint8)), np.array([5, 3]))
    assert stores.varies(part)
    assert not stores.varies(stores.subset(OnDemand(squares(4)[0]), np.array([1])))
    view = View([], [])
    ((_, (images,)),) = DeviceImages(part, AS_IS, CPU).in_order(torch.arange(2), [2], [Asked(view, (), seed=4)])
    (top, left), _ = np.random.default_rng([4, 0]).integers(0, 7, (2, 2))
    expected = torch.from_numpy(store.photos[5, top : top + 6, left : left + 6, 0]) / 255
    torch.testing.assert_close(images[0, 0], expected)
    torch.testing.assert_close(images[1], torch.full((1, 6, 6), 7 / 255))
