"""A trained model, loaded from its run directory and ready to predict."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlcore.contracts import Labels, Strategy
from nlcore.data.image_files import UnreadableError, read_image
from nlcore.data.image_warnings import dropped_warnings
from nlcore.data.run_data import LabelledImages, TrainingData
from nlcore.data.views import Normalise
from nlcore.errors import UserError
from nlcore.host.boundary import attributed
from nlcore.host.discovery import reason
from nlcore.rundir.environment import resolve_model
from nlcore.rundir.model_file import NAME, ModelFile, from_json
from nlcore.rundir.result import Result
from nlcore.training.allocator import keeping_memory
from nlcore.training.build import Components, Idle, wire_for_prediction
from nlcore.training.hardware import available_cpus
from nlcore.training.predict import at_once, in_batches

T = TypeVar("T")

_WEIGHTS = "weights.safetensors"
_MOST_READERS = 16


class TrainedModel:
    """
    The networks of a finished run, in evaluation mode: ``model(images)`` gives class probabilities.

    Attributes:
        classes: the names of the K classes.
        image_shape: (C, H, W) that the model was trained on.
        networks: the networks by name; most methods have one, ``network1``.

    """

    def __init__(
        self,
        strategy: Strategy,
        networks: dict[str, nn.Module],
        classes: Sequence[str],
        image_shape: tuple[int, int, int],
        normalise: Normalise,
        device: torch.device,
        read: Callable[[Path, tuple[int, int, int]], NDArray[np.uint8]] = read_image,
    ) -> None:
        self._read = read
        self.classes = tuple(classes)
        self.image_shape = image_shape
        self.networks = networks
        self._strategy = strategy
        self._normalise = normalise
        self._device = device

    def __repr__(self) -> str:
        """Return what goes in and what comes out."""
        classes = ", ".join(self.classes[:10]) + (", ..." if len(self.classes) > 10 else "")
        channels, height, width = self.image_shape
        return f"TrainedModel({height}×{width}×{channels} images -> {len(self.classes)} classes: {classes})"

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the class probabilities, as `predict` does."""
        return self.predict(images)

    def predict(self, images: NDArray[np.uint8], batch_size: int | None = None) -> NDArray[np.float32]:
        """
        Return the class probabilities, float32 (N, K).

        Args:
            images: uint8 (N, H, W, C), 0..255.
            batch_size: how many are looked at together; none: 500, of images above 64×64 pixels fewer.

        Raises:
            UserError: images of another type or number of channels.

        """
        channels = self.image_shape[0]
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != channels:
            raise UserError(f"images: must be uint8 (N, H, W, {channels}), not {images.dtype} {images.shape}.")
        if not len(images):
            return np.empty((0, len(self.classes)), np.float32)

        size = batch_size or at_once(500, images[0].size)

        def batches() -> Iterator[Tensor]:
            for start in range(0, len(images), size):
                batch = torch.from_numpy(images[start : start + size].copy()).to(self._device)
                yield self._normalise(batch.permute(0, 3, 1, 2))

        found: NDArray[np.float32] = in_batches(self.probabilities, batches()).cpu().numpy()
        return found

    def probabilities(self, images: Tensor) -> Tensor:
        """Return the class probabilities, float32 (B, K), of normalised images, float32 (B, C, H, W)."""
        return self._strategy.predict(images).float().softmax(1)

    def predict_files(
        self,
        paths: Iterable[Path | str],
        unreadable: Callable[[Path, str], None] | None = None,
        batch_size: int = 64,
    ) -> Iterator[tuple[Path, NDArray[np.float32]]]:
        """
        Yield each image file with its class probabilities, float32 (K,), in the order of `paths`.

        Threads read the files of the next batches while one is predicted; no more are read ahead, so that any number
        of files needs the memory of a few batches. Each image is converted and resized to fit the model.

        Args:
            paths: the files, any number of them.
            unreadable: is called with a file that is no readable image and the reason, and the file is left out.
            batch_size: how many are predicted together.

        Raises:
            UserError: a file is no readable image, where no `unreadable` is given; or one path in place of several.

        """
        if isinstance(paths, str | os.PathLike):
            raise UserError(f"predict_files takes several paths: give a list, as in predict_files([{str(paths)!r}]).")
        readers = min(available_cpus(), _MOST_READERS)
        pool = ThreadPoolExecutor(readers, "read")
        with contextlib.ExitStack() as stack:
            stack.callback(pool.shutdown, wait=True, cancel_futures=True)  # also where nobody asks for the rest
            stack.enter_context(keeping_memory(self._device))
            named: list[Path] = []
            images: list[NDArray[np.uint8]] = []
            for path, read in _ahead(pool, self._read_or_reason, map(Path, paths), batch_size + 2 * readers):
                image = read.result()
                if isinstance(image, UnreadableError):
                    if unreadable is None:
                        raise UserError(f"{path} cannot be read as an image: {image}.")
                    unreadable(path, str(image))
                    continue
                named.append(path)
                images.append(image)
                if len(images) == batch_size:
                    yield from zip(named, self.predict(np.stack(images)), strict=True)
                    named, images = [], []
            if images:
                yield from zip(named, self.predict(np.stack(images)), strict=True)

    def read(self, path: Path) -> NDArray[np.uint8]:
        """
        Return an image file as the model sees it, uint8 (H, W, C).

        Raises:
            UnreadableError: it is no image that can be read.

        """
        with dropped_warnings:  # as of a large image: it is read all the same, and what is not is said by its name
            return self._read(path, self.image_shape)

    def _read_or_reason(self, path: Path) -> NDArray[np.uint8] | UnreadableError:
        try:
            return self.read(path)
        except UnreadableError as error:
            return error


