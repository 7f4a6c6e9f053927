"""Labels from files: every format, looked up by id, and files that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fuzzing import FUZZ, refused_or_read
from helpers import TINY
from hypothesis import given
from hypothesis import strategies as some

import nlcore
from nlcore.contracts import DatasetContext, NoiseContext

IDS = np.array([4, 0, 2])


def stored(
    path: Path,
    ids: Any = IDS,
    labels: Any = None,
    classes: tuple[str, ...] = ("a", "b", "c"),
    report: Any = None,
    **params: Any,
) -> list[int]:
    """Return the labels that a file gives these samples, of three classes."""
    labels = np.zeros(len(ids), np.int64) if labels is None else labels
    source = DatasetContext(Path("nowhere"), False, report or (lambda line: None))
    data = NoiseContext(np.asarray(ids), None, classes, source=source)  # type: ignore[arg-type]
    noise = nlcore.create("noise", "stored", file=str(path), **params)
    given = noise.corrupt(labels, 3, np.random.default_rng(0), data)
    assert given.dtype == np.int64
    result: list[int] = given.tolist()
    return result


def test_every_format(tmp_path: Path) -> None:
    np.savez(tmp_path / "run.npz", ids=np.arange(5), given=np.array([2, 1, 0, 1, 1]))
    (tmp_path / "dividemix.json").write_text(json.dumps([2, 1, 0, 1, 1]))
    (tmp_path / "plain.csv").write_text("0,2\n1,1\n2,0\n3,1\n4,1\n")
    (tmp_path / "titled.csv").write_text("id,label\n4,1\n2,0\n0,2\n")
    for name in ("run.npz", "dividemix.json", "plain.csv", "titled.csv"):
        assert stored(tmp_path / name) == [1, 2, 0], name


def test_labels_may_be_names_in_every_format(tmp_path: Path) -> None:
    np.savez(tmp_path / "run.npz", ids=np.arange(5), given=np.array(list("cbabb")))
    (tmp_path / "list.json").write_text(json.dumps(list("cbabb")))
    (tmp_path / "object.json").write_text(json.dumps({"4": "b", "0": "c", "2": 0}))
    (tmp_path / "plain.csv").write_text("0,c\n2,a\n4,b\n")
    (tmp_path / "titled.csv").write_text("label,quality,path\nb,0.1,4\na,0.2,2\nc,0.3,0\n")
    (tmp_path / "semicolons.csv").write_bytes("id;label\r\n4;b\r\n2;a\r\n0;c\r\n".encode("utf-16"))
    (tmp_path / "pandas.csv").write_text("0,2.0\n2,0.0\n4,1.0\n")
    for path in sorted(tmp_path.iterdir()):
        assert stored(path) == [1, 2, 0], path.name


def test_names_that_are_numbers_are_names_where_all_labels_are_names(tmp_path: Path) -> None:
    """With classes 1, 2, 3 the labels 1 and 2 are names, which is told; with a 0 numbers, as runs have them."""
    lines: list[str] = []
    (tmp_path / "names.csv").write_text("0,3\n2,1\n4,2\n")
    assert stored(tmp_path / "names.csv", classes=("1", "2", "3"), report=lines.append) == [1, 2, 0]
    assert lines == []
    (tmp_path / "corrections.csv").write_text("0,1\n2,2\n4,1\n")
    assert stored(tmp_path / "corrections.csv", classes=("1", "2", "3"), report=lines.append) == [0, 0, 1]
    assert len(lines) == 1
    assert "taken as names of classes, not as numbers, of which 0 were class '1'" in lines[0]
    (tmp_path / "numbers.csv").write_text("0,1\n2,0\n4,2\n")
    (tmp_path / "numbers.json").write_text('{"0": 1, "2": 2, "4": 1}')
    np.savez(tmp_path / "numbers.npz", ids=IDS, given=np.array([1, 1, 2]))
    assert stored(tmp_path / "numbers.csv", classes=("1", "2", "3"), report=lines.append) == [2, 1, 0]
    for name in ("numbers.json", "numbers.npz"):
        assert stored(tmp_path / name, classes=("1", "2", "3"), report=lines.append) == [1, 1, 2]
    assert len(lines) == 1


def test_labels_of_some_samples_are_corrections(tmp_path: Path) -> None:
    lines: list[str] = []
    (tmp_path / "some.csv").write_text("id,label\n2,c\n17,a\n")
    given = np.array([0, 1, 1])
    assert stored(tmp_path / "some.csv", labels=given, report=lines.append) == [0, 1, 2]
    assert given.tolist() == [0, 1, 1]
    assert lines == [
        f"{tmp_path / 'some.csv'}: labels of 1 of 3 samples, the others keep theirs; "
        "ids that are not among them: 1 (17)"
    ]


def test_ids_that_are_paths_may_be_written_as_on_windows(tmp_path: Path) -> None:
    (tmp_path / "paths.csv").write_text("path,label\n.\\cat\\1.png,b\ndog/1.png,c\n")
    assert stored(tmp_path / "paths.csv", ["cat/1.png", "dog/1.png"]) == [1, 2]


def test_cifar10ns_file(tmp_path: Path) -> None:
    names = ("clean_label", "aggre_label", "random_label1", "random_label2", "random_label3", "worse_label")
    columns = {name: (np.arange(50_000) + shift) % 3 for shift, name in enumerate(names)}
    torch.save(columns, tmp_path / "CIFAR-10_human.pt")
    path, clean = tmp_path / "CIFAR-10_human.pt", columns["clean_label"][IDS]
    assert stored(path, labels=clean) == columns["worse_label"][IDS].tolist()
    assert stored(path, labels=clean, which="random1") == columns["random_label1"][IDS].tolist()
    with pytest.raises(nlcore.UserError, match="true labels in the file are not those of the samples"):
        stored(path, labels=(clean + 1) % 3)


def test_a_table_from_a_spreadsheet(tmp_path: Path) -> None:
    (tmp_path / "excel.csv").write_bytes("\ufeff4,1\r\n2,0\r\n0,2\r\n".encode())
    assert stored(tmp_path / "excel.csv") == [1, 2, 0]


def test_a_run_on_other_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "run.npz", ids=np.arange(5), given=np.zeros(5, np.int64), classes=np.array(["x", "y", "z"]))
    with pytest.raises(nlcore.UserError, match="other classes"):
        stored(tmp_path / "run.npz")


@pytest.mark.parametrize("damage", ["truncated", "bit flipped", "not an archive", "two dimensions"])
def test_a_damaged_npz(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    shape = (5, 1) if damage == "two dimensions" else (5,)
    np.savez_compressed(path, ids=np.arange(5), given=np.zeros(shape, np.int64))
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "bit flipped":
        content[60:80] = bytes(20)
    elif damage == "not an archive":
        np.save(tmp_path / "array.npy", np.arange(5))
        content = bytearray((tmp_path / "array.npy").read_bytes())
    path.write_bytes(content)
    with pytest.raises(nlcore.UserError, match=r"run\.npz"):
        stored(path)


def test_ids_may_be_words(tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("file,label\ncat/1.png,2\ndog/1.png,0\n")
    assert stored(tmp_path / "words.csv", ["dog/1.png", "cat/1.png"]) == [0, 2]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("others.csv", "7,1\n8,1\n", "no label of any of the 3 training samples"),
        ("empty.csv", "", "holds no labels"),
        ("titled.csv", "id,label\n", "holds no labels"),
        ("shape.csv", "id,label\n0,1\n2,1,1\n", "line 3: 3 fields; the first line has 2"),
        ("gap.csv", "id,label\n0,1\n2,\n4,NaN\n", "no label in line 3 (empty), line 4 (NaN)"),
        ("near.csv", "0,a\n2,bb\n4,c\n", "line 2: the label 'bb' is outside 0..2 and no name of a class"),
        ("range.csv", "0,1\n2,3\n4,0\n", "outside 0..2"),
        ("words.csv", "0,1\n2,cat\n", "line 2"),
        ("columns.csv", "0,1,1\n", "line 1"),
        ("twice.csv", "0,1\n0,1\n", "twice"),
        ("number.json", "1", "expected a list of labels"),
        ("gap.json", '{"0": null}', "expected a list of labels"),
        ("floats.json", "[0.5, 1, 2]", "whole numbers or names of classes"),
        ("broken.json", "[1, 2", "JSON"),
        ("deep.json", "[" * 100_000, "JSON"),
        ("huge.json", "[0, 1, 99999999999999999999, 0, 1]", "outside 0..2"),
        ("short.json", "[0, 1, 2]", "here up to number 4, and this one has 3"),
        ("repeated.json", '{"0": 1, "0": 2}', "the id '0' appears twice"),
        ("broken.npz", "no archive", "ids and given"),
        ("labels.txt", "1\n", ".npz, .csv, .json, .pt"),
    ],
)
def test_files_that_do_not_fit(name: str, content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(nlcore.UserError) as error:
        stored(tmp_path / name)
    assert said in str(error.value)
    assert name in str(error.value)


def test_labels_of_another_type_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "floats.npz", ids=np.arange(5), given=np.zeros(5))
    with pytest.raises(nlcore.UserError, match=r"whole numbers or text; these are int64 of shape .* and float64"):
        stored(tmp_path / "floats.npz")


@pytest.mark.slow
def test_a_list_for_the_training_images_alone_is_refused(tmp_path: Path) -> None:
    labels = [int(label) for label in nlcore.dataset("digits").train.labels]
    (tmp_path / "list.json").write_text(json.dumps(labels))
    with pytest.raises(nlcore.UserError, match=r"a list has a label for every image of the data set.* has 1,442"):
        nlcore.run(**TINY, labels=tmp_path / "list.json")


def test_a_pickle_in_an_npz_is_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "pickled.npz", ids=np.array([{}], dtype=object), given=np.array([1]))
    with pytest.raises(nlcore.UserError, match=r"pickled\.npz"):
        stored(tmp_path / "pickled.npz")


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", Path(), tmp_path / ("long" * 2000), tmp_path / "zero\0.csv"):
        with pytest.raises(nlcore.UserError, match="--labels"):
            stored(path)


JSON = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats()
    | some.text(max_size=4)
    | some.sampled_from("abc012"),
    lambda inner: some.lists(inner, max_size=6) | some.dictionaries(some.sampled_from(["0", "2", "4", "x"]), inner),
)


def check_labels(path: Path) -> None:
    with refused_or_read(path.parent):
        given = stored(path)
        assert len(given) == 3
        assert set(given) <= {0, 1, 2}


@FUZZ
@given(content=JSON)
def test_any_json_is_labels_or_is_refused(content: Any, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(content))
    check_labels(tmp_path / "labels.json")


@FUZZ
@given(content=some.one_of(some.binary(max_size=60), some.text('0124abc,;\n\r"\0 .', max_size=40).map(str.encode)))
@pytest.mark.parametrize("ending", ["csv", "json", "npz", "pt"])
def test_any_bytes_are_labels_or_are_refused(content: bytes, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"labels.{ending}"
    path.write_bytes(content)
    check_labels(path)


@FUZZ
@given(place=some.integers(0, 900), byte=some.integers(0, 255), cut=some.integers(0, 900))
@pytest.mark.parametrize("ending", ["npz", "pt"])
def test_a_damaged_archive_is_read_or_refused(place: int, byte: int, cut: int, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"labels.{ending}"
    if ending == "npz":
        np.savez(path, ids=np.arange(5), given=np.array([2, 1, 0, 1, 1]))
    else:
        torch.save({"clean_label": np.arange(5)}, path)
    content = bytearray(path.read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(content[: len(content) - (cut if byte % 2 else 0)])
    check_labels(path)


@FUZZ
@given(
    labels=some.lists(some.sampled_from("abc"), min_size=3, max_size=3),
    order=some.permutations(range(3)),
    ending=some.sampled_from(["csv", "json", "npz"]),
)
def test_labels_that_a_writer_wrote_are_read_as_they_were_meant(
    labels: list[str], order: list[int], ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"labels.{ending}"
    rows = [(int(IDS[number]), labels[number]) for number in order]
    if ending == "csv":
        path.write_text("".join(f"{sample},{label}\n" for sample, label in rows))
    elif ending == "json":
        path.write_text(json.dumps({str(sample): label for sample, label in rows}))
    else:
        np.savez(path, ids=np.array([row[0] for row in rows]), given=np.array([row[1] for row in rows]))
    assert stored(path) == ["abc".index(label) for label in labels]
