"""Measuring a model: accuracy on test and held-out data, and what it does with wrong labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nlcore.contracts import Labels, Strategy
from nlcore.data.device_images import DeviceImages
from nlcore.data.run_data import LabelledImages, RunData
from nlcore.data.seeds import derive_seed
from nlcore.data.views import Normalise
from nlcore.errors import RunError
from nlcore.training.context import Context
from nlcore.training.predict import at_once, in_batches

SAMPLE = 2_000  # training images evaluated after each epoch; all of them at the end


class Evaluator:
    """Evaluates a strategy in evaluation mode on plain images. The only part of training that is given true labels."""

    def __init__(self, strategy: Strategy, ctx: Context, data: RunData, train: DeviceImages) -> None:
        self._strategy = strategy
        self._ctx = ctx
        self._data = data
        self._train = train
        self._test = self._on_device(data.test)
        self._further = {name: self._on_device(images) for name, images in data.further_tests.items()}
        self._validation = self._on_device(data.validation) if data.validation else None
        # The same samples for every seed, so that runs can be compared sample by sample.
        rng = np.random.default_rng(derive_seed(0, "evaluation sample"))
        count = len(data.train)
        self._sample = np.sort(rng.permutation(count)[:SAMPLE])
        self.test_confusion = np.zeros((data.num_classes, data.num_classes), np.int64)

    def epoch(self) -> dict[str, float | None]:
        """Return what is measured after each epoch, as fractions; None where something is unknown."""
        self.test()
        row: dict[str, float | None] = {
            "test_accuracy": float(self.test_confusion.trace() / self.test_confusion.sum()),
            "test_balanced_accuracy": balanced_accuracy(self.test_confusion),
        }
        for name, images in self._further.items():
            labels = self._data.further_tests[name].labels
            row[f"test_accuracy_{name}"] = _accuracy(self._classes(images, None), labels)
        row |= self._memorisation(self._sample)
        row["validation_accuracy"] = None
        if self._validation is not None and self._data.validation is not None:
            row["validation_accuracy"] = _accuracy(self._classes(self._validation, None), self._data.validation.labels)
        return row | self._opinions()

    def test(self) -> None:
        """Count in `test_confusion`, [true, predicted], how the test images are predicted now."""
        self.test_confusion[:] = 0
        np.add.at(self.test_confusion, (self._data.test.labels, self._classes(self._test, None)), 1)

    def test_probabilities(self) -> NDArray[np.float32]:
        """Return the class probabilities of the test images now, (N, K)."""
        plain = self._test.plain(torch.arange(len(self._test)), self._size(self._test))
        with self._ctx.evaluating():
            shares = in_batches(lambda batch: self._strategy.predict(batch).float().softmax(1), plain)
        found: NDArray[np.float32] = shares.cpu().numpy()
        return found

    def final(self) -> dict[str, float | None]:
        """Return the memorisation figures over all training samples."""
        return self._memorisation(np.arange(len(self._data.train)))

    @property
    def held_out(self) -> list[DeviceImages]:
        """The images that are not trained on."""
        held_out = [] if self._validation is None else [self._validation]
        return [self._test, *self._further.values(), *held_out]

    @property
    def images_per_epoch(self) -> int:
        """How many images `epoch` looks at."""
        held_out = len(self._data.validation) if self._data.validation else 0
        further = sum(map(len, self._data.further_tests.values()))
        return len(self._data.test) + further + len(self._sample) + held_out

    def opinions(self) -> tuple[NDArray[np.float64] | None, Labels | None]:
        """Return what the strategy thinks of each given label: how likely it is right, and which label is."""
        probability, suggested = (self._opinion(name) for name in ("clean_probability", "suggested_labels"))
        return None if probability is None else probability.astype(np.float64), suggested

    def _opinion(self, name: str) -> Any:
        """
        Return what a strategy says of each sample, None where it has no opinion.

        Raises:
            RunError: not a value for each training sample.

        """
        said = getattr(self._strategy, name, lambda: None)()
        if said is None:
            return None
        count = len(self._data.train)
        if not isinstance(said, Tensor) or said.shape != (count,):
            found = tuple(said.shape) if isinstance(said, Tensor) else type(said).__name__
            raise RunError(f"The strategy {type(self._strategy).__name__}: {name}() gives {found}, not {(count,)}.")
        return said.detach().cpu().numpy()

    def _opinions(self) -> dict[str, float | None]:
        probability, suggested = self.opinions()
        return opinion_metrics(probability, suggested, self._data.train.labels, self._data.truth.train)

    def _memorisation(self, positions: Labels) -> dict[str, float | None]:
        predicted, truth = self._classes(self._train, positions), self._data.truth.train
        given = self._data.train.labels[positions]
        return memorisation(predicted, given, None if truth is None else truth[positions])

    def _on_device(self, images: LabelledImages) -> DeviceImages:
        normalise = Normalise(self._data.mean, self._data.std, self._ctx.device)
        return DeviceImages(images.images, normalise, self._ctx.device)

    def _classes(self, images: DeviceImages, positions: Labels | None) -> Labels:
        """Return the predicted classes of these images, all of them where no positions are given."""
        index = torch.from_numpy(np.arange(len(images)) if positions is None else positions)
        plain = images.plain(index, self._size(images))
        with self._ctx.evaluating():
            classes = in_batches(lambda batch: self._logits(batch).argmax(1), plain)
        found: Labels = classes.cpu().numpy()
        return found

    def _logits(self, batch: Tensor) -> Tensor:
        logits = self._strategy.predict(batch)
        if logits.shape != (len(batch), self._data.num_classes):
            raise RunError(
                f"The strategy {type(self._strategy).__name__} predicts a tensor of shape {tuple(logits.shape)}; "
                f"predict must return logits (B, K), here ({len(batch)}, {self._data.num_classes})."
            )
        return logits

    def _size(self, images: DeviceImages) -> int:
        return at_once(2_000 if self._ctx.device.type == "cuda" else 500, images.values)


def memorisation(predicted: Labels, given: Labels, true: Labels | None) -> dict[str, Any]:
    """
    Return how a model treats rightly and wrongly labelled training samples.

    ``clean_accuracy``: share of rightly labelled samples predicted as labelled. ``memorised``: share of mislabelled
    ones predicted as their wrong given label. ``corrected``: share of mislabelled ones predicted as their true label.
    None where the truth is unknown or there are no such samples.
    """
    row: dict[str, Any] = {"clean_accuracy": None, "memorised": None, "corrected": None}
    if true is not None:
        wrong = given != true
        row["clean_accuracy"] = _accuracy(predicted[~wrong], given[~wrong])
        row["memorised"] = _accuracy(predicted[wrong], given[wrong])
        row["corrected"] = _accuracy(predicted[wrong], true[wrong])
    return row


def opinion_metrics(
    probability: NDArray[np.float64] | None, suggested: Labels | None, given: Labels, true: Labels | None
) -> dict[str, float | None]:
    """
    Return how well a method tells right labels from wrong ones.

    Args:
        probability: (N,), how likely each given label is right, or None.
        suggested: (N,), the labels that the method holds for right, or None.
        given: (N,).
        true: (N,), -1 for images of no class; None where unknown.

    Returns:
        ``selection_auc``: area under the ROC curve of `probability` for right against wrong labels;
        ``selection_precision``, ``selection_recall``: of the labels with a probability above 1/2, the share that is
        right, and the share of all right labels that they are; ``correction_accuracy``: the share of `suggested` that
        equals the true label. None where something is unknown or there is nothing to count.

    """
    row: dict[str, float | None] = dict.fromkeys(
        ("selection_auc", "selection_precision", "selection_recall", "correction_accuracy")
    )
    if true is None:
        return row
    right = given == true
    if probability is not None and right.any():
        chosen = probability > 0.5
        row["selection_precision"] = float(right[chosen].mean()) if chosen.any() else None
        row["selection_recall"] = float(chosen[right].mean())
        if not right.all():
            row["selection_auc"] = _auc(probability, right)
    if suggested is not None:
        row["correction_accuracy"] = _accuracy(suggested, true)
    return row


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Return the mean of the classes' accuracies from counts [true, predicted]; empty classes do not count."""
    counts = confusion.sum(axis=1)
    return float(np.mean(confusion.diagonal()[counts > 0] / counts[counts > 0]))


def _auc(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative, ties counting half."""
    from scipy.stats import rankdata

    ranks = rankdata(score)
    count = int(positive.sum())
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(score) - count)))


def _accuracy(predicted: Labels, labels: Labels) -> float | None:
    return float(np.mean(predicted == labels)) if len(labels) else None
