"""
``model.json``: what a trained model needs besides ``weights.safetensors``.

The two files can be handed on together: they hold no labels, and nothing that training read is needed to predict.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlcore.contracts import NoiseInfo
from nlcore.errors import UserError
from nlcore.rundir import durable

NAME = "model.json"
_FORMAT = 1


def as_json(noise: NoiseInfo | None) -> dict[str, Any] | None:
    """Return what is declared or estimated of the noise as JSON values."""
    if noise is None:
        return None
    return {"rate": noise.rate, "transition": None if noise.transition is None else noise.transition.tolist()}


def from_json(content: Mapping[str, Any] | None) -> NoiseInfo | None:
    """Return what `as_json` was given."""
    import numpy as np

    if content is None:
        return None
    matrix = content["transition"]
    return NoiseInfo(content["rate"], None if matrix is None else np.array(matrix))


@dataclass(frozen=True)
class ModelFile:
    """
    The content of ``model.json``.

    Attributes:
        classes: the names of the K classes.
        image_shape: (C, H, W).
        mean, std: per channel, of values scaled to 0..1.
        num_samples: how many images it was trained on.
        declared: the declared noise, ``{"rate": ..., "transition": ...}``, or None.
        recipe: the experiment, every parameter written out.
        plugin_files: the single files that brought components, by slot.
        versions: of the components' distributions, by slot.
        estimated: the noise that was estimated, as `declared`.

    """

    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_samples: int
    declared: Mapping[str, Any] | None
    recipe: Mapping[str, Any]
    plugin_files: Mapping[str, str]
    versions: Mapping[str, str]
    estimated: Mapping[str, Any] | None = None

    def write(self, directory: Path) -> None:
        """Write it into a run's directory."""
        content = {"format": _FORMAT, **self.__dict__}
        durable.write(directory / NAME, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> ModelFile:
        """
        Read it.

        Raises:
            UserError: it is not there, or not what a run writes.

        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{path.parent} holds no trained model: {path.name} is missing.") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}.") from None
        wrong = UserError(f"{path} is not what a run writes.")
        if not isinstance(content, dict):
            raise wrong
        if content.pop("format", None) != _FORMAT:
            raise UserError(f"{path} was written by another version of nlcore (format {content.get('format')}).")
        try:
            shapes = {name: tuple(content[name]) for name in ("classes", "image_shape", "mean", "std")}
            model = cls(**{**content, **shapes})
            channels, height, width = (int(length) for length in model.image_shape)
            fits = len(model.mean) == len(model.std) == channels and all(isinstance(c, str) for c in model.classes)
            if not (fits and model.classes and isinstance(model.recipe, dict) and min(height, width) > 0):
                raise wrong
        except (KeyError, TypeError, ValueError):
            raise wrong from None
        return model
