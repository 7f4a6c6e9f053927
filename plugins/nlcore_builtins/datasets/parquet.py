"""
Your own images in Parquet files, a row each: encoded images (JPEG and the like) or paths, and labels.

    photos/train-00000-of-00002.parquet      columns image (bytes, or bytes and path) and label
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nlcore import UserError, parameter
from nlcore.contracts import Data, DatasetContext
from nlcore_builtins.datasets.arrow_tables import images_in
from nlcore_builtins.datasets.own import OwnImages
from nlcore_builtins.installed import require


@dataclass(frozen=True)
class Parquet(OwnImages):
    """
    Your own images in Parquet files, a row each; some files for training and some for testing, or part is split off.

    Every image is read before training, turned upright, converted to RGB and resized. No noise is added unless asked
    for. True labels are unknown: what needs them is null.

    Raises:
        NotInstalledError: pyarrow is not installed.

    """

    train: str = parameter("", "a Parquet file, a folder of them, or a pattern such as data/train-*.parquet", path=True)
    test: str | None = parameter(None, "others to test on; none: part of the first is split off", path=True)
    image_column: str = parameter("image", "name of the column of images")
    label_column: str = parameter("label", "name of the column of labels")

    def __post_init__(self) -> None:
        super().__post_init__()
        require("dataset", "parquet", "pyarrow")

    def load(self, source: DatasetContext) -> Data:
        """
        Return train and test.

        Raises:
            UserError: no such files, a column that is missing or of another kind, labels that are missing, classes
                that do not agree, unreadable images.

        """
        train, test = self._files()
        root = Path(os.path.commonpath([file.parent for file in (*train, *(test or []))]))
        items, order = images_in(train, root, self.image_column, self.label_column)
        tests = None if test is None else images_in(test, root, self.image_column, self.label_column)[0]
        return self.assemble(items, tests, source, [], order)

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """
        Return the Parquet files; none of them is opened.

        Raises:
            UserError: as `load`, where there are none.

        """
        train, test = self._files()
        return [*train, *(test or [])]

    def _files(self) -> tuple[list[Path], list[Path] | None]:
        if not self.train:
            raise UserError("parquet: give the files of your images with --dataset.train PATH.")
        return matching(self.train, ".parquet"), None if self.test is None else matching(self.test, ".parquet")


def matching(place: str, ending: str) -> list[Path]:
    """
    Return the files that a path means, sorted: a file, those of a folder that end so, or those that fit a pattern.

    Raises:
        UserError: there are none.

    """
    path = Path(place)
    try:
        if path.is_dir():
            found = sorted(one for one in path.iterdir() if one.name.endswith(ending) and one.name[0] != ".")
        elif path.is_file():
            found = [path]
        else:
            found = sorted(Path(one) for one in glob.glob(place) if Path(one).is_file())
    except (OSError, ValueError) as error:
        raise UserError(f"{place} cannot be read: {getattr(error, 'strerror', error)}.") from None
    if not found:
        what = f"no file in it ends in {ending}" if path.is_dir() else "there is no such file, folder or pattern"
        raise UserError(f"{place}: {what}. Give a file, a folder of them, or a pattern as in 'data/train-*{ending}'.")
    return found
