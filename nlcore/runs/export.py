"""
A trained model as one file for other programs: from bytes of pixels to probabilities, without nlcore.

    uint8 (N, H, W, C) → (x / 255 − mean) / std → the strategy's networks → softmax → float32 (N, K)

The graph is taken by `torch.export`, for any number of images and, where the network allows, for any size. The three
formats are made from it, and what is in the file is read back and compared with `TrainedModel.predict`.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from nlcore.errors import RunError, UserError
from nlcore.rundir.model_file import NAME, ModelFile
from nlcore.runs.export_formats import READERS, SUFFIXES, WRITERS, Images, Probabilities, check_ending, check_installed
from nlcore.runs.model import TrainedModel

LARGEST = 1e-4  # difference of a probability from nl predict's
_COUNT = 8  # images to compare with, of each size
_TORCH = os.path.dirname(torch.__file__) + os.sep


@dataclass(frozen=True)
class Exported:
    """
    What was written.

    Attributes:
        path: of the file.
        any_size: whether it takes images of other sizes than the model's.
        difference: the largest one of a probability from nl predict's, on images from one colour to noise.
        checked_with: what read the file and computed.

    """

    path: Path
    any_size: bool
    difference: float
    checked_with: str


class FromPixels(nn.Module):
    """All of a model, with normalisation before and softmax after it."""

    scale: Tensor
    shift: Tensor

    def __init__(self, model: TrainedModel, about: ModelFile) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(model.networks)  # of these the strategy predicts
        self.probabilities = model.probabilities
        mean, std = (torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1) for values in (about.mean, about.std))
        self.register_buffer("scale", (1 / (255 * std)).float())
        self.register_buffer("shift", (-mean / std).float())

    def forward(self, images: Tensor) -> Tensor:
        """Map uint8 (N, H, W, C) to probabilities, float32 (N, K)."""
        normalised = images.permute(0, 3, 1, 2).float() * self.scale + self.shift
        return self.probabilities(normalised)


def export_model(
    model: TrainedModel, folder: Path, to: str, path: Path, say: Callable[[str], None] = lambda what: None
) -> Exported:
    """
    Write a model as one file.

    Args:
        model: on the CPU.
        folder: of the model, with its ``model.json``.
        to: the format, one of `SUFFIXES`.
        path: of the file; one that is there is replaced.
        say: is told what is done now.

    Raises:
        UserError: a package that the format needs is missing, the file's name is another format's, or the network
            decides in Python what to compute.
        RunError: the file's predictions are not the model's; it is not written.

    """
    about = ModelFile.read(folder / NAME)
    check_installed(to)
    check_ending(to, path)
    whole, images = FromPixels(model, about).eval(), _random(model.image_shape)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp{SUFFIXES[to]}")
    with _quietly(), torch.no_grad(), _without_gradients(whole):
        try:
            _check_writable(beside, path)
            say("finding the graph, for images of any size")
            for program, any_size in _graphs(whole, images):
                try:
                    say(f"writing {path.name}, for images of {'any' if any_size else 'one'} size")
                    WRITERS[to](program, whole, images, json.dumps(_described(about, any_size)), beside)
                    say(f"comparing {path.name} with nl predict")
                    compute, checked_with = READERS[to](beside)
                    difference = _difference(model, compute, any_size)
                except Exception as error:
                    if not any_size:
                        raise UserError(_why_not(error)) from error
                    say("finding the graph, for images of one size")
                    continue  # not every layer is there for any size, and in each format others
                if difference <= LARGEST:
                    os.replace(beside, path)
                    return Exported(path, any_size, difference, checked_with)
        finally:
            beside.unlink(missing_ok=True)
    raise RunError(
        f"The exported model's probabilities differ by up to {difference:.1e} from those of nl predict (allowed: "
        f"{LARGEST:.0e}), as computed by {checked_with}. Nothing was written."
    )


def _check_writable(beside: Path, path: Path) -> None:
    try:
        beside.touch()
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from None


def _described(about: ModelFile, any_size: bool) -> dict[str, Any]:
    """Return what a program needs to know to use the file."""
    channels, height, width = about.image_shape
    dataset = dict(about.recipe.get("dataset", {}))
    return {
        "classes": list(about.classes),
        "input": "uint8 (N, H, W, C), 0..255; normalised inside",
        "output": "float32 (N, K), probabilities",
        "height": height,
        "width": width,
        "channels": channels,
        "any_size": any_size,
        "colours": "RGB" if channels == 3 else "grey" if channels == 1 else str(channels),
        "resize": str(dataset.get("resize", "crop" if "shorter_side" in dataset else "squash")),
        "shorter_side": dataset.get("shorter_side", min(height, width)),  # where it is cropped
        "interpolation": "bilinear, antialiased",
        "background": str(dataset.get("background", "white")),
        "mean": list(about.mean),
        "std": list(about.std),
        "versions": {name: metadata.version(name) for name in ("nlcore", "torch")},
    }


def _random(image_shape: tuple[int, int, int]) -> Tensor:
    channels, height, width = image_shape
    return torch.randint(0, 256, (2, height, width, channels), dtype=torch.uint8)


def _graphs(whole: FromPixels, images: Tensor) -> Iterator[tuple[ExportedProgram, bool]]:
    """
    Yield the graph for images of any size that is not smaller, if there is one, and the graph for the model's size.

    Raises:
        UserError: there is none, as Python decides what is computed.

    """
    _, height, width, _ = images.shape
    count = {0: Dim("count", min=1)}
    larger = {1: Dim("height", min=height, max=64 * height), 2: Dim("width", min=width, max=64 * width)}
    with contextlib.suppress(Exception):  # a layer on all pixels takes no others
        yield torch.export.export(whole, (images,), dynamic_shapes=(count | larger,)), True
    try:
        program = torch.export.export(whole, (images,), dynamic_shapes=(count,))
    except Exception as error:
        raise UserError(_why_not(error)) from error
    yield program, False


def _why_not(error: Exception) -> str:
    """Return why there is no graph, with the line of the network that stands in the way."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_TORCH)]
    last = next((frame for frame in reversed(frames) if frame.filename != __file__), None)
    where = f" ({last.filename}, line {last.lineno}: {last.line})" if last else ""
    if isinstance(error, GuardOnDataDependentSymNode):
        return (
            "The network cannot be exported: Python decides in it by values that are known only when images are "
            f"predicted{where}, and a file holds one fixed graph. Compute it with tensors alone, as with torch.where."
        )
    said = " ".join(str(error).strip().partition("\n")[0].split()) or type(error).__name__
    return f"The network cannot be exported{where}: {said.rstrip('.')}."


