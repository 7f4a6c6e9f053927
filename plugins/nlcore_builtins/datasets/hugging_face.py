"""
A folder of Hugging Face's ``datasets`` on this machine; nothing is fetched.

    photos/dataset_dict.json                              {"splits": ["train", "test"]}, as save_to_disk writes it
    photos/train/state.json, dataset_info.json            which files it has, and what its labels are called
    photos/train/data-00000-of-00001.arrow

    photos/train/..., without a dataset_dict.json         one split alone, as save_to_disk writes a Dataset

    photos/data/train-00000-of-00002.parquet              a repository of Parquet files
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlcore import UserError, parameter
from nlcore.contracts import Data, DatasetContext
from nlcore.toolbox import read_text, visible
from nlcore_builtins.datasets.arrow_tables import images_in, names_in
from nlcore_builtins.datasets.decoding import Item
from nlcore_builtins.datasets.own import OwnImages
from nlcore_builtins.installed import require
from nlcore_builtins.tables import SHOWN, shorten

PARQUET = re.compile(r"(\w+)-(\d+)-of-(\d+)(?:-\w+)?\.parquet")
TESTS = ("test", "validation")  # the first that is there


@dataclass(frozen=True)
class HuggingFace(OwnImages):
    """
    Your own images in a folder that Hugging Face's datasets saved, or in a repository of Parquet files that lies here.

    Every image is read before training, turned upright, converted to RGB and resized. No noise is added unless asked
    for. True labels are unknown: what needs them is null.

    Raises:
        NotInstalledError: pyarrow is not installed.

    """

    folder: str = parameter("", "the folder: as save_to_disk wrote it, or of Parquet files", path=True)
    train_split: str = parameter("train", "name of the split to train on")
    test_split: str | None = parameter(
        None, "name of the split to test on; none: test, or validation; where there is neither, part is split off"
    )
    image_column: str = parameter("image", "name of the column of images")
    label_column: str = parameter("label", "name of the column of labels")

    def __post_init__(self) -> None:
        super().__post_init__()
        require("dataset", "hf", "pyarrow")

    def load(self, source: DatasetContext) -> Data:
        """
        Return train and test.

        Raises:
            UserError: no such folder or split, a column that is missing or of another kind, labels that are missing,
                classes that do not agree, unreadable images.

        """
        train, test = self._splits()
        items, order = self._items(train)
        return self.assemble(items, None if test is None else self._items(test)[0], source, [], order)

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """
        Return the tables and what describes them.

        Raises:
            UserError: as `load`, where there are none.

        """
        return [file for split in self._splits() if split is not None for file in (*split.tables, *split.about)]

    def _items(self, split: _Split) -> tuple[list[Item], Sequence[str]]:
        called = names_in(split.features, self.label_column)
        return images_in(split.tables, Path(self.folder), self.image_column, self.label_column, called)

    def _splits(self) -> tuple[_Split, _Split | None]:
        if not self.folder:
            raise UserError("hf: give the folder of your images with --dataset.folder PATH.")
        folder = Path(self.folder)
        found = _saved(folder) or _parquet(folder)
        if not found:
            raise UserError(
                f"{folder} holds neither what save_to_disk writes (dataset_dict.json, or state.json) nor Parquet files "
                "called like train-00000-of-00001.parquet, in it or in data/."
            )
        if list(found) == [""]:  # one split without a name
            if self.train_split != "train" or self.test_split is not None:
                raise UserError(
                    f"{folder} is one split alone, without a name: there is none to choose. Leave "
                    "--dataset.train_split and --dataset.test_split out, and part of it is split off to test on."
                )
            return found[""], None
        test = self.test_split or next((name for name in TESTS if name in found), None)
        for name, option in ((self.train_split, "train_split"), (test, "test_split")):
            if name is not None and name not in found:
                raise UserError(
                    f"{folder} has no split {name}: it has {', '.join(found)}. Name one with --dataset.{option} NAME."
                )
        for name in (self.train_split, test):
            if name is not None and found[name].gone:
                raise UserError(
                    f"{folder} has not all files of the split {name}; fetch those that are missing: "
                    f"{shorten(found[name].gone)}."
                )
        return found[self.train_split], None if test is None else found[test]


@dataclass(frozen=True)
class _Split:
    """The tables of a split, the files that describe it, what these say of its columns, and tables that are gone."""

    tables: Sequence[Path]
    about: Sequence[Path] = ()
    features: Any = None
    gone: Sequence[str] = ()


def _saved(folder: Path) -> Mapping[str, _Split]:
    """Return the splits that save_to_disk wrote into a folder, by name; one alone has none."""
    if (folder / "dataset_dict.json").is_file():
        names = _read(folder / "dataset_dict.json").get("splits")
        if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            raise UserError(f"{folder / 'dataset_dict.json'} does not list its splits as save_to_disk does.")
        return {name: _saved_split(folder / name) for name in names}
    return {"": _saved_split(folder)} if (folder / "state.json").is_file() else {}


def _saved_split(folder: Path) -> _Split:
    state, info = folder / "state.json", folder / "dataset_info.json"
    files = _read(state).get("_data_files")
    names = [one.get("filename") if isinstance(one, dict) else None for one in files] if isinstance(files, list) else []
    if not names or not all(isinstance(name, str) and name.endswith(".arrow") for name in names):
        raise UserError(f"{state} does not list Arrow files as save_to_disk does.")
    return _Split([folder / str(name) for name in names], [state, info], _read(info).get("features"))


def _parquet(folder: Path) -> Mapping[str, _Split]:
    """Return the splits of a repository of Parquet files, by name."""
    found: dict[str, list[Path]] = {}
    numbers: dict[tuple[Path, str, str], set[int]] = {}  # of the files that are there, by their place, split and count
    places = [folder, *([folder / "data"] if (folder / "data").is_dir() else [])]
    for file in (file for place in places for file in visible(place)[1]):
        if named := PARQUET.fullmatch(file.name):
            found.setdefault(named[1], []).append(file)
            numbers.setdefault((file.parent, named[1], named[3]), set()).add(int(named[2]))
    gone: dict[str, list[str]] = {}
    for (_, split, count), there in numbers.items():
        missing = (number for number in range(int(count)) if number not in there)
        first = [f"{split}-{number:0{len(count)}}-of-{count}" for number in itertools.islice(missing, SHOWN)]
        gone.setdefault(split, []).extend(first)
    return {name: _Split(files, gone=gone[name]) for name, files in found.items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except FileNotFoundError:
        raise UserError(f"There is no {path}, which save_to_disk writes.") from None
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{path} is not what save_to_disk writes.")
    return content
