"""
MNIST (LeCun et al. 1998): 60,000 training and 10,000 test images of handwritten digits, 28×28 grey.

Official files only, checked against their MD5 before they are read. The format is IDX, packed with gzip: a magic number
(2051 for images, 2049 for labels) and the sizes, 32 bits each with the highest byte first, then one byte a value.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from nlcore import parameter
from nlcore.contracts import Data, DatasetContext, Split
from nlcore_builtins.datasets import official

URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MEGABYTES = 12
FOLDERS = ("mnist", "MNIST/raw")  # ours, and torchvision's
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


@dataclass(frozen=True)
class Mnist:
    """
    MNIST: 28×28 grey images of handwritten digits, 60,000 for training and 10,000 for testing.

    Reads the four official files from a folder ``mnist`` (or torchvision's ``MNIST/raw``) after checking each one's
    MD5, and downloads them where there is none. Images are shifted by up to two pixels and never flipped.
    """

    defaults: ClassVar[Mapping[str, object]] = {
        "architecture.width": 16,
        "augmentation.padding": 2,
        "augmentation.flip": False,
    }

    per_class: int = parameter(
        2_000, "training images of each class, the first ones; -1 for all 60,000", range="[-1, 5421]"
    )

    def __post_init__(self) -> None:
        official.check_per_class(self.per_class)

    def load(self, source: DatasetContext) -> Data:
        """
        Return the chosen training images in official order, and the whole test set.

        Raises:
            UserError: no files and no download, or a file that is not the official one.

        """
        train, test = read(source, "MNIST", FOLDERS, URL, MD5, MEGABYTES, self.per_class)
        return Data(
            train=train,
            test=test,
            classes=tuple(str(digit) for digit in range(10)),
            mean=(0.1307,),
            std=(0.3081,),
        )

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """Return the official files, nothing where they are not there."""
        return official.files(source.directory, dict.fromkeys(FOLDERS, MD5))


def read(
    source: DatasetContext,
    title: str,
    folders: tuple[str, ...],
    url: str,
    checksums: Mapping[str, str],
    megabytes: int,
    per_class: int,
) -> tuple[Split, Split]:
    """
    Return train and test of four files in MNIST's format.

    Args:
        source: where to look.
        title: the dataset's name.
        folders: the folders it may lie in; the first one is downloaded to.
        url: the address in front of the files' names.
        checksums: MD5 by file name: images and labels to train on, then images and labels to test.
        megabytes: how much a download is.
        per_class: training images of each class, the first ones; -1 for all.

    Raises:
        UserError: no files and no download, or a file that is not the official one.

    """

    def fill(temporary: Path) -> None:
        target = temporary / folders[0]
        target.mkdir()
        for name, md5 in checksums.items():
            official.fetch(url + name, target, name, md5)

    folder = official.find(source.directory, *folders)
    if folder is None:
        looked = f"no {' and no '.join(folders)} in {source.directory}"
        folder = official.download(source, title, looked, url, megabytes, folders[0], fill)
    images, labels, test_images, test_labels = (
        gzip.decompress(official.verified(folder / name, md5, title)) for name, md5 in checksums.items()
    )
    return _split(images, labels, per_class), _split(test_images, test_labels, -1)


def _split(images: bytes, labels: bytes, per_class: int) -> Split:
    _, count, height, width = np.frombuffer(images, dtype=">u4", count=4).tolist()
    pixels = np.frombuffer(images, dtype=np.uint8, offset=16).reshape(count, height, width, 1)
    given = np.frombuffer(labels, dtype=np.uint8, offset=8).astype(np.int64)
    ids = official.first_of_each_class(given, per_class)
    return Split(pixels[ids], given[ids], ids, given[ids])
