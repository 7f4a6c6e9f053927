"""``nl predict``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def test_classifies_files_and_folders(nl: Any, tiny: tuple[str, ...], tmp_path: Path) -> None:
    run_dir = nl("run", *tiny, "--json").json["run_dir"]
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "notes.txt").write_text("no image")
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(folder / name)
    done = nl("predict", run_dir, str(folder), str(folder / "a.png"))
    assert done.code == 0
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert [Path(row[0]).name for row in rows] == ["a.png", "b.png", "a.png"]
    assert rows[0][1] in "0123456789"
    as_json = [json.loads(line) for line in nl("predict", run_dir, str(folder), "--json").out.splitlines()]
    assert abs(sum(as_json[0]["probabilities"].values()) - 1) < 1e-4
    assert as_json[0]["class"] == max(as_json[0]["probabilities"], key=as_json[0]["probabilities"].get)


@pytest.fixture
def photos(nl: Any, tiny: tuple[str, ...]) -> Path:
    """Make a run called mine, and a folder of four images, one of them in a folder within."""
    nl("run", *tiny, "--name", "mine")
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png", "c d.png", "deep/e.png"):
        path = Path("photos") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(path)
    return Path("photos")


def from_stdin(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))


@pytest.mark.slow
def test_files_come_from_folders_tables_and_stdin(nl: Any, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same images by three ways give the same lines; paths in a table are relative to its folder."""
    whole = nl("predict", "mine", "photos").out
    assert [line.split("\t")[0] for line in whole.splitlines()] == [
        "photos/a.png", "photos/b.png", "photos/c d.png", "photos/deep/e.png"
    ]  # fmt: skip
    (photos / "list.csv").write_text("label;path\nx;a.png\n;b.png\n1;c d.png\n1;deep/e.png\n")
    assert nl("predict", "mine", "photos/list.csv").out == whole
    (photos / "list.csv").write_text("label|path\nx| a.png \n|b.png\n1| c d.png\n1|deep\\e.png\n")
    assert nl("predict", "mine", "photos/list.csv").out == whole
    from_stdin(monkeypatch, b"photos/a.png\nphotos/b.png\r\n\nphotos/c d.png\nphotos/deep")
    assert nl("predict", "mine", "-").out == whole
    from_stdin(monkeypatch, b"\xef\xbb\xbfphotos\r\n")
    assert nl("predict", "mine", "-").out == whole


@pytest.mark.slow
def test_csv_and_json_hold_the_most_probable_classes(nl: Any, photos: Path) -> None:
    every = [json.loads(line) for line in nl("predict", "mine", "photos", "--format", "json").out.splitlines()]
    assert all(len(row["probabilities"]) == 10 for row in every)
    best = [sorted(row["probabilities"].items(), key=lambda one: -one[1])[:3] for row in every]
    rows = list(csv.reader(nl("predict", "mine", "photos", "--format", "csv", "--top", "3").out.splitlines()))
    assert rows[0] == ["path", *(f"{title}_{n}" for n in (1, 2, 3) for title in ("class", "probability"))]
    for row, expected, three in zip(rows[1:], every, best, strict=True):
        assert row[0] == expected["path"]
        assert row[1::2] == [name for name, _ in three]
        assert [float(share) for share in row[2::2]] == pytest.approx([share for _, share in three])
    top = [json.loads(line) for line in nl("predict", "mine", "photos", "--json", "--top", "3").out.splitlines()]
    assert [list(row["probabilities"].items()) for row in top] == best
    one = nl("predict", "mine", "photos", "--format", "csv").out.splitlines()
    assert one[0] == "path,class,probability"
    tabs = nl("predict", "mine", "photos", "--top", "2").out.splitlines()
    assert [line.split("\t")[1::2] for line in tabs] == [[name for name, _ in three[:2]] for three in best]