def _ahead(
    pool: ThreadPoolExecutor, function: Callable[[Path], T], paths: Iterable[Path], count: int
) -> Iterator[tuple[Path, Future[T]]]:
    """Yield each path with what becomes of `function`, which is begun for `count` more before it is asked for."""
    begun: deque[tuple[Path, Future[T]]] = deque()
    for path in paths:
        begun.append((path, pool.submit(function, path)))
        if len(begun) > count:
            yield begun.popleft()
    yield from begun


def load_model(place: Path, device: str = "cpu") -> TrainedModel:
    """
    Return a trained model.

    Args:
        place: the folder of a finished run, or one with ``weights.safetensors`` and ``model.json`` alone, or one of
            these two files beside the other.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UserError: no model, an unfinished or damaged one, or one whose components are not installed.

    """
    from safetensors import SafetensorError

    folder = place.parent if place.name in (_WEIGHTS, NAME) else place
    if not (folder / _WEIGHTS).is_file():
        if (folder / "summary.json").is_file():
            raise UserError(f"{folder} has no trained weights (status: {Result.read(folder).status}).")
        raise UserError(f"{folder} holds no trained model: {_WEIGHTS} is missing. 'nl table' lists runs.")
    about = ModelFile.read(folder / NAME)
    try:
        return _load(folder, about, device)
    except FileNotFoundError as error:
        raise UserError(f"{folder} is incomplete: {Path(error.filename).name} is missing.") from error
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{folder} is damaged and cannot be loaded: {reason(error)[:200]}") from error


def _load(folder: Path, about: ModelFile, device: str) -> TrainedModel:
    from safetensors.torch import load_file

    experiment = resolve_model(folder, about.recipe, about.plugin_files)
    K = len(about.classes)
    declared, estimated = from_json(about.declared), from_json(about.estimated)
    images = _NoImages(about.image_shape)
    given = np.arange(about.num_samples, dtype=np.int64) % K  # nobody's labels: a model is handed on without any
    count = experiment.settings.trusted
    trusted = LabelledImages(images, np.arange(count) % K, np.arange(count)) if count else None
    data = TrainingData(images, given, K, about.mean, about.std, declared, trusted)
    strategy, architecture = experiment["strategy"].create(), experiment["architecture"].create()
    components = Components(strategy, architecture, Idle, experiment["optimizer"].create(), {})
    with attributed(experiment.entries):
        tensors = load_file(folder / _WEIGHTS)
        estimate = None if estimated is None else lambda: estimated
        ctx = wire_for_prediction(components, experiment.settings, data, tensors, device, estimate)
    normalise = Normalise(about.mean, about.std, ctx.device)
    read = getattr(experiment["dataset"].create(), "read", read_image)
    return TrainedModel(strategy, ctx.saved, about.classes, about.image_shape, normalise, ctx.device, read)


@dataclass(frozen=True)
class _NoImages:
    """The store of a model that has no training images."""

    image_shape: tuple[int, int, int]

    def __len__(self) -> int:
        return 0

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """Return nothing: nobody asks."""
        raise RuntimeError("a trained model has no training images")
