"""Predictions for every training sample by a network that has not seen it: cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlcore.config.experiment import Experiment, resolve
from nlcore.config.recipe import flat_recipe
from nlcore.config.settings import TrainingSettings
from nlcore.contracts import Evidence, ImageStore
from nlcore.data import stores
from nlcore.data.device_images import DeviceImages
from nlcore.data.run_data import LabelledImages, RunData
from nlcore.data.splits import k_folds
from nlcore.data.views import Normalise
from nlcore.training.allocator import keeping_memory
from nlcore.training.build import build
from nlcore.training.hardware import using_threads
from nlcore.training.predict import at_once
from nlcore.training.trainer import Trainer

#: What the networks learn by, everything else being the run's. The average of the weights predicts: it is right more
#: often than any single step's, and a short warm-up has not learnt the wrong labels by then.
WARM_UP: Mapping[str, Any] = {
    "strategy": "standard",
    "loss": "cross_entropy",
    "lr_schedule": "constant",
    "ema": 0.98,
    "trusted": 0,
    "validation": 0,
    "devices": 1,
    "num_nodes": 1,
}


def out_of_sample(
    experiment: Experiment,
    data: RunData,
    folds: int,
    epochs: int,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Evidence:
    """
    Return what networks predict for each training sample of a run, none of which was trained on that sample.

    Each of `folds` parts of the training set is predicted by a network that has learnt the others for some epochs,
    with cross-entropy and the run's architecture, optimiser and augmentation.

    Args:
        experiment: the run.
        data: its data.
        folds: how many parts.
        epochs: how long each network learns.
        progress: is told how many epochs of all are done.

    """
    whole = flat_recipe(experiment.config())
    recipe = {  # what is auto may wait for this very estimate
        key: value for key, value in whole.items() if key.partition(".")[0] not in WARM_UP and value != "auto"
    }
    frozen = "all" if experiment.settings.freeze else 0
    short = {**recipe, **WARM_UP, "epochs": epochs, "freeze": frozen}
    warm_up = replace(resolve(short), storage=experiment.storage)
    count = len(data.train)
    probabilities, features = np.zeros((count, data.num_classes)), np.zeros((count, 0), np.float32)
    for number, held in enumerate(k_folds(data.train.labels, folds, experiment.settings.seed)):
        if not len(held):
            continue
        trainer = build(warm_up, _only(data, np.setdiff1d(np.arange(count), held)))
        for epoch in range(1, epochs + 1):
            progress(number * epochs + epoch - 1, folds * epochs, "epochs of networks that hold samples out")
            with using_threads(trainer.hardware.threads), keeping_memory(trainer.hardware.device):
                trainer.train_epoch(epoch)
        with trainer.averaged():
            found, probabilities[held] = _predict(trainer, stores.subset(data.train.images, held), data)
        if not features.shape[1]:
            features = np.zeros((count, found.shape[1]), np.float32)
        features[held] = found
    progress(1, 1, "")
    return Evidence(data.train.labels, probabilities, features, experiment.settings.seed)


def warm_up_epochs(samples: int, folds: int, settings: TrainingSettings) -> int:
    """Return how many epochs a warm-up takes: ten, or as many as make 300 steps where that is more."""
    steps = max(1, samples * (folds - 1) // folds // settings.batch_size)
    return max(10, -(-300 // min(steps, settings.epoch_batches or steps)))


def _predict(trainer: Trainer, store: ImageStore, data: RunData) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return features (M, D) and class probabilities (M, K) of plain images."""
    network: Any
    (network,) = trainer.ctx.networks.values()
    images = DeviceImages(store, Normalise(data.mean, data.std, trainer.ctx.device), trainer.ctx.device)
    features, probabilities = [], []
    with using_threads(trainer.hardware.threads), trainer.ctx.evaluating():
        for batch in images.plain(torch.arange(len(store)), at_once(500, images.values)):
            features.append(network.features(batch).cpu())
            probabilities.append(network.head(features[-1].to(batch.device)).double().softmax(1).cpu())
    return torch.cat(features).numpy(), torch.cat(probabilities).numpy()


def _only(data: RunData, positions: NDArray[np.int64]) -> RunData:
    """Return the data of a run with a part of its training samples, and nothing of the truth."""
    train = data.train
    kept = LabelledImages(stores.subset(train.images, positions), train.labels[positions], train.ids[positions])
    return replace(data.untold, train=kept)
