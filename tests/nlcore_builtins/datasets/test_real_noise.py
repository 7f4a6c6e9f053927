"""What holds for all data sets with real label noise: what is looked for before training, and what is said of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy
from fuzzing import FUZZ, refused_or_read
from hypothesis import given
from hypothesis import strategies as some
from made_archives import ARCHIVES
from nlcore_builtins.datasets.listed import Listed
from PIL import Image

import nlcore
from nlcore import RunError, UserError
from nlcore.checks.suite import run_checks
from nlcore.contracts import Data, DatasetContext, Split
from nlcore.data import stores
from nlcore.host.registry import registry
from nlcore.toolbox import read_image

NAMES = sorted(ARCHIVES)
#: One image for training and one to test on of each, a list that is read, and the folder that a user has to give.
FILES: dict[str, tuple[str, str, str | None]] = {
    "animal10n": ("training/3_img_13.jpg", "testing/3_img_3.jpg", None),
    "food101n": (f"images/dish_007/{1:032x}.jpg", "../food-101/images/dish_007/7.jpg", "meta/imagelist.tsv"),
    "clothing1m": (
        "images/3/06/noisy_train,13.jpg",
        "images/3/03/clean_test,3.jpg",
        "clean_test_key_list.txt",
    ),
    "mini_webvision": ("google/q0007/7.jpg", "val_images_256/val000009.jpg", "info/val_filelist.txt"),
    "red_mini_imagenet": (
        f"all_images/{7:016x}.jpg",
        "validation/ILSVRC2012_val_00000009.jpg",
        "split/clean_validation",
    ),
}
#: Those whose training images are decoded before training, too.
DECODED = ["animal10n", "red_mini_imagenet"]
SIZES: dict[str, dict[str, Any]] = {
    name: {"size": 12, "shorter_side": 14} for name in ("food101n", "clothing1m", "mini_webvision")
} | {"red_mini_imagenet": {"size": 9}, "animal10n": {}}


def load(name: str, directory: Path, **parameters: Any) -> Data:
    dataset = nlcore.create("dataset", name, **SIZES[name], **parameters)
    return dataset.load(DatasetContext(directory, download=False))  # type: ignore[no-any-return]


def refused(name: str, directory: Path, **parameters: Any) -> str:
    with pytest.raises(UserError) as caught:
        load(name, directory, **parameters)
    return str(caught.value)


def splits(data: Data) -> dict[str, Split]:
    found = {"train": data.train, "test": data.test, **data.further_tests}
    return found if data.trusted is None else {**found, "trusted": data.trusted}


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a data directory for each, to be copied or read only."""
    found = {}
    for name, write in ARCHIVES.items():
        found[name] = tmp_path_factory.mktemp(name)
        write(found[name])
    return found


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def directory(name: str, archives: dict[str, Path], tmp_path: Path) -> Path:
    """Return a data directory that may be changed."""
    return Path(shutil.copytree(archives[name], tmp_path / "data"))


def root_of(name: str, directory: Path) -> Path:
    roots = {
        "animal10n": "raw_image_ver/raw_image",
        "food101n": "Food-101N_release",
        "clothing1m": "Clothing1M",
        "mini_webvision": "WebVision",
        "red_mini_imagenet": "mini-imagenet",
    }
    return directory / roots[name]


# ---------------------------------------------------------------------------------------------------- what is loaded


def test_images_are_those_of_the_files_that_the_ids_name(name: str, archives: dict[str, Path]) -> None:
    data = load(name, archives[name])
    dataset = nlcore.create("dataset", name, **SIZES[name])
    for split in splits(data).values():
        store = stores.as_store(split.images)
        paths = split.paths
        assert isinstance(paths, Listed)
        some = np.arange(0, len(store), 7)
        for image, position in zip(store.fetch(some), some.tolist(), strict=True):
            assert paths[position].as_posix().endswith(str(split.ids[position]))
            read = getattr(dataset, "read", read_image)  # how nl predict reads it
            np.testing.assert_array_equal(image, read(paths[position], store.image_shape))


def test_labels_are_noisy_in_training_and_true_in_testing(name: str, archives: dict[str, Path]) -> None:
    data = load(name, archives[name])
    assert (data.train.clean is None) == (name != "red_mini_imagenet")
    for part, split in splits(data).items():
        if part != "train":
            np.testing.assert_array_equal(split.clean, split.labels)


