"""CIFAR-10: the real files, and what happens to files that are not the official ones."""

from __future__ import annotations

import hashlib
import http.client
import os
import pickle
import shutil
import tarfile
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision
from nlcore_builtins.datasets import cifar10
from numpy.typing import NDArray

import nlcore
from nlcore import ParameterError, UserError
from nlcore.contracts import Data, DatasetContext

BINARY_NAMES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
PYTHON_NAMES = [name.removesuffix(".bin") for name in BINARY_NAMES]
PYTHON_MD5 = dict(cifar10.PYTHON_MD5)  # tests put others in its place


def load(directory: Path, *, download: bool = False, per_class: int = -1, **source: Any) -> Data:
    dataset = nlcore.create("dataset", "cifar10", per_class=per_class)
    data: Data = dataset.load(DatasetContext(directory, download, **source))
    return data


def images_of(data: Data, part: str = "train") -> NDArray[np.uint8]:
    images = getattr(data, part).images
    assert isinstance(images, np.ndarray)
    return images


# ---------------------------------------------------------------------------------------------- real files


@pytest.fixture(scope="module")
def everything(cifar10_dir: Path) -> Data:
    return load(cifar10_dir)


def read_record(folder: Path, position: int) -> tuple[int, NDArray[np.uint8]]:
    """Read one training record byte by byte, as the authors' page describes it: (label, (32, 32, 3))."""
    with (folder / f"data_batch_{position // 10_000 + 1}.bin").open("rb") as file:
        file.seek(position % 10_000 * 3073)
        record = file.read(3073)
    image = np.empty((32, 32, 3), np.uint8)
    for channel in range(3):
        for row in range(32):
            start = 1 + 1024 * channel + 32 * row
            image[row, :, channel] = list(record[start : start + 32])
    return record[0], image


@pytest.mark.slow
@pytest.mark.cifar10
def test_all_of_it(everything: Data) -> None:
    assert images_of(everything).shape == (50_000, 32, 32, 3)
    assert images_of(everything, "test").shape == (10_000, 32, 32, 3)
    for split, each in ((everything.train, 5_000), (everything.test, 1_000)):
        assert isinstance(split.images, np.ndarray)
        assert split.images.dtype == np.uint8
        assert split.labels.dtype == np.int64
        assert np.bincount(split.labels).tolist() == [each] * 10
        assert split.ids.tolist() == list(range(10 * each))
        assert split.clean is not None
        np.testing.assert_array_equal(split.clean, split.labels)
    # The labels that every user of CIFAR-10 sees first: frog, truck, truck, deer ...; cat, ship, ship, airplane ...
    assert everything.train.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert everything.test.labels[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]


@pytest.mark.cifar10
def test_images_agree_with_a_plain_reader(cifar10_dir: Path, everything: Data) -> None:
    images = images_of(everything)
    for position in (0, 1, 9_999, 10_000, 23_456, 49_999):
        label, image = read_record(cifar10_dir / "cifar-10-batches-bin", position)
        assert everything.train.labels[position] == label
        np.testing.assert_array_equal(images[position], image)


@pytest.mark.slow
@pytest.mark.cifar10
def test_mean_and_std_are_those_of_the_training_images(everything: Data) -> None:
    images = images_of(everything)
    mean = [np.bincount(images[..., channel].flatten(), minlength=256) @ np.arange(256) for channel in range(3)]
    np.testing.assert_allclose(np.array(mean) / (50_000 * 1024 * 255), everything.mean, atol=1e-4)
    # The std that is used everywhere is the mean over images of each image's own.
    stds = []
    for part in np.split(images, 50):
        pixels = part.reshape(1_000, 1024, 3).astype(np.float32) / 255
        second_moment = np.einsum("nij,nij->nj", pixels, pixels) / 1024
        stds.append(np.sqrt(second_moment - pixels.mean(1) ** 2))
    np.testing.assert_allclose(np.concatenate(stds).mean(0), everything.std, atol=5e-4)


