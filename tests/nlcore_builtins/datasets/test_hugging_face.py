"""Folders of Hugging Face's datasets: written by that library, read here without it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import FUZZ, refused_or_read
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

import nlcore
from nlcore import UserError
from nlcore.contracts import Data, DatasetContext, Split
from nlcore.data import stores

pytest.importorskip("pyarrow", reason="pyarrow is not installed")
datasets = pytest.importorskip("datasets", reason="Hugging Face's datasets are not installed")

NAMES = ["zebra", "ant", "bee"]


def part(count: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    images = [Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)) for _ in range(count)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})
    return datasets.Dataset.from_dict({"image": images, "label": [n % 3 for n in range(count)]}, features=features)


def load(folder: Path, **parameters: Any) -> Data:
    dataset = nlcore.create("dataset", "hf", folder=str(folder), **{"size": 12, **parameters})
    return dataset.load(DatasetContext(Path("nowhere"), download=False))  # type: ignore[no-any-return]


def refused(folder: Path, **parameters: Any) -> str:
    with pytest.raises(UserError) as caught:
        load(folder, **parameters)
    return str(caught.value)


def same(split: Split, classes: tuple[str, ...], expected: Any) -> None:
    """Compare with what Hugging Face's library gives for the rows that the ids name."""
    store = stores.as_store(split.images)
    for one, image, label in zip(split.ids, store.fetch(np.arange(len(store))), split.labels, strict=True):
        row = expected[int(str(one).partition(":")[2])]
        np.testing.assert_array_equal(image, np.asarray(row["image"]))
        assert classes[int(label)] == NAMES[row["label"]]


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Any]:
    both = datasets.DatasetDict({"train": part(12, 0), "test": part(6, 1), "validation": part(9, 2)})
    both.save_to_disk(tmp_path / "saved")
    return tmp_path / "saved", both


@pytest.mark.parametrize("memory", [2.0, 0.0], ids=["in memory", "on demand"])
def test_splits_that_were_saved(saved: tuple[Path, Any], memory: float) -> None:
    folder, both = saved
    data = load(folder, memory=memory)
    assert data.classes == tuple(NAMES)  # their order, so that numbers of classes mean here what they mean there
    assert (len(data.train.labels), len(data.test.labels)) == (12, 6)
    same(data.train, data.classes, both["train"])
    same(data.test, data.classes, both["test"])
    assert data.train.ids[0] == "train/data-00000-of-00001.arrow:0"
    assert len(load(folder, test_split="validation").test.labels) == 9


def test_one_split_that_was_saved_is_split(tmp_path: Path) -> None:
    one = part(12, 0)
    one.save_to_disk(tmp_path / "one", num_shards=1)
    data = load(tmp_path / "one")
    assert data.whole
    assert len(data.train.labels) + len(data.test.labels) == 12
    same(data.train, data.classes, one)
    same(data.test, data.classes, one)


def test_a_split_alone_has_none_to_choose(tmp_path: Path) -> None:
    part(12, 0).save_to_disk(tmp_path / "one")
    assert "is one split alone" in refused(tmp_path / "one", test_split="validation")
    assert "is one split alone" in refused(tmp_path / "one", train_split="validation")


def test_a_class_without_images_is_told(tmp_path: Path) -> None:
    part(12, 0).filter(lambda row: row["label"] != 0).save_to_disk(tmp_path / "one")
    data = load(tmp_path / "one")
    assert data.classes == ("ant", "bee")
    assert any("left out 1 classes without a training image" in note and "zebra" in note for note in data.notes)


def test_several_files_of_a_split(tmp_path: Path) -> None:
    part(12, 0).save_to_disk(tmp_path / "one", num_shards=3)
    data = load(tmp_path / "one")
    ids = sorted([*data.train.ids.tolist(), *data.test.ids.tolist()])
    assert ids == [f"data-0000{file}-of-00003.arrow:{row}" for file in range(3) for row in range(4)]


@pytest.mark.parametrize("within", ["data", "."])
def test_a_repository_of_parquet_files(within: str, saved: tuple[Path, Any], tmp_path: Path) -> None:
    _, both = saved
    place = tmp_path / "repository" / within
    place.mkdir(parents=True)
    for name, split in both.items():
        split.to_parquet(place / f"{name}-00000-of-00001.parquet")
    data = load(tmp_path / "repository")
    same(data.train, data.classes, both["train"])
    same(data.test, data.classes, both["test"])