def test_the_folder_may_lie_anywhere(name: str, archives: dict[str, Path], tmp_path: Path) -> None:
    more: dict[str, Any] = {}
    if name == "food101n":
        more = {"test_folder": str(archives[name] / "food-101")}
    if name == "mini_webvision":
        more = {"ilsvrc": str(archives[name] / "imagenet" / "val")}
    found = load(name, tmp_path, folder=str(root_of(name, archives[name])), **more)
    assert found.fingerprint == load(name, archives[name]).fingerprint


def test_the_conformance_suite_holds(name: str, archives: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NL_DATA_DIR", str(archives[name]))
    outcomes = run_checks([registry().find("dataset", name)])
    assert outcomes
    assert [outcome for outcome in outcomes if outcome.status != "passed"] == []


def test_what_is_read_is_named_and_few(name: str, archives: dict[str, Path]) -> None:
    dataset = nlcore.create("dataset", name, **SIZES[name])
    files = dataset.files(DatasetContext(archives[name], download=False))
    assert all(file.exists() for file in files)
    train, test, where = FILES[name]
    assert where is None or root_of(name, archives[name]) / where in files
    images = [root_of(name, archives[name]) / file for file in (train, test)]
    assert {image.resolve().parent for image in images} <= {file.resolve() for file in files}
    assert not any(file.suffix.lower() in (".jpg", ".jpeg") for file in files)


def test_numbers_that_are_not_the_official_ones_are_said(name: str, archives: dict[str, Path]) -> None:
    notes = load(name, archives[name]).notes
    official = {
        "animal10n": ("50,000", "5,000"),
        "food101n": ("310,009", "25,250"),
        "clothing1m": ("1,000,000", "10,526", "14,313", "47,570"),
        "mini_webvision": ("65,944", "2,500"),
        "red_mini_imagenet": ("50,000", "5,000"),
    }
    (said,) = (note for note in notes if "is not as it was published" in note)
    assert all(f"(officially {number})" in said for number in official[name])


# ------------------------------------------------------------------------------------------------- what is refused


def test_where_it_is_not_there_it_is_said_how_to_get_it(name: str, tmp_path: Path) -> None:
    said = refused(name, tmp_path)
    assert str(tmp_path) in said
    assert "https://" in said
    assert "--dataset.folder PATH" in said
    assert "there is no folder" in refused(name, tmp_path, folder=str(tmp_path / "nowhere"))


@pytest.mark.parametrize("which", ["train", "test"])
@pytest.mark.parametrize("how", ["gone", "empty", "a folder"])
def test_images_that_are_not_there_are_named_or_left_out(name: str, which: str, how: str, directory: Path) -> None:
    image = root_of(name, directory) / (FILES[name][0] if which == "train" else FILES[name][1])
    before = load(name, directory)
    image.unlink()
    if how == "empty":
        image.touch()
    if how == "a folder":
        image.mkdir()
    if name == "animal10n" and how != "empty":  # there is no list that would name it
        assert load(name, directory).fingerprint != before.fingerprint
        return
    said = refused(name, directory)
    assert f"{image.name}. Unpack" in said
    assert " 1 of " in said
    assert "--dataset.skip_unreadable" in said
    after = load(name, directory, skip_unreadable=True)
    assert any("left out 1 of" in note and image.name in note for note in after.notes)
    gone = set(splits(before)[which].ids.tolist()) - set(splits(after)[which].ids.tolist())
    assert [one.endswith(image.name) for one in gone] == [True]
    assert after.fingerprint != before.fingerprint


@pytest.mark.parametrize("which", ["train", "test"])
def test_what_is_decoded_before_training_is_told_apart_by_its_pixels(name: str, which: str, directory: Path) -> None:
    """Images without compression: others of the same shape have as many bytes."""
    image = root_of(name, directory) / (FILES[name][0] if which == "train" else FILES[name][1])
    found = []
    for value in (3, 200, 3):
        Image.new("RGB", (20, 14), (value, value, value)).save(image, "BMP")
        found.append((image.stat().st_size, load(name, directory).fingerprint))
    assert found[0] == found[2]
    assert found[0][0] == found[1][0]
    on_demand = name not in DECODED and which == "train"
    assert (found[0][1] == found[1][1]) == on_demand


@pytest.mark.parametrize("name", [*DECODED, "food101n", "clothing1m", "mini_webvision"])
def test_a_broken_test_image_is_found_before_training(name: str, directory: Path) -> None:
    image = root_of(name, directory) / FILES[name][1]
    before = load(name, directory).test.ids.tolist()
    image.write_bytes(b"no image")
    said = refused(name, directory)
    assert "1 images cannot be read: " in said
    assert f"{image.name} (" in said
    assert "Unpack them again, or leave them out with --dataset.skip_unreadable." in said
    after = load(name, directory, skip_unreadable=True)
    (gone,) = set(before) - set(after.test.ids.tolist())
    assert gone.endswith(image.name)
    assert list(after.unreadable) == [gone]
    assert any("left out 1 images that cannot be read" in note for note in after.notes)


@pytest.mark.parametrize("name", ["food101n", "clothing1m", "mini_webvision"])
def test_a_broken_training_image_stops_a_run_and_what_is_advised_works(
    name: str, directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    toy.install(monkeypatch, tmp_path)
    given: dict[str, Any] = {"dataset": name, "dataset.size": 8, "dataset.shorter_side": 9, "architecture": "tiny"}
    given |= {"epochs": 1, "batch_size": 32, "data_dir": str(directory), "device": "cpu", "threads": "1", "quiet": True}
    image = root_of(name, directory) / FILES[name][0]
    good = image.read_bytes()
    image.write_bytes(b"no image")
    with pytest.raises(RunError) as caught:
        nlcore.run(name="stopped", **given)
    said = str(caught.value)
    assert f"{image} cannot be read: " in said
    assert "Unpack it again and go on, or start another run without it" in said
    assert "--exclude FILE" in said
    assert f"Go on with: nl resume {Path('runs') / 'stopped'}" in said
    (id_,) = (one for one in load(name, directory).train.ids.tolist() if FILES[name][0].endswith(one))
    (tmp_path / "without.txt").write_text(f"{id_}\n")
    assert nlcore.run(name="without", exclude=str(tmp_path / "without.txt"), **given).status == "done"
    image.write_bytes(good)
    assert nlcore.resume("runs/stopped", quiet=True).status == "done"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "animal10n"])  # which has no list
