"""CIFAR-100, with small files in the official layout: rows of 3,072 bytes in red, green and blue planes."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision
from nlcore_builtins.datasets import cifar100

import nlcore
from nlcore import UserError
from nlcore.checks.suite import run_checks
from nlcore.contracts import Data, DatasetContext
from nlcore.host.registry import registry

MD5 = dict(cifar100.MD5)  # tests put others in its place
NAMES = [f"class{number:02}" for number in range(100)]


def part(count: int, seed: int) -> dict[bytes, Any]:
    rng = np.random.default_rng(seed)
    fine = rng.permutation(np.arange(count) % 100).tolist()
    return {
        b"data": rng.integers(0, 256, (count, 3072), dtype=np.uint8),
        b"fine_labels": fine,
        b"coarse_labels": [label // 5 for label in fine],
        b"filenames": [],
    }


TRAIN, TEST = part(300, 0), part(200, 1)
CONTENTS = {"train": TRAIN, "test": TEST, "meta": {b"fine_label_names": [name.encode() for name in NAMES]}}
FILES = {name: pickle.dumps(content, protocol=2) for name, content in CONTENTS.items()}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def _small_official_files(monkeypatch: pytest.MonkeyPatch) -> None:
    md5s = {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(cifar100, "MD5", md5s)


def load(directory: Path, *, download: bool = False, per_class: int = -1, **source: Any) -> Data:
    dataset = nlcore.create("dataset", "cifar100", per_class=per_class)
    return dataset.load(DatasetContext(directory, download, **source))  # type: ignore[no-any-return]


def test_checksums_and_address_are_those_of_torchvision() -> None:
    known = torchvision.datasets.CIFAR100
    assert dict([*known.train_list, *known.test_list, (known.meta["filename"], known.meta["md5"])]) == MD5
    assert (known.url, known.tgz_md5) == (cifar100.URL, cifar100.ARCHIVE_MD5)


@pytest.mark.parametrize("itself", [False, True], ids=["inside", "the folder itself"])
def test_images_and_fine_labels_are_those_of_the_files(tmp_path: Path, itself: bool) -> None:
    folder = write(tmp_path / "cifar-100-python", FILES)
    data = load(folder if itself else tmp_path)
    assert data.classes == tuple(NAMES)
    for split, there in ((data.train, TRAIN), (data.test, TEST)):
        assert isinstance(split.images, np.ndarray)
        assert split.images.shape == (len(there[b"fine_labels"]), 32, 32, 3)
        assert split.labels.tolist() == there[b"fine_labels"]
        assert split.ids.tolist() == list(range(len(split.labels)))
        assert split.clean is not None
        np.testing.assert_array_equal(split.clean, split.labels)
        for position in (0, 77):
            for channel in range(3):
                plane = there[b"data"][position][1024 * channel : 1024 * (channel + 1)]
                np.testing.assert_array_equal(split.images[position, :, :, channel].flatten(), plane)


def test_the_first_of_each_class_are_taken(tmp_path: Path) -> None:
    write(tmp_path / "cifar-100-python", FILES)
    data = load(tmp_path, per_class=2)
    for label in range(100):
        mine = [position for position, other in enumerate(TRAIN[b"fine_labels"]) if other == label]
        assert data.train.ids[data.train.labels == label].tolist() == mine[:2]
    assert data.train.ids.tolist() == sorted(data.train.ids.tolist())
    assert len(data.test.labels) == 200


@pytest.mark.parametrize("per_class", [0, 501, -2])
def test_a_number_per_class_that_cannot_be_is_refused(per_class: int) -> None:
    with pytest.raises(UserError, match="per_class"):
        nlcore.create("dataset", "cifar100", per_class=per_class)


class MakesFolder:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("name", ["train", "test", "meta"])
def test_a_pickle_that_is_not_the_official_one_is_never_opened(tmp_path: Path, name: str) -> None:
    rubbish = pickle.dumps(MakesFolder(tmp_path / "harm"))
    folder = write(tmp_path / "cifar-100-python", {**FILES, name: rubbish})
    with pytest.raises(UserError, match=r"CIFAR-100: .* is not the official file") as caught:
        load(tmp_path)
    assert str(folder / name) in str(caught.value)
    assert not (tmp_path / "harm").exists()


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    files = dict(FILES)
    del files["meta"]
    folder = write(tmp_path / "cifar-100-python", files)
    with pytest.raises(UserError, match="CIFAR-100 is incomplete") as caught:
        load(tmp_path, download=True)
    assert str(folder / "meta") in str(caught.value)


def test_without_a_download_it_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="CIFAR-100 is not there: no cifar-100-python") as caught:
        load(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_download_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "packed" / "cifar-100-python", FILES)
    with tarfile.open(tmp_path / "official.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "packed" / "cifar-100-python", "cifar-100-python")
    asked: list[tuple[str, str]] = []

    def fetch(url: str, root: str, filename: str, md5: str) -> None:
        asked.append((url, md5))
        shutil.copy(tmp_path / "official.tar.gz", Path(root) / filename)

    monkeypatch.setattr("torchvision.datasets.utils.download_url", fetch)
    lines: list[str] = []
    assert len(load(tmp_path / "data", download=True, report=lines.append).train.labels) == 300
    # As published on https://www.cs.toronto.edu/~kriz/cifar.html.
    assert asked == [("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85")]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cifar-100-python"]
    assert "169 MB" in lines[0]


def test_it_keeps_every_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "cifar-100-python", FILES)
    monkeypatch.setenv("NL_DATA_DIR", str(tmp_path))
    outcomes = run_checks([registry().find("dataset", "cifar100")])
    assert [outcome for outcome in outcomes if outcome.status != "passed"] == []
