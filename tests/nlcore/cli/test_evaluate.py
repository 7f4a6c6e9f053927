"""``nl evaluate``: figures on the run's own test set, on other data and on files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy
from helpers import install_plugin, plugin_source, squares
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix

import nlcore

LETTERS = ("class0", "class1", "class2", "class3")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a run on the toy problem, which is known as long."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patched:
        toy.install(patched, folder)
        yield nlcore.run(**{**toy.SETTINGS, "name": "mine", "quiet": True, "runs_dir": folder / "runs"}).run_dir


@pytest.fixture
def mine(trained: Path) -> nlcore.Result:
    """Return a copy of the run, called mine; ``runs`` is in the working directory."""
    return nlcore.Result.read(Path(shutil.copytree(trained, "runs/mine")))


def write_images(folder: Path, count: int = 24, classes: tuple[str, ...] = LETTERS) -> tuple[Any, Any]:
    """Write images of the toy problem, a folder for each class; return them and their labels."""
    images, labels = squares(count, seed=3)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / classes[label] / f"{number:02}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(place)
    return images, labels


def test_what_takes_long_says_on_a_terminal_how_far_it_is(
    nl: Any, mine: nlcore.Result, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_images(tmp_path / "photos")
    monkeypatch.setattr("nlcore.runs.terminal.SILENT_SECONDS", -1.0)
    monkeypatch.setattr("nlcore.runs.evaluation.AT_ONCE", 20)
    assert nl("evaluate", "mine", "photos").err == ""  # a pipe
    monkeypatch.setenv("FORCE_COLOR", "1")  # for rich, a terminal
    monkeypatch.setenv("TERM", "xterm")
    assert "of 24" in nl("evaluate", "mine", "photos").err
    assert "20 of 48" in nl("evaluate", "mine").err
    assert nl("evaluate", "mine", "--quiet").err == ""


def test_the_runs_own_test_set_has_the_accuracy_of_the_run(nl: Any, mine: nlcore.Result) -> None:
    found = nl("evaluate", "mine", "--json").json
    assert found["accuracy"] == mine.test_accuracy["last"]
    assert found["balanced_accuracy"] == pytest.approx(mine.balanced_accuracy)
    assert [one["recall"] for one in found["per_class"]] == [one["accuracy"] for one in mine.per_class]
    summary = json.loads((mine.run_dir / "summary.json").read_text())
    assert found["accuracy_interval"] == pytest.approx(summary["accuracy_interval"])
    assert found["per_class"] == summary["per_class"]
    assert found["ece"] == pytest.approx(summary["ece"], abs=1e-6)
    images, labels = squares(48, seed=1)
    predicted = nlcore.load(mine.run_dir).predict(images).argmax(1)
    assert found["confusion"] == confusion_matrix(labels, predicted, labels=range(4)).tolist()
    assert (found["labels"], found["wrong_labels"], found["count"]) == ("true", 0.0, 48)
    assert 0 <= found["ece"] <= 1
    assert len(found["mistakes"]) == min(40, int((predicted != labels).sum()))


def test_the_tables_fit_into_80_columns_and_say_whose_labels(nl: Any, mine: nlcore.Result) -> None:
    done = nl("evaluate", "mine")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "test set of toy: 48 images"
    assert lines[1].startswith(f"accuracy {mine.test_accuracy['last']:.2%} (95% interval ")
    assert lines[1].endswith(" against the true labels")
    assert "Images of each true class (rows), predicted as (columns):" in lines
    assert max(map(len, lines)) <= 80


def test_images_in_folders_are_measured_by_the_names_of_their_classes(nl: Any, mine: nlcore.Result) -> None:
    """Folders in another order than the model's classes, and one class without images."""
    images, labels = write_images(Path("new"))
    shutil.rmtree("new/class0")
    found = nl("evaluate", "mine", "new", "--json").json
    kept = labels != 0
    predicted = nlcore.load(mine.run_dir).predict(images[kept]).argmax(1)
    assert found["accuracy"] == pytest.approx(accuracy_score(labels[kept], predicted))
    assert [one["count"] for one in found["per_class"]] == [0, 6, 6, 6]
    assert (found["labels"], found["wrong_labels"]) == ("given", None)
    assert "against given labels, which may be wrong" in nl("evaluate", "mine", "new").out


def test_a_table_of_files_gives_other_labels(nl: Any, mine: nlcore.Result) -> None:
    images, labels = write_images(Path("new"))
    given = (labels + 1) % 4
    rows = [
        f"new/{LETTERS[label]}/{number:02}.png,{LETTERS[other]}"
        for number, (label, other) in enumerate(zip(labels, given, strict=True))
    ]
    Path("table.csv").write_text("\n".join(["path,label", *rows]))
    found = nl("evaluate", "mine", "table.csv", "--json").json
    predicted = nlcore.load(mine.run_dir).predict(images).argmax(1)
    assert found["confusion"] == confusion_matrix(given, predicted, labels=range(4)).tolist()


def test_what_is_known_of_given_labels_is_said(nl: Any, mine: nlcore.Result) -> None:
    """12 of 48 labels by id are others than the true ones."""
    _, labels = squares(48, seed=1)
    changed = {str(number): LETTERS[(labels[number] + 1) % 4] for number in range(12)}
    Path("labels.json").write_text(json.dumps(changed))
    found = nl("evaluate", "mine", "--labels", "labels.json", "--json").json
    assert (found["labels"], found["wrong_labels"]) == ("given", 0.25)
    assert "against given labels, 25.00% of them wrong" in nl("evaluate", "mine", "--labels", "labels.json").out


