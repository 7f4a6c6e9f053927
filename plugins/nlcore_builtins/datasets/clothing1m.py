"""
Clothing1M (Xiao, Xia, Yang, Huang, Wang, CVPR 2015): clothes from shops in 14 classes, about 38.5 % wrong labels.

    category_names_eng.txt           the classes in their order, a line each
    noisy_label_kv.txt               images/0/00/NAME.jpg 5, ...: 1,037,497 labels from the text around an image
    clean_label_kv.txt               the same for 72,409 labels by people
    noisy_train_key_list.txt         images/0/00/NAME.jpg, ...: 1,000,000 to train on
    clean_{train,val,test}_key_list.txt                      47,570, 14,313 and 10,526
    images/0/00/NAME.jpg

Trained is on the noisy list without what is in a clean one. The images of ``clean_train`` are the trusted ones, told
where a run asks for them. Tested is on ``clean_test`` and, apart, on ``clean_val``. Mean and standard deviation are
those of DivideMix and of others after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nlcore import UserError, parameter
from nlcore.contracts import Data, DatasetContext
from nlcore.toolbox import printable, read_image
from nlcore_builtins.datasets.crops import fit
from nlcore_builtins.datasets.listed import (
    Listed,
    find,
    listed,
    read_labelled,
    read_lines,
    read_names,
    refuse_twice,
)
from nlcore_builtins.datasets.real_noise import FOLDER, SHORTER_SIDE, SIZE, SKIP, Cut, Part, assemble, check_cut
from nlcore_builtins.tables import shorten

TITLE, HOME = "Clothing1M", "https://github.com/Cysu/noisy_label"
LAYOUTS = ("Clothing1M", "clothing1M", "clothing1m")
NUM_CLASSES = 14
MEAN, STD = (0.6959, 0.6537, 0.6371), (0.3113, 0.3192, 0.3214)
NAMES, NOISY_LABELS, CLEAN_LABELS = "category_names_eng.txt", "noisy_label_kv.txt", "clean_label_kv.txt"
#: The lists of the parts, and how many images each names.
OFFICIAL = {"noisy_train": 1_000_000, "clean_train": 47_570, "clean_val": 14_313, "clean_test": 10_526}


@dataclass(frozen=True)
class Clothing1M:
    """
    Clothing1M: a million photographs of clothes in 14 classes, about 38.5 % of them with wrong labels.

    Images are decoded while training: the shorter side is resized, then a square is cut out. Training labels are the
    noisy ones; the true ones are unknown: what needs them is null. Tested is on clean_test, and apart on clean_val.
    """

    defaults: ClassVar[Mapping[str, object]] = {"noise": "none", "augmentation": "flip", "architecture": "torchvision"}

    folder: str | None = parameter(None, f"{FOLDER}; holds the lists and images", path=True)
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
        Return all parts, in the order of the lists.

        Raises:
            UserError: no such folder, lists that are missing or are no such lists, or files that are missing.

        """
        root = self._root(source)
        classes = read_names(root / NAMES, TITLE, NUM_CLASSES)
        lists, notes = _lists(root)
        parts = {
            "train": Part("training", lists["noisy_train"], OFFICIAL["noisy_train"], labels_are_true=False),
            "test": Part("clean_test", lists["clean_test"], OFFICIAL["clean_test"]),
            "clean_val": Part("clean_val", lists["clean_val"], OFFICIAL["clean_val"]),
            "trusted": Part("clean_train", lists["clean_train"], OFFICIAL["clean_train"]),
        }
        cut = Cut(self.size, self.shorter_side, MEAN, STD)
        return assemble(TITLE, parts, classes, cut, source, self.skip_unreadable, notes)

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """
        Return the lists, and the folders of the images, whose times say when a file came or went.

        Raises:
            UserError: as `load`, for the lists.

        """
        root = self._root(source)
        parts, _ = _lists(root)
        lists = [NAMES, NOISY_LABELS, CLEAN_LABELS, *(f"{name}_key_list.txt" for name in OFFICIAL)]
        folders = {folder for part in parts.values() for folder in part.folders}
        return [*(root / name for name in lists), *sorted(folders)]

    def _root(self, source: DatasetContext) -> Path:
        return find(source, self.folder, TITLE, HOME, *LAYOUTS)


def _lists(root: Path) -> tuple[dict[str, Listed], list[str]]:
    """Return the images of each list with their labels, and what is to be told of them."""
    clean = _labelled(root, CLEAN_LABELS, ("clean_train", "clean_val", "clean_test"))
    _refuse_shared(root, clean)
    noisy = _labelled(root, NOISY_LABELS, ("noisy_train",))["noisy_train"]
    known = {name for part in clean.values() for name in part.names.tolist()}
    in_clean = np.array([name in known for name in noisy.names])
    notes = []
    if in_clean.any():
        notes.append(f"{TITLE}: left out {in_clean.sum():,} training images that are in a clean list, too")
    return {"noisy_train": noisy.only(~in_clean), **clean}, notes


def _refuse_shared(root: Path, clean: Mapping[str, Listed]) -> None:
    """Raise where an image stands in two clean lists: it would be trained on, or chosen by, and tested on."""
    for one, other in combinations(clean, 2):
        shared = np.intersect1d(clean[one].names, clean[other].names).tolist()
        if shared:
            named = shorten([printable(name)[:60] for name in shared])
            raise UserError(
                f"{TITLE}: {len(shared):,} images stand in both {one}_key_list.txt and {other}_key_list.txt in {root}: "
                f"{named}. Unpack the official lists again."
            )


def _labelled(root: Path, labels: str, parts: Iterable[str]) -> dict[str, Listed]:
    """Return the images of lists of names, with the labels that another list gives."""
    by_name = _labels_by_name(root / labels)
    found = {}
    for part in parts:
        where = root / f"{part}_key_list.txt"
        names = read_lines(where, TITLE)
        without = [name for name in names if name not in by_name]
        if without:
            named = shorten([printable(name)[:60] for name in without])
            raise UserError(
                f"{TITLE}: {labels} has no label for {len(without):,} images of {where}: {named}. Unpack the official "
                "lists again."
            )
        refuse_twice(names, TITLE, where)
        found[part] = listed(root, names, [by_name[name] for name in names])
    return found


def _labels_by_name(path: Path) -> dict[str, int]:
    """Return the labels of a list; raise where an image has two of them."""
    found: dict[str, int] = {}
    several: dict[str, None] = {}
    for name, label in read_labelled(path, TITLE, NUM_CLASSES):
        if found.setdefault(name, label) != label:
            several[name] = None
    if several:
        named = shorten([printable(name)[:60] for name in several])
        raise UserError(
            f"{TITLE}: {path} gives {len(several):,} images different labels: {named}. Unpack the official one there."
        )
    return found
