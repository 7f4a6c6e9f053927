"""One's own images listed in a CSV, made for each test."""

from __future__ import annotations

import csv
import functools
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import FUZZ, refused_or_read
from hypothesis import given
from hypothesis import strategies as some
from nlcore_builtins.datasets.csv_table import CsvTable
from numpy.typing import NDArray
from PIL import Image

import nlcore
from nlcore import UserError
from nlcore.checks import dataset as checks
from nlcore.contracts import Data, DatasetContext
from nlcore.data.tables import MISSING


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
    return dataset.load(DatasetContext(Path("nowhere"), download=False, report=report))  # type: ignore[no-any-return]


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
    assert data.train.ids.tolist() == [names[0], names[2], names[4]]
    assert data.train.labels.tolist() == [0, 1, 1]
    assert data.train.clean is None
    np.testing.assert_array_equal(data.train.images, np.stack([pixels(0), pixels(2), pixels(4)]))
    np.testing.assert_array_equal(data.test.images, np.stack([pixels(1), pixels(3)]))
    assert data.test.labels.tolist() == [0, 1]


def test_the_order_of_the_rows_changes_nothing(tmp_path: Path) -> None:
    rows = [(name, str(number % 3)) for number, name in enumerate(images(tmp_path, 30))]
    one, other = (load(table(tmp_path / f"{place}.csv", order)) for place, order in enumerate((rows, rows[::-1])))
    assert one.fingerprint == other.fingerprint
    for here, there in ((one.train, other.train), (one.test, other.test)):
        assert here.ids.tolist() == there.ids.tolist()
        assert here.labels.tolist() == there.labels.tolist()


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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
@pytest.mark.parametrize(("separator", "word"), [(";", "a semicolon"), ("\t", "a tab"), ("|", "a bar")])
def test_separators_and_encodings_are_found_out(separator: str, word: str, encoding: str, tmp_path: Path) -> None:
    rows = [separator.join((name, "é" if number % 2 else "d, d")) for number, name in enumerate(images(tmp_path, 4))]
    text = "\r".join([f"path{separator}Label", *rows, "", separator])  # ends as a spreadsheet's does
    (tmp_path / "all.csv").write_bytes(text.encode(encoding))
    data = load(tmp_path / "all.csv")
    assert data.classes == ("d, d", "é")
    assert len(data.train.labels) + len(data.test.labels) == 4
    assert data.notes == (f"{tmp_path / 'all.csv'}: fields are separated by {word}",)
    assert load(tmp_path / "all.csv", separator="tab" if separator == "\t" else separator).notes == ()


def test_columns_can_be_named(tmp_path: Path) -> None:
    rows = [(name, "x", str(number % 2)) for number, name in enumerate(images(tmp_path, 4))]
    train = table(tmp_path / "all.csv", rows, "file,label,species")
    assert load(train, path_column="file", label_column="species").classes == ("0", "1")
    with pytest.raises(UserError, match="name two columns"):
        load(train, path_column="label")
    with pytest.raises(UserError, match="must be one character"):
        load(train, separator="::")


def test_paths_with_backslashes_are_understood(tmp_path: Path) -> None:
    names = images(tmp_path, 4)
    rows = [(name.replace("/", "\\"), str(number % 2)) for number, name in enumerate(names)]
    data = load(table(tmp_path / "all.csv", rows))
    assert sorted([*data.train.ids, *data.test.ids]) == names
    assert [note for note in data.notes if "4 paths are written with backslashes" in note]


def test_a_class_may_be_called_none(tmp_path: Path) -> None:
    rows = [(name, ("none", "some")[number % 2]) for number, name in enumerate(images(tmp_path, 4))]
    assert load(table(tmp_path / "all.csv", rows)).classes == ("none", "some")


def test_the_files_are_the_tables_and_what_they_list(tmp_path: Path) -> None:
    rows = [(name, str(number % 2)) for number, name in enumerate(images(tmp_path, 4))]
    train, test = table(tmp_path / "train.csv", rows[:2]), table(tmp_path / "test.csv", rows[2:])
    files = CsvTable(train=str(train), test=str(test)).files(DatasetContext(tmp_path))
    assert set(files) == {train, test, *(tmp_path / row[0] for row in rows)}


