"""One's own images listed in a CSV, made for each test."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nlcore_builtins.datasets.csv_table import CsvTable
from numpy.typing import NDArray
from PIL import Image

import nlcore
from nlcore import UserError
from nlcore.checks import dataset as checks
from nlcore.contracts import Data, DataSource


def pixels(number: int) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def images(folder: Path, count: int) -> list[str]:
    """Write so many images into ``pictures`` and return their paths relative to the folder."""
    (folder / "pictures").mkdir()
    names = [f"pictures/{number}.png" for number in range(count)]
    for number, name in enumerate(names):
        Image.fromarray(pixels(number)).save(folder / name)
    return names


def table(path: Path, rows: Sequence[tuple[str, ...]], header: str = "path,label") -> Path:
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return path


def load(train: Path, test: Path | None = None, report: Any = lambda line: None, **parameters: Any) -> Data:
    given = {"train": str(train), "test": None if test is None else str(test), "size": 8, **parameters}
    dataset = nlcore.create("dataset", "csv", **given)
    return dataset.load(DataSource(Path("nowhere"), download=False, report=report))  # type: ignore[no-any-return]


def refused(train: Path, **parameters: Any) -> str:
    with pytest.raises(UserError) as caught:
        load(train, **parameters)
    return str(caught.value)


def test_images_and_labels_are_those_of_the_table(tmp_path: Path) -> None:
    names = images(tmp_path, 5)
    train = table(tmp_path / "train.csv", [(names[2], "dog"), (names[0], "cat"), (names[4], "dog")])
    test = table(tmp_path / "test.csv", [("cat", names[1], "x"), ("dog", names[3], "y")], "label,path,remark")
    data = load(train, test)
    assert data.classes == ("cat", "dog")
    assert data.train.ids.tolist() == [names[2], names[0], names[4]]
    assert data.train.labels.tolist() == [1, 0, 1]
    assert data.train.clean is None
    np.testing.assert_array_equal(data.train.images, np.stack([pixels(2), pixels(0), pixels(4)]))
    np.testing.assert_array_equal(data.test.images, np.stack([pixels(1), pixels(3)]))
    assert data.test.labels.tolist() == [0, 1]


def test_one_table_is_split_in_each_class(tmp_path: Path) -> None:
    names = images(tmp_path, 30)
    data = load(table(tmp_path / "all.csv", [(name, str(number % 3)) for number, name in enumerate(names)]))
    assert np.bincount(data.test.labels).tolist() == [2, 2, 2]  # a fifth of 10
    assert sorted([*data.train.ids, *data.test.ids]) == sorted(names)
    for split in (data.train, data.test):
        assert [int(Path(str(name)).stem) % 3 for name in split.ids] == split.labels.tolist()


def test_a_table_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """A byte order mark, quotes, spaces and line ends of Windows."""
    names = images(tmp_path, 4)
    labels = ["c", "d"] * 2
    lines = ["path, label", *(f'"{name}", {label}' for name, label in zip(names, labels, strict=True))]
    content = "\r\n".join(lines)
    (tmp_path / "all.csv").write_bytes(b"\xef\xbb\xbf" + content.encode())
    assert load(tmp_path / "all.csv").classes == ("c", "d")


def test_images_in_both_tables_are_counted(tmp_path: Path) -> None:
    names = images(tmp_path, 4)
    rows = [(name, str(number % 2)) for number, name in enumerate(names)]
    lines: list[str] = []
    load(table(tmp_path / "train.csv", rows), table(tmp_path / "test.csv", rows[:2]), lines.append)
    assert lines[0].startswith("2 images are in both tables")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ["no column path and no column label", "is empty"]),
        (b"file,label\na.png,x\n", ["no column path", "file, label", "columns path and label"]),
        (b"path;label\na.png;x\n", ["no column path and no column label", "separated by a comma"]),
        (b"path,label\n", ["lists no images"]),
        (b"path,label\na.png,x\n,y\n", ["line 3: there is no path"]),
        (b"path,label\na.png\n", ["line 2: there is no label"]),
        (b"path,label\na.png,x\nb.png,x\n./a.png,y\n", ["line 4: a.png stands in line 2 already"]),
        (b"path,label\n\xff.png,x\n", ["no text in UTF-8"]),
        (b'path,label\n"a.png,x\n', ["no valid CSV"]),
        (b"path,label\na.png,x\nb.png,y\nc.png,y\nd.png,x\n", ["4 of 4 images cannot be read: a.png (No such file"]),
    ],
    ids=["empty", "a column", "semicolons", "no rows", "no path", "no label", "twice", "bytes", "quote", "no files"],
)
def test_what_is_wrong_with_a_table_is_said(content: bytes, said: list[str], tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_bytes(content)
    message = refused(tmp_path / "all.csv")
    assert all(words in message for words in said), message


def test_a_table_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert "There is no file" in refused(tmp_path / "gone.csv")
    assert "cannot be read" in refused(tmp_path)
    with pytest.raises(UserError, match=r"--dataset\.train PATH"):
        nlcore.create("dataset", "csv").load(DataSource(Path("nowhere"), download=False))


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_it_keeps_every_rule_of_datasets(check: Any, tmp_path: Path) -> None:
    rows = [(name, str(number % 2)) for number, name in enumerate(images(tmp_path, 10))]
    check(functools.partial(CsvTable, train=str(table(tmp_path / "all.csv", rows)), size=8))