@pytest.mark.cifar10
def test_class_names_are_those_that_come_with_the_files(cifar10_dir: Path, everything: Data) -> None:
    named = (cifar10_dir / "cifar-10-batches-bin" / "batches.meta.txt").read_text().split()
    assert list(everything.classes) == named


@pytest.mark.slow
@pytest.mark.cifar10
def test_by_default_it_is_the_first_2000_of_each_class(cifar10_dir: Path, everything: Data) -> None:
    dataset = nlcore.create("dataset", "cifar10")
    # The folder itself will do, too.
    data = dataset.load(DatasetContext(cifar10_dir / "cifar-10-batches-bin", download=False))
    seen, first = [0] * 10, []
    for position, label in enumerate(everything.train.labels.tolist()):
        if seen[label] < 2_000:
            first.append(position)
        seen[label] += 1
    assert data.train.ids.tolist() == first  # ascending: in official order
    assert np.bincount(data.train.labels).tolist() == [2_000] * 10
    np.testing.assert_array_equal(data.train.labels, everything.train.labels[first])
    np.testing.assert_array_equal(data.train.images, images_of(everything)[first])
    assert len(data.test.labels) == 10_000


def test_checksums_of_the_python_files_are_those_of_torchvision() -> None:
    known = torchvision.datasets.CIFAR10
    assert dict([*known.train_list, *known.test_list]) == PYTHON_MD5


# ---------------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize("per_class", [6000, 5001, -2, 2.5, "many"])
def test_a_number_per_class_that_cannot_be_is_refused(per_class: Any) -> None:
    with pytest.raises(ParameterError, match=r"dataset\.per_class"):
        nlcore.create("dataset", "cifar10", per_class=per_class)


def test_none_per_class_is_refused() -> None:
    with pytest.raises(UserError, match="per_class must be at least 1, or -1"):
        nlcore.create("dataset", "cifar10", per_class=0)


# ------------------------------------------------------------------------------------- files like the real ones

Files = dict[str, bytes]


def some_parts() -> list[tuple[NDArray[np.uint8], list[int]]]:
    """Return six parts of 20 images each, (20, 3072) in red, green and blue planes, with labels."""
    rng = np.random.default_rng(0)
    return [
        (rng.integers(0, 256, (20, 3072), dtype=np.uint8), rng.permutation(np.arange(20) % 10).tolist())
        for _ in range(6)
    ]


def binary_files() -> Files:
    return {
        name: b"".join(bytes([label]) + image.tobytes() for image, label in zip(images, labels, strict=True))
        for name, (images, labels) in zip(BINARY_NAMES, some_parts(), strict=True)
    }


def python_files() -> Files:
    return {
        name: pickle.dumps({b"batch_label": b"some", b"labels": labels, b"data": images, b"filenames": []}, protocol=2)
        for name, (images, labels) in zip(PYTHON_NAMES, some_parts(), strict=True)
    }


def md5s(files: Files) -> dict[str, str]:
    return {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in files.items()}


