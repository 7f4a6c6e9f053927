"""
Your own images, one folder a class.

    photos/train/cat/1.jpg   photos/test/cat/7.jpg      train/ and test/ (or val/), or
    photos/cat/1.jpg         photos/dog/2.jpg           classes only, split with a seed

Folders within a class's folder belong to it. Hidden files and folders (their names begin with a dot) are passed over.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nlcore import UserError, parameter
from nlcore.contracts import Data, DataSource
from nlcore.data.image_files import ENDINGS
from nlcore_builtins.datasets.own import Item, OwnImages, shorten


@dataclass(frozen=True)
class ImageFolder(OwnImages):
    """
    Your own images, one folder a class, with folders ``train`` and ``test`` (or ``val``) or split with a seed.

    Every image is read before training, turned upright, converted to RGB and resized. No noise is added unless asked
    for. True labels are unknown: what needs them is null.
    """

    folder: str = parameter("", "the images: train/ and test/ (or val/), or one folder a class", path=True)
    test_folder: str | None = parameter(
        None, "test images, one folder a class; those in folder are trained on", path=True
    )

    def load(self, source: DataSource) -> Data:
        """
        Return train and test.

        Raises:
            UserError: no such folder, no images, classes that do not agree, unreadable images.

        """
        if not self.folder:
            raise UserError("image_folder: give the folder of your images with --dataset.folder PATH.")
        folder = Path(self.folder).expanduser()
        if self.test_folder is not None:
            tests = Path(self.test_folder).expanduser()
            return self.assemble(
                _list(folder, folder, source.report), _list(tests, tests, source.report), source.report
            )
        parts = [name for name in ("train", "test", "val") if (folder / name).is_dir()]
        if parts[:1] == ["train"] and len(parts) > 1:
            if len(parts) == 3:
                source.report(f"{folder}: tested is on test/; val/ is left out")
            train, test = (_list(folder / name, folder, source.report) for name in parts[:2])
            return self.assemble(train, test, source.report)
        if parts == ["train"] and any(path.is_dir() for path in _visible(folder / "train")):
            raise UserError(
                f"{folder} has train/ but neither test/ nor val/. Add one, give --dataset.test_folder PATH, or have "
                f"images split off with --dataset.folder {folder / 'train'}."
            )
        return self.assemble(_list(folder, folder, source.report), None, source.report)


def _list(folder: Path, root: Path, report: Callable[[str], None]) -> list[Item]:
    """Return the images in the folders of classes, in order; ids are paths relative to `root`."""
    entries = _visible(folder)
    classes = [path for path in entries if path.is_dir()]
    if not classes:
        loose = sum(path.suffix.lower() in ENDINGS for path in entries)
        found = f"{loose:,} images, but no folders of classes" if loose else "no folders of classes"
        raise UserError(f"In {folder} are {found}. Put the images into one folder a class, as in {folder}/cat/1.jpg.")
    items: list[Item] = []
    empty: list[str] = []
    others = sum(not path.is_dir() for path in entries)
    for directory in classes:
        files = [file for file in _files(directory) if file.suffix.lower() in ENDINGS]
        others += sum(1 for _ in _files(directory)) - len(files)
        items += [Item(file, file.relative_to(root).as_posix(), directory.name) for file in files]
        empty += [] if files else [directory.name]
    if empty:
        raise UserError(
            f"In {folder} these folders of classes hold no images: {shorten(empty)}. Images end in "
            f"{', '.join(sorted(ENDINGS))}."
        )
    unnamed = [ascii(item.id) for item in items if not _is_text(item.id)]
    if unnamed:
        raise UserError(f"In {folder} these names are no text in UTF-8: {shorten(unnamed)}. Rename them.")
    if others:
        report(f"{folder}: passed over {others:,} files that are in no class or do not end like images")
    return items


def _visible(folder: Path) -> list[Path]:
    """Return what is directly in a folder and not hidden, sorted by name."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        raise UserError(f"There is no folder {folder}.") from None
    except NotADirectoryError:
        raise UserError(f"{folder} is a file. Give a folder that holds one folder a class.") from None
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be read: {error.strerror}.") from None


def _files(directory: Path) -> list[Path]:
    """Return all files below a class's folder that are not hidden, sorted."""
    found = []
    for place, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place) / name for name in names if not name.startswith(".")]
    return sorted(found)


def _is_text(name: str) -> bool:
    """Tell whether a name is text: bytes of it that are not stand as lone surrogates and cannot be written."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)
