"""
Mini-WebVision: the first 50 classes of WebVision 1.0 (Li, Wang, Li, Agustsson, Van Gool, 2017), from Google alone.

    info/synsets.txt                    n01440764 tench, Tinca tinca, ...: a class a line
    info/train_filelist_google.txt      google/q0001/NAME.jpg 0, ...: 65,944 of the first 50 classes
    info/val_filelist.txt               val000001.jpg 0, ...: 2,500 of the first 50 classes
    google/q0001/NAME.jpg               val_images_256/val000001.jpg

The protocol is that of Jiang et al. 2018 (MentorNet) and of Chen et al. 2019: 50 classes, tested on WebVision's own
validation images and, apart, on those of the same 50 classes in ILSVRC 2012's, whose folders are called like synsets:

    n01440764/ILSVRC2012_val_00000293.JPEG, ...          50 of each
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
from nlcore.toolbox import IMAGE_SUFFIXES, read_image, visible
from nlcore_builtins.datasets import official
from nlcore_builtins.datasets.crops import fit
from nlcore_builtins.datasets.listed import Listed, find, listed, read_labelled, read_lines, refuse_twice
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

TITLE, HOME = "mini-WebVision", "https://data.vision.ee.ethz.ch/cvl/webvision/download.html"
LAYOUTS = ("WebVision", "webvision")
ILSVRC_LAYOUTS = ("ILSVRC2012/val", "imagenet/val")
NUM_CLASSES, ALL_CLASSES = 50, 1000
OFFICIAL, OFFICIAL_TESTS = 65_944, 2_500
SYNSETS, TRAIN, TESTS = "info/synsets.txt", "info/train_filelist_google.txt", "info/val_filelist.txt"


@dataclass(frozen=True)
class MiniWebVision:
    """
    Mini-WebVision: 65,944 photographs that Google found for 50 classes of ImageNet, about 20 % wrong labels.

    Images are decoded while training: the shorter side is resized, then a square is cut out. Training labels are the
    noisy ones; the true ones are unknown: what needs them is null. Tested is on WebVision's validation images, and
    apart on ILSVRC 2012's where they are there.
    """

    defaults: ClassVar[Mapping[str, object]] = {"noise": "none", "augmentation": "flip", "architecture": "torchvision"}

    folder: str | None = parameter(None, f"{FOLDER}; holds info, google and val_images_256", path=True)
    ilsvrc: str | None = parameter(
        None, "ILSVRC 2012's validation images, a folder for each synset; none: imagenet/val in --data-dir", path=True
    )
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
        Return train and the test sets, in the order of the lists.

        Raises:
            UserError: no such folder, lists that are missing or are no such lists, or files that are missing.

        """
        root = self._root(source)
        synsets, classes = _classes(root)
        ilsvrc, notes = self._ilsvrc(source), []
        parts = {
            "train": Part("training", _first_classes(root, TRAIN, ""), OFFICIAL, labels_are_true=False),
            "test": Part("validation", _first_classes(root, TESTS, "val_images_256/"), OFFICIAL_TESTS),
        }
        if ilsvrc is None:
            notes.append(f"{TITLE}: without ILSVRC 2012's validation images (--dataset.ilsvrc PATH)")
        else:
            parts["ilsvrc12"] = Part("ILSVRC 2012 validation", _by_synset(ilsvrc, synsets), OFFICIAL_TESTS)
        cut = Cut(self.size, self.shorter_side, *IMAGENET)
        return assemble(TITLE, parts, classes, cut, source, self.skip_unreadable, notes)

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """
        Return the lists, and the folders of the images, whose times say when a file came or went.

        Raises:
            UserError: as `load`, for the lists.

        """
        root, ilsvrc = self._root(source), self._ilsvrc(source)
        parts = [_first_classes(root, TRAIN, ""), _first_classes(root, TESTS, "val_images_256/")]
        if ilsvrc is not None:
            parts.append(_by_synset(ilsvrc, _classes(root)[0]))
        folders = {folder for part in parts for folder in part.folders}
        return [*(root / name for name in (SYNSETS, TRAIN, TESTS)), *sorted(folders)]

    def _root(self, source: DatasetContext) -> Path:
        return find(source, self.folder, TITLE, HOME, *LAYOUTS)

    def _ilsvrc(self, source: DatasetContext) -> Path | None:
        if self.ilsvrc is None:
            return official.find(source.directory, *ILSVRC_LAYOUTS)
        return find(source, self.ilsvrc, TITLE, HOME, option="ilsvrc")


def _classes(root: Path) -> tuple[list[str], list[str]]:
    """Return the first 50 synsets, and the classes' names: the first word for each, with its synset where two share."""
    lines = read_lines(root / SYNSETS, TITLE)[:NUM_CLASSES]
    synsets = [line.partition(" ")[0] for line in lines]
    words = [line.partition(" ")[2].partition(",")[0].strip() for line in lines]
    if len(set(synsets)) != NUM_CLASSES or not all(words):
        raise UserError(
            f"{TITLE}: {root / SYNSETS} does not begin with {NUM_CLASSES} lines of a synset and its words, as "
            "'n01440764 tench, Tinca tinca'. Unpack the official one there."
        )
    names = [
        word if words.count(word) == 1 else f"{word} ({synset})" for word, synset in zip(words, synsets, strict=True)
    ]
    return synsets, names


def _first_classes(root: Path, name: str, before: str) -> Listed:
    """Return the images of the first 50 classes in a list of all 1,000."""
    pairs = [(file, label) for file, label in read_labelled(root / name, TITLE, ALL_CLASSES) if label < NUM_CLASSES]
    names = [before + file for file, _ in pairs]
    refuse_twice(names, TITLE, root / name)
    return listed(root, names, [label for _, label in pairs])


def _by_synset(folder: Path, synsets: Sequence[str]) -> Listed:
    """Return the images in folders that are called like synsets, sorted by class and name."""
    missing = [synset for synset in synsets if not (folder / synset).is_dir()]
    if missing:
        raise UserError(
            f"{TITLE}: {folder} has no folders for {len(missing)} of the {NUM_CLASSES} classes: {shorten(missing)}. "
            "Give ILSVRC 2012's validation images, a folder for each synset, with --dataset.ilsvrc PATH."
        )
    names, labels = [], []
    for label, synset in enumerate(synsets):
        files = [path.name for path in visible(folder / synset)[1] if path.suffix.lower() in IMAGE_SUFFIXES]
        names += [f"{synset}/{name}" for name in files]
        labels += [label] * len(files)
    return listed(folder, names, labels)
