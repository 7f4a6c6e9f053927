"""
From a dataset and a noise model to the samples of a run: subset (the dataset's own), then noise, then validation split.

The labels that training sees and the true ones part here: `TrainingData` is what training is given, `Truth` is for the
evaluator and the record of the run.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlcore.contracts import (
    Data,
    Dataset,
    DataSource,
    ImageStore,
    Labels,
    NoiseInfo,
    NoiseModel,
    SampleData,
    Split,
)
from nlcore.data import stores
from nlcore.data.repeats import Repeated, find_repeats
from nlcore.data.seeds import key
from nlcore.errors import UserError


@dataclass(frozen=True)
class LabelledImages:
    """
    Images with labels, and their ids.

    Attributes:
        images: N images of one size.
        labels: int64 (N,): the given ones of training and held-out samples, the true ones of test samples.
        ids: (N,), the dataset's stable ids.

    """

    images: ImageStore
    labels: Labels
    ids: NDArray[Any]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class TrainingData:
    """
    What training is given: it holds no true labels.

    Attributes:
        images: the training images.
        given: int64 (N,), their given labels.
        num_classes: K.
        mean, std: per channel, of values scaled to 0..1.
        declared: what the noise model declares, None where it declares nothing or the dataset's own truth is unknown.

    """

    images: ImageStore
    given: Labels
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    declared: NoiseInfo | None

    def __len__(self) -> int:
        return len(self.given)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.images.image_shape


@dataclass(frozen=True)
class Truth:
    """
    The true labels of training and held-out samples, for the evaluator and the record of a run alone.

    Attributes:
        train: int64 (N,), -1 for images of no class; None where the truth is unknown.
        validation: of the held-out samples, likewise.
        confusion: (K, K) counts [true, given] over both, None where the truth is unknown.
        noise_rate: the fraction of wrong labels over both, None where the truth is unknown.

    """

    train: Labels | None
    validation: Labels | None
    confusion: NDArray[np.int64] | None
    noise_rate: float | None

    @property
    def transition(self) -> NDArray[np.float64] | None:
        """The share of true class i given as j, (K, K), None where the truth is unknown; 0 without samples."""
        if self.confusion is None:
            return None
        shares: NDArray[np.float64] = self.confusion / np.maximum(self.confusion.sum(axis=1, keepdims=True), 1)
        return shares

    @property
    def num_open_set(self) -> int | None:
        """How many samples are of none of the classes, None where the truth is unknown."""
        parts = [labels for labels in (self.train, self.validation) if labels is not None]
        return sum(int((labels < 0).sum()) for labels in parts) if parts else None


@dataclass(frozen=True)
class RunData:
    """
    Everything about the data of a run.

    Attributes:
        train: the training samples with given labels.
        validation: held-out samples with given (noisy) labels, or None.
        test: the test samples; their labels are the true ones.
        truth: the true labels of training and held-out samples.
        classes: the names of the K classes.
        mean, std: per channel, of values scaled to 0..1.
        declared: what the noise model declares, None where it declares nothing or the dataset's own truth is unknown.
        fingerprint: names the content of the dataset, before any noise.
        notes: what a user should know about the data, a sentence each.
        repeated: where images occur that are in train and test, or under several labels.

    """

    train: LabelledImages
    validation: LabelledImages | None
    test: LabelledImages
    truth: Truth
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    declared: NoiseInfo | None
    fingerprint: str
    notes: tuple[str, ...] = ()
    repeated: tuple[Repeated, ...] = ()

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.classes)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.train.images.image_shape

    @property
    def training(self) -> TrainingData:
        """What training is given."""
        train = self.train
        return TrainingData(train.images, train.labels, self.num_classes, self.mean, self.std, self.declared)

    @property
    def noise_in_words(self) -> str:
        """What is declared and what is realised: ``45.00% declared, 45.03% of the labels wrong``."""
        if self.truth.noise_rate is None:
            return "how many labels are wrong is unknown"
        declared = f"{self.declared.rate:.2%} declared, " if self.declared else ""
        return f"{declared}{self.truth.noise_rate:.2%} of the labels wrong"

    @functools.cached_property
    def labels_sha256(self) -> str:
        """SHA-256 over ids and given labels of train and validation, sorted by id: which labels a result stands on."""
        parts = [self.train, self.validation] if self.validation else [self.train]
        ids = np.concatenate([part.ids for part in parts])
        given = np.concatenate([part.labels for part in parts])
        order = np.argsort(ids, kind="stable")
        text = "\n".join(f"{sample},{label}" for sample, label in zip(ids[order], given[order], strict=True))
        return hashlib.sha256(text.encode()).hexdigest()


def prepare(
    dataset: Dataset, noise: NoiseModel, source: DataSource, *, noise_seed: int, validation: float = 0.0
) -> RunData:
    """
    Load, corrupt and split.

    Args:
        dataset: where images and labels come from.
        noise: how labels are corrupted, with draws from ``np.random.default_rng(noise_seed)`` alone.
        source: where the dataset may look.
        noise_seed: also draws which samples are held out.
        validation: the fraction of the noisy training set to hold out, 0 for none.

    Raises:
        UserError: the data are not there or not what they should be.

    """
    data = dataset.load(source)
    repeated, said = find_repeats(data)
    images, given, clean = _corrupt(data, noise, noise_seed, source)
    held_out = _draw_held_out(given, validation, noise_seed)
    kept = np.setdiff1d(np.arange(len(given)), held_out)

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
        declared=declaration(noise, data.classes) if clean is not None else None,
        fingerprint=data.fingerprint or _fingerprint(data),
        notes=(*data.notes, *said),
        repeated=tuple(repeated),
    )


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
    data: Data, noise: NoiseModel, noise_seed: int, source: DataSource
) -> tuple[ImageStore, Labels, Labels | None]:
    """Return images, given labels and true labels (None where unknown) after label noise."""
    for split in (data.train, data.test):
        _check(split, data)
    images = stores.as_store(data.train.images)
    clean = data.train.clean
    samples = SampleData(data.train.ids, images, tuple(data.classes), source.directory, source)
    if hasattr(noise, "replace_images"):
        positions, replacements = noise.replace_images(samples, np.random.default_rng([noise_seed, 1]))
        images = stores.replace(images, positions, replacements)
        samples = SampleData(data.train.ids, images, tuple(data.classes), source.directory, source)
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


def _fingerprint(data: Data) -> str:
    """Return the SHA-256 over ids, labels and, where they lie in memory, images of train and test."""
    digest = hashlib.sha256()
    for split in (data.train, data.test):
        digest.update(repr(split.ids.tolist()).encode())
        digest.update(split.labels.tobytes())
        if isinstance(split.images, np.ndarray):
            digest.update(repr(split.images.shape).encode())
            digest.update(split.images.tobytes())
    return digest.hexdigest()


def _draw_held_out(given: Labels, fraction: float, noise_seed: int) -> Labels:
    """Return the sorted positions held out for validation: the same share of each given label, at random."""
    rng = np.random.default_rng(key(noise_seed, "validation"))
    held_out = []
    for label in np.unique(given):
        members = np.flatnonzero(given == label)
        held_out.append(rng.permutation(members)[: round(fraction * len(members))])
    return np.sort(np.concatenate(held_out))
