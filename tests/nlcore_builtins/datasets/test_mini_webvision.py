"""Mini-WebVision: the first 50 classes, tested on its own validation images and on ILSVRC 2012's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from made_archives import SYNSETS, lines, mini_webvision

import nlcore
from nlcore import UserError
from nlcore.contracts import Data, DatasetContext


def load(directory: Path, **more: Any) -> Data:
    dataset = nlcore.create("dataset", "mini_webvision", size=12, shorter_side=14, **more)
    return dataset.load(DatasetContext(directory))  # type: ignore[no-any-return]


def test_it_is_the_first_fifty_classes_of_both_test_sets(tmp_path: Path) -> None:
    mini_webvision(tmp_path)
    data = load(tmp_path)
    assert data.classes == tuple(f"thing {n}" for n in range(50))
    assert data.train.ids.tolist() == [f"google/q{n % 60:04}/{n}.jpg" for n in range(150)]
    assert data.train.labels.tolist() == [n % 50 for n in range(150)]
    assert data.test.labels.tolist() == [n % 50 for n in range(100)]
    assert data.test.ids[0] == "val_images_256/val000000.jpg"
    second = data.further_tests["ilsvrc12"]
    assert second.labels.tolist() == [n for n in range(50) for _ in range(2)]
    assert second.ids[:2].tolist() == [f"{SYNSETS[0]}/ILSVRC2012_val_{n:08}.JPEG" for n in (0, 50)]


def test_without_ilsvrc_there_is_one_test_set_and_it_is_said(tmp_path: Path) -> None:
    mini_webvision(tmp_path)
    shutil.rmtree(tmp_path / "imagenet")
    data = load(tmp_path)
    assert not data.further_tests
    assert any("without ILSVRC 2012's validation images (--dataset.ilsvrc PATH)" in note for note in data.notes)


def test_a_folder_without_some_synsets_is_refused(tmp_path: Path) -> None:
    mini_webvision(tmp_path)
    shutil.rmtree(tmp_path / "imagenet" / "val" / SYNSETS[31])
    with pytest.raises(UserError, match=f"no folders for 1 of the 50 classes: {SYNSETS[31]}"):
        load(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no folders for 50 of the 50 classes"):
        load(tmp_path, ilsvrc=str(tmp_path / "empty"))
    with pytest.raises(
        UserError, match=r"there is no folder .*nowhere\. Give the right one with --dataset\.ilsvrc PATH"
    ):
        load(tmp_path, ilsvrc=str(tmp_path / "nowhere"))


def test_two_synsets_of_one_word_are_two_classes(tmp_path: Path) -> None:
    root = mini_webvision(tmp_path)
    content = (root / "info" / "synsets.txt").read_text().splitlines()
    lines(root / "info" / "synsets.txt", [f"{SYNSETS[0]} crane, a bird", f"{SYNSETS[1]} crane", *content[2:]])
    assert load(tmp_path).classes[:3] == (f"crane ({SYNSETS[0]})", f"crane ({SYNSETS[1]})", "thing 2")


@pytest.mark.parametrize("content", [[f"{SYNSETS[0]} tench"], [f"{one}" for one in SYNSETS], ["n1 a"] * 1000])
def test_synsets_that_are_none_are_refused(content: list[str], tmp_path: Path) -> None:
    lines(mini_webvision(tmp_path) / "info" / "synsets.txt", content)
    with pytest.raises(UserError, match="does not begin with 50 lines of a synset and its words"):
        load(tmp_path)
