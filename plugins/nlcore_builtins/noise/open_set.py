"""
Open-set noise (Wang et al. 2018, arXiv:1804.00092): some images show something that is none of the classes.

    x_i ← an image of another dataset, y_i stays, for int(N r) of the N samples

No label changes, yet a fraction r is wrong: the true label of a replaced image is -1. The other images are drawn from
that dataset's training part, none twice unless there are too few, without those of classes that go by one of our names.
They are resized (bilinear) and turned grey or RGB where ours are of another size or colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nlcore
from nlcore import UserError, parameter
from nlcore.contracts import DatasetContext, Labels, NoiseContext, NoiseInfo
from nlcore.toolbox import as_store
from nlcore_builtins.noise.drawing import checked


@dataclass(frozen=True)
class OpenSet:
    """
    Open-set noise: a share of the images is replaced by images of another dataset; their labels stay.

    int(N · rate) samples are drawn. Their true label is -1, none of the classes, and counts as wrong. Images of the
    other dataset are resized and turned grey or RGB where they have to be. Wang et al. 2018.
    """

    rate: float = parameter(0.2, "fraction of the images that are replaced", range="[0, 1]")
    images: str = parameter("cifar100", "the dataset that the other images are from, by name")

    def replace_images(self, data: NoiseContext, rng: np.random.Generator) -> tuple[Labels, NDArray[np.uint8]]:
        """
        Return the positions of the samples that are replaced, int64 (M,), and their images, uint8 (M, H, W, C).

        Raises:
            UserError: there is no such dataset, its files are not there, or all its classes are ours.

        """
        source = data.source or DatasetContext(data.directory or Path(), download=False)
        other = nlcore.create("dataset", self.images).load(source)
        theirs = [number for number, name in enumerate(other.classes) if name not in data.classes]
        pool = np.flatnonzero(np.isin(other.train.labels, theirs))
        if not len(pool):
            raise UserError(
                f"open_set: the images of {self.images} are of our own classes. "
                "Choose another dataset with --noise.images."
            )
        positions = rng.permutation(len(data.ids))[: int(len(data.ids) * self.rate)]
        shown = np.resize(rng.permutation(pool), len(positions))  # from the start again where there are too few
        channels, height, width = data.images.image_shape
        images = np.empty((len(positions), height, width, channels), np.uint8)
        for row, image in enumerate(as_store(other.train.images).fetch(shown)):
            images[row] = _fit(image, height, width, channels)
        return positions, images

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """Return the files of the other dataset, if it says which they are."""
        other: Any = nlcore.create("dataset", self.images)
        return other.files(source) if hasattr(other, "files") else []

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """Return a copy of `labels`, int64 (N,)."""
        return checked(labels, num_classes)

    def declared(self, num_classes: int) -> NoiseInfo:
        """Return the fraction of images that are of no class; the labels of all others are right, T is the identity."""
        return NoiseInfo(self.rate, np.eye(num_classes))


def _fit(image: NDArray[np.uint8], height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Return an image (h, w, c) as (H, W, C)."""
    from PIL import Image

    if image.shape == (height, width, channels):
        return image
    picture: Any = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    picture = picture.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture, dtype=np.uint8).reshape(height, width, channels)