def _difference(model: TrainedModel, compute: Callable[[Images], Probabilities], any_size: bool) -> float:
    """Return the largest difference from the model's own predictions, of one image and of several, of each size."""
    channels, height, width = model.image_shape
    rng = np.random.default_rng(0)
    sizes = [(height, width), *([_other_size(height, width)] if any_size else [])]
    found = []
    for size in sizes:
        images = _of_all_contrasts(rng, (_COUNT, *size, channels))
        for some in (images, images[:1]):
            found.append(float(np.abs(compute(some) - model.predict(some)).max()))
    return max(found)


def _of_all_contrasts(rng: np.random.Generator, shape: tuple[int, int, int, int]) -> Images:
    """
    Return images from one colour to noise, uint8 (N, H, W, C).

    Of noise alone, many networks are so sure that whatever is done to its pixels changes no probability.
    """
    contrast = np.linspace(0.05, 1, shape[0])[:, None, None, None]
    colour = rng.uniform(0, 255, (shape[0], 1, 1, shape[-1]))
    mixed: Images = ((1 - contrast) * colour + contrast * rng.uniform(0, 256, shape)).astype(np.uint8)
    return mixed


def _other_size(height: int, width: int) -> tuple[int, int]:
    return height + max(2, height // 2), width + max(1, width // 4)


@contextlib.contextmanager
def _without_gradients(whole: nn.Module) -> Iterator[None]:
    """Write tensors that ask for no gradients: who uses the file need not know of them."""
    asking = [tensor for tensor in whole.parameters() if tensor.requires_grad]
    whole.requires_grad_(False)
    try:
        yield
    finally:
        for tensor in asking:
            tensor.requires_grad_(True)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep what torch's exporters print and log of their work from the user; errors are raised."""
    before, nowhere = logging.root.manager.disable, io.StringIO()
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
