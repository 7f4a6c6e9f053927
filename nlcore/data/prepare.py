"""
From a dataset and a noise model to the samples of a run: subset (the dataset's own), then noise, then splits.

What is split off are the samples whose true labels are told (trusted) and those that are held out (validation).

The labels that training sees and the true ones part here: `TrainingData` is what training is given, `Truth` is for the
evaluator and the record of the run.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nlcore.contracts import (
    Data,
    Dataset,
    DatasetContext,
    ImageStore,
    Labels,
    NoiseContext,
    NoiseInfo,
    NoiseModel,
    Split,
)
from nlcore.data import splits, stores
from nlcore.data.exclude import excluded
from nlcore.data.repeats import find_repeats
from nlcore.data.run_data import LabelledImages, RunData, Truth
from nlcore.errors import UserError


def prepare(
    dataset: Dataset,
    noise: NoiseModel,
    source: DatasetContext,
    *,
    noise_seed: int,
    validation: float = 0.0,
    trusted: int = 0,
    exclude: Path | None = None,
) -> RunData:
    """
    Load, corrupt and split.

    Args:
        dataset: where images and labels come from.
        noise: how labels are corrupted, with draws from ``np.random.default_rng(noise_seed)`` alone.
        source: where the dataset may look.
        noise_seed: also draws which samples are held out, and which are trusted.
        validation: the fraction of the noisy training set to hold out, 0 for none.
        trusted: how many images training is told the true labels of, as many of each class as there are: of the
            dataset's own trusted samples where it has such, else taken out of the training set.
        exclude: a file that names training samples to leave out, see `nlcore.data.exclude`.

    Raises:
        UserError: the data are not there or not what they should be.

    """
    data = dataset.load(source)
    fingerprint = data.fingerprint or _fingerprint(data)
    repeated, said = find_repeats(data)
    images, given, clean = _corrupt(data, noise, noise_seed, source)
    if exclude is not None:  # after the noise, so that the others keep the labels that they have without it
        left_out, about = excluded(exclude, data.train.ids, data.test.ids)
        stay = np.setdiff1d(np.arange(len(given)), left_out)
        if not len(stay):
            raise UserError(f"exclude = {exclude}: that leaves nothing to train on. Leave fewer out.")
        images, given, clean = stores.subset(images, stay), given[stay], None if clean is None else clean[stay]
        data = replace(data, train=replace(data.train, ids=data.train.ids[stay]))
        said = [*said, *about]
    told, of_train = _draw_trusted(data, images, clean, trusted, noise_seed)
    rest = np.setdiff1d(np.arange(len(given)), of_train)
    held_out = rest[splits.held_out(given[rest], validation, noise_seed)]
    kept = np.setdiff1d(rest, held_out)

    def part(chosen: Labels) -> tuple[LabelledImages, Labels | None]:
        whole = len(chosen) == len(given)  # which needs no copy
        store = images if whole else stores.subset(images, chosen)
        labelled = LabelledImages(store, given[chosen], data.train.ids[chosen])
        return labelled, None if clean is None else clean[chosen]

    train, true = part(kept)
    validation_samples, validation_true = part(held_out) if len(held_out) else (None, None)
    return RunData(
        train=train,
        validation=validation_samples,
        test=LabelledImages(stores.as_store(data.test.images), data.test.labels, data.test.ids),
        truth=_truth(given, clean, true, validation_true, len(data.classes)),
        classes=tuple(data.classes),
        mean=data.mean,
        std=data.std,
        declared=declaration(noise, data.classes) if _labels_are_true(data.train) else None,
        fingerprint=fingerprint,
        notes=(*data.notes, *said),
        repeated=tuple(repeated),
        trusted=told,
        further_tests={
            name: LabelledImages(stores.as_store(split.images), split.labels, split.ids)
            for name, split in data.further_tests.items()
        },
    )


def _labels_are_true(split: Split) -> bool:
    """Tell whether a dataset's own labels are known to be right: then the noise that is declared is all there is."""
    return split.clean is not None and bool((split.labels == split.clean).all())


def _truth(given: Labels, clean: Labels | None, train: Labels | None, held_out: Labels | None, classes: int) -> Truth:
    if clean is None:
        return Truth(None, None, None, None)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    ours = clean >= 0
    np.add.at(confusion, (clean[ours], given[ours]), 1)
    return Truth(train, held_out, confusion, float(np.mean(given != clean)))


def declaration(noise: NoiseModel, classes: Sequence[str]) -> NoiseInfo | None:
    """Return what a noise model declares for these classes, None where it declares nothing."""
    declares: Any = getattr(noise, "declared", None)
    if declares is None:
        return None
    goes_by_names = "classes" in inspect.signature(declares).parameters
    info: NoiseInfo = declares(len(classes), tuple(classes)) if goes_by_names else declares(len(classes))
    return info


