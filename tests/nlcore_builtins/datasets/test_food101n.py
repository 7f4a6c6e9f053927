"""Food-101N: classes by folders in the official order, trained on the whole list, tested on Food-101's test set."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made_archives import FOOD, food101n, lines

import nlcore
from nlcore import UserError
from nlcore.contracts import Data, DatasetContext


def load(directory: Path) -> Data:
    dataset = nlcore.create("dataset", "food101n", size=12, shorter_side=14)
    return dataset.load(DatasetContext(directory))  # type: ignore[no-any-return]


def test_classes_are_those_of_the_list_without_its_header(tmp_path: Path) -> None:
    root = food101n(tmp_path)
    data = load(tmp_path)
    assert data.classes == tuple(FOOD)
    assert data.train.labels.tolist() == [n for n in reversed(range(101)) for _ in range(2)]
    assert data.test.labels.tolist() == list(range(101))
    assert data.test.ids[3] == f"{FOOD[3]}/7.jpg"
    lines(root / "meta" / "classes.txt", FOOD)
    assert load(tmp_path).classes == tuple(FOOD)


@pytest.mark.parametrize("where", ["Food-101N_release/meta/imagelist.tsv", "food-101/meta/test.txt"])
def test_a_folder_that_is_no_class_is_refused(where: str, tmp_path: Path) -> None:
    food101n(tmp_path)
    with (tmp_path / where).open("a") as file:
        file.write("soup/1\nsoup/2\n")
    with pytest.raises(UserError, match="names 2 images of none of the 101 classes: soup/1"):
        load(tmp_path)


def test_without_food_101_it_is_said_what_to_give(tmp_path: Path) -> None:
    food101n(tmp_path)
    shutil.rmtree(tmp_path / "food-101")
    with pytest.raises(UserError, match=r"Food-101 is not there: no food-101 .*--dataset.test_folder PATH"):
        load(tmp_path)
