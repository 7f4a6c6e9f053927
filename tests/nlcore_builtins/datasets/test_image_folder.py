"""One's own images in folders, made for each test: what is read, how it is split, and what is said of mistakes."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from fuzzing import FUZZ, refused_or_read
from helpers import without_clock
from hypothesis import given
from hypothesis import strategies as some
from nlcore_builtins.datasets.image_folder import ImageFolder
from numpy.typing import NDArray
from PIL import Image, ImageOps

import nlcore
from nlcore import UserError
from nlcore.checks import dataset as checks
from nlcore.cli.main import cli
from nlcore.contracts import Data, DatasetContext, Split
from nlcore.data import stores

CATS = ("cat", "dog")


def picture(seed: int, size: tuple[int, int] = (12, 12)) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def make(folder: Path, **classes: int) -> Path:
    """Write so many images of each class, all different, 12×12 PNG."""
    for number, (name, count) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for image in range(count):
            seed = 1000 * number + image + len(folder.name)
            Image.fromarray(picture(seed)).save(folder / name / f"{image:02}.png")
    return folder


def load(folder: Path, report: Any = lambda line: None, **parameters: Any) -> Data:
    dataset = nlcore.create("dataset", "image_folder", folder=str(folder), **{"size": 12, **parameters})
    return dataset.load(DatasetContext(Path("nowhere"), download=False, report=report))  # type: ignore[no-any-return]


def pixels(split: Split) -> NDArray[np.uint8]:
    store = stores.as_store(split.images)
    return store.fetch(np.arange(len(store)))


def refused(folder: Path, **parameters: Any) -> str:
    with pytest.raises(UserError) as caught:
        load(folder, **parameters)
    return str(caught.value)


# ---------------------------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("second", ["test", "val"])
@pytest.mark.parametrize("memory", [2.0, 0.0], ids=["in memory", "on demand"])
def test_images_labels_and_ids_are_those_of_the_files(second: str, memory: float, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    make(root / "train", cat=3, dog=2)
    make(root / second, dog=1, cat=2)
    data = load(root, memory=memory)
    assert data.classes == ("cat", "dog")
    expected = ["train/cat/00.png", "train/cat/01.png", "train/cat/02.png", "train/dog/00.png", "train/dog/01.png"]
    assert data.train.ids.tolist() == expected
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1]
    assert data.test.ids.tolist() == [f"{second}/cat/00.png", f"{second}/cat/01.png", f"{second}/dog/00.png"]
    for split in (data.train, data.test):
        assert split.clean is None
        assert isinstance(split.images, np.ndarray) == (memory > 0)
        for image, name in zip(pixels(split), split.ids, strict=True):
            np.testing.assert_array_equal(image, np.asarray(Image.open(root / str(name))))


def test_two_folders_may_be_given(tmp_path: Path) -> None:
    make(tmp_path / "one", cat=3, dog=2)
    make(tmp_path / "other", cat=1, dog=1)
    data = load(tmp_path / "one", test_folder=str(tmp_path / "other"))
    assert data.train.ids[0] == data.test.ids[0] == "cat/00.png"
    assert (len(data.train.labels), len(data.test.labels)) == (5, 2)


def test_hidden_ones_and_other_files_are_passed_over_and_folders_within_are_not(tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=4, dog=4)
    make(root / ".git", cat=1)
    (root / "cat" / ".00.png").write_text("no image")
    (root / "cat" / "notes.txt").write_text("no image")
    (root / "dog" / "more").mkdir()
    shutil.move(root / "dog" / "03.png", root / "dog" / "more" / "03.PNG")
    data = load(root)
    assert sorted([*data.train.ids, *data.test.ids]) == [
        *(f"cat/0{number}.png" for number in range(4)),
        *(f"dog/0{number}.png" for number in range(3)),
        "dog/more/03.PNG",
    ]
    (note,) = data.notes
    assert "left out 1 file that does not end like images: 1 .txt (cat/notes.txt)" in note


def test_classes_that_are_numbers_are_in_their_order(tmp_path: Path) -> None:
    make(tmp_path / "photos", **{str(number): 2 for number in range(11)})
    assert load(tmp_path / "photos").classes == tuple(str(number) for number in range(11))


def test_train_may_be_the_name_of_a_class(tmp_path: Path) -> None:
    make(tmp_path / "vehicles", train=4, bus=4)
    assert load(tmp_path / "vehicles").classes == ("bus", "train")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Train", "Test"), ("TRAIN", "VAL"), ("training", "validation"), ("train_set", "valid"), ("Training", "testing")],
)
def test_parts_are_understood_in_their_usual_spellings(one: str, other: str, tmp_path: Path) -> None:
    make(tmp_path / one, cat=3, dog=2)
    make(tmp_path / other, cat=1, dog=2)
    data = load(tmp_path)
    assert data.classes == ("cat", "dog")
    assert (len(data.train.labels), len(data.test.labels)) == (5, 3)


def test_parts_that_can_be_meant_in_two_ways_are_refused(tmp_path: Path) -> None:
    for name in ("train", "Training", "test"):
        make(tmp_path / "two" / name, cat=2, dog=2)
    assert "Training/ and train/: which one" in refused(tmp_path / "two")
    for name in ("test", "val"):
        make(tmp_path / "tests" / name, cat=2, dog=2)
    assert "test/ and val/ but no train/" in refused(tmp_path / "tests")
    make(tmp_path / "flat", Train=3, Test=3)
    assert "3 images, but no folders of classes" in refused(tmp_path / "flat")
    for name in ("cat", "dog"):
        make(tmp_path / "turned" / name, train=2, test=2)
    assert "train/cat, not cat/train" in refused(tmp_path / "turned")


def test_folders_beside_the_parts_are_said(tmp_path: Path) -> None:
    for name in ("train", "test", "val", "unlabelled"):
        make(tmp_path / name, cat=2, dog=2)
    notes = load(tmp_path).notes
    assert len(notes) == 1
    assert notes[0].endswith("trained is on train/, tested on test/; left out: unlabelled/, val/")


def test_test_images_from_elsewhere_leave_the_training_part(tmp_path: Path) -> None:
    make(tmp_path / "photos" / "train", cat=2, dog=2)
    make(tmp_path / "other", cat=1, dog=1)
    data = load(tmp_path / "photos", test_folder=str(tmp_path / "other"))
    assert data.classes == ("cat", "dog")
    assert data.train.ids[0] == "train/cat/00.png"
    assert "holds the parts of a dataset" in refused(tmp_path / "other", test_folder=str(tmp_path / "photos"))


def test_linked_folders_belong_to_their_class(tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=4, dog=4)
    make(tmp_path / "elsewhere", more=3)
    (root / "cat" / "linked").symlink_to(tmp_path / "elsewhere" / "more")
    data = load(root)
    assert np.bincount([*data.train.labels, *data.test.labels]).tolist() == [7, 4]
    assert "cat/linked/00.png" in [*data.train.ids, *data.test.ids]


def test_one_name_in_two_forms_is_one_class_and_names_that_look_alike_are_said(tmp_path: Path) -> None:
    root, names = tmp_path / "photos", ("caf\u00e9", "cafe\u0301", "cat", "Cat")
    make(root, **dict.fromkeys(names, 3))
    data = load(root)
    assert data.classes == ("Cat", "caf\u00e9", "cat")
    assert any("several forms of Unicode: 'caf\u00e9'" in note for note in data.notes)
    assert any("look alike" in note and "'Cat' and 'cat'" in note for note in data.notes)


@pytest.mark.parametrize("memory", [2.0, 0.0], ids=["in memory", "on demand"])
def test_a_figure_drawn_in_alpha_is_seen_over_the_right_background(memory: float, tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=3, dog=3)
    alpha = np.zeros((12, 12, 4), np.uint8)
    alpha[3:9, 3:9, 3] = 255
    Image.fromarray(alpha, "RGBA").save(root / "cat" / "00.png")
    white, black = (load(root, background=colour, memory=memory) for colour in ("white", "black"))
    shown = [
        pixels(part)[list(part.ids).index("cat/00.png")]
        for data in (white, black)
        for part in (data.train, data.test)
        if "cat/00.png" in part.ids
    ]
    assert shown[0].max() == 255
    assert shown[0].min() == 0
    assert shown[1].max() == 0
    assert not any("one colour" in note for note in white.notes)
    said = next(note for note in black.notes if "one colour" in note)
    assert said.startswith("1 of 6 images are of one colour only")
    assert "--dataset.background white" in said
    assert said.endswith("cat/00.png")
    dataset = ImageFolder(folder=str(root), background="black")
    np.testing.assert_array_equal(dataset.read(root / "cat" / "00.png", (3, 12, 12)), shown[1])


@pytest.mark.parametrize("memory", [2.0, 0.0], ids=["in memory", "on demand"])
@pytest.mark.parametrize("name", ["image_folder", "csv"])
def test_proportions_are_kept_where_asked_for(name: str, memory: float, tmp_path: Path) -> None:
    make(tmp_path, cat=2, dog=2)
    photo = tmp_path / "cat" / "00.png"
    image = Image.fromarray(picture(1, (24, 36)))
    image.save(photo)
    (tmp_path / "all.csv").write_text("path,label\n" + "".join(f"{c}/0{n}.png,{c}\n" for c in CATS for n in (0, 1)))
    place = {"folder": str(tmp_path)} if name == "image_folder" else {"train": str(tmp_path / "all.csv")}
    expected = {
        "squash": image.resize((12, 12), Image.Resampling.BILINEAR),
        "crop": image.resize((18, 12), Image.Resampling.BILINEAR).crop((3, 0, 15, 12)),
        "pad": ImageOps.pad(image, (12, 12), Image.Resampling.BILINEAR, "black"),
    }
    prints = set()
    for resize, shown in expected.items():
        own = {"size": 12, "resize": resize, "background": "black", "memory": memory, **place}
        dataset = nlcore.create("dataset", name, **own)
        data = dataset.load(DatasetContext(tmp_path))
        parts = (data.train, data.test)
        found = {sample: one for part in parts for sample, one in zip(part.ids, pixels(part), strict=True)}
        np.testing.assert_allclose(found["cat/00.png"].astype(int), np.asarray(shown).astype(int), atol=1)
        np.testing.assert_array_equal(dataset.read(photo, (3, 12, 12)), found["cat/00.png"])
        prints.add(data.fingerprint)
    assert len(prints) == 3


def test_warnings_of_pillow_become_notes_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make(tmp_path / "photos", cat=3, dog=3)
    Image.fromarray(picture(0, (14, 14))).save(root / "dog" / "01.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 150)
    said = [note for note in load(root).notes if "warning" in note]
    assert len(said) == 1
    assert said[0].startswith("1 of 6 images were read with a warning: dog/01.png (")


def test_progress_is_told_while_images_are_decoded(tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=3, dog=3)
    told: list[tuple[int, int, str]] = []
    source = DatasetContext(tmp_path, False, progress=lambda done, total, what: told.append((done, total, what)))
    ImageFolder(folder=str(root)).load(source)
    assert told[0][:2] == (1, 6)
    assert told[-1] == (6, 6, "images decoded")


def test_the_files_are_the_images_and_all_folders_that_are_listed(tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=2, dog=1)
    (root / "cat" / "more").mkdir()
    (root / "cat" / "notes.txt").write_text("no image")
    files = ImageFolder(folder=str(root)).files(DatasetContext(tmp_path))
    images = [root / "cat" / "00.png", root / "cat" / "01.png", root / "dog" / "00.png"]
    assert files == sorted([root, root / "cat", root / "cat" / "more", root / "dog", *images])


def test_mean_and_std_are_those_of_the_training_pixels_or_given(tmp_path: Path) -> None:
    make(tmp_path / "train", cat=3, dog=2)
    make(tmp_path / "test", cat=1, dog=1)
    values = np.stack([np.asarray(Image.open(path)) for path in sorted((tmp_path / "train").rglob("*.png"))]) / 255
    for memory in (0.0, 2.0):
        data = load(tmp_path, memory=memory)
        np.testing.assert_allclose(data.mean, values.mean((0, 1, 2)), rtol=1e-9)
        np.testing.assert_allclose(data.std, values.std((0, 1, 2)), rtol=1e-9)
    given = load(tmp_path, mean="0.5, 0.4,0.3", std="0.2,0.2,0.1")
    assert (given.mean, given.std) == ((0.5, 0.4, 0.3), (0.2, 0.2, 0.1))


@pytest.mark.parametrize("text", ["0.5", "a,b,c", "1,2,3", "0.5,0.5,-0.1", "nan,0,0"])
def test_a_mean_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="must be three numbers within 0"):
        nlcore.create("dataset", "image_folder", mean=text)


# ----------------------------------------------------------------------------------------------------------- split


def test_a_split_takes_the_share_of_each_class_and_depends_on_the_seed_alone(tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=10, dog=5, eel=2)
    data = load(root, test_fraction=0.3)
    assert np.bincount(data.test.labels).tolist() == [3, 2, 1]  # 0.3 of 10, 5 and 2, one at least
    assert sorted([*data.train.ids, *data.test.ids]) == sorted(
        path.relative_to(root).as_posix() for path in root.rglob("*.png")
    )
    again, other = load(root, test_fraction=0.3), load(root, test_fraction=0.3, split_seed=1)
    assert again.test.ids.tolist() == data.test.ids.tolist()
    assert other.test.ids.tolist() != data.test.ids.tolist()
    assert np.bincount(load(root, test_fraction=0.99).train.labels).tolist() == [1, 1, 1]


# ----------------------------------------------------------------------------------------------------- fingerprint


def test_the_fingerprint_names_the_content(tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=4, dog=4)
    first = load(root).fingerprint
    assert first
    assert load(root, memory=0.0).fingerprint == first
    os.utime(root / "cat" / "00.png", (0, 0))
    assert load(root).fingerprint == first
    assert load(root, size=8).fingerprint != first
    changed = picture(0)
    changed[0, 0] ^= 1
    Image.fromarray(changed).save(root / "cat" / "00.png")
    assert load(root, memory=0.0).fingerprint != first


# -------------------------------------------------------------------------------------------------------- mistakes


def test_no_folder_is_said() -> None:
    with pytest.raises(UserError, match=r"--dataset\.folder PATH"):
        nlcore.create("dataset", "image_folder").load(DatasetContext(Path("nowhere"), download=False))


def test_folders_that_hold_nothing_of_use_are_said(tmp_path: Path) -> None:
    assert "There is no folder" in refused(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    assert "no folders of classes" in refused(tmp_path / "empty")
    (tmp_path / "loose").mkdir()
    Image.fromarray(picture(0)).save(tmp_path / "loose" / "1.png")
    assert "1 images, but no folders of classes" in refused(tmp_path / "loose")
    assert "is a file" in refused(tmp_path / "loose" / "1.png")
    make(tmp_path / "gap", cat=2, dog=0)
    assert "hold no images: dog" in refused(tmp_path / "gap")
    make(tmp_path / "single", cat=5)
    assert "one class only, 'cat'" in refused(tmp_path / "single")
    make(tmp_path / "untested" / "train", cat=2, dog=2)
    assert "neither test/ nor val/" in refused(tmp_path / "untested")


def test_a_class_with_one_image_cannot_be_split(tmp_path: Path) -> None:
    assert "one image only, so none can be split off for testing: dog" in refused(make(tmp_path / "a", cat=3, dog=1))
    assert "one image only" in refused(make(tmp_path / "b", cat=1, dog=1), test_fraction=0)


def test_the_least_that_can_be_tested_on_is_an_image_of_each_class_that_has_two(tmp_path: Path) -> None:
    data = load(make(tmp_path, cat=5, dog=1, eel=2), test_fraction=0)
    assert np.bincount(data.train.labels).tolist() == [4, 1, 1]
    assert np.bincount(data.test.labels).tolist() == [1, 0, 1]


def test_classes_of_train_and_test_must_agree(tmp_path: Path) -> None:
    make(tmp_path / "train", cat=2, dog=2, eel=1)
    make(tmp_path / "test", cat=2, dog=2, fox=1)
    message = refused(tmp_path)
    assert "only in the training part: eel" in message
    assert "only in the test part: fox" in message


def spoil(root: Path) -> list[str]:
    """Make twelve of the cats unreadable in different ways and return their ids."""
    cats = [root / "cat" / f"{number:02}.png" for number in range(12)]
    Image.fromarray(picture(0, (64, 64))).save(root / "whole.jpg")
    torn = root / "cat" / "torn.jpg"
    torn.write_bytes((root / "whole.jpg").read_bytes()[:-500])
    (root / "whole.jpg").unlink()
    cats[11].unlink()
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(cats[0])
    for path in cats[1:11]:
        path.write_text("no image")
    return [path.relative_to(root).as_posix() for path in [*cats[:11], torn]]


def test_unreadable_images_are_listed_all_at_once(tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=15, dog=4)
    names = spoil(root)
    message = refused(root)
    assert message.startswith("12 of 19 images cannot be read: ")
    assert all(name in message for name in names[:10])
    assert names[11] not in message
    assert "and 2 more" in message
    assert "more than 8 bits a channel" in message
    assert "--dataset.skip_unreadable" in message


@pytest.mark.parametrize("memory", [2.0, 0.0], ids=["in memory", "on demand"])
def test_unreadable_images_can_be_left_out(memory: float, tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=15, dog=4)
    names = spoil(root)
    data = load(root, skip_unreadable=True, memory=memory)
    assert "left out 12 of 19 images" in data.notes[0]
    assert not {*data.train.ids, *data.test.ids} & {*names}
    assert np.bincount([*data.train.labels, *data.test.labels]).tolist() == [3, 4]
    for split in (data.train, data.test):
        for image, name in zip(pixels(split), split.ids, strict=True):
            np.testing.assert_array_equal(image, np.asarray(Image.open(root / str(name))))


def test_leaving_out_must_leave_enough(tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=2, dog=2, eel=2)
    (root / "cat" / "00.png").write_text("no image")
    assert "one image only" in refused(root, skip_unreadable=True)
    (root / "cat" / "01.png").write_text("no image")
    assert "No training image that can be read is left of: cat" in refused(root, skip_unreadable=True)


def test_an_image_that_vanishes_while_training_stops_the_run_with_its_name(tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=3, dog=3)
    data = load(root, memory=0.0)
    gone = str(data.train.ids[1])
    (root / gone).unlink()
    with pytest.raises(nlcore.RunError, match=f"{gone} can no longer be read"):
        pixels(data.train)


# ------------------------------------------------------------------------------------------------- rules and whole runs


@pytest.mark.parametrize("memory", [2.0, 0.0], ids=["in memory", "on demand"])
@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_it_keeps_every_rule_of_datasets(check: Any, memory: float, tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=5, dog=5)
    check(functools.partial(ImageFolder, folder=str(root), size=12, memory=memory))


TINY: dict[str, Any] = {
    "architecture.width": 4,
    "epochs": 2,
    "batch_size": 8,
    "device": "cpu",
    "precision": "fp32",
    "threads": "1",
    "quiet": True,
}


@pytest.mark.slow
def test_a_run_gives_the_same_numbers_in_memory_and_on_demand_and_predicts(tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=12, dog=12)
    own: Any = {
        "dataset": "image_folder",
        "dataset.folder": str(root),
        "dataset.size": 12,
        "validation": 0.2,
    }
    runs = [nlcore.run(**{**own, **TINY, "dataset.memory": memory}) for memory in (2.0, 0.0)]
    rows = [[without_clock(row) for row in run.metrics] for run in runs]
    assert rows[0] == rows[1]
    assert runs[0].run_dir != runs[1].run_dir
    assert (runs[0].run_dir / "weights.safetensors").read_bytes() == (
        runs[1].run_dir / "weights.safetensors"
    ).read_bytes()
    assert runs[0].components["noise"] == "none"
    assert runs[0].noise_rate is None
    assert runs[0].memorisation == {"clean_accuracy": None, "memorised": None, "corrected": None}
    model = nlcore.load(runs[0].run_dir)
    assert model.image_shape == (3, 12, 12)
    names = [root / "cat" / "00.png", root / "dog" / "01.png"]
    images = np.stack([np.asarray(Image.open(name)) for name in names])
    rows_of_files = np.stack([row for _, row in model.predict_files(names)])
    np.testing.assert_allclose(rows_of_files, model.predict(images), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("resize", ["crop", "pad"])
def test_a_model_reads_files_as_it_was_trained(resize: str, tmp_path: Path) -> None:
    """In Python, by the commands and in what is exported."""
    root = make(tmp_path / "photos", cat=6, dog=6)
    photo = Image.fromarray(picture(1, (24, 36)))
    photo.save(root / "cat" / "00.png")
    own: Any = {"dataset": "image_folder", "dataset.folder": str(root), "dataset.size": 12, "dataset.resize": resize}
    run = nlcore.run(**{**own, **TINY}).run_dir
    model = nlcore.load(run)
    bilinear = Image.Resampling.BILINEAR
    cropped = photo.resize((18, 12), bilinear).crop((3, 0, 15, 12))
    fitted = np.asarray(cropped if resize == "crop" else ImageOps.pad(photo, (12, 12), bilinear, "white"))
    ((_, shares),) = model.predict_files([root / "cat" / "00.png"])
    np.testing.assert_allclose(shares, model.predict(fitted[None])[0], atol=1e-3)
    squashed = np.asarray(photo.resize((12, 12), bilinear))
    assert np.abs(shares - model.predict(squashed[None])[0]).max() > 1e-3
    said = CliRunner().invoke(cli, ["predict", str(run), str(root / "cat" / "00.png")])
    assert float(said.stdout.split("\t")[2]) == pytest.approx(float(shares.max()), abs=2e-4)
    said = CliRunner().invoke(cli, ["evaluate", str(run), str(root), "--json", "--quiet"])
    right = sum(
        model.classes[row.argmax()] == path.parent.name
        for path, row in model.predict_files(sorted(root.rglob("*.png")))
    )
    assert json.loads(said.stdout)["accuracy"] == pytest.approx(right / 12)
    said = CliRunner().invoke(cli, ["export", str(run), "--to", "torch_export", "-o", "model.pt2"])
    assert said.exit_code == 0, said.output
    about = {"nlcore.json": ""}
    torch.export.load("model.pt2", extra_files=about)
    assert json.loads(about["nlcore.json"])["resize"] == resize


@pytest.mark.slow
def test_the_command_line_says_what_cannot_be_read_and_leaves_it_out_on_request(tmp_path: Path) -> None:
    root = make(tmp_path / "photos", cat=6, dog=6)
    (root / "cat" / "03.png").write_text("no image")
    words = ["-m", "nlcore", "run", "--dry-run", "--batch-size", "4", "--architecture.width", "4", "--device", "cpu"]
    words += ["--threads", "1", "--dataset", "image_folder", "--dataset.folder", str(root)]

    def nl(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *words, *more], capture_output=True, text=True, check=False)

    refused = nl()
    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: 1 of 12 images cannot be read: cat/03.png (")
    plan = nl("--dataset.skip_unreadable")
    assert plan.returncode == 0, plan.stderr
    assert "9 training and 2 test images, 64×64×3" in plan.stdout
    assert "how many labels are wrong is unknown" in plan.stdout


PARTS = some.sampled_from(["train", "Test", "val", "cat", "Cat", "dog", "é", ".hidden", "..", "__MACOSX", "test set"])
FILES = some.sampled_from(["1.png", "2.PNG", "._1.png", "note.txt", "none", "link", "up", "broken.png", "gone.png"])


@FUZZ
@given(paths=some.lists(some.tuples(some.lists(PARTS, max_size=3), FILES), max_size=12))
def test_any_folder_is_a_dataset_or_is_refused(
    paths: list[tuple[list[str], str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("any") / "a" / "b" / "c"
    root.mkdir(parents=True)
    for parts, name in paths:
        path = root.joinpath(*parts, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.lower().endswith(".png") and name[0] in "12":
            Image.fromarray(picture(len(str(path)))).save(path)
        elif name in ("link", "up", "gone.png") and not path.is_symlink():
            path.symlink_to({"link": root / "cat", "up": path.parent.parent, "gone.png": root / "nowhere"}[name])
        elif name in ("note.txt", "none", "broken.png"):
            path.write_text("no image")
    with refused_or_read(root):
        dataset = ImageFolder(folder=str(root), skip_unreadable=True, size=8)
        data = dataset.load(DatasetContext(root))
        ids = [*data.train.ids, *data.test.ids]
        assert len(ids) == len(set(ids))
        assert {root / str(name) for name in ids} <= set(dataset.files(DatasetContext(root)))
        assert not [name for name in ids if ".hidden" in name or "/._" in name]
