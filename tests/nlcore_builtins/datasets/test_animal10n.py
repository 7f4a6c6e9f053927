"""ANIMAL-10N: classes by the digit in front of a name, in the official order, whatever order a directory has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_archives import animal10n, photograph
from nlcore_builtins.datasets.crops import Photographs
from PIL import Image

import nlcore
from nlcore import UserError
from nlcore.contracts import Data, DatasetContext


def load(directory: Path, **parameters: Any) -> Data:
    return nlcore.create("dataset", "animal10n", **parameters).load(DatasetContext(directory))  # type: ignore[no-any-return]


def test_classes_are_in_the_official_order(tmp_path: Path) -> None:
    animal10n(tmp_path)
    data = load(tmp_path)
    assert data.classes[4:6] == ("jaguar", "cheetah")
    assert len(data.classes) == 10
    ids = data.train.ids.tolist()
    assert data.train.labels.tolist() == [int(one.split("/")[1][0]) for one in ids]
    assert ids[:4] == [f"training/0_img_{n}.jpg" for n in (0, 10, 20)] + ["training/1_img_1.jpg"]


def test_mean_and_std_are_those_of_the_training_pixels(tmp_path: Path) -> None:
    root = animal10n(tmp_path)
    data = load(tmp_path)
    pixels = np.stack([np.asarray(Image.open(root / one)) for one in data.train.ids.tolist()]) / 255
    np.testing.assert_allclose(data.mean, pixels.mean((0, 1, 2)), atol=1e-9)
    np.testing.assert_allclose(data.std, pixels.std((0, 1, 2)), atol=1e-9)


def test_another_size_is_brought_to_64_pixels(tmp_path: Path) -> None:
    photograph(animal10n(tmp_path) / "training" / "2_img_2.jpg", size=(80, 70))
    assert np.asarray(load(tmp_path).train.images).shape == (30, 64, 64, 3)


@pytest.mark.parametrize("name", ["jaguar_1.jpg", "10_img_1.jpg", "_img_1.jpg", "a.jpg", "٣_img_1.jpg"])
def test_a_name_without_a_class_is_refused(name: str, tmp_path: Path) -> None:
    photograph(animal10n(tmp_path) / "training" / name)
    with pytest.raises(UserError, match=f"1 images in .*training do not begin with a class.*{name}"):
        load(tmp_path)


def test_what_is_no_image_is_passed_over_and_said(tmp_path: Path) -> None:
    root = animal10n(tmp_path)
    (root / "training" / "readme.txt").write_text("read me")
    assert any("1 .txt (training/readme.txt)" in note for note in load(tmp_path).notes)


def test_images_that_cannot_be_read_are_named_or_left_out(tmp_path: Path) -> None:
    root = animal10n(tmp_path)
    (root / "training" / "4_img_4.jpg").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"1 images cannot be read: training/4_img_4.jpg .*--dataset.skip_unreadable"):
        load(tmp_path)
    data = load(tmp_path, skip_unreadable=True)
    assert data.unreadable.keys() == {"training/4_img_4.jpg"}
    assert len(data.train.labels) == len(data.train.ids) == len(np.asarray(data.train.images)) == 29
    assert any("left out 1 images that cannot be read: training/4_img_4.jpg" in note for note in data.notes)


def test_where_none_of_a_part_can_be_read_it_is_these_that_are_named(tmp_path: Path) -> None:
    root = animal10n(tmp_path)
    for path in (root / "testing").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"10 images cannot be read: testing/0_img_0\.jpg"):
        load(tmp_path)
    with pytest.raises(UserError, match="there are no test images"):
        load(tmp_path, skip_unreadable=True)


def test_missing_files_are_said_before_any_image_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (animal10n(tmp_path) / "testing" / "0_img_0.jpg").write_bytes(b"")
    monkeypatch.setattr(Photographs, "each", None)
    with pytest.raises(UserError, match="1 of 10 test images are not in"):
        load(tmp_path)


def test_a_class_without_images_is_refused(tmp_path: Path) -> None:
    root = animal10n(tmp_path)
    for path in (root / "training").glob("5_*"):
        path.unlink()
    with pytest.raises(UserError, match="no training image of cheetah"):
        load(tmp_path)