def test_unreadable_files_are_named_and_left_out(nl: Any, mine: nlcore.Result) -> None:
    write_images(Path("new"))
    Path("new/class1/torn.png").write_bytes(b"\x89PNG")
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save("new/class1/deep.png")
    done = nl("evaluate", "mine", "new", "--json")
    assert done.code == 1
    assert sorted(done.json["unreadable"]) == ["new/class1/deep.png", "new/class1/torn.png"]
    assert done.json["count"] == 24
    assert "more than 8 bits" in done.err


def test_pictures_are_written(nl: Any, mine: nlcore.Result) -> None:
    names = ("confusion.png", "reliability.png", "mistakes.png")
    done = nl("evaluate", "mine", "-o", names[0], "--reliability", names[1], "--mistakes", names[2])
    assert done.code == 0
    for name in names:
        assert f"written: {name}" in done.err
        with Image.open(name) as picture:
            assert min(picture.size) > 100


def test_of_many_classes_each_is_listed_with_what_it_is_taken_for(
    nl: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = plugin_source(
        nl_datasets={"many": "many_classes:Many"}, nl_architectures={"net": "helpers:NetArchitecture"}
    )
    install_plugin(monkeypatch, tmp_path, "many-plugin", source)
    (tmp_path / "site-packages" / "many_classes.py").write_text(MANY)
    nlcore.run(**{**toy.SETTINGS, "dataset": "many", "architecture": "net", "epochs": 1, "name": "many", "quiet": True})
    out = nl("evaluate", "many").out
    assert "What each true class is taken for most often:" in out
    assert max(map(len, out.splitlines())) <= 80


MANY = """
from helpers import make_data, squares

class Many:
    def load(self, source):
        images, labels = squares(48)
        labels = labels + 4 * (labels[::-1].cumsum() % 3)
        return make_data(images, labels, classes=12)
"""


def test_bad_input_ends_with_a_sentence(nl: Any, mine: nlcore.Result) -> None:
    write_images(Path("new"))
    write_images(Path("strange"), classes=("cat", "class1", "class2", "dog"))
    Path("empty/class1").mkdir(parents=True)
    Path("none").mkdir()
    Path("torn/class1").mkdir(parents=True)
    Path("torn/class1/1.png").write_text("no image")
    Path("labels.csv").write_text("path,label\nnew/class0/00.png,\n")
    Path("ids.csv").write_text("id,label\n1000,class0\n")
    Path("alone").mkdir()
    for name in ("weights.safetensors", "model.json"):
        shutil.copy(mine.run_dir / name, Path("alone") / name)
    for words, said in (
        (("mine", "strange"), "strange has classes that the model does not know: cat, dog. It knows class0, class1,"),
        (("mine", "empty"), "empty holds no images in folders of classes"),
        (("mine", "none"), "none holds no images in folders of classes"),
        (("mine", "torn"), "None of the images of torn can be read"),
        (("mine", "nowhere"), "There is no folder nowhere."),
        (("mine", "labels.csv"), "labels.csv: there is no label in line 2 (empty)"),
        (("mine", "new", "--dataset", "digits"), "a folder or a dataset"),
        (("mine", "new", "--labels", "labels.csv"), "and name it in the place of new: nl evaluate mine CSV"),
        (("mine", "--labels", "ids.csv"), "of the 48 test samples: is it for another dataset, or for training images"),
        (("mine", "--dataset", "digits"), "has classes that the model does not know: 0, 1, 2, 3, 4 and 5 more"),
        (("mine", "--dataset", "digit"), "Did you mean 'digits'?"),
        (("mine", "--dataset.size", "3"), "size"),
        (("mine", "-o", "confusion.jpg"), "a picture's name ends in .png"),
        (("alone",), "alone is a model without its run"),
        (("nobody",), "nobody is no run"),
    ):
        done = nl("evaluate", *words)
        assert done.code == 2, (words, done)
        assert said in done.err, (words, done.err)
    assert nl("evaluate", "alone", "new", "--json").json["count"] == 24


@pytest.mark.slow
def test_images_of_another_size_are_refused_with_the_size(nl: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        for number in range(10):
            place = tmp_path / "photos" / name / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(place)
    own = ("--dataset", "image_folder", "--dataset.folder", "photos")
    small = ("--architecture.width", "4", "--threads", "1", "--epochs", "1", "--batch-size", "8", "--precision", "fp32")
    assert nl("run", *own, "--dataset.size", "16", *small, "--name", "photos-run", "--json").json["data"] == "photos"
    done = nl("evaluate", "photos-run", "--dataset.size", "24")
    assert done.code == 2
    assert "The images of the test set of photos are 24×24×3, those of the model 16×16×3." in done.err
    assert "Give --dataset.size 16." in done.err
    missed = nl("evaluate", "photos-run", "--dataset.folder", "nowhere", "--labels", "gone.csv")  # before any image is
    assert "gone.csv'. Give one with --labels FILE." in missed.err
    assert nl("evaluate", "photos-run", "--dataset.folder", "photos", "--json").json["labels"] == "given"
    (tmp_path / "all.csv").write_text(
        "path,label\n" + "".join(f"photos/a/{n}.png,a\nphotos/b/{n}.png,b\n" for n in range(9))
    )
    table = ("--dataset", "csv", "--dataset.train", "all.csv", "--dataset.size", "16")
    assert nl("evaluate", "photos-run", *table, "--json").json["labels"] == "given"
    for name, value, usual in (("resize", "pad", "squash"), ("background", "black", "white")):
        done = nl("evaluate", "photos-run", *table, f"--dataset.{name}", value)
        assert done.code == 2
        assert f"dataset.{name} = {value}" in done.err
        assert f"Give --dataset.{name} {usual}." in done.err
