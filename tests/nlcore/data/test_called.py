"""What a data set is called: as the user's folder or table is, else by its name."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from nlcore.config.experiment import resolve
from nlcore.data.called import called

PYARROW = pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="needs pyarrow")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ({"dataset": "image_folder", "dataset.folder": "data/photos/"}, "photos"),
        ({"dataset": "image_folder", "dataset.folder": "photos", "dataset.test_folder": "others"}, "photos"),
        ({"dataset": "image_folder", "dataset.folder": "."}, "here"),
        ({"dataset": "image_folder", "dataset.folder": "photos/.."}, "here"),
        ({"dataset": "image_folder", "dataset.folder": os.fsdecode(b"caf\xe9")}, r"caf\xe9"),
        ({"dataset": "image_folder"}, "image_folder"),
        ({"dataset": "csv", "dataset.train": "cats.csv", "dataset.test": "dogs.csv"}, "cats.csv"),
        ({"dataset": "webdataset", "dataset.train": "s/a-*.tar", "dataset.classes": "names.txt"}, "a-*.tar"),
        pytest.param({"dataset": "parquet", "dataset.train": "p/cats.parquet"}, "cats.parquet", marks=PYARROW),
        pytest.param({"dataset": "hf", "dataset.folder": "saved/cats"}, "cats", marks=PYARROW),
        ({"dataset": "clothing1m", "dataset.folder": "/mnt/images"}, "clothing1m"),  # it is that wherever it lies
        ({"dataset": "digits"}, "digits"),
    ],
)
def test_the_last_part_of_the_path_that_a_data_set_cannot_do_without(
    words: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert called(resolve(words)["dataset"]) == name
