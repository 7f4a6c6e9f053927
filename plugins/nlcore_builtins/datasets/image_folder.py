"""
Your own images, one folder per class.

    photos/train/cat/1.jpg   photos/test/cat/7.jpg      train/ and test/ (or val/), or
    photos/cat/1.jpg         photos/dog/2.jpg           classes only, split with a seed

Folders within a class's folder belong to it. Hidden files and folders (their names begin with a dot) are passed over.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nlcore import UserError, parameter
from nlcore.contracts import Data, DatasetContext
from nlcore.toolbox import IMAGE_SUFFIXES, left_out_in_words, list_folders, list_images, printable, visible
from nlcore_builtins.datasets.decoding import Item
from nlcore_builtins.datasets.own import OwnImages
from nlcore_builtins.tables import shorten

#: How the folders of the parts are called, in any case.
PARTS = {
    "train": re.compile(r"train(ing)?[ _-]?(set|data|images)?"),
    "test": re.compile(r"test(ing)?[ _-]?(set|data|images)?"),
    "val": re.compile(r"(val|valid|validation|dev)[ _-]?(set|data|images)?"),
}


@dataclass(frozen=True)
class ImageFolder(OwnImages):
    """
    Your own images, one folder per class, with folders ``train`` and ``test`` (or ``val``) or split with a seed.

    Every image is read before training, turned upright, converted to RGB and resized. No noise is added unless asked
    for. True labels are unknown: what needs them is null.
    """

    folder: str = parameter("", "the images: train/ and test/ (or val/), or one folder per class", path=True)
    test_folder: str | None = parameter(
        None, "test images, one folder per class; those in folder are trained on", path=True
    )

    def load(self, source: DatasetContext) -> Data:
        """
        Return train and test.

        Raises:
            UserError: no such folder, no images, folders that can be read in two ways, classes that do not agree,
                unreadable images.

        """
        train, test, notes = self._parts()
        root = self._folder()
        trained = _list(train, root, notes)
        if test is None:
            return self.assemble(trained, None, source, notes)
        return self.assemble(trained, _list(test, root if self.test_folder is None else test, notes), source, notes)

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """
        Return all folders that are listed and all images in them, sorted.

        Raises:
            UserError: no such folder, or folders that can be read in two ways.

        """
        train, test, _ = self._parts()
        parts = [train] if test is None else [train, test]
        found = {self._folder(), *parts}
        for directory in (directory for part in parts for directory in visible(part)[0]):
            found |= {*list_folders(directory), *list_images(directory)[0]}
        return sorted(found)

    def _folder(self) -> Path:
        if not self.folder:
            raise UserError("image_folder: give the folder of your images with --dataset.folder PATH.")
        return Path(self.folder)

    def _parts(self) -> tuple[Path, Path | None, list[str]]:
        """Return the folders to train and to test on, None where part is to be split off, and what to tell of them."""
        folder = self._folder()
        found = _parts_of(folder)
        if self.test_folder is not None:
            tests = Path(self.test_folder)
            if _parts_of(tests):
                raise UserError(f"{tests} holds the parts of a dataset. Give the folder of the part to test on.")
            return (found["train"], tests, [f"trained is on {found['train']}"]) if found else (folder, tests, [])
        if not found:
            return folder, None, []
        train = found["train"]
        second = found.get("test") or found.get("val")
        if second is None:
            raise UserError(
                f"{folder} has {train.name}/ but neither test/ nor val/. Add one, give --dataset.test_folder PATH, or "
                f"have images split off with --dataset.folder {train}."
            )
        unused = [f"{path.name}/" for path in visible(folder)[0] if path not in (train, second)]
        told = f"{folder}: trained is on {train.name}/, tested on {second.name}/; left out: {shorten(unused)}"
        return train, second, [told] if unused else []


def _parts_of(folder: Path) -> dict[str, Path]:
    """Return the folders of a dataset's parts by part, ``train`` among them; nothing where there are classes."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in visible(folder)[0]:
        for part, pattern in PARTS.items():
            if pattern.fullmatch(path.name.strip().casefold()):
                found[part].append(path)
    named = [path for paths in found.values() for path in paths]
    with_folders = [path for path in named if visible(path)[0]]
    if not with_folders and len(named) < 2:  # a class may be called train, if nothing else looks like parts
        return {}
    twice = [shorten([f"{path.name}/" for path in paths], " and ") for paths in found.values() if len(paths) > 1]
    if twice:
        raise UserError(f"In {folder} are {'; '.join(twice)}: which one is meant? Rename or move the other away.")
    if "train" not in found:
        names = shorten([f"{path.name}/" for path in named], " and ")
        raise UserError(
            f"{folder} has {names} but no train/. Add one, or give the folders by --dataset.folder PATH and "
            "--dataset.test_folder PATH. A class that is called so needs another name."
        )
    return {part: paths[0] for part, paths in found.items()}


def _list(folder: Path, root: Path, notes: list[str]) -> list[Item]:
    """Return the images in the folders of classes, in order; ids are paths relative to `root`."""
    classes, others = visible(folder)
    loose = [path for path in others if path.suffix.lower() in IMAGE_SUFFIXES]
    if not classes:
        found = f"{len(loose):,} images, but no folders of classes" if loose else "no folders of classes"
        raise UserError(f"In {folder} are {found}. Put the images into one folder per class, as in {folder}/cat/1.jpg.")
    items: list[Item] = []
    empty: list[str] = []
    for directory in classes:
        _check_order(directory)
        files, left_out = list_images(directory)
        items += [Item(file, file.relative_to(root).as_posix(), directory.name) for file in files]
        others += left_out
        empty += [] if files else [directory.name]
    if empty:
        raise UserError(
            f"In {folder} these folders of classes hold no images: {shorten(empty)}. Images end in .jpg, .png or "
            "another ending that Pillow reads."
        )
    unnamed = [printable(item.id) for item in items if printable(item.id) != item.id]
    if unnamed:
        raise UserError(f"In {folder} these names are no text in UTF-8: {shorten(unnamed)}. Rename them.")
    if loose:
        first = printable(loose[0].name)
        notes.append(f"{folder}: left out {len(loose):,} images that are in no folder of a class: {first}, ...")
    strange = [path for path in others if path not in set(loose)]
    if strange:
        notes.append(f"{folder}: {left_out_in_words(strange, folder)}")
    return items


def _check_order(directory: Path) -> None:
    """Raise where a class's folder holds the parts, so that what is tested would be trained on."""
    names = [path.name.strip().casefold() for path in visible(directory)[0]]
    parts = [part for part, pattern in PARTS.items() if any(pattern.fullmatch(name) for name in names)]
    if "train" in parts and len(parts) > 1:
        raise UserError(
            f"{directory} holds {' and '.join(f'{part}/' for part in parts)}. The parts come first and the classes "
            f"within them: train/{directory.name}, not {directory.name}/train."
        )