def test_a_repository_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    for number in (0, 2):
        part(6, number).to_parquet(tmp_path / f"train-0000{number}-of-00003.parquet")
    part(6, 3).to_parquet(tmp_path / "dev-00000-of-00001.parquet")
    part(6, 4).to_parquet(tmp_path / "test-00001-of-00002.parquet")
    assert "of the split train; fetch those that are missing: train-00001-of-00003." in refused(tmp_path)
    assert "test-00000-of-00002." in refused(tmp_path, train_split="dev")
    part(6, 1).to_parquet(tmp_path / "train-00001-of-00003.parquet")
    assert len(load(tmp_path, test_split="dev").train.ids) == 18  # a split that is not used may lack some


def test_without_a_test_split_validation_is_tested_on_or_part_is_split_off(tmp_path: Path) -> None:
    datasets.DatasetDict({"train": part(12, 0), "validation": part(9, 2)}).save_to_disk(tmp_path / "a")
    assert len(load(tmp_path / "a").test.labels) == 9
    datasets.DatasetDict({"train": part(12, 0)}).save_to_disk(tmp_path / "b")
    assert load(tmp_path / "b").whole


def test_files_are_those_that_are_read(saved: tuple[Path, Any]) -> None:
    folder, _ = saved
    files = nlcore.create("dataset", "hf", folder=str(folder)).files(DatasetContext(folder))
    assert {file.relative_to(folder).as_posix() for file in files} == {
        f"{split}/{name}"
        for split in ("train", "test")
        for name in ("data-00000-of-00001.arrow", "state.json", "dataset_info.json")
    }


def test_what_is_refused(saved: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = saved
    assert "has no split dev: it has train, test, validation" in refused(folder, test_split="dev")
    assert "no column pixels: it has image, label" in refused(folder, image_column="pixels")
    assert "neither what save_to_disk writes" in refused(tmp_path)
    assert "There is no folder" in refused(tmp_path / "nowhere")
    (folder / "train" / "state.json").write_text(json.dumps({"_data_files": "x"}))
    assert "does not list Arrow files" in refused(folder)
    (folder / "train" / "state.json").unlink()
    assert "There is no" in refused(folder)
    (folder / "dataset_dict.json").write_text("[")
    assert "is not what save_to_disk writes" in refused(folder)


def test_a_file_that_was_cut_off_is_refused(saved: tuple[Path, Any]) -> None:
    folder, _ = saved
    path = folder / "train" / "data-00000-of-00001.arrow"
    path.write_bytes(path.read_bytes()[:2000])
    assert "is no Arrow stream that can be read" in refused(folder)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hf") / "one"
    part(6, 0).save_to_disk(folder)
    return folder


@FUZZ
@given(
    name=some.sampled_from(["state.json", "dataset_info.json"]),
    content=some.one_of(
        some.binary(max_size=40),
        some.recursive(
            some.one_of(some.none(), some.integers(), some.text(max_size=5)),
            lambda inner: some.one_of(
                some.lists(inner, max_size=3),
                some.dictionaries(some.sampled_from(["_data_files", "filename", "features", "label", "names"]), inner),
            ),
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_whatever_describes_a_split_is_read_or_refused(name: str, content: bytes, one: Path) -> None:
    good = (one / name).read_bytes()
    try:
        (one / name).write_bytes(content)
        with refused_or_read(one):
            load(one)
    finally:
        (one / name).write_bytes(good)


def test_images_are_decoded_in_the_order_of_bytes(tmp_path: Path) -> None:
    """A JPEG that Hugging Face keeps as it is gives Pillow's pixels."""
    pixels = np.random.default_rng(1).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "JPEG", quality=90)
    rows = {"image": [{"bytes": written.getvalue(), "path": "a.jpg"}] * 4, "label": ["x", "y", "x", "y"]}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "one")
    data = load(tmp_path / "one")
    np.testing.assert_array_equal(np.asarray(data.train.images)[0], np.asarray(Image.open(written)))
