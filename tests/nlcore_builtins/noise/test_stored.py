"""Labels from files: every format, looked up by id, and files that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nlcore
from nlcore.contracts import SampleData

IDS = np.array([4, 0, 2])


def stored(path: Path, ids: Any = IDS, labels: Any = None, **params: Any) -> list[int]:
    """Return the labels that a file gives these samples, of three classes."""
    labels = np.zeros(len(ids), np.int64) if labels is None else labels
    data = SampleData(np.asarray(ids), None, ("a", "b", "c"))  # type: ignore[arg-type]
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
        ("missing.csv", "0,1\n4,1\n", "no label for 1 of 3 samples (the first has id 2)"),
        ("range.csv", "0,1\n2,3\n4,0\n", "outside 0..2"),
        ("words.csv", "0,1\n2,cat\n", "line 2"),
        ("columns.csv", "0,1,1\n", "line 1"),
        ("twice.csv", "0,1\n0,1\n", "twice"),
        ("dict.json", '{"0": 1}', "a list of whole numbers"),
        ("floats.json", "[0.5, 1, 2]", "a list of whole numbers"),
        ("broken.json", "[1, 2", "JSON"),
        ("deep.json", "[" * 100_000, "JSON"),
        ("huge.json", "[0, 1, 99999999999999999999, 0, 1]", "outside 0..2"),
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


def test_a_pickle_in_an_npz_is_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "pickled.npz", ids=np.array([{}], dtype=object), given=np.array([1]))
    with pytest.raises(nlcore.UserError, match=r"pickled\.npz"):
        stored(tmp_path / "pickled.npz")


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", Path()):
        with pytest.raises(nlcore.UserError, match="--labels"):
            stored(path)
