"""
Red Mini-ImageNet (Jiang, Huang, Liu, Yang, ICML 2020, arXiv:1911.09781): 100 classes, wrong labels from the web.

    mini-imagenet/split/red_noise_nl_0.2     n0153282900000006.jpg 49, 5922767e5677aef4.jpg 3, ...: 50,000
    mini-imagenet/split/clean_validation     ILSVRC2012_val_00000075.jpg 3, ...: 5,000
    mini-imagenet/all_images/NAME.jpg
    mini-imagenet/validation/NAME.jpg, or validation/LABEL/NAME.jpg

In each list a share of mini-ImageNet's own images is replaced by images from the web that people found not to be what
they were searched for. So it is known which labels are wrong: those of images whose names do not begin with a synset.
Which class they are of is unknown, mostly none of the 100: their true label is -1. Classes are called like their
synsets, in the lists' order.

FaMUS and most papers after it shrink the images to 32 pixels, others to 84 or 299: never compare across sizes.
Proportions are not kept, as in the authors' own files of 84 pixels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from nlcore import UserError, parameter
from nlcore.contracts import Data, DatasetContext
from nlcore_builtins.datasets.listed import Listed, find, listed, read_labelled, refuse_twice
from nlcore_builtins.datasets.own import COPIES
from nlcore_builtins.datasets.real_noise import FOLDER, IMAGENET, SKIP, Cut, Part, assemble
from nlcore_builtins.tables import shorten

TITLE, HOME = "Red Mini-ImageNet", "https://google.github.io/controlled-noisy-web-labels"
LAYOUTS = ("mini-imagenet", "red_mini_imagenet")
NUM_CLASSES, OFFICIAL_TESTS = 100, 5_000
#: How many images each list names: not all classes had enough images from the web.
OFFICIAL = {
    "0.0": 50_000,
    "0.05": 50_000,
    "0.1": 50_000,
    "0.15": 50_000,
    "0.2": 50_000,
    "0.3": 49_985,
    "0.4": 50_010,
    "0.5": 49_962,
    "0.6": 50_000,
    "0.8": 50_008,
}
SYNSET = re.compile(r"n\d{8}(?=\d)")


@dataclass(frozen=True)
class RedMiniImageNet:
    """
    Red Mini-ImageNet: 50,000 images of 100 classes, a chosen share of them from the web and wrong; 5,000 to test on.

    Which labels are wrong is known, but not what they should be: such images count as of none of the classes. Images
    are decoded before training and kept where four copies of their pixels fit the memory, else decoded anew while
    training.
    """

    defaults: ClassVar[Mapping[str, object]] = {"noise": "none"}

    folder: str | None = parameter(None, f"{FOLDER}; holds split, all_images and validation", path=True)
    rate: Literal["0.0", "0.05", "0.1", "0.15", "0.2", "0.3", "0.4", "0.5", "0.6", "0.8"] = parameter(
        "0.2", "share of images from the web: whose list is read"
    )
    size: int = parameter(32, "width and height that images are resized to, in pixels", range="[8, 1024]")
    memory: float = parameter(
        4.0, "GB that images may take while training; more are decoded anew for each batch", range="[0, inf)"
    )
    skip_unreadable: bool = parameter(False, SKIP)

    def load(self, source: DatasetContext) -> Data:
        """
        Return train and test, in the order of the lists.

        Raises:
            UserError: no such folder, lists that are missing or are no such lists, or files that are missing.

        """
        root = self._root(source)
        train, test = self._train(root), _test(root)
        parts = {"train": Part("training", train, OFFICIAL[self.rate]), "test": Part("test", test, OFFICIAL_TESTS)}
        fits = COPIES * 3 * self.size**2 * (len(train) + len(test)) <= self.memory * 1e9
        cut = Cut(self.size, None, *IMAGENET, train_first=True, in_memory=fits)
        data = assemble(TITLE, parts, _classes(train, root), cut, source, self.skip_unreadable)
        own = np.array([SYNSET.search(name) is not None for name in data.train.ids.tolist()])
        return replace(data, train=replace(data.train, clean=np.where(own, data.train.labels, -1)))

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """
        Return the lists, and the folders of the images, whose times say when a file came or went.

        Raises:
            UserError: as `load`, for the lists.

        """
        root = self._root(source)
        return [root / self._list, root / TESTS, *self._train(root).folders, *_test(root).folders]

    @property
    def _list(self) -> str:
        return f"split/red_noise_nl_{self.rate}"

    def _root(self, source: DatasetContext) -> Path:
        return find(source, self.folder, TITLE, HOME, *LAYOUTS)

    def _train(self, root: Path) -> Listed:
        return _listed(root, self._list, "all_images/{name}")


TESTS = "split/clean_validation"


def _test(root: Path) -> Listed:
    in_classes = (root / "validation" / "0").is_dir()
    return _listed(root, TESTS, "validation/{label}/{name}" if in_classes else "validation/{name}")


def _listed(root: Path, name: str, place: str) -> Listed:
    pairs = list(read_labelled(root / name, TITLE, NUM_CLASSES))
    names = [place.format(name=file, label=label) for file, label in pairs]
    refuse_twice(names, TITLE, root / name)
    return listed(root, names, [label for _, label in pairs])


def _classes(train: Listed, root: Path) -> list[str]:
    """Return the synsets of the classes, which mini-ImageNet's own images are named by."""
    synsets: dict[int, set[str]] = {}
    for name, label in zip(train.names.tolist(), train.labels.tolist(), strict=True):
        if found := SYNSET.search(name):
            synsets.setdefault(label, set()).add(found[0])
    wrong = [str(label) for label in range(NUM_CLASSES) if len(synsets.get(label, ())) != 1]
    if wrong:
        raise UserError(
            f"{TITLE}: the list in {root / 'split'} has not images of one synset each in the classes {shorten(wrong)}. "
            "Unpack the official one there."
        )
    return [min(synsets[label]) for label in range(NUM_CLASSES)]
