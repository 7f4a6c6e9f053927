"""Images in Parquet files: what is read is what is in them, in the same numbers as from files of their own."""

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

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")

NAMES = ["ant", "bee"]


def encoded(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def decoded(content: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(content)))


IMAGES = [encoded(seed) for seed in range(10)]
LABELS = [number % 2 for number in range(10)]


def write(path: Path, images: Any, labels: Any, names: list[str] | None = None, **columns: Any) -> Path:
    table = pyarrow.table({"image": images, "label": labels, **columns})
    if names is not None:
        features = {"label": {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, row_group_size=3)
    return path


def load(train: Path | str, **parameters: Any) -> Data:
    dataset = nlcore.create("dataset", "parquet", train=str(train), **{"size": 12, **parameters})
    return dataset.load(DatasetContext(Path("nowhere"), download=False))  # type: ignore[no-any-return]


def refused(train: Path | str, **parameters: Any) -> str:
    with pytest.raises(UserError) as caught:
        load(train, **parameters)
    return str(caught.value)


def by_row(*splits: Split) -> dict[int, tuple[np.ndarray[Any, Any], int]]:
    found = {}
    for split in splits:
        store = stores.as_store(split.images)
        pixels = store.fetch(np.arange(len(store)))
        for one, image, label in zip(split.ids.tolist(), pixels, split.labels.tolist(), strict=True):
            found[int(one.partition(":")[2])] = (image, label)
    return found


@pytest.mark.parametrize("memory", [2.0, 0.0], ids=["in memory", "on demand"])
@pytest.mark.parametrize(
    "column",
    [
        IMAGES,
        [{"bytes": one, "path": None} for one in IMAGES],
        [{"bytes": one, "path": "nowhere.png"} for one in IMAGES],
        [{"bytes": one} for one in IMAGES],
        pyarrow.array(IMAGES, pyarrow.large_binary()),
    ],
    ids=["binary", "struct", "struct with path", "struct of bytes", "large binary"],
)
def test_pixels_and_labels_are_those_of_the_rows(column: Any, memory: float, tmp_path: Path) -> None:
    data = load(write(tmp_path / "a.parquet", column, LABELS, NAMES), memory=memory)
    assert data.classes == ("ant", "bee")
    assert data.whole
    assert isinstance(data.train.images, np.ndarray) == (memory > 0)
    found = by_row(data.train, data.test)
    assert sorted(found) == list(range(10))
    for row, (image, label) in found.items():
        np.testing.assert_array_equal(image, decoded(IMAGES[row]))
        assert label == LABELS[row]
    assert data.train.paths is None


@pytest.mark.skipif(not hasattr(pyarrow, "string_view"), reason="this pyarrow has no views")
def test_columns_of_views(tmp_path: Path) -> None:
    images = pyarrow.array(IMAGES, pyarrow.binary_view())
    labels = pyarrow.array([NAMES[label] for label in LABELS], pyarrow.string_view())
    table = pyarrow.table({"image": images, "label": labels})
    parquet.write_table(table, tmp_path / "a.parquet")
    data = load(tmp_path / "a.parquet")
    assert data.classes == ("ant", "bee")
    for row, (image, label) in by_row(data.train, data.test).items():
        np.testing.assert_array_equal(image, decoded(IMAGES[row]))
        assert label == LABELS[row]


def test_numbers_of_classes_stay_those_of_the_file(tmp_path: Path) -> None:
    data = load(write(tmp_path / "a.parquet", IMAGES, LABELS, ["zebra", "ant"]))
    assert data.classes == ("zebra", "ant")
    assert {row: label for row, (_, label) in by_row(data.train, data.test).items()} == dict(enumerate(LABELS))


def test_a_reason_ends_with_one_full_stop(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + b"none" * 20)
    said = refused(tmp_path / "a.parquet")
    assert "is no Parquet file that can be read" in said
    assert said.endswith(".")
    assert not said.endswith("..")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    paths = [f"pictures/{row}.png" for row in range(10)]
    (tmp_path / "pictures").mkdir()
    for path, content in zip(paths, IMAGES, strict=True):
        (tmp_path / path).write_bytes(content)
    for name, column in (("a", paths), ("b", [{"bytes": None, "path": path} for path in paths])):
        data = load(write(tmp_path / f"{name}.parquet", column, ["x", "y"] * 5))
        for row, (image, _) in by_row(data.train, data.test).items():
            np.testing.assert_array_equal(image, decoded(IMAGES[row]))
        assert data.train.paths is not None


def test_the_numbers_are_those_of_images_in_folders(tmp_path: Path) -> None:
    for part, rows in (("train", range(6)), ("test", range(6, 10))):
        for row in rows:
            place = tmp_path / "folder" / part / NAMES[LABELS[row]]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{row}.png").write_bytes(IMAGES[row])
    train = write(tmp_path / "train.parquet", IMAGES[:6], LABELS[:6], NAMES)
    test = write(tmp_path / "test.parquet", IMAGES[6:], LABELS[6:], NAMES)
    data = load(train, test=str(test))
    folder = nlcore.create("dataset", "image_folder", folder=str(tmp_path / "folder"), size=12)
    other = folder.load(DatasetContext(tmp_path, download=False))
    assert (data.mean, data.std, data.classes, data.whole) == (other.mean, other.std, other.classes, False)
    assert data.test.ids.tolist() == [f"test.parquet:{row}" for row in range(4)]


def test_a_folder_or_a_pattern_are_all_files_in_order(tmp_path: Path) -> None:
    for number, rows in enumerate((slice(0, 4), slice(4, 10))):
        write(tmp_path / "data" / f"train-{number}.parquet", IMAGES[rows], LABELS[rows])
    (tmp_path / "data" / "readme.txt").write_text("read me")
    expected = [f"train-0.parquet:{row}" for row in range(4)] + [f"train-1.parquet:{row}" for row in range(6)]
    for place in (tmp_path / "data", tmp_path / "data" / "train-*.parquet"):
        data = load(place)
        assert sorted([*data.train.ids.tolist(), *data.test.ids.tolist()]) == expected
    assert "no file in it ends in .parquet" in refused(tmp_path)
    assert "there is no such file" in refused(tmp_path / "data" / "test-*.parquet")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([10, 9] * 5, ("9", "10")),
        (["b", "a"] * 5, ("a", "b")),
        ([True, False] * 5, ("0", "1")),
        (pyarrow.array(["b", "a"] * 5).dictionary_encode(), ("a", "b")),
    ],
    ids=["numbers", "text", "truth values", "dictionary"],
)
def test_labels_without_names_are_called_as_they_are(labels: Any, classes: tuple[str, ...], tmp_path: Path) -> None:
    assert load(write(tmp_path / "a.parquet", IMAGES, labels)).classes == classes


