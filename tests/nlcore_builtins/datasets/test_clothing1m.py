"""Clothing1M: noisy labels to train on, without what is in a clean list; two test sets and trusted images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_archives import CLOTHES, clothing1m, lines, photograph

import nlcore
from nlcore import UserError
from nlcore.contracts import Data, DatasetContext
from nlcore.data import stores


def load(directory: Path) -> Data:
    dataset = nlcore.create("dataset", "clothing1m", size=12, shorter_side=14)
    return dataset.load(DatasetContext(directory))  # type: ignore[no-any-return]


def test_parts_and_labels_are_those_of_the_lists(tmp_path: Path) -> None:
    clothing1m(tmp_path)
    data = load(tmp_path)
    assert data.classes == tuple(CLOTHES)
    assert data.trusted is not None
    assert data.further_tests.keys() == {"clean_val"}
    assert data.train.ids.tolist() == [f"images/{n % 10}/{n % 7:02}/noisy_train,{n}.jpg" for n in range(56)]
    assert data.train.labels.tolist() == [n % 14 for n in range(56)]
    parts = {"clean_test": data.test, "clean_train": data.trusted, "clean_val": data.further_tests["clean_val"]}
    for name, part in parts.items():
        assert part.labels.tolist() == [13 - n for n in range(14)]
        assert all(f"/{name}," in one for one in part.ids.tolist())


def test_training_images_that_are_in_a_clean_list_are_dropped_and_said(tmp_path: Path) -> None:
    root = clothing1m(tmp_path)
    keys = (root / "noisy_train_key_list.txt").read_text().splitlines()
    for part, doubled in (("clean_val", keys[:2]), ("clean_test", keys[20:23])):
        with (root / f"{part}_key_list.txt").open("a") as file:
            file.writelines(f"{key}\n" for key in doubled)
        with (root / "clean_label_kv.txt").open("a") as file:
            file.writelines(f"{key} 0\n" for key in doubled)
    data = load(tmp_path)
    assert data.train.ids.tolist() == [*keys[2:20], *keys[23:]]
    assert len(data.test.ids) == 17
    assert any("left out 5 training images that are in a clean list" in note for note in data.notes)


@pytest.mark.parametrize(
    ("one", "other"), [("clean_train", "clean_test"), ("clean_val", "clean_test"), ("clean_train", "clean_val")]
)
def test_an_image_in_two_clean_lists_is_refused(one: str, other: str, tmp_path: Path) -> None:
    root = clothing1m(tmp_path)
    shared = (root / f"{other}_key_list.txt").read_text().splitlines()[3]
    with (root / f"{one}_key_list.txt").open("a") as file:
        file.write(f"{shared}\n")
    with pytest.raises(UserError, match=f"1 images stand in both {one}_key_list.txt and {other}_key.*: {shared}. Unp"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("labels", "part"), [("noisy_label_kv.txt", "noisy_train"), ("clean_label_kv.txt", "clean_val")]
)
def test_an_image_with_two_labels_is_refused(labels: str, part: str, tmp_path: Path) -> None:
    root = clothing1m(tmp_path)
    line = next(line for line in (root / labels).read_text().splitlines() if f"/{part},5.jpg" in line)
    with (root / labels).open("a") as file:
        file.write(f"{line}\n")
    load(tmp_path)  # twice the same is not two labels
    name, label = line.split(" ")
    with (root / labels).open("a") as file:
        file.write(f"{name} {(int(label) + 1) % 14}\n")
    with pytest.raises(UserError, match=f"{labels} gives 1 images different labels: {name}. Unpack"):
        load(tmp_path)


def test_training_shows_squares_from_anywhere_and_testing_from_the_centre(tmp_path: Path) -> None:
    clothing1m(tmp_path)
    data = load(tmp_path)
    assert stores.varies(stores.as_store(data.train.images))
    assert data.trusted is not None
    assert stores.varies(stores.as_store(data.trusted.images))
    assert not stores.varies(stores.as_store(data.test.images))


def test_an_image_without_a_label_is_refused(tmp_path: Path) -> None:
    root = clothing1m(tmp_path)
    photograph(root / "images" / "0" / "00" / "new.jpg")
    with (root / "clean_val_key_list.txt").open("a") as file:
        file.write("images/0/00/new.jpg\n")
    with pytest.raises(UserError, match=r"no label for 1 images of .*clean_val_key_list.txt: images/0/00/new.jpg"):
        load(tmp_path)


@pytest.mark.parametrize(("label", "good"), [("13", True), ("14", False), ("-1", False), ("x", False), ("", False)])
def test_a_label_that_is_no_class_is_refused_with_its_line(label: str, good: bool, tmp_path: Path) -> None:
    path = clothing1m(tmp_path) / "noisy_label_kv.txt"
    content = path.read_text().splitlines()
    lines(path, [*content[:4], f"images/1/02/x.jpg {label}", *content[4:]])
    if good:
        load(tmp_path)
        return
    with pytest.raises(UserError, match=r"noisy_label_kv.txt is to hold a path and a class from 0 to 13 .*line 5 \("):
        load(tmp_path)


def test_names_of_classes_must_be_fourteen(tmp_path: Path) -> None:
    lines(clothing1m(tmp_path) / "category_names_eng.txt", CLOTHES[:13])
    with pytest.raises(UserError, match="does not name 14 different classes"):
        load(tmp_path)


SCRIPT = """
import resource, sys, time
from pathlib import Path
import nlcore
from nlcore.contracts import DatasetContext
dataset = nlcore.create("dataset", "clothing1m")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = dataset.load(DatasetContext(Path(sys.argv[1])))
peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
print(len(data.train.ids), round(peak))
"""


@pytest.mark.slow
def test_many_files_are_listed_in_little_memory(tmp_path: Path) -> None:
    """Names, labels and bytes of 200,000 files are less than 40 MB as arrays, and at most twice that while read."""
    root = clothing1m(tmp_path)
    keys = []
    for folder in range(100):
        place = root / "images" / str(folder % 10) / f"{10 + folder // 10}"
        source = photograph(place / "source.jpg")
        for number in range(2_000):
            name = f"{folder * 2_000 + number:010},{7 * number:010}.jpg"
            (place / name).hardlink_to(source)
            keys.append(f"images/{place.parent.name}/{place.name}/{name}")
    lines(root / "noisy_train_key_list.txt", keys)
    lines(root / "noisy_label_kv.txt", [f"{key} {number % 14}" for number, key in enumerate(keys)])
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert int(found[0]) == 200_000
    assert int(found[1]) < 120
    assert np.unique(keys).size == 200_000
