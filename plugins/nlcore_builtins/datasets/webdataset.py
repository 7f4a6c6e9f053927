"""
Your own images in WebDataset's shards: tars in which files of one name belong together.

    shards/train-000000.tar      0001.jpg  0001.cls  0002.jpg  0002.cls  ...

An image ends like one, and its label is ``.cls``, a whole number as text, or ``.json``, an object with a label. What a
name has up to its first dot is the sample's. Images are read in place: of a shard only the headers are looked at, once.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nlcore import UserError, parameter
from nlcore.contracts import Data, DatasetContext
from nlcore.toolbox import IMAGE_SUFFIXES, printable, read_text
from nlcore_builtins.datasets.decoding import Item
from nlcore_builtins.datasets.own import OwnImages
from nlcore_builtins.datasets.parquet import matching
from nlcore_builtins.datasets.tar_shards import InTar, members
from nlcore_builtins.tables import shorten

LONGEST = 1_000_000  # bytes of a label; more is none
TOO_LARGE = 10**18  # for a number of a class


@dataclass(frozen=True)
class WebDataset(OwnImages):
    """
    Your own images in WebDataset's shards, uncompressed tars; some for training and some for testing, or part is split.

    Every image is read before training, turned upright, converted to RGB and resized. No noise is added unless asked
    for. True labels are unknown: what needs them is null.
    """

    train: str = parameter("", "a shard, a folder of shards, or a pattern such as shards/train-*.tar", path=True)
    test: str | None = parameter(None, "others to test on; none: part of the first is split off", path=True)
    label_key: str = parameter("label", "where a label is in .json")
    classes: str | None = parameter(
        None, "a text file of the names of labels that are numbers, a line each; none: the numbers", path=True
    )

    def load(self, source: DatasetContext) -> Data:
        """
        Return train and test.

        Raises:
            UserError: no such shards, shards that are compressed or were cut off, samples without an image or a label,
                classes that do not agree, unreadable images.

        """
        train, test = self._shards()
        root = Path(os.path.commonpath([shard.parent for shard in (*train, *(test or []))]))
        notes: list[str] = []
        names = [] if self.classes is None else _names(Path(self.classes))
        items = self._items(train, root, names, notes)
        tests = None if test is None else self._items(test, root, names, notes)
        return self.assemble(items, tests, source, notes, names)

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """
        Return the shards; none of them is opened.

        Raises:
            UserError: as `load`, where there are none.

        """
        train, test = self._shards()
        return [*train, *(test or []), *([] if self.classes is None else [Path(self.classes)])]

    def _shards(self) -> tuple[list[Path], list[Path] | None]:
        if not self.train:
            raise UserError("webdataset: give the shards of your images with --dataset.train PATH.")
        return matching(self.train, ".tar"), None if self.test is None else matching(self.test, ".tar")

    def _items(self, shards: Sequence[Path], root: Path, names: Sequence[str], notes: list[str]) -> list[Item]:
        """Return the images of shards in their order; ids are a shard's path and the sample's name."""
        items: list[Item] = []
        alone: list[str] = []
        for shard in shards:
            images, labels = _samples(shard)
            alone += [f"{shard.name}:{name}" for name in labels if name not in images]
            without = [name for name in images if name not in labels]
            if without:
                raise UserError(
                    f"{shard}: {len(without):,} of {len(images):,} images have no label beside them, .cls or .json: "
                    f"{shorten(without)}."
                )
            where = shard.relative_to(root).as_posix()
            items += [
                Item(image, f"{where}:{name}", self._label(labels[name], names)) for name, image in images.items()
            ]
        if not items:
            raise UserError(f"{shorten([str(shard) for shard in shards])}: there are no images.")
        if alone:
            notes.append(f"left out {len(alone):,} labels without an image: {shorten(alone)}")
        return items

    def _label(self, file: InTar, names: Sequence[str]) -> str:
        """Return the name of a sample's class; text in .json stays as it stands."""
        try:
            content = file.content().decode("utf-8-sig") if file.size <= LONGEST else ""
            if file.name.endswith(".json"):
                value = json.loads(content)
                value = value[self.label_key] if isinstance(value, dict) else value
            else:
                value = int(content) if content.strip().isdecimal() else None
        except (ValueError, KeyError, RecursionError):
            value = None
        number = int(value) if isinstance(value, int) and abs(value) < TOO_LARGE else None
        text = value.strip() if isinstance(value, str) else "" if number is None else str(number)
        if not text:
            raise UserError(
                f"{file.tar}: {file.name} holds no label: .cls is to hold a whole number, and .json an object with "
                f"{self.label_key!r} (--dataset.label_key NAME), a number or text."
            )
        if not names:
            return text
        if number is None:
            if unicodedata.normalize("NFC", text) not in {unicodedata.normalize("NFC", name) for name in names}:
                raise UserError(
                    f"{file.tar}: {file.name} has label {printable(text)[:100]!r}, which {self.classes} does not name: "
                    f"it names {shorten(names)}."
                )
            return text
        if not 0 <= number < len(names):
            raise UserError(
                f"{file.tar}: {file.name} has label {number}, but {self.classes} names {len(names)} classes."
            )
        return names[number]


def _samples(shard: Path) -> tuple[dict[str, InTar], dict[str, InTar]]:
    """Return the images and the labels of a shard by the samples' names; .cls before .json."""
    images: dict[str, InTar] = {}
    found: dict[tuple[str, str], InTar] = {}
    for file in members(shard):
        path = PurePosixPath(file.name)
        first, _, ending = path.name.partition(".")
        name = (path.parent / first).as_posix()
        if not first:  # hidden, as macOS's ._0001.jpg
            continue
        if printable(file.name) != file.name:
            raise UserError(f"{shard}: the name {printable(file.name)} is no text in UTF-8. Rename it.")
        if f".{ending.rpartition('.')[2].lower()}" in IMAGE_SUFFIXES:
            if name in images:
                raise UserError(f"{shard}: the sample {name} has two images, {images[name].name} and {file.name}.")
            images[name] = file
        elif ending in ("cls", "json"):
            if (name, ending) in found:
                raise UserError(f"{shard}: the sample {name} has two labels, both {file.name}.")
            found[name, ending] = file
    labels = {name: found.get((name, "cls"), file) for (name, _), file in found.items()}
    return images, labels


def _names(path: Path) -> list[str]:
    try:
        names = [line.strip() for line in read_text(path).rstrip().splitlines()]
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as text: {getattr(error, 'strerror', error)}.") from None
    if not names or not all(names) or len(set(names)) < len(names):
        raise UserError(f"{path} is to name a class in each line, none twice.")
    return names