def test_images_in_both_tables_are_counted(tmp_path: Path) -> None:
    names = images(tmp_path, 4)
    rows = [(name, str(number % 2)) for number, name in enumerate(names)]
    data = load(table(tmp_path / "train.csv", rows), table(tmp_path / "test.csv", rows[:2]))
    assert data.notes[0].startswith("2 images are in both tables")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ["is empty", "a column of paths and one of labels"]),
        (b"file,label\na.png,x\n", ["no column path", "file, label", "--dataset.path_column NAME"]),
        (b"path,class\na.png,x\n", ["no column label", "path, class", "--dataset.label_column NAME"]),
        (b"path,label,Label,label\na.png,x,x,x\n", ["2 columns called label"]),
        (b"path,label\na.png,crane, bird\n", ["line 2: 3 fields; the first line has 2", "double quotes"]),
        (b"path,label,\na.png,x\n", ["line 2: 2 fields; the first line has 3"]),
        (b"path,label\n\n'a\n", ["line 3: 1 field; the first line has 2"]),
        (b'path,label\n"a\nb.png",x\nc.png\n', ["line 4: 1 field"]),
        (b"path,label\na.png,x\nb.png,NaN\nc.png,None\n", ["no label in line 3 (NaN), line 4 (None)"]),
        (b"path,label\na.png,\0\n", ["zero bytes"]),
        (b"path,label\n" + b"x\\y" * 2000 + b",a\nb.png,b\nc.png,a\nd.png,b", ["4 of 4 images", "File name too long"]),
        (b"path,label\n", ["lists no images"]),
        (b"path,label\na.png,x\n,y\n", ["there is no path in line 3 (empty)"]),
        (b"path,label\na.png,\n", ["there is no label in line 2 (empty)"]),
        (b"path,label\na.png,x\nb.png,x\n./a.png,y\n", ["line 4: a.png stands in line 2 already"]),
        (b"path,label\n\xff.png,x\n", ["no text in UTF-8 or UTF-16"]),
        (b'path,label\n"a.png,x\n', ["no valid CSV"]),
        (b"path,label\na.png,x\nb.png,y\nc.png,y\nd.png,x\n", ["4 of 4 images cannot be read: a.png (No such file"]),
    ],
)
def test_what_is_wrong_with_a_table_is_said(content: bytes, said: list[str], tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_bytes(content)
    message = refused(tmp_path / "all.csv")
    assert all(words in message for words in said), message


def test_a_table_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert "There is no file" in refused(tmp_path / "gone.csv")
    assert "cannot be read" in refused(tmp_path)
    with pytest.raises(UserError, match=r"--dataset\.train PATH"):
        nlcore.create("dataset", "csv").load(DatasetContext(Path("nowhere"), download=False))


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_it_keeps_every_rule_of_datasets(check: Any, tmp_path: Path) -> None:
    rows = [(name, str(number % 2)) for number, name in enumerate(images(tmp_path, 10))]
    check(functools.partial(CsvTable, train=str(table(tmp_path / "all.csv", rows)), size=8))


def nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


NAMES = some.text(min_size=1, max_size=6).filter(lambda name: name.strip() == name and not {*"\0\r"} & {*name})


@pytest.mark.slow
@FUZZ
@given(
    labels=some.lists(NAMES.filter(lambda name: name not in MISSING), min_size=2, max_size=3, unique_by=nfc),
    separator=some.sampled_from(",;\t|"),
    encoding=some.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    end=some.sampled_from(["\n", "\r\n"]),
)
def test_a_table_that_a_writer_wrote_is_read_as_it_was_meant(
    labels: list[str], separator: str, encoding: str, end: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("table")
    rows = [(name, label) for name, label in zip(images(folder, 2 * len(labels)), labels * 2, strict=True)]
    with (folder / "all.csv").open("w", encoding=encoding, errors="surrogatepass", newline="") as file:
        writer = csv.writer(file, delimiter=separator, lineterminator=end)
        writer.writerows([("path", "label"), *rows])
    data = load(folder / "all.csv")
    found = {
        str(name): data.classes[label]
        for part in (data.train, data.test)
        for name, label in zip(part.ids, part.labels, strict=True)
    }
    assert found == {name: nfc(label) for name, label in rows}


@FUZZ
@given(
    content=some.one_of(
        some.binary(max_size=60), some.text('path,label\n\r";|\t\0é\\ax/.', max_size=60).map(str.encode)
    )
)
def test_any_bytes_are_a_table_or_are_refused(content: bytes, tmp_path: Path) -> None:
    for start in (b"", b"path,label\n"):
        (tmp_path / "all.csv").write_bytes(start + content)
        with refused_or_read(tmp_path):
            load(tmp_path / "all.csv", skip_unreadable=True)
