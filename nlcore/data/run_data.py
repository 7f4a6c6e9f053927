"""
The data of a run: what training is given, what is measured on, and the truth, apart.

`TrainingData` is what training is given; it holds no true labels. `Truth` is for the evaluator and the record of a run.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlcore.contracts import ImageStore, Labels, NoiseInfo
from nlcore.data.repeats import Repeated


@dataclass(frozen=True)
class LabelledImages:
    """
    Images with labels, and their ids.

    Attributes:
        images: N images of one size.
        labels: int64 (N,): the given ones of training and held-out samples, the true ones of test and trusted samples.
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
    What training is given: it holds no true labels but those of trusted images.

    Attributes:
        images: the training images.
        given: int64 (N,), their given labels.
        num_classes: K.
        mean, std: per channel, of values scaled to 0..1.
        declared: what the noise model declares, None where it declares nothing or labels may be wrong before it.
        trusted: further images with their true labels, where the run tells the method some.

    """

    images: ImageStore
    given: Labels
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    declared: NoiseInfo | None
    trusted: LabelledImages | None = None

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
        declared: what the noise model declares, None where it declares nothing or labels may be wrong before it.
        fingerprint: names the content of the dataset, before any noise.
        notes: what a user should know about the data, a sentence each.
        repeated: where images occur that are in train and test, or under several labels.
        trusted: images with their true labels that training is told, apart from `train`; or None.
        further_tests: more test sets by name, with true labels, each measured apart.

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
    trusted: LabelledImages | None = None
    further_tests: Mapping[str, LabelledImages] = field(default_factory=dict)

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
        train, trusted = self.train, self.trusted
        return TrainingData(train.images, train.labels, self.num_classes, self.mean, self.std, self.declared, trusted)

    @property
    def untold(self) -> RunData:
        """The data without anything of the truth, nor what is held out: all that may be within a method's reach."""
        return replace(self, validation=None, trusted=None, truth=Truth(None, None, None, None))

    @property
    def noise_in_words(self) -> str:
        """What is declared and what is realised: ``45.00% declared, 45.03% of the labels wrong``."""
        if self.truth.noise_rate is None:
            return "how many labels are wrong is unknown"
        declared = f"{self.declared.rate:.2%} declared, " if self.declared else ""
        return f"{declared}{self.truth.noise_rate:.2%} of the labels wrong"

    @functools.cached_property
    def labels_sha256(self) -> str:
        """SHA-256 over ids and given labels of train and validation, sorted by id: the labels that led to a result."""
        parts = [self.train, self.validation] if self.validation else [self.train]
        ids = np.concatenate([part.ids for part in parts])
        given = np.concatenate([part.labels for part in parts])
        order = np.argsort(ids, kind="stable")
        text = "\n".join(f"{sample},{label}" for sample, label in zip(ids[order], given[order], strict=True))
        return hashlib.sha256(text.encode()).hexdigest()
