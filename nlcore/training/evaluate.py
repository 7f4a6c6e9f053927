"""Measuring a model: accuracy on test and held-out data, and what it does with wrong labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from nlcore.contracts import Augmentation, Labels, Strategy
from nlcore.data.augment import Normalise
from nlcore.data.batches import Pixels
from nlcore.data.prepare import Samples, TrainingData, Truth
from nlcore.data.seeds import key
from nlcore.training.context import Context

SAMPLE = 2_000  # training images looked at after each epoch; all of them at the end


class Evaluator:
    """Evaluates a strategy in evaluation mode on unaugmented images. The only part that is given true labels."""

    def __init__(self, strategy: Strategy, ctx: Context, data: TrainingData, train: Pixels) -> None:
        self._strategy = strategy
        self._ctx = ctx
        self._data = data
        self._train = train
        self._test = self._pixels(data.test)
        self._validation = self._pixels(data.validation) if data.validation else None
        # The same samples for every seed, so that runs can be compared sample by sample.
        rng = np.random.default_rng(key(0, "evaluation sample"))
        count = len(data.train)
        self._sample = np.sort(rng.permutation(count)[:SAMPLE])

    def epoch(self) -> dict[str, float | None]:
        """Return what is measured after each epoch, as fractions; None where the truth is unknown."""
        row: dict[str, float | None] = {
            "test_accuracy": _accuracy(self._classes(self._test, None), self._data.test.given)
        }
        row |= self._memorisation(self._sample)
        row["validation_accuracy"] = None
        if self._validation is not None and self._data.validation is not None:
            row["validation_accuracy"] = _accuracy(self._classes(self._validation, None), self._data.validation.given)
        return row

    def final(self) -> dict[str, float | None]:
        """Return the memorisation figures over all training samples."""
        return self._memorisation(np.arange(len(self._data.train)))

    @property
    def images_per_epoch(self) -> int:
        """How many images `epoch` looks at."""
        held_out = len(self._data.validation) if self._data.validation else 0
        return len(self._data.test) + len(self._sample) + held_out

    def _memorisation(self, positions: Labels) -> dict[str, float | None]:
        predicted = self._classes(self._train, positions)
        return memorisation(predicted, self._data.train.given[positions], self._data.truth, positions)

    def _pixels(self, samples: Samples) -> Pixels:
        normalise = Normalise(self._data.mean, self._data.std, self._ctx.device)
        return Pixels(samples.images, Augmentation(padding=0, flip=False), normalise, self._ctx.device)

    def _classes(self, pixels: Pixels, positions: Labels | None) -> Labels:
        """Return the predicted classes of these images, read from the device once."""
        device = self._ctx.device
        size = 2_000 if device.type == "cuda" else 500
        chosen = np.arange(len(pixels)) if positions is None else positions
        index = torch.from_numpy(chosen).to(device)
        parts = []
        with self._ctx.evaluating():
            for start in range(0, len(index), size):
                parts.append(self._strategy.predict(pixels.plain(index[start : start + size])).argmax(1))
        classes: Labels = torch.cat(parts).cpu().numpy()
        return classes


def memorisation(predicted: Labels, given: Labels, truth: Truth, positions: Labels) -> dict[str, Any]:
    """
    Return how a model treats rightly and wrongly labelled training samples.

    ``clean_accuracy``: share of rightly labelled samples predicted as labelled. ``memorised``: share of mislabelled
    ones predicted as their wrong given label. ``corrected``: share of mislabelled ones predicted as their true label.
    None where the truth is unknown or there are no such samples.
    """
    row: dict[str, Any] = {"clean_accuracy": None, "memorised": None, "corrected": None}
    if truth.clean is not None:
        clean = truth.clean[positions]
        wrong = given != clean
        row["clean_accuracy"] = _accuracy(predicted[~wrong], given[~wrong])
        row["memorised"] = _accuracy(predicted[wrong], given[wrong])
        row["corrected"] = _accuracy(predicted[wrong], clean[wrong])
    return row


def _accuracy(predicted: Labels, labels: Labels) -> float | None:
    return float(np.mean(predicted == labels)) if len(labels) else None
