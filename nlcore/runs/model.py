"""A trained model, loaded from its run directory and ready to predict."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nlcore.contracts import Strategy
from nlcore.data.augment import Normalise
from nlcore.data.image_files import UnreadableError, read_image
from nlcore.errors import UserError
from nlcore.rundir.directory import RunDirectory
from nlcore.rundir.environment import resolve_run
from nlcore.rundir.noise_report import declared_in
from nlcore.rundir.result import Result
from nlcore.training.context import Context, Facts
from nlcore.training.hardware import resolve_hardware


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
    ) -> None:
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

    def predict(self, images: NDArray[np.uint8], batch_size: int = 500) -> NDArray[np.float32]:
        """
        Return the class probabilities, float32 (N, K).

        Args:
            images: uint8 (N, H, W, C), 0..255.
            batch_size: how many are looked at together.

        Raises:
            UserError: images of another type or number of channels.

        """
        channels = self.image_shape[0]
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != channels:
            raise UserError(f"images: must be uint8 (N, H, W, {channels}), not {images.dtype} {images.shape}.")
        parts = []
        with torch.no_grad():
            for start in range(0, len(images), batch_size):
                batch = torch.from_numpy(images[start : start + batch_size].copy()).to(self._device).permute(0, 3, 1, 2)
                parts.append(self._strategy.predict(self._normalise(batch)).float().softmax(1).cpu().numpy())
        return np.concatenate(parts) if parts else np.empty((0, len(self.classes)), np.float32)

    def predict_files(
        self, paths: Iterable[Path], unreadable: Callable[[Path, str], None] | None = None, batch_size: int = 64
    ) -> Iterator[tuple[Path, NDArray[np.float32]]]:
        """
        Yield each image file with its class probabilities, float32 (K,), in the order of `paths`.

        Files are read as results are asked for, so that any number of them needs the memory of one batch. Each image is
        converted and resized to fit the model.

        Args:
            paths: the files.
            unreadable: is called with a file that is no readable image and the reason, and the file is left out.
            batch_size: how many are predicted together.

        Raises:
            UserError: a file is no readable image, where no `unreadable` is given.

        """
        waiting: list[Path] = []
        images: list[NDArray[np.uint8]] = []
        for path in paths:
            try:
                images.append(read_image(path, self.image_shape))
            except UnreadableError as error:
                if unreadable is None:
                    raise UserError(f"{path} cannot be read as an image: {error}.") from None
                unreadable(path, str(error))
                continue
            waiting.append(path)
            if len(images) == batch_size:
                yield from zip(waiting, self.predict(np.stack(images)), strict=True)
                waiting, images = [], []
        if images:
            yield from zip(waiting, self.predict(np.stack(images)), strict=True)


def load_model(run_dir: Path, device: str = "cpu") -> TrainedModel:
    """
    Return the trained model of a finished run.

    Raises:
        UserError: no run, an unfinished or damaged one, or one whose components are not installed.

    """
    from safetensors import SafetensorError

    status = Result.read(run_dir).status
    if not (run_dir / "weights.safetensors").is_file():
        raise UserError(f"{run_dir} has no trained weights (status: {status}).")
    try:
        return _load(run_dir, device)
    except FileNotFoundError as error:
        raise UserError(f"{run_dir} is incomplete: {Path(error.filename).name} is missing.") from error
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError, zipfile.BadZipFile) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{run_dir} is damaged and cannot be loaded: {' '.join(str(error).split())[:200]}") from error


def _load(run_dir: Path, device: str) -> TrainedModel:
    from safetensors import safe_open

    directory = RunDirectory(run_dir)
    weights_file = run_dir / "weights.safetensors"
    experiment = resolve_run(directory, "predict")
    with safe_open(weights_file, framework="pt") as file:
        about = json.loads(file.metadata()["nlcore"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (no iterable)
    with np.load(run_dir / "labels.npz", allow_pickle=False) as labels:
        given = labels["given"][~labels["validation"]]
    classes, shape = about["classes"], tuple(about["image_shape"])
    declared = declared_in(directory.read_json("noise.json"))
    hardware = resolve_hardware(device, "fp32", "auto")
    facts = Facts(len(classes), shape, torch.from_numpy(given).to(hardware.device), declared)
    make_loss = lambda: experiment.create("loss")  # noqa: E731
    ctx = Context(experiment.settings, facts, experiment.create("architecture"), make_loss, hardware)
    strategy = experiment.create("strategy")
    strategy.setup(ctx)
    for name, network in ctx.networks.items():
        prefix = f"{name}."
        network.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        network.eval()
    normalise = Normalise(about["mean"], about["std"], hardware.device)
    return TrainedModel(strategy, ctx.networks, classes, shape, normalise, hardware.device)
