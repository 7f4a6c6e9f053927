"""``nl noise``: a table, files that ``nl run --labels`` reads, and no training."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import install_plugin
from PIL import Image

import nlcore

ASYMMETRIC = ("--dataset", "digits", "--noise", "asymmetric", "--noise.rate", "0.4")
FILES = ["labels.npz", "labels.csv", "labels.json", "noise.json", "noise.png"]

#: A hundred classes, and samples whose ids are words.
PLUGIN = """
import numpy as np
from nlcore import Component, hookimpl
from nlcore.contracts import Data, Split

NLCORE_API = 1

class Many:
    def load(self, source):
        labels = np.arange(3000) % 100
        ids = np.array([f"image {number}" for number in range(3000)])
        part = Split(np.zeros((3000, 2, 2, 1), np.uint8), labels, ids, labels)
        return Data(part, part, tuple(f"kind {number}" for number in range(100)), (0.5,), (0.5,))

@hookimpl
def nl_datasets():
    return [Component("many", "many_classes:Many", "For a test.")]
"""


@pytest.mark.slow
def test_the_realised_matrix_is_shown_and_written(nl: Any) -> None:
    done = nl("noise", *ASYMMETRIC, "--out", "here")
    assert done.code == 0
    assert "20.00% declared, 20.11% of the labels wrong" in done.out
    assert sorted(path.name for path in Path("here").iterdir()) == sorted(FILES)
    assert not Path("runs").exists()
    with np.load("here/labels.npz") as file:
        true, given = file["true"], file["given"]
    record = json.loads(Path("here/noise.json").read_text())
    assert record["counts"] == [[int(((true == i) & (given == j)).sum()) for j in range(10)] for i in range(10)]
    assert np.mean(true != given) == record["rate"] == pytest.approx(0.2011, abs=1e-4)
    rows = [line.split() for line in done.out.splitlines() if line[:1].isdigit()]
    for digit, row in enumerate(rows):  # 5 sevens of 100 are given as ones, and so on
        shares = [100 * np.mean(given[true == digit] == j) for j in range(10)]
        assert row == [str(digit), str((true == digit).sum()), *(f"{share:.1f}" if share else "." for share in shares)]
    assert len(rows) == 10
    with Image.open("here/noise.png") as picture:
        assert min(picture.size) > 500


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES[:3])
def test_what_is_written_can_be_trained_on(name: str, nl: Any, tiny: tuple[str, ...]) -> None:
    """Each file gives a run the same labels, which are those of a run with this noise."""
    written = nl("noise", *ASYMMETRIC, "--noise-seed", "3", "--json").json
    plan = nl("run", *tiny, "--labels", f"{written['out']}/{name}", "--json").json
    assert plan["labels_sha256"] == written["labels_sha256"]
    assert plan["noise_rate"] == written["rate"]


#: Names of classes that are numbers, of other classes: what a table of numbers means is anyone's guess.
NUMBERS = """
import numpy as np
from nlcore import Component, hookimpl
from nlcore.contracts import Data, Split

NLCORE_API = 1

class Numbers:
    def load(self, source):
        labels = np.arange(300) % 3
        part = Split(np.zeros((300, 2, 2, 1), np.uint8), labels, np.arange(300), labels)
        return Data(part, part, {names}, (0.5,), (0.5,))

@hookimpl
def nl_datasets():
    return [Component("numbers", "numbers_names:Numbers", "For a test.")]