def write(folder: Path, files: Files) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def _small_official_files(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small files be the official ones, where a test is not about the real ones."""
    if request.node.get_closest_marker("cifar10") is None:
        monkeypatch.setattr(cifar10, "BINARY_MD5", md5s(binary_files()))
        monkeypatch.setattr(cifar10, "PYTHON_MD5", md5s(python_files()))


def test_the_python_layout_holds_the_same_as_the_binary_one(tmp_path: Path) -> None:
    write(tmp_path / "one" / "cifar-10-batches-bin", binary_files())
    write(tmp_path / "other" / "cifar-10-batches-py", python_files())
    one, other = load(tmp_path / "one"), load(tmp_path / "other")
    for part in ("train", "test"):
        for name in ("images", "labels", "ids", "clean"):
            np.testing.assert_array_equal(getattr(getattr(one, part), name), getattr(getattr(other, part), name))
    parts = some_parts()
    assert one.train.labels.tolist() == [label for _, labels in parts[:5] for label in labels]
    assert one.test.labels.tolist() == parts[5][1]
    image = images_of(one)[43]  # number 3 of part 3
    for channel in range(3):
        plane = parts[2][0][3][1024 * channel : 1024 * (channel + 1)]
        np.testing.assert_array_equal(image[..., channel].flatten(), plane)


def test_the_binary_layout_goes_first_where_there_are_both(tmp_path: Path) -> None:
    write(tmp_path / "cifar-10-batches-bin", binary_files())
    write(tmp_path / "cifar-10-batches-py", {"data_batch_1": b"rubbish"})
    assert len(load(tmp_path).train.labels) == 100


@pytest.mark.parametrize("layout", ["bin", "py"])
def test_the_folder_itself_may_be_given(tmp_path: Path, layout: str) -> None:
    files = binary_files() if layout == "bin" else python_files()
    assert len(load(write(tmp_path / f"cifar-10-batches-{layout}", files)).train.labels) == 100


def test_the_first_of_each_class_are_taken(tmp_path: Path) -> None:
    write(tmp_path / "cifar-10-batches-bin", binary_files())
    all_labels = load(tmp_path).train.labels
    data = load(tmp_path, per_class=3)
    assert data.train.ids.tolist() == sorted(data.train.ids.tolist())
    for label in range(10):
        mine = [position for position, other in enumerate(all_labels) if other == label]
        assert len(mine) == 10
        assert data.train.ids[data.train.labels == label].tolist() == mine[:3]
    assert len(data.test.labels) == 20


# ------------------------------------------------------------------------------------- files that are not official


@pytest.mark.parametrize("number", [1, 5], ids=["data_batch_2.bin", "test_batch.bin"])
@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:100] + b"?" + content[101:], lambda content: content[:-50], lambda content: b""],
    ids=["one byte", "truncated", "empty"],
)
def test_a_file_that_is_not_the_official_one_is_named_with_both_checksums(
    tmp_path: Path, number: int, damage: Callable[[bytes], bytes]
) -> None:
    files, name = binary_files(), BINARY_NAMES[number]
    expected = md5s(files)[name]
    files[name] = damage(files[name])
    folder = write(tmp_path / "cifar-10-batches-bin", files)
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    for said in (str(folder / name), expected, md5s(files)[name], f"{len(files[name]):,} bytes", "--data-dir"):
        assert said in str(caught.value)


@pytest.mark.parametrize("layout", ["bin", "py"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, layout: str) -> None:
    files = binary_files() if layout == "bin" else python_files()
    gone = list(files)[3]
    del files[gone]
    folder = write(tmp_path / f"cifar-10-batches-{layout}", files)
    with pytest.raises(UserError, match="incomplete") as caught:
        load(tmp_path, download=True)  # and nothing is downloaded over it
    assert str(folder / gone) in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    files = binary_files()
    del files["data_batch_4.bin"]
    folder = write(tmp_path / "cifar-10-batches-bin", files)
    (folder / "data_batch_4.bin").mkdir()
    with pytest.raises(UserError, match="cannot be read") as caught:
        load(tmp_path)
    assert str(folder / "data_batch_4.bin") in str(caught.value)


class MakesFolder:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("name", ["data_batch_1", "test_batch"])
def test_a_pickle_that_is_not_the_official_one_is_never_opened(tmp_path: Path, name: str) -> None:
    files = python_files()
    files[name] = pickle.dumps({b"labels": [0], b"data": MakesFolder(tmp_path / "harm")})
    write(tmp_path / "cifar-10-batches-py", files)
    with pytest.raises(UserError, match="not the official file") as caught:
        load(tmp_path)
    assert name in str(caught.value)
    assert not (tmp_path / "harm").exists()
    pickle.loads(files[name])
    assert (tmp_path / "harm").exists()  # it would have


# ------------------------------------------------------------------------------------------------- download


def test_without_a_download_it_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, download=False)
    for said in ("cifar-10-batches-bin", "cifar-10-batches-py", str(tmp_path), "--data-dir", "--no-download"):
        assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


Fetch = Callable[[str, str, str, str], None]


def pretend(monkeypatch: pytest.MonkeyPatch, fetch: Fetch) -> None:
    """Let torchvision download by this function."""
    monkeypatch.setattr("torchvision.datasets.utils.download_url", fetch)


def make_archive(path: Path, files: Files, folder: str = "cifar-10-batches-bin") -> Path:
    write(path.parent / "packed" / folder, files)
    with tarfile.open(path, "w:gz") as tar:
        tar.add(path.parent / "packed" / folder, folder)
    return path


def test_a_download_is_complete_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, target = make_archive(tmp_path / "official.tar.gz", binary_files()), tmp_path / "new" / "data"
    asked: list[tuple[str, str]] = []
    lines: list[str] = []

    def fetch(url: str, root: str, filename: str, md5: str) -> None:
        asked.append((url, md5))
        assert not (target / "cifar-10-batches-bin").exists()
        shutil.copy(archive, Path(root) / filename)

    pretend(monkeypatch, fetch)
    data = load(target, download=True, report=lines.append)
    assert len(data.train.labels) == 100
    # As published on https://www.cs.toronto.edu/~kriz/cifar.html.
    assert asked == [("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d13530")]
    assert [path.name for path in target.iterdir()] == ["cifar-10-batches-bin"]
    assert sorted(path.name for path in (target / "cifar-10-batches-bin").iterdir()) == sorted(BINARY_NAMES)
    assert len(lines) == 1
    assert "170 MB" in lines[0]
    load(target, download=True, report=lines.append)
    assert len(asked) == len(lines) == 1  # it is there now


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("no route to host"),
        urllib.error.HTTPError("https://nowhere", 404, "Not Found", None, None),  # type: ignore[arg-type]
        ConnectionResetError("reset by peer"),
        http.client.IncompleteRead(b"half of"),
        RuntimeError("File not found or corrupted."),
        OSError(28, "No space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_download_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fetch(url: str, root: str, filename: str, md5: str) -> None:
        (Path(root) / filename).write_bytes(b"half of")
        raise error

    pretend(monkeypatch, fetch)
    with pytest.raises(UserError, match="could not be downloaded") as caught:
        load(tmp_path, download=True)
    for said in (str(tmp_path), str(error), "https://www.cs.toronto.edu", "--data-dir"):
        assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_is_interrupted_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(url: str, root: str, filename: str, md5: str) -> None:
        (Path(root) / filename).write_bytes(b"half of")
        raise KeyboardInterrupt

    pretend(monkeypatch, fetch)
    with pytest.raises(KeyboardInterrupt):
        load(tmp_path, download=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["cifar-10-batches-py", "../outside"])
def test_an_archive_with_something_else_is_not_unpacked_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    made = tmp_path / "made"
    archive = make_archive(made / "work" / "other.tar.gz", binary_files(), folder)
    target = tmp_path / "data"
    pretend(monkeypatch, lambda url, root, filename, md5: shutil.copy(archive, Path(root) / filename))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="could not be downloaded"):
        load(target, download=True)
    assert list(target.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if path not in (made, target)] == []


def test_a_downloaded_file_is_checked_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {**binary_files(), "test_batch.bin": b"rubbish"}
    archive = make_archive(tmp_path / "other.tar.gz", files)
    pretend(monkeypatch, lambda url, root, filename, md5: shutil.copy(archive, Path(root) / filename))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"test_batch\.bin is not the official file"):
        load(tmp_path / "data", download=True)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="could not be downloaded"):
        load(tmp_path / "file", download=True)
