"""
Food-101N (Lee, He, Zhang, Yang, CVPR 2018, "CleanNet"): dishes in 101 classes from the web, about 20 % wrong labels.

    Food-101N_release/meta/classes.txt       class_name, then the 101 classes in their order, a line each
    Food-101N_release/meta/imagelist.tsv     class_name/key, then apple_pie/0a1b.jpg, ...: 310,009 for training
    Food-101N_release/images/apple_pie/0a1b.jpg

It has no test set: tested is on that of Food-101 (Bossard, Guillaumin, Van Gool, ECCV 2014), 25,250 photographs.

    food-101/meta/test.txt                   apple_pie/1011328, ...
    food-101/images/apple_pie/1011328.jpg

A folder's name is the class. Which labels were verified (``verified_train.tsv``) is not used: true labels are unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nlcore import UserError, parameter
from nlcore.contracts import Data, DatasetContext
from nlcore.toolbox import printable, read_image
from nlcore_builtins.datasets.crops import fit
from nlcore_builtins.datasets.listed import Listed, find, listed, read_lines, read_names, refuse_twice
from nlcore_builtins.datasets.real_noise import (
    FOLDER,
    IMAGENET,
    SHORTER_SIDE,
    SIZE,
    SKIP,
    Cut,
    Part,
    assemble,
    check_cut,
)
from nlcore_builtins.tables import shorten

TITLE, HOME = "Food-101N", "https://kuanghuei.github.io/Food-101N"
LAYOUTS = ("Food-101N_release", "Food-101N", "food-101N", "food101n")
TEST_TITLE, TEST_HOME = "Food-101", "https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101"
OFFICIAL, OFFICIAL_TESTS, NUM_CLASSES = 310_009, 25_250, 101


@dataclass(frozen=True)
class Food101N:
    """
    Food-101N: 310,009 photographs of dishes in 101 classes with about 20 % wrong labels; tested on Food-101's test set.

    Images are decoded while training: the shorter side is resized, then a square is cut out. Training labels are the
    noisy ones; the true ones are unknown: what needs them is null.
    """

    defaults: ClassVar[Mapping[str, object]] = {"noise": "none", "augmentation": "flip", "architecture": "torchvision"}

    folder: str | None = parameter(None, f"{FOLDER}; holds meta and images", path=True)
    test_folder: str | None = parameter(None, "that of Food-101; none: food-101 in --data-dir", path=True)
    size: int = parameter(224, SIZE, range="[8, 1024]")
    shorter_side: int = parameter(256, SHORTER_SIDE, range="[8, 2048]")
    skip_unreadable: bool = parameter(False, SKIP)

    def __post_init__(self) -> None:
        check_cut(self.size, self.shorter_side)

    def read(self, path: Path, image_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Return an image file as in the test set, uint8 (H, W, C); raise `UnreadableError` where it is none."""
        return read_image(path, image_shape, fit=fit(self.shorter_side))

    def load(self, source: DatasetContext) -> Data:
        """
        Return train, in the order of the list, and Food-101's test set.

        Raises:
            UserError: no such folder, lists that are missing or are no such lists, or files that are missing.

        """
        root, tests = self._roots(source)
        classes = self._classes(root)
        parts = {
            "train": Part("training", _train(root, classes), OFFICIAL, labels_are_true=False),
            "test": Part("test", _test(tests, classes), OFFICIAL_TESTS),
        }
        cut = Cut(self.size, self.shorter_side, *IMAGENET)
        return assemble(TITLE, parts, classes, cut, source, self.skip_unreadable)

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """
        Return the lists, and the folders of the images, whose times say when a file came or went.

        Raises:
            UserError: as `load`, for the lists.

        """
        root, tests = self._roots(source)
        classes = self._classes(root)
        lists = [root / "meta" / "classes.txt", root / "meta" / "imagelist.tsv", tests / "meta" / "test.txt"]
        return [*lists, *_train(root, classes).folders, *_test(tests, classes).folders]

    def _roots(self, source: DatasetContext) -> tuple[Path, Path]:
        root = find(source, self.folder, TITLE, HOME, *LAYOUTS)
        return root, find(source, self.test_folder, TEST_TITLE, TEST_HOME, "food-101", option="test_folder")

    def _classes(self, root: Path) -> tuple[str, ...]:
        return read_names(root / "meta" / "classes.txt", TITLE, NUM_CLASSES, header="class_name")


def _train(root: Path, classes: Sequence[str]) -> Listed:
    path = root / "meta" / "imagelist.tsv"
    lines = read_lines(path, TITLE)
    names = lines[1:] if lines[0].startswith("class_name") else lines
    return _by_folders(root / "images", names, classes, TITLE, path)


def _test(root: Path, classes: Sequence[str]) -> Listed:
    path = root / "meta" / "test.txt"
    names = [f"{line}.jpg" for line in read_lines(path, TEST_TITLE)]
    return _by_folders(root / "images", names, classes, TEST_TITLE, path)


def _by_folders(images: Path, names: Sequence[str], classes: Sequence[str], title: str, where: Path) -> Listed:
    """Return images whose classes are the names of their folders."""
    numbers = {name: number for number, name in enumerate(classes)}
    wrong = [name for name in names if name.partition("/")[0] not in numbers]
    if wrong:
        named = shorten([printable(name)[:60] for name in wrong])
        raise UserError(f"{title}: {where} names {len(wrong):,} images of none of the {len(classes)} classes: {named}.")
    refuse_twice(names, title, where)
    return listed(images, names, [numbers[name.partition("/")[0]] for name in names])
