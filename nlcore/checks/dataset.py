"""
What holds for datasets.

Nothing is downloaded: where the data are not there, the dataset says so with a `nlcore.UserError` and its checks do not
apply. They are looked for where ``nl run`` looks: ``NL_DATA_DIR``, or the user's cache directory.
"""

from __future__ import annotations

import functools

import numpy as np

from nlcore.config.settings import data_directory
from nlcore.contracts import Data, DatasetContext, Labels, Split
from nlcore.data import stores


def images_are_uint8(cls: type) -> None:
    """Images of train and test are uint8 (N, H, W, C) of one size, or a store that fetches such; there are some."""
    data, sizes = _load(cls), set()
    for name, split in _splits(data):
        store = stores.as_store(split.images)
        assert len(store) > 0, f"{name}: there are no images."
        images = store.fetch(np.arange(min(len(store), 3)))
        good = images.dtype == np.uint8 and images.ndim == 4
        assert good, f"{name}: images are {images.dtype} {images.shape}, not uint8 (N, H, W, C) with values 0..255."
        _, height, width, channels = images.shape
        assert tuple(store.image_shape) == (channels, height, width), (
            f"{name}: the store says image_shape = {store.image_shape}, its images are (C, H, W) = "
            f"{(channels, height, width)}."
        )
        sizes.add(store.image_shape)
        if not isinstance(split.images, np.ndarray):
            assert data.fingerprint, "Data of a store need a fingerprint, a text that changes when the content does."
    assert len(sizes) == 1, f"Images of train and test differ in size: {sizes}."


def labels_are_int64_classes(cls: type) -> None:
    """Labels are int64 (N,) within 0..K-1, as many as images; true ones too, where known, -1 being none of ours."""
    data = _load(cls)
    for name, split in _splits(data):
        known = [("labels", split.labels, 0)] + ([("clean", split.clean, -1)] if split.clean is not None else [])
        count = len(stores.as_store(split.images))
        for what, labels, lowest in known:
            good = labels.dtype == np.int64 and labels.shape == (count,)
            assert good, f"{name}: {what} are {labels.dtype} {labels.shape}, not int64 {(count,)}."
            good = labels.min() >= lowest and labels.max() < len(data.classes)
            assert good, (
                f"{name}: {what} lie within {labels.min()}..{labels.max()}, not {lowest}..{len(data.classes) - 1}."
            )


def ids_are_unique(cls: type) -> None:
    """Every sample has its own id, an integer or a string, that names it whatever subset is taken."""
    for name, split in _splits(_load(cls)):
        count = len(stores.as_store(split.images))
        assert split.ids.shape == (count,), f"{name}: ids are {split.ids.shape}, not {(count,)}."
        assert split.ids.dtype.kind in "iuU", f"{name}: ids are {split.ids.dtype}, neither integers nor strings."
        assert len(np.unique(split.ids)) == count, f"{name}: some samples share an id."


def order_is_stable(cls: type) -> None:
    """Loading twice gives the same samples in the same order: sort what a directory lists, and draw nothing."""
    first, second = _load(cls), cls().load(_source())
    for (name, one), (_, other) in zip(_splits(first), _splits(second), strict=True):
        for field in ("labels", "ids", "clean"):
            assert _same(getattr(one, field), getattr(other, field)), f"{name}: loaded again, {field} are others."
        count = len(one.labels)
        some = np.unique(np.linspace(0, count - 1, min(count, 200)).astype(np.int64))
        fetched, again = (stores.as_store(split.images).fetch(some) for split in (one, other))
        assert np.array_equal(fetched, again), f"{name}: loaded again, images are others."
    assert first.classes == second.classes, "Loaded again, classes are named in another order."
    assert first.fingerprint == second.fingerprint, "Loaded again, the fingerprint is another one."


def classes_are_named(cls: type) -> None:
    """There are at least two classes, each with a name of its own and with training samples."""
    data = _load(cls)
    assert len(data.classes) >= 2, f"There are {len(data.classes)} classes."
    assert all(isinstance(name, str) and name for name in data.classes), f"Class names are no texts: {data.classes}."
    assert len(set(data.classes)) == len(data.classes), "Two classes have one name."
    missing = sorted(set(range(len(data.classes))) - set(np.unique(data.train.labels).tolist()))
    assert not missing, f"There are no training samples of class {missing[0]} ({data.classes[missing[0]]})."


def normalisation_fits_the_channels(cls: type) -> None:
    """Mean and standard deviation have one value for each channel, of pixels scaled to 0..1."""
    data = _load(cls)
    channels = stores.as_store(data.train.images).image_shape[0]
    for name, values in (("mean", data.mean), ("std", data.std)):
        assert len(values) == channels, f"{name} has {len(values)} values for images of {channels} channels."
        good = all(0 <= value <= 1 for value in values)
        assert good, f"{name} = {tuple(values)}: it is that of values scaled to 0..1, so divide by 255."
    assert min(data.std) > 0, "A standard deviation is 0."


CHECKS = (
    images_are_uint8,
    labels_are_int64_classes,
    ids_are_unique,
    order_is_stable,
    classes_are_named,
    normalisation_fits_the_channels,
)


@functools.lru_cache(maxsize=1)
def _load(cls: type) -> Data:
    """Load a dataset once for all of its checks."""
    data = cls().load(_source())
    assert isinstance(data, Data), f"load(source) returns {type(data).__name__}, not nlcore.contracts.Data."
    return data


def _source() -> DatasetContext:
    return DatasetContext(data_directory(), download=False)


def _splits(data: Data) -> list[tuple[str, Split]]:
    return [("train", data.train), ("test", data.test), *data.further_tests.items()]


def _same(one: Labels | None, other: Labels | None) -> bool:
    return one is other or (one is not None and other is not None and bool(np.array_equal(one, other)))
