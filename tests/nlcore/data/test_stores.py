"""Images in memory and on demand are the same to whoever fetches them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from helpers import OnDemand
from numpy.typing import NDArray

from nlcore.contracts import ImageStore, Labels
from nlcore.data import stores


def some_images(count: int = 12, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 6, 3), dtype=np.uint8)


KINDS = pytest.mark.parametrize("kind", [stores.as_store, OnDemand], ids=["array", "on demand"])
Maker = Callable[[NDArray[np.uint8]], ImageStore]


@KINDS
def test_a_store_tells_its_length_and_shape(kind: Maker) -> None:
    store = stores.as_store(kind(some_images()))
    assert len(store) == 12
    assert store.image_shape == (3, 4, 6)  # channels, height, width


def test_a_store_is_not_wrapped_again() -> None:
    store = OnDemand(some_images())
    assert stores.as_store(store) is store
    array = stores.as_store(some_images())
    assert stores.as_store(array) is array


@KINDS
def test_fetch_follows_the_order_it_is_asked_for(kind: Maker) -> None:
    images = some_images()
    fetched = stores.as_store(kind(images)).fetch(np.array([5, 0, 5]))
    assert fetched.dtype == np.uint8
    np.testing.assert_array_equal(fetched, np.stack([images[5], images[0], images[5]]))


@KINDS
def test_a_subset_of_a_subset_is_in_its_own_positions(kind: Maker) -> None:
    images = some_images()
    store = stores.subset(stores.subset(kind(images), np.array([9, 3, 7, 1])), np.array([3, 0]))
    assert len(store) == 2
    assert store.image_shape == (3, 4, 6)
    np.testing.assert_array_equal(store.fetch(np.array([0, 1])), np.stack([images[1], images[9]]))


def test_a_subset_on_demand_fetches_no_more_than_is_asked_for() -> None:
    store = OnDemand(some_images())
    stores.subset(store, np.array([9, 3, 7, 1])).fetch(np.array([2]))
    assert store.fetched == 1


@KINDS
def test_replaced_images_are_shown_at_their_positions_and_nowhere_else(kind: Maker) -> None:
    images, others = some_images(), some_images(3, seed=1)
    before = images.copy()
    store = stores.replace(kind(images), np.array([4, 0, 11]), others)
    assert len(store) == 12
    assert store.image_shape == (3, 4, 6)
    expected = [others[1], *images[1:4], others[0], *images[5:11], others[2]]
    np.testing.assert_array_equal(store.fetch(np.arange(12)), np.stack(expected))
    np.testing.assert_array_equal(store.fetch(np.array([11, 1])), np.stack([others[2], images[1]]))
    np.testing.assert_array_equal(images, before)


@KINDS
def test_a_subset_of_replaced_images_shows_them(kind: Maker) -> None:
    images, others = some_images(), some_images(2, seed=1)
    store = stores.subset(stores.replace(kind(images), np.array([2, 6]), others), np.array([6, 5]))
    np.testing.assert_array_equal(store.fetch(np.arange(2)), np.stack([others[1], images[5]]))


def test_an_array_stays_an_array_so_that_it_can_lie_on_the_device() -> None:
    store = stores.as_store(some_images())
    assert isinstance(stores.subset(store, np.array([1])), stores.ArrayStore)
    assert isinstance(stores.replace(store, np.array([1]), some_images(1)), stores.ArrayStore)


def test_replacing_does_not_write_into_what_a_store_hands_out() -> None:
    class Cached(OnDemand):
        def fetch(self, indices: Labels) -> NDArray[np.uint8]:
            return images  # its own memory

    images = some_images(2)
    before = images.copy()
    shown = stores.replace(Cached(images), np.array([1]), some_images(1, seed=1)).fetch(np.arange(2))
    np.testing.assert_array_equal(shown[1], some_images(1, seed=1)[0])
    np.testing.assert_array_equal(images, before)