"""


@pytest.mark.parametrize("names", [("2", "0", "1"), ("1", "2", "3"), ("10", "0", "1"), ("a,b", '"c"', "d e")])
@pytest.mark.parametrize("file", FILES[:3])
def test_written_labels_are_read_as_the_same_whatever_classes_are_called(
    nl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], file: str
) -> None:
    install_plugin(monkeypatch, tmp_path, "numbers-names", NUMBERS.replace("{names}", repr(names)))
    written = nl("noise", "--dataset", "numbers", "--noise.rate", "0.5", "--out", "first", "--json")
    assert written.code == 0, written.err
    with open("first/labels.csv", newline="", encoding="utf-8") as table, np.load("first/labels.npz") as arrays:
        rows = dict(csv.reader(table))
        assert all(rows[str(one)] == names[label] for one, label in zip(arrays["ids"], arrays["given"], strict=True))
    read = nl("noise", "--dataset", "numbers", "--labels", f"first/{file}", "--out", "second", "--json")
    assert read.code == 0, read.err
    assert read.json["labels_sha256"] == written.json["labels_sha256"]


def test_a_file_that_is_not_there_is_missed_before_the_images_are(nl: Any) -> None:
    images = ("--dataset", "image_folder", "--dataset.folder", "nowhere")
    for words in (("noise",), ("samples",), ("run",), ("run", "--dry-run")):
        refused = nl(*words, *images, "--labels", "gone.csv")
        assert refused.code == 2
        assert "gone.csv'. Give one with --labels FILE." in refused.err


@pytest.mark.slow
def test_the_labels_are_those_of_a_run(nl: Any, tiny: tuple[str, ...]) -> None:
    written = nl("noise", *ASYMMETRIC, "--noise-seed", "3", "--json").json
    result = nl("run", *tiny, *ASYMMETRIC[2:], "--noise-seed", "3", "--validation", "0.2", "--json").json
    assert result["labels_sha256"] == written["labels_sha256"]
    recorded = json.loads((Path(result["run_dir"]) / "noise.json").read_text())
    assert recorded == {key: written[key] for key in recorded}


def test_labels_as_csv_and_as_dividemixs_list(nl: Any) -> None:
    """The list goes by sample id; images that are not in this subset have -1."""
    out = nl("noise", *ASYMMETRIC, "--json").json["out"]
    with np.load(f"{out}/labels.npz") as file:
        given = dict(zip(file["ids"].tolist(), file["given"].tolist(), strict=True))
    with open(f"{out}/labels.csv", newline="") as file:
        titles, *rows = csv.reader(file)
    assert titles == ["id", "label"]
    assert {int(sample): int(label) for sample, label in rows} == given
    listed = json.loads(Path(out, "labels.json").read_text())
    assert listed == [given.get(sample, -1) for sample in range(max(given) + 1)]
    assert listed.count(-1) > 0


@pytest.mark.slow
def test_the_default_folder_stands_for_its_content(nl: Any) -> None:
    first, again, other = (
        nl("noise", *ASYMMETRIC, "--noise-seed", seed, "--json").json["out"] for seed in ("1", "1", "2")
    )
    assert first == again != other
    assert Path(first).parent == Path("noise")
    assert Path(first).name.startswith("digits-asymmetric-noise_seed1-")


@pytest.mark.slow
def test_nothing_is_overwritten(nl: Any, tiny: tuple[str, ...]) -> None:
    assert nl("noise", *ASYMMETRIC, "--out", "here").code == 0
    before = {path.name: path.read_bytes() for path in Path("here").iterdir()}
    assert nl("noise", *ASYMMETRIC, "--out", "here").code == 0
    refused = nl("noise", "--dataset", "digits", "--out", "here")
    assert refused.code == 2
    assert "--out" in refused.err
    assert {path.name: path.read_bytes() for path in Path("here").iterdir()} == before
    run_dir = nl("run", *tiny, "--json").json["run_dir"]
    assert nl("noise", "--dataset", "digits", "--out", run_dir).code == 2
    Path("file").write_text("a file")
    assert nl("noise", *ASYMMETRIC, "--out", "file").code == 2


def test_many_classes_and_ids_that_are_words(nl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a hundred classes only the most frequent targets are printed; DivideMix's list needs numbers."""
    install_plugin(monkeypatch, tmp_path, "many-classes", PLUGIN)
    done = nl("noise", "--dataset", "many", "--noise", "pair_flip", "--noise.rate", "0.5", "--out", "here")
    assert done.code == 0
    assert "labels.json is not written" in done.err
    assert "labels.json" not in done.out
    assert not Path("here/labels.json").exists()
    with np.load("here/labels.npz") as file:
        right = 100 * np.mean(file["given"][file["true"] == 7] == 7)
    row = next(line for line in done.out.splitlines() if line.startswith("7 kind 7 "))
    assert row.split() == f"7 kind 7 30 {right:.1f} 8 kind 8 {100 - right:.1f}".split()
    given = nlcore.create("noise", "stored", file="here/labels.csv")
    assert given is not None


