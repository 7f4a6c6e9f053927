"""Leaving samples out of a run by a file of ids."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import TINY
from hypothesis import given, settings
from hypothesis import strategies as st

import nlcore
from nlcore.data.exclude import excluded
from nlcore.errors import UserError

IDS = np.array(["a/1.jpg", "a/2.jpg", "b, c/3.jpg", "4"])
OTHERS = np.array(["t/1.jpg"])


def left_out(tmp_path: Path, text: str, name: str = "ids.csv") -> tuple[list[str], list[str]]:
    """Return the ids that a file of this text leaves out, and what is told."""
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    positions, notes = excluded(tmp_path / name, IDS, OTHERS)
    return IDS[positions].tolist(), [note.partition(": ")[2] for note in notes]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4\na/1.jpg\n", ["a/1.jpg", "4"]),
        ("4\r\n\r\na/1.jpg\r\na/1.jpg", ["a/1.jpg", "4"]),
        ("b, c/3.jpg\n", ["b, c/3.jpg"]),
        ('id\n"b, c/3.jpg"\n', ["b, c/3.jpg"]),
        ("path;ID\nx;a/2.jpg\n", ["a/2.jpg"]),
        ("id,flagged\na/1.jpg,1\na/2.jpg,0\n4,True\n", ["a/1.jpg", "4"]),
        ("audit,id,decision,label\nx,a/1.jpg,keep,\nx,a/2.jpg,drop,\nx,4,relabel,b\n", ["a/2.jpg"]),
        ("", []),
    ],
)
def test_what_a_file_means(tmp_path: Path, text: str, expected: list[str]) -> None:
    found, notes = left_out(tmp_path, text)
    assert found == expected
    assert notes == [f"{len(expected)} of 4 training images are left out"]


def test_test_images_and_strangers_are_told(tmp_path: Path) -> None:
    found, notes = left_out(tmp_path, "4\nt/1.jpg\nwho\n")
    assert found == ["4"]
    assert notes == [
        "1 of 4 training images are left out",
        "1 of its ids are test images, which are tested on all the same",
        "1 of its ids are none of the data's, such as 'who'",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("who\nwhat\n", "none of its 2 ids is one of the data's: is it for another dataset? Its first is 'who'"),
        ("id,id\n4,4\n", "the first line must name the column id"),
        ('id,x\n"4,5\n', "no valid CSV"),
        ("id,x\n4\n", "line 2: 1 fields, where the first line has 2"),
    ],
)
def test_refuses(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        left_out(tmp_path, text)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "zeros").write_bytes(b"abc\xff\xfe\x00")
    with pytest.raises(UserError, match="no text in UTF-8"):
        excluded(tmp_path / "zeros", IDS, OTHERS)


@settings(max_examples=50)
@given(st.text(st.characters(codec="utf-8")))
def test_whatever_comes_in(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    try:
        found, _ = left_out(tmp_path_factory.mktemp("fuzz"), text)
    except UserError:
        return
    assert set(found) <= set(IDS.tolist())


def run(**more: Any) -> nlcore.Result:
    return nlcore.run(quiet=True, **{**TINY, **more})


def test_a_run_trains_on_the_others_with_the_labels_that_they_have_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = np.load(run().run_dir / "labels.npz")
    gone = whole["ids"][:200]
    Path("ids.txt").write_text("\n".join(map(str, gone)))
    result = run(exclude="ids.txt")
    rest = np.load(result.run_dir / "labels.npz")
    stay = ~np.isin(whole["ids"], gone)
    for name in ("ids", "given", "true"):
        assert np.array_equal(rest[name], whole[name][stay])
    notes = json.loads((result.run_dir / "environment.json").read_text())["notes"]
    assert any("200 of 1,442 training images are left out" in note for note in notes)
    # the same ids in a file of another name are the same run, others are another one
    Path("ids.txt").rename("moved.csv")
    assert run(exclude="moved.csv").run_dir == result.run_dir
    assert nlcore.resume(result.run_dir, epochs=2, exclude="moved.csv", quiet=True).status == "done"
    Path("moved.csv").write_text("id,flagged\n" + "".join(f"{sample},{int(sample == gone[0])}\n" for sample in gone))
    assert run(exclude="moved.csv").run_dir != result.run_dir


def test_the_folder_of_an_audit_means_what_it_flags(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("audits/mine").mkdir(parents=True)
    with pytest.raises(UserError, match=r"audits/mine: this folder has no issues.csv"):
        run(exclude="audits/mine")
    Path("audits/mine/issues.csv").write_text("id,flagged\n0,1\n1,0\n2,1\n")
    ids = np.load(run(exclude="audits/mine").run_dir / "labels.npz")["ids"]
    assert {0, 2}.isdisjoint(ids.tolist())
    assert len(ids) == len(_trained() - {0, 2})


def _trained() -> set[int]:
    data = nlcore.dataset("digits")
    return set(data.train.ids.tolist())


def test_nothing_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("all").write_text("\n".join(map(str, _trained())))
    with pytest.raises(UserError, match="all: that leaves nothing to train on"):
        run(exclude="all")


def test_no_such_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"gone\.csv: there is no such file. Give a file of ids"):
        run(exclude="gone.csv")
