"""Image files with the names of their classes."""

from __future__ import annotations

from pathlib import Path

import pytest
from nlcore_builtins.datasets.csv_table import CsvTable

from nlcore import UserError
from nlcore.contracts import DatasetContext
from nlcore.data.labelled_files import labelled_files


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def test_each_folder_is_a_class_with_all_images_in_it() -> None:
    touch("new/dog/2.jpg", "new/cat/deep/1.PNG", "new/cat/notes.txt", "new/cat/.hidden.jpg", "new/loose.jpg")
    assert labelled_files(Path("new")) == [(Path("new/cat/deep/1.PNG"), "cat"), (Path("new/dog/2.jpg"), "dog")]


def test_a_table_lists_paths_relative_to_its_folder() -> None:
    touch("new/table.csv")
    Path("new/table.csv").write_text("Label;more;Path\n cat ;x;1.jpg\n;;\ndog;;/far/2.jpg\n")
    assert labelled_files(Path("new/table.csv")) == [(Path("new/1.jpg"), "cat"), (Path("/far/2.jpg"), "dog")]


@pytest.mark.parametrize(
    "text",
    [
        "path,label\nin\\1.jpg,cat\nin\\2.jpg,a dog\n",
        "path|label\nin/1.jpg|cat\nin/2.jpg|a dog\n",
        "path , label\n in/1.jpg , cat \nin/2.jpg,a dog\n",
        '"path", "label"\r\n"in/1.jpg", "cat"\r\n"in/2.jpg", "a dog"\r\n',
        "\n,\npath,label\n\nin/1.jpg,cat\nin/2.jpg,a dog\n",
    ],
    ids=["backslashes", "bars", "spaces", "spaces and quotes", "empty lines before"],
)
def test_a_table_is_read_as_the_dataset_csv_reads_it(text: str) -> None:
    touch("new/in/1.jpg", "new/in/2.jpg")
    Path("new/table.csv").write_text(text, newline="")
    assert labelled_files(Path("new/table.csv")) == [(Path("new/in/1.jpg"), "cat"), (Path("new/in/2.jpg"), "a dog")]
    files = CsvTable(train="new/table.csv").files(DatasetContext(Path()))
    assert [*files] == [Path("new/table.csv"), Path("new/in/1.jpg"), Path("new/in/2.jpg")]


def test_a_file_whose_name_has_a_backslash_is_found() -> None:
    touch("a\\b.jpg")
    Path("table.csv").write_text("path,label\na\\b.jpg,cat\n")
    assert labelled_files(Path("table.csv")) == [(Path("a\\b.jpg"), "cat")]


def test_a_class_that_is_there_may_be_called_as_what_is_missing() -> None:
    Path("table.csv").write_text("path,label\n1.jpg,NA\n")
    assert labelled_files(Path("table.csv"), ("NA", "cat")) == [(Path("1.jpg"), "NA")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\n", "lists no images"),
        ("path,label\n1.jpg,\n", r"there is no label in line 2 \(empty\)"),
        ("path,label\n\n1.jpg,NaN\n", r"there is no label in line 3 \(NaN\)"),
        ("path,label\n ,cat\n", r"there is no path in line 2 \(empty\)"),
        ("path,label\n1.jpg,cat\n1.jpg,dog\n", "line 3: 1.jpg stands there twice"),
        ("path,class\n1.jpg,cat\n", "wrong: label"),
    ],
)
def test_a_table_that_cannot_be_used(text: str, said: str) -> None:
    Path("table.csv").write_text(text)
    with pytest.raises(UserError, match=said):
        labelled_files(Path("table.csv"))


def test_a_folder_without_images_in_folders() -> None:
    touch("new/loose.jpg", "new/cat/notes.txt")
    with pytest.raises(UserError, match="new holds no images in folders of classes"):
        labelled_files(Path("new"))
