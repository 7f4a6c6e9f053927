"""Official datasets: which files they go by, and that they are known before anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nlcore
from nlcore.contracts import DatasetContext

LAYOUTS = [
    ("mnist", "mnist", 4),
    ("mnist", "MNIST/raw", 4),
    ("fashion_mnist", "FashionMNIST/raw", 4),
    ("cifar10", "cifar-10-batches-bin", 6),
    ("cifar10", "cifar-10-batches-py", 6),
    ("cifar100", "cifar-100-python", 3),
]


@pytest.mark.parametrize(("name", "folder", "count"), LAYOUTS)
def test_the_files_are_those_of_the_layout_that_is_there(name: str, folder: str, count: int, tmp_path: Path) -> None:
    dataset: Any = nlcore.create("dataset", name)
    assert list(dataset.files(DatasetContext(tmp_path))) == []
    (tmp_path / folder).mkdir(parents=True)
    files = dataset.files(DatasetContext(tmp_path))
    assert len(files) == len(set(files)) == count
    assert {file.parent for file in files} == {tmp_path / folder}
    assert dataset.files(DatasetContext(tmp_path / folder)) == files


def test_the_files_of_digits_are_there() -> None:
    dataset: Any = nlcore.create("dataset", "digits")
    assert [file.is_file() for file in dataset.files(DatasetContext(Path("nowhere")))] == [True]


@pytest.mark.parametrize("name", ["cifar10n", "cifar100n"])
def test_noise_goes_by_its_file_in_the_folder_of_the_data(name: str, tmp_path: Path) -> None:
    noise: Any = nlcore.create("noise", name)
    assert noise.files(DatasetContext(tmp_path)) == []
    file = tmp_path / {"cifar10n": "CIFAR-10_human.pt", "cifar100n": "CIFAR-100_human.pt"}[name]
    file.touch()
    assert noise.files(DatasetContext(tmp_path)) == [file]
    assert nlcore.create("noise", name, file=str(file)).files(DatasetContext(tmp_path)) == []


def test_open_set_noise_goes_by_the_other_datasets_files(tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    noise: Any = nlcore.create("noise", "open_set", images="mnist")
    assert noise.files(DatasetContext(tmp_path)) == nlcore.create("dataset", "mnist").files(DatasetContext(tmp_path))


def test_no_dataset_needs_torch_to_be_made() -> None:
    code = """
import sys
import nlcore
for name in ("cifar10", "cifar100", "mnist", "fashion_mnist", "digits", "image_folder", "csv"):
    nlcore.create("dataset", name)
sys.exit("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
