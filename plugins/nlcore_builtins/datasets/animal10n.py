"""
ANIMAL-10N (Song, Kim, Lee, ICML 2019, "SELFIE"): ten animals in five pairs that people confuse, about 8 % wrong labels.

    raw_image_ver/raw_image/training/0_img_1.jpg, ...    50,000 photographs, 64×64 RGB, labels by 15 people
    raw_image_ver/raw_image/testing/9_img_2.jpg, ...      5,000, labels checked

The digit before the first ``_`` is the class, in the order of `CLASSES`: jaguar is 4 and cheetah 5. True labels of
training images are unknown. Mean and standard deviation are those of the training pixels, as papers do not agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nlcore import UserError, parameter
from nlcore.contracts import Data, DatasetContext
from nlcore.toolbox import IMAGE_SUFFIXES, left_out_in_words, printable, visible
from nlcore_builtins.datasets.decoding import moments
from nlcore_builtins.datasets.listed import Listed, find, listed
from nlcore_builtins.datasets.real_noise import FOLDER, SKIP, Cut, Part, assemble
from nlcore_builtins.tables import shorten

TITLE, HOME = "ANIMAL-10N", "https://dm.kaist.ac.kr/datasets/animal-10n"
LAYOUTS = ("raw_image_ver/raw_image", "raw_image", "ANIMAL-10N", "animal10n")
CLASSES = ("cat", "lynx", "wolf", "coyote", "jaguar", "cheetah", "chimpanzee", "orangutan", "hamster", "guinea pig")
SIZE = 64  # pixels
OFFICIAL = {"training": 50_000, "testing": 5_000}


@dataclass(frozen=True)
class Animal10N:
    """
    ANIMAL-10N: ten animals that people confuse, 64×64 RGB, 50,000 with about 8 % wrong labels and 5,000 to test on.

    Reads the official folders ``training`` and ``testing``; all images are decoded before training and stay in memory
    (676 MB). Training labels are the noisy ones; the true ones are unknown: what needs them is null.
    """

    defaults: ClassVar[Mapping[str, object]] = {"noise": "none"}

    folder: str | None = parameter(None, f"{FOLDER}; holds training and testing", path=True)
    skip_unreadable: bool = parameter(False, SKIP)

    def load(self, source: DatasetContext) -> Data:
        """
        Return train and test, sorted by class and number.

        Raises:
            UserError: no such folders, names of files that give no class, or images that cannot be read.

        """
        root, notes = self._root(source), list[str]()
        train, test = (_images(root, folder, notes) for folder in OFFICIAL)
        parts = {
            "train": Part("training", train, OFFICIAL["training"], labels_are_true=False),
            "test": Part("test", test, OFFICIAL["testing"]),
        }
        cut = Cut(SIZE, None, (0.5,) * 3, (0.5,) * 3, train_first=True, in_memory=True)
        data = assemble(TITLE, parts, CLASSES, cut, source, self.skip_unreadable, notes)
        assert isinstance(data.train.images, np.ndarray)
        mean, std = _moments(data.train.images)
        return replace(data, mean=mean, std=std)

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """Return the two folders, whose times say when a file came or went; nothing where they are not there."""
        try:
            root = self._root(source)
        except UserError:
            return []
        return [root / folder for folder in OFFICIAL]

    def _root(self, source: DatasetContext) -> Path:
        return find(source, self.folder, TITLE, HOME, *LAYOUTS)


def _images(root: Path, folder: str, notes: list[str]) -> Listed:
    """Return the images of a folder, sorted by class and number, whatever the order of the directory."""
    paths = visible(root / folder)[1]
    others = [path for path in paths if path.suffix.lower() not in IMAGE_SUFFIXES]
    if others:
        notes.append(f"{TITLE}: {left_out_in_words(others, root)}")
    names = [path.name for path in paths if path.suffix.lower() in IMAGE_SUFFIXES]
    wrong = [name for name in names if name[1:2] != "_" or name[0] not in "0123456789"]
    if wrong:
        raise UserError(
            f"{TITLE}: the names of {len(wrong):,} images in {root / folder} do not begin with a class from 0 to 9 and "
            f"an underscore, as 0_img_1.jpg: {shorten([printable(name) for name in wrong])}. Remove them."
        )
    unnamed = [printable(name) for name in names if printable(name) != name]
    if unnamed:
        raise UserError(f"{TITLE}: names in {root / folder} are no text in UTF-8: {shorten(unnamed)}. Rename them.")
    names.sort(key=_number)
    return listed(root, [f"{folder}/{name}" for name in names], [int(name[0]) for name in names])


def _number(name: str) -> tuple[str, int, str]:
    """Return what names are sorted by: the class, then the image's number where there is one."""
    digits = "".join(one for one in name[1:] if one in "0123456789")
    return name[0], int(digits[:18] or 0), name


def _moments(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and std of all pixels scaled to 0..1, by channel."""
    sums = np.zeros((2, 3), dtype=np.int64)
    for image in images:
        pixels = image.reshape(-1, 3).astype(np.int64)
        sums += pixels.sum(0), np.square(pixels).sum(0)
    return moments(sums, len(images) * SIZE**2)
