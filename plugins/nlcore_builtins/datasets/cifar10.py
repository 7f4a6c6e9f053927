"""
CIFAR-10 (Krizhevsky 2009): 50,000 training and 10,000 test photographs, 32×32 RGB, ten classes.

Official files only, checked against their published MD5 before they are read. The binary layout is data_batch_1..5.bin
and test_batch.bin: records of one label byte and 3,072 pixel bytes, red, green and blue planes of 32 rows. The Python
layout is the same in pickles, which can run any code when they are read: an unverified one is never opened.

Pixels are normalised by the standard deviations (0.2023, 0.1994, 0.2010), as in the course and in DivideMix: means over
images of each image's own. Over all training pixels they are (0.2470, 0.2435, 0.2616), which others take (APL, ANL).
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nlcore import parameter
from nlcore.contracts import Data, DatasetContext, Labels, Split
from nlcore_builtins.datasets import official

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d13530"
ARCHIVE_MEGABYTES = 170

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

BINARY = "cifar-10-batches-bin"
BINARY_MD5 = {
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
PYTHON = "cifar-10-batches-py"
PYTHON_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}

Part = tuple[NDArray[np.uint8], Labels]  # images (N, 3, 32, 32) and labels (N,)


@dataclass(frozen=True)
class Cifar10:
    """
    CIFAR-10: 32×32 colour photographs in ten classes, 50,000 for training and 10,000 for testing.

    Reads the official binary layout (``cifar-10-batches-bin``) or Python layout (``cifar-10-batches-py``) after
    checking each file's MD5, and downloads the binary archive where there is neither.
    """

    defaults: ClassVar[Mapping[str, object]] = {}

    per_class: int = parameter(
        2_000, "training images of each class, the first ones; -1 for all 5,000", range="[-1, 5000]"
    )

    def __post_init__(self) -> None:
        official.check_per_class(self.per_class)

    def load(self, source: DatasetContext) -> Data:
        """
        Return the chosen training images in official order, and the whole test set.

        Raises:
            UserError: no files and no download, or a file that is not the official one.

        """
        parts = _read(source)
        images = np.concatenate([part[0] for part in parts[:5]])
        labels = np.concatenate([part[1] for part in parts[:5]])
        return Data(
            train=_split(images, labels, official.first_of_each_class(labels, self.per_class)),
            test=_split(*parts[5], np.arange(len(parts[5][1]))),
            classes=CLASSES,
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2023, 0.1994, 0.2010),
        )

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """Return the official files, nothing where they are not there."""
        return official.files(source.directory, {BINARY: BINARY_MD5, PYTHON: PYTHON_MD5})


def _split(images: NDArray[np.uint8], labels: Labels, ids: Labels) -> Split:
    return Split(np.ascontiguousarray(images[ids].transpose(0, 2, 3, 1)), labels[ids], ids, labels[ids])


def _read(source: DatasetContext) -> list[Part]:
    """Return the six parts of whichever layout is there; download the binary one where none is."""
    binary, python = (official.find(source.directory, name) for name in (BINARY, PYTHON))
    if binary is None and python is not None:
        return [_read_python(official.verified(python / name, md5, "CIFAR-10")) for name, md5 in PYTHON_MD5.items()]
    if binary is None:
        looked = f"no {BINARY} and no {PYTHON} in {source.directory}"
        fill = partial(official.fetch_archive, URL, md5=ARCHIVE_MD5)
        binary = official.download(source, "CIFAR-10", looked, URL, ARCHIVE_MEGABYTES, BINARY, fill)
    return [_read_binary(official.verified(binary / name, md5, "CIFAR-10")) for name, md5 in BINARY_MD5.items()]


def _read_binary(content: bytes) -> Part:
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)


def _read_python(verified: bytes) -> Part:
    batch = pickle.loads(verified, encoding="bytes")
    return batch[b"data"].reshape(-1, 3, 32, 32), np.array(batch[b"labels"], dtype=np.int64)
