"""MNIST and Fashion-MNIST, with small files in the official format, written value by value."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torchvision
from nlcore_builtins.datasets import fashion_mnist, mnist
from numpy.typing import NDArray

import nlcore
from nlcore import UserError
from nlcore.checks.suite import run_checks
from nlcore.config.experiment import resolve
from nlcore.contracts import Data, DatasetContext
from nlcore.host.registry import registry

MODULES = {"mnist": mnist, "fashion_mnist": fashion_mnist}
KNOWN = {"mnist": torchvision.datasets.MNIST, "fashion_mnist": torchvision.datasets.FashionMNIST}
TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
MD5 = {name: dict(module.MD5) for name, module in MODULES.items()}  # tests put others in its place
NAMES = tuple(MD5["mnist"])

BOTH = pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
Part = tuple[NDArray[np.uint8], list[int]]


def part(count: int, seed: int) -> Part:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), rng.permutation(np.arange(count) % 10).tolist()


TRAIN, TEST = part(50, 0), part(20, 1)


def official_files() -> dict[str, bytes]:
    """Return the four files, as http://yann.lecun.com/exdb/mnist described them."""
    contents = []
    for images, labels in (TRAIN, TEST):
        pixels = bytes(int(value) for value in images.flatten())
        contents.append(struct.pack(">IIII", 2051, len(images), 28, 28) + pixels)
        contents.append(struct.pack(">II", 2049, len(labels)) + bytes(labels))
    return {name: gzip.compress(content, mtime=0) for name, content in zip(NAMES, contents, strict=True)}


FILES = official_files()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def _small_official_files(monkeypatch: pytest.MonkeyPatch) -> None:
    md5s = {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in FILES.items()}
    for module in MODULES.values():
        monkeypatch.setattr(module, "MD5", md5s)


def load(name: str, directory: Path, *, download: bool = False, per_class: int = -1, **source: Any) -> Data:
    dataset = nlcore.create("dataset", name, per_class=per_class)
    return dataset.load(DatasetContext(directory, download, **source))  # type: ignore[no-any-return]


@BOTH
def test_checksums_and_address_are_those_of_torchvision(name: str) -> None:
    assert dict(KNOWN[name].resources) == MD5[name]
    assert MODULES[name].URL in KNOWN[name].mirrors


def test_class_names_are_those_of_torchvision() -> None:
    assert load_classes("mnist") == [str(digit) for digit in range(10)]
    known = [name.lower() for name in KNOWN["fashion_mnist"].classes]
    assert [name.lower() for name in load_classes("fashion_mnist")] == known


def load_classes(name: str) -> list[str]:
    folder = Path(f"classes/{name}")
    write(folder, FILES)
    return list(load(name, folder.absolute()).classes)


@BOTH
@pytest.mark.parametrize("layout", ["ours", "torchvision", "the folder itself"])
def test_images_and_labels_are_those_of_the_files(name: str, layout: str, tmp_path: Path) -> None:
    raw = tmp_path / KNOWN[name].__name__ / "raw"
    folder = write(raw if layout == "torchvision" else tmp_path / name, FILES)
    data = load(name, folder if layout == "the folder itself" else tmp_path)
    for split, (images, labels) in ((data.train, TRAIN), (data.test, TEST)):
        assert isinstance(split.images, np.ndarray)
        assert split.images.dtype == np.uint8
        np.testing.assert_array_equal(split.images, images[..., None])
        assert split.labels.dtype == np.int64
        assert split.labels.tolist() == labels
        assert split.ids.tolist() == list(range(len(labels)))
        assert split.clean is not None
        np.testing.assert_array_equal(split.clean, split.labels)


def test_images_agree_with_torchvisions_reader(tmp_path: Path) -> None:
    raw = write(tmp_path / "MNIST" / "raw", FILES)
    for name, content in FILES.items():
        (raw / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    data = load("mnist", tmp_path)
    for split, train in ((data.train, True), (data.test, False)):
        theirs = torchvision.datasets.MNIST(tmp_path, train=train)
        np.testing.assert_array_equal(np.asarray(split.images)[..., 0], theirs.data.numpy())
        assert split.labels.tolist() == theirs.targets.tolist()


@BOTH
def test_the_first_of_each_class_are_taken(name: str, tmp_path: Path) -> None:
    write(tmp_path / name, FILES)
    data = load(name, tmp_path, per_class=3)
    for label in range(10):
        mine = [position for position, other in enumerate(TRAIN[1]) if other == label]
        assert data.train.ids[data.train.labels == label].tolist() == mine[:3]
    np.testing.assert_array_equal(data.train.images, TRAIN[0][data.train.ids][..., None])
    assert len(data.test.labels) == 20


@BOTH
def test_none_per_class_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="per_class must be at least 1, or -1"):
        nlcore.create("dataset", name, per_class=0)


def test_digits_are_never_mirrored(tmp_path: Path) -> None:
    write(tmp_path / "mnist", FILES)
    write(tmp_path / "fashion_mnist", FILES)
    for name, flip in (("mnist", False), ("fashion_mnist", True)):
        params = resolve({"dataset": name})["augmentation"].params
        assert (params["padding"], params["flip"]) == (2, flip)


@BOTH
@pytest.mark.parametrize("file", NAMES)
def test_a_file_that_is_not_the_official_one_is_named(name: str, file: str, tmp_path: Path) -> None:
    folder = write(tmp_path / name, {**FILES, file: gzip.compress(b"rubbish")})
    with pytest.raises(UserError, match=f"^{TITLES[name]}: .* is not the official file") as caught:
        load(name, tmp_path)
    assert str(folder / file) in str(caught.value)


@BOTH
def test_a_file_that_is_missing_is_named(name: str, tmp_path: Path) -> None:
    files = dict(FILES)
    del files[NAMES[3]]
    folder = write(tmp_path / name, files)
    with pytest.raises(UserError, match="is incomplete") as caught:
        load(name, tmp_path, download=True)
    assert str(folder / NAMES[3]) in str(caught.value)


@BOTH
def test_without_a_download_it_says_where_it_looked(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{TITLES[name]} is not there: no {name} and no ") as caught:
        load(name, tmp_path)
    assert str(tmp_path) in str(caught.value)


@BOTH
def test_four_files_are_downloaded(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(url: str, root: str, filename: str, md5: str) -> None:
        asked.append(url)
        (Path(root) / filename).write_bytes(FILES[filename])

    monkeypatch.setattr("torchvision.datasets.utils.download_url", fetch)
    assert len(load(name, tmp_path / "data", download=True).train.labels) == 50
    assert asked == [MODULES[name].URL + file for file in NAMES]
    assert [path.name for path in (tmp_path / "data").iterdir()] == [name]
    load(name, tmp_path / "data", download=True)
    assert len(asked) == 4  # they are there now


@BOTH
def test_a_download_that_breaks_off_leaves_nothing_behind(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(url: str, root: str, filename: str, md5: str) -> None:
        if filename == NAMES[2]:
            raise URLError("no route to host")
        (Path(root) / filename).write_bytes(FILES[filename])

    monkeypatch.setattr("torchvision.datasets.utils.download_url", fetch)
    with pytest.raises(UserError, match=r"could not be downloaded.*no route to host"):
        load(name, tmp_path / "data", download=True)
    assert list((tmp_path / "data").iterdir()) == []


@BOTH
def test_it_keeps_every_rule(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / name, FILES)
    monkeypatch.setenv("NL_DATA_DIR", str(tmp_path))
    outcomes = run_checks([registry().find("dataset", name)])
    assert [outcome for outcome in outcomes if outcome.status != "passed"] == []