def test_images_of_no_class_are_said(nl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(monkeypatch, tmp_path, "many-classes", PLUGIN)
    done = nl("noise", "--dataset", "many", "--noise", "open_set", "--noise.images", "digits", "--noise.rate", "0.1")
    assert done.code == 0
    assert "300 images are of no class" in done.out
    assert "10.00% declared, 10.00% of the labels wrong" in done.out


def test_bad_files_are_said_in_a_sentence(nl: Any, tmp_path: Path) -> None:
    """A matrix of another shape, with negative entries or by columns; a map with an unknown class; other labels."""
    np.save(tmp_path / "shape.npy", np.eye(3))
    np.save(tmp_path / "negative.npy", 2 * np.eye(10) - np.full((10, 10), 0.1))
    columns = np.full((10, 10), 0.5 / 9)
    columns[0] = 0.5
    np.save(tmp_path / "columns.npy", columns)
    (tmp_path / "map.txt").write_text("1:7\n4:eleven\n")
    (tmp_path / "labels.csv").write_text("id,label\ncat/1.png,1\n")
    matrix, asymmetric = ("--noise", "transition_matrix"), ("--noise", "asymmetric")
    for words, said in (
        ((*matrix, "--noise.file", "shape.npy"), "3 classes"),
        ((*matrix, "--noise.file", "negative.npy"), "negative"),
        ((*matrix, "--noise.file", "columns.npy"), "column-stochastic"),
        (matrix, "--noise.file"),
        ((*asymmetric, "--noise.map", "3:eleven"), "no class 'eleven'"),
        ((*asymmetric, "--noise.file", "map.txt"), "no class 'eleven'"),
        ((*asymmetric, "--noise.map", "cifar10"), "map = cifar10 is for 10 classes (airplane"),
        (("--labels", "labels.csv"), "is it for another dataset, or for test images"),
        (("--noise", "cifar100n", "--noise.file", "none.pt"), "none.pt"),
        (("--noise", "symmetric", "--noise.dialect", "apl", "--noise.draws", "exact"), "contradicts"),
    ):
        done = nl("noise", "--dataset", "digits", *words, "--out", "here")
        assert done.code == 2, words
        assert said in done.err, words
        assert done.err.startswith("Error: "), words
        assert len(done.err.splitlines()) == 1, words
    assert not Path("here").exists()


def test_only_what_concerns_the_noise_can_be_given(nl: Any) -> None:
    for words in (("--loss.q", "0.7"), ("--epochs", "3"), ("--loss", "gce"), ("--validation", "0.1"), ("recipe.toml",)):
        assert nl("noise", *words).code == 2, words
    assert nl("noise", "--dataset", "digits", "--noise.rte", "0.1").code == 2


def test_help_shows_what_holds(nl: Any) -> None:
    done = nl("noise", "--noise", "symmetric", "--noise.dialect", "apl", "--help")
    assert done.code == 0
    for words in ("--noise-seed INTEGER", "--data-dir", "--out DIR", "--noise.dialect", "[exact_per_class]"):
        assert words in done.out
    assert "--epochs" not in done.out
    assert "--loss" not in done.out


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["digits", "many"])
def test_it_fits_80_columns(dataset: str, nl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(monkeypatch, tmp_path, "many-classes", PLUGIN)
    monkeypatch.setenv("COLUMNS", "80")
    done = nl("noise", "--dataset", dataset, "--noise.rate", "0.99", "--out", "here")
    assert done.code == 0
    _, table, _ = done.out.split("\n\n")
    assert max(map(len, table.splitlines())) <= 80
