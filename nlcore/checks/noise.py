"""
What holds for noise models.

They are tried on 2,000 samples of ten classes with small colour images, called like CIFAR-10's. One that needs another
dataset or a file says so with a `nlcore.UserError`: its checks then do not apply.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlcore.checks.suite import NotApplicable
from nlcore.config.settings import data_directory
from nlcore.contracts import Labels, NoiseContext
from nlcore.data.prepare import declaration
from nlcore.data.stores import ArrayStore, SubsetStore
from nlcore.parameters import parameters_of

K = 10
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIGMAS = 6


def gives_labels_within_range(cls: type) -> None:
    """The given labels are int64 (N,) and lie within 0..K-1."""
    labels = _labels(2_000)
    given = _corrupt(cls(), labels)
    good = isinstance(given, np.ndarray) and given.dtype == np.int64 and given.shape == labels.shape
    assert good, f"It returns {_kind(given)}, not int64 {labels.shape}: use .astype(np.int64)."
    outside = given[(given < 0) | (given >= K)]
    assert not len(outside), f"It returns the label {outside[0]}, outside 0..{K - 1}."


def leaves_its_input_untouched(cls: type) -> None:
    """The given labels are a new array; the true ones, ids and images stay as they are."""
    labels, data = _labels(2_000), _data(2_000)
    given = _corrupt(cls(), labels, data=data)
    copy = "Begin with given = labels.copy()."
    assert np.array_equal(labels, _labels(2_000)), f"It changes the labels that it is given. {copy}"
    assert not np.shares_memory(given, labels), f"It returns the array that it is given. {copy}"
    assert np.array_equal(data.ids, np.arange(2_000)), "It changes the samples' ids."
    assert np.array_equal(data.images.fetch(np.arange(100)), _IMAGES), "It changes the samples' images."


def same_generator_gives_same_labels(cls: type) -> None:
    """It draws from `rng` alone: the same seed gives the same labels, whatever the global generators did before."""
    labels, results = _labels(2_000), []
    state = np.random.get_state(), random.getstate()
    try:
        for seed in (1, 2):
            np.random.seed(seed)
            random.seed(seed)
            torch.manual_seed(seed)
            results.append(_corrupt(cls(), labels))
    finally:
        np.random.set_state(state[0])
        random.setstate(state[1])
    assert np.array_equal(results[0], results[1]), (
        "The same seed gives other labels. Draw from rng alone, not from np.random, random or torch's global generator "
        "(torch.Generator().manual_seed(int(rng.integers(2**63))) makes one for torch)."
    )


def rate_zero_is_the_identity(cls: type) -> None:
    """With a ``rate`` of 0 no label changes."""
    rate = parameters_of(cls).get("rate")
    if rate is None or (rate.interval and 0.0 not in rate.interval):
        raise NotApplicable("It has no parameter rate that can be 0.")
    labels = _labels(2_000)
    changed = int((_corrupt(cls(rate=0.0), labels) != labels).sum())
    assert not changed, f"With rate = 0 it changes {changed} of {len(labels):,} labels."


def declares_what_it_does(cls: type) -> None:
    """
    What it draws agrees with what it declares, within six standard deviations of a binomial count.

    ``declared(num_classes)`` gives a rate in 0..1 and, where there is one, a row-stochastic (K, K) transition matrix
    whose wrong part, for balanced classes, is that rate. Compared are counts over 50,000 labels; with no matrix, their
    wrong part alone. Replaced images count as wrong, and in no row of the matrix.
    """
    model = cls()
    if not hasattr(model, "declared"):
        raise NotApplicable("It declares nothing.")
    labels, data = _labels(50_000), _data(50_000)
    given = _corrupt(model, labels, data)
    info = declaration(model, CLASSES)
    assert info is not None
    if replaces := hasattr(model, "replace_images"):
        labels[model.replace_images(data, np.random.default_rng(1))[0]] = -1
    assert 0 <= info.rate <= 1, f"It declares a rate of {info.rate}; it is a fraction, within 0..1."
    if info.transition is None or replaces:
        _compare("labels are wrong", int((given != labels).sum()), len(labels), info.rate)
    if info.transition is None:
        return
    T = info.transition
    assert T.shape == (K, K), f"It declares a transition matrix {T.shape} for {K} classes, not {(K, K)}."
    stochastic = T.min() >= 0 and np.allclose(T.sum(1), 1)
    assert stochastic, "The rows of its T[true, given] are no probabilities: each must sum to 1, with nothing below 0."
    expected = 1 - np.trace(T) / K
    assert replaces or np.isclose(expected, info.rate, atol=1e-6), (
        f"It declares a rate of {info.rate:.4f}, but by its transition matrix {expected:.4f} of the labels are wrong."
    )
    for true in range(K):
        row = given[labels == true]
        for label in range(K):
            words = f"labels of class {true} become {label}"
            _compare(words, int((row == label).sum()), len(row), T[true, label])


def replaces_images_of_its_samples(cls: type) -> None:
    """``replace_images`` gives different positions and as many uint8 images (M, H, W, C) of the same size."""
    model = cls()
    if not hasattr(model, "replace_images"):
        raise NotApplicable("It replaces no images.")
    positions, images = model.replace_images(_data(2_000), np.random.default_rng(1))
    unique = len(np.unique(positions)) == len(positions)
    within = not len(positions) or (min(positions) >= 0 and max(positions) < 2_000)
    different = unique and within
    assert different, "Its positions are not different ones within 0..N-1."
    expected = (len(positions), *_IMAGES.shape[1:])
    good = images.dtype == np.uint8 and images.shape == expected
    assert good, f"It gives {_kind(images)}, not uint8 {expected}."


CHECKS = (
    gives_labels_within_range,
    leaves_its_input_untouched,
    same_generator_gives_same_labels,
    rate_zero_is_the_identity,
    declares_what_it_does,
    replaces_images_of_its_samples,
)

_IMAGES: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (100, 8, 8, 3), dtype=np.uint8)


def _labels(count: int) -> Labels:
    return np.random.default_rng(5).permutation(np.arange(count, dtype=np.int64) % K)


def _data(count: int) -> NoiseContext:
    images = SubsetStore(ArrayStore(_IMAGES.copy()), np.arange(count) % 100)
    return NoiseContext(np.arange(count), images, CLASSES, data_directory())


def _corrupt(model: Any, labels: Labels, data: NoiseContext | None = None) -> Labels:
    given: Labels = model.corrupt(labels, K, np.random.default_rng(1), data or _data(len(labels)))
    return given


def _compare(words: str, count: int, total: int, p: float) -> None:
    bound = SIGMAS * np.sqrt(total * p * (1 - p)) + 1  # of a fixed number of samples, one may be rounded away
    assert abs(count - total * p) <= bound, (
        f"{count:,} of {total:,} {words}; declared are {total * p:,.0f}, give or take {bound:,.0f}."
    )


def _kind(array: Any) -> str:
    return f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
