"""The row about predicting files: `nl predict`'s loop over photos against the network alone."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks.bench import Bench
from benchmarks.measure import Figure, Side, interleaved
from nlcore.data.views import Normalise
from nlcore.runs.model import TrainedModel
from nlcore.training.hardware import available_cpus, using_threads
from nlcore.training.predict import in_batches

FILES = 128  # different photos, which come again and again
PHOTO = (500, 375)  # pixels across and down
AT_ONCE = 64  # as in `TrainedModel.predict_files`


class Alone:
    """A strategy that is its network."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits


def files(bench: Bench) -> Figure:
    """Return the speed at which JPEGs of 500×375 are read and predicted over that of the network, both on all cores."""
    network = bench.new_network().eval().to(memory_format=torch.channels_last)
    normalise = Normalise(bench.data.mean, bench.data.std, torch.device("cpu"))
    strategy: Any = Alone(network)
    shape = bench.data.image_shape
    model = TrainedModel(strategy, {"network1": network}, bench.data.classes, shape, normalise, torch.device("cpu"))
    count, threads = 4 * sum(bench.sizes), available_cpus()
    ready = torch.rand(AT_ONCE, *shape).contiguous(memory_format=torch.channels_last)
    batches = -(-count // AT_ONCE)
    with tempfile.TemporaryDirectory() as folder, using_threads(threads):
        photos = [write_photo(Path(folder) / f"{number}.jpg", number) for number in range(min(FILES, count))]
        paths = [photos[number % len(photos)] for number in range(count)]
        sides = [
            Side("nl predict", lambda: sum(1 for _ in model.predict_files(paths)), count),
            Side("network", lambda: in_batches(network, [ready] * batches), batches * AT_ONCE),
        ]
        times = interleaved(sides, bench.rounds, torch.device("cpu"), bench.say)
    return replace(times.speed("nl predict", "network"), threads=threads)


def write_photo(path: Path, seed: int) -> Path:
    """Write a photo with structure of all sizes, so that it takes as many bytes as one from a camera."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).resize(PHOTO)) / 4
        for side in (4, 16, 64, 256)
    ]
    Image.fromarray(sum(layers).astype(np.uint8)).save(path, quality=85)  # type: ignore[union-attr]
    return path