def _corrupt(
    data: Data, noise: NoiseModel, noise_seed: int, source: DatasetContext
) -> tuple[ImageStore, Labels, Labels | None]:
    """Return images, given labels and true labels (None where unknown) after label noise."""
    for split in _splits(data):
        _check(split, data)
    for name in data.further_tests:
        if not re.fullmatch("[a-z][a-z0-9_]*", name):  # it becomes the name of a column
            raise UserError(f"The dataset is inconsistent: a further test set is called {name!r}; name it as in val_2.")
    images = stores.as_store(data.train.images)
    clean = data.train.clean
    samples = NoiseContext(data.train.ids, images, tuple(data.classes), source.directory, source)
    if hasattr(noise, "replace_images"):
        positions, replacements = noise.replace_images(samples, np.random.default_rng([noise_seed, 1]))
        images = stores.replace(images, positions, replacements)
        samples = NoiseContext(data.train.ids, images, tuple(data.classes), source.directory, source)
        if clean is not None:
            clean = clean.copy()
            clean[positions] = -1
    rng = np.random.default_rng(noise_seed)
    try:
        given = np.asarray(noise.corrupt(data.train.labels.copy(), len(data.classes), rng, samples))
    except ValueError as error:
        raise UserError(f"The noise model cannot be used with this dataset: {error}.") from error
    if given.shape != data.train.labels.shape or given.dtype != np.int64:
        raise UserError(
            f"The noise model {type(noise).__name__} returned {given.dtype} {given.shape}, "
            f"not int64 {data.train.labels.shape}."
        )
    if len(given) and not (given.min() >= 0 and given.max() < len(data.classes)):
        raise UserError(f"The noise model {type(noise).__name__} returned labels outside 0..{len(data.classes) - 1}.")
    return images, given, clean


def _check(split: Split, data: Data) -> None:
    """Raise where a dataset's arrays do not fit each other."""
    wrong, classes = "The dataset is inconsistent:", len(data.classes)
    if isinstance(split.images, np.ndarray) and (split.images.dtype != np.uint8 or split.images.ndim != 4):
        found = f"{split.images.dtype} {split.images.shape}"
        raise UserError(f"{wrong} its images are not uint8 (N, H, W, C) but {found}.")
    store = stores.as_store(split.images)
    clean = [] if split.clean is None else [split.clean]
    if len({len(store), len(split.labels), len(split.ids), *map(len, clean)}) > 1:
        raise UserError(f"{wrong} images, labels and ids differ in number.")
    if len(store) == 0:
        raise UserError("The dataset is empty: it has no images in its training or test part.")
    for labels, lowest in ((split.labels, 0), *((array, -1) for array in clean)):
        if labels.dtype != np.int64 or labels.min() < lowest or labels.max() >= classes:
            raise UserError(f"{wrong} its labels are not int64 within {lowest}..{classes - 1}.")
    channels = store.image_shape[0]
    if not (len(data.mean) == len(data.std) == channels and min(data.std) > 0):
        raise UserError(f"{wrong} mean {data.mean} and std {data.std} do not fit images of {channels} channels.")


def _splits(data: Data) -> list[Split]:
    """Return all parts that a dataset has."""
    return [part for part in (data.train, data.test, data.trusted, *data.further_tests.values()) if part is not None]


def _fingerprint(data: Data) -> str:
    """Return the SHA-256 over ids, labels and, where they lie in memory, images of all parts."""
    digest = hashlib.sha256()
    for split in _splits(data):
        digest.update(repr(split.ids.tolist()).encode())
        digest.update(split.labels.tobytes())
        if isinstance(split.images, np.ndarray):
            digest.update(repr(split.images.shape).encode())
            digest.update(split.images.tobytes())
    return digest.hexdigest()


def _draw_trusted(
    data: Data, images: ImageStore, clean: Labels | None, count: int, noise_seed: int
) -> tuple[LabelledImages | None, Labels]:
    """Return the samples whose true labels are told, and their positions in the training set where they are of it."""
    nowhere = np.empty(0, np.int64)
    if not count:
        return None, nowhere
    if data.trusted is not None:
        store, labels, ids = stores.as_store(data.trusted.images), data.trusted.labels, data.trusted.ids
    elif clean is None:
        raise UserError(
            f"trusted = {count}: the true labels of this dataset are not known, and it has no trusted samples of its "
            "own. Leave --trusted out."
        )
    else:
        store, labels, ids = images, clean, data.train.ids
    chosen = splits.evenly(labels, count, noise_seed)
    if len(chosen) < count:
        raise UserError(f"trusted = {count}: there are only {len(chosen):,} images of known class. Give fewer.")
    told = LabelledImages(stores.subset(store, chosen), labels[chosen], ids[chosen])
    return told, nowhere if data.trusted is not None else chosen
