"""WebDataset's shards: images and labels that stand together by their names, read in place; what is damaged is said."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import FUZZ, refused_or_read
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

import nlcore
from nlcore import RunError, UserError
from nlcore.contracts import Data, DatasetContext
from nlcore.data import stores


def encoded(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def write(path: Path, files: dict[str, bytes], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", **options) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def samples(first: int, count: int, ending: str = "cls") -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for number in range(first, first + count):
        label = str(number % 2) if ending == "cls" else json.dumps({"label": number % 2, "width": 12})
        files |= {f"{number:04}.png": encoded(number), f"{number:04}.{ending}": label.encode()}
    return files


def load(train: Path | str, **parameters: Any) -> Data:
    dataset = nlcore.create("dataset", "webdataset", train=str(train), **{"size": 12, **parameters})
    return dataset.load(DatasetContext(Path("nowhere"), download=False))  # type: ignore[no-any-return]


def refused(train: Path | str, **parameters: Any) -> str:
    with pytest.raises(UserError) as caught:
        load(train, **parameters)
    return str(caught.value)


@pytest.mark.parametrize("memory", [2.0, 0.0], ids=["in memory", "on demand"])
@pytest.mark.parametrize("ending", ["cls", "json"])
@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_pixels_and_labels_are_those_of_the_shards(format: int, ending: str, memory: float, tmp_path: Path) -> None:
    for shard in range(3):
        write(tmp_path / f"train-{shard:06}.tar", samples(4 * shard, 4, ending), format=format)
    write(tmp_path / "test" / "test-000000.tar", samples(50, 4, ending), format=format)
    data = load(tmp_path, test=str(tmp_path / "test"), memory=memory)
    assert data.classes == ("0", "1")
    assert data.train.ids.tolist() == [f"train-{n // 4:06}.tar:{n:04}" for n in range(12)]
    assert data.test.ids.tolist() == [f"test/test-000000.tar:{n:04}" for n in range(50, 54)]
    for split in (data.train, data.test):
        pixels = stores.as_store(split.images).fetch(np.arange(len(split.labels)))
        for name, image, label in zip(split.ids.tolist(), pixels, split.labels.tolist(), strict=True):
            number = int(name.partition(":")[2])
            np.testing.assert_array_equal(image, np.asarray(Image.open(io.BytesIO(encoded(number)))))
            assert label == number % 2


def test_names_of_folders_and_other_files_within(tmp_path: Path) -> None:
    long = "a" * 150  # which needs a header of its own
    files = {f"{long}/{number}.seg.png" if number % 3 else f"b/{number}.PNG": encoded(number) for number in range(6)}
    files |= {
        f"{long}/{number}.cls" if number % 3 else f"b/{number}.cls": b" 3\n" if number < 3 else b"4"
        for number in range(6)
    }
    files |= {"b/._0.png": b"macOS's", "b/0.txt": b"a caption", "b/9.cls": b"1"}
    data = load(write(tmp_path / "a.tar", files))
    assert data.classes == ("3", "4")
    assert len(data.train.ids) + len(data.test.ids) == 6
    assert any("left out 1 labels without an image: a.tar:b/9" in note for note in data.notes)


def test_labels_may_be_text_or_have_names(tmp_path: Path) -> None:
    files = {f"{n}.png": encoded(n) for n in range(4)}
    text = {f"{n}.json": json.dumps({"what": ["cat", "dog"][n % 2]}).encode() for n in range(4)}
    assert load(write(tmp_path / "text.tar", files | text), label_key="what").classes == ("cat", "dog")
    (tmp_path / "names.txt").write_text("zebra\nant\n")
    named = load(write(tmp_path / "named.tar", samples(0, 4)), classes=str(tmp_path / "names.txt"))
    assert named.classes == ("zebra", "ant")
    numbers = {
        int(one.partition(":")[2]): named.classes[label]
        for one, label in zip(named.train.ids, named.train.labels, strict=True)
    }
    assert all(name == ("zebra", "ant")[number % 2] for number, name in numbers.items())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("ending", ["cls", "json"])
def test_names_from_an_editor_that_begins_files_with_a_mark(encoding: str, ending: str, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes("zebra\r\nant\r\n".encode(encoding))
    files = samples(0, 4, ending)
    data = load(write(tmp_path / "a.tar", files), classes=str(tmp_path / "names.txt"))
    assert data.classes == ("zebra", "ant")


@pytest.mark.parametrize("ending", ["cls", "json"])
def test_labels_from_an_editor_that_begins_files_with_a_mark(ending: str, tmp_path: Path) -> None:
    files = {
        name: codecs.BOM_UTF8 + content if name.endswith(ending) else content
        for name, content in samples(0, 4, ending).items()
    }
    assert load(write(tmp_path / "a.tar", files)).classes == ("0", "1")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"1.png": encoded(1)}, "1 of 1 images have no label beside them, .cls or .json: 1"),
        ({"1.png": encoded(1), "1.cls": b"one"}, "1.cls holds no label"),
        ({"1.png": encoded(1), "1.cls": b"\xff"}, "1.cls holds no label"),
        ({"1.png": encoded(1), "1.json": b"{"}, "1.json holds no label"),
        ({"1.png": encoded(1), "1.json": b'{"labels": 1}'}, "an object with 'label' (--dataset.label_key NAME)"),
        ({"1.png": encoded(1), "1.json": b'{"label": [1]}'}, "1.json holds no label"),
        ({"1.png": encoded(1), "1.jpg": encoded(1), "1.cls": b"1"}, "the sample 1 has two images"),
        ({"1.png": encoded(1), "1.cls": b"1" * 5000}, "1.cls holds no label"),
        ({"1.png": encoded(1), "1.json": b'{"label": %s}' % (b"1" * 5000)}, "1.json holds no label"),
        ({"1.txt": b"none"}, "there are no images"),
        ({**samples(0, 4), "0000.png": b"none"}, "1 of 4 images cannot be read: a.tar:0000"),
    ],
)
def test_what_is_refused(files: dict[str, bytes], said: str, tmp_path: Path) -> None:
    assert said in refused(write(tmp_path / "a.tar", files))


def test_text_stays_as_it_stands(tmp_path: Path) -> None:
    texts = ["007", "7", "8"]
    files = {f"{n}.png": encoded(n) for n in range(6)}
    files |= {f"{n}.json": json.dumps({"label": texts[n % 3]}).encode() for n in range(6)}
    assert load(write(tmp_path / "a.tar", files)).classes == ("007", "7", "8")


@pytest.mark.parametrize("ending", ["cls", "json"])
def test_a_sample_with_two_labels_is_refused(ending: str, tmp_path: Path) -> None:
    files = list(samples(0, 4, ending).items())
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, content in [*files, files[1]]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    assert f"the sample 0000 has two labels, both 0000.{ending}" in refused(tmp_path / "a.tar")


def test_of_two_kinds_of_labels_cls_is_taken(tmp_path: Path) -> None:
    json_labels = {f"{n:04}.json": b'{"label": 9}' for n in range(4)}
    assert load(write(tmp_path / "a.tar", {**json_labels, **samples(0, 4)})).classes == ("0", "1")
    assert load(write(tmp_path / "a.tar", {**samples(0, 4), **json_labels})).classes == ("0", "1")


def test_text_that_is_none_of_the_names_is_refused(tmp_path: Path) -> None:
    files = {f"{n}.png": encoded(n) for n in range(4)}
    files |= {f"{n}.json": json.dumps({"label": ["cat", "dog"][n % 2]}).encode() for n in range(4)}
    shard, names = write(tmp_path / "a.tar", files), tmp_path / "names.txt"
    names.write_text("dog\ncow\n")
    said = refused(shard, classes=str(names))
    assert "0.json has label 'cat', which" in said
    assert "it names dog, cow" in said
    names.write_text("dog\ncat\n")
    assert load(shard, classes=str(names)).classes == ("dog", "cat")
    names.write_text("")
    assert "is to name a class in each line" in refused(shard, classes=str(names))


def test_a_label_without_a_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("zebra\n")
    said = refused(write(tmp_path / "a.tar", samples(0, 4)), classes=str(tmp_path / "names.txt"))
    assert "0001.cls has label 1" in said
    assert "names 1 classes" in said


def test_a_shard_that_was_cut_off_is_refused_wherever_it_was(tmp_path: Path) -> None:
    content = write(tmp_path / "a.tar", samples(0, 6)).read_bytes()
    with tarfile.open(tmp_path / "a.tar") as tar:
        end = max(member.offset_data + -(-member.size // 512) * 512 for member in tar)
    for length in range(1, end + 500, 97):
        (tmp_path / "a.tar").write_bytes(content[:length])
        said = refused(tmp_path / "a.tar")
        assert "was cut off or is damaged" in said or "is no tar that can be read" in said
    (tmp_path / "a.tar").write_bytes(content[: end + 512])
    assert len(load(tmp_path / "a.tar").train.ids) == 4


@pytest.mark.parametrize(
    ("compress", "tool"), [(gzip.compress, "gunzip"), (lzma.compress, "unxz"), (bz2.compress, "bunzip2")]
)
def test_a_compressed_shard_is_refused_with_what_to_do(
    compress: Callable[[bytes], bytes], tool: str, tmp_path: Path
) -> None:
    content = write(tmp_path / "a.tar", samples(0, 4)).read_bytes()
    (tmp_path / "a.tar").write_bytes(compress(content))
    said = refused(tmp_path / "a.tar")
    assert "is no tar that can be read in place" in said
    assert f"decompress it first, with {tool}" in said


@pytest.mark.parametrize("content", [b"", b"hello" * 1000])
def test_what_is_no_tar_is_not_called_compressed(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    said = refused(tmp_path / "a.tar")
    assert "is no tar that can be read in place" in said
    assert "compress" not in said


def test_a_shard_that_becomes_shorter_stops_training_with_a_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", samples(0, 6))
    data = load(path, memory=0)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(RunError, match=r"a.tar:000\d.png can no longer be read: the tar has become shorter"):
        stores.as_store(data.train.images).fetch(np.arange(len(data.train.ids)))


WHOLE: list[bytes] = []


@FUZZ
@given(at=some.floats(0, 1), change=some.binary(min_size=1, max_size=8), cut=some.booleans())
def test_a_damaged_shard_is_read_or_refused(at: float, change: bytes, cut: bool, tmp_path: Path) -> None:
    if not WHOLE:
        WHOLE.append(write(tmp_path / "a.tar", samples(0, 6)).read_bytes())
    (whole,) = WHOLE
    place = int(at * (len(whole) - 1))
    (tmp_path / "a.tar").write_bytes(whole[:place] if cut else whole[:place] + change + whole[place + len(change) :])
    with refused_or_read(tmp_path):
        load(tmp_path / "a.tar", skip_unreadable=True)