def test_of_many_missing_ones_ten_are_named(directory: Path, name: str) -> None:
    folder = (root_of(name, directory) / FILES[name][0]).parent
    shutil.rmtree(folder if name != "food101n" else folder.parent)
    said = refused(name, directory)
    assert said.count(".jpg") <= 10
    named = {"food101n": "202 of 202", "red_mini_imagenet": "500 of 500"}
    assert named.get(name, " of ") in said


def test_a_list_that_is_missing_empty_or_no_text(name: str, directory: Path) -> None:
    where = FILES[name][2]
    if where is None:
        shutil.rmtree(directory / "raw_image_ver" / "raw_image" / "testing")
        assert "testing" in refused(name, directory)
        return
    path = root_of(name, directory) / where
    path.write_bytes(b"")
    assert f"{path} is empty" in refused(name, directory)
    path.write_bytes(b"\x80\x81\x82 3\n")
    assert f"{path} is no text" in refused(name, directory)
    path.unlink()
    assert f"there is no {path}" in refused(name, directory)


@pytest.mark.parametrize(("name", "where"), [(one, where) for one, (_, _, where) in FILES.items() if where])
def test_a_name_that_stands_twice(where: str, directory: Path, name: str) -> None:
    path = root_of(name, directory) / where
    content = path.read_text().splitlines()
    path.write_text("\n".join([*content, content[1]]))
    assert "names 1 images more than once" in refused(name, directory)


LINES = some.lists(
    some.one_of(
        some.text(max_size=30),
        some.sampled_from(
            ["../../etc/passwd 1", "a.jpg -1", "a.jpg 99999999999999999999", "images/\0.jpg 0", " 3", "x 3"]
        ),
    ),
    max_size=5,
)


@pytest.mark.parametrize(("name", "where"), [(one, where) for one, (_, _, where) in FILES.items() if where])
@FUZZ
@given(bad=LINES, at=some.integers(0, 50), cut=some.booleans())
def test_whatever_stands_in_a_list_is_read_or_refused(
    name: str, where: str, bad: list[str], at: int, cut: bool, archives: dict[str, Path]
) -> None:
    path = root_of(name, archives[name]) / where
    good = path.read_bytes()
    content = good.decode().splitlines()
    try:
        path.write_text("\n".join([*content[:at], *bad, *([] if cut else content[at:])]), encoding="utf-8")
        with refused_or_read(path.parent):
            load(name, archives[name], skip_unreadable=True)
    finally:
        path.write_bytes(good)
