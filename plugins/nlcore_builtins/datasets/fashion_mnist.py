"""
Fashion-MNIST (Xiao et al. 2017): 60,000 training and 10,000 test images of clothes, 28×28 grey, ten classes.

Official files only, checked against their MD5 before they are read. They have MNIST's names and format; see `mnist`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nlcore import parameter
from nlcore.contracts import Data, DatasetContext
from nlcore_builtins.datasets import official
from nlcore_builtins.datasets.mnist import read

URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
MEGABYTES = 31
FOLDERS = ("fashion_mnist", "FashionMNIST/raw")  # ours, and torchvision's
MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}

CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


@dataclass(frozen=True)
class FashionMnist:
    """
    Fashion-MNIST: 28×28 grey images of clothes in ten classes, 60,000 for training and 10,000 for testing.

    Reads the four official files from a folder ``fashion_mnist`` (or torchvision's ``FashionMNIST/raw``) after checking
    each one's MD5, and downloads them where there is none. Images are shifted by up to two pixels and flipped.
    """

    defaults: ClassVar[Mapping[str, object]] = {"augmentation.padding": 2}

    per_class: int = parameter(
        2_000, "training images of each class, the first ones; -1 for all 6,000", range="[-1, 6000]"
    )

    def __post_init__(self) -> None:
        official.check_per_class(self.per_class)

    def load(self, source: DatasetContext) -> Data:
        """
        Return the chosen training images in official order, and the whole test set.

        Raises:
            UserError: no files and no download, or a file that is not the official one.

        """
        train, test = read(source, "Fashion-MNIST", FOLDERS, URL, MD5, MEGABYTES, self.per_class)
        return Data(
            train=train,
            test=test,
            classes=CLASSES,
            mean=(0.2860,),
            std=(0.3530,),
        )

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """Return the official files, nothing where they are not there."""
        return official.files(source.directory, dict.fromkeys(FOLDERS, MD5))
