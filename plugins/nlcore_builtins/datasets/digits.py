"""
Handwritten digits, 8×8 grey, bundled with scikit-learn: 1,797 images, there at once, for trying things out.

They are the test part of the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin & Kaynak 1998).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nlcore.contracts import Data, DatasetContext, Split


@dataclass(frozen=True)
class Digits:
    """
    Handwritten digits, 8×8 grey, bundled with scikit-learn: 1,797 images, no download.

    In each class every fifth image, in scikit-learn's order, is a test image: 1,442 to train on, 355 to test. Values
    are scaled from 0..16 to 0..255. Images are shifted by up to one pixel and never flipped.
    """

    defaults: ClassVar[Mapping[str, object]] = {
        "architecture.width": 16,
        "augmentation.padding": 1,
        "augmentation.flip": False,
        "strong.size": 2,  # a square of 16, as on CIFAR-10, would cover these images of 8 pixels
        "strong.n": 1,
        "strong.m": 5,
    }

    def load(self, source: DatasetContext) -> Data:
        """Return train and test. `source` is not looked at."""
        from sklearn.datasets import load_digits

        bundle = load_digits()
        images: NDArray[np.uint8] = np.rint(bundle.images * (255 / 16)).astype(np.uint8)[..., None]
        labels = bundle.target.astype(np.int64)
        rank_in_class = np.zeros(len(labels), dtype=np.int64)
        for digit in range(10):
            members = np.flatnonzero(labels == digit)
            rank_in_class[members] = np.arange(len(members))
        test = rank_in_class % 5 == 4

        def split(chosen: NDArray[np.bool_]) -> Split:
            return Split(images[chosen], labels[chosen], np.flatnonzero(chosen), labels[chosen])

        pixels = images[~test] / 255
        return Data(
            train=split(~test),
            test=split(test),
            classes=tuple(str(digit) for digit in range(10)),
            mean=(float(pixels.mean()),),
            std=(float(pixels.std()),),
        )

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """Return the file that comes with scikit-learn, which is not imported for it."""
        found = importlib.util.find_spec("sklearn")
        return [Path(found.origin).parent / "datasets/data/digits.csv.gz"] if found and found.origin else []
