"""
CIFAR-100 (Krizhevsky 2009): 50,000 training and 10,000 test photographs, 32×32 RGB, one hundred classes.

Official files only, checked against their MD5 before they are read. Read is the Python layout, whose pickles ``train``,
``test`` and ``meta`` hold rows of 3,072 bytes (red, green and blue planes of 32 rows), fine labels and class names. A
pickle can run any code when it is read: an unverified one is never opened. Fine labels are in alphabetical order, so
that blocks of five indices are not the superclasses.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from nlcore import parameter
from nlcore.contracts import Data, DatasetContext, Split
from nlcore_builtins.datasets import official

URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
ARCHIVE_MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
ARCHIVE_MEGABYTES = 169

FOLDER = "cifar-100-python"
MD5 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}


@dataclass(frozen=True)
class Cifar100:
    """
    CIFAR-100: 32×32 colour photographs in one hundred classes, 50,000 for training and 10,000 for testing.

    Reads the official Python layout (``cifar-100-python``) after checking each file's MD5, and downloads its archive
    where it is not there. Labels are the fine ones.
    """

    defaults: ClassVar[Mapping[str, object]] = {}

    per_class: int = parameter(200, "training images of each class, the first ones; -1 for all 500", range="[-1, 500]")

    def __post_init__(self) -> None:
        official.check_per_class(self.per_class)

    def load(self, source: DatasetContext) -> Data:
        """
        Return the chosen training images in official order, and the whole test set.

        Raises:
            UserError: no files and no download, or a file that is not the official one.

        """
        folder = official.find(source.directory, FOLDER)
        if folder is None:
            looked = f"no {FOLDER} in {source.directory}"
            fill = partial(official.fetch_archive, URL, md5=ARCHIVE_MD5)
            folder = official.download(source, "CIFAR-100", looked, URL, ARCHIVE_MEGABYTES, FOLDER, fill)
        contents = [official.verified(folder / name, md5, "CIFAR-100") for name, md5 in MD5.items()]
        train, test, meta = (pickle.loads(content, encoding="bytes") for content in contents)
        return Data(
            train=_split(train, self.per_class),
            test=_split(test, -1),
            classes=tuple(name.decode() for name in meta[b"fine_label_names"]),
            # Of all pixels of the 50,000 training images.
            mean=(0.5071, 0.4865, 0.4409),
            std=(0.2673, 0.2564, 0.2762),
        )

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """Return the official files, nothing where they are not there."""
        return official.files(source.directory, {FOLDER: MD5})


def _split(part: dict[bytes, object], per_class: int) -> Split:
    labels = np.array(part[b"fine_labels"], dtype=np.int64)
    ids = official.first_of_each_class(labels, per_class)
    images = np.asarray(part[b"data"], dtype=np.uint8).reshape(-1, 3, 32, 32)[ids]
    return Split(np.ascontiguousarray(images.transpose(0, 2, 3, 1)), labels[ids], ids, labels[ids])