def test_other_columns_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", IMAGES, LABELS, None, img=IMAGES, fine=["x", "y"] * 5)
    assert load(path, image_column="img", label_column="fine").classes == ("x", "y")
    said = refused(path, label_column="coarse")
    assert "no column coarse: it has image, label, img, fine" in said
    assert "--dataset.label_column NAME" in said


@pytest.mark.parametrize(
    ("images", "labels", "names", "said"),
    [
        (IMAGES, [0, None] * 5, None, "no label in row 1 (empty), row 3 (empty)"),
        (IMAGES, [0, -1] * 5, NAMES, "not in row 1 (-1)"),
        (IMAGES, [0, 2] * 5, NAMES, "labels are to be from 0 to 1"),
        (IMAGES, [0.5, 1.5] * 5, None, "holds double and no labels"),
        ([{"pixels": 1, "path": 2}] * 10, LABELS, None, "10 of 10 images cannot be read"),
        ([{"bytes": 1}] * 10, LABELS, None, "no encoded images"),
        (
            [None, *({"bytes": one, "path": None} for one in IMAGES[1:])],
            LABELS,
            None,
            "a.parquet:0 (the row has no image)",
        ),
        ([[1, 2, 3]] * 10, LABELS, None, "no encoded images"),
        (list(range(10)), LABELS, None, "no encoded images"),
        ([*IMAGES[:9], None], LABELS, None, "1 of 10 images cannot be read: a.parquet:9 (the row has no image)"),
        ([*IMAGES[:9], b"none"], LABELS, None, "a.parquet:9 (it is no image of a format that is known)"),
        (
            [{"bytes": None, "path": None}, *({"bytes": one, "path": ""} for one in IMAGES[1:])],
            LABELS,
            None,
            "no image",
        ),
        (IMAGES, [1] * 10, None, "one class only"),
        (pyarrow.array([], pyarrow.binary()), pyarrow.array([], pyarrow.int64()), None, "there are no rows"),
    ],
)
def test_what_is_refused(images: Any, labels: Any, names: list[str] | None, said: str, tmp_path: Path) -> None:
    assert said in refused(write(tmp_path / "a.parquet", images, labels, names))


def test_images_that_cannot_be_read_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [*IMAGES[:8], None, b"none"], LABELS)
    data = load(path, skip_unreadable=True)
    assert data.unreadable.keys() == {"a.parquet:8", "a.parquet:9"}


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no table")
    assert "is no Parquet file that can be read" in refused(tmp_path / "a.parquet")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("whole") / "a.parquet", IMAGES, LABELS, NAMES).read_bytes()


@FUZZ
@given(at=some.floats(0, 1), change=some.binary(min_size=1, max_size=4), cut=some.booleans())
def test_a_damaged_file_is_read_or_refused(at: float, change: bytes, cut: bool, whole: bytes, tmp_path: Path) -> None:
    place = int(at * (len(whole) - 1))
    (tmp_path / "a.parquet").write_bytes(
        whole[:place] if cut else whole[:place] + change + whole[place + len(change) :]
    )
    with refused_or_read(tmp_path):
        load(tmp_path / "a.parquet", skip_unreadable=True)


def test_without_pyarrow_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in ("parquet", "hf"):
        with pytest.raises(UserError, match=rf"dataset {name}: .*pip install 'nlcore\[{name}\]'"):
            nlcore.create("dataset", name)