@pytest.mark.slow
def test_a_name_with_tabs_and_line_ends_stays_one_field(nl: Any, photos: Path) -> None:
    strange = "photos/a\tb\nc\rd.png"
    (photos / "a.png").rename(strange)
    done = nl("predict", "mine", strange, "photos/b.png")
    assert [line.split("\t")[0] for line in done.out.split("\n")] == [r"photos/a\tb\nc\rd.png", "photos/b.png", ""]
    assert {len(line.split("\t")) for line in done.out.splitlines()} == {3}
    rows = list(csv.reader(io.StringIO(nl("predict", "mine", strange, "--format", "csv").out, newline="")))
    assert rows[1][0] == strange
    assert json.loads(nl("predict", "mine", strange, "--json").out)["path"] == strange


@pytest.mark.slow
def test_what_a_list_names_and_is_not_there_is_told_in_its_turn(
    nl: Any, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_stdin(monkeypatch, b"photos/a.png\nphotos/gone.png\nphotos/b.png\n")
    done = nl("predict", "mine", "-")
    assert done.code == 1
    assert [line.split("\t")[0] for line in done.out.splitlines()] == ["photos/a.png", "photos/b.png"]
    assert "photos/gone.png cannot be read as an image: No such file or directory" in done.err
    assert "1 of 3 files could not be read." in done.err
    from_stdin(monkeypatch, b"")
    nothing = nl("predict", "mine", "-")
    assert (nothing.code, nothing.out) == (2, "")
    assert "stdin named no files" in nothing.err


@pytest.mark.slow
def test_wrong_words_end_with_a_sentence(nl: Any, photos: Path) -> None:
    Path("empty.csv").write_text("path\n")
    Path("other.csv").write_text("file\na.png\n")
    Path("gap.csv").write_text("path,label\na.png,1\n,1\n")
    for words, said in (
        (("photos", "--top", "0"), "--top 0: must be at least 1"),
        (("photos", "--top", "11"), "--top 11: the model has 10 classes"),
        (("photos", "--json", "--format", "csv"), "--json goes with --format json alone"),
        (("empty.csv",), "empty.csv lists no images"),
        (("other.csv",), "the first line must name the column path"),
        (("gap.csv",), "gap.csv: there is no path in line 3 (empty)"),
    ):
        done = nl("predict", "mine", *words)
        assert (done.code, done.out) == (2, "")
        assert said in done.err


@pytest.mark.slow
def test_an_unreadable_file_costs_no_other_its_result(nl: Any, tiny: tuple[str, ...], tmp_path: Path) -> None:
    run_dir = nl("run", *tiny, "--json").json["run_dir"]
    for name in ("one.png", "three.png"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(name)
    Path("two.png").write_text("no image")
    done = nl("predict", run_dir, "one.png", "two.png", "three.png")
    assert done.code == 1
    assert [line.split("\t")[0] for line in done.out.splitlines()] == ["one.png", "three.png"]
    assert "two.png cannot be read as an image" in done.err
    assert "1 of 3 files could not be read." in done.err
    skipped = nl("predict", run_dir, "one.png", "two.png", "three.png", "--skip-unreadable")
    assert (skipped.code, skipped.out, skipped.err) == (0, done.out, done.err)
    assert nl("predict", run_dir, "missing.png").code == 2
    assert nl("predict", "nowhere", "one.png").code == 2


@pytest.mark.slow
def test_a_folder_stands_for_all_that_is_in_it(nl: Any, tiny: tuple[str, ...], tmp_path: Path) -> None:
    """Subfolders, too; but not what macOS puts beside each file on a disk of another system."""
    nl("run", *tiny, "--name", "mine")
    for name in ("b.png", "a/2.JPG", "a/deep/1.png", ".hidden/3.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    (tmp_path / "photos" / "._b.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    done = nl("predict", "mine", "photos")
    assert (done.code, done.err) == (0, "")
    named = [line.split("\t")[0] for line in done.out.splitlines()]
    assert named == ["photos/a/2.JPG", "photos/a/deep/1.png", "photos/b.png"]
    (tmp_path / "empty").mkdir()
    refused = nl("predict", "mine", "empty")
    assert refused.code == 2
    assert "There are no images in the folder empty" in refused.err
